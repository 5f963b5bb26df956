-- The same, by which node had it released: the name of its certificate. Empty: noted before nodes were told apart.
CREATE TABLE peer_releases_named (
  case_id BLOB NOT NULL CHECK (length(case_id) = 16),
  peer    TEXT NOT NULL,
  PRIMARY KEY (case_id, peer)
) STRICT, WITHOUT ROWID;
INSERT INTO peer_releases_named (case_id, peer) SELECT case_id, '' FROM peer_releases;
DROP TABLE peer_releases;
ALTER TABLE peer_releases_named RENAME TO peer_releases;
