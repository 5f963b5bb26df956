-- Sets of heads of the access ledgers, each with the docket's entry that commits to it. Times are microseconds since 1970, UTC.
CREATE TABLE docket_heads (
  position INTEGER PRIMARY KEY CHECK (position >= 0),
  first    INTEGER NOT NULL CHECK (first >= 0 AND first <= position),
  at       INTEGER NOT NULL,
  -- What hides every head from those that it is not of.
  seed     BLOB NOT NULL CHECK (length(seed) = 32),
  salt     BLOB NOT NULL CHECK (length(salt) = 32)
) STRICT;
CREATE TRIGGER docket_heads_stay_as_they_are BEFORE UPDATE ON docket_heads
BEGIN SELECT RAISE(ABORT, 'a set of heads is never changed'); END;
CREATE TRIGGER docket_heads_stay BEFORE DELETE ON docket_heads
BEGIN SELECT RAISE(ABORT, 'a set of heads is never removed'); END;

CREATE TABLE docket_head (
  position INTEGER NOT NULL,
  tenant   TEXT NOT NULL,
  since    INTEGER NOT NULL,
  length   INTEGER NOT NULL CHECK (length >= 0),
  head     BLOB NOT NULL CHECK (length(head) = 32),
  PRIMARY KEY (position, tenant)
) STRICT, WITHOUT ROWID;
CREATE INDEX docket_head_by_tenant ON docket_head (tenant, position);
CREATE TRIGGER docket_head_stays_as_it_is BEFORE UPDATE ON docket_head
BEGIN SELECT RAISE(ABORT, 'a head is never changed'); END;
CREATE TRIGGER docket_head_stays BEFORE DELETE ON docket_head
BEGIN SELECT RAISE(ABORT, 'a head is never removed'); END;
