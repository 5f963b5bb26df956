-- The vault: who may store, where, and what is stored. Bodies, user metadata, tags, checksums and digests are sealed
-- under the object's own key; names, sizes and times are metadata and stand in clear. Times are microseconds since 1970.

CREATE TABLE region (
  id TEXT PRIMARY KEY,
  country TEXT NOT NULL
) STRICT;

CREATE TABLE tenant (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  country TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE tenant_key (
  tenant TEXT NOT NULL REFERENCES tenant (id),
  region TEXT NOT NULL REFERENCES region (id),
  wrapped BLOB NOT NULL,
  PRIMARY KEY (tenant, region)
) STRICT, WITHOUT ROWID;

CREATE TABLE access_key (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL REFERENCES tenant (id),
  sealed_secret BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  disabled_at INTEGER
) STRICT;

CREATE TABLE account (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant TEXT NOT NULL REFERENCES tenant (id),
  id TEXT NOT NULL,
  person_country TEXT,
  us_person INTEGER,
  privileged INTEGER,
  created_at INTEGER NOT NULL,
  destroyed_at INTEGER,
  UNIQUE (id, tenant)
) STRICT;

-- Other identifiers by which a demand may name an account: addresses, telephone numbers. Lower case.
CREATE TABLE alias (
  alias TEXT NOT NULL,
  account INTEGER NOT NULL REFERENCES account (seq),
  PRIMARY KEY (alias, account)
) STRICT, WITHOUT ROWID;

CREATE TABLE account_key (
  account INTEGER NOT NULL REFERENCES account (seq),
  region TEXT NOT NULL REFERENCES region (id),
  wrapped BLOB NOT NULL,
  PRIMARY KEY (account, region)
) STRICT, WITHOUT ROWID;

CREATE TABLE bucket (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant TEXT NOT NULL REFERENCES tenant (id),
  name TEXT NOT NULL,
  region TEXT NOT NULL REFERENCES region (id),
  default_account TEXT NOT NULL,
  mapping TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (tenant, name)
) STRICT;

-- `key` is a BLOB so that it sorts by its bytes, as S3 lists.
CREATE TABLE object (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id BLOB NOT NULL UNIQUE,
  bucket INTEGER NOT NULL REFERENCES bucket (seq),
  key BLOB NOT NULL,
  account INTEGER NOT NULL REFERENCES account (seq),
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
  UNIQUE (bucket, key)
) STRICT;

-- What a release looks for.
CREATE INDEX object_scope ON object (account, category, concerns_at);

-- Sealed bodies that are small enough to commit with their row.
CREATE TABLE inline (
  object INTEGER PRIMARY KEY,
  body BLOB NOT NULL
) STRICT;

-- Pieces of a body in the blob store; number 0 for a body stored in one piece. `object` is the object's id, which an
-- upload has before there is an object.
CREATE TABLE part (
  object BLOB NOT NULL,
  number INTEGER NOT NULL,
  blob BLOB NOT NULL UNIQUE,
  size INTEGER NOT NULL,
  etag TEXT NOT NULL,
  modified_at INTEGER NOT NULL,
  sealed_metadata BLOB NOT NULL,
  PRIMARY KEY (object, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE upload (
  id BLOB PRIMARY KEY,
  object BLOB NOT NULL UNIQUE,
  bucket INTEGER NOT NULL REFERENCES bucket (seq),
  key BLOB NOT NULL,
  account INTEGER NOT NULL REFERENCES account (seq),
  region TEXT NOT NULL,
  category TEXT NOT NULL,
  concerns_at INTEGER NOT NULL,
  wrapped_key BLOB NOT NULL,
  checksum TEXT,
  sealed_metadata BLOB NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX upload_key ON upload (bucket, key, id);
