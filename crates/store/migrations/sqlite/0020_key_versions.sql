-- Keys have versions, so that a rotation can stop and go on: what is wrapped names the version that wraps it, and an old one
-- stays until nothing names it.

CREATE TABLE tenant_key_version (
  tenant TEXT NOT NULL REFERENCES tenant (id),
  region TEXT NOT NULL REFERENCES region (id),
  version INTEGER NOT NULL DEFAULT 1,
  wrapped BLOB NOT NULL,
  PRIMARY KEY (tenant, region, version)
) STRICT, WITHOUT ROWID;
INSERT INTO tenant_key_version (tenant, region, wrapped) SELECT tenant, region, wrapped FROM tenant_key;
DROP TABLE tenant_key;
ALTER TABLE tenant_key_version RENAME TO tenant_key;

CREATE TABLE account_key_version (
  account INTEGER NOT NULL REFERENCES account (seq),
  region TEXT NOT NULL REFERENCES region (id),
  version INTEGER NOT NULL DEFAULT 1,
  -- The version of the tenant's key that wraps it.
  above INTEGER NOT NULL DEFAULT 1,
  wrapped BLOB NOT NULL,
  PRIMARY KEY (account, region, version)
) STRICT, WITHOUT ROWID;
INSERT INTO account_key_version (account, region, wrapped) SELECT account, region, wrapped FROM account_key;
DROP TABLE account_key;
ALTER TABLE account_key_version RENAME TO account_key;

-- The version of the account's key that wraps the object's.
ALTER TABLE object ADD COLUMN key_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE upload ADD COLUMN key_version INTEGER NOT NULL DEFAULT 1;

-- Who is to hold the tenant's keys beside the regions' roots, and whether that is the customer itself.
ALTER TABLE tenant ADD COLUMN holder TEXT;
ALTER TABLE tenant ADD COLUMN holds_keys INTEGER;
