//! What a kept document seems to say, for the person who enters it: an e-mail, a PDF, or plain text. PDFs are read by a
//! program of their own ([`crate::paper`]).

use casework::{
    ids::Digest,
    reading::{CourtNotice, Form, PROPOSALS_MAX, Proposal, Text, find, notice},
};
use serde::{Deserialize, Serialize};

use super::message::{Content, MessageError, Part, PartView, Parted, take_apart};
use crate::paper::{Gap, Hidden, Paper, PaperPage, PaperReader};

/// Most PDFs of one document that are read.
pub const PDFS_MAX: usize = 20;

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
    /// Its PDFs that were read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub papers: Vec<PaperView>,
    /// What could not be read, and why. Nothing is passed over silently.
    pub unread: Vec<String>,
}

/// A PDF that was read, as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaperView {
    /// Which part it is.
    pub part: u32,
    /// How many pages were read.
    pub pages: usize,
    /// Text in it that nobody sees who looks at its pages. Nothing is proposed from it.
    pub hidden: Vec<Hidden>,
    /// What kept it from being read whole.
    pub gaps: Vec<Gap>,
}

/// Reads a document, its PDFs by `papers`. What cannot be read is named.
pub async fn read(bytes: Vec<u8>, papers: &PaperReader) -> Reading {
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
    let read_papers = reading.read_papers(&parted, papers).await;
    let read = tokio::task::spawn_blocking(move || {
        reading.take_in_texts(&parted);
        for (part, paper) in &read_papers {
            reading.take_in_paper(*part, paper);
        }
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
            self.notice_of(&text);
        }
    }

    fn notice_of(&mut self, text: &Text<'_>) {
        if let Some(found) = notice(text)
            && self
                .notice
                .as_ref()
                .is_none_or(|before| weight(&found) > weight(before))
        {
            self.notice = Some(found);
        }
    }

    /// Has the PDFs read, and says of each that was not why.
    async fn read_papers(&mut self, parted: &Parted, papers: &PaperReader) -> Vec<(u32, Paper)> {
        let mut read = Vec::new();
        let pdfs = parted.parts.iter().filter(|part| part.content.is_pdf());
        for (count, part) in pdfs.enumerate() {
            let name = name_of(part);
            if count >= PDFS_MAX {
                let unread = format!("`{name}`, and more after it: there are more PDFs than are read");
                self.unread.push(unread);
                break;
            }
            match papers.read(part.content.bytes()).await {
                Ok(paper) => {
                    for gap in &paper.gaps {
                        self.unread.push(format!("`{name}`: {}", gap.in_words()));
                    }
                    read.push((part.number, paper));
                }
                Err(error) => self.unread.push(format!(
                    "`{name}` is a PDF that was not read ({error}): open it, and enter what it asks by hand"
                )),
            }
        }
        read
    }

    fn take_in_paper(&mut self, part: u32, paper: &Paper) {
        for page in &paper.pages {
            let words = page.text();
            let text = Text {
                text: &words,
                form: Form::Plain,
                part,
                page: Some(page.page),
            };
            let mut found = find(&text);
            for proposal in &mut found {
                proposal.place.area = page.area(proposal.place.start, proposal.place.end);
            }
            self.propose(found);
        }
        // A notice may run over several pages; its places are then in all of them together, and name no page.
        let whole: String = paper.pages.iter().map(PaperPage::text).collect();
        self.notice_of(&Text {
            text: &whole,
            form: Form::Plain,
            part,
            page: None,
        });
        self.papers.push(PaperView {
            part,
            pages: paper.pages.len(),
            hidden: paper.hidden.clone(),
            gaps: paper.gaps.clone(),
        });
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

fn name_of(part: &Part) -> String {
    part.name
        .clone()
        .unwrap_or_else(|| format!("part {}", part.number))
}

/// The same notice often comes twice, as text and as HTML: the one that says more is kept.
fn weight(notice: &CourtNotice) -> usize {
    let filings = notice.dockets.iter().flat_map(|docket| &docket.filings);
    notice.dockets.len() * 2 + filings.filter(|filing| filing.document_url.is_some()).count()
}
