//! The heads of access ledgers in the docket: at their places and nowhere else, and so that a stranger sees nothing.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use casework::{
    ids::{Digest, TenantId},
    ledger::{
        Body, Entry, GENESIS, NotCommitted, PLACES, committed_to,
        heads::{EVERY, NewestHead, ShownSet},
    },
};
use service::docket::{Docket, heads::LedgerHeads};

use crate::office::{Office, enqueue};

/// Ledgers of one slot a day, of customers who come one after the other.
#[derive(Default)]
struct Ledgers {
    entries: Mutex<Vec<(TenantId, Vec<Entry>)>>,
    away: AtomicBool,
}

impl Ledgers {
    fn add(&self, tenant: &str) {
        let tenant = TenantId::new(tenant).unwrap();
        let mut entries = self.entries.lock().unwrap();
        entries.push((tenant, Vec::new()));
        entries.sort_by(|a, b| a.0.cmp(&b.0));
    }

    /// A day passes.
    fn grow(&self) {
        for (tenant, entries) in self.entries.lock().unwrap().iter_mut() {
            let day =
                jiff::civil::date(2020, 1, 1) + jiff::ToSpan::days(i64::try_from(entries.len()).unwrap());
            let (at, places) = (
                casework::ledger::ends_at(day).unwrap(),
                vec![Digest([1; 32]); PLACES],
            );
            let last = entries.last().map(|last| last.header.hash().unwrap());
            let after = (entries.len() as u64, last.unwrap_or(GENESIS));
            let body = Body::Slot { day, places };
            entries.push(Entry::after(after, tenant, at, Digest([2; 32]), body).unwrap());
        }
    }

    fn of(&self, tenant: &str) -> Vec<Entry> {
        let entries = self.entries.lock().unwrap();
        entries
            .iter()
            .find(|(id, _)| id.as_str() == tenant)
            .unwrap()
            .1
            .clone()
    }
}

#[async_trait]
impl LedgerHeads for Ledgers {
    async fn newest(&self, after: Option<&TenantId>) -> Result<Vec<NewestHead>, String> {
        if self.away.load(Ordering::SeqCst) {
            return Err("away".to_owned());
        }
        let entries = self.entries.lock().unwrap();
        let head = |(tenant, entries): &(TenantId, Vec<Entry>)| NewestHead {
            tenant: tenant.clone(),
            length: entries.len() as u64,
            head: entries.last().map_or(GENESIS, |last| last.header.hash().unwrap()),
            at: entries.last().map(|last| last.header.at),
        };
        // One at a time: a page is never the whole.
        let mut heads = entries
            .iter()
            .filter(|(id, _)| after.is_none_or(|after| id > after));
        Ok(heads.next().map(head).into_iter().collect())
    }
}

async fn shown(docket: &Docket, tenant: &str) -> Vec<ShownSet> {
    let tenant = TenantId::new(tenant).unwrap();
    let (mut all, mut after) = (Vec::<ShownSet>::new(), None);
    loop {
        let page = docket.heads(&tenant, after).await.unwrap();
        let Some(last) = page.last() else { return all };
        after = Some(last.set.index);
        all.extend(page);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_256th_entry_holds_the_heads_of_all_ledgers() {
    let office = Office::new(100);
    let ledgers = Arc::new(Ledgers::default());
    ledgers.add("contoso");
    ledgers.grow();
    let docket = office.open().await;
    docket.commit_heads_of(ledgers.clone());
    assert!(shown(&docket, "contoso").await.is_empty(), "nothing is published");
    // Full of entries that wait: none of them takes a place of the heads.
    let entries = enqueue(&docket, 0, 250).await;
    let mut size = 0;
    while size <= 5 * EVERY {
        // A second customer comes when the first place is taken, and the ledgers are away for one place.
        if size == 300 {
            ledgers.add("fabrikam");
        }
        ledgers.away.store((700..800).contains(&size), Ordering::SeqCst);
        ledgers.grow();
        size = docket.step().await.unwrap();
        if size == 600 {
            // What was kept is found again.
            assert_eq!(shown(&docket, "contoso").await.len(), 3);
        }
    }
    assert_eq!(office.check(&docket, &entries).await, size);
    for (id, _) in &entries {
        let index = docket.receipt(*id).await.unwrap().unwrap().receipt.index;
        assert_ne!(index % EVERY, 0);
    }

    let policy = docket.policy();
    let sets = shown(&docket, "contoso").await;
    let places: Vec<u64> = sets.iter().map(|set| set.set.index / EVERY).collect();
    assert_eq!(places, [0, 1, 2, 4, 5], "filler where the ledgers were away");
    let found = committed_to(&ledgers.of("contoso"), sets.clone(), policy).unwrap();
    assert_eq!((found.sets, found.gaps, found.first_gap), (5, 1, Some(3 * EVERY)));
    assert!(found.length > 8);

    let later = shown(&docket, "fabrikam").await;
    let places: Vec<u64> = later.iter().map(|set| set.set.index / EVERY).collect();
    assert_eq!(places, [1, 2, 4, 5], "and the set in which it was not yet");
    assert!(later[0].shown.is_none());
    let refused = committed_to(&ledgers.of("fabrikam"), later, policy);
    // These ledgers date their days long before the sets: one that comes later is taken for made up.
    assert!(
        matches!(refused, Err(NotCommitted::Beginning { .. })),
        "{refused:?}"
    );

    // A tail that was written anew since.
    let mut forged = ledgers.of("contoso");
    let last = forged.pop().unwrap();
    let Body::Slot { day, .. } = last.body else {
        panic!()
    };
    let body = Body::Slot {
        day,
        places: vec![Digest([9; 32]); PLACES],
    };
    let after = (last.header.seq, last.header.prev);
    forged.push(Entry::after(after, &last.header.tenant, last.header.at, last.salt, body).unwrap());
    assert!(matches!(
        committed_to(&forged, sets, policy),
        Err(NotCommitted::Another { .. })
    ));
}
