-- Where the gate took keys of accounts to, for transfers between regions, and when last: a release whose accounts were
-- looked up before then may leave something out. Times are microseconds since 1970, UTC.
CREATE TABLE gate_moves (
  tenant   TEXT NOT NULL,
  account  TEXT NOT NULL,
  region   TEXT NOT NULL,
  moved_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, account, region)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER gate_moves_only_later BEFORE UPDATE ON gate_moves
WHEN NEW.moved_at < OLD.moved_at OR NEW.tenant <> OLD.tenant OR NEW.account <> OLD.account OR NEW.region <> OLD.region
BEGIN SELECT RAISE(ABORT, 'a move only gets later'); END;
CREATE TRIGGER gate_moves_stay BEFORE DELETE ON gate_moves
BEGIN SELECT RAISE(ABORT, 'a move is never forgotten'); END;
