//! The package's container: ustar (POSIX.1-1988), in one form only, so that a reader can recompute each byte of it.
//!
//! Owner, group and time are zero, mode is 0444, every entry is a plain file, padding is zero, the archive ends with
//! two zero blocks. A size of 8 GiB or more is written in base 256, as GNU tar, bsdtar and Python read it.

use std::io::{self, Read, Write};

/// Size of a tar block in bytes.
pub const BLOCK: usize = 512;

/// Longest path of an entry in bytes: ustar's `name` field, so that no path is split or shortened.
pub const PATH_MAX: usize = 100;

/// A path does not fit the container: it is empty, longer than [`PATH_MAX`], absolute, or climbs with `..`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a path this package can hold; use at most 100 bytes, relative, without `..`")]
pub struct BadPath(pub String);

/// The one header this package uses for `path` and `size`.
///
/// # Errors
/// When the path does not fit.
pub fn header(path: &str, size: u64) -> Result<[u8; BLOCK], BadPath> {
    let bad = || BadPath(path.chars().take(PATH_MAX).collect());
    if path.is_empty()
        || path.len() > PATH_MAX
        || path
            .split('/')
            .any(|part| part.is_empty() || part == "." || part == "..")
        || path.bytes().any(|b| b.is_ascii_control() || b == b'\\')
    {
        return Err(bad());
    }
    let mut header = tar::Header::new_ustar();
    header.set_path(path).map_err(|_| bad())?;
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o444);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_cksum();
    Ok(*header.as_bytes())
}

/// The size that a header block claims; `None` where the field cannot be read. Trust it only after comparing the
/// block with [`header`]'s.
pub fn claimed_size(block: &[u8; BLOCK]) -> Option<u64> {
    let field = block.get(124..136)?;
    let (first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        let (high, low) = rest.split_at_checked(3)?;
        if high.iter().any(|b| *b != 0) || *first != 0x80 {
            return None;
        }
        return Some(u64::from_be_bytes(*low.first_chunk()?));
    }
    let text = std::str::from_utf8(field).ok()?;
    let digits = text.trim_end_matches(['\0', ' ']);
    u64::from_str_radix(digits, 8).ok()
}

/// Bytes of zero padding after `size` bytes of content.
pub fn padding(size: u64) -> usize {
    let rest = usize::try_from(size % BLOCK as u64).unwrap_or(0);
    if rest == 0 { 0 } else { BLOCK - rest }
}

/// Writes `size` bytes' worth of padding.
///
/// # Errors
/// When the writer fails.
pub fn write_padding(writer: &mut impl Write, size: u64) -> io::Result<()> {
    let zeros = [0; BLOCK];
    writer.write_all(zeros.get(..padding(size)).unwrap_or_default())
}

/// Writes the end of the archive.
///
/// # Errors
/// When the writer fails.
pub fn write_end(writer: &mut impl Write) -> io::Result<()> {
    writer.write_all(&[0; 2 * BLOCK])
}

/// Reads one block; `None` at the end of the input.
///
/// # Errors
/// When the input fails, or ends inside the block (`UnexpectedEof`).
pub fn read_block(reader: &mut impl Read) -> io::Result<Option<[u8; BLOCK]>> {
    let mut block = [0; BLOCK];
    let mut filled = 0;
    while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(Some(block))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_survive_both_encodings() {
        for size in [0, 1, 511, 512, 0o77_777_777_777, 0o77_777_777_777 + 1, 5 << 40] {
            let block = header("objects/00001-a.eml", size).unwrap();
            assert_eq!(claimed_size(&block), Some(size), "{size}");
            let mut read = tar::Header::new_ustar();
            read.as_mut_bytes().copy_from_slice(&block);
            assert_eq!(read.size().unwrap(), size);
        }
    }

    #[test]
    fn paths_that_climb_or_do_not_fit_are_refused() {
        for path in [
            "",
            "/etc/passwd",
            "../a",
            "a/../b",
            "a//b",
            "a/",
            "a\\b",
            "a\nb",
            &"x".repeat(101),
        ] {
            assert!(header(path, 0).is_err(), "{path}");
        }
        assert!(header(&"x".repeat(100), 0).is_ok());
    }
}
