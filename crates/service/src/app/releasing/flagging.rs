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
    app::ports::Described,
    mail::{MAIL_BYTES_MAX, message::take_apart},
    paper::{PDF_BYTES_MAX, PaperReader, is_pdf},
};

/// How long the PDFs of one package may be looked at. The keys of its objects are open meanwhile.
const LOOKING_MAX: Duration = Duration::from_secs(600);

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

/// What an object may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Mail,
    Any,
}

/// The object that passes by.
enum Held {
    Nothing,
    /// Its first bytes are awaited.
    Begins {
        object: ObjectId,
        kind: Kind,
        size: u64,
    },
    Document {
        object: ObjectId,
        is_mail: bool,
        bytes: Vec<u8>,
    },
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

    /// What an object may be, by what it is called.
    pub(super) fn kind_of(described: &Described) -> Kind {
        let says_mail = described.content_type.as_deref().is_some_and(|kind| {
            kind.trim_start()
                .to_ascii_lowercase()
                .starts_with("message/rfc822")
        });
        if says_mail || described.name.to_ascii_lowercase().ends_with(".eml") {
            Kind::Mail
        } else {
            Kind::Any
        }
    }

    /// An object begins.
    pub(super) fn begin(&mut self, object: &ReleasedObject, kind: Kind) {
        self.held = Held::Begins {
            object: object.object,
            kind,
            size: object.size,
        };
    }

    /// Some of it. What a PDF is its first bytes say, whatever it is called.
    pub(super) fn pass(&mut self, piece: &[u8]) {
        if let Held::Begins { object, kind, size } = self.held {
            let (pdf, mail) = (is_pdf(piece), kind == Kind::Mail);
            let most = if pdf { PDF_BYTES_MAX } else { MAIL_BYTES_MAX };
            self.held = if !pdf && !mail {
                Held::Nothing
            } else if size > u64::try_from(most).unwrap_or(u64::MAX) {
                self.unchecked(object, None, &format!("it is larger than {most} bytes"));
                Held::Nothing
            } else {
                Held::Document {
                    object,
                    is_mail: !pdf,
                    bytes: Vec::new(),
                }
            };
        }
        if let Held::Document { bytes, .. } = &mut self.held {
            bytes.extend_from_slice(piece);
        }
    }

    /// The object is whole.
    pub(super) async fn end(&mut self) {
        let Held::Document {
            object,
            is_mail,
            bytes,
        } = std::mem::replace(&mut self.held, Held::Nothing)
        else {
            return;
        };
        if !is_mail {
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
