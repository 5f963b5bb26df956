//! A demand for data, parsed: what an authority asked, under what, about whom.
//!
//! The bytes that arrived are kept and hashed before they are parsed into this. The JSON Schema published from these
//! types is the contract with requesters.

mod identifier;
mod iso3166;
mod parse;
mod sequel;
mod served;

use jiff::{Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::InstrumentId;

pub use identifier::IdentifierKind;
pub(crate) use parse::strict;
pub use parse::{BYTES_MAX, DemandError, ITEMS_MAX, SUBJECTS_MAX, TEXT_MAX, json_schema, parse};
pub use sequel::{EXTENSIONS_MAX, Extension, GAGS_MAX, PAUSES_MAX, Pause, Sequel};
pub use served::CLOCKS_APART_MAX;

/// One demand. Fields that the requester did not give are absent, never guessed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Demand {
    /// Always `amparo.demand/1`.
    pub schema: DemandSchema,
    /// The instrument it claims to be, such as `us.warrant.sca`.
    pub instrument: InstrumentId,
    /// The requester's own reference: docket number, file number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// When the provider was served, in UTC. Clocks run from here.
    pub served_at: Timestamp,
    /// Who asks.
    pub requester: Requester,
    /// Who signed or issued it, where that is somebody else or of a named rank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Issuer>,
    /// Date on the instrument.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_on: Option<Date>,
    /// Date by which it asks for an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_on: Option<Date>,
    /// Whom it is about. Empty, or a selector that names no account, is a blanket demand (P6).
    #[serde(default)]
    pub subjects: Vec<Subject>,
    /// What it asks for.
    #[serde(default)]
    pub categories: Vec<Category>,
    /// It asks where somebody was: cell sites, coordinates, places visited.
    #[serde(default, skip_serializing_if = "is_false")]
    pub location: bool,
    /// The time the data must concern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Free text: data items as the instrument words them. Read by people, and matched by no rule as fact.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<String>,
    /// What the instrument itself shows on its face.
    #[serde(default)]
    pub showing: Showing,
    /// A prohibition of notice that comes with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gag: Option<Gag>,
    /// The emergency it claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency: Option<Emergency>,
    /// The offence investigated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offence: Option<Offence>,
    /// Instrument-specific facts on its face that only its own rules read (EPOC: enforcing authority notified, ...).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoc: Option<EpocParticulars>,
    /// What happened after service, as far as the law turns on it.
    #[serde(default, skip_serializing_if = "Sequel::is_empty")]
    pub sequel: Sequel,
}

impl Demand {
    /// Every prohibition of notice: the one that came with it, then those that came after.
    pub fn gags(&self) -> impl Iterator<Item = &Gag> {
        self.gag.iter().chain(&self.sequel.gags)
    }
}

fn is_false(value: &bool) -> bool {
    !*value
}

/// The schema tag of [`Demand`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DemandSchema {
    /// Version 1.
    #[serde(rename = "amparo.demand/1")]
    V1,
}

/// Data categories. US and EU classes differ and are never mapped one to one: see `docs/law.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// 18 U.S.C. 2703(c)(2); Regulation (EU) 2023/1543 Art. 3(9).
    Subscriber,
    /// Data asked for solely to identify the user: Art. 3(10).
    Identification,
    /// Other records, not content: 18 U.S.C. 2703(c)(1); Art. 3(11).
    Traffic,
    /// Contents of communications and stored files.
    Content,
    /// From now on: pen register, interception. Never run through disclosure.
    Realtime,
    /// Keys, decryption, technical capability. Refused (P3).
    Assistance,
    /// Non-personal data: Data Act Art. 32.
    NonPersonal,
}

impl Category {
    /// Every category.
    pub const ALL: [Self; 7] = [
        Self::Subscriber,
        Self::Identification,
        Self::Traffic,
        Self::Content,
        Self::Realtime,
        Self::Assistance,
        Self::NonPersonal,
    ];

