//! Leases: which of several nodes does what only one may do at a time.
//!
//! A lease is a convenience, not a lock: a node that stops is followed by another after [`LEASE_TIME`]. What must never
//! happen twice is forbidden where it would happen: a size of the docket is signed once, because its row's key says so.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::Row as _;

use crate::database::Database;

/// How long a lease is good for after it was last renewed. Renew it at a third of this.
pub const LEASE_TIME: Duration = Duration::from_secs(30);

/// The database failed.
#[derive(Debug, thiserror::Error)]
#[error("the lease's database failed")]
pub struct LeaseError(#[from] sqlx::Error);

/// A node, by 16 random bytes drawn when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeId(pub [u8; 16]);

/// Takes or renews the lease `name` for `node`; `false` when another node holds it. Nodes' clocks must agree to a few
/// seconds.
///
/// # Errors
/// When the database fails.
pub async fn hold(database: &Database, name: &str, node: NodeId, now: Timestamp) -> Result<bool, LeaseError> {
    let time = i64::try_from(LEASE_TIME.as_micros()).unwrap_or(i64::MAX);
    let row = sqlx::query(
        "INSERT INTO lease (name, holder, until) VALUES ($1, $2, $3) \
         ON CONFLICT (name) DO UPDATE SET holder = $2, until = $3 \
         WHERE lease.holder = $2 OR lease.until < $4 RETURNING holder",
    )
    .bind(name)
    .bind(node.0.to_vec())
    .bind(now.as_microsecond().saturating_add(time))
    .bind(now.as_microsecond())
    .fetch_optional(&database.pool)
    .await?;
    let holder = row.map(|row| row.try_get::<Vec<u8>, _>(0)).transpose()?;
    Ok(holder.is_some_and(|holder| holder == node.0))
}

/// Whether some node holds the lease.
///
/// # Errors
/// When the database fails.
pub async fn is_held(database: &Database, name: &str, now: Timestamp) -> Result<bool, LeaseError> {
    let row = sqlx::query("SELECT 1 FROM lease WHERE name = $1 AND until >= $2")
        .bind(name)
        .bind(now.as_microsecond())
        .fetch_optional(&database.pool)
        .await?;
    Ok(row.is_some())
}

/// Gives the lease back, if `node` holds it, so that another need not wait.
///
/// # Errors
/// When the database fails.
pub async fn give_back(database: &Database, name: &str, node: NodeId) -> Result<(), LeaseError> {
    sqlx::query("DELETE FROM lease WHERE name = $1 AND holder = $2")
        .bind(name)
        .bind(node.0.to_vec())
        .execute(&database.pool)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_node_holds_a_lease_until_it_stops() {
        let dir = tempfile::tempdir().unwrap();
        let database = crate::testkit::database(&dir.path().join("lease.db")).await;
        let (first, second) = (NodeId([1; 16]), NodeId([2; 16]));
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        assert!(hold(&database, "desk", first, at(0)).await.unwrap());
        assert!(!hold(&database, "desk", second, at(29)).await.unwrap());
        assert!(hold(&database, "desk", first, at(29)).await.unwrap());
        assert!(!hold(&database, "desk", second, at(40)).await.unwrap());
        assert!(hold(&database, "desk", second, at(60)).await.unwrap());
        assert!(!hold(&database, "desk", first, at(61)).await.unwrap());
        give_back(&database, "desk", first).await.unwrap();
        assert!(!hold(&database, "desk", first, at(62)).await.unwrap());
        assert!(is_held(&database, "desk", at(90)).await.unwrap());
        assert!(!is_held(&database, "desk", at(91)).await.unwrap());
        give_back(&database, "desk", second).await.unwrap();
        assert!(!is_held(&database, "desk", at(62)).await.unwrap());
        assert!(hold(&database, "desk", first, at(63)).await.unwrap());
    }
}
