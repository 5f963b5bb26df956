-- Addresses under which people's calendars fetch their dates. Each reads dates and nothing else.
CREATE TABLE calendar_feeds (
  id         BLOB PRIMARY KEY CHECK (length(id) = 8),
  staff      TEXT NOT NULL REFERENCES staff (id),
  -- SHA-256 of 32 random bytes; the address itself is never stored.
  hash       BLOB NOT NULL CHECK (length(hash) = 32),
  created_at INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT, WITHOUT ROWID;
