//! Objects on their way to another node's region: as they stand in rows here, and as the other node is told of them.

use casework::ids::{AccountId, CaseId, ObjectId, RegionId, TenantId};
use envelope::keys::WrappedChain;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sqlx::any::AnyRow;

use super::{
    Scope, StoreError, VaultStore,
    row::{Owner, category, digest, flag, get, object_id, unsigned, utf8, wrapped},
};

/// Most objects, versions and delete markers among them, of one transfer between nodes: they become visible in one
/// transaction. Move accounts one after the other for more.
pub const TRAVELLERS_MAX: usize = 250_000;

/// Bytes, written as hex.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hex(pub Vec<u8>);

impl std::fmt::Debug for Hex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hex({} bytes)", self.0.len())
    }
}
impl From<Hex> for String {
    fn from(bytes: Hex) -> String {
        hex::encode(bytes.0)
    }
}
impl TryFrom<String> for Hex {
    type Error = hex::FromHexError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        hex::decode(text).map(Self)
    }
}

/// An object, or a delete marker, as another node is told of it. Nothing in it is open: what is secret is sealed under the
/// object's key, which travels by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traveller {
    /// Its row here: in this order they are recorded there.
    pub position: i64,
    /// Its id.
    pub id: ObjectId,
    /// Its bucket's name.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// Of which account; a delete marker is nobody's.
    pub account: Option<AccountId>,
    /// What it is, by the name that demands use; a delete marker is nothing.
    pub category: String,
    /// The time it concerns, in microseconds since 1970.
    pub concerns_at: i64,
    /// Plaintext length in bytes.
    pub size: u64,
    /// Its entity tag.
    pub etag: String,
    /// When it was stored, in microseconds since 1970.
    pub modified_at: i64,
    /// Commitment to its content.
    pub commitment: Hex,
    /// Its metadata, sealed.
    pub sealed_metadata: Hex,
    /// The upload it came from.
    pub upload: Option<Hex>,
    /// Whether it has a version id of its own.
    pub versioned: bool,
    /// Whether it is the latest at its key.
    pub latest: bool,
    /// Its retention.
    pub lock_mode: Option<String>,
    /// Until when, in microseconds since 1970.
    pub lock_until: Option<i64>,
    /// Whether it is under legal hold.
    pub legal_hold: bool,
    /// Its sealed body, where that is small, and its digest.
    pub body: Option<(Hex, Option<Hex>)>,
    /// The pieces of its body that lie in the blob store.
    pub pieces: Vec<Piece>,
}

/// A piece of a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Piece {
    /// 1 to 10,000; 0 for a body in one piece.
    pub number: u32,
    /// Plaintext length in bytes.
    pub size: u64,
    /// Its entity tag.
    pub etag: String,
    /// When it was stored, in microseconds since 1970.
    pub modified_at: i64,
    /// Its digest and checksums, sealed.
    pub sealed_metadata: Hex,
}

impl Traveller {
    /// SHA-256 of it as it is told: what both nodes compare.
    ///
    /// # Errors
    /// When it has no JSON form.
    pub fn told(&self) -> Result<[u8; 32], StoreError> {
        let told = serde_json::to_vec(self).map_err(|_| StoreError::Nonsense("an object that travels"))?;
        Ok(Sha256::digest(told).into())
    }
}

/// What all of them are, told in the order of their ids: SHA-256 over each id and what was told of it.
pub fn all_told(each: impl IntoIterator<Item = (ObjectId, [u8; 32])>) -> [u8; 32] {
    let mut digest = Sha256::new_with_prefix(b"amparo/travellers/v1\n");
    for (id, told) in each {
        digest.update(id.0.as_bytes());
        digest.update(told);
    }
    digest.finalize().into()
}

/// Where a row of a transfer's data stands, and what may keep it from leaving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// Its row.
    pub seq: i64,
    /// The row of its account; a delete marker is nobody's.
    pub account: Option<i64>,
    /// Where it lies.
    pub region: String,
    /// What it is.
    pub category: String,
    /// Plaintext length in bytes.
    pub size: u64,
    /// Whether a snapshot has it.
    pub preserved: bool,
    /// Whether a copy of it lies in another region.
    pub copied: bool,
}

