//! The end of a key provider's key, for good: counted, ordered, and stated, so that anybody can check the statement against the
//! docket.
//!
//! That nothing is wrapped under the key any more is not believed of anybody: every wrapped key of every customer, and every
//! sealed root in the folders of keys, names who holds it, and all are looked at, in the transaction from which on nothing
//! more is recorded under it.

use std::{path::PathBuf, sync::Arc};

use casework::{
    canonical::{self, CanonicalError},
    ids::{Digest, ProviderId},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::{docket::EntryId, vault::StoreError};

use super::{Deployment, Layout, OpenError, RootError, open_providers, roots::sealed_roots};
use crate::{
    config::Config,
    docket::{Docket, DocketError},
    gate::Clock,
    keys::{
        EndOrder, Ended, HolderError, Providers, Why,
        configured::ProviderConfig,
        keyholder::{ending, wire},
    },
};

/// What the docket calls the order to destroy a provider's key: an entry that commits to a [`Retirement`] without an answer.
pub const ORDERED_KIND: &str = "key-end-ordered";
/// What it calls the outcome.
pub const ANSWERED_KIND: &str = "key-end-answered";

/// What is to be destroyed, and how.
pub struct RetirementOrder {
    /// The provider, by its name in the configuration.
    pub provider: ProviderId,
    /// The gate's folder, where the gate has one of its own: its roots and its configuration count.
    pub gate: Option<Layout>,
    /// How.
    pub end: EndOrder,
    /// For a customer's keyholder: what `amparo keyholder destroy` wrote. Nobody else destroys its key.
    pub receipt: Option<Vec<u8>>,
}

/// What was destroyed, when, and what the provider answered. Its digest is in the docket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retirement {
    /// Always `amparo.key-end/1`.
    pub schema: Schema,
    /// Who says so.
    pub provider: String,
    /// The key provider, by its name in the configuration.
    pub holder: ProviderId,
    /// Its kind, as the configuration has it.
    pub kind: String,
    /// Which key it is, as its holder names it.
    pub key: String,
    /// Other names of the configuration under which it is the same key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<ProviderId>,
    /// Customers' wrapped keys that were looked at: all. None of them is held by it.
    pub wrapped_keys: u64,
    /// Sealed roots that were looked at: all. None of them is sealed by it.
    pub sealed_roots: u64,
    /// When its destruction was ordered.
    pub ordered_at: Timestamp,
    /// What came of it; absent in the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answered>,
}

/// What a provider answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    /// When.
    pub at: Timestamp,
    /// In its own words, where it has any.
    pub ended: Ended,
}

/// The schema tag of [`Retirement`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Schema {
    /// Version 1.
    #[serde(rename = "amparo.key-end/1")]
    V1,
}

