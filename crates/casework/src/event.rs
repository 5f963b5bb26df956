//! Events: what happened in a case, in order, for good.
//!
//! An event has two parts. The [`Header`] is chained by hash and never changes. The [`Body`] holds what may concern a
//! person; the header only commits to it, so that erasing a case's key takes the content and leaves the chain whole.

use jiff::{Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    canonical::CanonicalError,
    demand::{Demand, Gag, NoticeTo},
    facts::{Facts, RequesterCheck},
    finding::{Assessment, ClockKind},
    ids::{CaseId, Digest, RecordId, RuleId, StaffId, TenantId},
    record::ReleaseRecord,
    sender::SenderCheck,
};

mod words;

pub use words::{Channel, Decision, Outcome, RedirectOutcome, Scope};

/// What events of one kind of matter say: a case's are [`Body`]'s, a transfer's are
/// [`crate::transfer::TransferBody`]'s.
pub trait Content: Serialize {
    /// Begins what a header's commitment hashes, so that no kind's content passes for another's.
    const LABEL: &'static str;
    /// Whether a disclosure package must open an event that says this.
    fn is_disclosed(&self) -> bool;
}

/// The part that is chained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The case, or the other matter that the chain is of.
    pub case: CaseId,
    /// 0 for the first.
    pub seq: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// Who recorded it.
    pub actor: Actor,
    /// Hash of the header before; all zero for the first.
    pub prev: Digest,
    /// Whether a disclosure package must open the body: as [`Body::is_disclosed`] says. Hashed with the rest, so that nobody
    /// can close such an event later and say that it was of another kind.
    pub disclosed: bool,
    /// `SHA-256(label || salt || canonical JSON of the body)`; a case's label is `"amparo/event-body/v1\n"`.
    pub body: Digest,
}

/// Who recorded an event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "id", rename_all = "snake_case")]
pub enum Actor {
    /// The program itself: expiry, logging, parsing.
    System,
    /// The provider's staff.
    Staff(StaffId),
    /// Outside or in-house counsel, whose signed reasons count where a promise asks for them.
    Counsel(StaffId),
    /// A customer's administrator.
    Tenant(TenantId),
    /// The authority.
    Requester,
}

