//! The register of who may ask: authorities, what shows who they are, numbers to call them back on, their officers.
//!
//! Trust: whoever controls this database alone learns which authorities and officers the provider knows. It can register
//! a false number, which two people then call; it cannot confirm a case, for that is an event of the case's chain.

use casework::ids::{CaseId, Digest};
use jiff::Timestamp;
use sqlx::{AnyConnection, AnyPool, Row, any::AnyRow};

use crate::{
    cases::{CaseStoreError, PAGE_MAX},
    database::Database,
};

/// Most authorities registered.
pub const AUTHORITIES_MAX: u32 = 50_000;
/// Most facts kept of one authority.
pub const FACTS_MAX: u32 = 1_000;
/// Most cases of one address that are reviewed again at once.
pub const SENDER_CASES_MAX: u32 = 10_000;

/// The register. Cheap to clone.
#[derive(Clone)]
pub struct RequesterStore {
    pool: AnyPool,
    database: Database,
}

/// An authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityRow {
    /// Its id in this register: `us-fbi`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its country.
    pub country: String,
    /// What kind of body it is, as demands name it.
    pub kind: String,
    /// When it was added.
    pub added_at: Timestamp,
    /// By whom.
    pub added_by: String,
}

/// What is known of an authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FactKind {
    /// A mail domain that it uses.
    Domain,
    /// A telephone number, digits alone.
    Number,
    /// What shows who it is.
    Evidence,
}

impl FactKind {
    /// Its name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::Number => "number",
            Self::Evidence => "evidence",
        }
    }
    fn of(name: &str) -> Option<Self> {
        [Self::Domain, Self::Number, Self::Evidence]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// One fact, and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactRow {
    /// Of which authority.
    pub authority: String,
    /// What kind of fact.
    pub kind: FactKind,
    /// The fact.
    pub value: String,
    /// Where it was found.
    pub source: String,
    /// When it was entered.
    pub added_at: Timestamp,
    /// By whom.
    pub added_by: String,
}

/// An officer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfficerRow {
    /// The address they write from, in lower case.
    pub address: String,
    /// Their authority; absent for one who was suspended without ever being registered.
    pub authority: Option<String>,
    /// Name and rank.
    pub name: String,
    /// When they were added.
    pub added_at: Timestamp,
    /// By whom.
    pub added_by: String,
    /// Since when nothing of theirs is worked on.
    pub suspended_at: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
}

impl RequesterStore {
    /// The register in a migrated database.
    pub fn new(database: Database) -> Self {
        Self {
            pool: database.pool.clone(),
            database,
        }
    }

    /// Adds an authority.
    ///
    /// # Errors
    /// [`CaseStoreError::Exists`] when the id is taken.
    pub async fn add_authority(&self, row: &AuthorityRow) -> Result<(), CaseStoreError> {
        let done = sqlx::query(
            "INSERT INTO authorities (id, name, country, kind, added_at, added_by) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT DO NOTHING",
        )
        .bind(&row.id)
        .bind(&row.name)
        .bind(&row.country)
        .bind(&row.kind)
        .bind(row.added_at.as_microsecond())
        .bind(&row.added_by)
        .execute(&self.pool)
        .await?;
        taken(done.rows_affected(), &row.id)
    }

