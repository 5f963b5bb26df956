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
pub(super) struct Credentials(RwLock<HashMap<String, (Arc<Credential>, Instant)>>);

impl Credentials {
    pub(super) fn find(&self, id: &str) -> Option<Arc<Credential>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (credential, until) = known.get(id)?;
        (Instant::now() < *until).then(|| Arc::clone(credential))
    }

    /// Remembers what was read when `read` began.
    pub(super) fn keep(&self, credential: &Arc<Credential>, read: Instant) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CREDENTIALS_MAX {
            known.clear();
        }
        known.insert(
            credential.id.clone(),
            (Arc::clone(credential), read + CREDENTIAL_TTL),
        );
    }

    pub(super) fn forget(&self, id: &str) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.remove(id);
    }
}
