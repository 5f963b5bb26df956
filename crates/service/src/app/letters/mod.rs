//! Letters: their texts are data, in `letters/`, and are filled in here with what a case knows. What is rendered is what is sent,
//! and what the case does not know is not made up: a letter that needs it is not written.

mod about;
mod answers;
mod contested;
mod kind;
mod released;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use casework::{
    case::{CaseFile, MayBeTold, NotNow},
    chain::Chain,
    event::Body,
    finding::Promise,
    ids::{CaseId, Digest, RecordId, RuleId, TenantId},
    rejection::RejectionCode,
    rulebook::Rulebook,
};
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use stationery::{Facts, Lacking, Texts};

pub use kind::Kind;

/// The language of letters, unless another is asked for.
pub const LANGUAGE: &str = "en";

static TEXTS: LazyLock<Texts> = LazyLock::new(|| {
    let words = kind::words();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match Texts::load(stationery::FILES, &kind::kinds(), &words) {
        Ok(texts) => texts,
        #[allow(
            clippy::panic,
            reason = "the files are part of the program, and a test of this module loads them"
        )]
        Err(error) => panic!("this program was built with broken texts of letters: {error}"),
    }
});

/// Languages in which there are letters.
pub fn languages() -> impl Iterator<Item = &'static str> {
    TEXTS.languages()
}

/// A letter, ready to be kept and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// What it is.
    pub kind: Kind,
    /// All that it says.
    pub form: stationery::Letter,
    /// Its text.
    pub text: String,
}

impl Letter {
    /// SHA-256 of its text, by which events name it.
    pub fn digest(&self) -> Digest {
        Digest::of(&[self.text.as_bytes()])
    }
}

/// Why a letter is not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotWritten {
    /// The case does not allow it now.
    #[error(transparent)]
    NotNow(#[from] NotNow),
    /// Something that it must say is not known.
    #[error("the letter `{}` is not written: {lacking}", .kind.name())]
    Lacking {
        /// Which letter.
        kind: Kind,
        /// What.
        lacking: Lacking,
    },
}

/// What people say for one letter, where the case does not know it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Said {
    /// The language; English unless said.
    pub language: Option<String>,
    /// The customer to be told.
    pub tenant: Option<TenantId>,
    /// The court or authority addressed.
    pub forum: Option<String>,
    /// The gag objected to, by the number of the event that brought it; needed where there are several.
    pub gag: Option<u64>,
    /// The release; the last unless said.
    pub record: Option<RecordId>,
    /// Who signs.
    pub signed_by: Option<String>,
    /// The post that they hold.
    pub post: Option<String>,
    /// Whom to reach, and how.
    pub contact: Option<String>,
    /// What a wrong disclosure is likely to lead to.
    pub consequences: Option<String>,
    /// What is done against that.
    pub measures: Option<String>,
    /// Why a notification comes late.
    pub delay: Option<String>,
}

/// What every letter says about who writes and about what.
pub struct Letterhead<'a> {
    /// The provider's name.
    pub provider: &'a str,
    /// The case.
    pub case: CaseId,
    /// Now.
    pub now: Timestamp,
    /// The law, for what it calls things.
    pub rulebook: &'a Rulebook,
}

type Written = Result<Letter, NotWritten>;

