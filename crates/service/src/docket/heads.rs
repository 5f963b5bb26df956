//! The heads of all tenants' access ledgers, in the docket: the first of every [`EVERY`] entries is a commitment to them.
//!
//! Its place is kept for it, whatever waits. Where the ledgers cannot be asked in time, filler takes it, so that the docket
//! goes on as ever; the gap is one that every tenant sees.

use std::time::Duration;

use async_trait::async_trait;
use casework::{
    ids::{Digest, TenantId},
    ledger::heads::{EVERY, HEADS_MAX, Head, HeadSet, HeadTree, HeadsSchema, NewestHead, ShownSet},
};
use jiff::Timestamp;
use store::docket::KeptHeads;
use translog::{
    entry::{Committed as _, ENTRY_BYTES, Opening, Salt, commitment},
    included::Included,
    proof::Receipt,
};

use super::{Docket, DocketError, Result, random};

/// Longest wait for the heads of all ledgers; then filler takes their place.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Most sets that are shown at once: for each, the tree of all tenants is made anew.
pub const SHOWN_MAX: u32 = 32;

/// Who keeps the access ledgers, as the docket asks.
#[async_trait]
pub trait LedgerHeads: Send + Sync {
    /// How far each tenant's ledger has come, by tenant, beginning after `after`; empty at the end.
    ///
    /// # Errors
    /// Why they cannot be read.
    async fn newest(&self, after: Option<&TenantId>) -> std::result::Result<Vec<NewestHead>, String>;
}

/// A set for a batch: its entry, and what is kept of it.
pub(super) struct Made {
    pub(super) entry: [u8; ENTRY_BYTES],
    pub(super) kept: (KeptHeads, Vec<Head>),
}

/// The places of a batch that are kept for sets of heads.
pub(super) fn places(start: u64, batch: u32) -> impl Iterator<Item = u64> {
    let end = start.saturating_add(u64::from(batch));
    let first = start.checked_next_multiple_of(EVERY).unwrap_or(end);
    (first..end).step_by(usize::try_from(EVERY).unwrap_or(usize::MAX))
}

impl Docket {
    /// The sets for these places, or none where the ledgers do not answer.
    pub(super) async fn make_heads(&self, places: &[u64]) -> Result<Vec<Made>> {
        let Some(ledgers) = self.inner.heads.get().filter(|_| !places.is_empty()) else {
            return Ok(Vec::new());
        };
        let newest = match tokio::time::timeout(PATIENCE, all(ledgers.as_ref())).await {
            Ok(Ok(newest)) => newest,
            Ok(Err(why)) => {
                tracing::error!(why, "the docket commits to no heads of access ledgers this time");
                return Ok(Vec::new());
            }
            Err(_) => {
                tracing::error!(
                    "the gate does not tell the heads of the access ledgers; the docket goes on without"
                );
                return Ok(Vec::new());
            }
        };
        let before = self.inner.store.newest_heads().await?;
        let known = match &before {
            Some(before) => self.inner.store.heads_of(before.position).await?,
            None => Vec::new(),
        };
        let now = Timestamp::from_microsecond(Timestamp::now().as_microsecond()).unwrap_or_default();
        let dated = newest.iter().filter_map(|head| head.at);
        let at = dated
            .chain(before.as_ref().map(|before| before.at))
            .fold(now, Timestamp::max);
        let mut made = Vec::with_capacity(places.len());
        for position in places {
            let first = before.as_ref().map(|before| before.first);
            let first = first.or_else(|| places.first().copied()).unwrap_or(*position);
            // Both are sorted by tenant.
            let mut known = known.iter().peekable();
            let heads: Vec<Head> = newest
                .iter()
                .map(|newest| {
                    while known.next_if(|known| known.tenant < newest.tenant).is_some() {}
                    let since = known
                        .next_if(|known| known.tenant == newest.tenant)
                        .map(|known| known.since);
                    Head {
                        tenant: newest.tenant.clone(),
                        since: since.or_else(|| places.first().copied()).unwrap_or(*position),
                        length: newest.length,
                        head: newest.head,
                    }
                })
                .collect();
            let (mut seed, mut salt) = (Salt([0; 32]), Salt([0; 32]));
            random(&mut seed.0)?;
            random(&mut salt.0)?;
            let kept = KeptHeads {
                position: *position,
                first,
                at,
                seed,
                salt,
            };
            let origin = self.inner.config.key.verifier().name().to_owned();
            let (kept, heads, entry) = tokio::task::spawn_blocking(move || {
                let (_, entry) = rebuilt(&kept, &origin, heads.clone())?;
                Ok::<_, DocketError>((kept, heads, entry))
            })
            .await
            .map_err(|_| DocketError::Closed)??;
            made.push(Made {
                entry,
                kept: (kept, heads),
            });
        }
        Ok(made)
    }

