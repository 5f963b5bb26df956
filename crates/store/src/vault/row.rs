//! How values stand in rows.

use casework::{
    demand::{Category, CountryCode},
    facts::TenantKind,
    ids::{AccountId, ObjectId, RegionId, TenantId},
    record::label,
};
use envelope::{
    held::WrappedTenant,
    keys::{Wrapped, WrappedAccount, WrappedChain},
};
use jiff::Timestamp;
use sqlx::{Any, Decode, Row as _, Type, any::AnyRow};

use super::StoreError;
use crate::blobs::{BlobId, SealedDigest};

pub(super) fn get<'r, T: Decode<'r, Any> + Type<Any>>(
    row: &'r AnyRow,
    column: usize,
) -> Result<T, StoreError> {
    Ok(row.try_get(column)?)
}

/// A truth value: SQLite keeps it as a number.
pub(super) fn flag(row: &AnyRow, column: usize) -> Result<bool, StoreError> {
    match row.try_get::<bool, _>(column) {
        Ok(flag) => Ok(flag),
        Err(_) => Ok(get::<i64>(row, column)? != 0),
    }
}

pub(super) fn time(row: &AnyRow, column: usize) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(get(row, column)?).map_err(|_| StoreError::Nonsense("a time"))
}

pub(super) fn unsigned<T: TryFrom<i64>>(row: &AnyRow, column: usize) -> Result<T, StoreError> {
    T::try_from(get::<i64>(row, column)?).map_err(|_| StoreError::Nonsense("a number"))
}

pub(super) fn bytes<const N: usize>(row: &AnyRow, column: usize) -> Result<[u8; N], StoreError> {
    get::<&[u8]>(row, column)?
        .try_into()
        .map_err(|_| StoreError::Nonsense("a length of bytes"))
}

pub(super) fn object_id(row: &AnyRow, column: usize) -> Result<ObjectId, StoreError> {
    Ok(ObjectId(uuid::Uuid::from_bytes(bytes(row, column)?)))
}

pub(super) fn blob_id(row: &AnyRow, column: usize) -> Result<BlobId, StoreError> {
    Ok(BlobId(bytes(row, column)?))
}

pub(super) fn digest(row: &AnyRow, column: usize) -> Result<Option<SealedDigest>, StoreError> {
    let digest = get::<Option<Vec<u8>>>(row, column)?.map(<[u8; 32]>::try_from);
    let digest = digest.transpose().map_err(|_| StoreError::Nonsense("a digest"))?;
    Ok(digest.map(SealedDigest))
}

pub(super) fn utf8(row: &AnyRow, column: usize) -> Result<String, StoreError> {
    String::from_utf8(get(row, column)?).map_err(|_| StoreError::Nonsense("a key"))
}

pub(super) fn country(text: Option<String>) -> Result<Option<CountryCode>, StoreError> {
    Ok(text.map(CountryCode::new).transpose()?)
}

/// A size or number as databases keep it. Sizes stay far below 2^63.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn category(row: &AnyRow, column: usize) -> Result<Category, StoreError> {
    let name: &str = get(row, column)?;
    let found = Category::ALL.into_iter().find(|category| category.name() == name);
    found.ok_or(StoreError::Nonsense("a category"))
}

pub(super) fn wrapped(bytes: &[u8]) -> Result<Wrapped, StoreError> {
    Wrapped::from_bytes(bytes).map_err(|_| StoreError::Nonsense("a wrapped key"))
}

/// A tenant's wrapped key, as [`WrappedTenant::to_bytes`] gives it.
pub(super) fn wrapped_tenant(bytes: &[u8]) -> Result<WrappedTenant, StoreError> {
    WrappedTenant::from_bytes(bytes).map_err(|_| StoreError::Nonsense("a tenant's wrapped key"))
}

/// Where an owned row has its tenant, account, region, tenant key and account key.
pub(super) type OwnerColumns = [usize; 5];

/// Whose a row is, where it lies, and the wrapped keys above its own.
pub(super) struct Owner {
    pub tenant: TenantId,
    pub account: AccountId,
    pub region: RegionId,
    /// `None` when the account's key was destroyed.
    pub keys: Option<WrappedAccount>,
}

impl Owner {
    /// Reads it from its columns.
    pub(super) fn of(row: &AnyRow, columns: OwnerColumns) -> Result<Self, StoreError> {
        let [tenant, account, region, tenant_key, account_key] = columns;
        let tenant = TenantId::new(get::<String>(row, tenant)?)?;
        let account = AccountId::new(get::<String>(row, account)?)?;
        let region = RegionId::new(get::<String>(row, region)?)?;
        let above = (get(row, tenant_key)?, get(row, account_key)?);
        Ok(Self {
            keys: keys_above(&tenant, &account, &region, above)?,
            tenant,
            account,
            region,
        })
    }

    /// The wrapped key of an object of this owner under the keys above it. Category and time are the row's: where they
    /// are not those that the key was wrapped for, it does not open.
    pub(super) fn chain(
        &self,
        object: ObjectId,
        category: Category,
        concerns_at: Timestamp,
        object_key: Wrapped,
    ) -> Option<WrappedChain> {
        self.keys.clone().map(|account| WrappedChain {
            account,
            object: object.0.into_bytes(),
            label: label(category, concerns_at),
            object_key,
        })
    }
}

/// An account's wrapped keys in a region, where both are there.
pub(super) fn keys_above(
    tenant: &TenantId,
    account: &AccountId,
    region: &RegionId,
    above: (Option<&[u8]>, Option<&[u8]>),
) -> Result<Option<WrappedAccount>, StoreError> {
    let (Some(tenant_key), Some(account_key)) = above else {
        return Ok(None);
    };
    Ok(Some(WrappedAccount {
        region: region.as_str().to_owned(),
        tenant: tenant.as_str().to_owned(),
        account: account.as_str().to_owned(),
        tenant_key: wrapped_tenant(tenant_key)?,
        account_key: wrapped(account_key)?,
    }))
}

const KINDS: [(TenantKind, &str); 3] = [
    (TenantKind::Enterprise, "enterprise"),
    (TenantKind::PublicBody, "public_body"),
    (TenantKind::Consumer, "consumer"),
];

pub(super) fn kind_name(kind: TenantKind) -> &'static str {
    KINDS
        .iter()
        .find(|(k, _)| *k == kind)
        .map_or("enterprise", |(_, name)| name)
}

pub(super) fn kind(row: &AnyRow, column: usize) -> Result<TenantKind, StoreError> {
    let name: &str = get(row, column)?;
    let found = KINDS.iter().find(|(_, n)| *n == name);
    found
        .map(|(k, _)| *k)
        .ok_or(StoreError::Nonsense("a tenant's kind"))
}
