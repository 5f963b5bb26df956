-- Who waits for the whole vault (see `store::vault::writer`): others stand back for a while. Until when, in seconds since 1970 of
-- the server's own clock.
CREATE TABLE turn_wanted (
  name  TEXT COLLATE "C" PRIMARY KEY,
  until BIGINT NOT NULL
);
