-- Messages of authorities' systems exactly as they came, with the answers given, each under a key of its own.
CREATE TABLE hi1_messages (
  name        BYTEA PRIMARY KEY CHECK (length(name) = 32),
  peer        TEXT NOT NULL,
  received_at BIGINT NOT NULL,
  wrapped_key BYTEA NOT NULL,
  message     BYTEA NOT NULL,
  answer      BYTEA,
  case_id     BYTEA CHECK (length(case_id) = 16)
);
CREATE INDEX hi1_messages_by_case ON hi1_messages (case_id);

-- Their objects as they stand, each under a key of its own.
CREATE TABLE hi1_objects (
  peer        TEXT NOT NULL,
  object      BYTEA NOT NULL CHECK (length(object) = 16),
  kind        TEXT NOT NULL,
  generation  BIGINT NOT NULL,
  changed_at  BIGINT NOT NULL,
  case_id     BYTEA CHECK (length(case_id) = 16),
  wrapped_key BYTEA NOT NULL,
  sealed      BYTEA NOT NULL,
  PRIMARY KEY (peer, object)
);
CREATE INDEX hi1_objects_by_case ON hi1_objects (case_id);

-- Which tasks an object belongs to.
CREATE TABLE hi1_links (
  peer   TEXT NOT NULL,
  object BYTEA NOT NULL CHECK (length(object) = 16),
  task   BYTEA NOT NULL CHECK (length(task) = 16),
  PRIMARY KEY (peer, object, task)
);
