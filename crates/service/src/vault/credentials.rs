//! Access keys, remembered for a moment: each request is signed with one, and a busy client's need not be read each time.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use super::Credential;

/// How long an access key may still sign after another process disabled it; what this one disables, signs no more at once.
pub const CREDENTIAL_TTL: Duration = Duration::from_secs(1);
/// Most that are remembered.
const CREDENTIALS_MAX: usize = 1000;

#[derive(Default)]
pub(super) struct Credentials(RwLock<Known>);

#[derive(Default)]
struct Known {
    by_id: HashMap<String, (Arc<Credential>, Instant)>,
    /// How often one was forgotten.
    forgotten: u64,
}

/// That nothing was forgotten since a credential began to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    began: Instant,
    forgotten: u64,
}

impl Credentials {
    pub(super) fn find(&self, id: &str) -> Option<Arc<Credential>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (credential, until) = known.by_id.get(id)?;
        (Instant::now() < *until).then(|| Arc::clone(credential))
    }

    /// To be taken before a credential is read.
    pub(super) fn reading(&self) -> Reading {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Reading {
            began: Instant::now(),
            forgotten: known.forgotten,
        }
    }

    /// Remembers what was read, unless one was forgotten meanwhile: it may be this one.
    pub(super) fn keep(&self, credential: &Arc<Credential>, reading: Reading) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.forgotten != reading.forgotten {
            return;
        }
        if known.by_id.len() >= CREDENTIALS_MAX {
            known.by_id.clear();
        }
        let until = reading.began + CREDENTIAL_TTL;
        known
            .by_id
            .insert(credential.id.clone(), (Arc::clone(credential), until));
    }

    pub(super) fn forget(&self, id: &str) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.by_id.remove(id);
        known.forgotten += 1;
    }
}
