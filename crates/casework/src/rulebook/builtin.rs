//! The rulebook in this program: the files of `rulebooks/`, as they were when it was built.

use std::sync::LazyLock;

use super::Rulebook;

/// Path and bytes of every file, by path; `build.rs` lists them, so that a new country is a new folder and no code.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/rulebook_files.rs"));

static RULEBOOK: LazyLock<Rulebook> = LazyLock::new(|| {
    let files: Vec<(String, Vec<u8>)> = FILES
        .iter()
        .map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec()))
        .collect();
    match Rulebook::load(&files) {
        Ok(rulebook) => rulebook,
        #[allow(
            clippy::panic,
            reason = "the files are part of the program, and a test of this crate loads them"
        )]
        Err(error) => panic!("this program was built with a broken rulebook: {error}"),
    }
});

pub(super) fn rulebook() -> &'static Rulebook {
    &RULEBOOK
}
