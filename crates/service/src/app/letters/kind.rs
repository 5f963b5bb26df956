//! Kinds of letter, and what the text of each may ask for.

use serde::{Deserialize, Serialize};
use stationery::KindOfLetter;

/// Kinds of letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// To the requester: its bytes arrived.
    Receipt,
    /// To the requester: what must be completed or corrected.
    Clarification,
    /// To the requester: please turn to the customer (P8).
    Redirect,
    /// To the requester: rejected, and why (P7).
    Rejection,
    /// To the customer, before anything is disclosed (P9).
    Notice,
    /// To the customer, after a gag ended (P9).
    LateNotice,
    /// To the forum: what is objected to and why (P11).
    Objection,
    /// To the forum: why a prohibition of notice should fall (P10).
    GagObjection,
    /// An outline for counsel: a motion on a conflict of laws (P12).
    ComityMotion,
    /// An outline for counsel: a motion to quash (P11).
    QuashMotion,
    /// To the issuing authority: the form of Annex III.
    NonExecution,
    /// To the requester: what was preserved.
    Preservation,
    /// To the recipient of a package: what is in it.
    Cover,
    /// For a custodian to sign: Fed. R. Evid. 902(11), (13) and (14).
    Certificate,
    /// To the supervisory authority: a disclosure that should not have been (GDPR Art. 33).
    BreachNotice,
}

/// What every letter may say.
macro_rules! facts {
    ($($name:literal),* $(,)?) => { &["provider", "case", "date", $($name),*] };
    (demand $(, $name:literal)* $(,)?) => {
        &[
            "provider", "case", "date", "authority", "country", "requester", "instrument", "reference", "issued_on",
            "served_on", "return_on", "categories", "window", "released", $($name),*
        ]
    };
    (release $(, $name:literal)* $(,)?) => {
        facts!(demand, "record", "record_digest", "released_at", "recipient", "disclosed", "bytes", "package",
            "package_size", "docket_index" $(, $name)*)
    };
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 15] = [
        Kind::Receipt,
        Kind::Clarification,
        Kind::Redirect,
        Kind::Rejection,
        Kind::Notice,
        Kind::LateNotice,
        Kind::Objection,
        Kind::GagObjection,
        Kind::ComityMotion,
        Kind::QuashMotion,
        Kind::NonExecution,
        Kind::Preservation,
        Kind::Cover,
        Kind::Certificate,
        Kind::BreachNotice,
    ];

    /// Its name in the outbox, and that of its text's file.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Receipt => "receipt",
            Kind::Clarification => "clarification",
            Kind::Redirect => "redirect",
            Kind::Rejection => "rejection",
            Kind::Notice => "notice",
            Kind::LateNotice => "late_notice",
            Kind::Objection => "objection",
            Kind::GagObjection => "gag_objection",
            Kind::ComityMotion => "comity_motion",
            Kind::QuashMotion => "quash_motion",
            Kind::NonExecution => "non_execution",
            Kind::Preservation => "preservation",
            Kind::Cover => "cover",
            Kind::Certificate => "certificate",
            Kind::BreachNotice => "breach_notice",
        }
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What its text may ask for.
    pub(super) fn facts(self) -> &'static [&'static str] {
        match self {
            Kind::Receipt => facts!("received_at", "bytes", "size"),
            Kind::Clarification => facts!(demand, "points", "missing", "unclear", "asked"),
            Kind::Redirect => facts!(demand, "customers", "answer_by"),
            Kind::Rejection => facts!(demand, "explanation", "reasons", "rules", "grounds"),
            Kind::Notice => facts!(demand, "tenant", "accounts"),
            Kind::LateNotice => facts!(demand, "tenant", "accounts", "disclosed", "was_forbidden"),
            Kind::Objection => facts!(demand, "forum", "grounds"),
            Kind::GagObjection => facts!(
                demand,
                "forum",
                "grounds",
                "gag_reference",
                "gag_authority",
                "gag_basis",
                "gag_from",
                "gag_until",
                "gag_until_event",
                "gag_forbids",
            ),
            Kind::ComityMotion | Kind::QuashMotion => {
                facts!(demand, "forum", "grounds", "history", "places", "object_by")
            }
            Kind::NonExecution => FORM,
            Kind::Preservation => facts!(
                demand,
                "preserved_at",
                "subjects",
                "snapshot",
                "snapshot_digest",
                "kept_until",
            ),
            Kind::Cover => facts!(release),
            Kind::Certificate => facts!(release, "signed_by", "post", "left_open"),
            Kind::BreachNotice => facts!(
                release,
                "forum",
                "aware_at",
                "due_at",
                "is_late",
                "delay",
                "persons",
                "circumstances",
                "weighed",
                "contact",
                "consequences",
                "measures",
            ),
        }
    }
}

/// What the form of Annex III may say.
const FORM: &[&str] = facts!(
    demand,
    "certificate_epoc",
    "certificate_epoc_pr",
    "issuing",
    "issuing_file",
    "validating",
    "received_on",
    "enforcing",
    "addressee_name",
    "addressee_file",
    "reason_incomplete",
    "reason_manifest_errors",
    "reason_insufficient_information",
    "reason_not_stored_here",
    "reason_de_facto_impossibility",
    "reason_wrong_authority",
    "reason_offence_not_covered",
    "reason_service_not_covered",
    "reason_immunity_or_press",
    "reason_third_country_law",
    "reason_other",
    "explanation",
    "law_title",
    "law_provision",
    "why_applicable",
    "why_conflict",
    "link",
    "law_consequences",
    "protects_fundamental_rights",
    "protects_national_security",
    "protects_other",
    "clarification",
    "preservation_kept",
    "preservation_not_identifiable",
    "preservation_not_held",
    "contact_name",
    "contact_post",
    "contact_reach",
    "contact_signed_by",
    "signed_on",
);

/// Words that every language has.
const WORDS: &[&str] = &[
    "a_customer",
    "no_dates",
    "window",
    "objects",
    "bytes",
    "place",
    "to.tenant",
    "to.person",
    "to.public",
    "subject.none",
    "subject.several",
    "subject.unspecific",
];

/// What a case's history is told in.
pub(super) const HISTORY: &[&str] = &[
    "history.received",
    "history.preserved",
    "history.gag_recorded",
    "history.redirected",
    "history.redirect_accepted",
    "history.redirect_refused",
    "history.redirect_unanswered",
    "history.redirect_barred",
    "history.notified",
    "history.narrowed",
    "history.objection_filed",
    "history.objection_decided",
    "history.appealed",
    "history.not_executed",
    "history.released",
];

/// Every kind, as texts are checked against it.
pub(super) fn kinds() -> Vec<KindOfLetter<'static>> {
    let kind = |kind: &Kind| KindOfLetter {
        name: kind.name(),
        facts: kind.facts(),
    };
    Kind::ALL.iter().map(kind).collect()
}

/// Every word that a language must have.
pub(super) fn words() -> Vec<String> {
    let of_codes = casework::rejection::RejectionCode::ALL
        .iter()
        .map(|code| format!("code.{}", code.name()));
    let of_categories = casework::demand::Category::ALL
        .iter()
        .map(|category| format!("category.{}", category.name()));
    let own = WORDS.iter().chain(HISTORY).map(|word| (*word).to_owned());
    own.chain(of_codes).chain(of_categories).collect()
}
