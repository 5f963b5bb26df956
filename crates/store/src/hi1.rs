//! What authorities' systems sent over HI-1: messages as they came, and objects as they stand.
//!
//! Trust: whoever controls this database alone sees which authority sent how many objects of which kind and when, and which
//! cases they opened; not what they say. It can lose an object; it cannot alter one unseen, nor give one authority's to
//! another: each is sealed for its place.

mod pushes;

use std::sync::Arc;

use casework::ids::{CaseId, Digest};
use envelope::case_file::{CaseKey, CaseRoot, Part};
use jiff::Timestamp;
use sqlx::{Row, any::AnyRow};
use uuid::Uuid;

use crate::{
    cases::{CaseStoreError, Nonce},
    database::Database,
};

pub use self::pushes::{Made, Push, PushState};

/// Most objects that one list reads.
pub const LIST_MAX: u32 = 200;

/// Messages and objects in the deployment's database. Cheap to clone.
#[derive(Clone)]
pub struct Hi1Store {
    database: Database,
    root: Arc<CaseRoot>,
}

/// What became of a message to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// It is new.
    New,
    /// The same bytes came before; with the answer that was given, unless none was.
    Again(Option<Vec<u8>>),
}

/// An object as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// Its id, the authority's.
    pub id: Uuid,
    /// Which kind.
    pub kind: String,
    /// How often it was changed, from 1 on.
    pub generation: u64,
    /// When it was last changed.
    pub changed_at: Timestamp,
    /// The case that it opened or belongs to.
    pub case: Option<CaseId>,
    /// As it stands.
    pub bytes: Vec<u8>,
}

/// An object as a list has it: without its contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// Its id, the authority's.
    pub id: Uuid,
    /// Which kind.
    pub kind: String,
    /// How often it was changed, from 1 on.
    pub generation: u64,
    /// When it was last changed.
    pub changed_at: Timestamp,
    /// The case that it opened or belongs to.
    pub case: Option<CaseId>,
    /// What was kept for lists; none of an object from before that was.
    pub brief: Option<Vec<u8>>,
}

/// An object to be kept.
#[derive(Debug, Clone, Copy)]
pub struct NewObject<'a> {
    /// Whose: the peer's name.
    pub peer: &'a str,
    /// Its id.
    pub id: Uuid,
    /// Which kind.
    pub kind: &'a str,
    /// Now.
    pub at: Timestamp,
    /// The case that it belongs to.
    pub case: Option<CaseId>,
    /// As it stands.
    pub bytes: &'a [u8],
    /// What a list says of it.
    pub brief: &'a [u8],
}

/// Which objects to list. What is absent excludes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Listing<'a> {
    /// Of this kind.
    pub kind: Option<&'a str>,
    /// With an id beyond this one.
    pub after: Option<Uuid>,
}

impl Hi1Store {
    /// In a migrated database; content opens under `root`.
    pub fn new(database: Database, root: Arc<CaseRoot>) -> Self {
        Self { database, root }
    }

    /// Keeps a message's bytes, before anything is done about it. `key` and the nonces are fresh.
    ///
    /// # Errors
    /// When sealing or the database fails.
    pub async fn keep(
        &self,
        peer: &str,
        bytes: &[u8],
        at: Timestamp,
        key: &CaseKey,
        nonces: (Nonce, Nonce),
    ) -> Result<Kept, CaseStoreError> {
        let name = self.root.demand_name(bytes);
        let place = place(peer, &name);
        let done = sqlx::query(
            "INSERT INTO hi1_messages (name, peer, received_at, wrapped_key, message) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT DO NOTHING",
        )
        .bind(name.as_slice())
        .bind(peer)
        .bind(at.as_microsecond())
        .bind(self.root.wrap(&place, key, nonces.0)?)
        .bind(key.seal(&place, Part::Demand, nonces.1, bytes)?)
        .execute(&self.database.pool)
        .await?;
        if done.rows_affected() == 1 {
            return Ok(Kept::New);
        }
        let row = sqlx::query("SELECT wrapped_key, answer FROM hi1_messages WHERE name = $1 AND peer = $2")
            .bind(name.as_slice())
            .bind(peer)
            .fetch_one(&self.database.pool)
            .await?;
        let Some(sealed) = row.try_get::<Option<Vec<u8>>, _>("answer")? else {
            return Ok(Kept::Again(None));
        };
        let key = self
            .root
            .unwrap(&place, &row.try_get::<Vec<u8>, _>("wrapped_key")?)?;
        let answer = key.open(&place, Part::Letter(name), &sealed)?;
        Ok(Kept::Again(Some(answer.to_vec())))
    }

