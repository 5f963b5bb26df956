-- Keys have versions, so that a rotation can stop and go on: what is wrapped names the version that wraps it, and an old one
-- stays until nothing names it.

ALTER TABLE tenant_key ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE tenant_key DROP CONSTRAINT tenant_key_pkey;
ALTER TABLE tenant_key ADD PRIMARY KEY (tenant, region, version);

ALTER TABLE account_key ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
-- The version of the tenant's key that wraps it.
ALTER TABLE account_key ADD COLUMN above BIGINT NOT NULL DEFAULT 1;
ALTER TABLE account_key DROP CONSTRAINT account_key_pkey;
ALTER TABLE account_key ADD PRIMARY KEY (account, region, version);

-- The version of the account's key that wraps the object's.
ALTER TABLE object ADD COLUMN key_version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE upload ADD COLUMN key_version BIGINT NOT NULL DEFAULT 1;

-- Who is to hold the tenant's keys beside the regions' roots, and whether that is the customer itself.
ALTER TABLE tenant ADD COLUMN holder TEXT COLLATE "C";
ALTER TABLE tenant ADD COLUMN holds_keys BIGINT;
