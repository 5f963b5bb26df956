//! Transfers between regions: their chains of events, sealed like those of cases, and their records' places in the docket.
//!
//! Trust: whoever controls this database alone sees how many transfers there are, when each event happened and who
//! recorded it; no customer, region or reason. It can lose or withhold a transfer; it cannot alter one unseen, nor move a
//! byte.

use std::sync::Arc;

use casework::{
    canonical::to_canonical_json,
    event::{Event, Header},
    ids::{CaseId, RecordId},
    transfer::TransferBody,
};
use envelope::case_file::{CaseKey, CaseRoot};
use sqlx::{Any, AnyConnection, Row, Transaction};

use crate::{
    cases::{
        CaseStoreError, EVENTS_MAX, Nonce,
        events::{open_body, seal_body},
    },
    database::Database,
    lease::{self, LeaseError, NodeId},
};

/// Most transfers that the register reads.
pub const TRANSFERS_MAX: u32 = 100_000;

/// The database of transfers. Cheap to clone.
#[derive(Clone)]
pub struct TransferStore {
    database: Database,
    root: Arc<CaseRoot>,
}

fn missing(transfer: CaseId) -> CaseStoreError {
    CaseStoreError::NotFound {
        what: "transfer",
        id: transfer.to_string(),
    }
}

fn claim_name(transfer: CaseId) -> String {
    format!("transfer/{transfer}")
}

fn whole(number: u64) -> Result<i64, CaseStoreError> {
    i64::try_from(number).map_err(|_| CaseStoreError::Corrupt("count"))
}

impl TransferStore {
    /// The transfers in a migrated database, whose content opens under `root`.
    pub fn new(database: Database, root: Arc<CaseRoot>) -> Self {
        Self { database, root }
    }

