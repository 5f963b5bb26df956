//! Checking a whole log: every entry hashed again, every tile compared, every signed checkpoint met.

use std::collections::BTreeMap;

use crate::{
    checkpoint::Checkpoint,
    merkle::Hash,
    policy::{NotWitnessed, Policy, Witnessed},
    tile::{TileId, WIDTH},
    tree::{Edge, TileFile, TileReader, TreeError, read_bundle},
};

/// Most earlier checkpoints that one audit takes.
pub const EARLIER_MAX: usize = 1_000_000;

/// What an audit found to hold.
#[derive(Debug)]
pub struct Audited {
    witnessed: Witnessed,
    earlier: usize,
    files: u64,
}

impl Audited {
    /// The newest checkpoint, whose root the entries give.
    pub fn checkpoint(&self) -> &Checkpoint {
        self.witnessed.checkpoint()
    }

    /// The newest checkpoint's witnesses.
    pub fn witnessed(&self) -> &Witnessed {
        &self.witnessed
    }

    /// How many earlier checkpoints are on the same history.
    pub fn earlier(&self) -> usize {
        self.earlier
    }

    /// How many tiles and bundles were read and compared.
    pub fn files(&self) -> u64 {
        self.files
    }
}

/// Why a log does not hold.
#[derive(Debug, thiserror::Error)]
pub enum AuditError<E> {
    /// A checkpoint does not meet the policy.
    #[error("checkpoint `{position}` of those given does not meet the policy")]
    Checkpoint {
        /// Its place among the earlier ones, from 1; 0 is the newest.
        position: usize,
        /// Why.
        source: NotWitnessed,
    },
    /// An earlier checkpoint is of another log or larger than the newest.
    #[error("the checkpoint of `{origin}` at size `{size}` is not an earlier one of this log")]
    NotEarlier {
        /// Its origin.
        origin: String,
        /// Its size.
        size: u64,
    },
    /// The entries give another root than a signed checkpoint says: the log showed two histories.
    #[error("the entries give root `{computed}` at size `{size}`, but the log signed `{signed}`")]
    Fork {
        /// The size.
        size: u64,
        /// The root that the entries give.
        computed: Hash,
        /// The root that was signed.
        signed: Hash,
    },
    /// A tile is not what the entries give.
    #[error("`{0}` does not match the entries")]
    Tile(TileId),
    /// More than [`EARLIER_MAX`] checkpoints.
    #[error("`{0}` checkpoints are more than one audit takes")]
    TooMany(usize),
    /// A file is missing, malformed or unreadable.
    #[error(transparent)]
    Tree(#[from] TreeError<E>),
    /// The log is too large.
    #[error("the log cannot be recomputed: {0}")]
    Recompute(String),
}

/// Reads every entry below `newest`, hashes it again, compares every tile, and checks that `newest` and each of
/// `earlier` are signed as `policy` asks and have the root that the entries give. `each` sees every entry with its
/// index.
///
/// # Errors
/// When anything does not hold, or cannot be read.
pub fn audit<R: TileReader>(
    reader: &R,
    policy: &Policy,
    newest: &str,
    earlier: &[String],
    mut each: impl FnMut(u64, &[u8]),
) -> Result<Audited, AuditError<R::Error>> {
    if earlier.len() > EARLIER_MAX {
        return Err(AuditError::TooMany(earlier.len()));
    }
    let fault = |position| move |source| AuditError::Checkpoint { position, source };
    let witnessed = policy.check(newest).map_err(fault(0))?;
    let size = witnessed.checkpoint().size;
    let mut signed: BTreeMap<u64, Vec<Hash>> = BTreeMap::new();
    signed.entry(size).or_default().push(witnessed.checkpoint().root);
    for (position, note) in earlier.iter().enumerate() {
        let earlier = policy.check(note).map_err(fault(position + 1))?;
        let Checkpoint {
            origin,
            size: at,
            root,
        } = earlier.checkpoint();
        if *origin != witnessed.checkpoint().origin || *at > size {
            return Err(AuditError::NotEarlier {
                origin: origin.clone(),
                size: *at,
            });
        }
        signed.entry(*at).or_default().push(*root);
    }
    let mut walk = Walk {
        reader,
        size,
        signed,
        edge: Edge::empty(),
        files: 0,
    };
    walk.check_roots()?;
    while walk.edge.size() < size {
        walk.bundle(&mut each)?;
    }
    Ok(Audited {
        witnessed,
        earlier: earlier.len(),
        files: walk.files,
    })
}

struct Walk<'a, R> {
    reader: &'a R,
    size: u64,
    signed: BTreeMap<u64, Vec<Hash>>,
    edge: Edge,
    files: u64,
}

impl<R: TileReader> Walk<'_, R> {
    /// One bundle, up to and across the sizes that have a signed checkpoint.
    fn bundle(&mut self, each: &mut impl FnMut(u64, &[u8])) -> Result<(), AuditError<R::Error>> {
        let start = self.edge.size();
        let (_, entries) = read_bundle(self.reader, start, self.size)?;
        self.files += 1;
        let end = (start + WIDTH).min(self.size);
        for (index, entry) in (start..end).zip(&entries) {
            each(index, entry);
        }
        let mut rest = entries.as_slice();
        while self.edge.size() < end {
            let at = self.edge.size();
            let next = self
                .signed
                .range(at + 1..)
                .next()
                .map_or(end, |(size, _)| end.min(*size));
            let count = usize::try_from(next - at).unwrap_or(usize::MAX);
            let (part, after) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            rest = after;
            let appended = self
                .edge
                .append(part)
                .map_err(|error| AuditError::Recompute(error.to_string()))?;
            self.edge = appended.edge;
            for file in &appended.files {
                self.compare(file)?;
            }
            if part.is_empty() {
                return Err(AuditError::Recompute("a bundle has too few entries".into()));
            }
            self.check_roots()?;
        }
        Ok(())
    }

    /// Compares a tile that a log of this size has. Bundles were read already, and passing partial tiles are not kept.
    fn compare(&mut self, file: &TileFile) -> Result<(), AuditError<R::Error>> {
        let crate::tile::TileKind::Hashes { .. } = file.id.kind() else {
            return Ok(());
        };
        if !file.id.is_full() && self.edge.size() != self.size {
            return Ok(());
        }
        let position = file.id.index() * WIDTH;
        let (_, hashes) = crate::tree::read_hashes(self.reader, file.id.kind(), position, self.size)?;
        let wanted = usize::from(file.id.width());
        let hashes = hashes.get(..wanted).unwrap_or_default();
        if crate::tile::write_hashes(hashes) != file.bytes {
            return Err(AuditError::Tile(file.id));
        }
        self.files += 1;
        Ok(())
    }

    fn check_roots(&self) -> Result<(), AuditError<R::Error>> {
        let size = self.edge.size();
        let Some(roots) = self.signed.get(&size) else {
            return Ok(());
        };
        let computed = self.edge.root();
        for signed in roots {
            if *signed != computed {
                return Err(AuditError::Fork {
                    size,
                    computed,
                    signed: *signed,
                });
            }
        }
        Ok(())
    }
}
