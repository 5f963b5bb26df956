//! A tiled tree: what to write when entries are added, and proofs from what was written.

use std::{collections::BTreeMap, convert::Infallible};

use crate::{
    merkle::{self, Hash, SIZE_MAX},
    tile::{self, TileId, TileKind, WIDTH},
};

/// Reads a log's files.
pub trait TileReader {
    /// What can go wrong.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The file's bytes, or `None` when there is no such file.
    ///
    /// # Errors
    /// When the file may be there but cannot be read.
    fn read(&self, id: &TileId) -> Result<Option<Vec<u8>>, Self::Error>;
}

/// Why a tree could not be read or grown.
#[derive(Debug, thiserror::Error)]
pub enum TreeError<E> {
    /// The reader failed.
    #[error("`{id}` cannot be read")]
    Read {
        /// The file.
        id: TileId,
        /// Why.
        source: E,
    },
    /// A file that a log of this size has is not there.
    #[error("`{0}` is missing")]
    Missing(TileId),
    /// A file's bytes are not the hashes or entries that its name says.
    #[error("`{0}` is malformed")]
    Malformed(TileId),
    /// An index or size outside the tree.
    #[error("`{0}` is outside a tree of size `{1}`")]
    Outside(u64, u64),
    /// An entry longer than 65,535 bytes.
    #[error("an entry of `{0}` bytes is too long; the limit is 65535")]
    EntryTooLong(usize),
    /// A tree above [`SIZE_MAX`].
    #[error("the tree would grow above 2^62 entries")]
    TooLarge,
}

/// One file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TileFile {
    /// Its name.
    pub id: TileId,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What adding entries comes to: the files to write, all new, and the edge to go on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Files of the larger tree that the smaller one does not have.
    pub files: Vec<TileFile>,
    /// The larger tree's edge.
    pub edge: Edge,
}

/// The right edge of a tree: the partial tile of each level and the partial entry bundle. Enough to add to it and to
/// know its root, whatever its size: at most 255 hashes for each of 8 levels, and 255 entries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edge {
    size: u64,
    levels: Vec<Vec<Hash>>,
    bundle: Vec<u8>,
}

impl Edge {
    /// The edge of the empty tree.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Reads the edge of the tree of `size` entries.
    ///
    /// # Errors
    /// When a partial tile or bundle is missing, malformed or unreadable.
    pub fn load<R: TileReader>(size: u64, reader: &R) -> Result<Self, TreeError<R::Error>> {
        if size > SIZE_MAX {
            return Err(TreeError::TooLarge);
        }
        let mut edge = Self {
            size,
            ..Self::default()
        };
        let mut level: u8 = 0;
        while let Some(count) = size.checked_shr(8 * u32::from(level)).filter(|count| *count > 0) {
            let hashes = match count % WIDTH {
                0 => Vec::new(),
                _ => read_hashes(reader, TileKind::Hashes { level }, count - 1, size)?.1,
            };
            edge.levels.push(hashes);
            level += 1;
        }
        if !size.is_multiple_of(WIDTH) {
            let (id, entries) = read_bundle(reader, size - 1, size)?;
            for entry in entries {
                tile::push_entry(&mut edge.bundle, &entry).ok_or(TreeError::Malformed(id))?;
            }
        }
        Ok(edge)
    }

    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The tree's root.
    pub fn root(&self) -> Hash {
        let mut root: Option<Hash> = None;
        // Right to left: the lowest level's hashes are the rightmost and the smallest subtrees.
        for hashes in &self.levels {
            let mut rest = hashes.as_slice();
            while !rest.is_empty() {
                // Within a tile the smallest perfect subtree stands last.
                let width = 1 << rest.len().trailing_zeros();
                let (left, subtree) = rest.split_at_checked(rest.len() - width).unwrap_or((&[], rest));
                let hash = merkle::root_of(subtree);
                root = Some(root.map_or(hash, |right| merkle::node_hash(&hash, &right)));
                rest = left;
            }
        }
        root.unwrap_or_else(merkle::empty_root)
    }

