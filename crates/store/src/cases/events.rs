//! The chain of events: appended, read, never changed.

use casework::{
    canonical::to_canonical_json,
    event::{Body, Event, Header},
    ids::{CaseId, Digest},
};
use envelope::case_file::{CaseKey, Part};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sqlx::{AnyConnection, Row};

use super::{CaseStore, CaseStoreError, EVENTS_MAX, Nonce, Progress, count, missing_case, whole};

/// One event as it lies in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// The chained part, which outlives erasure.
    pub header: Header,
    /// Salt and body; absent once the case was erased.
    pub opened: Option<(Digest, Body)>,
    /// The docket's queue entry that commits to the header.
    pub docket_entry: Option<i64>,
}

impl StoredEvent {
    /// The whole event.
    ///
    /// # Errors
    /// [`CaseStoreError::Erased`] when the content is gone.
    pub fn into_event(self) -> Result<Event, CaseStoreError> {
        let case = self.header.case;
        let (salt, body) = self.opened.ok_or(CaseStoreError::Erased(case))?;
        Ok(Event {
            header: self.header,
            salt,
            body,
        })
    }
}

#[derive(Serialize)]
struct SealedRef<'a, B> {
    salt: &'a Digest,
    body: &'a B,
}

#[derive(Deserialize)]
struct SealedBody<B> {
    salt: Digest,
    body: B,
}

impl CaseStore {
    /// Appends `event` in the caller's transaction. It must be the next in its case: the length that its number implies
    /// and the head that it links to are compared with what the database holds, so that a chain cannot fork.
    ///
    /// # Errors
    /// [`CaseStoreError::Moved`] when another event came first; [`CaseStoreError::Full`] at [`EVENTS_MAX`].
    pub async fn append(
        &self,
        tx: &mut AnyConnection,
        event: &Event,
        nonce: Nonce,
        docket_entry: Option<i64>,
        progress: &Progress,
    ) -> Result<(), CaseStoreError> {
        let case = event.header.case;
        if event.header.seq >= EVENTS_MAX {
            return Err(CaseStoreError::Full {
                case,
                limit: EVENTS_MAX,
            });
        }
        let key = self.key(tx, case).await?;
        let head = event
            .header
            .hash()
            .map_err(|_| CaseStoreError::Corrupt("header"))?;
        let moved = sqlx::query(
            "UPDATE cases SET length = length + 1, head = $1, stage = $2, closed_at = $3, wake_at = $4 \
             WHERE id = $5 AND length = $6 AND head = $7",
        )
        .bind(head.0.as_slice())
        .bind(&progress.stage)
        .bind(progress.closed_at.map(|at| at.as_microsecond()))
        .bind(progress.wake_at.map(|at| at.as_microsecond()))
        .bind(case.0.as_bytes().as_slice())
        .bind(whole(event.header.seq)?)
        .bind(event.header.prev.0.as_slice())
        .execute(&mut *tx)
        .await?;
        if moved.rows_affected() != 1 {
            return Err(CaseStoreError::Moved(case));
        }
        let header = to_canonical_json(&event.header).map_err(|_| CaseStoreError::Corrupt("header"))?;
        let header = String::from_utf8(header).map_err(|_| CaseStoreError::Corrupt("header"))?;
        sqlx::query(
            "INSERT INTO events (case_id, seq, header, sealed, docket_entry) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(case.0.as_bytes().as_slice())
        .bind(whole(event.header.seq)?)
        .bind(header)
        .bind(seal_body(&key, event, nonce)?)
        .bind(docket_entry)
        .execute(&mut *tx)
        .await?;
        for tenant in &progress.told {
            sqlx::query("INSERT INTO case_tenants (tenant, case_id) VALUES ($1, $2) ON CONFLICT DO NOTHING")
                .bind(tenant.as_str())
                .bind(case.0.as_bytes().as_slice())
                .execute(&mut *tx)
                .await?;
        }
        Ok(())
    }

    /// All events of a case, in order; headers alone once it was erased.
    ///
    /// # Errors
    /// When there is no such case, or a body does not open.
    pub async fn events(&self, case: CaseId) -> Result<Vec<StoredEvent>, CaseStoreError> {
        let mut connection = self.pool.acquire().await?;
        self.events_in(&mut connection, case).await
    }

    /// The same, inside a transaction: what it reads stays true until the transaction ends.
    ///
    /// # Errors
    /// As [`CaseStore::events`].
    pub async fn events_in(
        &self,
        tx: &mut AnyConnection,
        case: CaseId,
    ) -> Result<Vec<StoredEvent>, CaseStoreError> {
        let key = match self.key(tx, case).await {
            Ok(key) => Some(key),
            Err(CaseStoreError::Erased(_)) => None,
            Err(other) => return Err(other),
        };
        let rows = sqlx::query(
            "SELECT seq, header, sealed, docket_entry FROM events WHERE case_id = $1 ORDER BY seq",
        )
        .bind(case.0.as_bytes().as_slice())
        .fetch_all(tx)
        .await?;
        if rows.is_empty() {
            return Err(missing_case(case));
        }
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            let header: Header = serde_json::from_str(row.try_get("header")?)
                .map_err(|_| CaseStoreError::Corrupt("event header"))?;
            let seq = count(row.try_get("seq")?)?;
            let opened = match &key {
                Some(key) => Some(open_body(key, case, seq, row.try_get("sealed")?)?),
                None => None,
            };
            events.push(StoredEvent {
                header,
                opened,
                docket_entry: row.try_get("docket_entry")?,
            });
        }
        Ok(events)
    }
}

/// Salt and body of an event, sealed under its matter's key.
pub(crate) fn seal_body<B: Serialize>(
    key: &CaseKey,
    event: &Event<B>,
    nonce: Nonce,
) -> Result<Vec<u8>, CaseStoreError> {
    let sealed = SealedRef {
        salt: &event.salt,
        body: &event.body,
    };
    let plain = to_canonical_json(&sealed).map_err(|_| CaseStoreError::Corrupt("event body"))?;
    let part = Part::Body(event.header.seq);
    Ok(key.seal(event.header.case.0.as_bytes(), part, nonce, &plain)?)
}

/// Opens what [`seal_body`] made.
pub(crate) fn open_body<B: DeserializeOwned>(
    key: &CaseKey,
    case: CaseId,
    seq: u64,
    sealed: &[u8],
) -> Result<(Digest, B), CaseStoreError> {
    let plain = key.open(case.0.as_bytes(), Part::Body(seq), sealed)?;
    let body: SealedBody<B> =
        serde_json::from_slice(&plain).map_err(|_| CaseStoreError::Corrupt("event body"))?;
    Ok((body.salt, body.body))
}
