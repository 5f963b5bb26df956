//! What a running backup asks of the vault, and what is known of backups that were made.

use jiff::Timestamp;

use super::{StoreError, VaultStore};

/// A backup that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupMade {
    /// When its metadata was copied.
    pub made_at: Timestamp,
    /// When its keepers say that it is gone; `None` when nobody said.
    pub expires_at: Option<Timestamp>,
}

impl VaultStore {
    /// Keeps blobs that rows stop naming from being deleted, until then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hold_blobs(&self, name: &str, until: Timestamp) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO blob_hold (name, until) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET until = excluded.until",
        )
        .bind(name)
        .bind(until.as_microsecond())
        .execute(&self.database.pool)
        .await?;
        Ok(())
    }

    /// Ends a hold; all of them without a name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release_blobs(&self, name: Option<&str>) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM blob_hold WHERE name = $1 OR $2 = 1")
            .bind(name.unwrap_or_default())
            .bind(i64::from(name.is_none()))
            .execute(&self.database.pool)
            .await?;
        Ok(())
    }

    /// Whether somebody keeps blobs from being deleted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn blobs_held(&self, now: Timestamp) -> Result<bool, StoreError> {
        let held: Option<i64> = sqlx::query_scalar("SELECT until FROM blob_hold WHERE until > $1 LIMIT 1")
            .bind(now.as_microsecond())
            .fetch_optional(&self.database.pool)
            .await?;
        Ok(held.is_some())
    }

    /// Notes a backup.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_backup(&self, made: BackupMade) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO backup_made (made_at, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(made.made_at.as_microsecond())
            .bind(made.expires_at.map(Timestamp::as_microsecond))
            .execute(&self.database.pool)
            .await?;
        Ok(())
    }

    /// The backup that will be there the longest of those that may hold what is in the vault now: one without an end, else
    /// the one with the latest. `None` when every one is gone, or none was made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_backup(&self, now: Timestamp) -> Result<Option<BackupMade>, StoreError> {
        let row: Option<(i64, Option<i64>)> = sqlx::query_as(
            "SELECT made_at, expires_at FROM backup_made WHERE expires_at IS NULL OR expires_at > $1 \
             ORDER BY CASE WHEN expires_at IS NULL THEN 0 ELSE 1 END, expires_at DESC LIMIT 1",
        )
        .bind(now.as_microsecond())
        .fetch_optional(&self.database.pool)
        .await?;
        let time = |at| Timestamp::from_microsecond(at).map_err(|_| StoreError::Nonsense("a time"));
        row.map(|(made_at, expires_at)| {
            Ok(BackupMade {
                made_at: time(made_at)?,
                expires_at: expires_at.map(time).transpose()?,
            })
        })
        .transpose()
    }
}
