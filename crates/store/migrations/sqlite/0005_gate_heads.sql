-- More of what the gate remembers. Times are microseconds since 1970, UTC.

-- How far each case had come when its last event was recorded: a chain that was cut is no continuation.
CREATE TABLE gate_case_heads (
  case_id BLOB PRIMARY KEY CHECK (length(case_id) = 16),
  length  INTEGER NOT NULL CHECK (length > 0),
  head    BLOB NOT NULL CHECK (length(head) = 32)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER gate_case_heads_only_grow BEFORE UPDATE ON gate_case_heads
WHEN NEW.length <= OLD.length OR NEW.case_id <> OLD.case_id
BEGIN SELECT RAISE(ABORT, 'a remembered case only grows'); END;
CREATE TRIGGER gate_case_heads_stay BEFORE DELETE ON gate_case_heads
BEGIN SELECT RAISE(ABORT, 'a remembered case is never forgotten'); END;

-- The trust policies that the gate was opened with, one after the other, by the SHA-256 of their text.
CREATE TABLE gate_policies (
  number  INTEGER PRIMARY KEY,
  digest  BLOB NOT NULL CHECK (length(digest) = 32),
  seen_at INTEGER NOT NULL
) STRICT;
CREATE TRIGGER gate_policies_stay BEFORE DELETE ON gate_policies
BEGIN SELECT RAISE(ABORT, 'a policy that was in force is never forgotten'); END;
