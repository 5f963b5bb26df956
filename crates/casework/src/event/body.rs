//! What happened: the body of a case's event, and which of them a package opens.

use jiff::{Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Amount, AppealBy, Channel, CostClaim, CostOutcome, Decision, EmergencyFinding, Measure, NoticeFailure,
    Outcome, PackageFlag, RedirectOutcome, Relation, Scope,
};
#[cfg(doc)]
use super::{approval_message, signed_reason};
use crate::{
    annex3::NonExecution,
    demand::{Demand, Gag, NoticeTo},
    facts::{Facts, RequesterCheck},
    finding::{Assessment, ClockKind},
    ids::{CaseId, Digest, RecordId, RuleId, SnapshotId, StaffId, TenantId},
    record::ReleaseRecord,
    rejection::RejectionCode,
    sender::SenderCheck,
};

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
    /// A message's signature was verified against a key agreed beforehand with the authority whose system sent it, where that came
    /// over HI-1. It shows whose system signed, and no officer.
    SignatureVerified {
        /// SHA-256 of the message as it came.
        message: Digest,
        /// What the key is called; at most [`super::KEY_NAME_CHARS_MAX`] characters.
        key: String,
        /// By which algorithm of RFC 7518 or RFC 8037, as `ES256`.
        algorithm: String,
        /// SHA-256 of the key's SubjectPublicKeyInfo.
        key_sha256: Digest,
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
        /// Until when the answer is awaited: none by then counts as `unanswered`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answer_by: Option<Timestamp>,
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
    /// The notice reached whom it was for.
    NoticeServed {
        /// Who.
        to: NoticeTo,
        /// The tenant concerned.
        tenant: TenantId,
        /// How that is known: the receipt, the return card.
        how: String,
    },
    /// A notice did not reach whom it was for, or could not safely go that way: they count as not told, and are told another
    /// way (P9).
    NoticeFailed {
        /// Who.
        to: NoticeTo,
        /// The tenant concerned.
        tenant: TenantId,
        /// What went wrong.
        failure: NoticeFailure,
        /// In words.
        what: String,
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
    /// A decision on a challenge was appealed: the grounds are open again (P11).
    Appealed {
        /// The grounds decided on.
        grounds: Vec<RuleId>,
        /// Who appealed.
        by: AppealBy,
        /// The court of appeal.
        forum: String,
        /// SHA-256 of what was filed.
        filing: Digest,
    },
    /// The issuing authority was told why a European order cannot be executed, by the form of Annex III. Filed on its grounds
    /// as an objection is.
    NotExecuted {
        /// The form.
        form: Box<NonExecution>,
        /// The grounds that it raises.
        grounds: Vec<RuleId>,
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
    /// This demand follows on another, whose case is named.
    Linked {
        /// The earlier case.
        to: CaseId,
        /// How it follows.
        relation: Relation,
    },
    /// A further demand follows on this one, which goes on.
    FollowedBy {
        /// The later case.
        case: CaseId,
    },
    /// Another demand took this one's place: nothing is released on it any more.
    Superseded {
        /// The later case.
        by: CaseId,
        /// How it follows.
        relation: Relation,
    },
    /// What there was of the accounts was frozen: their owner's deletions do not reach it.
    Preserved {
        /// The snapshot.
        snapshot: SnapshotId,
        /// Of what: accounts, categories, and the time that the data concerns.
        scope: Scope,
        /// How many objects.
        objects: u64,
        /// SHA-256 over their ids, ascending.
        digest: Digest,
    },
    /// A snapshot ended: what its owner had deleted meanwhile is gone.
    SnapshotEnded {
        /// The snapshot.
        snapshot: SnapshotId,
        /// Why: its time is over, the demand was withdrawn.
        reason: String,
    },
    /// Something else than disclosure was done on the demand, outside this system: a measure that its own law asks for.
    MeasureTaken {
        /// What.
        measure: Measure,
        /// In words: by whom, on which account.
        what: String,
        /// First day.
        from: Date,
        /// Last day; absent where it has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Date>,
        /// SHA-256 of the order as it was carried out.
        document: Digest,
    },
    /// A measure ended.
    MeasureEnded {
        /// Which, by the number of the event that took it.
        measure: u64,
        /// Why.
        reason: String,
    },
    /// After a release in an emergency, somebody looked whether there was one, and whether legal process followed.
    EmergencyReviewed {
        /// What was found.
        finding: EmergencyFinding,
        /// SHA-256 of the legal process that followed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        process: Option<Digest>,
        /// In words.
        text: String,
    },
    /// A disclosure that should not have been was weighed as a breach (GDPR Art. 33).
    BreachAssessed {
        /// The supervisory authority was told.
        notified: bool,
        /// Why, or why not.
        reason: String,
    },
    /// The authority was asked to pay what answering cost.
    CostsClaimed {
        /// The claim.
        claim: CostClaim,
    },
    /// A claim for costs ended.
    CostsSettled {
        /// How.
        outcome: CostOutcome,
        /// What was paid, where something was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        paid: Option<Amount>,
        /// The payment's reference, or the decision's.
        reference: String,
    },
    /// The requester withdrew.
    Withdrawn {
        /// In its words.
        reason: String,
    },
    /// The demand was rejected and the requester told why.
    Rejected {
        /// Rules that bar it.
        rules: Vec<RuleId>,
        /// Why, in codes that authorities know.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        codes: Vec<RejectionCode>,
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
    /// The package that is being made holds documents that somebody should look at before it is handed over: PDFs with text
    /// that nobody sees on their pages, or that could not be checked. Recorded before the release, by the program itself.
    PackageFlagged {
        /// The record's id.
        record: RecordId,
        /// What was found; never empty, at most [`super::PACKAGE_FLAGS_MAX`].
        flags: Vec<PackageFlag>,
        /// How many flags more there were.
        more: u64,
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
    /// A closed case was taken up again.
    Reopened {
        /// Why.
        reason: String,
    },
    /// A remark that changes nothing.
    Note {
        /// The remark.
        text: String,
    },
}