/// One event, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Event<B = Body> {
    /// Chained.
    pub header: Header,
    /// 32 random bytes, hex: makes the commitment hiding.
    pub salt: Digest,
    /// What happened.
    pub body: B,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Body {
    /// The demand's bytes arrived and were kept.
    Received {
        /// SHA-256 of the bytes.
        bytes: Digest,
        /// How many.
        size: u64,
        /// By which road.
        channel: Channel,
        /// Who entered it, where a person did: never one of its reviewers (P7).
        entered_by: Option<StaffId>,
    },
    /// The bytes were read as a demand.
    Parsed {
        /// The demand.
        demand: Box<Demand>,
    },
    /// The bytes could not be read as a demand; a person must enter it, or reject it.
    Unreadable {
        /// Why.
        reason: String,
    },
    /// Who it says it is from was checked when it came, where it came by e-mail. A hint: it confirms nobody.
    SenderChecked {
        /// What was found.
        check: Box<SenderCheck>,
    },
    /// Who really asks was checked, on a number or address found independently of the demand.
    RequesterChecked {
        /// What came of it.
        outcome: RequesterCheck,
        /// How: whom, on which number, from which source.
        how: String,
    },
    /// The subjects were looked up.
    Resolved {
        /// What is known now.
        facts: Facts,
    },
    /// The rulebook was applied to the demand as it then stood.
    Assessed {
        /// What it found.
        assessment: Assessment,
    },
    /// The requester was asked to go to the customer (P8).
    Redirected {
        /// How the requester was asked.
        how: String,
        /// SHA-256 of the letter.
        letter: Digest,
    },
    /// The requester answered the redirect, or the time given ran out.
    RedirectAnswered {
        /// What came of it.
        outcome: RedirectOutcome,
    },
    /// The law forbids redirecting, or the customer is the person investigated (P8).
    RedirectBarred {
        /// The legal reason.
        reason: String,
        /// Counsel's signature over [`signed_reason`], base64.
        signature: String,
    },
    /// The scope was cut: only ever smaller.
    Narrowed {
        /// What remains.
        scope: Scope,
        /// Why, and who agreed.
        reason: String,
        /// Grounds that this settles.
        settles: Vec<RuleId>,
    },
    /// A gag was entered in the ledger.
    GagRecorded {
        /// The gag.
        gag: Gag,
        /// SHA-256 of the order. Every further gag of a case is an order of its own, and has one: none is renewed by a word.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        document: Option<Digest>,
    },
    /// An objection to the gag was filed (P10).
    GagObjected {
        /// Where.
        forum: String,
        /// SHA-256 of what was filed.
        filing: Digest,
        /// Which, by the number of the event that brought it; absent where there is only one, or it is about all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gag: Option<u64>,
    },
    /// Counsel's signed reason why there is no ground to object to the gag (P10).
    GagUnopposed {
        /// The reason.
        reason: String,
        /// Counsel's signature over [`signed_reason`], base64.
        signature: String,
    },
    /// The objection to the gag was decided.
    GagDecided {
        /// What came of it.
        outcome: Decision,
        /// Its new last day, where it stands shortened.
        until: Option<Date>,
        /// Which, by the number of the event that brought it; absent where there is only one, or it is about all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gag: Option<u64>,
    },
    /// The gag ended, by its date, by a court or otherwise.
    GagEnded {
        /// Why.
        reason: String,
        /// Which, by the number of the event that brought it; absent where there is only one, or it is about all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gag: Option<u64>,
    },
    /// Somebody looked whether a silence without a last day must go on (P10).
    GagReviewed {
        /// What was found, and what is done about it.
        finding: String,
    },
    /// A period of the law was made longer: by a renewed request, by agreement or by a court.
    Extended {
        /// The rule whose date moves.
        clock: RuleId,
        /// The day on which the renewal arrived, or the extension was applied for.
        on: Date,
        /// The new last day, where the law leaves that to agreement or to a court.
        until: Option<Date>,
        /// SHA-256 of the request, agreement or order.
        document: Digest,
    },
    /// The authority confirmed that an order to produce follows on its preservation order (Annex V).
    ProductionConfirmed {
        /// SHA-256 of the confirmation.
        document: Digest,
    },
    /// A date of the law passed, and what it was for was not done: recorded once for each date.
    FellDue {
        /// The rule that gives the date.
        rule: RuleId,
        /// What kind of date.
        what: ClockKind,
        /// The date.
        due: Timestamp,
    },
    /// The tenant or the person was told (P9).
    Notified {
        /// Who.
        to: NoticeTo,
        /// The tenant concerned.
        tenant: TenantId,
        /// How.
        how: String,
        /// SHA-256 of the letter.
        letter: Digest,
        /// After the release, because notice was forbidden before.
        late: bool,
    },
    /// Notice is forbidden for now, and by what (P9).
    NoticeBarred {
        /// Whom it keeps from being told.
        to: NoticeTo,
        /// The tenant concerned.
        tenant: TenantId,
        /// The rule that bars it: a gag's or, for EPOCs, Art. 13.
        rule: RuleId,
    },
    /// A challenge was filed on these grounds (P11, P12).
    ObjectionFiled {
        /// The grounds.
        grounds: Vec<RuleId>,
        /// Where: a court, the issuing authority, the enforcing authority.
        forum: String,
        /// SHA-256 of what was filed.
        filing: Digest,
    },
    /// The challenge was decided.
    ObjectionDecided {
        /// The grounds decided on.
        grounds: Vec<RuleId>,
        /// What came of it.
        outcome: Decision,
        /// Docket number or date of the decision.
        reference: String,
    },
    /// Counsel's signed reason why a ground is not pursued (P11).
    GroundAnswered {
        /// The ground.
        ground: RuleId,
        /// The reason.
        reason: String,
        /// Counsel's signature over [`signed_reason`], base64.
        signature: String,
    },
    /// The requester withdrew.
    Withdrawn {
        /// In its words.
        reason: String,
    },
    /// The demand was rejected and the requester told why.
    Rejected {
        /// Coded reasons: rules that bar it.
        rules: Vec<RuleId>,
        /// In words.
        explanation: String,
    },
    /// A release was drawn up.
    Proposed {
        /// The record.
        record: Box<ReleaseRecord>,
    },
    /// A reviewer signed it (P7).
    Approved {
        /// The record's id.
        record: RecordId,
        /// The reviewer.
        reviewer: StaffId,
        /// Ed25519 signature over [`approval_message`], base64.
        signature: String,
    },
    /// The record is in the docket.
    Logged {
        /// The record's id.
        record: RecordId,
        /// Its index in the docket.
        index: u64,
    },
    /// The gate refused.
    Refused {
        /// The record's id.
        record: RecordId,
        /// The promise broken, as the gate named it.
        reason: String,
    },
    /// The gate opened the keys and the package was made.
    Released {
        /// The record's id.
        record: RecordId,
        /// SHA-256 of the encrypted package.
        package: Digest,
        /// Its size in bytes.
        size: u64,
    },
    /// The package was fetched or delivered.
    Delivered {
        /// The record's id.
        record: RecordId,
        /// How, and to whom.
        how: String,
    },
    /// Nothing is owed any more.
    Closed {
        /// In what way it ended.
        outcome: Outcome,
    },
    /// A remark that changes nothing.
    Note {
        /// The remark.
        text: String,
    },
}

