//! Packages on their way to an authority's system: how far each is.
//!
//! Trust: whoever controls this database alone sees which package went to which authority and when, and can have it sent again or
//! not at all; never to another, nor what is in it.

use casework::ids::{CaseId, RecordId};
use jiff::Timestamp;
use sqlx::{Row as _, any::AnyRow};
use uuid::Uuid;

use super::{Hi1Store, uuid};
use crate::cases::CaseStoreError;

/// How a push stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushState {
    /// It goes on when its time has come.
    Waiting,
    /// Something in the case stands against it; it is looked at again.
    Held,
    /// The package was delivered, by this or another way.
    Done,
    /// The authority's system refused it, or was given up.
    Refused,
}

impl PushState {
    fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Held => "held",
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

/// A package that was made for a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    /// The record that the gate released.
    pub record: RecordId,
    /// The case.
    pub case: CaseId,
    /// The task that opened it.
    pub task: Uuid,
}

/// A package on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Push {
    /// What is pushed.
    pub made: Made,
    /// Parts that the authority's system took.
    pub taken: u64,
    /// Parts that may have been sent: one more than were taken, where an answer is not known.
    pub tried: u64,
    /// How often a part was sent again for want of an answer.
    pub again: u64,
    /// Failures in a row.
    pub failed: u64,
    /// When they began.
    pub since: Option<Timestamp>,
    /// How it stands.
    pub state: PushState,
}

impl Hi1Store {
    /// Packages made for tasks of this peer's of which no push was begun, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unpushed(&self, peer: &str, most: u32) -> Result<Vec<Made>, CaseStoreError> {
        let rows = sqlx::query(
            "SELECT packages.record AS record, packages.case_id AS case_id, objects.object AS task FROM hi1_objects AS objects \
             JOIN packages ON packages.case_id = objects.case_id WHERE objects.peer = $1 AND objects.kind = 'LDTask' \
             AND NOT EXISTS (SELECT 1 FROM hi1_pushes AS pushes WHERE pushes.peer = $1 AND pushes.record = packages.record) \
             ORDER BY packages.made_at, packages.record LIMIT $2",
        )
        .bind(peer)
        .bind(i64::from(most))
        .fetch_all(&self.database.pool)
        .await?;
        rows.iter().map(made).collect()
    }

    /// Begins a push; one that was begun stays as it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_push(&self, peer: &str, made: &Made, at: Timestamp) -> Result<(), CaseStoreError> {
        sqlx::query(
            "INSERT INTO hi1_pushes (peer, record, case_id, task, taken, tried, again, failed, since, next_at, state) \
             VALUES ($1, $2, $3, $4, 0, 0, 0, 0, NULL, $5, 'waiting') ON CONFLICT DO NOTHING",
        )
        .bind(peer)
        .bind(made.record.0.as_bytes().as_slice())
        .bind(made.case.0.as_bytes().as_slice())
        .bind(made.task.as_bytes().as_slice())
        .bind(at.as_microsecond())
        .execute(&self.database.pool)
        .await?;
        Ok(())
    }

    /// Pushes of this peer's whose time has come, in the order of that.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn due_pushes(
        &self,
        peer: &str,
        now: Timestamp,
        most: u32,
    ) -> Result<Vec<Push>, CaseStoreError> {
        let rows = sqlx::query(
            "SELECT record, case_id, task, taken, tried, again, failed, since, state FROM hi1_pushes \
             WHERE peer = $1 AND state IN ('waiting', 'held') AND next_at <= $2 ORDER BY next_at, record LIMIT $3",
        )
        .bind(peer)
        .bind(now.as_microsecond())
        .bind(i64::from(most))
        .fetch_all(&self.database.pool)
        .await?;
        rows.iter().map(push).collect()
    }

    /// Keeps how a push stands. `next_at` is when it is looked at next, where it goes on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_push(&self, peer: &str, push: &Push, next_at: Timestamp) -> Result<(), CaseStoreError> {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        sqlx::query(
            "UPDATE hi1_pushes SET taken = $3, tried = $4, again = $5, failed = $6, since = $7, next_at = $8, state = $9 \
             WHERE peer = $1 AND record = $2",
        )
        .bind(peer)
        .bind(push.made.record.0.as_bytes().as_slice())
        .bind(number(push.taken))
        .bind(number(push.tried))
        .bind(number(push.again))
        .bind(number(push.failed))
        .bind(push.since.map(Timestamp::as_microsecond))
        .bind(next_at.as_microsecond())
        .bind(push.state.word())
        .execute(&self.database.pool)
        .await?;
        Ok(())
    }
}

fn made(row: &AnyRow) -> Result<Made, CaseStoreError> {
    Ok(Made {
        record: RecordId(uuid(row.try_get("record")?)?),
        case: CaseId(uuid(row.try_get("case_id")?)?),
        task: uuid(row.try_get("task")?)?,
    })
}

fn push(row: &AnyRow) -> Result<Push, CaseStoreError> {
    let count = |name: &str| {
        u64::try_from(row.try_get::<i64, _>(name)?).map_err(|_| CaseStoreError::Corrupt("count of parts"))
    };
    let since: Option<i64> = row.try_get("since")?;
    let since = since.map(|at| Timestamp::from_microsecond(at).map_err(|_| CaseStoreError::Corrupt("time")));
    let state: String = row.try_get("state")?;
    Ok(Push {
        made: made(row)?,
        taken: count("taken")?,
        tried: count("tried")?,
        again: count("again")?,
        failed: count("failed")?,
        since: since.transpose()?,
        state: match state.as_str() {
            "waiting" => PushState::Waiting,
            "held" => PushState::Held,
            "done" => PushState::Done,
            "refused" => PushState::Refused,
            _ => return Err(CaseStoreError::Corrupt("state of a push")),
        },
    })
}
