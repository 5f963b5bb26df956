//! Locks on versions: retention and legal hold. They are checked in the transaction that would remove the version, by
//! whatever way it comes, so that nothing can come between the check and the removal.

use async_trait::async_trait;
use jiff::{Span, Timestamp, tz::TimeZone};
use sqlx::{AnyConnection, any::AnyRow};

use super::{
    StoreError, VaultStore, VersionId,
    row::{get, unsigned},
    version,
    writer::{Change, Needs, Row},
};

/// How firmly a retention holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetentionMode {
    /// Whoever has the permission may shorten or pass over it.
    Governance,
    /// Nobody may, until it has run out.
    Compliance,
}

impl RetentionMode {
    /// As S3 names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Governance => "GOVERNANCE",
            Self::Compliance => "COMPLIANCE",
        }
    }

    /// The mode of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Governance, Self::Compliance]
            .into_iter()
            .find(|mode| mode.name() == name)
    }
}

/// Until when a version may not be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// How firmly.
    pub mode: RetentionMode,
    /// Until then.
    pub until: Timestamp,
}

/// The retention that a bucket gives to what states none of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DefaultRetention {
    /// How firmly.
    pub mode: RetentionMode,
    /// How long.
    pub period: Period,
}

/// A length of time as S3 takes it; at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// Days of 24 hours.
    Days(u32),
    /// Calendar years in UTC.
    Years(u32),
}

impl DefaultRetention {
    /// The retention of what is stored at `at`. One beyond the calendar's end lasts to that end.
    pub fn from(&self, at: Timestamp) -> Retention {
        let start = at.to_zoned(TimeZone::UTC);
        let length = match self.period {
            Period::Days(days) => Span::new().try_days(days),
            Period::Years(years) => Span::new().try_years(years),
        };
        let end = length.and_then(|length| start.checked_add(length));
        Retention {
            mode: self.mode,
            until: end.map_or(Timestamp::MAX, |end| end.timestamp()),
        }
    }
}

/// What keeps a version from being removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lock {
    /// Retention, run out or not.
    pub retention: Option<Retention>,
    /// Legal hold: until somebody lifts it.
    pub legal_hold: bool,
}

impl Lock {
    /// Reads it from mode, end and hold.
    pub(super) fn of(row: &AnyRow, columns: [usize; 3]) -> Result<Self, StoreError> {
        let [mode, until, hold] = columns;
        let mode: Option<&str> = get(row, mode)?;
        let until: Option<i64> = get(row, until)?;
        let retention = match (mode, until) {
            (Some(mode), Some(until)) => Some(Retention {
                mode: RetentionMode::of_name(mode).ok_or(StoreError::Nonsense("a lock"))?,
                until: Timestamp::from_microsecond(until).map_err(|_| StoreError::Nonsense("a time"))?,
            }),
            _ => None,
        };
        Ok(Self {
            retention,
            legal_hold: get::<i64>(row, hold)? == 1,
        })
    }

    /// Checks that the version may be removed at `now`. `bypass`: the caller may pass over governance, and wants to.
    ///
    /// # Errors
    /// [`StoreError::Locked`].
    pub fn allows_removal(&self, now: Timestamp, bypass: bool) -> Result<(), StoreError> {
        if self.legal_hold {
            return Err(StoreError::Locked);
        }
        match self.retention {
            Some(held) if held.until > now && !(bypass && held.mode == RetentionMode::Governance) => {
                Err(StoreError::Locked)
            }
            _ => Ok(()),
        }
    }

    /// Checks that the retention may become `new` at `now`: one that runs may only become longer and firmer, unless it
    /// is passed over.
    fn allows_change(&self, new: Option<&Retention>, now: Timestamp, bypass: bool) -> Result<(), StoreError> {
        let Some(held) = self.retention.filter(|held| held.until > now) else {
            return Ok(());
        };
        let softens = match new {
            None => true,
            Some(new) => {
                new.until < held.until
                    || (held.mode == RetentionMode::Compliance && new.mode == RetentionMode::Governance)
                    || (held.mode == RetentionMode::Governance
                        && new.mode == RetentionMode::Compliance
                        && !bypass)
            }
        };
        if softens && !(bypass && held.mode == RetentionMode::Governance) {
            return Err(StoreError::Locked);
        }
        Ok(())
    }
}

