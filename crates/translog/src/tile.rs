//! Names and forms of a tiled log's files (C2SP tlog-tiles v0.1.0).

use std::fmt;

use crate::{
    armor,
    merkle::{Hash, SIZE_MAX},
};

/// Hashes or entries of a full tile.
pub const WIDTH: u64 = 256;
/// Highest level that a path may name.
pub const LEVEL_MAX: u8 = 63;
/// Longest entry, in bytes: its length is written in 16 bits.
pub const ENTRY_BYTES_MAX: usize = u16::MAX as usize;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Hashes of one level; level 0 has the leaf hashes.
    Hashes {
        /// The level.
        level: u8,
    },
    /// The entries themselves.
    Entries,
}

/// One file of a log: a kind, an index, and how many hashes or entries it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    kind: TileKind,
    index: u64,
    width: u16,
}

impl TileId {
    /// A file of 1 to 256 hashes or entries. `None` for another width, a level above [`LEVEL_MAX`], or an index that
    /// no log within [`SIZE_MAX`] has.
    pub fn new(kind: TileKind, index: u64, width: u16) -> Option<Self> {
        let level_fits = match kind {
            TileKind::Hashes { level } => level <= LEVEL_MAX,
            TileKind::Entries => true,
        };
        let id = Self { kind, index, width };
        (level_fits && (1..=256).contains(&width) && id.leaves_end().is_some()).then_some(id)
    }

    /// The file that has hash or entry `position` of its level in a log of `size` entries. `None` when that log has no
    /// such hash.
    pub fn holding(kind: TileKind, position: u64, size: u64) -> Option<Self> {
        let count = match kind {
            TileKind::Hashes { level } => size.checked_shr(8 * u32::from(level)).unwrap_or(0),
            TileKind::Entries => size,
        };
        if position >= count {
            return None;
        }
        let index = position / WIDTH;
        let width = (count - index * WIDTH).min(WIDTH);
        Self::new(kind, index, u16::try_from(width).ok()?)
    }

    /// What it holds.
    pub fn kind(&self) -> TileKind {
        self.kind
    }

    /// Its index within its level.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes or entries it holds.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Whether it holds 256.
    pub fn is_full(&self) -> bool {
        u64::from(self.width) == WIDTH
    }

    /// The full file of the same kind and index.
    pub fn full(&self) -> Self {
        Self { width: 256, ..*self }
    }

    /// One more than the last entry under it: the least size of a log that has it. `None` above [`SIZE_MAX`].
    pub fn leaves_end(&self) -> Option<u64> {
        let level = match self.kind {
            TileKind::Hashes { level } => u32::from(level),
            TileKind::Entries => 0,
        };
        let end = self.index.checked_mul(WIDTH)?.checked_add(self.width.into())?;
        let end = end.checked_mul(1_u64.checked_shl(8 * level)?)?;
        (end <= SIZE_MAX).then_some(end)
    }

    /// Reads a path such as `tile/0/x001/234.p/5`. `None` for every path that is not in its one form.
    pub fn parse(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("tile/")?;
        let (level, rest) = rest.split_once('/')?;
        let kind = match level {
            "entries" => TileKind::Entries,
            level => TileKind::Hashes {
                level: u8::try_from(armor::from_decimal(level)?).ok()?,
            },
        };
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, u16::try_from(armor::from_decimal(width)?).ok()?),
            None => (rest, 256),
        };
        let mut number: u64 = 0;
        for group in index.split('/') {
            let digits = group.strip_prefix('x').unwrap_or(group);
            if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            number = number.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
        }
        let id = Self::new(kind, number, width)?;
        (id.to_string() == path).then_some(id)
    }
}
impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes { level } => write!(f, "tile/{level}/")?,
            TileKind::Entries => f.write_str("tile/entries/")?,
        }
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for (place, group) in groups.iter().enumerate().rev() {
            let mark = if place == 0 { "" } else { "x" };
            let slash = if place == 0 { "" } else { "/" };
            write!(f, "{mark}{group:03}{slash}")?;
        }
        if !self.is_full() {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

/// A tile's bytes as hashes. `None` when they are not `width` hashes.
pub fn read_hashes(bytes: &[u8], width: u16) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    (rest.is_empty() && hashes.len() == usize::from(width))
        .then(|| hashes.iter().copied().map(Hash).collect())
}

/// Hashes as a tile's bytes.
pub fn write_hashes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// A bundle's bytes as entries. `None` when they are not `width` entries with their lengths and nothing more.
pub fn read_entries(bytes: &[u8], width: u16) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::with_capacity(width.into());
    let mut rest = bytes;
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (entry, after) = after.split_at_checked(u16::from_be_bytes(*length).into())?;
        if entries.len() == usize::from(width) {
            return None;
        }
        entries.push(entry);
        rest = after;
    }
    (entries.len() == usize::from(width)).then_some(entries)
}

/// Adds one entry to a bundle's bytes. `None`, and nothing added, when it is above [`ENTRY_BYTES_MAX`].
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Option<()> {
    let length = u16::try_from(entry.len()).ok()?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Some(())
}
