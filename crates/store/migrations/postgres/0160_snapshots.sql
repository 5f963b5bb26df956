-- What was frozen for a preservation, and which objects. What is in a snapshot leaves its owner's sight when it is deleted or
-- overwritten, and stays until no snapshot has it any more: its row then stands in a bucket of its tenant's called
-- `preserved/` and its region, a name that no bucket of a client can have, with `latest` 2.
CREATE TABLE snapshot (
  id BYTEA PRIMARY KEY CHECK (length(id) = 16),
  made_at BIGINT NOT NULL
);

CREATE TABLE snapshot_object (
  snapshot BYTEA NOT NULL REFERENCES snapshot (id),
  object BYTEA NOT NULL CHECK (length(object) = 16),
  PRIMARY KEY (snapshot, object)
);

CREATE INDEX snapshot_of_object ON snapshot_object (object);
