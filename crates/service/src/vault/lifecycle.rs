//! Lifecycle rules: what expires by itself, and when. A rule can ask for what the vault knows without a key: path, size
//! and time. Tags lie sealed, and no job of ours opens a key, so rules that ask for tags are not taken.

use std::time::Duration;

use casework::ids::TenantId;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use store::vault::{ListRequest, RemovalConditions, Seen, Standing};

use super::{
    Principal, Result, Vault, VaultError,
    bucket::Bucket,
    settings::LIFECYCLE,
    version::{Deletion, VersionEntry},
};

/// How often [`Vault::keep_expiring`] looks.
pub const EXPIRE_EVERY: Duration = Duration::from_secs(3600);
/// A lifecycle's day.
pub const DAY: Duration = Duration::from_secs(24 * 3600);
/// Most rules of one bucket (S3).
pub const RULES_MAX: usize = 1000;
/// Buckets looked up at a time.
const BUCKET_PAGE: i64 = 100;
/// Versions looked up at a time.
const VERSION_PAGE: usize = 1000;

/// A bucket's rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lifecycle {
    /// All that hold for an object apply.
    pub rules: Vec<LifecycleRule>,
}

/// One rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LifecycleRule {
    /// Its name, distinct in the bucket.
    pub id: String,
    /// Whether it is in force.
    pub enabled: bool,
    /// Whether the rule was written with the old `Prefix` instead of a `Filter`; it is given back as it came.
    pub plain_prefix: bool,
    /// Only keys that begin so.
    pub prefix: String,
    /// Only objects of more bytes.
    pub larger_than: Option<u64>,
    /// Only objects of fewer bytes.
    pub smaller_than: Option<u64>,
    /// When the latest version expires: it is deleted, behind a delete marker where versions are kept.
    pub expires: Option<Expiry>,
    /// When a version that is no longer the latest is removed for good: so many days after it was superseded.
    pub old_days: Option<u32>,
    /// And only if at least so many newer old versions are there.
    pub old_kept: Option<u32>,
    /// When an upload that was not completed ends: so many days after it was begun.
    pub upload_days: Option<u32>,
}

/// When the latest version expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expiry {
    /// So many days after it was stored.
    Days(u32),
    /// From this moment on.
    Date(Timestamp),
    /// Never; but a delete marker that hides nothing any more is removed.
    Marker,
}

/// What a run removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expired {
    /// Objects deleted, and delete markers that hid nothing.
    pub latest: u64,
    /// Old versions removed for good.
    pub old: u64,
    /// Uploads ended.
    pub uploads: u64,
    /// What a lock kept.
    pub locked: u64,
}

impl LifecycleRule {
    fn holds(&self, key: &str, size: u64) -> bool {
        self.enabled
            && key.starts_with(&self.prefix)
            && self.larger_than.is_none_or(|bound| size > bound)
            && self.smaller_than.is_none_or(|bound| size < bound)
    }
}

impl Lifecycle {
    /// When an object stored at `at` expires, and by which rule: what `x-amz-expiration` says of it.
    pub fn expiry(&self, key: &str, size: u64, at: Timestamp, day: Duration) -> Option<(Timestamp, &str)> {
        let of = |rule: &LifecycleRule| match rule.expires? {
            Expiry::Days(days) => after(at, days, day),
            Expiry::Date(date) => Some(date),
            Expiry::Marker => None,
        };
        self.rules
            .iter()
            .filter(|rule| rule.holds(key, size))
            .filter_map(|rule| Some((of(rule)?, rule.id.as_str())))
            .min_by_key(|(at, _)| *at)
    }
}

/// The moment so many days after `at`. S3 counts on to the next midnight; where a day is a day, so do we.
fn after(at: Timestamp, days: u32, day: Duration) -> Option<Timestamp> {
    let length = SignedDuration::try_from(day.checked_mul(days)?).ok()?;
    let end = at.checked_add(length).ok()?;
    if day != DAY {
        return Some(end);
    }
    let into_day = end.as_second().rem_euclid(DAY.as_secs().cast_signed());
    if into_day == 0 && end.subsec_nanosecond() == 0 {
        return Some(end);
    }
    let midnight = end.as_second() - into_day + DAY.as_secs().cast_signed();
    Timestamp::from_second(midnight).ok()
}

impl Vault {
    /// Carries out every bucket's lifecycle once. `day` is the length of a day: [`DAY`], but for rehearsals.
    ///
    /// # Errors
    /// When the store fails, or a bucket's lifecycle could not be carried out; then the other buckets' were all the same,
    /// and the first error is given. What was not reached is left to the next run.
    pub async fn expire(&self, now: Timestamp, day: Duration) -> Result<Expired> {
        self.expire_by(now, day, VERSION_PAGE).await
    }

