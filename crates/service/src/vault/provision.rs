//! What an operator sets up: regions, tenants, access keys, accounts; and takes away: accounts.

use std::sync::Arc;

use casework::{
    demand::CountryCode,
    facts::{AccountFacts, TenantKind},
    ids::{AccountId, RegionId, TenantId},
};
use jiff::Timestamp;
use store::{
    docket::EntryId,
    vault::{AccountDetails, AddressUse, Destroyed, NewAccess, Statement, StoreError, TenantRow},
};
use zeroize::Zeroizing;

use super::{Vault, VaultError, random};

/// Characters of an access key's secret, each of six random bits.
const SECRET_CHARS: usize = 40;

/// Why something could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The store or the gate refused.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// It exists already, and differs.
    #[error("`{what}` exists already, and differs")]
    Exists {
        /// Its id.
        what: String,
    },
    /// No such account.
    #[error("no such account")]
    NoSuchAccount,
    /// No such access key.
    #[error("no such access key; check the id, for a key that is not disabled goes on working")]
    NoSuchAccessKey,
    /// No such region.
    #[error("no such region; create it first")]
    NoSuchRegion,
    /// The access key's secret does not open under this deployment's key.
    #[error(transparent)]
    Secret(#[from] envelope::secrets::SecretError),
}

impl From<StoreError> for ProvisionError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Exists { what } => Self::Exists { what },
            StoreError::NoSuchAccount => Self::NoSuchAccount,
            StoreError::NoSuchAccessKey => Self::NoSuchAccessKey,
            StoreError::NoSuchRegion => Self::NoSuchRegion,
            other => Self::Vault(other.into()),
        }
    }
}

/// A new access key. Its secret is shown once: it is kept sealed.
pub struct NewAccessKey {
    /// Its id, `AK` and 18 characters.
    pub id: String,
    /// Its secret.
    pub secret: Zeroizing<String>,
}

/// An access key as S3's signature check needs it.
pub struct Credential {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: Zeroizing<String>,
    /// Whether it may pass over a retention in governance mode.
    pub bypass_governance: bool,
}

type Result<T> = std::result::Result<T, ProvisionError>;

impl Vault {
    /// Records a region and whose law governs it. Said again alike, it changes nothing.
    ///
    /// # Errors
    /// When it is recorded with another country.
    pub async fn create_region(&self, id: &RegionId, country: &CountryCode) -> Result<()> {
        Ok(self
            .inner
            .store
            .create_region(id.clone(), country.clone())
            .await?)
    }

