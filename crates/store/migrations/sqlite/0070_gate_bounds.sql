-- Cases for which a node of another region had this node's gate release something.
CREATE TABLE peer_releases (
  case_id BLOB PRIMARY KEY CHECK (length(case_id) = 16)
) STRICT, WITHOUT ROWID;

-- Changes of the trust policy that nobody has said yet to be in the docket, by their number in gate_policies.
CREATE TABLE gate_policies_owed (
  number INTEGER PRIMARY KEY REFERENCES gate_policies (number)
) STRICT;
