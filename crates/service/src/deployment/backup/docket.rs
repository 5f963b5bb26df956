//! The docket's files as they are at one size, whatever was added since.

use store::docket::LogDirectory;
use translog::{
    tile::{TileId, TileKind},
    tree::TileReader as _,
};

use super::{BackupError, archive::Archive};

const HASH_BYTES: usize = 32;

/// Adds every file of the log at `size`, each as long as it was then.
pub(super) fn add(archive: &mut Archive, log: &LogDirectory, size: u64) -> Result<(), BackupError> {
    for kind in kinds() {
        let mut position = 0;
        while let Some(tile) = TileId::holding(kind, position, size) {
            let bytes = read(log, &tile)?;
            archive.bytes(&format!("docket/{tile}"), &bytes)?;
            position += 256;
        }
    }
    Ok(())
}

/// Adds what the log at a smaller, published size has of its own: files that were not full yet.
pub(super) fn add_partial(
    archive: &mut Archive,
    log: &LogDirectory,
    size: u64,
    larger: u64,
) -> Result<(), BackupError> {
    for kind in kinds() {
        let count = match kind {
            TileKind::Entries => size,
            TileKind::Hashes { level } => size.checked_shr(8 * u32::from(level)).unwrap_or(0),
        };
        let Some(last) = count.checked_sub(1) else {
            continue;
        };
        let tile = TileId::holding(kind, last, size);
        if let Some(tile) = tile.filter(|tile| TileId::holding(kind, last, larger) != Some(*tile)) {
            archive.bytes(&format!("docket/{tile}"), &read(log, &tile)?)?;
        }
    }
    Ok(())
}

fn kinds() -> impl Iterator<Item = TileKind> {
    let levels = (0..8).map(|level| TileKind::Hashes { level });
    std::iter::once(TileKind::Entries).chain(levels)
}

/// A file, or the beginning of the full one that took its place.
fn read(log: &LogDirectory, tile: &TileId) -> Result<Vec<u8>, BackupError> {
    let lost = || BackupError::Damaged(format!("the docket's `{tile}` is missing or cut off"));
    let fault = |error| BackupError::Docket(store::docket::DocketStoreError::from(error));
    if let Some(bytes) = log.read(tile).map_err(fault)? {
        return Ok(bytes);
    }
    let full = log.read(&tile.full()).map_err(fault)?.ok_or_else(lost)?;
    let width = usize::from(tile.width());
    let end = match tile.kind() {
        TileKind::Hashes { .. } => width * HASH_BYTES,
        TileKind::Entries => {
            let mut at = 0;
            for _ in 0..width {
                let length = full.get(at..at + 2).and_then(|two| two.try_into().ok());
                at += 2 + usize::from(u16::from_be_bytes(length.ok_or_else(lost)?));
            }
            at
        }
    };
    full.get(..end).map(<[u8]>::to_vec).ok_or_else(lost)
}
