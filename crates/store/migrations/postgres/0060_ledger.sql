-- The access ledger of each tenant, in the gate's database. Times are microseconds since 1970, UTC; days are days since then.

CREATE TABLE ledger_chains (
  tenant   TEXT COLLATE "C" PRIMARY KEY,
  length   BIGINT NOT NULL CHECK (length >= 0),
  head     BYTEA NOT NULL CHECK (length(head) = 32),
  last_at  BIGINT NOT NULL,
  -- The day whose slot comes next.
  next_day BIGINT NOT NULL
);
CREATE FUNCTION ledger_chains_only_grow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.length < OLD.length OR NEW.next_day < OLD.next_day OR NEW.tenant <> OLD.tenant THEN
        RAISE EXCEPTION 'a ledger only grows';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_chains_only_grow BEFORE UPDATE ON ledger_chains
FOR EACH ROW EXECUTE FUNCTION ledger_chains_only_grow();
CREATE TRIGGER ledger_chains_stay BEFORE DELETE ON ledger_chains
FOR EACH ROW EXECUTE FUNCTION never_changed();

CREATE TABLE ledger_entries (
  tenant TEXT COLLATE "C" NOT NULL,
  seq    BIGINT NOT NULL CHECK (seq >= 0),
  -- JSON, as the tenant fetches it.
  entry  BYTEA NOT NULL,
  PRIMARY KEY (tenant, seq)
);
CREATE TRIGGER ledger_entries_stay_as_they_are BEFORE UPDATE OR DELETE ON ledger_entries
FOR EACH ROW EXECUTE FUNCTION never_changed();

-- Openings that a gag seals.
CREATE TABLE ledger_sealed (
  record  BYTEA NOT NULL CHECK (length(record) = 16),
  -- Among the openings of the record.
  number  BIGINT NOT NULL CHECK (number >= 0),
  tenant  TEXT COLLATE "C" NOT NULL,
  case_id BYTEA NOT NULL CHECK (length(case_id) = 16),
  at      BIGINT NOT NULL,
  opening BYTEA NOT NULL,
  -- Where its day's slot has it, once the day is over.
  seq     BIGINT,
  place   BIGINT,
  -- 1 once no gag forbids to tell of it.
  free    BIGINT NOT NULL CHECK (free IN (0, 1)),
  PRIMARY KEY (record, number)
);
CREATE INDEX ledger_sealed_by_slot ON ledger_sealed (tenant, seq);
CREATE INDEX ledger_sealed_by_case ON ledger_sealed (free, case_id);
CREATE TRIGGER ledger_sealed_stay BEFORE DELETE ON ledger_sealed
FOR EACH ROW EXECUTE FUNCTION never_changed();

-- What opens a place that holds something. For one that holds nothing there is no row, and never was a salt.
CREATE TABLE ledger_places (
  tenant TEXT COLLATE "C" NOT NULL,
  seq    BIGINT NOT NULL,
  place  BIGINT NOT NULL,
  salt   BYTEA NOT NULL CHECK (length(salt) = 32),
  PRIMARY KEY (tenant, seq, place)
);
CREATE TRIGGER ledger_places_stay_as_they_are BEFORE UPDATE OR DELETE ON ledger_places
FOR EACH ROW EXECUTE FUNCTION never_changed();
