-- Cases, what was received, what was sent, and the people who work on them. Times are microseconds since 1970, UTC.

CREATE TABLE cases (
  id          BYTEA PRIMARY KEY CHECK (length(id) = 16),
  opened_at   BIGINT NOT NULL,
  -- HMAC of the demand's bytes: the same bytes are one case. Gone once the case is erased.
  demand_name BYTEA UNIQUE CHECK (demand_name IS NULL OR length(demand_name) = 32),
  -- The case key under the case root. NULL: erased, and with it every sealed part.
  wrapped_key BYTEA,
  demand      BYTEA,
  -- Number of events and hash of the last header. An append names the length it saw.
  length      BIGINT NOT NULL,
  head        BYTEA NOT NULL CHECK (length(head) = 32),
  -- What lists show without opening a body.
  stage       TEXT COLLATE "C" NOT NULL,
  closed_at   BIGINT,
  -- When something falls due by itself (a gag ends, a deadline passes).
  wake_at     BIGINT
);
CREATE INDEX cases_by_wake ON cases (wake_at) WHERE wake_at IS NOT NULL;

CREATE TABLE events (
  case_id      BYTEA NOT NULL REFERENCES cases (id),
  seq          BIGINT NOT NULL,
  header       TEXT COLLATE "C" NOT NULL,
  sealed       BYTEA NOT NULL,
  docket_entry BIGINT,
  PRIMARY KEY (case_id, seq)
);

-- Customers that were told of a case, and so may see it.
CREATE TABLE case_tenants (
  tenant  TEXT COLLATE "C" NOT NULL,
  case_id BYTEA NOT NULL REFERENCES cases (id),
  PRIMARY KEY (tenant, case_id)
);

-- One row for each release record that was put to the docket, and how far its package came.
CREATE TABLE releases (
  record       BYTEA PRIMARY KEY CHECK (length(record) = 16),
  case_id      BYTEA NOT NULL REFERENCES cases (id),
  docket_entry BIGINT NOT NULL,
  -- Set before the package takes its final name, so that a crash in between is finished and not repeated.
  digest       BYTEA CHECK (digest IS NULL OR length(digest) = 32),
  size         BIGINT,
  ended        TEXT COLLATE "C" CHECK (ended IN ('released', 'refused'))
);

-- Packages that may be fetched. The row commits together with the event that says so.
CREATE TABLE packages (
  record  BYTEA PRIMARY KEY REFERENCES releases (record),
  case_id BYTEA NOT NULL REFERENCES cases (id),
  path    TEXT COLLATE "C" NOT NULL,
  digest  BYTEA NOT NULL CHECK (length(digest) = 32),
  size    BIGINT NOT NULL,
  made_at BIGINT NOT NULL
);
CREATE INDEX packages_by_case ON packages (case_id);

-- Letters as sent, sealed under the case key; unsent ones are the outbox.
CREATE TABLE letters (
  case_id BYTEA NOT NULL REFERENCES cases (id),
  digest  BYTEA NOT NULL CHECK (length(digest) = 32),
  kind    TEXT COLLATE "C" NOT NULL,
  sealed  BYTEA NOT NULL,
  made_at BIGINT NOT NULL,
  sent_at BIGINT,
  PRIMARY KEY (case_id, digest)
);
CREATE INDEX letters_outbox ON letters (made_at) WHERE sent_at IS NULL;

CREATE TABLE staff (
  id          TEXT COLLATE "C" PRIMARY KEY,
  role        TEXT COLLATE "C" NOT NULL,
  -- For a customer's administrator, the customer.
  tenant      TEXT COLLATE "C",
  created_at  BIGINT NOT NULL,
  disabled_at BIGINT
);

CREATE TABLE tokens (
  id         BYTEA PRIMARY KEY CHECK (length(id) = 8),
  staff      TEXT COLLATE "C" NOT NULL REFERENCES staff (id),
  -- SHA-256 of 32 random bytes; the token itself is never stored.
  hash       BYTEA NOT NULL CHECK (length(hash) = 32),
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  revoked_at BIGINT
);

CREATE FUNCTION never_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% rows are never changed or removed', TG_TABLE_NAME; END $$;
CREATE TRIGGER events_are_never_changed BEFORE UPDATE OR DELETE ON events
FOR EACH ROW EXECUTE FUNCTION never_changed();
