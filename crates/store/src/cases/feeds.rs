//! Addresses of calendar feeds: who reads what, and the hashes of their secrets.
//!
//! Trust: as for tokens. Whoever reads this table learns who subscribes, and no address.

use casework::ids::StaffId;
use jiff::Timestamp;
use sqlx::Row;

use super::{
    CaseStore, CaseStoreError, digest, instant,
    people::{PersonRow, person_row},
};

/// One feed's hash and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedRow {
    /// SHA-256 of the secret half. Compare in constant time.
    pub hash: [u8; 32],
    /// Withdrawn.
    pub revoked_at: Option<Timestamp>,
    /// Whose.
    pub person: PersonRow,
}

impl CaseStore {
    /// Stores the hash of a person's feed in place of any that they had: each person has one at most.
    ///
    /// # Errors
    /// When there is no such person or the database fails.
    pub async fn replace_feed(
        &self,
        id: [u8; 8],
        person: &StaffId,
        hash: [u8; 32],
        at: Timestamp,
    ) -> Result<(), CaseStoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE calendar_feeds SET revoked_at = $1 WHERE staff = $2 AND revoked_at IS NULL")
            .bind(at.as_microsecond())
            .bind(person.as_str())
            .execute(&mut *tx)
            .await?;
        sqlx::query("INSERT INTO calendar_feeds (id, staff, hash, created_at) VALUES ($1, $2, $3, $4)")
            .bind(id.as_slice())
            .bind(person.as_str())
            .bind(hash.as_slice())
            .bind(at.as_microsecond())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The feed with this id, if there is one: whether it is good is for the caller to judge.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn feed(&self, id: [u8; 8]) -> Result<Option<FeedRow>, CaseStoreError> {
        let row = sqlx::query(
            "SELECT f.hash, f.revoked_at, s.* FROM calendar_feeds f JOIN staff s ON s.id = f.staff WHERE f.id = $1",
        )
        .bind(id.as_slice())
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            Ok(FeedRow {
                hash: digest(&row, "hash")?.0,
                revoked_at: row
                    .try_get::<Option<i64>, _>("revoked_at")?
                    .map(instant)
                    .transpose()?,
                person: person_row(&row)?,
            })
        })
        .transpose()
    }

    /// Withdraws a person's feed. True where there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_feed(&self, person: &StaffId, at: Timestamp) -> Result<bool, CaseStoreError> {
        let done =
            sqlx::query("UPDATE calendar_feeds SET revoked_at = $1 WHERE staff = $2 AND revoked_at IS NULL")
                .bind(at.as_microsecond())
                .bind(person.as_str())
                .execute(&self.pool)
                .await?;
        Ok(done.rows_affected() > 0)
    }
}
