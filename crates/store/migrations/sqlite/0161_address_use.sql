-- Which account used an internet address, when, and by which source ports where many share it: how a demand that names an
-- address at a moment leads to an account. Times are microseconds since 1970.
CREATE TABLE address_use (
  account INTEGER NOT NULL REFERENCES account (seq),
  address TEXT NOT NULL,
  -- First and last port; 0 and 65535 where the address was the account's alone.
  port_from INTEGER NOT NULL,
  port_until INTEGER NOT NULL,
  from_at INTEGER NOT NULL,
  until_at INTEGER NOT NULL,
  PRIMARY KEY (address, from_at, account, port_from)
) STRICT, WITHOUT ROWID;
