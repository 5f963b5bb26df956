//! Key files: 32 bytes of seed in hex, readable by their owner alone.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use zeroize::Zeroizing;

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// It cannot be read or made.
    #[error("the key file `{path}` cannot be used: {source}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Others can read it.
    #[error("the key file `{0}` can be read by others than its owner; run `chmod 600` on it")]
    Exposed(String),
    /// It does not hold a seed.
    #[error("the key file `{0}` must hold 64 hex digits and a newline, or 32 bytes")]
    Form(String),
}

/// Reads a key file: 64 hex digits with or without a newline, or 32 bytes.
///
/// # Errors
/// When it cannot be read, others can read it too, or it holds something else.
pub fn read(path: &Path) -> Result<Zeroizing<[u8; 32]>, SeedError> {
    let name = path.display().to_string();
    let failed = |source| SeedError::Io {
        path: name.clone(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
        return Err(SeedError::Exposed(name));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(66));
    file.take(66).read_to_end(&mut bytes).map_err(failed)?;
    let mut seed = Zeroizing::new([0; 32]);
    if bytes.len() == seed.len() {
        seed.copy_from_slice(&bytes);
        return Ok(seed);
    }
    let digits = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    hex::decode_to_slice(digits, seed.as_mut_slice()).map_err(|_| SeedError::Form(name.clone()))?;
    Ok(seed)
}

/// Draws a seed and writes a new key file for it.
///
/// # Errors
/// When the file is there already or cannot be written durably.
pub fn create(path: &Path) -> Result<Zeroizing<[u8; 32]>, SeedError> {
    let failed = |source| SeedError::Io {
        path: path.display().to_string(),
        source,
    };
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(|_| failed(io::Error::other("no random bytes")))?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    let digits = Zeroizing::new(format!(
        "{}\n",
        Zeroizing::new(hex::encode(seed.as_slice())).as_str()
    ));
    file.write_all(digits.as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        File::open(parent)
            .and_then(|directory| directory.sync_all())
            .map_err(failed)?;
    }
    Ok(seed)
}
