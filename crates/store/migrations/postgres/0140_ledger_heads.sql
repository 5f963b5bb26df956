-- Sets of heads of the access ledgers, each with the docket's entry that commits to it. Times are microseconds since 1970, UTC.
CREATE TABLE docket_heads (
  position BIGINT PRIMARY KEY CHECK (position >= 0),
  first    BIGINT NOT NULL CHECK (first >= 0 AND first <= position),
  at       BIGINT NOT NULL,
  -- What hides every head from those that it is not of.
  seed     BYTEA NOT NULL CHECK (length(seed) = 32),
  salt     BYTEA NOT NULL CHECK (length(salt) = 32)
);
CREATE TRIGGER docket_heads_stay_as_they_are BEFORE UPDATE OR DELETE ON docket_heads
FOR EACH ROW EXECUTE FUNCTION never_changed();

CREATE TABLE docket_head (
  position BIGINT NOT NULL,
  tenant   TEXT COLLATE "C" NOT NULL,
  since    BIGINT NOT NULL,
  length   BIGINT NOT NULL CHECK (length >= 0),
  head     BYTEA NOT NULL CHECK (length(head) = 32),
  PRIMARY KEY (position, tenant)
);
CREATE INDEX docket_head_by_tenant ON docket_head (tenant, position);
CREATE TRIGGER docket_head_stays_as_it_is BEFORE UPDATE OR DELETE ON docket_head
FOR EACH ROW EXECUTE FUNCTION never_changed();
