//! The cases for which a node of another region had this node's gate release something: of these alone that node, by the
//! name of its certificate, may later ask what stays sealed here.

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

    /// Notes that the node of these names had something released for this case.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note(&self, case: CaseId, node: &[String]) -> Result<(), sqlx::Error> {
        for name in node {
            sqlx::query("INSERT INTO peer_releases (case_id, peer) VALUES ($1, $2) ON CONFLICT DO NOTHING")
                .bind(case.0.as_bytes().as_slice())
                .bind(name.as_str())
                .execute(&self.database.pool)
                .await?;
        }
        Ok(())
    }

    /// Whether the node of one of these names had. What was noted before nodes were told apart, each of them may have had.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has(&self, case: CaseId, node: &[String]) -> Result<bool, sqlx::Error> {
        let nodes: Vec<String> = sqlx::query_scalar("SELECT peer FROM peer_releases WHERE case_id = $1")
            .bind(case.0.as_bytes().as_slice())
            .fetch_all(&self.database.pool)
            .await?;
        Ok(nodes.iter().any(|one| one.is_empty() || node.contains(one)))
    }
}