    /// [`Vault::expire`] with so many versions looked up at a time.
    pub(super) async fn expire_by(&self, now: Timestamp, day: Duration, page_max: usize) -> Result<Expired> {
        let mut expired = Expired::default();
        let mut failed = None;
        let mut after = 0;
        loop {
            let page = self
                .inner
                .store
                .buckets_with_setting(LIFECYCLE, after, BUCKET_PAGE)
                .await?;
            let Some((_, _, last)) = page.last() else {
                return failed.map_or(Ok(expired), Err);
            };
            after = *last;
            for (tenant, name, row) in page {
                match self
                    .expire_bucket(&tenant, &name, now, day, page_max, &mut expired)
                    .await
                {
                    // Deleted meanwhile.
                    Ok(()) | Err(VaultError::NoSuchBucket) => {}
                    Err(error) => {
                        tracing::warn!(
                            bucket = row,
                            error = &error as &dyn std::error::Error,
                            "a bucket's lifecycle was not carried out to its end"
                        );
                        failed.get_or_insert(error);
                    }
                }
            }
        }
    }

    async fn expire_bucket(
        &self,
        tenant: &TenantId,
        name: &str,
        now: Timestamp,
        day: Duration,
        page_max: usize,
        expired: &mut Expired,
    ) -> Result<()> {
        // Past the cache: what was just taken back must not be carried out.
        let bucket = self.read_bucket(tenant, name).await?;
        let Some(lifecycle) = bucket.settings.lifecycle.clone() else {
            return Ok(());
        };
        if lifecycle
            .rules
            .iter()
            .any(|rule| rule.enabled && rule.upload_days.is_some())
        {
            self.expire_uploads(&bucket, &lifecycle, now, day, expired)
                .await?;
        }
        // Where the last page ended. What stood there may be removed by now, so that it cannot be found by its name.
        let mut after: Option<(String, i64)> = None;
        // Of the key at hand: how many old versions newer than this one were seen.
        let (mut key, mut newer) = (String::new(), 0);
        let mut lonely: Option<VersionEntry> = None;
        loop {
            let page = self
                .inner
                .store
                .versions_after(bucket.row.seq, after.as_ref(), page_max)
                .await?;
            after = page
                .versions
                .last()
                .filter(|_| page.next.is_some())
                .map(|last| (last.key.clone(), last.seq));
            for entry in page.versions {
                if entry.key != key {
                    self.expire_marker(&bucket, &lifecycle, lonely.take(), now, day, expired)
                        .await?;
                    (key, newer) = (entry.key.clone(), 0);
                } else {
                    lonely = None;
                }
                if entry.latest {
                    if entry.marker {
                        lonely = Some(entry);
                    } else if lifecycle
                        .expiry(&entry.key, entry.size, entry.modified_at, day)
                        .is_some_and(|(at, _)| at <= now)
                    {
                        let (count, locked) = (&mut expired.latest, &mut expired.locked);
                        self.expire_one(&bucket, &entry, Standing::Latest, count, locked)
                            .await?;
                    }
                    continue;
                }
                if is_old(&lifecycle, &entry, newer, now, day) {
                    let (count, locked) = (&mut expired.old, &mut expired.locked);
                    self.expire_one(&bucket, &entry, Standing::Old, count, locked)
                        .await?;
                }
                newer += 1;
            }
            if after.is_none() {
                break;
            }
        }
        self.expire_marker(&bucket, &lifecycle, lonely, now, day, expired)
            .await
    }

    /// Removes a delete marker that is the only version of its key, where a rule says so.
    async fn expire_marker(
        &self,
        bucket: &Bucket,
        lifecycle: &Lifecycle,
        marker: Option<VersionEntry>,
        now: Timestamp,
        day: Duration,
        expired: &mut Expired,
    ) -> Result<()> {
        let Some(marker) = marker else { return Ok(()) };
        let due = |rule: &LifecycleRule| match rule.expires {
            Some(Expiry::Marker) => true,
            Some(Expiry::Days(days)) => after(marker.modified_at, days, day).is_some_and(|at| at <= now),
            _ => false,
        };
        let held = |rule: &&LifecycleRule| rule.enabled && marker.key.starts_with(&rule.prefix);
        if lifecycle.rules.iter().filter(held).any(due) {
            let (count, locked) = (&mut expired.latest, &mut expired.locked);
            self.expire_one(bucket, &marker, Standing::LoneMarker, count, locked)
                .await?;
        }
        Ok(())
    }

