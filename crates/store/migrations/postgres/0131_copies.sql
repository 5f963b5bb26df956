-- Copies of objects in other regions than the one in which an object lies, each made by a transfer. The ciphertext is the
-- object's own; its key is wrapped here under the account's key of that region. A copy ends with its object.

CREATE TABLE object_copy (
  object BYTEA NOT NULL,
  region TEXT COLLATE "C" NOT NULL REFERENCES region (id),
  account BIGINT NOT NULL REFERENCES account (seq),
  wrapped_key BYTEA NOT NULL,
  -- The version of the account's key there that wraps it.
  key_version BIGINT NOT NULL,
  -- The transfer whose basis it hangs on.
  transfer BYTEA NOT NULL,
  size BIGINT NOT NULL,
  PRIMARY KEY (object, region)
);

-- What a release looks for, and a rotation.
CREATE INDEX object_copy_account ON object_copy (account, region, object);
-- What a transfer counts, and takes back.
CREATE INDEX object_copy_transfer ON object_copy (transfer, object);

-- Where the pieces of a copy lie; what they are stands with the object's own.
CREATE TABLE object_copy_part (
  object BYTEA NOT NULL,
  region TEXT COLLATE "C" NOT NULL,
  number BIGINT NOT NULL,
  blob BYTEA NOT NULL UNIQUE,
  PRIMARY KEY (object, region, number)
);

-- Transfers whose copies were given up: none of them makes another, and how much was deleted.
CREATE TABLE copies_withdrawn (
  transfer BYTEA PRIMARY KEY,
  objects BIGINT NOT NULL,
  bytes BIGINT NOT NULL
);
