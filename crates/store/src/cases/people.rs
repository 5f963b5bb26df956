//! People who sign in, and the hashes of their tokens.
//!
//! Trust: whoever reads these tables learns who may do what; not a single token, for each is 32 random bytes of which
//! only the SHA-256 is here.

use casework::ids::{StaffId, TenantId};
use jiff::Timestamp;
use sqlx::{Row, any::AnyRow};

use super::{CaseStore, CaseStoreError, PAGE_MAX, digest, instant};

/// A person who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRow {
    /// Their id, as events name them.
    pub id: StaffId,
    /// Their role, as the permissions name it.
    pub role: String,
    /// The customer whose administrator they are.
    pub tenant: Option<TenantId>,
    /// When they were added.
    pub created_at: Timestamp,
    /// Since when they may no longer sign in.
    pub disabled_at: Option<Timestamp>,
}

/// One token's hash and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// SHA-256 of the secret half. Compare in constant time.
    pub hash: [u8; 32],
    /// Not after this.
    pub expires_at: Timestamp,
    /// Withdrawn.
    pub revoked_at: Option<Timestamp>,
    /// Whose.
    pub person: PersonRow,
}

impl CaseStore {
    /// Adds a person.
    ///
    /// # Errors
    /// [`CaseStoreError::Exists`] when the id is taken.
    pub async fn add_person(&self, person: &PersonRow) -> Result<(), CaseStoreError> {
        let done = sqlx::query(
            "INSERT INTO staff (id, role, tenant, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        )
        .bind(person.id.as_str())
        .bind(&person.role)
        .bind(person.tenant.as_ref().map(TenantId::as_str))
        .bind(person.created_at.as_microsecond())
        .execute(&self.pool)
        .await?;
        if done.rows_affected() == 1 {
            Ok(())
        } else {
            Err(CaseStoreError::Exists(person.id.to_string()))
        }
    }

    /// Everyone who may sign in or could before, at most [`PAGE_MAX`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn people(&self) -> Result<Vec<PersonRow>, CaseStoreError> {
        let rows = sqlx::query("SELECT * FROM staff ORDER BY id LIMIT $1")
            .bind(i64::from(PAGE_MAX))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(person_row).collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn person(&self, id: &StaffId) -> Result<Option<PersonRow>, CaseStoreError> {
        let row = sqlx::query("SELECT * FROM staff WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(person_row).transpose()
    }

    /// Takes a person's access away; their past events keep their name.
    ///
    /// # Errors
    /// [`CaseStoreError::NotFound`] when there is no such person.
    pub async fn disable_person(&self, id: &StaffId, at: Timestamp) -> Result<(), CaseStoreError> {
        let done = sqlx::query("UPDATE staff SET disabled_at = coalesce(disabled_at, $1) WHERE id = $2")
            .bind(at.as_microsecond())
            .bind(id.as_str())
            .execute(&self.pool)
            .await?;
        if done.rows_affected() == 1 {
            Ok(())
        } else {
            Err(missing("person", id.to_string()))
        }
    }

    /// Stores the hash of a token.
    ///
    /// # Errors
    /// When there is no such person or the database fails.
    pub async fn add_token(
        &self,
        id: [u8; 8],
        person: &StaffId,
        hash: [u8; 32],
        at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), CaseStoreError> {
        sqlx::query(
            "INSERT INTO tokens (id, staff, hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(id.as_slice())
        .bind(person.as_str())
        .bind(hash.as_slice())
        .bind(at.as_microsecond())
        .bind(expires_at.as_microsecond())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The token with this id, if there is one: whether it is good is for the caller to judge.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn token(&self, id: [u8; 8]) -> Result<Option<TokenRow>, CaseStoreError> {
        let row = sqlx::query(
            "SELECT t.hash, t.expires_at, t.revoked_at, s.* FROM tokens t JOIN staff s ON s.id = t.staff \
             WHERE t.id = $1",
        )
        .bind(id.as_slice())
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            Ok(TokenRow {
                hash: digest(&row, "hash")?.0,
                expires_at: instant(row.try_get("expires_at")?)?,
                revoked_at: row
                    .try_get::<Option<i64>, _>("revoked_at")?
                    .map(instant)
                    .transpose()?,
                person: person_row(&row)?,
            })
        })
        .transpose()
    }

    /// Withdraws a token.
    ///
    /// # Errors
    /// [`CaseStoreError::NotFound`] when there is none.
    pub async fn revoke_token(&self, id: [u8; 8], at: Timestamp) -> Result<(), CaseStoreError> {
        let done = sqlx::query("UPDATE tokens SET revoked_at = coalesce(revoked_at, $1) WHERE id = $2")
            .bind(at.as_microsecond())
            .bind(id.as_slice())
            .execute(&self.pool)
            .await?;
        if done.rows_affected() == 1 {
            Ok(())
        } else {
            Err(missing("token", hex::encode(id)))
        }
    }
}

pub(super) fn person_row(row: &AnyRow) -> Result<PersonRow, CaseStoreError> {
    let id: String = row.try_get("id")?;
    let tenant: Option<String> = row.try_get("tenant")?;
    Ok(PersonRow {
        id: StaffId::new(id).map_err(|_| CaseStoreError::Corrupt("staff id"))?,
        role: row.try_get("role")?,
        tenant: tenant
            .map(TenantId::new)
            .transpose()
            .map_err(|_| CaseStoreError::Corrupt("tenant id"))?,
        created_at: instant(row.try_get("created_at")?)?,
        disabled_at: row
            .try_get::<Option<i64>, _>("disabled_at")?
            .map(instant)
            .transpose()?,
    })
}

fn missing(what: &'static str, id: String) -> CaseStoreError {
    CaseStoreError::NotFound { what, id }
}