impl Letterhead<'_> {
    /// The receipt for bytes that arrived.
    ///
    /// # Errors
    /// None, as long as the texts hold together.
    pub fn receipt(&self, bytes: Digest, size: u64) -> Written {
        self.compose(LANGUAGE, Kind::Receipt, self.received(bytes, size))
    }

    /// The request to turn to the customer.
    ///
    /// # Errors
    /// [`NotWritten::NotNow`] before there is a demand.
    pub fn redirect(&self, file: &CaseFile, answer_by: Option<Timestamp>) -> Written {
        self.compose(
            LANGUAGE,
            Kind::Redirect,
            self.to_the_customer(LANGUAGE, file, answer_by)?,
        )
    }

    /// The notice to a customer who may be told; the late one where their data was released before.
    ///
    /// # Errors
    /// [`NotWritten::Lacking`] for a late notice of what was not released.
    pub fn notice(&self, told: MayBeTold<'_>, late: bool) -> Written {
        let kind = if late { Kind::LateNotice } else { Kind::Notice };
        self.compose(LANGUAGE, kind, self.telling(LANGUAGE, told)?)
    }

    /// The summary of objections on these grounds.
    ///
    /// # Errors
    /// [`NotWritten::NotNow`] before there is a demand.
    pub fn objection(&self, file: &CaseFile, grounds: &[RuleId], forum: &str) -> Written {
        self.compose(
            LANGUAGE,
            Kind::Objection,
            self.objecting(LANGUAGE, file, grounds, forum)?,
        )
    }

    /// The rejection, with its reasons.
    ///
    /// # Errors
    /// [`NotWritten::Lacking`] where nothing is said in words.
    pub fn rejection(
        &self,
        file: &CaseFile,
        rules: &[RuleId],
        codes: &[RejectionCode],
        explanation: &str,
    ) -> Written {
        self.compose(
            LANGUAGE,
            Kind::Rejection,
            self.rejecting(LANGUAGE, file, rules, codes, explanation),
        )
    }

    /// Any letter, as the case now stands.
    ///
    /// # Errors
    /// [`NotWritten::NotNow`] where the case does not allow it, such as a notice that a gag forbids; [`NotWritten::Lacking`],
    /// naming what neither the case nor `said` knows.
    pub fn draw(&self, chain: &Chain, kind: Kind, said: &Said) -> Written {
        let language = said.language.as_deref().unwrap_or(LANGUAGE);
        let file = chain.case().file();
        let lacks = |name: &str| NotWritten::Lacking {
            kind,
            lacking: Lacking::Fact(name.to_owned()),
        };
        let facts = match kind {
            Kind::Receipt => {
                let arrived = chain.events().iter().find_map(|event| match &event.body {
                    Body::Received { bytes, size, .. } => Some((event.header.at, *bytes, *size)),
                    _ => None,
                });
                let (at, bytes, size) = arrived.ok_or_else(|| lacks("bytes"))?;
                let then = Letterhead { now: at, ..*self };
                then.received(bytes, size)
            }
            Kind::Clarification => self.unclear(language, chain)?,
            Kind::Redirect => self.to_the_customer(language, file, file.redirect().answer_by)?,
            Kind::Rejection => {
                let rejected = chain.events().iter().rev().find_map(|event| match &event.body {
                    Body::Rejected {
                        rules,
                        codes,
                        explanation,
                    } => Some((rules, codes, explanation)),
                    _ => None,
                });
                let (rules, codes, explanation) = rejected.ok_or_else(|| lacks("explanation"))?;
                self.rejecting(language, file, rules, codes, explanation)
            }
            Kind::Notice | Kind::LateNotice => {
                let tenant = said.tenant.as_ref().ok_or_else(|| lacks("tenant"))?;
                let late = file.tenants_released().contains(tenant);
                if late != (kind == Kind::LateNotice) {
                    return Err(NotNow {
                        promise: Promise::P9,
                        reason: "a notice is late exactly when that customer's data was released before it"
                            .to_owned(),
                        hint: "ask for the other of `notice` and `late_notice`",
                    }
                    .into());
                }
                self.telling(language, file.may_be_told(tenant, self.now)?)?
            }
            Kind::Objection => {
                let forum = said.forum.as_deref().unwrap_or_default();
                self.objecting(language, file, &contested::open(file), forum)?
            }
            Kind::GagObjection => self
                .against_a_gag(language, file, said)
                .map_err(|error| error.of(kind))?,
            Kind::ComityMotion | Kind::QuashMotion => self.motion(language, chain, kind, said)?,
            Kind::NonExecution => self.form(chain).ok_or_else(|| lacks("issuing"))?,
            Kind::Preservation => self
                .preserved(language, chain)?
                .ok_or_else(|| lacks("preserved_at"))?,
            Kind::Cover => self
                .released(language, chain, said)?
                .ok_or_else(|| lacks("record"))?,
            Kind::Certificate => self
                .certified(language, chain, said)?
                .ok_or_else(|| lacks("record"))?,
            Kind::BreachNotice => self
                .breach(language, chain, said)?
                .ok_or_else(|| lacks("record"))?,
        };
        let then = match kind {
            // As it was, and is in the outbox.
            Kind::Receipt => chain.headers().next().map_or(self.now, |header| header.at),
            _ => self.now,
        };
        Letterhead { now: then, ..*self }.compose(language, kind, facts)
    }

    fn compose(&self, language: &str, kind: Kind, mut facts: Facts) -> Written {
        let date = self.now.to_zoned(TimeZone::UTC).date().to_string();
        let case = self.case.to_string();
        facts.values.insert("provider", self.provider.to_owned());
        facts.values.insert("case", case.clone());
        facts.values.insert("date", date.clone());
        let form = TEXTS
            .compose(language, kind.name(), &date, &case, &facts)
            .map_err(|lacking| NotWritten::Lacking { kind, lacking })?;
        Ok(Letter {
            kind,
            text: form.to_text(),
            form,
        })
    }
}

/// A word in that language, or in English where the language is not one of ours: then no letter is composed in it anyway.
fn word(language: &str, name: &str) -> &'static str {
    TEXTS
        .word(language, name)
        .or_else(|| TEXTS.word(LANGUAGE, name))
        .unwrap_or_default()
}

/// There is nothing to write about yet.
fn no_demand() -> NotWritten {
    NotWritten::NotNow(NotNow {
        promise: Promise::P14,
        reason: "there is no demand yet".to_owned(),
        hint: "parse the demand first",
    })
}
