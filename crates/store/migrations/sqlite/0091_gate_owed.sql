-- Changes of the trust policy that nobody has confirmed to be in the docket.
CREATE TABLE gate_policies_owed (
  number INTEGER PRIMARY KEY
) STRICT;

-- Tenants' keys: the latest change of holder of which the gate opened a key. What is of an earlier one is older than that.
CREATE TABLE gate_holders (
  region  TEXT NOT NULL,
  tenant  TEXT NOT NULL,
  change  INTEGER NOT NULL CHECK (change >= 0),
  -- Empty: nobody beside the region's root.
  holder  TEXT NOT NULL,
  seen_at INTEGER NOT NULL,
  PRIMARY KEY (region, tenant)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER gate_holders_only_grow BEFORE UPDATE ON gate_holders
WHEN NEW.change < OLD.change OR NEW.region <> OLD.region OR NEW.tenant <> OLD.tenant
BEGIN SELECT RAISE(ABORT, 'a remembered change of holder only grows'); END;
