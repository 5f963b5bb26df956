-- Versions and locks. A version is an object of its own: its own row, its own id, its own key. Of the rows at one key
-- exactly one is `latest`, and at most one has no version id of its own (`versioned` 0: S3's version `null`). Newer
-- versions have the higher `seq`. A delete marker is a row without an account.

-- 0: versions were never kept; 1: they are; 2: they are no longer.
ALTER TABLE bucket ADD COLUMN versioning BIGINT NOT NULL DEFAULT 0;
-- 1: objects here can be locked. It never becomes 0 again.
ALTER TABLE bucket ADD COLUMN object_lock BIGINT NOT NULL DEFAULT 0;
-- The retention of an object that states none of its own: `GOVERNANCE` or `COMPLIANCE`, so many `DAYS` or `YEARS`.
ALTER TABLE bucket ADD COLUMN lock_mode TEXT COLLATE "C";
ALTER TABLE bucket ADD COLUMN lock_length BIGINT;
ALTER TABLE bucket ADD COLUMN lock_unit TEXT COLLATE "C";

-- What else an owner has set for a bucket, each as the service writes it.
CREATE TABLE bucket_setting (
  bucket BIGINT NOT NULL REFERENCES bucket (seq),
  name TEXT COLLATE "C" NOT NULL,
  document TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (bucket, name)
);

-- 1: whoever signs with it may shorten or pass over a retention in governance mode.
ALTER TABLE access_key ADD COLUMN bypass_governance BIGINT NOT NULL DEFAULT 0;

ALTER TABLE object ALTER COLUMN account DROP NOT NULL;
ALTER TABLE object ADD COLUMN versioned BIGINT NOT NULL DEFAULT 0;
ALTER TABLE object ADD COLUMN latest BIGINT NOT NULL DEFAULT 1;
-- `GOVERNANCE` or `COMPLIANCE` until then; and, apart from it, a legal hold.
ALTER TABLE object ADD COLUMN lock_mode TEXT COLLATE "C";
ALTER TABLE object ADD COLUMN lock_until BIGINT;
ALTER TABLE object ADD COLUMN legal_hold BIGINT NOT NULL DEFAULT 0;
ALTER TABLE object DROP CONSTRAINT object_bucket_key_key;

-- What a GET and a listing look for.
CREATE UNIQUE INDEX object_latest ON object (bucket, key) WHERE latest = 1;
CREATE UNIQUE INDEX object_null ON object (bucket, key) WHERE versioned = 0;
-- What a listing of versions looks for.
CREATE INDEX object_versions ON object (bucket, key, seq DESC);
-- What stands in the way of an account's destruction.
CREATE INDEX object_locked ON object (account) WHERE legal_hold = 1 OR lock_until IS NOT NULL;
