-- SHA-256 of sealed bodies as they lie in their store, so that what was lost or altered there is found without opening it.
-- Null for what was stored before. No column of a sealed body's length is needed: it follows from the size.

ALTER TABLE part ADD COLUMN sealed_digest BLOB CHECK (sealed_digest IS NULL OR length(sealed_digest) = 32);
ALTER TABLE inline ADD COLUMN digest BLOB CHECK (digest IS NULL OR length(digest) = 32);
