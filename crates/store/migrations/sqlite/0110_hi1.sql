-- Messages of authorities' systems exactly as they came, with the answers given, each under a key of its own.
CREATE TABLE hi1_messages (
  name        BLOB PRIMARY KEY CHECK (length(name) = 32),
  peer        TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  wrapped_key BLOB NOT NULL,
  message     BLOB NOT NULL,
  answer      BLOB,
  case_id     BLOB CHECK (length(case_id) = 16)
) STRICT, WITHOUT ROWID;
CREATE INDEX hi1_messages_by_case ON hi1_messages (case_id);

-- Their objects as they stand, each under a key of its own.
CREATE TABLE hi1_objects (
  peer        TEXT NOT NULL,
  object      BLOB NOT NULL CHECK (length(object) = 16),
  kind        TEXT NOT NULL,
  generation  INTEGER NOT NULL,
  changed_at  INTEGER NOT NULL,
  case_id     BLOB CHECK (length(case_id) = 16),
  wrapped_key BLOB NOT NULL,
  sealed      BLOB NOT NULL,
  PRIMARY KEY (peer, object)
) STRICT, WITHOUT ROWID;
CREATE INDEX hi1_objects_by_case ON hi1_objects (case_id);

-- Which tasks an object belongs to.
CREATE TABLE hi1_links (
  peer   TEXT NOT NULL,
  object BLOB NOT NULL CHECK (length(object) = 16),
  task   BLOB NOT NULL CHECK (length(task) = 16),
  PRIMARY KEY (peer, object, task)
) STRICT, WITHOUT ROWID;
