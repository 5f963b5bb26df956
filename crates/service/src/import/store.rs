//! Putting what was found into the vault.

use std::io::Read as _;

use bytes::Bytes;
use casework::{demand::Category, ids::AccountId};
use futures::{StreamExt as _, stream};
use serde::Serialize;
use tokio::sync::mpsc;

use super::{
    ImportError, RawMessage, Source,
    date::{Dated, UNDATED_AT},
    entries::{Entries, Entry, PassedOver},
    messages,
};
use crate::vault::{ContentHeaders, Placement, Principal, PutOptions, Vault};

/// Messages stored side by side, so that their writes to disk are shared.
const IN_FLIGHT: usize = 8;
/// Messages read ahead.
const READ_AHEAD: usize = 2;
/// Bytes of a file read at once.
const CHUNK: usize = 256 * 1024;
/// Where a message's instant came from, in its user metadata.
const META_DATED: &str = "amparo-dated";

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Objects stored.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What an import did. Every message of the source is in `stored` or in `passed`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Objects stored.
    pub stored: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Of those, dated by their `Date` field.
    pub dated_by_date: u64,
    /// Dated by their first `Received` field.
    pub dated_by_received: u64,
    /// Dated by the mbox line before them.
    pub dated_by_mbox_line: u64,
    /// Without any date: stored under 1970-01-01, where no window of time finds them by accident.
    pub undated: u64,
    /// Dated by their file, for plain files.
    pub dated_by_file: u64,
    /// Not readable as mail, and stored all the same.
    pub broken: u64,
    /// Not stored.
    pub passed: PassedOver,
}

impl ImportReport {
    fn add(&mut self, how: Option<Dated>, broken: bool, bytes: u64) {
        self.stored += 1;
        self.bytes += bytes;
        self.broken += u64::from(broken);
        match how {
            Some(Dated::Date) => self.dated_by_date += 1,
            Some(Dated::Received) => self.dated_by_received += 1,
            Some(Dated::MboxLine) => self.dated_by_mbox_line += 1,
            Some(Dated::Undated) => self.undated += 1,
            None => self.dated_by_file += 1,
        }
    }
}

/// Stores every message of a source as `mail/{account}/...eml`, content of that account, under its own date.
///
/// # Errors
/// When the source or the vault fails. Messages stored before stay; importing again replaces them by the same.
pub async fn import_mail(
    vault: &Vault,
    who: &Principal,
    bucket: &str,
    account: &AccountId,
    source: Source,
    progress: &mut dyn FnMut(Progress),
) -> Result<ImportReport, ImportError> {
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    let reader = tokio::task::spawn_blocking(move || -> Result<PassedOver, ImportError> {
        let mut found = messages(&source)?;
        for message in found.by_ref() {
            if sender.blocking_send(message?).is_err() {
                break;
            }
        }
        Ok(found.passed())
    });
    let incoming = stream::unfold(receiver, |mut r| async move { r.recv().await.map(|m| (m, r)) });
    let stored = incoming
        .map(|m| put_message(vault, who, bucket, account, m))
        .buffer_unordered(IN_FLIGHT);
    let mut stored = Box::pin(stored);
    let mut report = ImportReport::default();
    while let Some(done) = stored.next().await {
        let (how, broken, bytes) = done?;
        report.add(Some(how), broken, bytes);
        progress(Progress {
            objects: report.stored,
            bytes: report.bytes,
        });
    }
    drop(stored);
    report.passed = reader.await.map_err(|_| ImportError::Stopped)??;
    Ok(report)
}

async fn put_message(
    vault: &Vault,
    who: &Principal,
    bucket: &str,
    account: &AccountId,
    message: RawMessage,
) -> Result<(Dated, bool, u64), ImportError> {
    let key = mail_key(account, &message);
    let size = message.bytes.len() as u64;
    let options = mail_options(account, &message);
    let body = stream::iter([Ok::<_, std::io::Error>(Bytes::from(message.bytes))]);
    vault
        .put(who, bucket, &key, options, body)
        .await
        .map_err(|e| ImportError::Store {
            name: message.name,
            cause: Box::new(e),
        })?;
    Ok((message.how_dated, message.broken, size))
}

