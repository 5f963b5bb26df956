//! Which trust policies were in force, and which changes are not known to be in the docket.

use casework::ids::Digest;
use jiff::Timestamp;

use super::{GateMemory, MemoryError, integer};

/// Most changes that are told at once; the next ones are, once these are confirmed.
pub const OWED_MAX: usize = 64;

/// What the gate knew of a trust policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicySeen {
    /// It is the first.
    First,
    /// It is the one that was in force, and its coming into force is in the docket where it had to be.
    InForce,
    /// It is another than the one that was in force, or nobody has confirmed yet that the docket says so.
    New {
        /// How many changes there were before, the first policy among them.
        before: u64,
    },
}

/// A change of the trust policy that belongs into the docket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwedPolicy {
    /// Which: the first policy is number 1.
    pub number: u64,
    /// SHA-256 of the policy that came into force.
    pub digest: Digest,
}

impl GateMemory {
    /// Notes the trust policy that the gate is opened with; says what was known. A change is owed to the docket from then
    /// on, however often the gate is opened again: [`GateMemory::owed_policies`].
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn policy(&self, digest: Digest, now: Timestamp) -> Result<PolicySeen, MemoryError> {
        let mut tx = self.database.begin().await?;
        let last: Option<(i64, Vec<u8>)> =
            sqlx::query_as("SELECT number, digest FROM gate_policies ORDER BY number DESC LIMIT 1")
                .fetch_optional(&mut *tx)
                .await?;
        let before = match last {
            Some((number, known)) if known == digest.0 => {
                let owed: Option<i64> =
                    sqlx::query_scalar("SELECT number FROM gate_policies_owed WHERE number = $1")
                        .bind(number)
                        .fetch_optional(&mut *tx)
                        .await?;
                tx.rollback().await?;
                return match owed {
                    Some(number) => Ok(PolicySeen::New {
                        before: counted(number.saturating_sub(1))?,
                    }),
                    None => Ok(PolicySeen::InForce),
                };
            }
            Some((number, _)) => number,
            None => 0,
        };
        let number = before.saturating_add(1);
        sqlx::query("INSERT INTO gate_policies (number, digest, seen_at) VALUES ($1, $2, $3)")
            .bind(number)
            .bind(digest.0.as_slice())
            .bind(now.as_microsecond())
            .execute(&mut *tx)
            .await?;
        if before > 0 {
            sqlx::query("INSERT INTO gate_policies_owed (number) VALUES ($1)")
                .bind(number)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(match before {
            0 => PolicySeen::First,
            before => PolicySeen::New {
                before: counted(before)?,
            },
        })
    }

    /// Changes that nobody has confirmed to be in the docket, oldest first, at most [`OWED_MAX`].
    ///
    /// # Errors
    /// When the memory cannot be read.
    pub async fn owed_policies(&self) -> Result<Vec<OwedPolicy>, MemoryError> {
        let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
            "SELECT p.number, p.digest FROM gate_policies_owed o JOIN gate_policies p ON p.number = o.number \
             ORDER BY p.number LIMIT $1",
        )
        .bind(i64::try_from(OWED_MAX).unwrap_or(i64::MAX))
        .fetch_all(&self.database.pool)
        .await?;
        let owed = |(number, digest): (i64, Vec<u8>)| {
            Ok(OwedPolicy {
                number: counted(number)?,
                digest: Digest(digest.try_into().map_err(|_| MemoryError::Corrupt("digest"))?),
            })
        };
        rows.into_iter().map(owed).collect()
    }

    /// Notes that the change of this number is durably on its way into the docket. Said again, it changes nothing.
    ///
    /// # Errors
    /// When it cannot be written; the change stays owed then.
    pub async fn policy_logged(&self, number: u64) -> Result<(), MemoryError> {
        sqlx::query("DELETE FROM gate_policies_owed WHERE number = $1")
            .bind(integer(number)?)
            .execute(&self.database.pool)
            .await?;
        Ok(())
    }
}

fn counted(number: i64) -> Result<u64, MemoryError> {
    u64::try_from(number).map_err(|_| MemoryError::Corrupt("number"))
}
