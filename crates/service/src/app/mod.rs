//! The desk: everything that is done with a case, once, for the command line, the HTTP API and the demonstration alike.
//!
//! Each step reads the case's chain, asks [`casework`] whether the step may be taken, and commits the event together
//! with its entry for the docket. The desk decides nothing about release: it draws up what the gate is to judge, and
//! the gate believes none of it.

mod agenda;
mod answering;
mod checking;
pub mod clock;
mod course;

mod error;
pub mod faults;
mod gags;
pub mod icalendar;
mod intake;
pub mod letters;
mod linking;
pub mod ports;
mod preserving;
mod proposing;
mod reading;
mod releasing;
mod setting;
mod subjects;
mod tick;
pub mod timer;
mod view;
mod working;

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use casework::{
    ids::{CaseId, Digest, RecordId},
    promise::Reviewers,
    rulebook::Rulebook,
};
use jiff::{SignedDuration, Timestamp};
use store::cases::{CaseStore, NONCE_BYTES, Nonce};

use crate::paper::PaperReader;

pub use answering::NotExecuting;
pub use error::DeskError;
pub use gags::{GagKind, GagLine, GagState};
pub use intake::Intake;
pub use reading::ReadsHi1;
pub(crate) use reading::is_entered;
pub use releasing::PackageRef;
pub use setting::{PROGRAM as LETTER_PROGRAM, SetError, Typesetter};
pub use subjects::{Choice, Learned};
pub use tick::Ticked;
pub use view::{CaseView, EventView, RecordView};
pub use working::Filing;

pub(crate) use course::Plan;

use clock::{Clock, Entropy, NoEntropy};
use faults::Faults;
use ports::{DocketPort, GatePort, VaultPort};

/// Largest document taken in, in bytes. One larger is refused before it is read to its end.
pub const DEMAND_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How often an event is tried again when others write to the same case.
pub const APPEND_ATTEMPTS_MAX: u32 = 8;

/// Most accounts looked at for one identifier: beyond it, it is no identifier.
pub const ACCOUNTS_MAX: u32 = 100;

/// Longest time for which a release record may be approved and used.
pub const EXPIRY_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How long a release waits for the docket before it asks its caller to come back.
pub const DOCKET_PATIENCE: Duration = Duration::from_secs(20);

/// The result of a step at the desk.
pub type Result<T> = std::result::Result<T, DeskError>;

/// Everything a desk works with.
pub struct Parts {
    /// The provider's name, as letters say it.
    pub provider: String,
    /// Case files.
    pub cases: CaseStore,
    /// The docket.
    pub docket: Arc<dyn DocketPort>,
    /// The vault.
    pub vault: Arc<dyn VaultPort>,
    /// The gate.
    pub gate: Arc<dyn GatePort>,
    /// Whose signatures count. The gate has its own list and checks again.
    pub reviewers: Reviewers,
    /// The law.
    pub rulebook: &'static Rulebook,
    /// Directory of finished packages, encrypted to their recipients.
    pub packages: PathBuf,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Injected failures: [`faults::NoFaults`] in service.
    pub faults: Arc<dyn Faults>,
}

/// The desk. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    parts: Arc<Parts>,
    releasing: Arc<Mutex<BTreeSet<RecordId>>>,
    hi1: Option<Arc<dyn ReadsHi1>>,
    papers: PaperReader,
    typesetter: Typesetter,
}

impl Desk {
    /// A desk over these parts.
    pub fn new(parts: Parts) -> Self {
        Self {
            parts: Arc::new(parts),
            releasing: Arc::default(),
            hi1: None,
            papers: PaperReader::beside_this_program(),
            typesetter: Typesetter::beside_this_program(),
        }
    }

    /// The same desk, which looks at the PDFs of its packages by this reader, and not by the one beside this program.
    pub fn reading_papers(mut self, papers: PaperReader) -> Self {
        self.papers = papers;
        self
    }

    /// The same desk, which has letters set by this program, and not by the one beside it.
    pub fn setting_letters(mut self, typesetter: Typesetter) -> Self {
        self.typesetter = typesetter;
        self
    }

    /// The same desk, which reads HI-1 messages with this reader. Without one they wait for a person.
    pub fn reading_hi1(mut self, reader: Arc<dyn ReadsHi1>) -> Self {
        self.hi1 = Some(reader);
        self
    }

    /// The case files, for reading lists and letters.
    pub fn cases(&self) -> &CaseStore {
        &self.parts.cases
    }

    /// The desk's time.
    pub fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    fn letterhead(&self, case: CaseId, now: Timestamp) -> letters::Letterhead<'_> {
        letters::Letterhead {
            provider: &self.parts.provider,
            case,
            now,
            rulebook: self.parts.rulebook,
        }
    }

    fn random<const N: usize>(&self) -> std::result::Result<[u8; N], NoEntropy> {
        let mut bytes = [0; N];
        self.parts.entropy.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn nonce(&self) -> std::result::Result<Nonce, NoEntropy> {
        self.random::<NONCE_BYTES>()
    }

    fn salt(&self) -> std::result::Result<Digest, NoEntropy> {
        self.random::<32>().map(Digest)
    }

    /// A time-ordered id.
    fn id(&self, now: Timestamp) -> std::result::Result<uuid::Uuid, NoEntropy> {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        Ok(uuid::Builder::from_unix_timestamp_millis(millis, &self.random::<10>()?).into_uuid())
    }
}

#[cfg(test)]
pub(crate) mod tests;