    /// Its name, as the demand's own format writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Subscriber => "subscriber",
            Self::Identification => "identification",
            Self::Traffic => "traffic",
            Self::Content => "content",
            Self::Realtime => "realtime",
            Self::Assistance => "assistance",
            Self::NonPersonal => "non_personal",
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requester {
    /// Name of the authority.
    pub authority: String,
    /// ISO 3166-1 alpha-2 code of its country, upper case.
    pub country: CountryCode,
    /// What kind of body it is.
    pub kind: AuthorityKind,
    /// The officer's name and rank, as given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub officer: Option<String>,
    /// The address it wrote from. A hint, never proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// An upper-case ISO 3166-1 alpha-2 country code.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct CountryCode(String);

impl CountryCode {
    /// Parses two upper-case letters that ISO 3166-1 assigns to a country.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn new(text: impl Into<String>) -> Result<Self, crate::ids::IdError> {
        let text = text.into();
        let reason = match text.as_str() {
            // Neither is in ISO 3166-1, both are often written, and either would quietly match no rule.
            "UK" => "the United Kingdom is `GB`",
            "EL" => "Greece is `GR`",
            code if iso3166::is_assigned(code) => return Ok(Self(text)),
            code if code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase()) => {
                "ISO 3166-1 assigns it to no country"
            }
            _ => "write two upper-case letters, such as `DE`",
        };
        Err(crate::ids::IdError {
            kind: "country code",
            input: text.chars().take(64).collect(),
            reason,
        })
    }
    /// The two letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl TryFrom<String> for CountryCode {
    type Error = crate::ids::IdError;
    fn try_from(s: String) -> Result<Self, Self::Error> {
        Self::new(s)
    }
}
impl From<CountryCode> for String {
    fn from(c: CountryCode) -> String {
        c.0
    }
}

/// Kinds of authority, as the rulebook tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthorityKind {
    /// A court, or a judge or investigating judge.
    Court,
    /// A prosecutor.
    Prosecutor,
    /// A grand jury.
    GrandJury,
    /// Police or another investigating body.
    Police,
    /// An administrative agency with power of its own.
    Agency,
    /// An intelligence or security service (the FBI where it issues a national security letter).
    Security,
    /// A private party.
    Private,
    /// Not known.
    Unknown,
}

/// Who signed or issued the instrument, and who validated it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// Its kind.
    pub kind: AuthorityKind,
    /// Name of the court, office or person.
    pub name: String,
    /// Rank or title, as given: `Special Agent in Charge`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Who validated it, where the law asks for a second authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validated_by: Option<AuthorityKind>,
}

/// Whom or what the demand is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Subject {
    /// One account, by its name with the provider, an e-mail address or a user id.
    Account {
        /// As the demand writes it.
        value: String,
    },
    /// One telephone number, E.164.
    Phone {
        /// As the demand writes it.
        value: String,
    },
    /// One device, card or other thing that leads to an account where the provider has it on record.
    Identifier {
        /// What it is.
        kind: IdentifierKind,
        /// As the demand writes it.
        value: String,
    },
    /// One address at one time; a port where carriers share addresses.
    Ip {
        /// The address.
        address: std::net::IpAddr,
        /// Source port.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        port: Option<u16>,
        /// When.
        at: Timestamp,
    },
    /// A description that names no account: everybody who mailed a domain, everybody near a place, every search for
    /// a word.
    Selector {
        /// What kind of sweep it is.
        kind: SelectorKind,
        /// As the demand writes it.
        value: String,
    },
}

/// Kinds of sweeping selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SelectorKind {
    /// Every account that corresponded with a domain.
    Domain,
    /// Every account or device in an area.
    Area,
    /// Every account that searched for or wrote a word.
    Keyword,
    /// A whole tenant.
    Tenant,
    /// Everything else that names no account.
    Other,
}

/// A half-open span of time `[from, until)`, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Window {
    /// First instant inside.
    pub from: Timestamp,
    /// First instant after.
    pub until: Timestamp,
}

