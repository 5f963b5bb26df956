-- Transfers to and from the regions of other nodes. What is on its way is frozen on both: nobody stores, changes or removes
-- it, whatever the way, until the one node has it and the other does not.

-- What is frozen: a bucket, or an account; the other is 0.
CREATE TABLE transfer_frozen (
  transfer BLOB NOT NULL CHECK (length(transfer) = 16),
  bucket INTEGER NOT NULL,
  account INTEGER NOT NULL,
  PRIMARY KEY (transfer, bucket, account)
) STRICT, WITHOUT ROWID;

-- A transfer that leaves this node. 0: the other node was told of it; 1: frozen here; 2: the other node was asked to show what it has; 3: it does, and what is
-- here goes; 4: given up, and the other node is to be told; 5: over.
CREATE TABLE departure (
  transfer BLOB PRIMARY KEY CHECK (length(transfer) = 16),
  stage INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The sign that a departed object leaves behind: where to look for it.
CREATE TABLE departed (
  bucket INTEGER NOT NULL,
  key BLOB NOT NULL,
  region TEXT NOT NULL,
  transfer BLOB NOT NULL,
  PRIMARY KEY (bucket, key)
) STRICT, WITHOUT ROWID;

-- A transfer that comes to this node, from the node of that name, on that record. 1: it is coming, and nobody sees it; 2: it
-- is here, and frozen; 3: over; 4: given up.
CREATE TABLE arrival (
  transfer BLOB PRIMARY KEY CHECK (length(transfer) = 16),
  node TEXT NOT NULL,
  record TEXT NOT NULL,
  stage INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Pieces of bodies that were read back here.
CREATE TABLE arrival_part (
  transfer BLOB NOT NULL,
  object BLOB NOT NULL,
  number INTEGER NOT NULL,
  blob BLOB NOT NULL UNIQUE,
  length INTEGER NOT NULL,
  digest BLOB NOT NULL CHECK (length(digest) = 32),
  PRIMARY KEY (transfer, object, number)
) STRICT, WITHOUT ROWID;

-- Objects that are coming, as they will stand in `object`, in the order of `position`.
CREATE TABLE arrival_object (
  transfer BLOB NOT NULL,
  id BLOB NOT NULL,
  position INTEGER NOT NULL,
  -- SHA-256 of the object as the other node told it.
  told BLOB NOT NULL CHECK (length(told) = 32),
  bucket INTEGER NOT NULL,
  key BLOB NOT NULL,
  account INTEGER,
  region TEXT NOT NULL,
  category TEXT NOT NULL,
  concerns_at INTEGER NOT NULL,
  size INTEGER NOT NULL,
  etag TEXT NOT NULL,
  modified_at INTEGER NOT NULL,
  wrapped_key BLOB NOT NULL,
  key_version INTEGER NOT NULL,
  commitment BLOB NOT NULL,
  sealed_metadata BLOB NOT NULL,
  parts INTEGER NOT NULL,
  upload BLOB,
  versioned INTEGER NOT NULL,
  latest INTEGER NOT NULL,
  lock_mode TEXT,
  lock_until INTEGER,
  legal_hold INTEGER NOT NULL,
  body BLOB,
  body_digest BLOB,
  PRIMARY KEY (transfer, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE arrival_object_part (
  transfer BLOB NOT NULL,
  object BLOB NOT NULL,
  number INTEGER NOT NULL,
  size INTEGER NOT NULL,
  etag TEXT NOT NULL,
  modified_at INTEGER NOT NULL,
  sealed_metadata BLOB NOT NULL,
  PRIMARY KEY (transfer, object, number)
) STRICT, WITHOUT ROWID;

-- An account's keys hold for its markers and for what others store at its keys, too.
CREATE TRIGGER object_frozen_insert BEFORE INSERT ON object
WHEN EXISTS (SELECT 1 FROM transfer_frozen f WHERE f.bucket = NEW.bucket OR f.account = NEW.account
  OR EXISTS (SELECT 1 FROM object o WHERE o.bucket = NEW.bucket AND o.key = NEW.key AND o.account = f.account))
BEGIN SELECT RAISE(ABORT, 'frozen for a transfer'); END;
-- Keys may be wrapped anew meanwhile.
CREATE TRIGGER object_frozen_update BEFORE UPDATE OF bucket, key, account, region, category, concerns_at, sealed_metadata,
  latest, versioned, lock_mode, lock_until, legal_hold ON object
WHEN EXISTS (SELECT 1 FROM transfer_frozen f WHERE f.bucket = OLD.bucket OR f.account = OLD.account
  OR EXISTS (SELECT 1 FROM object o WHERE o.bucket = OLD.bucket AND o.key = OLD.key AND o.account = f.account))
BEGIN SELECT RAISE(ABORT, 'frozen for a transfer'); END;
CREATE TRIGGER object_frozen_delete BEFORE DELETE ON object
WHEN EXISTS (SELECT 1 FROM transfer_frozen f WHERE f.bucket = OLD.bucket OR f.account = OLD.account
  OR EXISTS (SELECT 1 FROM object o WHERE o.bucket = OLD.bucket AND o.key = OLD.key AND o.account = f.account))
BEGIN SELECT RAISE(ABORT, 'frozen for a transfer'); END;
CREATE TRIGGER upload_frozen_insert BEFORE INSERT ON upload
WHEN EXISTS (SELECT 1 FROM transfer_frozen f WHERE f.bucket = NEW.bucket OR f.account = NEW.account)
BEGIN SELECT RAISE(ABORT, 'frozen for a transfer'); END;
CREATE TRIGGER snapshot_frozen_insert BEFORE INSERT ON snapshot_object
WHEN EXISTS (SELECT 1 FROM object o JOIN transfer_frozen f ON f.bucket = o.bucket OR f.account = o.account
  WHERE o.id = NEW.object)
BEGIN SELECT RAISE(ABORT, 'frozen for a transfer'); END;
CREATE TRIGGER copy_frozen_insert BEFORE INSERT ON object_copy
WHEN EXISTS (SELECT 1 FROM object o JOIN transfer_frozen f ON f.bucket = o.bucket OR f.account = o.account
  WHERE o.id = NEW.object)
BEGIN SELECT RAISE(ABORT, 'frozen for a transfer'); END;
CREATE TRIGGER account_frozen_update BEFORE UPDATE ON account
WHEN EXISTS (SELECT 1 FROM transfer_frozen f WHERE f.account = OLD.seq
  OR EXISTS (SELECT 1 FROM object o WHERE o.account = OLD.seq AND o.bucket = f.bucket))
BEGIN SELECT RAISE(ABORT, 'frozen for a transfer'); END;
CREATE TRIGGER bucket_frozen_update BEFORE UPDATE ON bucket
WHEN EXISTS (SELECT 1 FROM transfer_frozen f WHERE f.bucket = OLD.seq)
BEGIN SELECT RAISE(ABORT, 'frozen for a transfer'); END;
CREATE TRIGGER bucket_frozen_delete BEFORE DELETE ON bucket
WHEN EXISTS (SELECT 1 FROM transfer_frozen f WHERE f.bucket = OLD.seq)
BEGIN SELECT RAISE(ABORT, 'frozen for a transfer'); END;
CREATE TRIGGER setting_frozen_insert BEFORE INSERT ON bucket_setting
WHEN EXISTS (SELECT 1 FROM transfer_frozen f WHERE f.bucket = NEW.bucket)
BEGIN SELECT RAISE(ABORT, 'frozen for a transfer'); END;
CREATE TRIGGER setting_frozen_update BEFORE UPDATE ON bucket_setting
WHEN EXISTS (SELECT 1 FROM transfer_frozen f WHERE f.bucket = OLD.bucket)
BEGIN SELECT RAISE(ABORT, 'frozen for a transfer'); END;
CREATE TRIGGER setting_frozen_delete BEFORE DELETE ON bucket_setting
WHEN EXISTS (SELECT 1 FROM transfer_frozen f WHERE f.bucket = OLD.bucket)
BEGIN SELECT RAISE(ABORT, 'frozen for a transfer'); END;
