-- What a list says of an object, sealed apart, so that a list opens no contents. Null for objects from before.
ALTER TABLE hi1_objects ADD COLUMN brief BYTEA;

-- Which messages brought or changed an object: they are erased with its case, whether it had one then or not.
CREATE TABLE hi1_brought (
  peer   TEXT COLLATE "C" NOT NULL,
  object BYTEA NOT NULL CHECK (length(object) = 16),
  name   BYTEA NOT NULL CHECK (length(name) = 32),
  PRIMARY KEY (peer, object, name)
);
