-- More of what the gate remembers. Times are microseconds since 1970, UTC.

-- How far each case had come when its last event was recorded: a chain that was cut is no continuation.
CREATE TABLE gate_case_heads (
  case_id BYTEA PRIMARY KEY CHECK (length(case_id) = 16),
  length  BIGINT NOT NULL CHECK (length > 0),
  head    BYTEA NOT NULL CHECK (length(head) = 32)
);

-- The trust policies that the gate was opened with, one after the other, by the SHA-256 of their text.
CREATE TABLE gate_policies (
  number  BIGINT PRIMARY KEY,
  digest  BYTEA NOT NULL CHECK (length(digest) = 32),
  seen_at BIGINT NOT NULL
);

CREATE FUNCTION gate_case_heads_only_grow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.length <= OLD.length OR NEW.case_id <> OLD.case_id THEN
        RAISE EXCEPTION 'a remembered case only grows';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER gate_case_heads_only_grow BEFORE UPDATE ON gate_case_heads
FOR EACH ROW EXECUTE FUNCTION gate_case_heads_only_grow();
CREATE TRIGGER gate_case_heads_stay BEFORE DELETE ON gate_case_heads
FOR EACH ROW EXECUTE FUNCTION never_changed();
CREATE TRIGGER gate_policies_stay BEFORE DELETE ON gate_policies
FOR EACH ROW EXECUTE FUNCTION never_changed();
