-- The highest number that a key of an account in a region had when all its keys there were forgotten, for a transfer moved
-- what they opened. A key that is made there later gets a higher one: what was wrapped under a forgotten key, and is recorded
-- only afterwards, names a number that is never again another key's.
CREATE TABLE account_key_forgotten (
  account INTEGER NOT NULL REFERENCES account (seq),
  region TEXT NOT NULL REFERENCES region (id),
  version INTEGER NOT NULL,
  PRIMARY KEY (account, region)
) STRICT, WITHOUT ROWID;
