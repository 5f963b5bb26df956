-- What the gate remembers. Times are microseconds since 1970, UTC.

-- The largest checkpoint of each log that the gate accepted: it cannot be shown a fork of it, nor an older log.
CREATE TABLE gate_checkpoints (
  origin TEXT PRIMARY KEY,
  size   INTEGER NOT NULL CHECK (size >= 0),
  root   BLOB NOT NULL CHECK (length(root) = 32)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER gate_checkpoints_only_grow BEFORE UPDATE ON gate_checkpoints
WHEN NEW.size < OLD.size OR NEW.origin <> OLD.origin
BEGIN SELECT RAISE(ABORT, 'a remembered checkpoint only grows'); END;
CREATE TRIGGER gate_checkpoints_stay BEFORE DELETE ON gate_checkpoints
BEGIN SELECT RAISE(ABORT, 'a remembered checkpoint is never forgotten'); END;

-- Records whose keys were opened, or were about to be: used up either way.
CREATE TABLE gate_used_records (
  record  BLOB PRIMARY KEY CHECK (length(record) = 16),
  digest  BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
  case_id BLOB NOT NULL CHECK (length(case_id) = 16),
  -- The case's chain as it was shown: a later release must continue it.
  length  INTEGER NOT NULL CHECK (length > 0),
  head    BLOB NOT NULL CHECK (length(head) = 32),
  used_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX gate_used_records_by_case ON gate_used_records (case_id, length);
CREATE TRIGGER gate_used_records_stay_used BEFORE UPDATE ON gate_used_records
BEGIN SELECT RAISE(ABORT, 'a used record stays used'); END;
CREATE TRIGGER gate_used_records_stay BEFORE DELETE ON gate_used_records
BEGIN SELECT RAISE(ABORT, 'a used record is never forgotten'); END;
