-- Packages that are pushed to an authority's system over HI-1: how far each is. A part is noted as tried before it is sent, so
-- that one whose answer was lost is known to have gone out.
CREATE TABLE hi1_pushes (
  peer    TEXT COLLATE "C" NOT NULL,
  record  BYTEA NOT NULL CHECK (length(record) = 16),
  case_id BYTEA NOT NULL CHECK (length(case_id) = 16),
  task    BYTEA NOT NULL CHECK (length(task) = 16),
  taken   BIGINT NOT NULL,
  tried   BIGINT NOT NULL,
  again   BIGINT NOT NULL,
  failed  BIGINT NOT NULL,
  since   BIGINT,
  next_at BIGINT NOT NULL,
  state   TEXT COLLATE "C" NOT NULL CHECK (state IN ('waiting', 'held', 'done', 'refused')),
  PRIMARY KEY (peer, record)
);
CREATE INDEX hi1_pushes_by_time ON hi1_pushes (peer, state, next_at);
