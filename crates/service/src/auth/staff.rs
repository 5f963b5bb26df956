//! Signing in with a bearer token.
//!
//! A token is `amparo_<id>_<secret>`: 8 random bytes that find it and 32 that prove it, in hex. The store keeps the
//! SHA-256 of the secret; with 256 random bits there is nothing to guess, so no slow hash is needed.

use std::{fmt, str::FromStr, sync::Arc};

use casework::{
    event::Actor,
    ids::{StaffId, TenantId},
};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use store::cases::{CaseStore, CaseStoreError, PersonRow};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::Feeds;
use crate::app::clock::{Clock, Entropy, NoEntropy};

/// Longest life of a token.
pub const TOKEN_LIFE_MAX: SignedDuration = SignedDuration::from_hours(365 * 24);

/// Longest `Authorization` header read, in bytes.
const HEADER_BYTES_MAX: usize = 256;

/// What a person is there for. Their permissions follow from it: see `permissions.cedar`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Role {
    Intake,
    Reviewer,
    SeniorReviewer,
    Counsel,
    Auditor,
    Operator,
    TenantAdmin,
    Requester,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 8] = [
        Role::Intake,
        Role::Reviewer,
        Role::SeniorReviewer,
        Role::Counsel,
        Role::Auditor,
        Role::Operator,
        Role::TenantAdmin,
        Role::Requester,
    ];

    /// As the permissions and the database write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Intake => "intake",
            Role::Reviewer => "reviewer",
            Role::SeniorReviewer => "senior_reviewer",
            Role::Counsel => "counsel",
            Role::Auditor => "auditor",
            Role::Operator => "operator",
            Role::TenantAdmin => "tenant_admin",
            Role::Requester => "requester",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no role; use one of intake, reviewer, senior_reviewer, counsel, auditor, operator, tenant_admin, requester"
)]
pub struct NoSuchRole(String);

impl FromStr for Role {
    type Err = NoSuchRole;
    fn from_str(text: &str) -> Result<Self, NoSuchRole> {
        let found = Role::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| NoSuchRole(text.chars().take(32).collect()))
    }
}

/// A person whose token was just checked. Only [`Tokens::authenticate`] makes one.
///
/// ```compile_fail,E0451
/// # use service::auth::{Role, Staff};
/// # fn forge(id: casework::ids::StaffId) -> Staff {
/// Staff { id, role: Role::Reviewer, tenant: None }
/// # }
/// ```
#[derive(Debug)]
pub struct Staff {
    id: StaffId,
    role: Role,
    tenant: Option<TenantId>,
}

impl Staff {
    /// Somebody who has just proven to be this person, unless their access was taken away.
    pub(super) fn of(person: PersonRow) -> Result<Self, NotSignedIn> {
        let role = person.role.parse().map_err(|_| NotSignedIn::NoValidToken)?;
        if person.disabled_at.is_some() {
            return Err(NotSignedIn::NoValidToken);
        }
        Ok(Self {
            id: person.id,
            role,
            tenant: person.tenant,
        })
    }
    /// Their id.
    pub fn id(&self) -> &StaffId {
        &self.id
    }
    /// Their role.
    pub fn role(&self) -> Role {
        self.role
    }
    /// For a customer's administrator, the customer.
    pub fn tenant(&self) -> Option<&TenantId> {
        self.tenant.as_ref()
    }
    /// As events name them.
    pub fn actor(&self) -> Actor {
        match (self.role, &self.tenant) {
            (Role::Counsel, _) => Actor::Counsel(self.id.clone()),
            (Role::Requester, _) => Actor::Requester,
            (Role::TenantAdmin, Some(tenant)) => Actor::Tenant(tenant.clone()),
            _ => Actor::Staff(self.id.clone()),
        }
    }
}

/// Why a caller is not signed in. Says nothing about which part was wrong.
#[derive(Debug, thiserror::Error)]
pub enum NotSignedIn {
    /// No token, or one that is malformed, unknown, withdrawn, expired, or a disabled person's.
    #[error("the request carries no valid token")]
    NoValidToken,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] CaseStoreError),
}

/// What finds a token. It proves nothing, so it may be shown and logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenId([u8; 8]);

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Text that is no token's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token's id is 16 hexadecimal digits; `amparo staff token` printed it")]
pub struct NoTokenId;

impl FromStr for TokenId {
    type Err = NoTokenId;
    fn from_str(text: &str) -> Result<Self, NoTokenId> {
        let mut id = [0; 8];
        hex::decode_to_slice(text, &mut id).map_err(|_| NoTokenId)?;
        Ok(Self(id))
    }
}

/// A token as its person receives it, once. Wiped when dropped; it has no `Debug` or `Display`.
pub struct IssuedToken {
    id: TokenId,
    text: Zeroizing<String>,
}

impl IssuedToken {
    /// What finds it, to withdraw it by.
    pub fn id(&self) -> TokenId {
        self.id
    }
    /// The token, to be handed over and not kept.
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

/// Why no token was issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// Nobody to issue it to.
    #[error("nobody is enrolled as `{0}`, or they no longer have access; `amparo staff add` enrols")]
    NotEnrolled(StaffId),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] CaseStoreError),
    /// There is no randomness.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
}

