-- Copies of objects in other regions than the one in which an object lies, each made by a transfer. The ciphertext is the
-- object's own; its key is wrapped here under the account's key of that region. A copy ends with its object.

CREATE TABLE object_copy (
  object BLOB NOT NULL,
  region TEXT NOT NULL REFERENCES region (id),
  account INTEGER NOT NULL REFERENCES account (seq),
  wrapped_key BLOB NOT NULL,
  -- The version of the account's key there that wraps it.
  key_version INTEGER NOT NULL,
  -- The transfer whose basis it hangs on.
  transfer BLOB NOT NULL,
  size INTEGER NOT NULL,
  PRIMARY KEY (object, region)
) STRICT, WITHOUT ROWID;

-- What a release looks for, and a rotation.
CREATE INDEX object_copy_account ON object_copy (account, region, object);
-- What a transfer counts, and takes back.
CREATE INDEX object_copy_transfer ON object_copy (transfer, object);

-- Where the pieces of a copy lie; what they are stands with the object's own.
CREATE TABLE object_copy_part (
  object BLOB NOT NULL,
  region TEXT NOT NULL,
  number INTEGER NOT NULL,
  blob BLOB NOT NULL UNIQUE,
  PRIMARY KEY (object, region, number)
) STRICT, WITHOUT ROWID;

-- Transfers whose copies were given up: none of them makes another, and how much was deleted.
CREATE TABLE copies_withdrawn (
  transfer BLOB PRIMARY KEY,
  objects INTEGER NOT NULL,
  bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
