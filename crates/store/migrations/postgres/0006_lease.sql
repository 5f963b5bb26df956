-- Which node does what only one may do at a time. Times are microseconds since 1970.
CREATE TABLE lease (
  name   TEXT COLLATE "C" PRIMARY KEY,
  holder BYTEA NOT NULL CHECK (length(holder) = 16),
  until  BIGINT NOT NULL
);
