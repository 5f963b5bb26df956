//! Tar archives read as one pass over untrusted bytes. The tar crate reads long names and extended headers without a
//! limit and lends its entries; here both are bounded, and the reader owns its place.

use std::io::{self, Read};

use super::{ENTRIES_MAX, ImportError, UNPACKED_MAX};

const BLOCK: usize = 512;
/// Longest extended header or long name in bytes.
const EXTENSION_MAX: u64 = 64 * 1024;

/// What kind of thing an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A file with content.
    File,
    /// A folder.
    Folder,
    /// A hard or symbolic link.
    Link,
    /// A device, pipe, sparse file or anything else.
    Special,
}

/// The head of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// As it is written, lossily made text.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// Bytes of content.
    pub size: u64,
    /// Modification time, Unix seconds.
    pub modified: Option<i64>,
}

/// A tar archive, entry by entry. `Read` gives the content of the entry last returned by [`TarReader::next_head`].
pub struct TarReader<R> {
    inner: R,
    /// Content of the current entry not read yet.
    left: u64,
    /// Padding after it.
    padding: u64,
    unpacked: u64,
    entries: u64,
    last: String,
    ended: bool,
}

impl<R: Read> TarReader<R> {
    /// Reads `inner` as a tar archive.
    pub fn new(inner: R) -> Self {
        Self {
            inner,
            left: 0,
            padding: 0,
            unpacked: 0,
            entries: 0,
            last: String::new(),
            ended: false,
        }
    }

    /// The next entry; `None` at the archive's end. Content of the one before that was not read is passed over.
    ///
    /// # Errors
    /// When the archive is damaged, cut off or too large.
    pub fn next_head(&mut self) -> Result<Option<Head>, ImportError> {
        let mut long_name: Option<Vec<u8>> = None;
        let mut pax_size: Option<u64> = None;
        while !self.ended {
            // A size may be any number that a stranger writes; what is not there to be passed over is cut off.
            self.skip(self.left.saturating_add(self.padding))?;
            (self.left, self.padding) = (0, 0);
            let Some(header) = self.header()? else {
                self.ended = true;
                break;
            };
            self.entries += 1;
            if self.entries > ENTRIES_MAX {
                return Err(ImportError::Limit {
                    limit: ENTRIES_MAX,
                    what: "entries",
                });
            }
            let mut size = header
                .entry_size()
                .map_err(|_| self.damaged("a size cannot be read"))?;
            let extension = matches!(header.as_bytes().get(156), Some(b'x' | b'g' | b'L' | b'K'));
            if !extension && let Some(stated) = pax_size.take() {
                size = stated;
            }
            self.left = size;
            self.padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
            let kind = match header.as_bytes().get(156) {
                Some(b'0' | b'\0' | b'7') => EntryKind::File,
                Some(b'5') => EntryKind::Folder,
                Some(b'1' | b'2') => EntryKind::Link,
                Some(b'L') => {
                    let mut name = self.extension()?;
                    while name.last() == Some(&0) {
                        name.pop();
                    }
                    long_name = Some(name);
                    continue;
                }
                Some(b'x') => {
                    for (key, value) in pax_fields(&self.extension()?) {
                        match key {
                            b"path" => long_name = Some(value.to_vec()),
                            b"size" => {
                                pax_size = std::str::from_utf8(value).ok().and_then(|s| s.parse().ok())
                            }
                            _ => {}
                        }
                    }
                    continue;
                }
                Some(b'g' | b'K') => continue,
                _ => EntryKind::Special,
            };
            let path = long_name
                .take()
                .unwrap_or_else(|| header.path_bytes().into_owned());
            let path = String::from_utf8_lossy(&path).into_owned();
            self.last.clone_from(&path);
            let modified = header.mtime().ok().and_then(|t| i64::try_from(t).ok());
            return Ok(Some(Head {
                path,
                kind,
                size,
                modified,
            }));
        }
        Ok(None)
    }

    fn header(&mut self) -> Result<Option<tar::Header>, ImportError> {
        let mut header = tar::Header::new_old();
        let filled = fill(&mut self.inner, header.as_mut_bytes()).map_err(|cause| self.read_error(cause))?;
        if filled == 0 {
            // Some programs write no end blocks; every entry before was whole.
            return Ok(None);
        }
        if filled < BLOCK {
            return Err(self.damaged("it is cut off"));
        }
        self.count(BLOCK as u64)?;
        let bytes = header.as_bytes();
        if bytes.iter().all(|b| *b == 0) {
            return Ok(None);
        }
        let sum: u32 = bytes
            .iter()
            .enumerate()
            .map(|(i, b)| {
                if (148..156).contains(&i) {
                    32
                } else {
                    u32::from(*b)
                }
            })
            .sum();
        if header.cksum().ok() != Some(sum) {
            return Err(self.damaged("a header's checksum is wrong"));
        }
        Ok(Some(header))
    }

