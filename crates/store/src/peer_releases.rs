//! The cases for which a node of another region had this node's gate release something: of these alone it may later ask
//! what stays sealed here.

use casework::ids::CaseId;

use crate::database::Database;

/// Those cases, in the node's database. Cheap to clone.
#[derive(Clone)]
pub struct PeerReleases {
    database: Database,
}

impl PeerReleases {
    /// In this database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Notes that another region's node had something released for this case.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note(&self, case: CaseId) -> Result<(), sqlx::Error> {
        sqlx::query("INSERT INTO peer_releases (case_id) VALUES ($1) ON CONFLICT DO NOTHING")
            .bind(case.0.as_bytes().as_slice())
            .execute(&self.database.pool)
            .await?;
        Ok(())
    }

    /// Whether one had.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has(&self, case: CaseId) -> Result<bool, sqlx::Error> {
        let found = sqlx::query("SELECT 1 FROM peer_releases WHERE case_id = $1")
            .bind(case.0.as_bytes().as_slice())
            .fetch_optional(&self.database.pool)
            .await?;
        Ok(found.is_some())
    }
}
