-- Addresses under which people's calendars fetch their dates. Each reads dates and nothing else.
CREATE TABLE calendar_feeds (
  id         BYTEA PRIMARY KEY CHECK (length(id) = 8),
  staff      TEXT NOT NULL REFERENCES staff (id),
  -- SHA-256 of 32 random bytes; the address itself is never stored.
  hash       BYTEA NOT NULL CHECK (length(hash) = 32),
  created_at BIGINT NOT NULL,
  revoked_at BIGINT
);