    /// Removes what was listed, if it still is what it was and stands as it stood; else it is left to the next run.
    pub(super) async fn expire_one(
        &self,
        bucket: &Bucket,
        entry: &VersionEntry,
        standing: Standing,
        count: &mut u64,
        locked: &mut u64,
    ) -> Result<()> {
        let deletion = Deletion {
            key: entry.key.clone(),
            // The latest goes as its owner would delete it: behind a delete marker where versions are kept.
            version: (standing != Standing::Latest).then_some(entry.version),
            conditions: RemovalConditions {
                seen: Some(Seen {
                    id: entry.id,
                    standing,
                }),
                ..RemovalConditions::default()
            },
            bypass_governance: false,
        };
        match self.remove_in(bucket, deletion, false).await {
            Ok(_) => *count += 1,
            Err(VaultError::Locked) => *locked += 1,
            // Replaced or removed meanwhile.
            Err(VaultError::PreconditionFailed | VaultError::NoSuchKey) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn expire_uploads(
        &self,
        bucket: &Bucket,
        lifecycle: &Lifecycle,
        now: Timestamp,
        day: Duration,
        expired: &mut Expired,
    ) -> Result<()> {
        let store = &self.inner.store;
        let mut request = ListRequest {
            max: VERSION_PAGE,
            ..ListRequest::default()
        };
        let mut after_id = None;
        loop {
            let page = store.list_uploads(bucket.row.seq, &request, after_id).await?;
            for upload in page.uploads {
                let due = lifecycle.rules.iter().any(|rule| {
                    rule.enabled
                        && upload.key.starts_with(&rule.prefix)
                        && rule
                            .upload_days
                            .and_then(|days| after(upload.created_at, days, day))
                            .is_some_and(|at| at <= now)
                });
                if !due {
                    continue;
                }
                match store.abort_upload(upload.id).await {
                    Ok(written) => {
                        self.free(written.freed);
                        expired.uploads += 1;
                    }
                    Err(store::vault::StoreError::NoSuchUpload) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            match page.next {
                Some((key, id)) => (request.after, after_id) = (Some(key), id),
                None => return Ok(()),
            }
        }
    }

    /// When an object expires, and by which rule of its bucket.
    pub async fn expiry(
        &self,
        who: &Principal,
        bucket: &str,
        key: &str,
        size: u64,
        stored_at: Timestamp,
    ) -> Option<(Timestamp, String)> {
        let bucket = self.find_bucket(who, bucket).await.ok()?;
        let lifecycle = bucket.settings.lifecycle.as_ref()?;
        let (at, rule) = lifecycle.expiry(key, size, stored_at, DAY)?;
        Some((at, rule.to_owned()))
    }

    /// Carries out lifecycles now and then, until dropped.
    pub async fn keep_expiring(self, every: Duration, day: Duration) {
        loop {
            match self.expire(Timestamp::now(), day).await {
                Ok(expired) if expired != Expired::default() => {
                    tracing::info!(?expired, "carried out lifecycles");
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "lifecycles were not carried out to their end"
                ),
            }
            tokio::time::sleep(every).await;
        }
    }
}

fn is_old(lifecycle: &Lifecycle, entry: &VersionEntry, newer: u32, now: Timestamp, day: Duration) -> bool {
    let Some(superseded_at) = entry.superseded_at else {
        return false;
    };
    lifecycle.rules.iter().any(|rule| {
        let holds = if entry.marker {
            rule.enabled && entry.key.starts_with(&rule.prefix)
        } else {
            rule.holds(&entry.key, entry.size)
        };
        holds
            && rule
                .old_days
                .and_then(|days| after(superseded_at, days, day))
                .is_some_and(|at| at <= now)
            && rule.old_kept.is_none_or(|kept| newer >= kept)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_end_at_midnight() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let end = |from, days| after(at(from), days, DAY).unwrap();
        assert_eq!(end("2026-11-22T10:00:00Z", 1), at("2026-11-24T00:00:00Z"));
        assert_eq!(end("2026-11-22T00:00:00Z", 1), at("2026-11-23T00:00:00Z"));
        assert_eq!(end("2026-11-22T23:59:59.999Z", 3), at("2026-11-26T00:00:00Z"));
    }

    #[test]
    fn the_first_expiry_counts() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let rule = |id: &str, prefix: &str, days| LifecycleRule {
            id: id.into(),
            enabled: true,
            prefix: prefix.into(),
            expires: Some(Expiry::Days(days)),
            ..LifecycleRule::default()
        };
        let lifecycle = Lifecycle {
            rules: vec![rule("slow", "", 30), rule("fast", "tmp/", 1)],
        };
        let of = |key| lifecycle.expiry(key, 1, at("2026-11-22T00:00:00Z"), DAY).unwrap();
        assert_eq!(of("tmp/x"), (at("2026-11-23T00:00:00Z"), "fast"));
        assert_eq!(of("x"), (at("2026-12-22T00:00:00Z"), "slow"));
    }
}