    /// Authorities by id, beginning after `after`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn authorities(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<AuthorityRow>, CaseStoreError> {
        let rows = sqlx::query("SELECT * FROM authorities WHERE id > $1 ORDER BY id LIMIT $2")
            .bind(after.unwrap_or_default())
            .bind(i64::from(limit.clamp(1, PAGE_MAX)))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(authority).collect()
    }

    /// One authority.
    ///
    /// # Errors
    /// When there is none of that id.
    pub async fn authority(&self, id: &str) -> Result<AuthorityRow, CaseStoreError> {
        let row = sqlx::query("SELECT * FROM authorities WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| CaseStoreError::NotFound {
                what: "authority",
                id: id.to_owned(),
            })?;
        authority(&row)
    }

    /// Adds a fact. One that is known stays as it was first entered: when and from where it came is what counts.
    ///
    /// # Errors
    /// When there is no such authority, or it has [`FACTS_MAX`] facts.
    pub async fn add_fact(&self, row: &FactRow) -> Result<(), CaseStoreError> {
        self.authority(&row.authority).await?;
        if self.facts(&row.authority).await?.len() >= usize::try_from(FACTS_MAX).unwrap_or(usize::MAX) {
            return Err(CaseStoreError::Exists(format!(
                "{FACTS_MAX} facts of {}",
                row.authority
            )));
        }
        sqlx::query(
            "INSERT INTO authority_facts (authority, kind, value, source, added_at, added_by) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        )
        .bind(&row.authority)
        .bind(row.kind.name())
        .bind(&row.value)
        .bind(&row.source)
        .bind(row.added_at.as_microsecond())
        .bind(&row.added_by)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// What is known of an authority.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn facts(&self, of: &str) -> Result<Vec<FactRow>, CaseStoreError> {
        let rows =
            sqlx::query("SELECT * FROM authority_facts WHERE authority = $1 ORDER BY kind, value LIMIT $2")
                .bind(of)
                .bind(i64::from(FACTS_MAX))
                .fetch_all(&self.pool)
                .await?;
        rows.iter().map(fact).collect()
    }

    /// Every mail domain of every authority.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn domains(&self) -> Result<Vec<FactRow>, CaseStoreError> {
        let rows = sqlx::query("SELECT * FROM authority_facts WHERE kind = 'domain' ORDER BY value LIMIT $1")
            .bind(i64::from(AUTHORITIES_MAX) * 4)
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(fact).collect()
    }

    /// Adds an officer.
    ///
    /// # Errors
    /// [`CaseStoreError::Exists`] when the address is taken.
    pub async fn add_officer(&self, row: &OfficerRow) -> Result<(), CaseStoreError> {
        let done = sqlx::query(
            "INSERT INTO officers (address, authority, name, added_at, added_by) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT DO NOTHING",
        )
        .bind(&row.address)
        .bind(&row.authority)
        .bind(&row.name)
        .bind(row.added_at.as_microsecond())
        .bind(&row.added_by)
        .execute(&self.pool)
        .await?;
        taken(done.rows_affected(), &row.address)
    }

    /// One officer, by address.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn officer(&self, address: &str) -> Result<Option<OfficerRow>, CaseStoreError> {
        let row = sqlx::query("SELECT * FROM officers WHERE address = $1")
            .bind(address)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(officer).transpose()
    }

    /// Officers by address, beginning after `after`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn officers(&self, after: Option<&str>, limit: u32) -> Result<Vec<OfficerRow>, CaseStoreError> {
        let rows = sqlx::query("SELECT * FROM officers WHERE address > $1 ORDER BY address LIMIT $2")
            .bind(after.unwrap_or_default())
            .bind(i64::from(limit.clamp(1, PAGE_MAX)))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(officer).collect()
    }

    /// Suspends an address, registered or not, or lifts it with `suspended_at` absent.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn suspend(&self, row: &OfficerRow) -> Result<(), CaseStoreError> {
        sqlx::query(
            "INSERT INTO officers (address, authority, name, added_at, added_by, suspended_at, reason) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (address) DO UPDATE SET suspended_at = excluded.suspended_at, reason = excluded.reason",
        )
        .bind(&row.address)
        .bind(&row.authority)
        .bind(&row.name)
        .bind(row.added_at.as_microsecond())
        .bind(&row.added_by)
        .bind(row.suspended_at.map(|at| at.as_microsecond()))
        .bind(&row.reason)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Notes that a case came from these addresses.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_case(&self, senders: &[String], case: CaseId) -> Result<(), CaseStoreError> {
        let mut tx = self.database.begin().await?;
        for sender in senders {
            note(&mut tx, sender, case).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Cases that came from an address, newest first; at most [`SENDER_CASES_MAX`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cases_of(&self, sender: &str) -> Result<Vec<CaseId>, CaseStoreError> {
        let rows =
            sqlx::query("SELECT case_id FROM sender_cases WHERE sender = $1 ORDER BY case_id DESC LIMIT $2")
                .bind(&name_of(sender).0[..])
                .bind(i64::from(SENDER_CASES_MAX))
                .fetch_all(&self.pool)
                .await?;
        rows.iter()
            .map(|row| {
                let bytes: Vec<u8> = row.try_get("case_id")?;
                uuid::Uuid::from_slice(&bytes)
                    .map(CaseId)
                    .map_err(|_| CaseStoreError::Corrupt("id"))
            })
            .collect()
    }
}

async fn note(tx: &mut AnyConnection, sender: &str, case: CaseId) -> Result<(), CaseStoreError> {
    sqlx::query("INSERT INTO sender_cases (sender, case_id) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(&name_of(sender).0[..])
        .bind(&case.0.as_bytes()[..])
        .execute(tx)
        .await?;
    Ok(())
}

fn name_of(sender: &str) -> Digest {
    Digest::of(&[b"amparo/sender/v1\n", sender.to_lowercase().as_bytes()])
}

fn taken(rows: u64, id: &str) -> Result<(), CaseStoreError> {
    if rows == 1 {
        Ok(())
    } else {
        Err(CaseStoreError::Exists(id.to_owned()))
    }
}

fn instant(row: &AnyRow, column: &'static str) -> Result<Timestamp, CaseStoreError> {
    Timestamp::from_microsecond(row.try_get(column)?).map_err(|_| CaseStoreError::Corrupt("time"))
}

fn authority(row: &AnyRow) -> Result<AuthorityRow, CaseStoreError> {
    Ok(AuthorityRow {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        country: row.try_get("country")?,
        kind: row.try_get("kind")?,
        added_at: instant(row, "added_at")?,
        added_by: row.try_get("added_by")?,
    })
}

fn fact(row: &AnyRow) -> Result<FactRow, CaseStoreError> {
    let kind: String = row.try_get("kind")?;
    Ok(FactRow {
        authority: row.try_get("authority")?,
        kind: FactKind::of(&kind).ok_or(CaseStoreError::Corrupt("kind of fact"))?,
        value: row.try_get("value")?,
        source: row.try_get("source")?,
        added_at: instant(row, "added_at")?,
        added_by: row.try_get("added_by")?,
    })
}

fn officer(row: &AnyRow) -> Result<OfficerRow, CaseStoreError> {
    let suspended: Option<i64> = row.try_get("suspended_at")?;
    Ok(OfficerRow {
        address: row.try_get("address")?,
        authority: row.try_get("authority")?,
        name: row.try_get("name")?,
        added_at: instant(row, "added_at")?,
        added_by: row.try_get("added_by")?,
        suspended_at: suspended
            .map(Timestamp::from_microsecond)
            .transpose()
            .map_err(|_| CaseStoreError::Corrupt("time"))?,
        reason: row.try_get("reason")?,
    })
}
