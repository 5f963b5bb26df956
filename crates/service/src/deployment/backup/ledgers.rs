//! Walking the access ledgers of a deployment that is being restored: whether each still holds, and whether it is the one
//! that the docket committed to.
//!
//! Nothing here stops a restore: what does not hold is told, for a deployment without its newest entries is better than none.

use std::collections::BTreeMap;

use casework::{
    ids::TenantId,
    ledger::{Checking, heads::NewestHead},
};
use store::{
    database::Database,
    docket::DocketStore,
    ledger::{LedgerStore, LedgerStoreError, PAGE_MAX},
};

use super::BackupError;
use crate::docket::heads::rebuilt;

/// Most faults that are told one by one.
pub const FAULTS_MAX: usize = 100;
/// Sets, and heads of a tenant, that are read at once.
const AT_ONCE: u32 = 1_000;

/// What walking the ledgers showed.
#[derive(Debug, Default)]
pub struct LedgersWalked {
    /// Ledgers.
    pub ledgers: u64,
    /// Entries, each of which was hashed again.
    pub entries: u64,
    /// Sets of heads in the docket that were compared with its entries.
    pub sets: u64,
    /// What does not hold: at most [`FAULTS_MAX`].
    pub faults: Vec<String>,
    /// Faults beyond those.
    pub further: u64,
}

impl LedgersWalked {
    fn fault(&mut self, what: String) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(what);
        } else {
            self.further += 1;
        }
    }
}

/// The docket that committed to heads, with its rows.
pub(super) struct Docket {
    pub(super) store: DocketStore,
    pub(super) origin: String,
    /// Its entries that hold heads, as its files have them, by index.
    pub(super) entries: BTreeMap<u64, Vec<u8>>,
}

/// Walks every ledger in the gate's memory, and compares it with what the docket committed to.
///
/// # Errors
/// When a database fails.
pub(super) async fn walk(memory: &Database, docket: Option<&Docket>) -> Result<LedgersWalked, BackupError> {
    let mut walked = LedgersWalked::default();
    let store = LedgerStore::new(memory.clone());
    let mut after: Option<TenantId> = None;
    loop {
        let page = store.heads(after.as_ref()).await.map_err(sql)?;
        let Some(last) = page.last() else { break };
        after = Some(last.tenant.clone());
        for newest in page {
            one(&store, &newest, docket, &mut walked).await?;
            walked.ledgers += 1;
        }
    }
    if let Some(docket) = docket {
        sets(docket, &mut walked).await?;
    }
    Ok(walked)
}

/// One ledger: its entries, the end that is remembered of it, and every head of it that the docket committed to.
async fn one(
    store: &LedgerStore,
    newest: &NewestHead,
    docket: Option<&Docket>,
    walked: &mut LedgersWalked,
) -> Result<(), BackupError> {
    let tenant = &newest.tenant;
    let mut committed = Committed {
        tenant,
        docket,
        waiting: Vec::new(),
        next: Some(0),
    };
    let mut checking = Checking::begin(tenant);
    committed.compare(&checking, walked).await?;
    let mut after = None;
    loop {
        let page = match store.page(tenant, after, PAGE_MAX).await {
            Ok(page) => page,
            Err(LedgerStoreError::Corrupt(what)) => {
                walked.fault(format!("the ledger of `{tenant}` holds a bad {what}"));
                return Ok(());
            }
            Err(other) => return Err(sql(other)),
        };
        let Some(last) = page.last() else { break };
        after = Some(last.header.seq);
        for entry in &page {
            if let Err(broken) = checking.follow(entry) {
                walked.fault(format!("the ledger of `{tenant}` does not hold: {broken}"));
                return Ok(());
            }
            walked.entries += 1;
            committed.compare(&checking, walked).await?;
        }
    }
    let found = checking.end();
    if (found.length, found.head) != (newest.length, newest.head) {
        walked.fault(format!(
            "the ledger of `{tenant}` has {} entries, and {} were written: its end is missing, or another's",
            found.length, newest.length
        ));
    }
    committed.longer(found.length, walked).await
}

/// The heads of one tenant that the docket committed to, a page at a time.
struct Committed<'a> {
    tenant: &'a TenantId,
    docket: Option<&'a Docket>,
    /// The last comes next.
    waiting: Vec<(u64, casework::ledger::heads::Head)>,
    /// The docket's entry at which the next page begins; none after the last.
    next: Option<u64>,
}

impl Committed<'_> {
    async fn fill(&mut self) -> Result<(), BackupError> {
        let (Some(docket), Some(next)) = (self.docket, self.next) else {
            return Ok(());
        };
        if self.waiting.is_empty() {
            self.waiting = docket.store.heads_of_tenant(self.tenant, next, AT_ONCE).await?;
            self.next = self.waiting.last().map(|(position, _)| position + 1);
            self.waiting.reverse();
        }
        Ok(())
    }

    /// Compares what is committed to at the length reached.
    async fn compare(&mut self, checking: &Checking, walked: &mut LedgersWalked) -> Result<(), BackupError> {
        let reached = checking.so_far();
        loop {
            self.fill().await?;
            let Some((position, head)) = self.waiting.pop_if(|(_, head)| head.length <= reached.length)
            else {
                return Ok(());
            };
            if (head.length, head.head) != (reached.length, reached.head) {
                walked.fault(format!(
                    "the docket's entry {position} commits to another ledger of `{}`",
                    self.tenant
                ));
            }
        }
    }

    /// What the docket committed to beyond the end.
    async fn longer(&mut self, length: u64, walked: &mut LedgersWalked) -> Result<(), BackupError> {
        let mut longest = None;
        loop {
            self.fill().await?;
            let Some((position, head)) = self.waiting.pop() else {
                break;
            };
            longest = Some((position, head.length));
        }
        if let Some((position, committed)) = longest {
            walked.fault(format!(
                "the ledger of `{}` has {length} entries, and the docket's entry {position} commits to {committed}: the last ones \
                 are lost",
                self.tenant
            ));
        }
        Ok(())
    }
}

/// Each set of heads against the docket's entry that commits to it.
async fn sets(docket: &Docket, walked: &mut LedgersWalked) -> Result<(), BackupError> {
    let mut from = 0;
    loop {
        let page = docket.store.heads_from(from, AT_ONCE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        from = last.position + 1;
        for kept in page {
            let position = kept.position;
            // What is not published yet is in no file.
            let Some(entry) = docket.entries.get(&position) else {
                continue;
            };
            let heads = docket.store.heads_of(position).await?;
            walked.sets += 1;
            match rebuilt(&kept, &docket.origin, heads) {
                Ok((_, made)) if made.as_slice() == entry.as_slice() => {}
                Ok(_) => walked.fault(format!(
                    "the docket's entry {position} does not commit to the heads that are kept for it"
                )),
                Err(error) => walked.fault(format!("the heads for the docket's entry {position}: {error}")),
            }
        }
    }
}

fn sql(error: LedgerStoreError) -> BackupError {
    BackupError::Sql(Box::new(error))
}
