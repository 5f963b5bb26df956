//! Key providers that are retired for good. What counts is what the rows of wrapped keys say, each of which names who holds it:
//! a provider with one left is not retired, and under one that is nothing is wrapped any more. Both are decided where nobody
//! else changes the vault.

use std::sync::Arc;

use async_trait::async_trait;
use casework::ids::ProviderId;
use futures::TryStreamExt as _;
use jiff::Timestamp;
use sqlx::AnyConnection;

use super::{
    StoreError, VaultStore,
    row::{get, wrapped_tenant},
    writer::Change,
};
use crate::docket::{DocketStoreError, EntryId, NewEntry, enqueue_in};

/// Makes the docket's entry for a retirement, from how many wrapped keys were looked at.
pub type RetirementEntry = Arc<dyn Fn(u64) -> Option<NewEntry> + Send + Sync>;

/// A provider that is retired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetiredProvider {
    /// Its name in the configuration.
    pub provider: ProviderId,
    /// Since when.
    pub at: Timestamp,
    /// The statement about the destruction of its key; none where the provider has not answered yet.
    pub statement: Option<Vec<u8>>,
}

impl VaultStore {
    /// Retires a provider, with every other name under which the configuration has its key: from then on no tenant's key is
    /// recorded that one of them holds. The docket's entry commits with that. Gives how many wrapped keys were looked at: every
    /// one that there is.
    ///
    /// # Errors
    /// [`StoreError::StillHeld`] while one of them holds a key; nothing is changed then.
    pub async fn retire_provider(
        &self,
        names: Vec<ProviderId>,
        now: Timestamp,
        entry: RetirementEntry,
    ) -> Result<(u64, EntryId), StoreError> {
        self.writer.change(Retire { names, now, entry }).await
    }

    /// Keeps the statement about the destruction of a retired provider's key, with its entry in the docket.
    ///
    /// # Errors
    /// When it is not retired, has a statement already, or the docket's queue is full; nothing is kept then.
    pub async fn note_destroyed_provider(
        &self,
        provider: ProviderId,
        statement: Vec<u8>,
        entry: NewEntry,
    ) -> Result<EntryId, StoreError> {
        let change = Note {
            provider,
            statement,
            entry,
        };
        self.writer.change(change).await
    }

    /// Takes retired names back into use, of which the provider itself said that nothing was destroyed.
    ///
    /// # Errors
    /// When there is a statement about the destruction of one.
    pub async fn reinstate_providers(&self, names: Vec<ProviderId>) -> Result<(), StoreError> {
        self.writer.change(Reinstate { names }).await
    }

    /// Providers that are retired, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retired_providers(&self) -> Result<Vec<RetiredProvider>, StoreError> {
        let rows =
            sqlx::query("SELECT provider, retired_at, statement FROM retired_provider ORDER BY provider")
                .fetch_all(&self.database.pool)
                .await?;
        let retired = |row: &sqlx::any::AnyRow| {
            Ok(RetiredProvider {
                provider: ProviderId::new(get::<String>(row, 0)?)?,
                at: Timestamp::from_microsecond(get(row, 1)?).map_err(|_| {
                    StoreError::Database(sqlx::Error::Protocol("a time of no year".to_owned()))
                })?,
                statement: get(row, 2)?,
            })
        };
        rows.iter().map(retired).collect()
    }
}

/// That nobody wraps a key by a provider that is retired.
pub(super) async fn must_not_be_retired(
    db: &mut AnyConnection,
    holder: Option<&str>,
) -> Result<(), StoreError> {
    let Some(holder) = holder else { return Ok(()) };
    let retired = sqlx::query("SELECT 1 FROM retired_provider WHERE provider = $1")
        .bind(holder)
        .fetch_optional(db)
        .await?;
    match retired {
        None => Ok(()),
        Some(_) => Err(StoreError::ProviderRetired {
            provider: holder.to_owned(),
        }),
    }
}

struct Retire {
    names: Vec<ProviderId>,
    now: Timestamp,
    entry: RetirementEntry,
}

#[async_trait]
impl Change for Retire {
    type Output = (u64, EntryId);
    async fn apply(&self, db: &mut AnyConnection) -> Result<(u64, EntryId), StoreError> {
        let (mut looked_at, mut held, mut first) = (0u64, 0u64, None);
        {
            let mut rows = sqlx::query(
                "SELECT tenant, region, wrapped FROM tenant_key ORDER BY tenant, region, version",
            )
            .fetch(&mut *db);
            while let Some(row) = rows.try_next().await? {
                looked_at += 1;
                let key = wrapped_tenant(get(&row, 2)?)?;
                let by_these = key
                    .holder()
                    .is_some_and(|holder| self.names.iter().any(|name| name.as_str() == holder));
                if by_these {
                    held += 1;
                    let (tenant, region): (String, String) = (get(&row, 0)?, get(&row, 1)?);
                    first.get_or_insert(format!("`{tenant}` in `{region}`"));
                }
            }
        }
        if let Some(first) = first {
            return Err(StoreError::StillHeld {
                held,
                looked_at,
                first,
            });
        }
        for name in &self.names {
            sqlx::query(
                "INSERT INTO retired_provider (provider, retired_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            )
            .bind(name.as_str())
            .bind(self.now.as_microsecond())
            .execute(&mut *db)
            .await?;
        }
        let entry = (self.entry)(looked_at).ok_or_else(|| failed("no statement about what is retired"))?;
        Ok((looked_at, logged(db, &entry).await?))
    }
}

struct Note {
    provider: ProviderId,
    statement: Vec<u8>,
    entry: NewEntry,
}

#[async_trait]
impl Change for Note {
    type Output = EntryId;
    async fn apply(&self, db: &mut AnyConnection) -> Result<EntryId, StoreError> {
        let done = sqlx::query(
            "UPDATE retired_provider SET statement = $1 WHERE provider = $2 AND statement IS NULL",
        )
        .bind(self.statement.as_slice())
        .bind(self.provider.as_str())
        .execute(&mut *db)
        .await?;
        if done.rows_affected() != 1 {
            return Err(failed("the provider is not retired, or was destroyed before"));
        }
        logged(db, &self.entry).await
    }
}

struct Reinstate {
    names: Vec<ProviderId>,
}

#[async_trait]
impl Change for Reinstate {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        for name in &self.names {
            sqlx::query("DELETE FROM retired_provider WHERE provider = $1 AND statement IS NULL")
                .bind(name.as_str())
                .execute(&mut *db)
                .await?;
        }
        Ok(())
    }
}

/// The entry, or the whole transaction fails.
async fn logged(db: &mut AnyConnection, entry: &NewEntry) -> Result<EntryId, StoreError> {
    let ids = enqueue_in(db, std::slice::from_ref(entry)).await;
    let ids = ids.map_err(|error| match error {
        DocketStoreError::Database(error) => StoreError::Database(error),
        other => failed(&other.to_string()),
    })?;
    ids.first()
        .copied()
        .ok_or_else(|| failed("the docket gave no entry"))
}

fn failed(why: &str) -> StoreError {
    StoreError::Database(sqlx::Error::Protocol(why.to_owned()))
}
