//! The keyholder's own log: one line of JSON for each request, each naming the hash of the line before it, on the disk before
//! the answer leaves.

use std::{
    io::{BufRead as _, BufReader, Seek as _, Write as _},
    path::Path,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::wire::Ask;
use crate::keys::{KeyPlace, Reason};

/// Longest line, in bytes.
pub const LINE_BYTES_MAX: u64 = 16 * 1024;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its number, from 0.
    pub seq: u64,
    /// Hash of the line before it: SHA-256 over `amparo/keyholder-log/v1`, a newline and the line without its end; 64 zeros
    /// for the first.
    pub before: String,
    /// When it was answered, by the keyholder's clock.
    pub at: Timestamp,
    /// Which gate asked: its public key, base64.
    pub gate: String,
    /// What was asked.
    pub ask: Ask,
    /// Where the key belongs.
    pub place: KeyPlace,
    /// Why it was wanted.
    pub reason: Reason,
    /// SHA-256 of the request, hex.
    pub request: String,
    /// What was answered: `given`, `denied: ...`, `waiting: ...`, `not here`, `stale`, `replayed`.
    pub outcome: String,
}

/// Why the log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file cannot be read or written.
    #[error("the keyholder's log cannot be read or written")]
    File(#[from] std::io::Error),
    /// A line would be longer than [`LINE_BYTES_MAX`].
    #[error("a line of more than {LINE_BYTES_MAX} bytes is not written to the keyholder's log")]
    TooLong,
    /// A line is not what was written.
    #[error(
        "line {line} of the keyholder's log does not follow from the one before it: it was altered, or lines are missing"
    )]
    Broken {
        /// Its number, from 1.
        line: u64,
    },
}

/// The log, open for appending.
pub struct Ledger {
    file: std::fs::File,
    next: u64,
    head: [u8; 32],
    /// Where the whole lines end: what a failed append left after it is cut off before the next.
    end: u64,
}

/// How far a log goes, and its last line's hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Whole lines.
    pub lines: u64,
    /// The last one's hash.
    pub hash: [u8; 32],
    bytes: u64,
}

fn hash(line: &[u8]) -> [u8; 32] {
    Sha256::new_with_prefix(b"amparo/keyholder-log/v1\n")
        .chain_update(line)
        .finalize()
        .into()
}

/// Checks a log from its first line to its last whole one, and shows each.
///
/// # Errors
/// When it cannot be read, or a line does not follow.
pub fn check(path: &Path, mut see: impl FnMut(&Entry)) -> Result<Head, LedgerError> {
    use std::io::Read as _;
    let mut head = Head {
        lines: 0,
        hash: [0; 32],
        bytes: 0,
    };
    let mut file = match std::fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(head),
        file => BufReader::new(file?),
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut file).take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        let broken = || LedgerError::Broken { line: head.lines + 1 };
        let Some(text) = line.strip_suffix(b"\n") else {
            // A crash in the middle of a line: it was never answered.
            return match u64::try_from(read).is_ok_and(|read| read < LINE_BYTES_MAX) {
                true => Ok(head),
                false => Err(broken()),
            };
        };
        let entry: Entry = serde_json::from_slice(text).map_err(|_| broken())?;
        if entry.seq != head.lines || entry.before != hex::encode(head.hash) {
            return Err(broken());
        }
        see(&entry);
        head = Head {
            lines: head.lines + 1,
            hash: hash(text),
            bytes: head.bytes + u64::try_from(read).unwrap_or(0),
        };
    }
}

impl Ledger {
    /// Opens the log, checks all of it and shows each line. A last line that a crash cut is cut off.
    ///
    /// # Errors
    /// When it cannot be read, or does not hold.
    pub fn open(path: &Path, see: impl FnMut(&Entry)) -> Result<Self, LedgerError> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let head = check(path, see)?;
        let file = std::fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path)?;
        Ok(Self {
            file,
            next: head.lines,
            head: head.hash,
            end: head.bytes,
        })
    }

    /// Whether it has no line yet.
    pub fn is_empty(&self) -> bool {
        self.next == 0
    }

    /// Appends a line; it is on the disk when this returns. `seq` and `before` are filled in.
    ///
    /// # Errors
    /// When it cannot be written, or is longer than [`check`] would read; nothing may be answered then.
    pub fn append(&mut self, mut entry: Entry) -> Result<(), LedgerError> {
        entry.seq = self.next;
        entry.before = hex::encode(self.head);
        let mut line = serde_json::to_vec(&entry).map_err(std::io::Error::from)?;
        let hash = hash(&line);
        line.push(b'\n');
        if !u64::try_from(line.len()).is_ok_and(|length| length <= LINE_BYTES_MAX) {
            return Err(LedgerError::TooLong);
        }
        self.file.set_len(self.end)?;
        self.file.seek(std::io::SeekFrom::Start(self.end))?;
        self.file.write_all(&line)?;
        self.file.sync_data()?;
        self.next += 1;
        self.head = hash;
        self.end += u64::try_from(line.len()).unwrap_or(0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(outcome: &str) -> Entry {
        Entry {
            seq: 0,
            before: String::new(),
            at: "2026-11-22T10:00:00Z".parse().unwrap(),
            gate: "k".into(),
            ask: Ask::Unwrap,
            place: KeyPlace::tenant("eu-de", "contoso"),
            reason: Reason::Transfer { matter: "m".into() },
            request: "00".into(),
            outcome: outcome.into(),
        }
    }

    #[test]
    fn a_line_altered_removed_or_cut_shows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        for outcome in ["given", "denied: no", "given"] {
            // Opened anew each time, as after a restart.
            Ledger::open(&path, |_| {})
                .unwrap()
                .append(entry(outcome))
                .unwrap();
        }
        let whole = std::fs::read_to_string(&path).unwrap();
        let mut seen = Vec::new();
        assert_eq!(
            check(&path, |entry| seen.push(entry.outcome.clone()))
                .unwrap()
                .lines,
            3
        );
        assert_eq!(seen, ["given", "denied: no", "given"]);

        std::fs::write(&path, whole.replace("denied: no", "given")).unwrap();
        assert!(matches!(
            Ledger::open(&path, |_| {}),
            Err(LedgerError::Broken { line: 3 })
        ));
        let without: Vec<_> = whole
            .lines()
            .enumerate()
            .filter(|(n, _)| *n != 1)
            .map(|(_, l)| l)
            .collect();
        std::fs::write(&path, format!("{}\n", without.join("\n"))).unwrap();
        assert!(matches!(
            Ledger::open(&path, |_| {}),
            Err(LedgerError::Broken { line: 2 })
        ));

        // A crash in the middle of a line.
        std::fs::write(&path, format!("{whole}{{\"seq\":3,\"bef")).unwrap();
        let mut ledger = Ledger::open(&path, |_| {}).unwrap();
        ledger.append(entry("stale")).unwrap();
        // What its own check could not read is never written.
        let long = "x".repeat(usize::try_from(LINE_BYTES_MAX).unwrap());
        assert!(matches!(ledger.append(entry(&long)), Err(LedgerError::TooLong)));
        ledger.append(entry("given")).unwrap();
        assert_eq!(check(&path, |_| {}).unwrap().lines, 5);
    }
}
