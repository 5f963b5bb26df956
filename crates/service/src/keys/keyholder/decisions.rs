//! What a person decides: requests that wait, and the answers to them, as files in the keyholder's folder.

use std::{
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::keys::{KeyPlace, Reason};

/// How long a person's decision holds: long enough to release, short enough not to be forgotten.
pub const DECISION_AGE_MAX: SignedDuration = SignedDuration::from_hours(24);
/// Most requests that wait.
pub const WAITING_MAX: usize = 1000;
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Random bytes of an id.
const ID_BYTES: usize = 16;

/// A request about which a person decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// What `allow` and `deny` take: random, and of no use once it was decided, so that no decision is made twice by the same
    /// words.
    pub id: String,
    /// Where the key belongs.
    pub place: KeyPlace,
    /// Why it is wanted.
    pub reason: Reason,
    /// When it was asked for first.
    pub since: Timestamp,
}

/// What a person decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Yes or no.
    pub yes: bool,
    /// When.
    pub at: Timestamp,
}

/// What is known of a request about which a person decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A person said yes or no.
    Decided(bool),
    /// Nobody did yet; it waits under this id.
    Waits(String),
}

/// Why a decision could not be recorded.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    /// Nothing of this id waits.
    #[error("nothing waits under `{0}`; `amparo keyholder pending` lists what does")]
    Unknown(String),
    /// A file.
    #[error("a file of the keyholder's decisions cannot be read or written")]
    File(#[from] std::io::Error),
    /// As many wait as may.
    #[error("{WAITING_MAX} requests wait already; decide about some")]
    Full,
}

/// The folder of them.
#[derive(Debug, Clone)]
pub struct Decisions(PathBuf);

/// Names a request by what is asked for and why, so that asking again is the same question.
fn question(place: &KeyPlace, reason: &Reason) -> String {
    let reason = serde_json::to_vec(reason).unwrap_or_default();
    let digest = Sha256::new_with_prefix(b"amparo/keyholder-question/v1\n")
        .chain_update(place.to_bytes())
        .chain_update(reason)
        .finalize();
    hex::encode(digest)
}

fn new_id() -> std::io::Result<String> {
    let mut bytes = [0; ID_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| std::io::Error::other("no randomness"))?;
    Ok(hex::encode(bytes))
}

impl Decisions {
    /// The decisions in `folder`, which is made when something waits first.
    pub fn at(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    fn waiting_file(&self, question: &str) -> PathBuf {
        self.0.join(format!("{question}.waiting"))
    }
    fn decision_file(&self, question: &str) -> PathBuf {
        self.0.join(format!("{question}.decided"))
    }

    /// What was decided about a request; where nothing was, or too long ago, it is noted as waiting, and the id says under what.
    ///
    /// # Errors
    /// When the folder cannot be read or written, or too many wait.
    pub fn ask(&self, place: &KeyPlace, reason: &Reason, now: Timestamp) -> Result<Asked, DecisionError> {
        let question = question(place, reason);
        if let Some(decision) = read::<Decision>(&self.decision_file(&question))? {
            if decision.at.duration_until(now) <= DECISION_AGE_MAX {
                return Ok(Asked::Decided(decision.yes));
            }
            std::fs::remove_file(self.decision_file(&question))?;
        }
        if let Some(waiting) = read::<Waiting>(&self.waiting_file(&question))? {
            return Ok(Asked::Waits(waiting.id));
        }
        if self.waiting()?.len() >= WAITING_MAX {
            return Err(DecisionError::Full);
        }
        let waiting = Waiting {
            id: new_id()?,
            place: place.clone(),
            reason: reason.clone(),
            since: now,
        };
        write(&self.waiting_file(&question), &waiting)?;
        Ok(Asked::Waits(waiting.id))
    }

    /// What waits, oldest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn waiting(&self) -> Result<Vec<Waiting>, DecisionError> {
        let mut found: Vec<Waiting> = Vec::new();
        let entries = match std::fs::read_dir(&self.0) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == "waiting") {
                found.extend(read::<Waiting>(&path)?);
            }
        }
        found.sort_by_key(|one| one.since);
        Ok(found)
    }

    /// Records what a person decided.
    ///
    /// # Errors
    /// When nothing of this id waits, or a file cannot be written.
    pub fn decide(&self, id: &str, yes: bool, now: Timestamp) -> Result<Waiting, DecisionError> {
        let waiting = self.waiting()?.into_iter().find(|one| one.id == id);
        let unknown = || DecisionError::Unknown(id.chars().take(2 * ID_BYTES).collect());
        let waiting = waiting.ok_or_else(unknown)?;
        let question = question(&waiting.place, &waiting.reason);
        write(&self.decision_file(&question), &Decision { yes, at: now })?;
        std::fs::remove_file(self.waiting_file(&question))?;
        Ok(waiting)
    }
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> std::io::Result<Option<T>> {
    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut text = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut text)?;
    Ok(Some(serde_json::from_slice(&text)?))
}

/// Writes whole or not at all.
fn write<T: Serialize>(path: &Path, value: &T) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let draft = path.with_extension("draft");
    let mut file = std::fs::File::create(&draft)?;
    file.write_all(&serde_json::to_vec(value)?)?;
    file.sync_all()?;
    std::fs::rename(draft, path)
}