    /// Claims the moving of a transfer for `mover`, or renews the claim; `false` where another has it. Good for
    /// [`LEASE_TIME`](crate::lease::LEASE_TIME).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim(
        &self,
        transfer: CaseId,
        mover: NodeId,
        now: jiff::Timestamp,
    ) -> Result<bool, LeaseError> {
        lease::hold(&self.database, &claim_name(transfer), mover, now).await
    }

    /// Gives a claim back, if `mover` has it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn give_back(&self, transfer: CaseId, mover: NodeId) -> Result<(), LeaseError> {
        lease::give_back(&self.database, &claim_name(transfer), mover).await
    }

    /// Whether somebody has the claim to move a transfer.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_claimed(&self, transfer: CaseId, now: jiff::Timestamp) -> Result<bool, LeaseError> {
        lease::is_held(&self.database, &claim_name(transfer), now).await
    }

    /// Begins a transaction that writes, alone.
    ///
    /// # Errors
    /// When the database is locked for too long or fails.
    pub async fn begin(&self) -> Result<Transaction<'static, Any>, CaseStoreError> {
        Ok(self.database.begin().await?)
    }

    /// Records a transfer with its first event.
    ///
    /// # Errors
    /// When sealing or the database fails.
    pub async fn open(
        &self,
        tx: &mut AnyConnection,
        key: CaseKey,
        nonces: (Nonce, Nonce),
        first: &Event<TransferBody>,
        docket_entry: i64,
    ) -> Result<(), CaseStoreError> {
        let id = first.header.case.0.as_bytes();
        sqlx::query(
            "INSERT INTO transfers (id, opened_at, stage, length, head, wrapped_key) VALUES ($1, $2, '', 0, $3, $4)",
        )
        .bind(id.as_slice())
        .bind(first.header.at.as_microsecond())
        .bind(&[0; 32][..])
        .bind(self.root.wrap(id, &key, nonces.0)?)
        .execute(&mut *tx)
        .await?;
        self.append(tx, first, nonces.1, docket_entry, "open").await
    }

    /// Appends `event` in the caller's transaction. It must be the next of its transfer.
    ///
    /// # Errors
    /// [`CaseStoreError::Moved`] when another event came first.
    pub async fn append(
        &self,
        tx: &mut AnyConnection,
        event: &Event<TransferBody>,
        nonce: Nonce,
        docket_entry: i64,
        stage: &str,
    ) -> Result<(), CaseStoreError> {
        let transfer = event.header.case;
        if event.header.seq >= EVENTS_MAX {
            return Err(CaseStoreError::Full {
                case: transfer,
                limit: EVENTS_MAX,
            });
        }
        let key = self.key(tx, transfer).await?;
        let head = event
            .header
            .hash()
            .map_err(|_| CaseStoreError::Corrupt("header"))?;
        let moved = sqlx::query(
            "UPDATE transfers SET length = length + 1, head = $1, stage = $2 WHERE id = $3 AND length = $4 AND head = $5",
        )
        .bind(head.0.as_slice())
        .bind(stage)
        .bind(transfer.0.as_bytes().as_slice())
        .bind(whole(event.header.seq)?)
        .bind(event.header.prev.0.as_slice())
        .execute(&mut *tx)
        .await?;
        if moved.rows_affected() != 1 {
            return Err(CaseStoreError::Moved(transfer));
        }
        let header = to_canonical_json(&event.header).map_err(|_| CaseStoreError::Corrupt("header"))?;
        let header = String::from_utf8(header).map_err(|_| CaseStoreError::Corrupt("header"))?;
        sqlx::query(
            "INSERT INTO transfer_events (transfer, seq, header, sealed, docket_entry) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(transfer.0.as_bytes().as_slice())
        .bind(whole(event.header.seq)?)
        .bind(header)
        .bind(seal_body(&key, event, nonce)?)
        .bind(docket_entry)
        .execute(&mut *tx)
        .await?;
        Ok(())
    }

    /// All events of a transfer, in order.
    ///
    /// # Errors
    /// When there is no such transfer, or a body does not open.
    pub async fn events(&self, transfer: CaseId) -> Result<Vec<Event<TransferBody>>, CaseStoreError> {
        let mut connection = self.database.pool.acquire().await?;
        let key = self.key(&mut connection, transfer).await?;
        let rows =
            sqlx::query("SELECT seq, header, sealed FROM transfer_events WHERE transfer = $1 ORDER BY seq")
                .bind(transfer.0.as_bytes().as_slice())
                .fetch_all(&mut *connection)
                .await?;
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            let header: Header = serde_json::from_str(row.try_get("header")?)
                .map_err(|_| CaseStoreError::Corrupt("event header"))?;
            let seq =
                u64::try_from(row.try_get::<i64, _>("seq")?).map_err(|_| CaseStoreError::Corrupt("count"))?;
            let sealed: Vec<u8> = row.try_get("sealed")?;
            let (salt, body) = open_body(&key, transfer, seq, &sealed)?;
            events.push(Event { header, salt, body });
        }
        Ok(events)
    }

    /// Every transfer's id, oldest first, at most [`TRANSFERS_MAX`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self) -> Result<Vec<CaseId>, CaseStoreError> {
        let rows = sqlx::query("SELECT id FROM transfers ORDER BY id LIMIT $1")
            .bind(i64::from(TRANSFERS_MAX))
            .fetch_all(&self.database.pool)
            .await?;
        rows.iter()
            .map(|row| {
                let id: Vec<u8> = row.try_get("id")?;
                let id = uuid::Uuid::from_slice(&id).map_err(|_| CaseStoreError::Corrupt("id"))?;
                Ok(CaseId(id))
            })
            .collect()
    }

    /// Notes the docket's queue entry of a record.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_record(
        &self,
        tx: &mut AnyConnection,
        record: RecordId,
        transfer: CaseId,
        entry: i64,
    ) -> Result<(), CaseStoreError> {
        sqlx::query("INSERT INTO transfer_records (record, transfer, docket_entry) VALUES ($1, $2, $3)")
            .bind(record.0.as_bytes().as_slice())
            .bind(transfer.0.as_bytes().as_slice())
            .bind(entry)
            .execute(tx)
            .await?;
        Ok(())
    }

    /// The docket's queue entry of a record.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_entry(&self, record: RecordId) -> Result<Option<i64>, CaseStoreError> {
        let row = sqlx::query("SELECT docket_entry FROM transfer_records WHERE record = $1")
            .bind(record.0.as_bytes().as_slice())
            .fetch_optional(&self.database.pool)
            .await?;
        Ok(row.map(|row| row.try_get("docket_entry")).transpose()?)
    }

    async fn key(&self, tx: &mut AnyConnection, transfer: CaseId) -> Result<CaseKey, CaseStoreError> {
        let row = sqlx::query("SELECT wrapped_key FROM transfers WHERE id = $1")
            .bind(transfer.0.as_bytes().as_slice())
            .fetch_optional(tx)
            .await?
            .ok_or_else(|| missing(transfer))?;
        let wrapped: Vec<u8> = row.try_get("wrapped_key")?;
        Ok(self.root.unwrap(transfer.0.as_bytes(), &wrapped)?)
    }
}
