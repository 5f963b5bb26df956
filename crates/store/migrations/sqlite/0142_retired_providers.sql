-- Key providers whose key was destroyed for good, or is about to be: nothing is wrapped under it any more, and nothing will be.
CREATE TABLE retired_provider (
  provider   TEXT PRIMARY KEY,
  -- Microseconds since 1970, UTC.
  retired_at INTEGER NOT NULL,
  -- The statement about its destruction, canonical JSON, once the provider answered; the docket commits to it.
  statement  BLOB
) STRICT, WITHOUT ROWID;
CREATE TRIGGER retired_provider_statement_stays BEFORE UPDATE ON retired_provider
WHEN OLD.statement IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a statement about a destruction is never changed'); END;
CREATE TRIGGER retired_provider_stays BEFORE DELETE ON retired_provider
WHEN OLD.statement IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a destroyed provider stays retired'); END;