    fn extension(&mut self) -> Result<Vec<u8>, ImportError> {
        if self.left > EXTENSION_MAX {
            return Err(ImportError::Limit {
                limit: EXTENSION_MAX,
                what: "bytes in one extended header",
            });
        }
        let mut bytes = vec![0; usize::try_from(self.left).unwrap_or(0)];
        let wanted = bytes.len();
        let filled = fill(&mut self.inner, &mut bytes).map_err(|cause| self.read_error(cause))?;
        if filled < wanted {
            return Err(self.damaged("it is cut off"));
        }
        self.count(self.left)?;
        self.left = 0;
        Ok(bytes)
    }

    fn skip(&mut self, mut amount: u64) -> Result<(), ImportError> {
        let mut scratch = [0; 8192];
        while amount > 0 {
            let wanted = usize::try_from(amount).unwrap_or(usize::MAX).min(scratch.len());
            let Some(room) = scratch.get_mut(..wanted) else {
                break;
            };
            let n = fill(&mut self.inner, room).map_err(|cause| self.read_error(cause))?;
            if n < wanted {
                return Err(self.damaged("it is cut off"));
            }
            self.count(n as u64)?;
            amount -= n as u64;
        }
        Ok(())
    }

    fn count(&mut self, bytes: u64) -> Result<(), ImportError> {
        self.unpacked += bytes;
        if self.unpacked > UNPACKED_MAX {
            return Err(ImportError::Limit {
                limit: UNPACKED_MAX,
                what: "bytes when unpacked",
            });
        }
        Ok(())
    }

    fn damaged(&self, reason: &'static str) -> ImportError {
        let place = if self.last.is_empty() {
            "at its beginning".to_owned()
        } else {
            format!(
                "in or after `{}`",
                self.last.chars().take(256).collect::<String>()
            )
        };
        ImportError::Damaged { place, reason }
    }

    fn read_error(&self, cause: io::Error) -> ImportError {
        match cause.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged("it is cut off"),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => {
                self.damaged("its compressed data is not valid")
            }
            _ => ImportError::Read {
                name: self.last.clone(),
                cause,
            },
        }
    }
}

impl<R: Read> Read for TarReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buf.len());
        let Some(room) = buf.get_mut(..wanted).filter(|room| !room.is_empty()) else {
            return Ok(0);
        };
        let n = self.inner.read(room)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= n as u64;
        self.count(n as u64)
            .map_err(|e| io::Error::new(io::ErrorKind::FileTooLarge, e.to_string()))?;
        Ok(n)
    }
}

/// Reads until `buf` is full or the input ends.
fn fill(reader: &mut impl Read, buf: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

/// The `length key=value\n` fields of a pax extended header (POSIX.1-2001), as far as they are well-formed.
fn pax_fields(mut bytes: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut fields = Vec::new();
    while let Some(space) = bytes.iter().position(|b| *b == b' ') {
        let length = bytes
            .get(..space)
            .and_then(|d| std::str::from_utf8(d).ok())
            .and_then(|d| d.parse::<usize>().ok());
        let Some((field, rest)) = length.and_then(|n| bytes.split_at_checked(n)) else {
            break;
        };
        let Some(body) = field.get(space + 1..).and_then(|f| f.strip_suffix(b"\n")) else {
            break;
        };
        if let Some(equals) = body.iter().position(|b| *b == b'=')
            && let (Some(key), Some(value)) = (body.get(..equals), body.get(equals + 1..))
        {
            fields.push((key, value));
        }
        bytes = rest;
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file, behind an extended header that says how large it is, and another file.
    fn claiming(size: u64) -> Vec<u8> {
        let record = |length: usize| format!("{length} size={size}\n");
        let record = record(record(10).len());
        let mut tar = Vec::new();
        for (kind, content) in [(b'x', record.as_str()), (b'0', "abc"), (b'0', "abc")] {
            let mut header = tar::Header::new_ustar();
            header.set_path("a").unwrap();
            header.set_entry_type(tar::EntryType::new(kind));
            header.set_size(content.len() as u64);
            header.set_cksum();
            tar.extend_from_slice(header.as_bytes());
            tar.extend_from_slice(content.as_bytes());
            tar.resize(tar.len().next_multiple_of(BLOCK), 0);
        }
        tar
    }

    #[test]
    fn a_size_is_followed_to_the_archives_end_whatever_it_is() {
        let tar = claiming(3);
        let mut reader = TarReader::new(tar.as_slice());
        for _ in 0..2 {
            assert_eq!(reader.next_head().unwrap().unwrap().size, 3);
        }
        assert_eq!(reader.next_head().unwrap(), None);
        // With its padding, the first of these is a number that needs more than 64 bits.
        for size in [u64::MAX, u64::MAX - BLOCK as u64 + 1, 1 << 60] {
            let tar = claiming(size);
            let mut reader = TarReader::new(tar.as_slice());
            assert_eq!(reader.next_head().unwrap().unwrap().size, size);
            assert!(
                matches!(reader.next_head(), Err(ImportError::Damaged { .. })),
                "{size}"
            );
        }
    }
}
