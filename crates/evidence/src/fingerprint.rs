//! An object's content, hashed on its way through: as one file, and part by part as it was stored.

use casework::ids::Digest;
use envelope::content::ContentDigest;
use sha2::{Digest as _, Sha256};

/// What an object's bytes come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Print {
    /// SHA-256 of the file.
    pub(crate) sha256: Digest,
    /// What the commitment is over.
    pub(crate) content: [u8; 32],
}

/// Hashes one object of known part lengths.
pub(crate) struct Fingerprint<'a> {
    /// Over the whole; `None` for a single part, whose hash is the whole's.
    whole: Option<Sha256>,
    part: Sha256,
    length: u64,
    left: u64,
    parts: std::slice::Iter<'a, u64>,
    content: ContentDigest,
}

impl<'a> Fingerprint<'a> {
    /// Starts on an object of these parts, at least one.
    pub(crate) fn new(parts: &'a [u64]) -> Self {
        let mut iter = parts.iter();
        let first = iter.next().copied().unwrap_or(0);
        Self {
            whole: (parts.len() > 1).then(Sha256::new),
            part: Sha256::new(),
            length: first,
            left: first,
            parts: iter,
            content: ContentDigest::default(),
        }
    }

    /// Takes the next bytes. Bytes beyond the last part are not taken, and returned.
    pub(crate) fn update<'b>(&mut self, mut bytes: &'b [u8]) -> &'b [u8] {
        while !bytes.is_empty() {
            if self.left == 0 && !self.next_part() {
                break;
            }
            let take = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            let Some((now, rest)) = bytes.split_at_checked(take) else {
                break;
            };
            self.part.update(now);
            if let Some(whole) = &mut self.whole {
                whole.update(now);
            }
            self.left -= now.len() as u64;
            bytes = rest;
        }
        bytes
    }

    /// Ends the object; `None` where bytes are missing.
    pub(crate) fn finish(mut self) -> Option<Print> {
        loop {
            if self.left > 0 {
                return None;
            }
            if self.parts.as_slice().is_empty() {
                break;
            }
            self.next_part();
        }
        let last: [u8; 32] = self.part.finalize().into();
        self.content.part(self.length, &last);
        let sha256 = self.whole.map_or(last, |whole| whole.finalize().into());
        Some(Print {
            sha256: Digest(sha256),
            content: self.content.finish(),
        })
    }

    /// Closes the current part and opens the next; false where there is none.
    fn next_part(&mut self) -> bool {
        let Some(next) = self.parts.next() else {
            return false;
        };
        let hash: [u8; 32] = self.part.finalize_reset().into();
        self.content.part(self.length, &hash);
        (self.length, self.left) = (*next, *next);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn print(parts: &[u64], body: &[u8], chunk: usize) -> Option<Print> {
        let mut fingerprint = Fingerprint::new(parts);
        for piece in body.chunks(chunk) {
            assert!(fingerprint.update(piece).is_empty());
        }
        fingerprint.finish()
    }

    proptest! {
        #[test]
        fn the_digest_does_not_depend_on_how_bytes_arrive(
            parts in prop::collection::vec(0_u64..200, 1..6), chunk in 1_usize..300,
        ) {
            let body: Vec<u8> = (0..parts.iter().sum()).map(|n| u8::try_from(n % 251).unwrap()).collect();
            let mut expected = ContentDigest::default();
            let mut rest = body.as_slice();
            for length in &parts {
                let (part, after) = rest.split_at(usize::try_from(*length).unwrap());
                expected.part(*length, &Digest::of(&[part]).0);
                rest = after;
            }
            let found = print(&parts, &body, chunk).unwrap();
            prop_assert_eq!(found.sha256, Digest::of(&[&body]));
            prop_assert_eq!(found.content, expected.finish());
            if let Some(short) = body.split_last() {
                prop_assert_eq!(print(&parts, short.1, chunk), None);
            }
            let mut over = Fingerprint::new(&parts);
            over.update(&body);
            prop_assert_eq!(over.update(b"x"), b"x");
        }
    }
}
