//! The promises that a release must have kept, P5 to P14, each checked on the whole chain by a function of its own.
//!
//! Nothing recorded is believed: signatures are verified, the rulebook is applied again, scopes are compared again.
//! Each function returns evidence that only it can make; [`check`] returns all of it as [`PromisesKept`].

mod findings;
mod ground;
pub mod p05;
pub mod p06;
pub mod p07;
pub mod p08;
pub mod p09;
pub mod p10;
pub mod p11;
pub mod p12;
pub mod p13;
pub mod p14;
mod reviewers;

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

pub use findings::InPlay;
pub use reviewers::Reviewers;

use crate::{
    case::{CaseFile, Drawn},
    chain::Chain,
    finding::Promise,
    record::ReleaseRecord,
    rulebook::Rulebook,
};

/// How far a recorded time may lie ahead of the gate's clock.
pub const CLOCK_SKEW_MAX: SignedDuration = SignedDuration::from_mins(5);

/// Proof that a release keeps every promise from P5 to P14. Only [`check`] makes one; it cannot be copied or stored.
///
/// ```compile_fail,E0451
/// # use casework::promise::PromisesKept;
/// fn forge(kept: PromisesKept) -> PromisesKept {
///     PromisesKept { ..kept }
/// }
/// ```
#[derive(Debug)]
pub struct PromisesKept {
    chain: p14::WholeChain,
    process: p05::LegalProcess,
    accounts: p06::NamedAccounts,
    reviewers: p07::TwoReviewers,
    redirect: p08::RedirectFirst,
    notice: p09::CustomerTold,
    gags: p10::GagsAnswered,
    grounds: p11::GroundsEnded,
    place: p12::PlaceKept,
    scope: p13::WithinScope,
}

/// A promise that a release would break.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{promise:?}: {reason}\nhint: {hint}")]
pub struct BrokenPromise {
    /// Which.
    pub promise: Promise,
    /// What is wrong. Names rules, tenants and object ids; never an account or content.
    pub reason: String,
    /// What to do about it.
    pub hint: &'static str,
}

impl BrokenPromise {
    pub(crate) fn new(promise: Promise, reason: impl Into<String>, hint: &'static str) -> Self {
        Self {
            promise,
            reason: reason.into(),
            hint,
        }
    }
}

/// What every promise is checked on.
pub struct Hearing<'a> {
    /// The verified chain.
    pub chain: &'a Chain,
    /// What its events say.
    pub file: &'a CaseFile,
    /// The record presented.
    pub record: &'a ReleaseRecord,
    /// The rulebook that the record names.
    pub rulebook: &'a Rulebook,
    /// Whose signatures count.
    pub reviewers: &'a Reviewers,
    /// The gate's time.
    pub now: Timestamp,
}

impl<'a> Hearing<'a> {
    /// A hearing of `record` on its case's chain.
    pub fn new(
        chain: &'a Chain,
        record: &'a ReleaseRecord,
        rulebook: &'a Rulebook,
        reviewers: &'a Reviewers,
        now: Timestamp,
    ) -> Self {
        Self {
            chain,
            file: chain.case().file(),
            record,
            rulebook,
            reviewers,
            now,
        }
    }

    /// The day, in UTC.
    fn today(&self) -> Date {
        self.now.to_zoned(TimeZone::UTC).date()
    }

    /// The record as the case proposed it.
    fn drawn(&self) -> Option<&'a Drawn> {
        self.file.drawn(self.record.id)
    }

    /// Number of the event that proposed the record; the chain's length where none did.
    fn proposed_at(&self) -> u64 {
        self.drawn().map_or(self.chain.length(), |drawn| drawn.seq)
    }
}

/// Checks P5 to P14 for the release of `record` on `chain` at `now`.
///
/// # Errors
/// The first [`BrokenPromise`], first whether the record is one of this chain and within its scope (P14, P6,
/// P13), then whether the law allows it (P5), then what was owed (P7 to P12).
pub fn check(
    chain: &Chain,
    record: &ReleaseRecord,
    rulebook: &Rulebook,
    reviewers: &Reviewers,
    now: Timestamp,
) -> Result<PromisesKept, BrokenPromise> {
    let hearing = Hearing::new(chain, record, rulebook, reviewers, now);
    let whole = p14::chain_is_whole(&hearing)?;
    let accounts = p06::accounts_are_named(&hearing)?;
    let scope = p13::within_scope(&hearing)?;
    let (process, in_play) = p05::process_fits(&hearing)?;
    let two = p07::two_reviewed(&hearing, &in_play)?;
    let redirect = p08::redirected_first(&hearing, &in_play)?;
    let notice = p09::customer_told(&hearing, &in_play)?;
    let gags = p10::gags_answered(&hearing, &in_play)?;
    let grounds = p11::grounds_ended(&hearing, &in_play)?;
    let place = p12::place_kept(&hearing, &in_play)?;
    Ok(PromisesKept {
        chain: whole,
        process,
        accounts,
        reviewers: two,
        redirect,
        notice,
        gags,
        grounds,
        place,
        scope,
    })
}

impl PromisesKept {
    /// Where the chain says that the docket has the record.
    pub(crate) fn docket_index(&self) -> u64 {
        self.chain.docket_index()
    }

    /// One sentence for each promise, in order, saying what was found.
    pub fn sentences(&self) -> Vec<(Promise, String)> {
        vec![
            (Promise::P5, self.process.to_string()),
            (Promise::P6, self.accounts.to_string()),
            (Promise::P7, self.reviewers.to_string()),
            (Promise::P8, self.redirect.to_string()),
            (Promise::P9, self.notice.to_string()),
            (Promise::P10, self.gags.to_string()),
            (Promise::P11, self.grounds.to_string()),
            (Promise::P12, self.place.to_string()),
            (Promise::P13, self.scope.to_string()),
            (Promise::P14, self.chain.to_string()),
        ]
    }
}
