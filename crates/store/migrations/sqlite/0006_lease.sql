-- Which node does what only one may do at a time. Times are microseconds since 1970.
CREATE TABLE lease (
  name   TEXT PRIMARY KEY,
  holder BLOB NOT NULL CHECK (length(holder) = 16),
  until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