/// Why a provider's key was not destroyed.
#[derive(Debug, thiserror::Error)]
pub enum RetirementError {
    /// The configuration.
    #[error(transparent)]
    Open(#[from] Box<OpenError>),
    /// No such provider.
    #[error("`amparo.toml` has no `[[key_provider]]` with the id `{0}`")]
    Unknown(ProviderId),
    /// The gate's roots are elsewhere.
    #[error("the gate has a folder of its own, and the roots in it count: say `--gate` with it")]
    GateFolder,
    /// Roots.
    #[error(transparent)]
    Root(#[from] RootError),
    /// A root is sealed by it.
    #[error("it seals the root `{}`; `amparo key rotate --level root` replaces it", .0.display())]
    Seals(PathBuf),
    /// Rows are held by it, or the store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Whether two providers have one key cannot be told.
    #[error("whether `{other}` has the same key cannot be told; nothing was destroyed")]
    Untold {
        /// The other.
        other: ProviderId,
        /// Why.
        #[source]
        source: HolderError,
    },
    /// The provider refused: nothing was destroyed, and it is in use as before.
    #[error("nothing was destroyed")]
    Refused(#[source] HolderError),
    /// Whether it was destroyed is not known.
    #[error("whether the key was destroyed is not known; nothing more is wrapped under it: run this again")]
    NotKnown(#[source] HolderError),
    /// A customer's keyholder.
    #[error(
        "nothing is held by it, and nothing more will be. Its key is the customer's own: it runs `amparo keyholder destroy`; then \
         run this again with `--receipt` and what that wrote"
    )]
    Customers,
    /// A receipt that is not of that keyholder.
    #[error(transparent)]
    Receipt(#[from] ending::NoReceipt),
    /// The docket.
    #[error(transparent)]
    Docket(#[from] DocketError),
    /// The statement has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// A statement that is kept does not read.
    #[error("the statement about its destruction that is kept does not read")]
    Kept(#[from] serde_json::Error),
}

impl Retirement {
    /// What the docket commits to: SHA-256 over `amparo/key-end/v1`, a newline, and the canonical JSON.
    ///
    /// # Errors
    /// When it has no JSON form.
    pub fn digest(&self) -> Result<Digest, CanonicalError> {
        canonical::digest("amparo/key-end/v1", self)
    }
}

/// Who is to end, and what names its key.
struct Target {
    kind: &'static str,
    key: String,
    also: Vec<ProviderId>,
}

impl Deployment {
    /// Destroys a provider's key by the provider's own means. The order is in the docket's queue before the provider is asked,
    /// and so is its answer after. Asked again after a failure it goes on; after a success it gives the same statement.
    ///
    /// # Errors
    /// While anything is wrapped under the key, or where the provider refuses: nothing is destroyed then.
    /// [`RetirementError::NotKnown`] where it may have been.
    pub async fn retire(
        &self,
        order: &RetirementOrder,
    ) -> Result<(Retirement, Option<EntryId>), RetirementError> {
        if let Some(done) = self.retired_before(&order.provider).await? {
            return Ok((done, None));
        }
        let keys_in = match (&order.gate, &self.config.gate) {
            (Some(gate), _) => gate.clone(),
            (None, None) => self.layout.clone(),
            (None, Some(_)) => return Err(RetirementError::GateFolder),
        };
        let config = Config::read(&keys_in.config()).map_err(|error| Box::new(OpenError::from(error)))?;
        let reads = Arc::clone(&self.clock);
        let clock: Clock = Arc::new(move || reads.now());
        let providers = open_providers(&keys_in, &config, &clock).await?;
        let target = target(&config, &order.provider, &providers).await?;
        let ends = |seals: &ProviderId| *seals == order.provider || target.also.contains(seals);
        let folders: Vec<Layout> = match keys_in.dir() == self.layout.dir() {
            true => vec![keys_in],
            false => vec![keys_in, self.layout.clone()],
        };
        let looked_at = || -> Result<u64, RetirementError> {
            let mut looked_at = 0u64;
            for folder in &folders {
                for (path, seals) in sealed_roots(folder)? {
                    looked_at += 1;
                    if ends(&seals) {
                        return Err(RetirementError::Seals(path));
                    }
                }
            }
            Ok(looked_at)
        };
        let statement = Retirement {
            schema: Schema::V1,
            provider: self.config.provider.clone(),
            holder: order.provider.clone(),
            kind: target.kind.to_owned(),
            key: target.key.clone(),
            also: target.also.clone(),
            wrapped_keys: 0,
            sealed_roots: looked_at()?,
            ordered_at: self.clock.now(),
            answer: None,
        };
        let customers = customers_key(&config, &order.provider);
        let receipt = match (customers, &order.receipt) {
            (Some(key), Some(receipt)) => Some(ending::verified(receipt, key)?),
            _ => None,
        };

        let names: Vec<ProviderId> = std::iter::once(order.provider.clone())
            .chain(target.also.clone())
            .collect();
        let drawn = statement.clone();
        let entry = move |wrapped_keys: u64| {
            let ordered = Retirement {
                wrapped_keys,
                ..drawn.clone()
            };
            Docket::entry(ORDERED_KIND, ordered.digest().ok()?.0).ok()
        };
        let (wrapped_keys, _) = self
            .vault
            .store()
            .retire_provider(names.clone(), self.clock.now(), Arc::new(entry))
            .await?;
        // Who seals a root asks no database: once more, now that no gate wraps anything under it.
        if let Err(sealed) = looked_at() {
            self.vault.store().reinstate_providers(names).await?;
            return Err(sealed);
        }
        let ended = match receipt {
            Some(receipt) => receipt,
            None if customers.is_some() => return Err(RetirementError::Customers),
            None => match providers.end(&order.provider, &order.end).await {
                Ok(ended) => ended,
                Err(error) if is_certain(&error.why) => {
                    self.vault.store().reinstate_providers(names).await?;
                    return Err(RetirementError::Refused(error));
                }
                Err(error) => return Err(RetirementError::NotKnown(error)),
            },
        };
        let statement = Retirement {
            wrapped_keys,
            answer: Some(Answered {
                at: self.clock.now(),
                ended,
            }),
            ..statement
        };
        let entry = Docket::entry(ANSWERED_KIND, statement.digest()?.0)?;
        let bytes = canonical::to_canonical_json(&statement)?;
        let entry = self
            .vault
            .store()
            .note_destroyed_provider(order.provider.clone(), bytes, entry)
            .await?;
        Ok((statement, Some(entry)))
    }

    async fn retired_before(&self, provider: &ProviderId) -> Result<Option<Retirement>, RetirementError> {
        let retired = self.vault.store().retired_providers().await?;
        let known = retired.into_iter().find(|known| known.provider == *provider);
        let statement = known.and_then(|known| known.statement);
        Ok(statement
            .map(|bytes| serde_json::from_slice(&bytes))
            .transpose()?)
    }
}

/// Whether the provider's answer leaves no doubt that nothing was destroyed.
fn is_certain(why: &Why) -> bool {
    matches!(
        why,
        Why::Denied(_) | Why::Waiting(_) | Why::Busy | Why::Unknown | Why::Unusable(_)
    )
}

/// The public key of a customer's keyholder, as the configuration has it.
fn customers_key<'a>(config: &'a Config, id: &ProviderId) -> Option<&'a str> {
    config.key_providers.iter().find_map(|one| match one {
        ProviderConfig::Keyholder { id: known, key, .. } if known == id => Some(key.as_str()),
        _ => None,
    })
}

fn kind(one: &ProviderConfig) -> &'static str {
    match one {
        ProviderConfig::File { .. } => "file",
        ProviderConfig::Pkcs11 { .. } => "pkcs11",
        ProviderConfig::AwsKms { .. } => "aws_kms",
        ProviderConfig::Transit { .. } => "transit",
        ProviderConfig::Keyholder { .. } => "keyholder",
    }
}

/// Asks every provider of the kind what names its key.
async fn target(config: &Config, id: &ProviderId, providers: &Providers) -> Result<Target, RetirementError> {
    let found = config.key_providers.iter().find(|one| one.id() == id);
    let kind_of = kind(found.ok_or_else(|| RetirementError::Unknown(id.clone()))?);
    // A customer's keyholder need not answer any more.
    if let Some(key) = customers_key(config, id) {
        let same =
            |one: &&ProviderConfig| one.id() != id && same_holder(customers_key(config, one.id()), key);
        return Ok(Target {
            kind: kind_of,
            key: format!("keyholder {key}"),
            also: config
                .key_providers
                .iter()
                .filter(same)
                .map(|one| one.id().clone())
                .collect(),
        });
    }
    let key = providers.names_key(id).await.map_err(RetirementError::Refused)?;
    let mut also = Vec::new();
    for other in config
        .key_providers
        .iter()
        .filter(|one| one.id() != id && kind(one) == kind_of)
    {
        let named = providers.names_key(other.id()).await;
        let named = named.map_err(|source| RetirementError::Untold {
            other: other.id().clone(),
            source,
        })?;
        if named == key {
            also.push(other.id().clone());
        }
    }
    Ok(Target {
        kind: kind_of,
        key,
        also,
    })
}

fn same_holder(one: Option<&str>, other: &str) -> bool {
    let (one, other) = (one.map(wire::public_key), wire::public_key(other));
    matches!((one, other), (Some(Ok(one)), Ok(other)) if one == other)
}
