-- Where the gate took keys of accounts to, for transfers between regions, and when last: a release whose accounts were
-- looked up before then may leave something out. Times are microseconds since 1970, UTC.
CREATE TABLE gate_moves (
  tenant   TEXT COLLATE "C" NOT NULL,
  account  TEXT COLLATE "C" NOT NULL,
  region   TEXT COLLATE "C" NOT NULL,
  moved_at BIGINT NOT NULL,
  PRIMARY KEY (tenant, account, region)
);
CREATE FUNCTION gate_moves_only_later() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.moved_at < OLD.moved_at OR NEW.tenant <> OLD.tenant OR NEW.account <> OLD.account
       OR NEW.region <> OLD.region THEN
        RAISE EXCEPTION 'a move only gets later';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER gate_moves_only_later BEFORE UPDATE ON gate_moves
FOR EACH ROW EXECUTE FUNCTION gate_moves_only_later();
CREATE TRIGGER gate_moves_stay BEFORE DELETE ON gate_moves
FOR EACH ROW EXECUTE FUNCTION never_changed();