    /// Keeps the answer to a message, so that the same bytes get the same answer, and the case with which it is erased.
    ///
    /// # Errors
    /// When sealing or the database fails.
    pub async fn answered(
        &self,
        peer: &str,
        bytes: &[u8],
        answer: &[u8],
        case: Option<CaseId>,
        nonce: Nonce,
    ) -> Result<(), CaseStoreError> {
        let name = self.root.demand_name(bytes);
        let place = place(peer, &name);
        let row = sqlx::query("SELECT wrapped_key FROM hi1_messages WHERE name = $1 AND peer = $2")
            .bind(name.as_slice())
            .bind(peer)
            .fetch_one(&self.database.pool)
            .await?;
        let key = self
            .root
            .unwrap(&place, &row.try_get::<Vec<u8>, _>("wrapped_key")?)?;
        sqlx::query("UPDATE hi1_messages SET answer = $1, case_id = $4 WHERE name = $2 AND peer = $3")
            .bind(key.seal(&place, Part::Letter(name), nonce, answer)?)
            .bind(name.as_slice())
            .bind(peer)
            .bind(case.map(|case| case.0.as_bytes().to_vec()))
            .execute(&self.database.pool)
            .await?;
        Ok(())
    }

    /// Lets a message go of which nothing was done.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget(&self, peer: &str, bytes: &[u8]) -> Result<(), CaseStoreError> {
        sqlx::query("DELETE FROM hi1_messages WHERE name = $1 AND peer = $2 AND answer IS NULL")
            .bind(self.root.demand_name(bytes).as_slice())
            .bind(peer)
            .execute(&self.database.pool)
            .await?;
        Ok(())
    }

    /// An object of this peer's. Another's is not to be had by its id.
    ///
    /// # Errors
    /// When it does not open, or the database fails.
    pub async fn object(&self, peer: &str, id: Uuid) -> Result<Option<StoredObject>, CaseStoreError> {
        let row = sqlx::query("SELECT * FROM hi1_objects WHERE peer = $1 AND object = $2")
            .bind(peer)
            .bind(id.as_bytes().as_slice())
            .fetch_optional(&self.database.pool)
            .await?;
        row.map(|row| self.opened(peer, &row)).transpose()
    }

    /// Which kind an object of this peer's is, and how many bytes it has, before it is opened.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn weigh(&self, peer: &str, id: Uuid) -> Result<Option<(String, u64)>, CaseStoreError> {
        let row = sqlx::query(
            "SELECT kind, CAST(length(sealed) AS BIGINT) FROM hi1_objects WHERE peer = $1 AND object = $2",
        )
        .bind(peer)
        .bind(id.as_bytes().as_slice())
        .fetch_optional(&self.database.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let length =
            u64::try_from(row.try_get::<i64, _>(1)?).map_err(|_| CaseStoreError::Corrupt("length"))?;
        Ok(Some((row.try_get(0)?, length)))
    }

    /// By what a message is kept.
    pub fn name(&self, bytes: &[u8]) -> [u8; 32] {
        self.root.demand_name(bytes)
    }

    /// Notes that a message brought or changed an object.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn brought(&self, peer: &str, object: Uuid, name: &[u8; 32]) -> Result<(), CaseStoreError> {
        sqlx::query(
            "INSERT INTO hi1_brought (peer, object, name) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(peer)
        .bind(object.as_bytes().as_slice())
        .bind(name.as_slice())
        .execute(&self.database.pool)
        .await?;
        Ok(())
    }

    /// Adds an object; `false` where the peer has one of that id. `key` and the nonces are fresh.
    ///
    /// # Errors
    /// When sealing or the database fails.
    pub async fn add(
        &self,
        new: NewObject<'_>,
        key: &CaseKey,
        nonces: (Nonce, Nonce, Nonce),
    ) -> Result<bool, CaseStoreError> {
        let place = place(new.peer, new.id.as_bytes());
        let done = sqlx::query(
            "INSERT INTO hi1_objects (peer, object, kind, generation, changed_at, case_id, wrapped_key, sealed, brief) \
             VALUES ($1, $2, $3, 1, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        )
        .bind(new.peer)
        .bind(new.id.as_bytes().as_slice())
        .bind(new.kind)
        .bind(new.at.as_microsecond())
        .bind(new.case.map(|case| case.0.as_bytes().to_vec()))
        .bind(self.root.wrap(&place, key, nonces.0)?)
        .bind(key.seal(&place, Part::Body(1), nonces.1, new.bytes)?)
        .bind(key.seal(&place, Part::Brief(1), nonces.2, new.brief)?)
        .execute(&self.database.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Puts what an object now says in the place of what it said, where nobody did since `seen` was read.
    ///
    /// # Errors
    /// When sealing or the database fails.
    pub async fn replace(
        &self,
        peer: &str,
        seen: &StoredObject,
        (bytes, brief): (&[u8], &[u8]),
        at: Timestamp,
        nonces: (Nonce, Nonce),
    ) -> Result<bool, CaseStoreError> {
        let place = place(peer, seen.id.as_bytes());
        let row = sqlx::query("SELECT wrapped_key FROM hi1_objects WHERE peer = $1 AND object = $2")
            .bind(peer)
            .bind(seen.id.as_bytes().as_slice())
            .fetch_one(&self.database.pool)
            .await?;
        let key = self
            .root
            .unwrap(&place, &row.try_get::<Vec<u8>, _>("wrapped_key")?)?;
        let next = seen.generation.saturating_add(1);
        let done = sqlx::query(
            "UPDATE hi1_objects SET generation = generation + 1, changed_at = $1, sealed = $2, brief = $6 \
             WHERE peer = $3 AND object = $4 AND generation = $5",
        )
        .bind(at.as_microsecond())
        .bind(key.seal(&place, Part::Body(next), nonces.0, bytes)?)
        .bind(peer)
        .bind(seen.id.as_bytes().as_slice())
        .bind(i64::try_from(seen.generation).unwrap_or(i64::MAX))
        .bind(key.seal(&place, Part::Brief(next), nonces.1, brief)?)
        .execute(&self.database.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Notes the case that an object belongs to; its first stays.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn belongs(&self, peer: &str, id: Uuid, case: CaseId) -> Result<(), CaseStoreError> {
        sqlx::query(
            "UPDATE hi1_objects SET case_id = $1 WHERE peer = $2 AND object = $3 AND case_id IS NULL",
        )
        .bind(case.0.as_bytes().as_slice())
        .bind(peer)
        .bind(id.as_bytes().as_slice())
        .execute(&self.database.pool)
        .await?;
        Ok(())
    }

    /// Notes that an object belongs to a task.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn link(&self, peer: &str, object: Uuid, task: Uuid) -> Result<(), CaseStoreError> {
        sqlx::query("INSERT INTO hi1_links (peer, object, task) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(peer)
            .bind(object.as_bytes().as_slice())
            .bind(task.as_bytes().as_slice())
            .execute(&self.database.pool)
            .await?;
        Ok(())
    }

    /// The tasks that an object belongs to.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tasks_of(&self, peer: &str, object: Uuid) -> Result<Vec<Uuid>, CaseStoreError> {
        self.linked(
            "SELECT task AS id FROM hi1_links WHERE peer = $1 AND object = $2",
            peer,
            object,
        )
        .await
    }

    /// The objects that belong to a task.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of_task(&self, peer: &str, task: Uuid) -> Result<Vec<Uuid>, CaseStoreError> {
        self.linked(
            "SELECT object AS id FROM hi1_links WHERE peer = $1 AND task = $2",
            peer,
            task,
        )
        .await
    }

    async fn linked(&self, query: &'static str, peer: &str, id: Uuid) -> Result<Vec<Uuid>, CaseStoreError> {
        let rows = sqlx::query(query)
            .bind(peer)
            .bind(id.as_bytes().as_slice())
            .fetch_all(&self.database.pool)
            .await?;
        rows.iter().map(|row| uuid(row.try_get("id")?)).collect()
    }

    /// A page of this peer's objects by id, without their contents; at most [`LIST_MAX`].
    ///
    /// # Errors
    /// When a brief does not open, or the database fails.
    pub async fn page(&self, peer: &str, which: Listing<'_>) -> Result<Vec<ListedObject>, CaseStoreError> {
        let rows = sqlx::query(
            "SELECT object, kind, generation, changed_at, case_id, wrapped_key, brief FROM hi1_objects \
             WHERE peer = $1 AND ($2 IS NULL OR kind = $2) AND ($3 IS NULL OR object > $3) ORDER BY object LIMIT $4",
        )
        .bind(peer)
        .bind(which.kind)
        .bind(which.after.map(|id| id.as_bytes().to_vec()))
        .bind(i64::from(LIST_MAX))
        .fetch_all(&self.database.pool)
        .await?;
        rows.iter().map(|row| self.listed(peer, row)).collect()
    }

    fn listed(&self, peer: &str, row: &AnyRow) -> Result<ListedObject, CaseStoreError> {
        let Standing {
            id,
            kind,
            generation,
            changed_at,
            case,
        } = Standing::read(row)?;
        let sealed: Option<Vec<u8>> = row.try_get("brief")?;
        let brief = match sealed {
            None => None,
            Some(sealed) => {
                let place = place(peer, id.as_bytes());
                let key = self
                    .root
                    .unwrap(&place, &row.try_get::<Vec<u8>, _>("wrapped_key")?)?;
                Some(key.open(&place, Part::Brief(generation), &sealed)?.to_vec())
            }
        };
        Ok(ListedObject {
            id,
            kind,
            generation,
            changed_at,
            case,
            brief,
        })
    }

    fn opened(&self, peer: &str, row: &AnyRow) -> Result<StoredObject, CaseStoreError> {
        let Standing {
            id,
            kind,
            generation,
            changed_at,
            case,
        } = Standing::read(row)?;
        let place = place(peer, id.as_bytes());
        let key = self
            .root
            .unwrap(&place, &row.try_get::<Vec<u8>, _>("wrapped_key")?)?;
        let sealed: Vec<u8> = row.try_get("sealed")?;
        Ok(StoredObject {
            id,
            kind,
            generation,
            changed_at,
            case,
            bytes: key.open(&place, Part::Body(generation), &sealed)?.to_vec(),
        })
    }
}

/// What stands of an object in the clear.
struct Standing {
    id: Uuid,
    kind: String,
    generation: u64,
    changed_at: Timestamp,
    case: Option<CaseId>,
}

impl Standing {
    fn read(row: &AnyRow) -> Result<Self, CaseStoreError> {
        let generation = u64::try_from(row.try_get::<i64, _>("generation")?)
            .map_err(|_| CaseStoreError::Corrupt("generation"))?;
        let case: Option<Vec<u8>> = row.try_get("case_id")?;
        Ok(Self {
            id: uuid(row.try_get("object")?)?,
            kind: row.try_get("kind")?,
            generation,
            changed_at: Timestamp::from_microsecond(row.try_get("changed_at")?)
                .map_err(|_| CaseStoreError::Corrupt("time"))?,
            case: case.map(uuid).transpose()?.map(CaseId),
        })
    }
}

fn uuid(bytes: Vec<u8>) -> Result<Uuid, CaseStoreError> {
    Uuid::from_slice(&bytes).map_err(|_| CaseStoreError::Corrupt("id"))
}

/// What is sealed is bound to its peer and name: two peers may use one id.
fn place(peer: &str, name: &[u8]) -> [u8; 16] {
    let digest = Digest::of(&[b"amparo/hi1/v1\n", peer.as_bytes(), b"\n", name]);
    let mut place = [0; 16];
    for (to, from) in place.iter_mut().zip(digest.0) {
        *to = from;
    }
    place
}
