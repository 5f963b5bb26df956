-- Transfers to and from the regions of other nodes. What is on its way is frozen on both: nobody stores, changes or removes
-- it, whatever the way, until the one node has it and the other does not.

-- What is frozen: a bucket, or an account; the other is 0.
CREATE TABLE transfer_frozen (
  transfer BYTEA NOT NULL CHECK (length(transfer) = 16),
  bucket BIGINT NOT NULL,
  account BIGINT NOT NULL,
  PRIMARY KEY (transfer, bucket, account)
);

-- A transfer that leaves this node. 0: the other node was told of it; 1: frozen here; 2: the other node was asked to show what it has; 3: it does, and what is
-- here goes; 4: given up, and the other node is to be told; 5: over.
CREATE TABLE departure (
  transfer BYTEA PRIMARY KEY CHECK (length(transfer) = 16),
  stage BIGINT NOT NULL
);

-- The sign that a departed object leaves behind: where to look for it.
CREATE TABLE departed (
  bucket BIGINT NOT NULL,
  key BYTEA NOT NULL,
  region TEXT COLLATE "C" NOT NULL,
  transfer BYTEA NOT NULL,
  PRIMARY KEY (bucket, key)
);

-- A transfer that comes to this node, from the node of that name, on that record. 1: it is coming, and nobody sees it; 2: it
-- is here, and frozen; 3: over; 4: given up.
CREATE TABLE arrival (
  transfer BYTEA PRIMARY KEY CHECK (length(transfer) = 16),
  node TEXT COLLATE "C" NOT NULL,
  record TEXT COLLATE "C" NOT NULL,
  stage BIGINT NOT NULL
);

-- Pieces of bodies that were read back here.
CREATE TABLE arrival_part (
  transfer BYTEA NOT NULL,
  object BYTEA NOT NULL,
  number BIGINT NOT NULL,
  blob BYTEA NOT NULL UNIQUE,
  length BIGINT NOT NULL,
  digest BYTEA NOT NULL CHECK (length(digest) = 32),
  PRIMARY KEY (transfer, object, number)
);

-- Objects that are coming, as they will stand in `object`, in the order of `position`.
CREATE TABLE arrival_object (
  transfer BYTEA NOT NULL,
  id BYTEA NOT NULL,
  position BIGINT NOT NULL,
  -- SHA-256 of the object as the other node told it.
  told BYTEA NOT NULL CHECK (length(told) = 32),
  bucket BIGINT NOT NULL,
  key BYTEA NOT NULL,
  account BIGINT,
  region TEXT COLLATE "C" NOT NULL,
  category TEXT COLLATE "C" NOT NULL,
  concerns_at BIGINT NOT NULL,
  size BIGINT NOT NULL,
  etag TEXT COLLATE "C" NOT NULL,
  modified_at BIGINT NOT NULL,
  wrapped_key BYTEA NOT NULL,
  key_version BIGINT NOT NULL,
  commitment BYTEA NOT NULL,
  sealed_metadata BYTEA NOT NULL,
  parts BIGINT NOT NULL,
  upload BYTEA,
  versioned BIGINT NOT NULL,
  latest BIGINT NOT NULL,
  lock_mode TEXT COLLATE "C",
  lock_until BIGINT,
  legal_hold BIGINT NOT NULL,
  body BYTEA,
  body_digest BYTEA,
  PRIMARY KEY (transfer, id)
);

CREATE TABLE arrival_object_part (
  transfer BYTEA NOT NULL,
  object BYTEA NOT NULL,
  number BIGINT NOT NULL,
  size BIGINT NOT NULL,
  etag TEXT COLLATE "C" NOT NULL,
  modified_at BIGINT NOT NULL,
  sealed_metadata BYTEA NOT NULL,
  PRIMARY KEY (transfer, object, number)
);

-- An account's keys hold for its markers and for what others store at its keys, too.
CREATE FUNCTION frozen_object() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE it object;
BEGIN
  IF TG_OP = 'INSERT' THEN it := NEW; ELSE it := OLD; END IF;
  IF EXISTS (SELECT 1 FROM transfer_frozen f WHERE f.bucket = it.bucket OR f.account = it.account
    OR EXISTS (SELECT 1 FROM object o WHERE o.bucket = it.bucket AND o.key = it.key AND o.account = f.account)) THEN
    RAISE EXCEPTION 'frozen for a transfer';
  END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER object_frozen_insert_delete BEFORE INSERT OR DELETE ON object
FOR EACH ROW EXECUTE FUNCTION frozen_object();
-- Keys may be wrapped anew meanwhile.
CREATE TRIGGER object_frozen_update BEFORE UPDATE OF bucket, key, account, region, category, concerns_at, sealed_metadata,
  latest, versioned, lock_mode, lock_until, legal_hold ON object
FOR EACH ROW EXECUTE FUNCTION frozen_object();

CREATE FUNCTION frozen_upload() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM transfer_frozen f WHERE f.bucket = NEW.bucket OR f.account = NEW.account) THEN
    RAISE EXCEPTION 'frozen for a transfer';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER upload_frozen_insert BEFORE INSERT ON upload FOR EACH ROW EXECUTE FUNCTION frozen_upload();

CREATE FUNCTION frozen_named() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM object o JOIN transfer_frozen f ON f.bucket = o.bucket OR f.account = o.account
    WHERE o.id = NEW.object) THEN
    RAISE EXCEPTION 'frozen for a transfer';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER snapshot_frozen_insert BEFORE INSERT ON snapshot_object FOR EACH ROW EXECUTE FUNCTION frozen_named();
CREATE TRIGGER copy_frozen_insert BEFORE INSERT ON object_copy FOR EACH ROW EXECUTE FUNCTION frozen_named();

CREATE FUNCTION frozen_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM transfer_frozen f WHERE f.account = OLD.seq
    OR EXISTS (SELECT 1 FROM object o WHERE o.account = OLD.seq AND o.bucket = f.bucket)) THEN
    RAISE EXCEPTION 'frozen for a transfer';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER account_frozen_update BEFORE UPDATE ON account FOR EACH ROW EXECUTE FUNCTION frozen_account();

CREATE FUNCTION frozen_bucket() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM transfer_frozen f WHERE f.bucket = OLD.seq) THEN
    RAISE EXCEPTION 'frozen for a transfer';
  END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER bucket_frozen BEFORE UPDATE OR DELETE ON bucket FOR EACH ROW EXECUTE FUNCTION frozen_bucket();

CREATE FUNCTION frozen_setting() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE it bucket_setting;
BEGIN
  IF TG_OP = 'INSERT' THEN it := NEW; ELSE it := OLD; END IF;
  IF EXISTS (SELECT 1 FROM transfer_frozen f WHERE f.bucket = it.bucket) THEN
    RAISE EXCEPTION 'frozen for a transfer';
  END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER setting_frozen BEFORE INSERT OR UPDATE OR DELETE ON bucket_setting
FOR EACH ROW EXECUTE FUNCTION frozen_setting();
