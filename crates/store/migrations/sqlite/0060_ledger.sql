-- The access ledger of each tenant, in the gate's database. Times are microseconds since 1970, UTC; days are days since then.

CREATE TABLE ledger_chains (
  tenant   TEXT PRIMARY KEY,
  length   INTEGER NOT NULL CHECK (length >= 0),
  head     BLOB NOT NULL CHECK (length(head) = 32),
  last_at  INTEGER NOT NULL,
  -- The day whose slot comes next.
  next_day INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER ledger_chains_only_grow BEFORE UPDATE ON ledger_chains
WHEN NEW.length < OLD.length OR NEW.next_day < OLD.next_day OR NEW.tenant <> OLD.tenant
BEGIN SELECT RAISE(ABORT, 'a ledger only grows'); END;
CREATE TRIGGER ledger_chains_stay BEFORE DELETE ON ledger_chains
BEGIN SELECT RAISE(ABORT, 'a ledger is never forgotten'); END;

CREATE TABLE ledger_entries (
  tenant TEXT NOT NULL,
  seq    INTEGER NOT NULL CHECK (seq >= 0),
  -- JSON, as the tenant fetches it.
  entry  BLOB NOT NULL,
  PRIMARY KEY (tenant, seq)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER ledger_entries_stay_as_they_are BEFORE UPDATE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'an entry is never changed'); END;
CREATE TRIGGER ledger_entries_stay BEFORE DELETE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'an entry is never removed'); END;

-- Openings that a gag seals.
CREATE TABLE ledger_sealed (
  record  BLOB NOT NULL CHECK (length(record) = 16),
  -- Among the openings of the record.
  number  INTEGER NOT NULL CHECK (number >= 0),
  tenant  TEXT NOT NULL,
  case_id BLOB NOT NULL CHECK (length(case_id) = 16),
  at      INTEGER NOT NULL,
  opening BLOB NOT NULL,
  -- Where its day's slot has it, once the day is over.
  seq     INTEGER,
  place   INTEGER,
  -- 1 once no gag forbids to tell of it.
  free    INTEGER NOT NULL CHECK (free IN (0, 1)),
  PRIMARY KEY (record, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX ledger_sealed_by_slot ON ledger_sealed (tenant, seq);
CREATE INDEX ledger_sealed_by_case ON ledger_sealed (free, case_id);
CREATE TRIGGER ledger_sealed_stay BEFORE DELETE ON ledger_sealed
BEGIN SELECT RAISE(ABORT, 'what was sealed is never removed'); END;

-- What opens a place that holds something. For one that holds nothing there is no row, and never was a salt.
CREATE TABLE ledger_places (
  tenant TEXT NOT NULL,
  seq    INTEGER NOT NULL,
  place  INTEGER NOT NULL,
  salt   BLOB NOT NULL CHECK (length(salt) = 32),
  PRIMARY KEY (tenant, seq, place)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER ledger_places_stay_as_they_are BEFORE UPDATE ON ledger_places
BEGIN SELECT RAISE(ABORT, 'a place is never changed'); END;
CREATE TRIGGER ledger_places_stay BEFORE DELETE ON ledger_places
BEGIN SELECT RAISE(ABORT, 'a place is never removed'); END;