/// Issues tokens and checks them.
#[derive(Clone)]
pub struct Tokens {
    store: CaseStore,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Tokens {
    /// Over the people and tokens in `store`.
    pub fn new(store: CaseStore, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            store,
            clock,
            entropy,
        }
    }

    /// Adds a person. A tenant administrator names a tenant, and nobody else does.
    ///
    /// # Errors
    /// [`CaseStoreError::Exists`] when the id is taken.
    pub async fn enrol(
        &self,
        id: StaffId,
        role: Role,
        tenant: Option<TenantId>,
    ) -> Result<(), CaseStoreError> {
        let person = PersonRow {
            id,
            role: role.as_str().to_owned(),
            tenant: tenant.filter(|_| role == Role::TenantAdmin),
            created_at: self.clock.now(),
            disabled_at: None,
        };
        self.store.add_person(&person).await
    }

    /// Issues a token that lives for `life`, at most [`TOKEN_LIFE_MAX`].
    ///
    /// # Errors
    /// When nobody of that id is enrolled or they were disabled, there is no randomness, or the database fails.
    pub async fn issue(&self, person: &StaffId, life: SignedDuration) -> Result<IssuedToken, IssueError> {
        let enrolled = self.store.person(person).await?;
        if enrolled.is_none_or(|found| found.disabled_at.is_some()) {
            return Err(IssueError::NotEnrolled(person.clone()));
        }
        let mut id = [0; 8];
        let mut secret = Zeroizing::new([0; 32]);
        self.entropy.fill(&mut id)?;
        self.entropy.fill(secret.as_mut_slice())?;
        let now = self.clock.now();
        let expires = now
            .checked_add(life.min(TOKEN_LIFE_MAX))
            .unwrap_or(Timestamp::MAX);
        self.store
            .add_token(id, person, hash(&secret), now, expires)
            .await?;
        let secret = Zeroizing::new(hex::encode(secret.as_slice()));
        Ok(IssuedToken {
            id: TokenId(id),
            text: Zeroizing::new(format!("amparo_{}_{}", hex::encode(id), secret.as_str())),
        })
    }

    /// Everybody who is or was enrolled, by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn people(&self) -> Result<Vec<PersonRow>, CaseStoreError> {
        self.store.people().await
    }

    /// Takes a person's access away, with every token of theirs.
    ///
    /// # Errors
    /// [`CaseStoreError::NotFound`] when nobody of that id is enrolled.
    pub async fn disable(&self, person: &StaffId) -> Result<(), CaseStoreError> {
        self.store.disable_person(person, self.clock.now()).await
    }

    /// Withdraws one token.
    ///
    /// # Errors
    /// [`CaseStoreError::NotFound`] when there is none.
    pub async fn revoke(&self, token: TokenId) -> Result<(), CaseStoreError> {
        self.store.revoke_token(token.0, self.clock.now()).await
    }

    /// Checks the value of an `Authorization` header.
    ///
    /// # Errors
    /// [`NotSignedIn::NoValidToken`] for whatever is wrong with it.
    pub async fn authenticate(&self, header: Option<&str>) -> Result<Staff, NotSignedIn> {
        let (id, secret) = header.and_then(read).ok_or(NotSignedIn::NoValidToken)?;
        let found = self.store.token(id).await?;
        // An unknown id costs the same comparison as a known one.
        let expected = found.as_ref().map_or([0; 32], |token| token.hash);
        let proven = bool::from(hash(&secret).ct_eq(&expected));
        let token = found.filter(|_| proven).ok_or(NotSignedIn::NoValidToken)?;
        let good = token.revoked_at.is_none() && self.clock.now() < token.expires_at;
        if !good {
            return Err(NotSignedIn::NoValidToken);
        }
        Staff::of(token.person)
    }

    /// The addresses of calendar feeds, over the same people.
    pub fn feeds(&self) -> Feeds {
        Feeds::new(
            self.store.clone(),
            Arc::clone(&self.clock),
            Arc::clone(&self.entropy),
        )
    }
}

pub(super) fn hash(secret: &[u8; 32]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

fn read(header: &str) -> Option<([u8; 8], Zeroizing<[u8; 32]>)> {
    if header.len() > HEADER_BYTES_MAX {
        return None;
    }
    let token = header.strip_prefix("Bearer ")?.trim().strip_prefix("amparo_")?;
    let (id_text, secret_text) = token.split_once('_')?;
    let (mut id, mut secret) = ([0; 8], Zeroizing::new([0; 32]));
    hex::decode_to_slice(id_text, &mut id).ok()?;
    hex::decode_to_slice(secret_text, secret.as_mut_slice()).ok()?;
    Some((id, secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_headers_are_not_read() {
        let good = format!("Bearer amparo_{}_{}", "ab".repeat(8), "cd".repeat(32));
        assert!(read(&good).is_some());
        for bad in [
            String::new(),
            good.replace("Bearer ", "Basic "),
            good.replace("amparo_", ""),
            good[..good.len() - 1].to_owned(),
            format!("{good}00"),
            good.replace("cd", "zz"),
            format!("Bearer {}", "a".repeat(10_000)),
        ] {
            assert!(read(&bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn roles_read_as_they_are_written() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert!("admin".parse::<Role>().is_err());
    }
}
