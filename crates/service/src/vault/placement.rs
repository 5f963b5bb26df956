//! Where an object belongs: what the call says, else its metadata, else its path, else its bucket.

use casework::{demand::Category, ids::AccountId};
use jiff::Timestamp;

use super::{Placement, Result, UserMetadata, VaultError, bucket::Bucket, mapping::account_id};

/// User metadata that names the account.
pub const META_ACCOUNT: &str = "amparo-account";
/// User metadata that names the category.
pub const META_CATEGORY: &str = "amparo-category";
/// User metadata that says which time the object concerns, as RFC 3339.
pub const META_TIME: &str = "amparo-time";

/// Where an object belongs, decided.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub account: AccountId,
    pub category: Category,
    pub concerns_at: Timestamp,
}

/// Decides where an object belongs. `source` is what a copy takes over where nothing else is said.
pub(super) fn decide(
    bucket: &Bucket,
    key: &str,
    said: &Placement,
    metadata: &UserMetadata,
    source: Option<(Category, Timestamp)>,
    now: Timestamp,
) -> Result<Place> {
    let mut said = said.clone();
    if let (None, Some(text)) = (&said.account, metadata.get(META_ACCOUNT)) {
        said.account = Some(account_id(text).map_err(|error| at(error, META_ACCOUNT))?);
    }
    if let (None, Some(text)) = (&said.category, metadata.get(META_CATEGORY)) {
        said.category = Some(category(text)?);
    }
    if let (None, Some(text)) = (&said.concerns_at, metadata.get(META_TIME)) {
        let parsed = text.trim().parse().map_err(|_| VaultError::BadPlacement {
            field: META_TIME.into(),
            reason: "write a time such as `2026-11-21T09:30:00Z`".into(),
        });
        said.concerns_at = Some(parsed?);
    }
    // The path is read only where it decides something, so that a header can speak for a path that names nobody.
    let placed = if said.account.is_none() || said.category.is_none() {
        match bucket.mapping.place(key) {
            Err(error) if said.account.is_none() => return Err(error),
            placed => placed.unwrap_or_default(),
        }
    } else {
        None
    };
    let (path_account, path_category) = placed.map_or((None, None), |p| (p.account, Some(p.category)));
    let account = said
        .account
        .or(path_account)
        .unwrap_or_else(|| bucket.row.default_account.clone());
    let category = said
        .category
        .or(path_category)
        .or(source.map(|(category, _)| category));
    let concerns_at = said.concerns_at.or(source.map(|(_, at)| at)).unwrap_or(now);
    Ok(Place {
        account,
        category: category.unwrap_or(Category::Content),
        concerns_at: microseconds(concerns_at),
    })
}

/// The time cut to the microsecond, as it is kept.
pub(super) fn microseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

fn category(text: &str) -> Result<Category> {
    let name = serde_json::Value::String(text.trim().to_ascii_lowercase());
    let category = serde_json::from_value(name).ok();
    let storable = category.filter(|c| !matches!(c, Category::Realtime | Category::Assistance));
    storable.ok_or_else(|| VaultError::BadPlacement {
        field: META_CATEGORY.into(),
        reason: "it is one of `subscriber`, `identification`, `traffic`, `content`, `non_personal`".into(),
    })
}

fn at(error: VaultError, name: &str) -> VaultError {
    match error {
        VaultError::BadPlacement { reason, .. } => VaultError::BadPlacement {
            field: name.into(),
            reason,
        },
        other => other,
    }
}
