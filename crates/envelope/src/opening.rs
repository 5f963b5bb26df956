//! The doors to an object's key. There is one per reason, and no other.

use translog::{entry::Committed, included::Included};

use crate::{
    keys::{AccountKey, KeyError, Label, ObjectKey, TenantKey, WrappedAccount, WrappedChain},
    opening_reason::OwnerRequest,
};

/// Why a key did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOpened {
    /// The request is of another tenant than the key.
    #[error("the key belongs to another tenant than the request")]
    OtherTenant,
    /// The record does not name this key.
    #[error("the record does not name this key")]
    NotNamed,
    /// What was logged is no release record.
    #[error("what was logged is no release record")]
    NoRelease,
    /// What was logged is no transfer's record.
    #[error("what was logged is no transfer's record")]
    NoTransfer,
    /// The account's key opens and the object's does not: it was wrapped for another object, category or date.
    #[error("its category, its date or its key is not as it was when it was stored")]
    Altered,
    /// The wrapped key does not open.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// An account key opened for its owner, to make and open the keys of its objects. A gate may keep one for a short time.
pub struct OwnerAccount {
    chain: WrappedAccount,
    key: AccountKey,
}

impl OwnerAccount {
    /// Opens the account's key, under its tenant's, for a request of its own tenant.
    ///
    /// # Errors
    /// When the request is another tenant's, or the account's key does not open under this one.
    pub fn open(
        tenant: &TenantKey,
        request: &OwnerRequest,
        chain: &WrappedAccount,
    ) -> Result<Self, NotOpened> {
        own(request, chain)?;
        Ok(Self {
            key: AccountKey::unwrap(tenant, chain)?,
            chain: chain.clone(),
        })
    }

    /// The chain that it was opened from.
    pub fn chain(&self) -> &WrappedAccount {
        &self.chain
    }

    /// Wraps a new object's key, for what it is recorded as.
    ///
    /// # Errors
    /// When the request is another tenant's, or the cipher refuses.
    pub fn wrap(
        &self,
        request: &OwnerRequest,
        key: &ObjectKey,
        object: &[u8; 16],
        label: &Label,
        nonce: [u8; crate::keys::NONCE_BYTES],
    ) -> Result<crate::keys::Wrapped, NotOpened> {
        own(request, &self.chain)?;
        let place = self.chain.place();
        Ok(key.wrap(&self.key, place, &self.chain.account, object, label, nonce)?)
    }

    /// Opens an object's key for a request of its own tenant.
    ///
    /// # Errors
    /// When the request is another tenant's or the chain another account's; [`NotOpened::Altered`] when what is recorded of
    /// the object is not what its key was wrapped for.
    pub fn unwrap(&self, request: &OwnerRequest, chain: &WrappedChain) -> Result<ObjectKey, NotOpened> {
        own(request, &self.chain)?;
        if chain.account != self.chain {
            return Err(KeyError::Unwrap.into());
        }
        ObjectKey::unwrap(&self.key, chain).map_err(|_| NotOpened::Altered)
    }
}

/// What a release record says about keys.
pub trait NamesKeys {
    /// Whether it names the wrapped key of this digest ([`crate::keys::Wrapped::digest`]).
    fn names(&self, wrapped_key: &[u8; 32]) -> bool;
}

/// The `kind` of a release record's entry in the docket.
pub const RELEASE_KIND: &str = "release";

/// Opens an object's key for a release record that is in the docket, and that names this very key.
///
/// Only the gate calls it, after it decided that every promise was kept; holding an [`Included`] record is what it
/// cannot do without.
///
/// # Errors
/// When the record does not name the key, or the chain does not open under this key of its tenant; [`NotOpened::Altered`] when what is
/// recorded of the object is not what its key was wrapped for.
pub fn unwrap_for_release<R: Committed + NamesKeys>(
    tenant: &TenantKey,
    admitted: &Included<R>,
    chain: &WrappedChain,
) -> Result<ObjectKey, NotOpened> {
    if R::KIND != RELEASE_KIND {
        return Err(NotOpened::NoRelease);
    }
    if !admitted.value().names(&chain.object_key.digest()) {
        return Err(NotOpened::NotNamed);
    }
    let account = AccountKey::unwrap(tenant, &chain.account)?;
    ObjectKey::unwrap(&account, chain).map_err(|_| NotOpened::Altered)
}

fn own(request: &OwnerRequest, chain: &WrappedAccount) -> Result<(), NotOpened> {
    if request.tenant() == chain.tenant {
        Ok(())
    } else {
        Err(NotOpened::OtherTenant)
    }
}
