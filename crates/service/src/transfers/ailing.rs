//! What keeps a transfer from its end, for whoever looks after the deployment (`amparo doctor`). Nothing is changed here.

use std::fmt;

use casework::{
    ids::{CaseId, RegionId},
    transfer::{Hanging, Stage, Transfer, register},
};
use jiff::Timestamp;
use store::vault::Departure;

use super::{Result, Transfers, view::Counted};

/// Most transfers from other nodes that are named.
const ARRIVALS_MAX: u32 = 100;

/// A transfer that does not come to its end by itself, why, and the way on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ailing {
    /// The transfer.
    pub transfer: CaseId,
    /// Why.
    pub ailment: Ailment,
}

/// Why a transfer does not come to its end by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ailment {
    /// Its chain does not read, or is shorter than the gate knows.
    Unreadable(String),
    /// Data moved, or was copied, and has no basis today.
    NoBasis {
        /// Whether it is moving, lies there, or is a copy that does.
        hanging: Hanging,
        /// How much lies in the other region.
        there: Counted,
        /// The other region.
        to: RegionId,
    },
    /// This node does not serve one of its regions, and so cannot move it.
    NotServed(RegionId),
    /// The customer has no key in the region that the data lies in: nothing there can be wrapped anew.
    NoTenantKey(RegionId),
    /// Keys of accounts are gone: their objects open nowhere, and stay behind.
    NoAccountKeys {
        /// Objects.
        objects: u64,
        /// Where.
        region: RegionId,
    },
    /// It began, and its record expired before it was done: the gate wraps no further key on it.
    Expired {
        /// When.
        at: Timestamp,
        /// How much is left.
        left: Counted,
    },
    /// It began, its record lapsed on the way, and nothing new was drawn up or started.
    HalfWay {
        /// How much is left.
        left: Counted,
    },
    /// It began, and nobody works on it.
    Idle {
        /// How much is left.
        left: Counted,
    },
    /// A copy was given up, and its deletion was cut off.
    HalfDeleted,
    /// It comes from another node, and is not over: what it brings is frozen here.
    Coming {
        /// The node, by the name of its certificate.
        node: String,
    },
    /// It was to go to another node, was given up or lapsed, and some of it is frozen on one of the two still.
    Frozen(RegionId),
}

impl Ailment {
    /// Whether something is wrong, and not only unfinished.
    pub fn is_wrong(&self) -> bool {
        !matches!(
            self,
            Self::Idle { .. }
                | Self::Expired { .. }
                | Self::HalfWay { .. }
                | Self::HalfDeleted
                | Self::Frozen(_)
                | Self::Coming { .. }
        )
    }
}

impl fmt::Display for Ailing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.transfer;
        write!(f, "transfer `{id}` ")?;
        match &self.ailment {
            Ailment::Unreadable(why) => write!(f, "cannot be read: {why}"),
            Ailment::NoBasis { hanging, there, to } => match hanging {
                Hanging::CopyLyingThere => write!(
                    f,
                    "has no basis today, and copies of {} objects lie in `{to}`: delete them (`amparo transfer withdraw {id}`), \
                     or state another basis (`amparo transfer basis {id}`)",
                    there.objects
                ),
                Hanging::LyingThere => write!(
                    f,
                    "has no basis today, and {} objects lie in `{to}`: open a transfer back, erase them, or state another basis \
                     (`amparo transfer basis {id}`)",
                    there.objects
                ),
                Hanging::Moving | Hanging::No => write!(
                    f,
                    "has no basis today, and stands half-way: it goes no further; `amparo transfer status {id}` says why"
                ),
            },
            Ailment::NotServed(region) => write!(
                f,
                "needs region `{region}`, which this node does not serve: start it on the node that serves both regions, or \
                 `amparo transfer stop {id}`"
            ),
            Ailment::NoTenantKey(region) => write!(
                f,
                "cannot go on: the customer has no key in region `{region}`; compare the database with its backup, or \
                 `amparo transfer stop {id}`"
            ),
            Ailment::NoAccountKeys { objects, region } => write!(
                f,
                "leaves {objects} objects behind in `{region}`: the keys of their accounts were destroyed; delete the objects, \
                 for nobody can read them"
            ),
            Ailment::Expired { at, left } => write!(
                f,
                "began, and its record expired at {at} with {} objects left: `amparo transfer stop {id}`, and open another \
                 for what is left",
                left.objects
            ),
            Ailment::HalfWay { left } => write!(
                f,
                "stands half-way, with {} objects left: draw up a record (`amparo transfer propose {id}`), have it approved and \
                 start it; or `amparo transfer stop {id}`",
                left.objects
            ),
            Ailment::Idle { left } => write!(
                f,
                "began, {} objects ({} bytes) are left, and nobody works on it: `amparo transfer start {id}` goes on",
                left.objects, left.bytes
            ),
            Ailment::Coming { node } => write!(
                f,
                "comes from `{node}`, and is not over: where it comes to is frozen here; go on with it, or stop it, there"
            ),
            Ailment::Frozen(region) => write!(
                f,
                "does not go on, and data of it is frozen here or by the node of region `{region}`: `amparo transfer start {id}` \
                 lets go of it"
            ),
            Ailment::HalfDeleted => write!(
                f,
                "gave its copy up, and nobody deletes what is left of it: `amparo transfer withdraw {id}` goes on"
            ),
        }
    }
}

