-- The highest number that a key of an account in a region had when all its keys there were forgotten, for a transfer moved
-- what they opened. A key that is made there later gets a higher one: what was wrapped under a forgotten key, and is recorded
-- only afterwards, names a number that is never again another key's.
CREATE TABLE account_key_forgotten (
  account BIGINT NOT NULL REFERENCES account (seq),
  region TEXT COLLATE "C" NOT NULL REFERENCES region (id),
  version BIGINT NOT NULL,
  PRIMARY KEY (account, region)
);
