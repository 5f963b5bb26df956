//! The package's file: built by the evidence crate, encrypted on its way to the disk, and under its final name only when
//! it is whole.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use casework::{
    event::Event,
    ids::{Digest, ObjectId, RecordId},
    record::ReleaseRecord,
};
use envelope::{content::Opening, keys::ObjectKey};
use evidence::{
    pack::{PackError, PackageInput, finish_sealed, start_sealed},
    statement::ObjectDetail,
};
use futures::StreamExt;
use jiff::Timestamp;
use sha2::Digest as _;
use tokio::sync::mpsc;

use super::flagging::{Flagging, Flags};
use crate::{
    app::{
        DeskError, Result,
        ports::{Issued, PortError, VaultPort},
    },
    paper::PaperReader,
};

/// Pieces of plaintext between the vault's stream and the writer: what bounds the memory of a release.
const PIECES_IN_FLIGHT_MAX: usize = 8;

/// What goes into a package beside the objects.
pub(super) struct Paper {
    pub(super) sender: String,
    pub(super) made_at: Timestamp,
    pub(super) record: ReleaseRecord,
    pub(super) events: Vec<Event>,
    pub(super) issued: Issued,
}

enum Piece {
    Bytes(Bytes),
    EndOfObject,
}

/// The file's name once it is whole.
pub(super) fn final_name(record: RecordId) -> String {
    format!("{record}.tar.age")
}

fn temporary(directory: &Path, record: RecordId) -> PathBuf {
    directory.join(format!(".{record}.part"))
}

/// Writes the encrypted package under its temporary name and syncs it to the disk; gives its digest and size, and what
/// `papers` found that somebody must know of it.
pub(super) async fn write(
    directory: &Path,
    paper: Paper,
    vault: &dyn VaultPort,
    keys: &BTreeMap<ObjectId, ObjectKey>,
    papers: PaperReader,
) -> Result<(Digest, u64, Flags)> {
    let key_of = |object: ObjectId| {
        keys.get(&object).ok_or_else(|| {
            DeskError::from(PortError {
                part: "gate",
                reason: format!("it did not open the key of object `{object}`"),
            })
        })
    };
    let objects = paper.record.objects.clone();
    let mut details = Vec::with_capacity(objects.len());
    for object in &objects {
        let key = key_of(object.object)?;
        let described = vault.describe(object, key).await?;
        let opening =
            Opening::of(key).map_err(|_| failed("the opening of a commitment could not be derived"))?;
        details.push(ObjectDetail {
            object: object.object,
            name: described.name,
            content_type: described.content_type,
            parts: described.parts,
            opening: Digest(*opening.as_bytes()),
        });
    }
    let (pieces, incoming) = mpsc::channel(PIECES_IN_FLIGHT_MAX);
    let path = temporary(directory, paper.record.id);
    let writer = tokio::task::spawn_blocking(move || build(&path, paper, details, incoming));
    let mut cut_off = None;
    let mut flagging = Flagging::new(papers);
    'objects: for object in &objects {
        flagging.begin(object);
        let mut body = vault.read(object, key_of(object.object)?).await?;
        while let Some(next) = body.next().await {
            match next {
                Ok(bytes) => {
                    flagging.pass(&bytes);
                    if pieces.send(Piece::Bytes(bytes)).await.is_err() {
                        break 'objects; // The writer failed; its own error says why.
                    }
                }
                Err(error) => {
                    cut_off = Some(error);
                    break 'objects;
                }
            }
        }
        if pieces.send(Piece::EndOfObject).await.is_err() {
            break;
        }
        flagging.end().await;
    }
    drop(pieces);
    let written = writer
        .await
        .map_err(|_| failed("the package writer was stopped"))?;
    match cut_off {
        Some(error) => Err(error.into()),
        None => written.map(|(digest, size)| (digest, size, flagging.found())),
    }
}

fn build(
    path: &Path,
    paper: Paper,
    details: Vec<ObjectDetail>,
    mut incoming: mpsc::Receiver<Piece>,
) -> Result<(Digest, u64)> {
    let count = details.len();
    let Paper {
        sender,
        made_at,
        record,
        events,
        issued,
    } = paper;
    let input = PackageInput {
        sender,
        made_at,
        record,
        events,
        salt: issued.salt,
        receipt: issued.receipt,
        details,
    };
    let file = File::create(path).map_err(|source| DeskError::PackageFile {
        what: "write",
        source,
    })?;
    let mut builder = start_sealed(input, BufWriter::new(file)).map_err(|error| pack(&error))?;
    for _ in 0..count {
        let mut object = builder.object().map_err(|error| pack(&error))?;
        loop {
            match incoming.blocking_recv() {
                Some(Piece::Bytes(bytes)) => object.write(&bytes).map_err(|error| pack(&error))?,
                Some(Piece::EndOfObject) => break,
                None => return Err(failed("the vault's stream was cut off")),
            }
        }
        object.end().map_err(|error| pack(&error))?;
    }
    let (buffer, measure) = finish_sealed(builder).map_err(|error| pack(&error))?;
    let file = buffer.into_inner().map_err(|error| DeskError::PackageFile {
        what: "write",
        source: error.into_error(),
    })?;
    file.sync_all()
        .map_err(|source| DeskError::PackageFile { what: "sync", source })?;
    Ok((measure.sha256, measure.size))
}

/// Brings the package under its final name, if it is there under either and is the one with `digest`. Safe to repeat.
pub(super) async fn settle(directory: &Path, record: RecordId, digest: Digest) -> Result<bool> {
    let (part, whole) = (temporary(directory, record), directory.join(final_name(record)));
    let directory = directory.to_owned();
    blocking(move || {
        if digest_of(&whole)? == Some(digest) {
            return Ok(true);
        }
        if digest_of(&part)? != Some(digest) {
            return Ok(false);
        }
        std::fs::rename(&part, &whole)?;
        File::open(&directory)?.sync_all()?;
        Ok(true)
    })
    .await
}

/// Removes the package under either name.
pub(super) async fn destroy(directory: &Path, record: RecordId) -> Result<()> {
    let (part, whole) = (temporary(directory, record), directory.join(final_name(record)));
    let directory = directory.to_owned();
    blocking(move || {
        for path in [part, whole] {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        File::open(&directory)?.sync_all()
    })
    .await
}

fn digest_of(path: &Path) -> io::Result<Option<Digest>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut hasher = sha2::Sha256::new();
    io::copy(&mut file, &mut hasher)?;
    Ok(Some(Digest(hasher.finalize().into())))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| failed("the file work was stopped"))?
        .map_err(|source| DeskError::PackageFile {
            what: "settle",
            source,
        })
}

fn pack(error: &PackError) -> DeskError {
    failed(&error.to_string())
}

fn failed(reason: &str) -> DeskError {
    PortError {
        part: "package",
        reason: reason.to_owned(),
    }
    .into()
}
