-- Cases for which a node of another region had this node's gate release something.
CREATE TABLE peer_releases (
  case_id BLOB PRIMARY KEY CHECK (length(case_id) = 16)
) STRICT, WITHOUT ROWID;