/// A change of a version's lock; `None` leaves what is there.
#[derive(Debug, Clone)]
pub struct LockChange {
    /// The bucket's row.
    pub bucket: i64,
    /// The key.
    pub key: String,
    /// The version; the latest one where none is named.
    pub version: Option<VersionId>,
    /// The retention; `Some(None)` takes it away.
    pub retention: Option<Option<Retention>>,
    /// The legal hold.
    pub legal_hold: Option<bool>,
    /// Whether the caller may pass over governance, and wants to.
    pub bypass: bool,
    /// Now.
    pub now: Timestamp,
}

impl VaultStore {
    /// Changes a version's lock.
    ///
    /// # Errors
    /// [`StoreError::NoLocks`] in a bucket without them, [`StoreError::NoSuchVersion`], or [`StoreError::Locked`] when a
    /// running retention would become shorter or weaker.
    pub async fn change_lock(&self, change: LockChange) -> Result<(), StoreError> {
        self.writer.change(change).await
    }

    /// Lets objects of a bucket be locked, for good, and sets the retention of those that state none.
    ///
    /// # Errors
    /// [`StoreError::NoVersions`] when the bucket keeps no versions.
    pub async fn set_object_lock(
        &self,
        bucket: i64,
        default: Option<DefaultRetention>,
    ) -> Result<(), StoreError> {
        self.writer.change(SetObjectLock { bucket, default }).await
    }
}

/// Reads a bucket's default retention from mode, length and unit.
pub(super) fn default_retention(
    row: &AnyRow,
    columns: [usize; 3],
) -> Result<Option<DefaultRetention>, StoreError> {
    let [mode, length, unit] = columns;
    let Some(name) = get::<Option<&str>>(row, mode)? else {
        return Ok(None);
    };
    let length = unsigned(row, length)?;
    Ok(Some(DefaultRetention {
        mode: RetentionMode::of_name(name).ok_or(StoreError::Nonsense("a lock"))?,
        period: match get::<&str>(row, unit)? {
            "YEARS" => Period::Years(length),
            _ => Period::Days(length),
        },
    }))
}

#[async_trait]
impl Change for LockChange {
    type Output = ();
    fn needs(&self) -> Needs {
        Needs::Rows(vec![Row::Bucket(self.bucket)])
    }
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        let object_lock: Option<i64> = sqlx::query_scalar("SELECT object_lock FROM bucket WHERE seq = $1")
            .bind(self.bucket)
            .fetch_optional(&mut *db)
            .await?;
        match object_lock {
            None => return Err(StoreError::NoSuchBucket),
            Some(1) => {}
            Some(_) => return Err(StoreError::NoLocks),
        }
        let there = version::find(db, self.bucket, &self.key, self.version).await?;
        let there = there.filter(|there| !there.marker).ok_or(match self.version {
            Some(_) => StoreError::NoSuchVersion,
            None => StoreError::NoSuchKey,
        })?;
        let mut lock = there.lock;
        if let Some(retention) = &self.retention {
            lock.allows_change(retention.as_ref(), self.now, self.bypass)?;
            lock.retention = *retention;
        }
        if let Some(hold) = self.legal_hold {
            lock.legal_hold = hold;
        }
        sqlx::query("UPDATE object SET lock_mode = $1, lock_until = $2, legal_hold = $3 WHERE seq = $4")
            .bind(lock.retention.map(|r| r.mode.name()))
            .bind(lock.retention.map(|r| r.until.as_microsecond()))
            .bind(i64::from(lock.legal_hold))
            .bind(there.seq)
            .execute(db)
            .await?;
        Ok(())
    }
}

