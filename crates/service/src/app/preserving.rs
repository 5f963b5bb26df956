//! Preservation: what there is of the accounts named is frozen, and let go of by itself when the law no longer asks for it.

use casework::{
    case::Case,
    chain::Chain,
    demand::Category,
    event::{Actor, Body, Event, Scope},
    facts::Resolution,
    finding::Promise,
    ids::{CaseId, Digest, SnapshotId},
    record::AccountRef,
};
use jiff::{Timestamp, tz::TimeZone};

use super::{Desk, DeskError, Result, course::Plan};

/// What of stored data a snapshot can be of.
const STORED: [Category; 5] = [
    Category::Subscriber,
    Category::Identification,
    Category::Traffic,
    Category::Content,
    Category::NonPersonal,
];

/// What became of a snapshot when the desk looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// None stands, or its time runs.
    AsItIs,
    /// Its end was recorded, and what its owner had deleted is gone.
    Ended,
    /// Its time is over, and a demand that follows on it is still open: it waits for that one.
    WaitsForAnother,
}

impl Desk {
    /// Freezes what there is now of the accounts that the demand names: what their owner deletes from here on stays, out of
    /// sight, until the snapshot ends. Nothing is opened. Calling it again after a crash finds the same snapshot.
    ///
    /// # Errors
    /// [`DeskError::NotNow`] where nothing is to be preserved, or a snapshot stands; when the vault fails, as it does for
    /// accounts that lie in a region of another node.
    pub async fn preserve(&self, case: CaseId, actor: Actor) -> Result<Event> {
        let chain = self.whole_chain(case).await?;
        let file = chain.case().file();
        let snapshot = snapshot_id(case, file.further().snapshots().len());
        let scope = freezable(&chain);
        let body = |objects, digest| Body::Preserved {
            snapshot,
            scope: scope.clone(),
            objects,
            digest,
        };
        // Asked before anything is frozen, and again by the chain after.
        chain.case().may(self.now(), &actor, &body(0, Digest([0; 32])))?;
        let accounts = accounts_of(&chain, &scope);
        let frozen = self
            .parts
            .vault
            .preserve(snapshot, &accounts, &scope.categories, scope.window)
            .await?;
        self.must(case, |_| {
            Ok(Plan::new(actor.clone(), body(frozen.objects, frozen.digest)))
        })
        .await
    }

    /// Ends the snapshot that stands: what its owner had deleted meanwhile is removed for good.
    ///
    /// # Errors
    /// [`DeskError::NotNow`] where none stands; when the vault fails.
    pub async fn end_snapshot(&self, case: CaseId, actor: Actor, reason: &str) -> Result<Event> {
        let chain = self.whole_chain(case).await?;
        let Some(standing) = chain.case().file().further().standing_snapshot() else {
            return Err(DeskError::NotNow {
                promise: Promise::P14,
                reason: "no snapshot stands".to_owned(),
                hint: "nothing is to be recorded",
            });
        };
        let snapshot = standing.id;
        let body = Body::SnapshotEnded {
            snapshot,
            reason: reason.to_owned(),
        };
        chain.case().may(self.now(), &actor, &body)?;
        // Done twice after a crash in between, the second finds nothing left.
        self.parts.vault.thaw(snapshot).await?;
        self.must(case, |_| Ok(Plan::new(actor.clone(), body.clone())))
            .await
    }

    /// Ends a snapshot whose time is over, unless a demand that follows on it is open.
    pub(super) async fn end_due_snapshot(&self, case: CaseId, now: Timestamp) -> Result<Kept> {
        let chain = self.chain(case).await?;
        let Some(reason) = self.snapshot_is_over(&chain, now)? else {
            return Ok(Kept::AsItIs);
        };
        for later in chain.case().file().further().followed_by() {
            if self.parts.cases.case(*later).await?.closed_at.is_none() {
                return Ok(Kept::WaitsForAnother);
            }
        }
        self.end_snapshot(case, Actor::System, &reason).await?;
        Ok(Kept::Ended)
    }

    fn snapshot_is_over(&self, chain: &Chain, now: Timestamp) -> Result<Option<String>> {
        let case = chain.case();
        let file = case.file();
        if file.further().standing_snapshot().is_none() {
            return Ok(None);
        }
        if nothing_needs_it(case) {
            return Ok(Some(
                "the demand ended, or what it asked for was handed over".to_owned(),
            ));
        }
        let Some((demand, facts)) = case.as_it_stands() else {
            return Ok(None);
        };
        let Some(keeping) = self.parts.rulebook.keeping_rule(&demand.instrument) else {
            return Ok(None);
        };
        // Renewals count from the moment they are recorded, before anybody assesses again.
        let today = now.to_zoned(TimeZone::UTC).date();
        let assessment = self.parts.rulebook.assess(&demand, &facts, today)?;
        let clock = assessment
            .findings
            .iter()
            .find(|finding| finding.rule == *keeping)
            .and_then(|finding| finding.clock.as_ref());
        Ok(clock
            .filter(|clock| clock.at < now && !demand.sequel.production_follows)
            .map(|clock| format!("the time for keeping it ended on {}", clock.on)))
    }

    /// Snapshots that stand in the cases on which this one follows, for its release.
    pub(super) async fn linked_snapshots(&self, chain: &Chain) -> Result<Vec<SnapshotId>> {
        let mut found = Vec::new();
        for (earlier, _) in chain.case().file().further().links() {
            let earlier = self.chain(*earlier).await?;
            found.extend(
                earlier
                    .case()
                    .file()
                    .further()
                    .standing_snapshot()
                    .map(|snapshot| snapshot.id),
            );
        }
        // And its own: what was kept while an objection was open.
        let own = chain.case().file().further().standing_snapshot();
        found.extend(own.map(|snapshot| snapshot.id));
        Ok(found)
    }
}

/// A snapshot stands in a case whose demand is over.
pub(super) fn nothing_needs_it(case: &Case) -> bool {
    let file = case.file();
    file.further().standing_snapshot().is_some()
        && (file.is_ended() || matches!(case, Case::AwaitingClosure(_)))
}

/// Of a case and how many it had before: the same after a crash.
fn snapshot_id(case: CaseId, before: usize) -> SnapshotId {
    let before = u64::try_from(before).unwrap_or(u64::MAX).to_be_bytes();
    let digest = Digest::of(&[b"amparo/snapshot/v1\n", case.0.as_bytes(), &before]);
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest.0).for_each(|(to, from)| *to = from);
    SnapshotId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// What the demand names of stored data; all of it where it names none, as an instrument that preserves need not.
fn freezable(chain: &Chain) -> Scope {
    let scope = chain.case().file().scope();
    let mut categories: Vec<Category> = scope
        .categories
        .iter()
        .copied()
        .filter(|category| STORED.contains(category))
        .collect();
    if categories.is_empty() {
        categories = STORED.to_vec();
    }
    Scope { categories, ..scope }
}

fn accounts_of(chain: &Chain, scope: &Scope) -> Vec<AccountRef> {
    let resolved = chain
        .case()
        .file()
        .facts()
        .map_or(&[][..], |facts| &facts.resolved);
    let mut accounts = Vec::new();
    for resolution in resolved {
        let Resolution::One(found) = resolution else {
            continue;
        };
        let named = (found.tenant.clone(), found.account.clone());
        if scope.accounts.contains(&named) {
            accounts.extend(found.places().map(|(region, _)| AccountRef {
                tenant: found.tenant.clone(),
                account: found.account.clone(),
                region: region.clone(),
            }));
        }
    }
    accounts
}
