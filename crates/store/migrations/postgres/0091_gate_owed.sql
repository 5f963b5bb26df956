-- Changes of the trust policy that nobody has confirmed to be in the docket.
CREATE TABLE gate_policies_owed (
  number BIGINT PRIMARY KEY
);

-- Tenants' keys: the latest change of holder of which the gate opened a key. What is of an earlier one is older than that.
CREATE TABLE gate_holders (
  region  TEXT COLLATE "C" NOT NULL,
  tenant  TEXT COLLATE "C" NOT NULL,
  change  BIGINT NOT NULL CHECK (change >= 0),
  -- Empty: nobody beside the region's root.
  holder  TEXT COLLATE "C" NOT NULL,
  seen_at BIGINT NOT NULL,
  PRIMARY KEY (region, tenant)
);

CREATE FUNCTION gate_holders_only_grow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.change < OLD.change OR NEW.region <> OLD.region OR NEW.tenant <> OLD.tenant THEN
        RAISE EXCEPTION 'a remembered change of holder only grows';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER gate_holders_only_grow BEFORE UPDATE ON gate_holders
FOR EACH ROW EXECUTE FUNCTION gate_holders_only_grow();