impl VaultStore {
    /// Everything that must leave with `scope`: its objects in `region`, with every version and delete marker at their keys,
    /// whosever; by row, and at most one more than [`TRAVELLERS_MAX`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn leaving(&self, scope: Scope, region: &RegionId) -> Result<Vec<Leaving>, StoreError> {
        const BUCKET: &str = "SELECT y.seq, y.account, y.region, y.category, y.size, \
            EXISTS (SELECT 1 FROM snapshot_object s WHERE s.object = y.id), \
            EXISTS (SELECT 1 FROM object_copy c WHERE c.object = y.id) \
            FROM object y WHERE y.bucket = $1 AND y.latest <> 2 AND $2 <> '' ORDER BY y.seq LIMIT $3";
        const ACCOUNT: &str = "SELECT DISTINCT y.seq, y.account, y.region, y.category, y.size, \
            EXISTS (SELECT 1 FROM snapshot_object s WHERE s.object = y.id), \
            EXISTS (SELECT 1 FROM object_copy c WHERE c.object = y.id) \
            FROM object x JOIN object y ON y.bucket = x.bucket AND y.key = x.key \
            WHERE x.account = $1 AND x.region = $2 AND x.latest <> 2 AND y.latest <> 2 ORDER BY y.seq LIMIT $3";
        let (sql, row) = match scope {
            Scope::Bucket(row) => (BUCKET, row),
            Scope::Account(row) => (ACCOUNT, row),
        };
        let rows = sqlx::query(sql)
            .bind(row)
            .bind(region.as_str())
            .bind(
                i64::try_from(TRAVELLERS_MAX)
                    .unwrap_or(i64::MAX)
                    .saturating_add(1),
            )
            .fetch_all(&self.database.pool)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Leaving {
                    seq: get(row, 0)?,
                    account: get(row, 1)?,
                    region: get(row, 2)?,
                    category: get(row, 3)?,
                    size: unsigned(row, 4)?,
                    preserved: flag(row, 5)?,
                    copied: flag(row, 6)?,
                })
            })
            .collect()
    }

    /// An object as another node is told of it, with its wrapped key; `None` where its row is gone. The key is `None` for a
    /// delete marker, and where the account's key was destroyed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn traveller(&self, seq: i64) -> Result<Option<(Traveller, Option<WrappedChain>)>, StoreError> {
        let row = sqlx::query(
            "SELECT o.seq, o.id, b.name, o.key, a.id, o.category, o.concerns_at, o.size, o.etag, o.modified_at, \
             o.commitment, o.sealed_metadata, o.upload, o.versioned, o.latest, o.lock_mode, o.lock_until, o.legal_hold, \
             i.body, i.digest, o.wrapped_key, b.tenant, o.region, tk.wrapped, ak.wrapped \
             FROM object o JOIN bucket b ON b.seq = o.bucket LEFT JOIN account a ON a.seq = o.account \
             LEFT JOIN inline i ON i.object = o.seq \
             LEFT JOIN account_key ak ON ak.account = o.account AND ak.region = o.region AND ak.version = o.key_version \
             LEFT JOIN tenant_key tk ON tk.tenant = a.tenant AND tk.region = o.region AND tk.version = ak.above \
             WHERE o.seq = $1",
        )
        .bind(seq)
        .fetch_optional(&self.database.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let id = object_id(&row, 1)?;
        let parts = self.parts(id, None, PIECES_MAX).await?;
        let account: Option<String> = get(&row, 4)?;
        let chain = match &account {
            Some(_) => {
                let owner = Owner::of(&row, [21, 4, 22, 23, 24])?;
                let at =
                    Timestamp::from_microsecond(get(&row, 6)?).map_err(|_| StoreError::Nonsense("a time"))?;
                owner.chain(id, category(&row, 5)?, at, wrapped(get(&row, 20)?)?)
            }
            None => None,
        };
        let hex = |bytes: Option<Vec<u8>>| bytes.map(Hex);
        let body = get::<Option<Vec<u8>>>(&row, 18)?;
        let body_digest = digest(&row, 19)?.map(|digest| Hex(digest.0.to_vec()));
        let traveller = Traveller {
            position: get(&row, 0)?,
            id,
            bucket: get(&row, 2)?,
            key: utf8(&row, 3)?,
            account: account.map(AccountId::new).transpose()?,
            category: get(&row, 5)?,
            concerns_at: get(&row, 6)?,
            size: unsigned(&row, 7)?,
            etag: get(&row, 8)?,
            modified_at: get(&row, 9)?,
            commitment: Hex(get(&row, 10)?),
            sealed_metadata: Hex(get(&row, 11)?),
            upload: hex(get(&row, 12)?),
            versioned: get::<i64>(&row, 13)? == 1,
            latest: get::<i64>(&row, 14)? == 1,
            lock_mode: get(&row, 15)?,
            lock_until: get(&row, 16)?,
            legal_hold: get::<i64>(&row, 17)? == 1,
            body: body.map(|body| (Hex(body), body_digest)),
            pieces: parts
                .into_iter()
                .map(|part| Piece {
                    number: part.number,
                    size: part.size,
                    etag: part.etag,
                    modified_at: part.modified_at.as_microsecond(),
                    sealed_metadata: Hex(part.sealed_metadata),
                })
                .collect(),
        };
        Ok(Some((traveller, chain)))
    }

    /// The region that an object left this bucket for, where one did.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn departed(&self, bucket: i64, key: &str) -> Result<Option<RegionId>, StoreError> {
        let region: Option<String> =
            sqlx::query_scalar("SELECT region FROM departed WHERE bucket = $1 AND key = $2")
                .bind(bucket)
                .bind(key.as_bytes())
                .fetch_optional(&self.database.pool)
                .await?;
        Ok(region.map(RegionId::new).transpose()?)
    }

    /// Other identifiers of an account, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn aliases(&self, account: i64) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query("SELECT alias FROM alias WHERE account = $1 ORDER BY alias")
            .bind(account)
            .fetch_all(&self.database.pool)
            .await?;
        rows.iter().map(|row: &AnyRow| get(row, 0)).collect()
    }

    /// The row of a tenant's account and what is known of it: where the person resides, whether a "United States person",
    /// whether bound by privilege, as they stand in the row; and whether its key was destroyed.
    ///
    /// # Errors
    /// When the database fails.
    #[allow(clippy::type_complexity, reason = "one row")]
    pub async fn account_standing(
        &self,
        tenant: &TenantId,
        account: &AccountId,
    ) -> Result<Option<(i64, (Option<String>, Option<i64>, Option<i64>), bool)>, StoreError> {
        let row = sqlx::query(
            "SELECT seq, person_country, us_person, privileged, destroyed_at FROM account WHERE tenant = $1 AND id = $2",
        )
        .bind(tenant.as_str())
        .bind(account.as_str())
        .fetch_optional(&self.database.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let destroyed = get::<Option<i64>>(&row, 4)?.is_some();
        Ok(Some((
            get(&row, 0)?,
            (get(&row, 1)?, get(&row, 2)?, get(&row, 3)?),
            destroyed,
        )))
    }

    /// The names of the accounts of these rows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn account_names(&self, rows: &[i64]) -> Result<Vec<AccountId>, StoreError> {
        let mut names = Vec::with_capacity(rows.len());
        for row in rows {
            let name: String = sqlx::query_scalar("SELECT id FROM account WHERE seq = $1")
                .bind(*row)
                .fetch_one(&self.database.pool)
                .await?;
            names.push(AccountId::new(name)?);
        }
        Ok(names)
    }

    /// The names of the buckets in which an account has something in `region`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn buckets_of(&self, account: i64, region: &RegionId) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query(
            "SELECT DISTINCT b.name FROM object o JOIN bucket b ON b.seq = o.bucket \
             WHERE o.account = $1 AND o.region = $2 AND o.latest <> 2 ORDER BY b.name",
        )
        .bind(account)
        .bind(region.as_str())
        .fetch_all(&self.database.pool)
        .await?;
        rows.iter().map(|row: &AnyRow| get(row, 0)).collect()
    }

    /// Where a transfer that leaves this node stands; `None` where nothing was frozen for it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn departure(&self, transfer: CaseId) -> Result<Option<super::Departure>, StoreError> {
        let stage: Option<i64> = sqlx::query_scalar("SELECT stage FROM departure WHERE transfer = $1")
            .bind(transfer.0.as_bytes().as_slice())
            .fetch_optional(&self.database.pool)
            .await?;
        stage.map(super::Departure::of_number).transpose()
    }
}

/// Most pieces of a body.
const PIECES_MAX: u32 = 10_000;
