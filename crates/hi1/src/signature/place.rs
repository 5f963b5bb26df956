//! Where a message's signature stands in its bytes.

use std::ops::Range;

/// Where the two texts of a signature stand, without their quotation marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) protected: Range<usize>,
    pub(super) signature: Range<usize>,
}

impl Places {
    /// What stands at one of them.
    pub(super) fn text<'a>(&self, message: &'a [u8], place: &Range<usize>) -> &'a [u8] {
        message.get(place.clone()).unwrap_or_default()
    }

    /// The message with both empty.
    pub(super) fn emptied(&self, message: &[u8]) -> Vec<u8> {
        let (first, second) = if self.protected.start < self.signature.start {
            (&self.protected, &self.signature)
        } else {
            (&self.signature, &self.protected)
        };
        let kept = [0..first.start, first.end..second.start, second.end..message.len()];
        kept.iter()
            .flat_map(|range| message.get(range.clone()).unwrap_or_default())
            .copied()
            .collect()
    }
}

/// Finds `Signature.protected` and `Signature.signature` of the outermost object, where both names and texts are written
/// without an escape. `message` is one JSON document with no key twice in an object: the caller has read it.
pub(super) fn of(message: &[u8]) -> Option<Places> {
    let (mut depth, mut at) = (0_usize, 0_usize);
    let (mut signature, mut member): (bool, &[u8]) = (false, b"");
    let (mut protected, mut value) = (None, None);
    while let Some(byte) = message.get(at) {
        match byte {
            b'{' | b'[' => {
                depth = depth.checked_add(1)?;
                member = b"";
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                member = b"";
            }
            b'"' => {
                let place = string(message, at)?;
                at = place.end;
                let text = message.get(place.clone())?;
                match (depth, is_key(message, place.end), signature) {
                    (1, true, _) => signature = text == b"Signature",
                    (2, true, true) => member = text,
                    (2, false, true) if member == b"protected" => protected = Some(place),
                    (2, false, true) if member == b"signature" => value = Some(place),
                    _ => {}
                }
            }
            _ => {}
        }
        at = at.checked_add(1)?;
    }
    Some(Places {
        protected: protected?,
        signature: value?,
    })
}

/// The inside of the text whose first quotation mark stands at `at`.
fn string(message: &[u8], at: usize) -> Option<Range<usize>> {
    let start = at.checked_add(1)?;
    let mut end = start;
    loop {
        match message.get(end)? {
            b'"' => return Some(start..end),
            b'\\' => end = end.checked_add(2)?,
            _ => end = end.checked_add(1)?,
        }
    }
}

/// Whether a colon follows the text whose last quotation mark stands at `end`.
fn is_key(message: &[u8], end: usize) -> bool {
    let after = message.get(end.saturating_add(1)..).unwrap_or_default();
    after
        .iter()
        .find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
        == Some(&b':')
}
