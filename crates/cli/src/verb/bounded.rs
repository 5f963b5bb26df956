//! Reading a file that somebody names, and no more of it than may be.

use std::{fs::File, io::Read as _, path::Path};

use anyhow::{Context as _, ensure};

/// Reads the whole file. A device or pipe that never ends is read up to the limit and no further.
///
/// # Errors
/// When it cannot be read, or holds more than `max` bytes.
pub fn read(path: &Path, max: u64) -> anyhow::Result<Vec<u8>> {
    let name = || format!("cannot read `{}`", path.display());
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(name)?;
    file.take(max.saturating_add(1))
        .read_to_end(&mut bytes)
        .with_context(name)?;
    ensure!(
        u64::try_from(bytes.len())? <= max,
        "`{}` is larger than {max} bytes, the most that is read here",
        path.display()
    );
    Ok(bytes)
}