struct SetObjectLock {
    bucket: i64,
    default: Option<DefaultRetention>,
}

#[async_trait]
impl Change for SetObjectLock {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        let (length, unit) = match self.default.map(|default| default.period) {
            None => (None, None),
            Some(Period::Days(days)) => (Some(i64::from(days)), Some("DAYS")),
            Some(Period::Years(years)) => (Some(i64::from(years)), Some("YEARS")),
        };
        let versioning: Option<i64> = sqlx::query_scalar("SELECT versioning FROM bucket WHERE seq = $1")
            .bind(self.bucket)
            .fetch_optional(&mut *db)
            .await?;
        match versioning {
            None => return Err(StoreError::NoSuchBucket),
            Some(1) => {}
            Some(_) => return Err(StoreError::NoVersions),
        }
        sqlx::query(
            "UPDATE bucket SET object_lock = 1, lock_mode = $1, lock_length = $2, lock_unit = $3 WHERE seq = $4",
        )
        .bind(self.default.map(|default| default.mode.name()))
        .bind(length)
        .bind(unit)
        .bind(self.bucket)
        .execute(db)
        .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }
    fn held(mode: RetentionMode, until: &str) -> Lock {
        Lock {
            retention: Some(Retention {
                mode,
                until: at(until),
            }),
            legal_hold: false,
        }
    }

    #[test]
    fn what_is_locked_stays() {
        use RetentionMode::{Compliance, Governance};
        let now = at("2026-11-22T12:00:00Z");
        let (past, future) = ("2026-11-22T12:00:00Z", "2026-11-22T12:00:01Z");
        let hold = Lock {
            legal_hold: true,
            ..Lock::default()
        };
        for (lock, plain, bypass) in [
            (Lock::default(), true, true),
            (hold, false, false),
            (held(Governance, future), false, true),
            (held(Compliance, future), false, false),
            (held(Governance, past), true, true),
            (held(Compliance, past), true, true),
        ] {
            assert_eq!(lock.allows_removal(now, false).is_ok(), plain, "{lock:?}");
            assert_eq!(
                lock.allows_removal(now, true).is_ok(),
                bypass,
                "{lock:?} passed over"
            );
        }
    }

    #[test]
    fn a_running_retention_only_grows() {
        use RetentionMode::{Compliance, Governance};
        let now = at("2026-11-22T12:00:00Z");
        let (near, far) = ("2026-11-23T00:00:00Z", "2026-12-01T00:00:00Z");
        for (from, to, plain, bypass) in [
            ((Governance, near), Some((Governance, far)), true, true),
            ((Governance, far), Some((Governance, near)), false, true),
            ((Governance, near), Some((Compliance, far)), false, true),
            ((Governance, near), None, false, true),
            ((Compliance, near), Some((Compliance, far)), true, true),
            ((Compliance, far), Some((Compliance, near)), false, false),
            ((Compliance, near), Some((Governance, far)), false, false),
            ((Compliance, near), None, false, false),
        ] {
            let lock = held(from.0, from.1);
            let new = to.map(|(mode, until)| Retention {
                mode,
                until: at(until),
            });
            let allowed = |bypass| lock.allows_change(new.as_ref(), now, bypass).is_ok();
            assert_eq!(
                (allowed(false), allowed(true)),
                (plain, bypass),
                "{from:?} to {to:?}"
            );
        }
    }

    #[test]
    fn a_period_is_counted_in_utc() {
        let from = |period| {
            let default = DefaultRetention {
                mode: RetentionMode::Compliance,
                period,
            };
            default.from(at("2024-02-29T10:00:00Z")).until
        };
        assert_eq!(from(Period::Days(1)), at("2024-03-01T10:00:00Z"));
        assert_eq!(from(Period::Years(1)), at("2025-02-28T10:00:00Z"));
        assert_eq!(from(Period::Years(u32::MAX)), Timestamp::MAX);
    }
}
