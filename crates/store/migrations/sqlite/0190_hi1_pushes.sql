-- Packages that are pushed to an authority's system over HI-1: how far each is. A part is noted as tried before it is sent, so
-- that one whose answer was lost is known to have gone out.
CREATE TABLE hi1_pushes (
  peer    TEXT NOT NULL,
  record  BLOB NOT NULL CHECK (length(record) = 16),
  case_id BLOB NOT NULL CHECK (length(case_id) = 16),
  task    BLOB NOT NULL CHECK (length(task) = 16),
  taken   INTEGER NOT NULL,
  tried   INTEGER NOT NULL,
  again   INTEGER NOT NULL,
  failed  INTEGER NOT NULL,
  since   INTEGER,
  next_at INTEGER NOT NULL,
  state   TEXT NOT NULL CHECK (state IN ('waiting', 'held', 'done', 'refused')),
  PRIMARY KEY (peer, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX hi1_pushes_by_time ON hi1_pushes (peer, state, next_at);
