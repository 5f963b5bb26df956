//! Signed notes, checkpoints and verifier keys: what parses formats back to the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use translog::{
    Checkpoint,
    note::{Note, VerifierKey},
};

fuzz_target!(|text: &str| {
    if let Ok(note) = Note::parse(text) {
        assert_eq!(note.to_string(), text);
        if let Ok(checkpoint) = Checkpoint::parse(note.text()) {
            assert_eq!(checkpoint.to_string(), note.text());
        }
    }
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(key.to_string(), text);
    }
});
