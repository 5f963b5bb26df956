//! Connections that read, for what is asked with every request.
//!
//! A pool tries each connection when it comes back, which for SQLite costs as much as a small query does: two hand-overs
//! between threads. A file does not go away in between, so these are taken and put back as they are.

use std::sync::{Arc, Mutex, PoisonError};

use sqlx::{Any, AnyConnection, AnyPool, Connection as _, any::AnyRow, query::Query};
use tokio::sync::Semaphore;

use super::{BUSY_WAIT, Engine, make_ready};

/// Most that read at once; who comes later waits.
pub const READERS_MAX: usize = 8;

/// The connections of one database. Cheap to clone.
#[derive(Clone)]
pub(super) struct Readers(Arc<Inner>);

struct Inner {
    engine: Engine,
    pool: AnyPool,
    url: String,
    turns: Semaphore,
    free: Mutex<Vec<AnyConnection>>,
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Readers")
            .field("engine", &self.0.engine)
            .finish_non_exhaustive()
    }
}

impl Readers {
    pub(super) fn new(engine: Engine, pool: AnyPool, url: String) -> Self {
        Self(Arc::new(Inner {
            engine,
            pool,
            url,
            turns: Semaphore::new(READERS_MAX),
            free: Mutex::default(),
        }))
    }

    /// The rows that a query gives. It sees every commit that returned before.
    pub(super) async fn rows(
        &self,
        query: Query<'_, Any, <Any as sqlx::Database>::Arguments>,
    ) -> Result<Vec<AnyRow>, sqlx::Error> {
        let inner = &*self.0;
        if inner.engine == Engine::Postgres {
            return query.fetch_all(&inner.pool).await;
        }
        let turn = tokio::time::timeout(BUSY_WAIT, inner.turns.acquire()).await;
        let _turn = turn
            .map_err(|_| sqlx::Error::PoolTimedOut)?
            .map_err(|_| sqlx::Error::PoolClosed)?;
        let mut connection = match inner.take() {
            Some(connection) => connection,
            None => {
                let mut connection = AnyConnection::connect(&inner.url).await?;
                make_ready(inner.engine, &mut connection).await?;
                connection
            }
        };
        let rows = query.fetch_all(&mut connection).await?;
        // Whoever failed or gave up in mid-query leaves none behind, and the next one makes its own.
        inner.put_back(connection);
        Ok(rows)
    }

    /// Ends reading, for good.
    pub(super) async fn close(&self) {
        self.0.turns.close();
        while let Some(connection) = self.0.take() {
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, "a connection that read did not close");
            }
        }
    }
}

impl Inner {
    fn take(&self) -> Option<AnyConnection> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn put_back(&self, connection: AnyConnection) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.turns.is_closed() {
            free.push(connection);
        }
    }
}