impl Window {
    /// A window from `from` up to, and without, `until`.
    ///
    /// # Errors
    /// When it would be empty or run backwards.
    pub fn new(from: Timestamp, until: Timestamp) -> Result<Self, WindowError> {
        if from < until {
            Ok(Self { from, until })
        } else {
            Err(WindowError { from, until })
        }
    }
    /// Whether the instant lies inside.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }
    /// Whether `other` lies wholly inside.
    pub fn encloses(&self, other: &Window) -> bool {
        self.from <= other.from && other.until <= self.until
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Raw {
            from: Timestamp,
            until: Timestamp,
        }
        let raw = Raw::deserialize(deserializer)?;
        Window::new(raw.from, raw.until).map_err(serde::de::Error::custom)
    }
}

/// A window that ends before it begins.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("time window ends at `{until}`, not after its start at `{from}`; give `until` later than `from`")]
pub struct WindowError {
    from: Timestamp,
    until: Timestamp,
}

/// What the instrument shows on its face. `false` is "does not show it".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Showing {
    /// It is signed.
    pub signed: bool,
    /// A finding of probable cause.
    pub probable_cause: bool,
    /// "Specific and articulable facts", 18 U.S.C. 2703(d).
    pub specific_facts: bool,
    /// Describes place and things with particularity.
    pub particularity: bool,
    /// A certification, where the instrument needs one (NSL: relevance and rank).
    pub certified: bool,
    /// Names the statute that authorises it.
    pub statute_named: bool,
    /// Tells the recipient of its right to judicial review (NSL).
    pub review_rights_notified: bool,
    /// Relies on an international agreement in force.
    pub treaty: Option<String>,
}

/// An order or certification that forbids telling somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gag {
    /// The law it rests on, as an instrument id: `us.gag.2705b`; absent where it names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<InstrumentId>,
    /// The process that it forbids telling of, by its reference, where it comes apart from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// Who imposed it, where that is not who made the demand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// Its own reference: the order's docket number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// A court ordered it.
    #[serde(default)]
    pub court_ordered: bool,
    /// It rests on findings about this demand, rather than on an omnibus order.
    #[serde(default)]
    pub individual_findings: bool,
    /// First day.
    pub from: Date,
    /// Last day; absent when it has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
    /// The event that ends it, in its own words: `until the indictment is unsealed`. That is no date: somebody has to ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_event: Option<String>,
    /// Whom it forbids to tell.
    pub forbids: Vec<NoticeTo>,
}

/// Whom a gag forbids to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoticeTo {
    /// The customer: the tenant, as controller.
    Tenant,
    /// The person whose data it is.
    Person,
    /// Anybody else.
    Public,
}

/// An emergency, as the requester describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Emergency {
    /// Danger of death or serious physical injury is claimed.
    pub danger_to_life: bool,
    /// The requester's words.
    pub statement: String,
}

/// The offence under investigation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Offence {
    /// The provision, as cited.
    pub provision: String,
    /// Maximum custodial sentence in months, where stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_sentence_months: Option<u32>,
    /// One of the offences listed in Art. 5(4)(b) and (c) of Regulation (EU) 2023/1543.
    #[serde(default)]
    pub epoc_listed: bool,
}

/// What only a European Production Order Certificate says (Regulation (EU) 2023/1543, Annex I).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EpocParticulars {
    /// The Member State whose establishment or representative is addressed, section B.
    pub addressee_country: Option<CountryCode>,
    /// The enforcing authority was notified (Art. 8), section K.
    pub enforcing_authority_notified: bool,
    /// The enforcing authority has said it raises no ground for refusal.
    pub enforcing_authority_cleared: bool,
    /// Offence committed in, and person resides in, the issuing State (Art. 8(2)).
    pub domestic_link: bool,
    /// Why the processor and not the controller is addressed (Art. 5(6)).
    pub processor_addressed_because: Option<String>,
    /// The controller is not to be informed, with a justification (Art. 5(7)).
    pub controller_not_to_be_told_because: Option<String>,
    /// The day on which the provider asked for what is missing (Annex III), as long as no answer came (Art. 10(6), 11(5)).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clarification_unanswered_since: Option<Date>,
}
