//! Events: what happened in a case, in order, for good.
//!
//! An event has two parts. The [`Header`] is chained by hash and never changes. The [`Body`] holds what may concern a
//! person; the header only commits to it, so that erasing a case's key takes the content and leaves the chain whole.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    canonical::CanonicalError,
    ids::{CaseId, Digest, StaffId, TenantId},
};

mod body;
mod course;
mod disclosed;
mod words;

pub use body::Body;
pub use course::{
    Amount, AppealBy, COST_LINES_MAX, CostClaim, CostLine, CostOutcome, EmergencyFinding, KEY_NAME_CHARS_MAX,
    MEASURES_MAX, Measure, NoticeFailure, PACKAGE_FLAG_BYTES_MAX, PACKAGE_FLAGS_MAX, PackageFlag, Relation,
};
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
