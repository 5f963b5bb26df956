-- Transfers between regions: their chains, sealed like those of cases, and what the mover has done so far.

CREATE TABLE transfers (
  id BLOB PRIMARY KEY,
  opened_at INTEGER NOT NULL,
  stage TEXT NOT NULL,
  length INTEGER NOT NULL,
  head BLOB NOT NULL,
  wrapped_key BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE transfer_events (
  transfer BLOB NOT NULL REFERENCES transfers (id),
  seq INTEGER NOT NULL,
  header TEXT NOT NULL,
  sealed BLOB NOT NULL,
  docket_entry INTEGER,
  PRIMARY KEY (transfer, seq)
) STRICT, WITHOUT ROWID;

-- The docket's queue entry of each record.
CREATE TABLE transfer_records (
  record BLOB PRIMARY KEY,
  transfer BLOB NOT NULL REFERENCES transfers (id),
  docket_entry INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Copies of pieces of bodies. `copied`: the new one was written, read back and found equal. `moved`: the object's row names
-- the new one, and the old one waits to be removed.
CREATE TABLE transfer_part (
  transfer BLOB NOT NULL,
  object BLOB NOT NULL,
  number INTEGER NOT NULL,
  old_blob BLOB NOT NULL,
  new_blob BLOB NOT NULL,
  copied INTEGER NOT NULL,
  moved INTEGER NOT NULL,
  PRIMARY KEY (transfer, object, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX transfer_part_old ON transfer_part (old_blob);
CREATE INDEX transfer_part_new ON transfer_part (new_blob);

-- Objects moved: for progress, and for the keys that they leave behind.
CREATE TABLE transfer_object (
  transfer BLOB NOT NULL,
  object BLOB NOT NULL,
  account INTEGER NOT NULL,
  size INTEGER NOT NULL,
  PRIMARY KEY (transfer, object)
) STRICT, WITHOUT ROWID;
