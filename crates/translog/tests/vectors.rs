//! Other people's vectors: RFC 6962 proofs, the specifications' examples, a log that another program wrote.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test says what is wrong by failing, and reads the vectors itself"
)]

mod fixture;

use std::{fs, io, path::PathBuf};

use translog::{
    Checkpoint, Hash,
    audit::{AuditError, audit},
    merkle,
    note::{Note, VerifierKey},
    policy::Policy,
    tile::TileId,
    tree::TileReader,
};

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inclusion {
    leaf_idx: u64,
    tree_size: u64,
    root: Option<String>,
    leaf_hash: Option<String>,
    proof: Option<Vec<String>>,
    desc: String,
    want_err: bool,
}

#[test]
fn rfc6962_inclusion_vectors() {
    let Some(dir) = fixture::data("vectors/merkle/inclusion") else {
        return;
    };
    let mut cases = 0;
    let mut folders = vec![dir];
    while let Some(folder) = folders.pop() {
        for file in fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let case: Inclusion = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            cases += 1;
            // A hash that is not 32 bytes is refused when it is read.
            let hash = |text: &Option<String>| Hash::from_base64(text.as_deref().unwrap_or_default());
            let path_hashes: Option<Vec<Hash>> = case
                .proof
                .unwrap_or_default()
                .iter()
                .map(|h| Hash::from_base64(h))
                .collect();
            let holds = match (hash(&case.leaf_hash), hash(&case.root), path_hashes) {
                (Some(leaf), Some(root), Some(proof)) => {
                    merkle::check_inclusion(&leaf, case.leaf_idx, case.tree_size, &root, &proof).is_ok()
                }
                _ => false,
            };
            assert_eq!(holds, !case.want_err, "{}: {}", path.display(), case.desc);
        }
    }
    assert!(cases > 90, "only {cases} cases");
}

/// The lines of a specification's example: an indented or fenced block that begins with `first`.
fn example(spec: &str, first: &str) -> Option<String> {
    let path = fixture::data(&format!("vectors/c2sp-specs/{spec}"))?;
    let text = fs::read_to_string(path).unwrap();
    let start = text.find(&format!("```\n{first}")).unwrap() + 4;
    let end = start + text[start..].find("```").unwrap();
    Some(text[start..end].to_owned())
}

#[test]
fn signed_note_example_verifies() {
    let Some(note) = example("signed-note.md", "This is an example") else {
        return;
    };
    let key = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    let parsed = VerifierKey::parse(key).unwrap();
    assert_eq!(parsed.to_string(), key);
    let signed = Note::parse(&note).unwrap();
    assert_eq!(signed.to_string(), note);
    assert_eq!(signed.signed_by(&parsed), Ok(true));
    let changed = Note::parse(&note.replace("example message", "Example message")).unwrap();
    assert!(changed.signed_by(&parsed).is_err());
}

#[test]
fn cosigned_checkpoint_example_reads_back() {
    let Some(note) = example("tlog-cosignature.md", "example.com/behind-the-sofa") else {
        return;
    };
    let signed = Note::parse(&note).unwrap();
    assert_eq!(signed.to_string(), note);
    assert_eq!(signed.signatures().len(), 2);
    let checkpoint = Checkpoint::parse(signed.text()).unwrap();
    assert_eq!(
        (checkpoint.origin.as_str(), checkpoint.size),
        ("example.com/behind-the-sofa", 20_852_163)
    );
    assert_eq!(checkpoint.to_string(), signed.text());
    // The time in the example's cosignature is the one in its signed message.
    let time: [u8; 8] = signed.signatures()[1].bytes()[..8].try_into().unwrap();
    assert_eq!(u64::from_be_bytes(time), 1_679_315_147);
}

struct Directory(PathBuf);
impl TileReader for Directory {
    type Error = io::Error;
    fn read(&self, id: &TileId) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.0.join(id.to_string())) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }
}

const TESSERA_KEY: &str = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";

/// The log and its checkpoints, newest first.
fn tessera() -> Option<(Directory, Vec<String>)> {
    let dir = fixture::data("vectors/tessera-log/testdata/log")?;
    let mut notes = vec![fs::read_to_string(dir.join("checkpoint")).unwrap()];
    for size in 0..=15 {
        notes.extend(fs::read_to_string(dir.join(format!("checkpoint.{size}"))));
    }
    Some((Directory(dir), notes))
}

#[test]
fn a_log_written_by_another_program_holds() {
    let Some((directory, notes)) = tessera() else {
        return;
    };
    let policy = Policy::parse(&format!("log {TESSERA_KEY}\nquorum none\n")).unwrap();
    let mut seen = Vec::new();
    let audited = audit(&directory, &policy, &notes[0], &notes[1..], |index, entry| {
        seen.push((index, entry.to_vec()));
    })
    .unwrap();
    assert_eq!(audited.checkpoint().size, 15);
    assert_eq!(audited.earlier(), 16);
    assert_eq!(seen.len(), 15);
    assert!(seen.iter().enumerate().all(|(n, (index, _))| n as u64 == *index));
}

#[test]
fn a_changed_byte_in_another_programs_log_is_found() {
    struct Changed(Directory, TileId, usize);
    impl TileReader for Changed {
        type Error = io::Error;
        fn read(&self, id: &TileId) -> io::Result<Option<Vec<u8>>> {
            let bytes = self.0.read(id)?;
            Ok(bytes.map(|mut bytes| {
                if *id == self.1 {
                    bytes[self.2] ^= 1;
                }
                bytes
            }))
        }
    }
    let Some((_, notes)) = tessera() else { return };
    let policy = Policy::parse(&format!("log {TESSERA_KEY}\nquorum none\n")).unwrap();
    for name in ["tile/entries/000.p/15", "tile/0/000.p/15"] {
        let id = TileId::parse(name).unwrap();
        let length = tessera().unwrap().0.read(&id).unwrap().unwrap().len();
        for at in 0..length {
            let reader = Changed(tessera().unwrap().0, id, at);
            assert!(audit(&reader, &policy, &notes[0], &notes[1..], |_, _| ()).is_err());
        }
    }
}

#[test]
fn a_signed_fork_is_found() {
    let log = fixture::Memory::default();
    let small = log.add(&fixture::entries(0, 300));
    let honest = fixture::sign(&small, 2);
    let newest = fixture::sign(&log.add(&fixture::entries(300, 500)), 2);
    let policy = fixture::policy();
    let audited = audit(&log, &policy, &newest, std::slice::from_ref(&honest), |_, _| ()).unwrap();
    assert_eq!(audited.checkpoint().size, 800);
    let forked = Checkpoint {
        root: Hash([7; 32]),
        ..small
    };
    let fault = audit(
        &log,
        &policy,
        &newest,
        &[honest, fixture::sign(&forked, 2)],
        |_, _| (),
    );
    assert!(matches!(fault, Err(AuditError::Fork { size: 300, .. })));
}
