-- What the gate remembers. Times are microseconds since 1970, UTC.

-- The largest checkpoint of each log that the gate accepted: it cannot be shown a fork of it, nor an older log.
CREATE TABLE gate_checkpoints (
  origin TEXT COLLATE "C" PRIMARY KEY,
  size   BIGINT NOT NULL CHECK (size >= 0),
  root   BYTEA NOT NULL CHECK (length(root) = 32)
);

-- Records whose keys were opened, or were about to be: used up either way.
CREATE TABLE gate_used_records (
  record  BYTEA PRIMARY KEY CHECK (length(record) = 16),
  digest  BYTEA NOT NULL UNIQUE CHECK (length(digest) = 32),
  case_id BYTEA NOT NULL CHECK (length(case_id) = 16),
  -- The case's chain as it was shown: a later release must continue it.
  length  BIGINT NOT NULL CHECK (length > 0),
  head    BYTEA NOT NULL CHECK (length(head) = 32),
  used_at BIGINT NOT NULL
);
CREATE INDEX gate_used_records_by_case ON gate_used_records (case_id, length);

CREATE FUNCTION gate_checkpoints_only_grow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.size < OLD.size OR NEW.origin <> OLD.origin THEN
        RAISE EXCEPTION 'a remembered checkpoint only grows';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER gate_checkpoints_only_grow BEFORE UPDATE ON gate_checkpoints
FOR EACH ROW EXECUTE FUNCTION gate_checkpoints_only_grow();
CREATE TRIGGER gate_checkpoints_stay BEFORE DELETE ON gate_checkpoints
FOR EACH ROW EXECUTE FUNCTION never_changed();
CREATE TRIGGER gate_used_records_stay_used BEFORE UPDATE OR DELETE ON gate_used_records
FOR EACH ROW EXECUTE FUNCTION never_changed();
