//! What a kept document seems to say, for the person who enters it: an e-mail, a PDF, or plain text.

use casework::{
    ids::Digest,
    reading::{CourtNotice, Form, PROPOSALS_MAX, Proposal, Text, find, notice},
};
use serde::{Deserialize, Serialize};

use super::message::{Content, MessageError, PartView, Parted, take_apart};

/// A document, read. Proposals only: no rule and no gate looks at it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// SHA-256 of the bytes read; absent where reading failed before.
    pub sha256: Option<Digest>,
    /// Every address in `From`, where it is an e-mail.
    pub from: Vec<String>,
    /// Where it asks for answers, where that is said.
    pub reply_to: Vec<String>,
    /// What it says it is about.
    pub subject: Option<String>,
    /// When it says it was written.
    pub date: Option<String>,
    /// Its parts.
    pub parts: Vec<PartView>,
    /// The notice of filing that it holds, where it is a court's.
    pub notice: Option<CourtNotice>,
    /// What it seems to say, with the place of each.
    pub proposals: Vec<Proposal>,
    /// What could not be read, and why. Nothing is passed over silently.
    pub unread: Vec<String>,
}

/// Reads a document. What cannot be read is named.
pub async fn read(bytes: Vec<u8>) -> Reading {
    let sha256 = Some(Digest::of(&[&bytes]));
    let parted = tokio::task::spawn_blocking(move || {
        let parted = take_apart_anything(&bytes);
        parted.map_err(|error| error.to_string())
    });
    let parted = match parted.await {
        Ok(Ok(parted)) => parted,
        Ok(Err(reason)) => {
            return Reading {
                sha256,
                unread: vec![reason],
                ..Reading::default()
            };
        }
        Err(_) => {
            return Reading {
                sha256,
                unread: vec!["the message could not be taken apart; read it by hand".to_owned()],
                ..Reading::default()
            };
        }
    };
    let mut reading = Reading {
        sha256,
        from: parted.from.clone(),
        reply_to: parted.reply_to.clone(),
        subject: parted.subject.clone(),
        date: parted.date.clone(),
        parts: parted.parts.iter().map(super::message::Part::view).collect(),
        ..Reading::default()
    };
    if parted.more {
        reading
            .unread
            .push("there are more parts than are looked at".to_owned());
    }
    for part in parted.parts.iter().filter(|part| part.content.is_pdf()) {
        let name = part
            .name
            .clone()
            .unwrap_or_else(|| format!("part {}", part.number));
        let unread = format!("`{name}` is a PDF: open it, and enter what it asks by hand");
        reading.unread.push(unread);
    }
    let read = tokio::task::spawn_blocking(move || {
        reading.take_in_texts(&parted);
        reading
    });
    read.await.unwrap_or_else(|_| Reading {
        sha256,
        unread: vec!["its text could not be looked through; read it by hand".to_owned()],
        ..Reading::default()
    })
}

/// A message's parts; for a PDF or text by itself, the one part that it is.
fn take_apart_anything(bytes: &[u8]) -> Result<Parted, MessageError> {
    let alone = |media_type: &str, content| Parted {
        from: Vec::new(),
        reply_to: Vec::new(),
        subject: None,
        date: None,
        parts: vec![super::message::Part {
            number: 0,
            media_type: media_type.to_owned(),
            name: None,
            content,
        }],
        more: false,
    };
    let whole = Content::Bytes(bytes.to_vec());
    if whole.is_pdf() && bytes.starts_with(b"%PDF-") {
        return Ok(alone("application/pdf", whole));
    }
    match take_apart(bytes) {
        Err(MessageError::Unreadable) => match std::str::from_utf8(bytes) {
            Ok(text) => {
                let html = text.trim_start().starts_with('<');
                let (media, form) = if html {
                    ("text/html", Form::Html)
                } else {
                    ("text/plain", Form::Plain)
                };
                Ok(alone(media, Content::Text(text.to_owned(), form)))
            }
            Err(_) => Err(MessageError::Unreadable),
        },
        other => other,
    }
}

impl Reading {
    fn take_in_texts(&mut self, parted: &Parted) {
        for part in &parted.parts {
            let Content::Text(text, form) = &part.content else {
                continue;
            };
            let text = Text {
                text,
                form: *form,
                part: part.number,
                page: None,
            };
            self.propose(find(&text));
            if let Some(found) = notice(&text)
                && self
                    .notice
                    .as_ref()
                    .is_none_or(|before| weight(&found) > weight(before))
            {
                self.notice = Some(found);
            }
        }
    }

    fn propose(&mut self, found: Vec<Proposal>) {
        let room = PROPOSALS_MAX.saturating_sub(self.proposals.len());
        if found.len() > room {
            let full = "there are more proposals than are listed".to_owned();
            if !self.unread.contains(&full) {
                self.unread.push(full);
            }
        }
        self.proposals.extend(found.into_iter().take(room));
    }
}

/// The same notice often comes twice, as text and as HTML: the one that says more is kept.
fn weight(notice: &CourtNotice) -> usize {
    let filings = notice.dockets.iter().flat_map(|docket| &docket.filings);
    notice.dockets.len() * 2 + filings.filter(|filing| filing.document_url.is_some()).count()
}