impl Transfers {
    /// Transfers that do not come to their end by themselves; and how many there are in all.
    ///
    /// # Errors
    /// When the transfers cannot be listed, or the vault fails. One that cannot be read is among those that ail.
    pub async fn ailing(&self) -> Result<(usize, Vec<Ailing>)> {
        let all = self.parts.store.list().await?;
        let mut found = Vec::new();
        for transfer in &all {
            let ailments = match self.chain(*transfer).await {
                Ok(chain) => self.ailments(chain.matter()).await?,
                Err(error) => vec![Ailment::Unreadable(error.to_string())],
            };
            let transfer = *transfer;
            found.extend(ailments.into_iter().map(|ailment| Ailing { transfer, ailment }));
        }
        for (transfer, node) in self.parts.vault.store().arrivals(ARRIVALS_MAX).await? {
            let ailment = Ailment::Coming { node };
            found.push(Ailing { transfer, ailment });
        }
        Ok((all.len(), found))
    }

    async fn ailments(&self, matter: &Transfer) -> Result<Vec<Ailment>> {
        let (parts, opening, transfer) = (&self.parts, matter.opening(), matter.id());
        let vault = &parts.vault;
        let mut found = Vec::new();
        let there = vault.lies_there(transfer, opening).await?;
        let listed = register(
            [(matter, Some(there.objects))],
            parts.rulebook,
            &parts.reviewers,
            self.today(),
        );
        let hanging = listed.first().map_or(Hanging::No, |entry| entry.hanging);
        if hanging != Hanging::No {
            found.push(Ailment::NoBasis {
                hanging,
                there: there.into(),
                to: opening.to.region.clone(),
            });
        }
        let at_work = parts.store.is_claimed(transfer, Timestamp::now()).await?;
        if matter.stage() == Stage::Withdrawing && !at_work {
            found.push(Ailment::HalfDeleted);
        }
        let departure = vault.store().departure(transfer).await?;
        let frozen = departure.is_some_and(|stage| stage != Departure::Over);
        if frozen && !at_work && !matches!(matter.stage(), Stage::Ready | Stage::Running) {
            found.push(Ailment::Frozen(opening.to.region.clone()));
        }
        let half_way = matter.stage() == Stage::Open && matter.has_moved() && hanging == Hanging::No;
        if half_way {
            let left = vault.left_to_do(opening).await?.into();
            found.push(Ailment::HalfWay { left });
        }
        if !matches!(
            matter.stage(),
            Stage::AwaitingApproval | Stage::AwaitingLog | Stage::Ready | Stage::Running
        ) {
            return Ok(found);
        }
        let from = &opening.from.region;
        let left = vault.left_to_do(opening).await?;
        for region in [from, &opening.to.region] {
            let across = region == &opening.to.region && self.is_across(opening);
            if !vault.serves(region) && !across {
                found.push(Ailment::NotServed(region.clone()));
            }
        }
        let store = vault.store();
        let keys = store
            .tenant_keys(Some(&opening.tenant), Some(from), None, 1)
            .await?;
        if keys.is_empty() && left.objects > 0 {
            found.push(Ailment::NoTenantKey(from.clone()));
        } else {
            let objects = vault.keyless(&opening.tenant, &opening.data, from).await?;
            found.extend((objects > 0).then(|| Ailment::NoAccountKeys {
                objects,
                region: from.clone(),
            }));
        }
        // One without a basis is not to go on; what was said of that is what there is to do.
        if matter.stage() == Stage::Running && !at_work && hanging == Hanging::No {
            let expired = matter.drawn().map(|record| record.expires_at);
            let left = left.into();
            found.push(match expired.filter(|at| *at <= self.now()) {
                Some(at) => Ailment::Expired { at, left },
                None => Ailment::Idle { left },
            });
        }
        Ok(found)
    }
}
