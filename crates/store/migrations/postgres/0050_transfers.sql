-- Transfers between regions: their chains, sealed like those of cases, and what the mover has done so far.

CREATE TABLE transfers (
  id BYTEA PRIMARY KEY,
  opened_at BIGINT NOT NULL,
  stage TEXT COLLATE "C" NOT NULL,
  length BIGINT NOT NULL,
  head BYTEA NOT NULL,
  wrapped_key BYTEA NOT NULL
);

CREATE TABLE transfer_events (
  transfer BYTEA NOT NULL REFERENCES transfers (id),
  seq BIGINT NOT NULL,
  header TEXT COLLATE "C" NOT NULL,
  sealed BYTEA NOT NULL,
  docket_entry BIGINT,
  PRIMARY KEY (transfer, seq)
);

-- The docket's queue entry of each record.
CREATE TABLE transfer_records (
  record BYTEA PRIMARY KEY,
  transfer BYTEA NOT NULL REFERENCES transfers (id),
  docket_entry BIGINT NOT NULL
);

-- Copies of pieces of bodies. `copied`: the new one was written, read back and found equal. `moved`: the object's row names
-- the new one, and the old one waits to be removed.
CREATE TABLE transfer_part (
  transfer BYTEA NOT NULL,
  object BYTEA NOT NULL,
  number BIGINT NOT NULL,
  old_blob BYTEA NOT NULL,
  new_blob BYTEA NOT NULL,
  copied BIGINT NOT NULL,
  moved BIGINT NOT NULL,
  PRIMARY KEY (transfer, object, number)
);

CREATE INDEX transfer_part_old ON transfer_part (old_blob);
CREATE INDEX transfer_part_new ON transfer_part (new_blob);

-- Objects moved: for progress, and for the keys that they leave behind.
CREATE TABLE transfer_object (
  transfer BYTEA NOT NULL,
  object BYTEA NOT NULL,
  account BIGINT NOT NULL,
  size BIGINT NOT NULL,
  PRIMARY KEY (transfer, object)
);