    /// The published sets in which this tenant's head is, in order, beginning after the docket's entry `after`: at most
    /// [`SHOWN_MAX`], and at the beginning the set before the first, which shows when the ledger was not there yet. Each is
    /// verified before it is given out.
    ///
    /// # Errors
    /// When store or files fail, or a set is not what its entry commits to.
    pub async fn heads(&self, tenant: &TenantId, after: Option<u64>) -> Result<Vec<ShownSet>> {
        let store = &self.inner.store;
        let newest = store.newest_published().await?;
        let Some((size, Some(checkpoint))) = newest.map(|newest| (newest.size, newest.witnessed)) else {
            return Ok(Vec::new());
        };
        let Some((before, since)) = store.heads_begin(tenant).await? else {
            return Ok(Vec::new());
        };
        let next = after.map(|after| after.saturating_add(1));
        let mut positions: Vec<u64> = before
            .filter(|before| next.is_none_or(|next| *before >= next))
            .into_iter()
            .collect();
        let from = next.unwrap_or(since).max(since);
        let heads = store.heads_of_tenant(tenant, from, SHOWN_MAX).await?;
        positions.extend(heads.iter().map(|(position, _)| *position));
        let mut shown = Vec::with_capacity(positions.len());
        for position in positions.into_iter().filter(|position| *position < size) {
            let set = store.heads_from(position, 1).await?;
            let kept = set.into_iter().find(|set| set.position == position);
            let kept =
                kept.ok_or_else(|| DocketError::Damaged(format!("the heads at `{position}` are missing")))?;
            let path = self.prove(size, move |prover| prover.inclusion(position)).await?;
            let heads = store.heads_of(position).await?;
            let origin = self.inner.config.key.verifier().name().to_owned();
            let (tenant, checkpoint, policy) = (
                tenant.clone(),
                checkpoint.clone(),
                self.inner.config.policy.clone(),
            );
            let one = tokio::task::spawn_blocking(move || {
                let (tree, _) = rebuilt(&kept, &origin, heads)?;
                let set = set_of(&kept, &origin, tree.root());
                let digest = set
                    .digest()
                    .map_err(|error| DocketError::Damaged(error.to_string()))?;
                let opening = Opening {
                    kind: HeadSet::KIND.to_owned(),
                    salt: kept.salt.clone(),
                    digest,
                };
                let receipt = Receipt {
                    extra: Some(opening.to_bytes()),
                    index: position,
                    path,
                    checkpoint,
                };
                let set = Included::verify(set, &kept.salt, &receipt, &policy)?.into_value();
                Ok::<_, DocketError>(ShownSet {
                    set,
                    salt: kept.salt,
                    receipt: receipt.to_string(),
                    shown: tree.show(&tenant),
                })
            });
            shown.push(one.await.map_err(|_| DocketError::Closed)??);
        }
        Ok(shown)
    }
}

/// The tree of a set, and the entry that commits to it.
///
/// # Errors
/// When the heads are no set.
pub fn rebuilt(kept: &KeptHeads, origin: &str, heads: Vec<Head>) -> Result<(HeadTree, [u8; ENTRY_BYTES])> {
    let damaged = |error: &dyn std::fmt::Display| DocketError::Damaged(error.to_string());
    let tree = HeadTree::new(kept.seed.clone(), heads).map_err(|error| damaged(&error))?;
    let digest = set_of(kept, origin, tree.root())
        .digest()
        .map_err(|error| damaged(&error))?;
    Ok((tree, commitment(HeadSet::KIND, &kept.salt, &digest)))
}

fn set_of(kept: &KeptHeads, origin: &str, root: Digest) -> HeadSet {
    HeadSet {
        schema: HeadsSchema::V1,
        log: origin.to_owned(),
        index: kept.position,
        first: kept.first,
        at: kept.at,
        root,
    }
}

async fn all(ledgers: &dyn LedgerHeads) -> std::result::Result<Vec<NewestHead>, String> {
    let mut all: Vec<NewestHead> = Vec::new();
    loop {
        let page = ledgers.newest(all.last().map(|last| &last.tenant)).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
        if !all.is_sorted_by(|one, next| one.tenant < next.tenant) {
            return Err("the ledgers are not told in order".to_owned());
        }
        if all.len() > HEADS_MAX {
            return Err(format!("there are more than {HEADS_MAX} ledgers"));
        }
    }
}
