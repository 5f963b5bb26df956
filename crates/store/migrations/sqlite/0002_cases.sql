-- Cases, what was received, what was sent, and the people who work on them. Times are microseconds since 1970, UTC.

CREATE TABLE cases (
  id          BLOB PRIMARY KEY CHECK (length(id) = 16),
  opened_at   INTEGER NOT NULL,
  -- HMAC of the demand's bytes: the same bytes are one case. Gone once the case is erased.
  demand_name BLOB UNIQUE CHECK (demand_name IS NULL OR length(demand_name) = 32),
  -- The case key under the case root. NULL: erased, and with it every sealed part.
  wrapped_key BLOB,
  demand      BLOB,
  -- Number of events and hash of the last header. An append names the length it saw.
  length      INTEGER NOT NULL,
  head        BLOB NOT NULL CHECK (length(head) = 32),
  -- What lists show without opening a body.
  stage       TEXT NOT NULL,
  closed_at   INTEGER,
  -- When something falls due by itself (a gag ends, a deadline passes).
  wake_at     INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX cases_by_wake ON cases (wake_at) WHERE wake_at IS NOT NULL;

CREATE TABLE events (
  case_id      BLOB NOT NULL REFERENCES cases (id),
  seq          INTEGER NOT NULL,
  header       TEXT NOT NULL,
  sealed       BLOB NOT NULL,
  docket_entry INTEGER,
  PRIMARY KEY (case_id, seq)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
CREATE TRIGGER events_are_never_removed BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are never removed'); END;

-- Customers that were told of a case, and so may see it.
CREATE TABLE case_tenants (
  tenant  TEXT NOT NULL,
  case_id BLOB NOT NULL REFERENCES cases (id),
  PRIMARY KEY (tenant, case_id)
) STRICT, WITHOUT ROWID;

-- One row for each release record that was put to the docket, and how far its package came.
CREATE TABLE releases (
  record       BLOB PRIMARY KEY CHECK (length(record) = 16),
  case_id      BLOB NOT NULL REFERENCES cases (id),
  docket_entry INTEGER NOT NULL,
  -- Set before the package takes its final name, so that a crash in between is finished and not repeated.
  digest       BLOB CHECK (digest IS NULL OR length(digest) = 32),
  size         INTEGER,
  ended        TEXT CHECK (ended IN ('released', 'refused'))
) STRICT, WITHOUT ROWID;

-- Packages that may be fetched. The row commits together with the event that says so.
CREATE TABLE packages (
  record  BLOB PRIMARY KEY REFERENCES releases (record),
  case_id BLOB NOT NULL REFERENCES cases (id),
  path    TEXT NOT NULL,
  digest  BLOB NOT NULL CHECK (length(digest) = 32),
  size    INTEGER NOT NULL,
  made_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX packages_by_case ON packages (case_id);

-- Letters as sent, sealed under the case key; unsent ones are the outbox.
CREATE TABLE letters (
  case_id BLOB NOT NULL REFERENCES cases (id),
  digest  BLOB NOT NULL CHECK (length(digest) = 32),
  kind    TEXT NOT NULL,
  sealed  BLOB NOT NULL,
  made_at INTEGER NOT NULL,
  sent_at INTEGER,
  PRIMARY KEY (case_id, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX letters_outbox ON letters (made_at) WHERE sent_at IS NULL;

CREATE TABLE staff (
  id          TEXT PRIMARY KEY,
  role        TEXT NOT NULL,
  -- For a customer's administrator, the customer.
  tenant      TEXT,
  created_at  INTEGER NOT NULL,
  disabled_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
  id         BLOB PRIMARY KEY CHECK (length(id) = 8),
  staff      TEXT NOT NULL REFERENCES staff (id),
  -- SHA-256 of 32 random bytes; the token itself is never stored.
  hash       BLOB NOT NULL CHECK (length(hash) = 32),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT, WITHOUT ROWID;
