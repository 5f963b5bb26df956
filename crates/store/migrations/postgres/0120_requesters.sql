-- Who may ask: authorities, what shows who they are, numbers to call them back on, and their officers.

CREATE TABLE authorities (
  id       TEXT COLLATE "C" PRIMARY KEY,
  name     TEXT COLLATE "C" NOT NULL,
  country  TEXT COLLATE "C" NOT NULL,
  kind     TEXT COLLATE "C" NOT NULL,
  added_at BIGINT NOT NULL,
  added_by TEXT COLLATE "C" NOT NULL
);

-- `domain`: a mail domain. `number`: a telephone number, digits alone. `evidence`: what shows who they are.
CREATE TABLE authority_facts (
  authority TEXT COLLATE "C" NOT NULL REFERENCES authorities (id),
  kind      TEXT COLLATE "C" NOT NULL CHECK (kind IN ('domain', 'number', 'evidence')),
  value     TEXT COLLATE "C" NOT NULL,
  -- Where it was found. Never the message that it is to confirm.
  source    TEXT COLLATE "C" NOT NULL,
  added_at  BIGINT NOT NULL,
  added_by  TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (authority, kind, value)
);
CREATE INDEX authority_facts_by_value ON authority_facts (kind, value);

CREATE TABLE officers (
  address      TEXT COLLATE "C" PRIMARY KEY,
  authority    TEXT COLLATE "C" REFERENCES authorities (id),
  name         TEXT COLLATE "C" NOT NULL,
  added_at     BIGINT NOT NULL,
  added_by     TEXT COLLATE "C" NOT NULL,
  -- Since when nothing of theirs is worked on, and why.
  suspended_at BIGINT,
  reason       TEXT COLLATE "C"
);

-- Which cases came from which address: SHA-256 of it, so that addresses of strangers are not listed here.
CREATE TABLE sender_cases (
  sender  BYTEA NOT NULL,
  case_id BYTEA NOT NULL,
  PRIMARY KEY (sender, case_id)
);
