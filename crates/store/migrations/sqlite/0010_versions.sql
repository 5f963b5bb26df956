-- Versions and locks. A version is an object of its own: its own row, its own id, its own key. Of the rows at one key
-- exactly one is `latest`, and at most one has no version id of its own (`versioned` 0: S3's version `null`). Newer
-- versions have the higher `seq`. A delete marker is a row without an account.

-- 0: versions were never kept; 1: they are; 2: they are no longer.
ALTER TABLE bucket ADD COLUMN versioning INTEGER NOT NULL DEFAULT 0;
-- 1: objects here can be locked. It never becomes 0 again.
ALTER TABLE bucket ADD COLUMN object_lock INTEGER NOT NULL DEFAULT 0;
-- The retention of an object that states none of its own: `GOVERNANCE` or `COMPLIANCE`, so many `DAYS` or `YEARS`.
ALTER TABLE bucket ADD COLUMN lock_mode TEXT;
ALTER TABLE bucket ADD COLUMN lock_length INTEGER;
ALTER TABLE bucket ADD COLUMN lock_unit TEXT;

-- What else an owner has set for a bucket, each as the service writes it.
CREATE TABLE bucket_setting (
  bucket INTEGER NOT NULL REFERENCES bucket (seq),
  name TEXT NOT NULL,
  document TEXT NOT NULL,
  PRIMARY KEY (bucket, name)
) STRICT, WITHOUT ROWID;

-- 1: whoever signs with it may shorten or pass over a retention in governance mode.
ALTER TABLE access_key ADD COLUMN bypass_governance INTEGER NOT NULL DEFAULT 0;

CREATE TABLE version (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id BLOB NOT NULL UNIQUE,
  bucket INTEGER NOT NULL REFERENCES bucket (seq),
  key BLOB NOT NULL,
  account INTEGER REFERENCES account (seq),
  region TEXT NOT NULL,
  category TEXT NOT NULL,
  concerns_at INTEGER NOT NULL,
  size INTEGER NOT NULL,
  etag TEXT NOT NULL,
  modified_at INTEGER NOT NULL,
  wrapped_key BLOB NOT NULL,
  commitment BLOB NOT NULL,
  sealed_metadata BLOB NOT NULL,
  -- 0: the body is in `inline`; else the number of rows in `part`.
  parts INTEGER NOT NULL,
  -- The upload it was completed from, so that a repeated completion gets the same answer.
  upload BLOB,
  versioned INTEGER NOT NULL DEFAULT 0,
  latest INTEGER NOT NULL DEFAULT 1,
  -- `GOVERNANCE` or `COMPLIANCE` until then; and, apart from it, a legal hold.
  lock_mode TEXT,
  lock_until INTEGER,
  legal_hold INTEGER NOT NULL DEFAULT 0
) STRICT;

INSERT INTO version (seq, id, bucket, key, account, region, category, concerns_at, size, etag, modified_at, wrapped_key,
  commitment, sealed_metadata, parts, upload)
SELECT seq, id, bucket, key, account, region, category, concerns_at, size, etag, modified_at, wrapped_key, commitment,
  sealed_metadata, parts, upload FROM object;
DROP TABLE object;
ALTER TABLE version RENAME TO object;

-- What a GET and a listing look for.
CREATE UNIQUE INDEX object_latest ON object (bucket, key) WHERE latest = 1;
CREATE UNIQUE INDEX object_null ON object (bucket, key) WHERE versioned = 0;
-- What a listing of versions looks for.
CREATE INDEX object_versions ON object (bucket, key, seq DESC);
-- What a release looks for: old versions too.
CREATE INDEX object_scope ON object (account, category, concerns_at);
-- What stands in the way of an account's destruction.
CREATE INDEX object_locked ON object (account) WHERE legal_hold = 1 OR lock_until IS NOT NULL;