/// The key under which a message of `account` is stored.
pub fn mail_key(account: &AccountId, message: &RawMessage) -> String {
    format!("mail/{account}/{}", message.object)
}

/// How a message of `account` is stored: content, under its own date.
pub fn mail_options(account: &AccountId, message: &RawMessage) -> PutOptions {
    PutOptions {
        headers: ContentHeaders {
            content_type: Some("message/rfc822".to_owned()),
            ..ContentHeaders::default()
        },
        user_metadata: [(META_DATED.to_owned(), message.how_dated.as_str().to_owned())].into(),
        placement: Placement {
            account: Some(account.clone()),
            category: Some(Category::Content),
            concerns_at: Some(message.date.unwrap_or(UNDATED_AT)),
        },
        content_length: Some(message.bytes.len() as u64),
        ..PutOptions::default()
    }
}

/// One step of a file on its way from the reading thread.
enum Piece {
    Begin(Entry),
    Bytes(Bytes),
    End,
}

/// Stores every file of a source as `files/{account}/...`, content of that account, under the time the file was last
/// written.
///
/// # Errors
/// As [`import_mail`].
pub async fn import_files(
    vault: &Vault,
    who: &Principal,
    bucket: &str,
    account: &AccountId,
    source: Source,
    progress: &mut dyn FnMut(Progress),
) -> Result<ImportReport, ImportError> {
    let (sender, mut receiver) = mpsc::channel(READ_AHEAD);
    let reader = tokio::task::spawn_blocking(move || read_files(&source, &sender));
    let mut report = ImportReport::default();
    while let Some(Piece::Begin(entry)) = receiver.recv().await {
        let key = format!("files/{account}/{}", entry.name);
        let dated = entry.modified;
        let options = PutOptions {
            placement: Placement {
                account: Some(account.clone()),
                category: Some(Category::Content),
                concerns_at: Some(dated.unwrap_or(UNDATED_AT)),
            },
            content_length: Some(entry.size),
            ..PutOptions::default()
        };
        // The stream lends the receiver: after the file's last piece the next `Begin` is still in the channel.
        let body = stream::unfold(Some(&mut receiver), |receiver| async move {
            let receiver = receiver?;
            match receiver.recv().await {
                Some(Piece::Bytes(bytes)) => Some((Ok(bytes), Some(receiver))),
                Some(Piece::End) => None,
                _ => Some((Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof)), None)),
            }
        });
        let stored = vault.put(who, bucket, &key, options, body).await;
        if let Err(e) = stored {
            // Where reading failed, that is the reason to tell.
            drop(receiver);
            reader.await.map_err(|_| ImportError::Stopped)??;
            return Err(ImportError::Store {
                name: entry.name,
                cause: Box::new(e),
            });
        }
        report.add(dated.is_none().then_some(Dated::Undated), false, entry.size);
        progress(Progress {
            objects: report.stored,
            bytes: report.bytes,
        });
    }
    report.passed = reader.await.map_err(|_| ImportError::Stopped)??;
    Ok(report)
}

fn read_files(source: &Source, sender: &mpsc::Sender<Piece>) -> Result<PassedOver, ImportError> {
    let mut entries = Entries::open(source)?;
    while let Some(entry) = entries.next_entry()? {
        let name = entry.name.clone();
        if sender.blocking_send(Piece::Begin(entry)).is_err() {
            break;
        }
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            let read = entries.by_ref().take(CHUNK as u64).read_to_end(&mut chunk);
            read.map_err(|cause| ImportError::Read {
                name: name.clone(),
                cause,
            })?;
            let last = chunk.is_empty();
            let piece = if last {
                Piece::End
            } else {
                Piece::Bytes(Bytes::from(chunk))
            };
            if sender.blocking_send(piece).is_err() || last {
                break;
            }
        }
    }
    Ok(entries.passed().clone())
}