    /// The regions and their countries, by id.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn regions(&self) -> Result<Vec<(RegionId, CountryCode)>> {
        Ok(self.inner.store.regions().await?)
    }

    /// Records a tenant. Said again alike, it changes nothing.
    ///
    /// # Errors
    /// When it is recorded with another kind or country.
    pub async fn create_tenant(&self, id: &TenantId, kind: TenantKind, country: &CountryCode) -> Result<()> {
        let tenant = TenantRow {
            id: id.clone(),
            kind,
            country: country.clone(),
        };
        Ok(self.inner.store.create_tenant(tenant, Timestamp::now()).await?)
    }

    /// The tenants whose ids come after `after`, by id, at most `limit`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn tenants(&self, after: Option<&TenantId>, limit: u32) -> Result<Vec<TenantRow>> {
        Ok(self.inner.store.tenants(after, limit).await?)
    }

    /// A tenant, if there is one of this id.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn tenant(&self, id: &TenantId) -> Result<Option<TenantRow>> {
        Ok(self.inner.store.tenant(id).await?)
    }

    /// Makes an access key for a tenant.
    ///
    /// # Errors
    /// When there is no such tenant.
    pub async fn create_access_key(&self, tenant: &TenantId) -> Result<NewAccessKey> {
        let id = format!(
            "AK{}",
            letters::<18>(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")?.as_str()
        );
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let secret = letters::<SECRET_CHARS>(alphabet)?;
        self.add_access_key(tenant, &id, &secret).await?;
        Ok(NewAccessKey { id, secret })
    }

    /// Records an access key whose id and secret are given, such as one that clients already hold.
    ///
    /// # Errors
    /// When there is no such tenant, or the id is taken.
    pub async fn add_access_key(&self, tenant: &TenantId, id: &str, secret: &str) -> Result<()> {
        let sealed_secret = self
            .inner
            .deployment
            .seal(tenant.as_str(), id, secret.as_bytes(), random()?)?;
        let key = NewAccess {
            id: id.to_owned(),
            tenant: tenant.clone(),
            sealed_secret,
            bypass_governance: false,
            created_at: Timestamp::now(),
        };
        Ok(self.inner.store.create_access_key(key).await?)
    }

    /// Lets whoever signs with an access key pass over a retention in governance mode, or no longer. No key may unless
    /// it is said here.
    ///
    /// # Errors
    /// When there is no such key.
    pub async fn permit_bypass(&self, id: &str, may: bool) -> Result<()> {
        self.inner.store.set_bypass_governance(id, may).await?;
        self.inner.credentials.forget(id);
        Ok(())
    }

    /// Disables an access key for good.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn disable_access_key(&self, id: &str) -> Result<()> {
        self.inner.store.disable_access_key(id, Timestamp::now()).await?;
        self.inner.credentials.forget(id);
        Ok(())
    }

    /// The access key of this id; `None` where there is none or it was disabled, [`CREDENTIAL_TTL`](super::CREDENTIAL_TTL) ago
    /// at the latest where another process did it.
    ///
    /// # Errors
    /// When the store fails, or holds a secret that was altered.
    pub async fn credential(&self, id: &str) -> super::Result<Option<Arc<Credential>>> {
        if let Some(known) = self.inner.credentials.find(id) {
            return Ok(Some(known));
        }
        let reading = self.inner.credentials.reading();
        let Some(row) = self.inner.store.access_key(id).await? else {
            return Ok(None);
        };
        let secret = self
            .inner
            .deployment
            .open(row.tenant.as_str(), id, &row.sealed_secret)
            .map_err(super::error::store_failed)?;
        let secret = std::str::from_utf8(&secret).map_err(super::error::store_failed)?;
        let credential = Arc::new(Credential {
            tenant: row.tenant,
            id: id.to_owned(),
            secret: Zeroizing::new(secret.to_owned()),
            bypass_governance: row.bypass_governance,
        });
        self.inner.credentials.keep(&credential, reading);
        Ok(Some(credential))
    }

    /// Records an account before anything is stored under it, and what is known of the person. With a region, it gets
    /// its key there, so that [`Vault::find_accounts`] finds it.
    ///
    /// # Errors
    /// When tenant or region are missing, or the account was destroyed.
    pub async fn create_account(
        &self,
        tenant: &TenantId,
        account: &AccountId,
        region: Option<&RegionId>,
        details: Option<AccountDetails>,
    ) -> Result<()> {
        let key = match region {
            Some(region) => {
                let (above, version) = self.tenant_key(tenant, region).await?;
                let key = self
                    .inner
                    .gate
                    .new_account_key(region, tenant, account, &above)
                    .await;
                Some((region.clone(), version, key.map_err(VaultError::Gate)?))
            }
            None => None,
        };
        let store = &self.inner.store;
        store
            .add_account_key(tenant.clone(), account.clone(), key, Timestamp::now())
            .await?;
        if let Some(details) = details {
            store.describe_account(tenant, account, details).await?;
        }
        Ok(())
    }

    /// States what is known of the person behind an account.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn describe_account(
        &self,
        tenant: &TenantId,
        account: &AccountId,
        details: AccountDetails,
    ) -> Result<()> {
        Ok(self
            .inner
            .store
            .describe_account(tenant, account, details)
            .await?)
    }

    /// Records another identifier by which a demand may name the account, such as a telephone number.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn add_alias(&self, tenant: &TenantId, account: &AccountId, alias: &str) -> Result<()> {
        Ok(self.inner.store.add_alias(tenant, account, alias).await?)
    }

    /// The accounts of every tenant that `identifier` names exactly, by id or alias: one entry for each region in which
    /// the account has a key, at most `limit`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn find_accounts(&self, identifier: &str, limit: u32) -> Result<Vec<AccountFacts>> {
        Ok(self.inner.store.find_accounts(identifier, limit).await?)
    }

    /// Records that an account used an internet address for a time, so that a demand that names the address at a moment leads
    /// to it.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn add_address_use(
        &self,
        tenant: &TenantId,
        account: &AccountId,
        used: AddressUse,
    ) -> Result<()> {
        Ok(self.inner.store.add_address_use(tenant, account, used).await?)
    }

    /// Destroys an account's keys. All its objects are unreadable from then on, for everybody and for good; later writes
    /// to it are refused. Another process on the same database forgets an open key within
    /// [`ACCOUNT_KEY_TTL`](crate::gate::owner::ACCOUNT_KEY_TTL). Backups that hold the wrapped key are not reached.
    ///
    /// # Errors
    /// When there is no such account, one of its versions is under retention or legal hold, or the store fails.
    pub async fn destroy_account(&self, tenant: &TenantId, account: &AccountId) -> Result<()> {
        self.inner
            .store
            .destroy_account(tenant, account, Timestamp::now())
            .await?;
        self.inner.gate.forget_account(tenant, account);
        Ok(())
    }

    /// Destroys an account's keys, or those of a tenant and all its accounts, and has that logged in the docket by
    /// `statement`, both or neither. A tenant's access keys are disabled.
    ///
    /// # Errors
    /// When there is no such account or tenant, or the store fails.
    pub async fn destroy_logged(
        &self,
        tenant: &TenantId,
        account: Option<&AccountId>,
        statement: Statement,
    ) -> Result<(Destroyed, Option<EntryId>)> {
        let now = Timestamp::now();
        let (destroyed, entry) = self
            .inner
            .store
            .destroy_logged(tenant.clone(), account.cloned(), now, statement)
            .await?;
        for account in &destroyed.accounts {
            self.inner.gate.forget_account(tenant, account);
        }
        Ok((destroyed, entry))
    }
}

/// Random characters of an alphabet whose length is a power of two up to 64.
fn letters<const N: usize>(alphabet: &[u8]) -> super::Result<Zeroizing<String>> {
    let bytes = Zeroizing::new(random::<N>()?);
    let letter = |byte: &u8| alphabet.get(usize::from(*byte) % alphabet.len().max(1)).copied();
    Ok(Zeroizing::new(
        bytes.iter().filter_map(letter).map(char::from).collect(),
    ))
}