    /// Adds `entries`, in order. Costs hashing and bytes proportional to their number, whatever the tree's size.
    ///
    /// # Errors
    /// When an entry is too long or the tree would be too large; nothing is added then.
    pub fn append<B: AsRef<[u8]>>(&self, entries: &[B]) -> Result<Appended, TreeError<Infallible>> {
        let mut edge = self.clone();
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry.as_ref();
            if edge.size == SIZE_MAX {
                return Err(TreeError::TooLarge);
            }
            tile::push_entry(&mut edge.bundle, entry).ok_or(TreeError::EntryTooLong(entry.len()))?;
            edge.size += 1;
            if edge.size.is_multiple_of(WIDTH) {
                let bytes = std::mem::take(&mut edge.bundle);
                push_file(&mut files, TileKind::Entries, edge.size / WIDTH - 1, WIDTH, bytes)?;
            }
            edge.push_leaf(merkle::leaf_hash(entry), &mut files)?;
        }
        edge.push_partial(self, &mut files)?;
        Ok(Appended { files, edge })
    }

    fn push_leaf(&mut self, leaf: Hash, files: &mut Vec<TileFile>) -> Result<(), TreeError<Infallible>> {
        let mut hash = leaf;
        for level in 0..=tile::LEVEL_MAX {
            if self.levels.len() == usize::from(level) {
                self.levels.push(Vec::with_capacity(256));
            }
            let Some(hashes) = self.levels.get_mut(usize::from(level)) else {
                break;
            };
            hashes.push(hash);
            if hashes.len() < 256 {
                break;
            }
            hash = merkle::root_of(hashes);
            let bytes = tile::write_hashes(hashes);
            hashes.clear();
            let index = (self.size >> (8 * (u32::from(level) + 1))) - 1;
            push_file(files, TileKind::Hashes { level }, index, WIDTH, bytes)?;
        }
        Ok(())
    }

    /// The partial files at the end, where they differ from those of `before`.
    fn push_partial(&self, before: &Self, files: &mut Vec<TileFile>) -> Result<(), TreeError<Infallible>> {
        for (level, hashes) in self.levels.iter().enumerate() {
            let level = u8::try_from(level).map_err(|_| TreeError::TooLarge)?;
            let count = self.size >> (8 * u32::from(level));
            if hashes.is_empty() || count == before.size >> (8 * u32::from(level)) {
                continue;
            }
            let bytes = tile::write_hashes(hashes);
            push_file(
                files,
                TileKind::Hashes { level },
                count / WIDTH,
                count % WIDTH,
                bytes,
            )?;
        }
        let width = self.size % WIDTH;
        if width != 0 && self.size != before.size {
            push_file(
                files,
                TileKind::Entries,
                self.size / WIDTH,
                width,
                self.bundle.clone(),
            )?;
        }
        Ok(())
    }
}

fn push_file(
    files: &mut Vec<TileFile>,
    kind: TileKind,
    index: u64,
    width: u64,
    bytes: Vec<u8>,
) -> Result<(), TreeError<Infallible>> {
    let width = u16::try_from(width).map_err(|_| TreeError::TooLarge)?;
    let id = TileId::new(kind, index, width).ok_or(TreeError::TooLarge)?;
    files.push(TileFile { id, bytes });
    Ok(())
}

/// Makes proofs for the tree of one size. Keeps the tiles it has read, so use one for many proofs.
pub struct Prover<'a, R> {
    reader: &'a R,
    size: u64,
    tiles: BTreeMap<TileId, Vec<Hash>>,
}

impl<'a, R: TileReader> Prover<'a, R> {
    /// Proves things about the tree of `size` entries. The files are believed: check a proof against a signed root.
    ///
    /// # Errors
    /// When `size` is above [`SIZE_MAX`].
    pub fn new(reader: &'a R, size: u64) -> Result<Self, TreeError<R::Error>> {
        if size > SIZE_MAX {
            return Err(TreeError::TooLarge);
        }
        Ok(Self {
            reader,
            size,
            tiles: BTreeMap::new(),
        })
    }

    /// The root hash.
    ///
    /// # Errors
    /// When a tile is missing, malformed or unreadable.
    pub fn root(&mut self) -> Result<Hash, TreeError<R::Error>> {
        match self.size {
            0 => Ok(merkle::empty_root()),
            size => self.range(0, size),
        }
    }

    /// The path from entry `index` to the root (RFC 6962 section 2.1.1).
    ///
    /// # Errors
    /// When `index` is outside the tree, or a tile is missing, malformed or unreadable.
    pub fn inclusion(&mut self, index: u64) -> Result<Vec<Hash>, TreeError<R::Error>> {
        if index >= self.size {
            return Err(TreeError::Outside(index, self.size));
        }
        let (mut low, mut high) = (0, self.size);
        let mut path = Vec::new();
        while high - low > 1 {
            let middle = low + split(high - low);
            if index < middle {
                path.push(self.range(middle, high)?);
                high = middle;
            } else {
                path.push(self.range(low, middle)?);
                low = middle;
            }
        }
        path.reverse();
        Ok(path)
    }

