//! Transfers of data whose keys the customer holds: it is asked with the transfer named, and may say no.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use casework::{gate::Breach, ids::ProviderId};
use zeroize::Zeroizing;

use super::{
    scene::{EU, Scene, US, olga},
    *,
};
use crate::keys::{Health, HolderError, KeyPlace, KeyProvider, Reason, Why};

/// A holder in this process, which says no to transfers when it is told to.
pub(super) struct Holder {
    pub(super) id: ProviderId,
    pub(super) denies: AtomicBool,
    asked: Mutex<Vec<(KeyPlace, Reason)>>,
}

impl Holder {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            id: ProviderId::new("contoso-keys").unwrap(),
            denies: AtomicBool::new(false),
            asked: Mutex::default(),
        })
    }
    fn seal(place: &KeyPlace) -> Vec<u8> {
        [b"held", place.to_bytes().as_slice()].concat()
    }
    /// The regions in whose keys it was asked for this transfer.
    pub(super) fn asked_for(&self, transfer: casework::ids::CaseId) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        let of = |reason: &Reason| matches!(reason, Reason::Transfer { matter } if *matter == transfer.to_string());
        let mut regions: Vec<String> = asked
            .iter()
            .filter(|(_, reason)| of(reason))
            .map(|(place, _)| place.region.clone())
            .collect();
        regions.sort();
        regions.dedup();
        regions
    }
}

#[async_trait]
impl KeyProvider for Holder {
    fn id(&self) -> &ProviderId {
        &self.id
    }
    async fn wrap(&self, place: &KeyPlace, _: &Reason, secret: &[u8]) -> Result<Vec<u8>, HolderError> {
        Ok([Self::seal(place).as_slice(), secret].concat())
    }
    async fn unwrap(
        &self,
        place: &KeyPlace,
        reason: &Reason,
        blob: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, HolderError> {
        self.asked.lock().unwrap().push((place.clone(), reason.clone()));
        if matches!(reason, Reason::Transfer { .. }) && self.denies.load(Ordering::Relaxed) {
            return Err(HolderError::new(&self.id, Why::Denied("not to there".into())));
        }
        let secret = blob.strip_prefix(Self::seal(place).as_slice());
        let secret = secret.ok_or_else(|| HolderError::new(&self.id, Why::NotHere))?;
        Ok(Zeroizing::new(secret.to_vec()))
    }
    async fn health(&self) -> Result<Health, HolderError> {
        Ok(Health {
            kind: "a test's".into(),
            weakness: None,
        })
    }
}

#[tokio::test]
async fn p19_a_customer_that_holds_its_keys_may_say_no_to_a_transfer() {
    let scene = Scene::new(Arc::new(NoFaults)).await;
    let holder = Arc::clone(&scene.holder);
    scene.provision_held("US", Some(&holder.id)).await;
    let transfer = scene.approved("US").await;
    holder.denies.store(true, Ordering::Relaxed);
    let denied = scene.transfers.start(transfer, olga(), |_, _| ()).await;
    let Err(TransferError::Refused(refusal)) = denied else {
        panic!("{denied:?}");
    };
    assert_eq!(refusal.breach, Breach::Invariant(2), "{refusal}");
    assert!(refusal.reason.contains("not to there"), "{refusal}");
    scene.everything_reads(EU).await;
    assert_eq!(scene.moved(transfer).await, Moved::default());

    // It says yes: the data moves, and its keys stay held there.
    holder.denies.store(false, Ordering::Relaxed);
    scene.transfers.start(transfer, olga(), |_, _| ()).await.unwrap();
    assert_eq!(holder.asked_for(transfer), [EU, US]);
    scene.everything_reads(US).await;
    let keys = scene.key_of(&"alice".parse().unwrap()).await;
    assert_eq!(keys.account.region, US);
    assert_eq!(keys.account.tenant_key.holder(), Some(holder.id.as_str()));
}
