//! The key providers of a deployment. Each is asked for a limited time, and a limited number of times at once.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use casework::ids::ProviderId;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::{
    EndOrder, Ended, Health, HolderError, KeyPlace, KeyProvider, Reason, SECRET_BYTES_MAX, SECRET_BYTES_MIN,
    Why,
};

/// Longest wait for a provider's answer, waiting for one's turn included.
pub const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Most questions to one provider at once.
pub const ASKS_MAX: usize = 32;

/// The providers by name.
#[derive(Default)]
pub struct Providers {
    by_id: BTreeMap<String, Limited>,
}

struct Limited {
    provider: Arc<dyn KeyProvider>,
    turns: Semaphore,
    patience: Duration,
}

impl Providers {
    /// These providers, each asked for [`ANSWER_MAX`] at most.
    pub fn new(providers: impl IntoIterator<Item = Arc<dyn KeyProvider>>) -> Self {
        Self::with_patience(providers, ANSWER_MAX)
    }

    /// These providers, each asked for `patience` at most.
    pub fn with_patience(
        providers: impl IntoIterator<Item = Arc<dyn KeyProvider>>,
        patience: Duration,
    ) -> Self {
        let limited = |provider: Arc<dyn KeyProvider>| {
            let id = provider.id().as_str().to_owned();
            let turns = Semaphore::new(ASKS_MAX);
            (
                id,
                Limited {
                    provider,
                    turns,
                    patience,
                },
            )
        };
        Self {
            by_id: providers.into_iter().map(limited).collect(),
        }
    }

    /// Their names.
    pub fn ids(&self) -> impl Iterator<Item = &ProviderId> {
        self.by_id.values().map(|limited| limited.provider.id())
    }

    /// Has a secret wrapped.
    ///
    /// # Errors
    /// See [`Why`].
    pub async fn wrap(
        &self,
        id: &ProviderId,
        place: &KeyPlace,
        reason: &Reason,
        secret: &[u8],
    ) -> Result<Vec<u8>, HolderError> {
        if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&secret.len()) {
            let why = format!("it wraps {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes");
            return Err(HolderError::new(id, Why::Unusable(why)));
        }
        let limited = self.find(id)?;
        let blob = limited.ask(limited.provider.wrap(place, reason, secret)).await?;
        if blob.is_empty() || blob.len() > envelope::held::BLOB_BYTES_MAX {
            let why = "it wrapped a key into nothing, or into more than is kept".to_owned();
            return Err(HolderError::new(id, Why::Wrong(why)));
        }
        Ok(blob)
    }

    /// Has a secret unwrapped.
    ///
    /// # Errors
    /// See [`Why`].
    pub async fn unwrap(
        &self,
        id: &ProviderId,
        place: &KeyPlace,
        reason: &Reason,
        blob: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, HolderError> {
        let limited = self.find(id)?;
        limited.ask(limited.provider.unwrap(place, reason, blob)).await
    }

    /// Asks a provider whether it could answer.
    ///
    /// # Errors
    /// See [`Why`].
    pub async fn health(&self, id: &ProviderId) -> Result<Health, HolderError> {
        let limited = self.find(id)?;
        limited.ask(limited.provider.health()).await
    }

    /// Asks a provider what names its key.
    ///
    /// # Errors
    /// See [`Why`].
    pub async fn names_key(&self, id: &ProviderId) -> Result<String, HolderError> {
        let limited = self.find(id)?;
        limited.ask(limited.provider.names_key()).await
    }

    /// Has a provider destroy its key. Nothing may be wrapped under it any more.
    ///
    /// # Errors
    /// See [`KeyProvider::end`].
    pub async fn end(&self, id: &ProviderId, order: &EndOrder) -> Result<Ended, HolderError> {
        let limited = self.find(id)?;
        limited.ask(limited.provider.end(order)).await
    }

    fn find(&self, id: &ProviderId) -> Result<&Limited, HolderError> {
        self.by_id
            .get(id.as_str())
            .ok_or_else(|| HolderError::new(id, Why::Unknown))
    }
}

impl Limited {
    async fn ask<T>(&self, answer: impl Future<Output = Result<T, HolderError>>) -> Result<T, HolderError> {
        let until = tokio::time::Instant::now() + self.patience;
        let fail = |why| HolderError::new(self.provider.id(), why);
        let turn = tokio::time::timeout_at(until, self.turns.acquire()).await;
        let _turn = turn
            .map_err(|_| fail(Why::Busy))?
            .map_err(|_| fail(Why::Away("the gate is stopping".to_owned())))?;
        tokio::time::timeout_at(until, answer)
            .await
            .map_err(|_| fail(Why::Slow(self.patience)))?
    }
}