impl Header {
    /// The docket's kind of entry for an event.
    pub const KIND: &'static str = "event";

    /// The header of an event with this body, hidden by `salt`.
    ///
    /// # Errors
    /// When the body has no JSON form.
    pub fn over<B: Content>(
        case: CaseId,
        seq: u64,
        at: Timestamp,
        actor: Actor,
        prev: Digest,
        salt: &Digest,
        body: &B,
    ) -> Result<Self, CanonicalError> {
        Ok(Self {
            case,
            seq,
            at,
            actor,
            prev,
            disclosed: body.is_disclosed(),
            body: body_commitment(salt, body)?,
        })
    }

    /// The link: `SHA-256("amparo/event/v2\n" || canonical JSON of the header)`.
    ///
    /// # Errors
    /// When the header has no JSON form.
    pub fn hash(&self) -> Result<Digest, CanonicalError> {
        crate::canonical::digest("amparo/event/v2", self)
    }
}

impl Content for Body {
    const LABEL: &'static str = "amparo/event-body/v1\n";
    fn is_disclosed(&self) -> bool {
        Body::is_disclosed(self)
    }
}

impl Body {
    /// Whether a disclosure package must open an event of this kind: all that bears on what was demanded, on what was left
    /// of it, and on who entered it. The kinds that work towards one release ([`Body::Proposed`], [`Body::Approved`],
    /// [`Body::Logged`]) are not among them: a package opens its own record's, without which it proves nothing, and another
    /// record may name what its recipient must not learn of. Nor are counsel's reasons, gags, findings, and what is known
    /// of a person.
    pub fn is_disclosed(&self) -> bool {
        match self {
            Self::Received { .. }
            | Self::Parsed { .. }
            | Self::Narrowed { .. }
            | Self::Withdrawn { .. }
            | Self::Rejected { .. } => true,
            Self::Unreadable { .. }
            | Self::SenderChecked { .. }
            | Self::RequesterChecked { .. }
            | Self::Resolved { .. }
            | Self::Assessed { .. }
            | Self::Redirected { .. }
            | Self::RedirectAnswered { .. }
            | Self::RedirectBarred { .. }
            | Self::GagRecorded { .. }
            | Self::GagObjected { .. }
            | Self::GagUnopposed { .. }
            | Self::GagDecided { .. }
            | Self::GagEnded { .. }
            | Self::GagReviewed { .. }
            | Self::Extended { .. }
            | Self::ProductionConfirmed { .. }
            | Self::FellDue { .. }
            | Self::Notified { .. }
            | Self::NoticeBarred { .. }
            | Self::ObjectionFiled { .. }
            | Self::ObjectionDecided { .. }
            | Self::GroundAnswered { .. }
            | Self::Proposed { .. }
            | Self::Approved { .. }
            | Self::Logged { .. }
            | Self::Refused { .. }
            | Self::Released { .. }
            | Self::Delivered { .. }
            | Self::Closed { .. }
            | Self::Note { .. } => false,
        }
    }

    /// Who entered the demand by this event, recorded by `actor`: staff or counsel who took it in or typed it, and who
    /// therefore never review it (P7).
    pub fn entered_by<'a>(&'a self, actor: &'a Actor) -> impl Iterator<Item = &'a StaffId> {
        let named = match self {
            Self::Received { entered_by, .. } => entered_by.as_ref(),
            _ => None,
        };
        let recorded = match (self, actor) {
            (Self::Received { .. } | Self::Parsed { .. }, Actor::Staff(staff) | Actor::Counsel(staff)) => {
                Some(staff)
            }
            _ => None,
        };
        named.into_iter().chain(recorded)
    }
}

/// The commitment a header makes to a body.
///
/// # Errors
/// When the body has no JSON form.
pub fn body_commitment<B: Content>(salt: &Digest, body: &B) -> Result<Digest, CanonicalError> {
    let json = crate::canonical::to_canonical_json(body)?;
    Ok(Digest::of(&[B::LABEL.as_bytes(), &salt.0, &json]))
}

/// The bytes a reviewer signs to approve a record.
pub fn approval_message(record: &Digest) -> Vec<u8> {
    format!("amparo/approval/v1\n{record}\n").into_bytes()
}

/// The bytes counsel signs to answer a duty or ground with a reason: the case, what it answers (a rule id, or
/// `redirect`, or `gag`), the matter as it then stood ([`crate::case::CaseFile::matter`]), and the reason. A signature on
/// one gag or demand says nothing about the next.
pub fn signed_reason(case: CaseId, answers: &str, matter: &Digest, reason: &str) -> Vec<u8> {
    format!("amparo/reason/v2\n{case}\n{answers}\n{matter}\n{reason}").into_bytes()
}
