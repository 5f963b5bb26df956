-- The docket: what waits to be logged, the batch being written, and the checkpoints signed.

CREATE TABLE docket_entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    salt BLOB NOT NULL CHECK (length(salt) = 32),
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    commitment BLOB NOT NULL CHECK (length(commitment) = 32),
    -- Seconds since 1970.
    enqueued_at INTEGER NOT NULL,
    -- Index in the log; null while it waits.
    position INTEGER UNIQUE
) STRICT;

CREATE INDEX docket_entry_waiting ON docket_entry (id) WHERE position IS NULL;
CREATE INDEX docket_entry_digest ON docket_entry (kind, digest);

-- The newest batch, filler included, kept so that files lost or torn by a crash are written again with the same bytes.
CREATE TABLE docket_batch (
    start INTEGER PRIMARY KEY,
    entries BLOB NOT NULL CHECK (length(entries) > 0 AND length(entries) % 32 = 0)
) STRICT;

-- One row for each size ever signed. A size is signed once: the primary key forbids a fork.
CREATE TABLE docket_checkpoint (
    size INTEGER PRIMARY KEY,
    signed TEXT NOT NULL,
    -- The same checkpoint with a quorum's cosignatures; null until there is one.
    witnessed TEXT,
    published INTEGER NOT NULL DEFAULT 0 CHECK (published = 0 OR witnessed IS NOT NULL)
) STRICT;

CREATE TRIGGER docket_checkpoint_signed_is_final BEFORE UPDATE OF size, signed ON docket_checkpoint
BEGIN
    SELECT raise(ABORT, 'a signed checkpoint is never changed');
END;

CREATE TRIGGER docket_checkpoint_is_kept BEFORE DELETE ON docket_checkpoint
BEGIN
    SELECT raise(ABORT, 'a signed checkpoint is never removed');
END;

CREATE TRIGGER docket_checkpoint_grows BEFORE INSERT ON docket_checkpoint
WHEN NEW.size <= (SELECT coalesce(max(size), -1) FROM docket_checkpoint)
BEGIN
    SELECT raise(ABORT, 'a checkpoint must be larger than the one before');
END;

CREATE TRIGGER docket_entry_position_is_final BEFORE UPDATE OF position ON docket_entry
WHEN OLD.position IS NOT NULL
BEGIN
    SELECT raise(ABORT, 'an entry is logged once');
END;
