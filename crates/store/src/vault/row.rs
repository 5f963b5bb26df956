//! How values stand in rows.

use casework::{
    demand::{Category, CountryCode},
    facts::TenantKind,
    ids::ObjectId,
};
use jiff::Timestamp;
use sqlx::{Decode, Row as _, Sqlite, Type, sqlite::SqliteRow};

use super::StoreError;
use crate::blobs::BlobId;

pub(super) fn get<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(
    row: &'r SqliteRow,
    column: usize,
) -> Result<T, StoreError> {
    Ok(row.try_get(column)?)
}

pub(super) fn time(row: &SqliteRow, column: usize) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(get(row, column)?).map_err(|_| StoreError::Nonsense("a time"))
}

pub(super) fn unsigned<T: TryFrom<i64>>(row: &SqliteRow, column: usize) -> Result<T, StoreError> {
    T::try_from(get::<i64>(row, column)?).map_err(|_| StoreError::Nonsense("a number"))
}

pub(super) fn bytes<const N: usize>(row: &SqliteRow, column: usize) -> Result<[u8; N], StoreError> {
    get::<&[u8]>(row, column)?
        .try_into()
        .map_err(|_| StoreError::Nonsense("a length of bytes"))
}

pub(super) fn object_id(row: &SqliteRow, column: usize) -> Result<ObjectId, StoreError> {
    Ok(ObjectId(uuid::Uuid::from_bytes(bytes(row, column)?)))
}

pub(super) fn blob_id(row: &SqliteRow, column: usize) -> Result<BlobId, StoreError> {
    Ok(BlobId(bytes(row, column)?))
}

pub(super) fn utf8(row: &SqliteRow, column: usize) -> Result<String, StoreError> {
    String::from_utf8(get(row, column)?).map_err(|_| StoreError::Nonsense("a key"))
}

pub(super) fn country(text: Option<String>) -> Result<Option<CountryCode>, StoreError> {
    Ok(text.map(CountryCode::new).transpose()?)
}

/// A size or number as SQLite keeps it. Sizes stay far below 2^63.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

const CATEGORIES: [(Category, &str); 7] = [
    (Category::Subscriber, "subscriber"),
    (Category::Identification, "identification"),
    (Category::Traffic, "traffic"),
    (Category::Content, "content"),
    (Category::Realtime, "realtime"),
    (Category::Assistance, "assistance"),
    (Category::NonPersonal, "non_personal"),
];

pub(super) fn category_name(category: Category) -> &'static str {
    CATEGORIES
        .iter()
        .find(|(c, _)| *c == category)
        .map_or("content", |(_, name)| name)
}

pub(super) fn category(row: &SqliteRow, column: usize) -> Result<Category, StoreError> {
    let name: &str = get(row, column)?;
    let found = CATEGORIES.iter().find(|(_, n)| *n == name);
    found.map(|(c, _)| *c).ok_or(StoreError::Nonsense("a category"))
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

pub(super) fn kind(row: &SqliteRow, column: usize) -> Result<TenantKind, StoreError> {
    let name: &str = get(row, column)?;
    let found = KINDS.iter().find(|(_, n)| *n == name);
    found
        .map(|(k, _)| *k)
        .ok_or(StoreError::Nonsense("a tenant's kind"))
}