    /// The proof that the tree of `old` entries is a beginning of this one (RFC 6962 section 2.1.2).
    ///
    /// # Errors
    /// When `old` is larger than the tree, or a tile is missing, malformed or unreadable.
    pub fn consistency(&mut self, old: u64) -> Result<Vec<Hash>, TreeError<R::Error>> {
        if old > self.size {
            return Err(TreeError::Outside(old, self.size));
        }
        let mut proof = Vec::new();
        if old == 0 || old == self.size {
            return Ok(proof);
        }
        let (mut low, mut high) = (0, self.size);
        let mut old_root_known = true;
        while old != high {
            let middle = low + split(high - low);
            if old <= middle {
                proof.push(self.range(middle, high)?);
                high = middle;
            } else {
                proof.push(self.range(low, middle)?);
                low = middle;
                old_root_known = false;
            }
        }
        if !old_root_known {
            proof.push(self.range(low, high)?);
        }
        proof.reverse();
        Ok(proof)
    }

    /// The hash over entries `low..high`, a range that occurs in this tree.
    fn range(&mut self, low: u64, high: u64) -> Result<Hash, TreeError<R::Error>> {
        let mut hashes = Vec::new();
        let mut start = low;
        // A range of RFC 6962 is a row of perfect subtrees, each smaller than the one before.
        while start < high {
            let width = 1 << (high - start).ilog2();
            hashes.push(self.perfect(start, width)?);
            start += width;
        }
        let mut root: Option<Hash> = None;
        for hash in hashes.iter().rev() {
            root = Some(root.map_or(*hash, |right| merkle::node_hash(hash, &right)));
        }
        root.ok_or(TreeError::Outside(low, self.size))
    }

    /// The hash over `width` entries from `start`, where `width` is a power of two and divides `start`.
    fn perfect(&mut self, start: u64, width: u64) -> Result<Hash, TreeError<R::Error>> {
        let height = width.ilog2();
        let level = u8::try_from(height / 8).map_err(|_| TreeError::TooLarge)?;
        let first = start >> (8 * u32::from(level));
        let count = 1_u64 << (height % 8);
        let kind = TileKind::Hashes { level };
        let id = TileId::holding(kind, first + count - 1, self.size)
            .ok_or(TreeError::Outside(start, self.size))?;
        if !self.tiles.contains_key(&id) {
            let (_, hashes) = read_hashes(self.reader, kind, first, self.size)?;
            self.tiles.insert(id, hashes);
        }
        let offset = usize::try_from(first % WIDTH).map_err(|_| TreeError::TooLarge)?;
        let count = usize::try_from(count).map_err(|_| TreeError::TooLarge)?;
        let hashes = self
            .tiles
            .get(&id)
            .and_then(|hashes| hashes.get(offset..offset + count));
        Ok(merkle::root_of(hashes.ok_or(TreeError::Malformed(id))?))
    }
}

/// The largest power of two below `count`, which is at least 2.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// The tile that has hash `position` in a log of `size` entries.
pub(crate) fn read_hashes<R: TileReader>(
    reader: &R,
    kind: TileKind,
    position: u64,
    size: u64,
) -> Result<(TileId, Vec<Hash>), TreeError<R::Error>> {
    let id = TileId::holding(kind, position, size).ok_or(TreeError::Outside(position, size))?;
    let (found, bytes) = read_file(reader, id)?;
    let mut hashes = tile::read_hashes(&bytes, found.width()).ok_or(TreeError::Malformed(found))?;
    hashes.truncate(id.width().into());
    Ok((id, hashes))
}

/// A bundle's entries.
pub(crate) type Entries = Vec<Vec<u8>>;

/// The bundle that has entry `position` in a log of `size` entries.
pub(crate) fn read_bundle<R: TileReader>(
    reader: &R,
    position: u64,
    size: u64,
) -> Result<(TileId, Entries), TreeError<R::Error>> {
    let id = TileId::holding(TileKind::Entries, position, size).ok_or(TreeError::Outside(position, size))?;
    let (found, bytes) = read_file(reader, id)?;
    let entries = tile::read_entries(&bytes, found.width()).ok_or(TreeError::Malformed(found))?;
    let entries = entries.into_iter().take(id.width().into());
    Ok((id, entries.map(<[u8]>::to_vec).collect()))
}

/// A file, or the full one that has since taken a partial one's place.
fn read_file<R: TileReader>(reader: &R, id: TileId) -> Result<(TileId, Vec<u8>), TreeError<R::Error>> {
    for candidate in [id, id.full()] {
        let read = reader.read(&candidate).map_err(|source| TreeError::Read {
            id: candidate,
            source,
        })?;
        if let Some(bytes) = read {
            return Ok((candidate, bytes));
        }
    }
    Err(TreeError::Missing(id))
}
