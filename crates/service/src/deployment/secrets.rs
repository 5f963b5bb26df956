//! Secret files: 32 bytes in base64, one a file, readable by their owner alone.

use std::{
    fs::OpenOptions,
    io::{Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

/// Longest secret file read, in bytes.
pub const BYTES_MAX: u64 = 4096;

/// Why a secret file could not be used. Never holds any of it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be written; one that exists is never overwritten.
    #[error("cannot write the secret `{path}`")]
    Write {
        /// Which file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file cannot be read.
    #[error("cannot read the secret `{path}`")]
    Read {
        /// Which file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others than its owner may read the file.
    #[error("the secret `{path}` can be read by others; run `chmod 600` on it, and consider the key known")]
    Exposed {
        /// Which file.
        path: String,
    },
    /// The file does not hold 32 bytes in base64.
    #[error("the secret `{path}` is not 32 bytes in base64")]
    Form {
        /// Which file.
        path: String,
    },
    /// The file is not one line of text.
    #[error("the secret `{path}` is not text")]
    Text {
        /// Which file.
        path: String,
    },
    /// The file does not hold an access key.
    #[error("`{path}` has no `access_key_id=` and `secret_access_key=` lines")]
    Credential {
        /// Which file.
        path: String,
    },
    /// The operating system gave no randomness.
    #[error("no randomness from the operating system")]
    NoRandomness,
}

/// Writes a new secret file of one line, durably.
///
/// # Errors
/// When it exists already or cannot be written.
pub fn write_secret(path: &Path, text: &[u8]) -> Result<(), SecretError> {
    let line = Zeroizing::new([text, b"\n"].concat());
    write_secret_bytes(path, &line)
}

/// Writes a new secret file of exactly these bytes, durably.
///
/// # Errors
/// When it exists already or cannot be written.
pub fn write_secret_bytes(path: &Path, bytes: &[u8]) -> Result<(), SecretError> {
    let fail = |source| SecretError::Write {
        path: path.display().to_string(),
        source,
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(fail)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(fail)?;
    let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) else {
        return Ok(());
    };
    std::fs::File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(fail)
}

/// Overwrites a secret file, durably, and removes it. One that is not there is no fault. What a file system that copies on
/// write, or a backup, keeps of it is not reached.
///
/// # Errors
/// When it cannot be overwritten or removed.
pub fn wipe_secret(path: &Path) -> Result<(), SecretError> {
    let fail = |source| SecretError::Write {
        path: path.display().to_string(),
        source,
    };
    let mut file = match OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        file => file.map_err(fail)?,
    };
    let length = file.metadata().map_err(fail)?.len().min(BYTES_MAX);
    let nothing = vec![0; usize::try_from(length).unwrap_or_default()];
    file.write_all(&nothing)
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::remove_file(path))
        .map_err(fail)?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    match dir {
        Some(dir) => std::fs::File::open(dir)
            .and_then(|dir| dir.sync_all())
            .map_err(fail),
        None => Ok(()),
    }
}

/// Draws 32 bytes, writes them to a new secret file, and gives them back.
///
/// # Errors
/// When the file exists or cannot be written, or there is no randomness.
pub fn create_key(path: &Path) -> Result<Zeroizing<[u8; 32]>, SecretError> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(key.as_mut()).map_err(|_| SecretError::NoRandomness)?;
    write_secret(path, Zeroizing::new(STANDARD.encode(key.as_slice())).as_bytes())?;
    Ok(key)
}

/// Reads a secret file of at most [`BYTES_MAX`] bytes.
///
/// # Errors
/// When it is missing, or open to others.
pub fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let fail = |source| SecretError::Read {
        path: path.display().to_string(),
        source,
    };
    let file = std::fs::File::open(path).map_err(fail)?;
    if file.metadata().map_err(fail)?.permissions().mode() & 0o077 != 0 {
        return Err(SecretError::Exposed {
            path: path.display().to_string(),
        });
    }
    let mut text = Zeroizing::new(Vec::new());
    file.take(BYTES_MAX).read_to_end(&mut text).map_err(fail)?;
    Ok(text)
}

/// Reads a secret file of one line of text.
///
/// # Errors
/// When it is missing, open to others, or no text.
pub fn read_text(path: &Path) -> Result<Zeroizing<String>, SecretError> {
    let bytes = read_secret(path)?;
    let text = std::str::from_utf8(bytes.trim_ascii()).map_err(|_| SecretError::Text {
        path: path.display().to_string(),
    })?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Reads a secret file of 32 bytes in base64.
///
/// # Errors
/// When it is missing, open to others, or malformed.
pub fn read_key(path: &Path) -> Result<Zeroizing<[u8; 32]>, SecretError> {
    let form = || SecretError::Form {
        path: path.display().to_string(),
    };
    let text = read_secret(path)?;
    let bytes = Zeroizing::new(STANDARD.decode(text.trim_ascii()).map_err(|_| form())?);
    let mut key = Zeroizing::new([0; 32]);
    if bytes.len() != key.len() {
        return Err(form());
    }
    key.copy_from_slice(&bytes);
    Ok(key)
}

/// An access key of a customer, as a file holds it.
pub struct CredentialFile {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: Zeroizing<String>,
}

/// Writes an access key to a new secret file: `access_key_id=` and `secret_access_key=`, a line each.
///
/// # Errors
/// When the file exists already or cannot be written.
pub fn write_credential(path: &Path, id: &str, secret: &str) -> Result<(), SecretError> {
    let text = Zeroizing::new(format!("access_key_id={id}\nsecret_access_key={secret}"));
    write_secret(path, text.as_bytes())
}

/// Reads what [`write_credential`] wrote.
///
/// # Errors
/// When it is missing, open to others, or malformed.
pub fn read_credential(path: &Path) -> Result<CredentialFile, SecretError> {
    let form = || SecretError::Credential {
        path: path.display().to_string(),
    };
    let bytes = read_secret(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| form())?;
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .map(str::trim)
    };
    let (Some(id), Some(secret)) = (field("access_key_id="), field("secret_access_key=")) else {
        return Err(form());
    };
    Ok(CredentialFile {
        id: id.to_owned(),
        secret: Zeroizing::new(secret.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_its_owners_alone_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root.key");
        let key = create_key(&path).unwrap();
        assert_eq!(*read_key(&path).unwrap(), *key);
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert!(matches!(create_key(&path), Err(SecretError::Write { .. })));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(read_key(&path), Err(SecretError::Exposed { .. })));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        for bad in [
            "",
            "AAAA",
            "not base64 at all, and longer than it needs to be ......",
        ] {
            std::fs::write(&path, bad).unwrap();
            assert!(matches!(read_key(&path), Err(SecretError::Form { .. })));
        }
        assert!(matches!(
            read_key(&dir.path().join("none")),
            Err(SecretError::Read { .. })
        ));
    }
}
