-- While a backup copies blobs, none is deleted: whoever holds says until when, in microseconds since 1970.
CREATE TABLE blob_hold (
  name  TEXT COLLATE "C" PRIMARY KEY,
  until BIGINT NOT NULL
);

-- Backups that were made, and when their keepers say that they are gone: what was destroyed here may be in one of them.
CREATE TABLE backup_made (
  made_at    BIGINT PRIMARY KEY,
  expires_at BIGINT
);

-- When the gate's memory was restored. Of a record drawn up before, it cannot know whether it was used.
CREATE TABLE gate_restored (
  restored_at BIGINT PRIMARY KEY
);
CREATE TRIGGER gate_restored_stays BEFORE DELETE ON gate_restored
FOR EACH ROW EXECUTE FUNCTION never_changed();
