-- Who may ask: authorities, what shows who they are, numbers to call them back on, and their officers.

CREATE TABLE authorities (
  id       TEXT PRIMARY KEY,
  name     TEXT NOT NULL,
  country  TEXT NOT NULL,
  kind     TEXT NOT NULL,
  added_at INTEGER NOT NULL,
  added_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- `domain`: a mail domain. `number`: a telephone number, digits alone. `evidence`: what shows who they are.
CREATE TABLE authority_facts (
  authority TEXT NOT NULL REFERENCES authorities (id),
  kind      TEXT NOT NULL CHECK (kind IN ('domain', 'number', 'evidence')),
  value     TEXT NOT NULL,
  -- Where it was found. Never the message that it is to confirm.
  source    TEXT NOT NULL,
  added_at  INTEGER NOT NULL,
  added_by  TEXT NOT NULL,
  PRIMARY KEY (authority, kind, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX authority_facts_by_value ON authority_facts (kind, value);

CREATE TABLE officers (
  address      TEXT PRIMARY KEY,
  authority    TEXT REFERENCES authorities (id),
  name         TEXT NOT NULL,
  added_at     INTEGER NOT NULL,
  added_by     TEXT NOT NULL,
  -- Since when nothing of theirs is worked on, and why.
  suspended_at INTEGER,
  reason       TEXT
) STRICT, WITHOUT ROWID;

-- Which cases came from which address: SHA-256 of it, so that addresses of strangers are not listed here.
CREATE TABLE sender_cases (
  sender  BLOB NOT NULL CHECK (length(sender) = 32),
  case_id BLOB NOT NULL CHECK (length(case_id) = 16),
  PRIMARY KEY (sender, case_id)
) STRICT, WITHOUT ROWID;
