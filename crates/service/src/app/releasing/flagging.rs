//! What somebody must know of a package before it is handed over: PDFs in it, or attached to messages in it, with text that
//! nobody sees on their pages. Objects are released as they are stored, so nothing is changed; it is said.

use std::time::Duration;

use casework::{
    event::{PACKAGE_FLAG_BYTES_MAX, PACKAGE_FLAGS_MAX, PackageFlag},
    ids::ObjectId,
    record::ReleasedObject,
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{
    app::{DeskError, Result, ports::PortError},
    mail::{
        MAIL_BYTES_MAX,
        message::{MessageError, Parted, begins_as_message, take_apart},
    },
    paper::{Flag, PDF_BYTES_MAX, PaperReader, is_pdf},
};

/// How long one package may be looked at, in all. The keys of its objects are open meanwhile, and its record is used up.
const LOOKING_MAX: Duration = Duration::from_secs(60);
/// How many bytes tell what an object is.
const START_BYTES: usize = 1024;
/// Most messages of one mailbox that are looked at.
const MAILBOX_MESSAGES_MAX: usize = 10_000;
/// Why what comes last may be left out.
const LATE: &str = "the package has more than there is time for";

/// Looks at the objects of one package as they pass by.
pub(super) struct Flagging {
    papers: PaperReader,
    until: Instant,
    held: Held,
    hidden: Vec<PackageFlag>,
    unchecked: Vec<PackageFlag>,
    more: u64,
    /// Whether PDFs can be read here; not asked yet.
    readable: Option<bool>,
}

/// The object that passes by.
enum Held {
    Nothing,
    /// Its first bytes are awaited.
    Begins {
        object: ObjectId,
        size: u64,
        start: Vec<u8>,
    },
    Document {
        object: ObjectId,
        form: DocumentForm,
        bytes: Vec<u8>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum DocumentForm {
    Pdf,
    Message,
}

impl DocumentForm {
    /// By its first bytes, whatever it is called.
    fn of(start: &[u8]) -> Option<Self> {
        if is_pdf(start) {
            Some(Self::Pdf)
        } else if begins_as_message(start) {
            Some(Self::Message)
        } else {
            None
        }
    }

    fn bytes_max(self) -> usize {
        match self {
            Self::Pdf => PDF_BYTES_MAX,
            Self::Message => MAIL_BYTES_MAX,
        }
    }
}

/// What was found.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Flags {
    pub(super) flags: Vec<PackageFlag>,
    pub(super) more: u64,
}

impl Flags {
    /// As they are kept until the case has them; `None` where there are none.
    pub(super) fn write(&self) -> Result<Option<String>> {
        if self.flags.is_empty() {
            return Ok(None);
        }
        serde_json::to_string(self).map(Some).map_err(|_| unreadable())
    }

    /// As they were kept.
    pub(super) fn read(kept: &str) -> Result<Self> {
        serde_json::from_str(kept).map_err(|_| unreadable())
    }
}

fn unreadable() -> DeskError {
    PortError {
        part: "package",
        reason: "what was found in it is not as it was kept".to_owned(),
    }
    .into()
}

impl Flagging {
    pub(super) fn new(papers: PaperReader) -> Self {
        Self {
            papers,
            until: Instant::now() + LOOKING_MAX,
            held: Held::Nothing,
            hidden: Vec::new(),
            unchecked: Vec::new(),
            more: 0,
            readable: None,
        }
    }

    /// An object begins.
    pub(super) fn begin(&mut self, object: &ReleasedObject) {
        self.held = Held::Begins {
            object: object.object,
            size: object.size,
            start: Vec::new(),
        };
    }

    /// Some of it.
    pub(super) fn pass(&mut self, piece: &[u8]) {
        match &mut self.held {
            Held::Nothing => {}
            Held::Document { bytes, .. } => bytes.extend_from_slice(piece),
            Held::Begins { start, .. } => {
                start.extend_from_slice(piece);
                if start.len() >= START_BYTES {
                    self.decide();
                }
            }
        }
    }

    /// Whether the object is looked at, now that its first bytes are known.
    fn decide(&mut self) {
        let held = std::mem::replace(&mut self.held, Held::Nothing);
        let Held::Begins { object, size, start } = held else {
            self.held = held;
            return;
        };
        let Some(form) = DocumentForm::of(&start) else {
            return;
        };
        let most = form.bytes_max();
        if size > u64::try_from(most).unwrap_or(u64::MAX) {
            self.unchecked(Some(object), None, &format!("it is larger than {most} bytes"));
            return;
        }
        self.held = Held::Document {
            object,
            form,
            bytes: start,
        };
    }

    /// The object is whole.
    pub(super) async fn end(&mut self) {
        self.decide();
        let Held::Document { object, form, bytes } = std::mem::replace(&mut self.held, Held::Nothing) else {
            return;
        };
        if form == DocumentForm::Pdf {
            self.look(object, None, &bytes).await;
            return;
        }
        if self.left().is_zero() {
            self.unchecked(Some(object), None, LATE);
            return;
        }
        let parted = tokio::task::spawn_blocking(move || messages(&bytes)).await;
        let Ok(parted) = parted else {
            self.unchecked(Some(object), None, "it could not be taken apart");
            return;
        };
        let mut number = 0_u32;
        for message in parted {
            match message {
                Ok(message) => {
                    for part in &message.parts {
                        if part.content.is_pdf() {
                            self.look(object, Some(number), part.content.bytes()).await;
                        }
                        number = number.saturating_add(1);
                    }
                    if message.more {
                        self.unchecked(Some(object), None, "it has more parts than are looked at");
                    }
                }
                // Many texts begin as a message does.
                Err(MessageError::Unreadable) => {}
                Err(error) => self.unchecked(Some(object), None, &error.to_string()),
            }
        }
    }

    /// What was found in all of them: first what lies hidden, then what nobody checked.
    pub(super) fn found(self) -> Flags {
        let room = PACKAGE_FLAGS_MAX.saturating_sub(self.hidden.len());
        let cut = self.unchecked.len().saturating_sub(room);
        let mut flags = self.hidden;
        flags.extend(self.unchecked.into_iter().take(room));
        Flags {
            flags,
            more: self.more.saturating_add(u64::try_from(cut).unwrap_or(u64::MAX)),
        }
    }

    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    async fn look(&mut self, object: ObjectId, part: Option<u32>, pdf: &[u8]) {
        if !self.can_read().await {
            return;
        }
        match tokio::time::timeout(self.left(), self.papers.flag(pdf)).await {
            Ok(None) => {}
            Ok(Some(flag)) => self.flag(Some(object), part, &flag),
            Err(_) => self.unchecked(Some(object), part, LATE),
        }
    }

    /// Asked once, by the first PDF: a package of a thousand is not to say a thousand times that nobody looked.
    async fn can_read(&mut self) -> bool {
        if let Some(known) = self.readable {
            return known;
        }
        let tried = tokio::time::timeout(self.left(), self.papers.trial()).await;
        let why = match tried {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(LATE.to_owned()),
        };
        if let Some(why) = &why {
            self.unchecked(None, None, &format!("no PDF in it was: {why}"));
        }
        self.readable = Some(why.is_none());
        why.is_none()
    }

    fn unchecked(&mut self, object: Option<ObjectId>, part: Option<u32>, why: &str) {
        self.flag(object, part, &Flag::Unchecked(why.to_owned()));
    }

    fn flag(&mut self, object: Option<ObjectId>, part: Option<u32>, flag: &Flag) {
        let list = match flag {
            Flag::TextHidden { .. } => &mut self.hidden,
            Flag::Unchecked(_) => &mut self.unchecked,
        };
        if list.len() >= PACKAGE_FLAGS_MAX {
            self.more = self.more.saturating_add(1);
            return;
        }
        let mut flag = flag.to_string();
        flag.truncate(flag.floor_char_boundary(PACKAGE_FLAG_BYTES_MAX));
        list.push(PackageFlag { object, part, flag });
    }
}

/// The messages of an object: one, or those of a mailbox.
fn messages(bytes: &[u8]) -> Vec<std::result::Result<Parted, MessageError>> {
    if !bytes.starts_with(b"From ") {
        return vec![take_apart(bytes)];
    }
    let begins = std::iter::once(0)
        .chain(memchr::memmem::find_iter(bytes, b"\nFrom ").map(|at| at.saturating_add(1)))
        .take(MAILBOX_MESSAGES_MAX.saturating_add(1));
    let begins: Vec<usize> = begins.collect();
    let mut read = Vec::new();
    for (count, begin) in begins.iter().enumerate() {
        if count >= MAILBOX_MESSAGES_MAX {
            read.push(Err(MessageError::TooManyParts));
            break;
        }
        let end = begins
            .get(count.saturating_add(1))
            .copied()
            .unwrap_or(bytes.len());
        let message = bytes.get(*begin..end).unwrap_or_default();
        // The line before the head is the mailbox's, and no field.
        let head = memchr::memchr(b'\n', message).map_or(message.len(), |at| at.saturating_add(1));
        read.push(take_apart(message.get(head..).unwrap_or_default()));
    }
    read
}
