//! A vault that a test can look into: three objects of one account, and accounts by their names.

use std::{collections::BTreeMap, sync::Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use casework::{
    demand::{Category, CountryCode, Window},
    facts::{AccountFacts, TenantKind},
    ids::{AccountId, Digest, ObjectId, RegionId, SnapshotId, TenantId},
    record::{AccountRef, ReleasedObject},
};
use envelope::{
    content::{ContentDigest, Opening},
    keys::{ObjectKey, WrappedChain},
};
use futures::StreamExt as _;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use store::vault::Frozen;

use crate::app::ports::{Described, Plaintext, PortError, VaultPort};

const CONTENT: &[u8] = b"Subject: lunch\r\n\r\nAt noon?";

pub(crate) struct TestVault {
    pub(crate) accounts: Mutex<BTreeMap<String, Vec<AccountFacts>>>,
    pub(crate) objects: Mutex<Vec<ReleasedObject>>,
    /// What its owner deleted; only a snapshot that has it finds it.
    pub(crate) deleted: Mutex<Vec<ReleasedObject>>,
    pub(crate) snapshots: Mutex<BTreeMap<SnapshotId, Vec<ObjectId>>>,
    /// What objects hold that [`TestVault::keep`] added, and what they are called.
    kept: Mutex<BTreeMap<ObjectId, (&'static str, Vec<u8>)>>,
}

pub(crate) fn account(tenant: &str, account: &str) -> AccountFacts {
    AccountFacts {
        identified: None,
        tenant: TenantId::new(tenant).unwrap(),
        account: AccountId::new(account).unwrap(),
        tenant_kind: TenantKind::Enterprise,
        tenant_country: CountryCode::new("DE").unwrap(),
        region: RegionId::new("eu-de").unwrap(),
        region_country: CountryCode::new("DE").unwrap(),
        also_in: Vec::new(),
        left_out: Vec::new(),
        person_country: None,
        us_person: None,
        privileged: None,
        customer_holds_keys: None,
    }
}

pub(super) fn object_key() -> ObjectKey {
    ObjectKey::from_random([8; 32])
}

fn object(number: u8, at: &str, body: &[u8]) -> ReleasedObject {
    let mut content = ContentDigest::default();
    content.part(body.len() as u64, &Sha256::digest(body).into());
    let commitment = Opening::of(&object_key()).unwrap().commit(&content.finish());
    ReleasedObject {
        object: ObjectId(uuid::Uuid::from_bytes([number; 16])),
        account: AccountRef {
            tenant: TenantId::new("contoso").unwrap(),
            account: AccountId::new("alice").unwrap(),
            region: RegionId::new("eu-de").unwrap(),
        },
        category: Category::Content,
        concerns_at: at.parse().unwrap(),
        size: body.len() as u64,
        commitment: Digest(commitment),
        key: Digest([number; 32]),
    }
}

impl TestVault {
    pub(super) fn new() -> Self {
        let objects = vec![
            object(3, "2026-01-20T00:00:00Z", CONTENT),
            object(2, "2026-01-10T00:00:00Z", CONTENT),
            object(4, "2026-02-01T00:00:00Z", CONTENT),
        ];
        Self {
            accounts: Mutex::new(BTreeMap::from([
                ("alice".to_owned(), vec![account("contoso", "alice")]),
                (
                    "bob".to_owned(),
                    vec![account("contoso", "bob"), account("fabrikam", "bob")],
                ),
                ("carol".to_owned(), vec![account("contoso", "carol")]),
            ])),
            objects: Mutex::new(objects),
            deleted: Mutex::default(),
            snapshots: Mutex::default(),
            kept: Mutex::default(),
        }
    }

    /// A further object of `alice`'s, of that name.
    pub(crate) fn keep(&self, number: u8, name: &'static str, content: Vec<u8>) -> ObjectId {
        let object = object(number, "2026-01-11T00:00:00Z", &content);
        let id = object.object;
        self.objects.lock().unwrap().push(object);
        self.kept.lock().unwrap().insert(id, (name, content));
        id
    }
}

#[async_trait]
impl VaultPort for TestVault {
    async fn accounts_at(
        &self,
        address: std::net::IpAddr,
        port: Option<u16>,
        _at: Timestamp,
    ) -> Result<Vec<AccountFacts>, PortError> {
        let name = port.map_or_else(|| address.to_string(), |port| format!("{address}:{port}"));
        self.accounts(&name).await
    }
    async fn preserve(
        &self,
        snapshot: SnapshotId,
        accounts: &[AccountRef],
        categories: &[Category],
        window: Option<Window>,
    ) -> Result<Frozen, PortError> {
        let mut ids = Vec::new();
        for account in accounts {
            let of = self.scope(account, categories, window, usize::MAX).await?;
            ids.extend(of.iter().map(|object| object.object));
        }
        ids.sort();
        let mut snapshots = self.snapshots.lock().unwrap();
        let kept = snapshots.entry(snapshot).or_insert(ids);
        Ok(Frozen {
            objects: kept.len() as u64,
            digest: Digest::of(&[b"ids"]),
        })
    }
    async fn preserved(
        &self,
        snapshot: SnapshotId,
        account: &AccountRef,
        _categories: &[Category],
        _window: Option<Window>,
        _limit: usize,
    ) -> Result<Vec<ReleasedObject>, PortError> {
        let snapshots = self.snapshots.lock().unwrap();
        let kept = snapshots.get(&snapshot).cloned().unwrap_or_default();
        let deleted = self.deleted.lock().unwrap();
        let of = |object: &&ReleasedObject| kept.contains(&object.object) && object.account == *account;
        Ok(deleted.iter().filter(of).cloned().collect())
    }
    async fn thaw(&self, snapshot: SnapshotId) -> Result<(), PortError> {
        self.snapshots.lock().unwrap().remove(&snapshot);
        Ok(())
    }
    async fn accounts(&self, identifier: &str) -> Result<Vec<AccountFacts>, PortError> {
        Ok(self
            .accounts
            .lock()
            .unwrap()
            .get(identifier)
            .cloned()
            .unwrap_or_default())
    }
    async fn copies(
        &self,
        _: &AccountRef,
        _: &[Category],
        _: Option<Window>,
        _: usize,
    ) -> Result<Vec<ReleasedObject>, PortError> {
        Ok(Vec::new())
    }
    async fn scope(
        &self,
        account: &AccountRef,
        categories: &[Category],
        window: Option<Window>,
        limit: usize,
    ) -> Result<Vec<ReleasedObject>, PortError> {
        let objects = self.objects.lock().unwrap();
        let fits = |o: &&ReleasedObject| {
            (&o.account.tenant, &o.account.account) == (&account.tenant, &account.account)
                && categories.contains(&o.category)
                && window.is_none_or(|window| window.contains(o.concerns_at))
        };
        Ok(objects.iter().filter(fits).take(limit).cloned().collect())
    }
    async fn keys(&self, _objects: &[ReleasedObject]) -> Result<Vec<WrappedChain>, PortError> {
        Ok(Vec::new())
    }
    async fn describe(&self, object: &ReleasedObject, _key: &ObjectKey) -> Result<Described, PortError> {
        let kept = self.kept.lock().unwrap();
        let mail = format!("mail/alice/{}.eml", object.object);
        Ok(Described {
            name: kept
                .get(&object.object)
                .map_or(mail, |(name, _)| (*name).to_owned()),
            content_type: (!kept.contains_key(&object.object)).then(|| "message/rfc822".into()),
            parts: vec![object.size],
        })
    }
    async fn read(&self, object: &ReleasedObject, _key: &ObjectKey) -> Result<Plaintext, PortError> {
        let kept = self.kept.lock().unwrap();
        let (body, piece) = match kept.get(&object.object) {
            Some((_, content)) => (content.as_slice(), 64 * 1024),
            None => (CONTENT, 5),
        };
        let pieces = body
            .chunks(piece)
            .map(|piece| Ok(Bytes::copy_from_slice(piece)))
            .collect::<Vec<_>>();
        Ok(futures::stream::iter(pieces).boxed())
    }
}
