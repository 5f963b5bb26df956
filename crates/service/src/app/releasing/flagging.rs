//! What somebody must know of a package before it is handed over: PDFs in it, or attached to messages in it, with text that
//! nobody sees on their pages. Objects are released as they are stored, so nothing is changed; it is said.

use std::time::Duration;

use casework::{
    event::{PACKAGE_FLAG_BYTES_MAX, PACKAGE_FLAGS_MAX, PackageFlag},
    ids::ObjectId,
    record::ReleasedObject,
};
use tokio::time::Instant;

use crate::{
    mail::{MAIL_BYTES_MAX, message::take_apart},
    paper::{PDF_BYTES_MAX, PaperReader, is_pdf},
};

/// How long the PDFs of one package may be looked at. The keys of its objects are open meanwhile.
const LOOKING_MAX: Duration = Duration::from_secs(600);
/// How many bytes tell what an object is.
const START_BYTES: usize = 1024;

/// Looks at the objects of one package as they pass by.
pub(super) struct Flagging {
    papers: PaperReader,
    until: Instant,
    held: Held,
    flags: Vec<PackageFlag>,
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

/// Whether the first line is a field (RFC 5322, 2.2), or what mailboxes put before it.
fn begins_as_message(start: &[u8]) -> bool {
    let name = start
        .iter()
        .take_while(|byte| byte.is_ascii_graphic() && **byte != b':')
        .count();
    start.starts_with(b"From ") || (name > 0 && start.get(name) == Some(&b':'))
}

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    pub(super) flags: Vec<PackageFlag>,
    pub(super) more: u64,
}

impl Flagging {
    pub(super) fn new(papers: PaperReader) -> Self {
        Self {
            papers,
            until: Instant::now() + LOOKING_MAX,
            held: Held::Nothing,
            flags: Vec::new(),
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
            self.unchecked(object, None, &format!("it is larger than {most} bytes"));
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
        let parted = tokio::task::spawn_blocking(move || take_apart(&bytes)).await;
        match parted {
            Ok(Ok(parted)) => {
                for part in parted.parts.iter().filter(|part| part.content.is_pdf()) {
                    self.look(object, Some(part.number), part.content.bytes()).await;
                }
                if parted.more {
                    self.unchecked(object, None, "it has more parts than are looked at");
                }
            }
            Ok(Err(error)) => self.unchecked(object, None, &error.to_string()),
            Err(_) => self.unchecked(object, None, "it could not be taken apart"),
        }
    }

    /// What was found in all of them.
    pub(super) fn found(self) -> Flags {
        Flags {
            flags: self.flags,
            more: self.more,
        }
    }

    async fn look(&mut self, object: ObjectId, part: Option<u32>, pdf: &[u8]) {
        if !self.can_read().await {
            return;
        }
        let left = self.until.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, self.papers.flag(pdf)).await {
            Ok(None) => {}
            Ok(Some(flag)) => self.flag(Some(object), part, flag),
            Err(_) => self.unchecked(object, part, "the package has more than there is time for"),
        }
    }

    /// Asked once, by the first PDF: a package of a thousand is not to say a thousand times that nobody looked.
    async fn can_read(&mut self) -> bool {
        if let Some(known) = self.readable {
            return known;
        }
        let tried = self.papers.trial().await;
        self.readable = Some(tried.is_ok());
        if let Err(error) = &tried {
            self.flag(
                None,
                None,
                format!("no PDF in it was checked for hidden text: {error}"),
            );
        }
        tried.is_ok()
    }

    fn unchecked(&mut self, object: ObjectId, part: Option<u32>, why: &str) {
        self.flag(
            Some(object),
            part,
            format!("nobody checked it for hidden text: {why}"),
        );
    }

    fn flag(&mut self, object: Option<ObjectId>, part: Option<u32>, mut flag: String) {
        if self.flags.len() >= PACKAGE_FLAGS_MAX {
            self.more = self.more.saturating_add(1);
            return;
        }
        flag.truncate(flag.floor_char_boundary(PACKAGE_FLAG_BYTES_MAX));
        self.flags.push(PackageFlag { object, part, flag });
    }
}
