//! Copies that a transfer between regions leaves behind, and their end. A row is given up before its blob is deleted, and one
//! that was given up (`moved` is 2) never changes an object again.

use async_trait::async_trait;
use casework::ids::CaseId;
use sqlx::AnyConnection;

use super::{
    StoreError, VaultStore,
    row::{blob_id, get},
    writer::{Change, Needs},
};
use crate::blobs::BlobId;

impl VaultStore {
    /// Gives up copies that nobody needs any more, at most `limit`: old ones of what was moved, and new ones of what was
    /// not. The second is whether it is a new one. No object names them, and from now on none will.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn superseded(&self, transfer: CaseId, limit: u32) -> Result<Vec<(BlobId, bool)>, StoreError> {
        self.writer.change(GiveUp { transfer, limit }).await
    }

    /// Notes that superseded copies are gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn removed(&self, transfer: CaseId, blobs: Vec<BlobId>) -> Result<(), StoreError> {
        self.writer.change(Removed { transfer, blobs }).await
    }
}

struct GiveUp {
    transfer: CaseId,
    limit: u32,
}

#[async_trait]
impl Change for GiveUp {
    type Output = Vec<(BlobId, bool)>;
    async fn apply(&self, db: &mut AnyConnection) -> Result<Vec<(BlobId, bool)>, StoreError> {
        let transfer = self.transfer.0.as_bytes();
        // What an object names is not superseded, whatever is said here.
        sqlx::query(
            "DELETE FROM transfer_part WHERE transfer = $1 AND (EXISTS (SELECT 1 FROM part p \
             WHERE p.blob = CASE WHEN transfer_part.moved = 1 THEN transfer_part.old_blob ELSE transfer_part.new_blob END) \
             OR EXISTS (SELECT 1 FROM object_copy_part c \
             WHERE c.blob = CASE WHEN transfer_part.moved = 1 THEN transfer_part.old_blob ELSE transfer_part.new_blob END))",
        )
        .bind(transfer.as_slice())
        .execute(&mut *db)
        .await?;
        sqlx::query("UPDATE transfer_part SET moved = 2 WHERE transfer = $1 AND moved = 0")
            .bind(transfer.as_slice())
            .execute(&mut *db)
            .await?;
        let rows = sqlx::query(
            "SELECT CASE WHEN moved = 1 THEN old_blob ELSE new_blob END, moved FROM transfer_part \
             WHERE transfer = $1 LIMIT $2",
        )
        .bind(transfer.as_slice())
        .bind(i64::from(self.limit))
        .fetch_all(db)
        .await?;
        rows.iter()
            .map(|row| Ok((blob_id(row, 0)?, get::<i64>(row, 1)? != 1)))
            .collect()
    }
}

struct Removed {
    transfer: CaseId,
    blobs: Vec<BlobId>,
}

#[async_trait]
impl Change for Removed {
    type Output = ();
    /// Movers' own rows, each changed by one statement.
    fn needs(&self) -> Needs {
        Needs::Rows(Vec::new())
    }
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        for blob in &self.blobs {
            sqlx::query(
                "DELETE FROM transfer_part WHERE transfer = $1 AND ((moved = 1 AND old_blob = $2) \
                 OR (moved = 2 AND new_blob = $2))",
            )
            .bind(self.transfer.0.as_bytes().as_slice())
            .bind(blob.0.as_slice())
            .execute(&mut *db)
            .await?;
        }
        Ok(())
    }
}
