//! Rotation: a key moves from under one key to under another, and is never given to anybody.
//!
//! What is wrapped stays the same key in the same place; only what opens it changes. So bodies are never rewritten.

use crate::keys::{
    AccountKey, KeyError, Label, NONCE_BYTES, ObjectKey, Place, TenantKey, Wrapped, WrappedAccount,
};

/// Moves an account's key from under one key of its tenant to under another. Never use a nonce twice.
///
/// # Errors
/// When it does not open under `from` in this place.
pub fn account_key(
    from: &TenantKey,
    to: &TenantKey,
    place: Place<'_>,
    account: &str,
    wrapped: &Wrapped,
    nonce: [u8; NONCE_BYTES],
) -> Result<Wrapped, KeyError> {
    AccountKey::open(from, place, account, wrapped)?.wrap(to, place, account, nonce)
}

/// Two keys of one account: object keys move from under the first to under the second.
pub struct Accounts<'a> {
    from: AccountKey,
    to: AccountKey,
    place: Place<'a>,
    account: &'a str,
}

impl<'a> Accounts<'a> {
    /// Opens both. `below` are the keys of the tenant that wrap the first and the second; they may be one.
    ///
    /// # Errors
    /// When the two are not of one account, or one of them does not open.
    pub fn open(
        below: (&TenantKey, &TenantKey),
        from: &'a WrappedAccount,
        to: &WrappedAccount,
    ) -> Result<Self, KeyError> {
        let same = (&from.region, &from.tenant, &from.account) == (&to.region, &to.tenant, &to.account);
        if !same {
            return Err(KeyError::Unwrap);
        }
        Ok(Self {
            from: AccountKey::unwrap(below.0, from)?,
            to: AccountKey::unwrap(below.1, to)?,
            place: from.place(),
            account: &from.account,
        })
    }

    /// Moves one object's key. What the object is recorded as must be what its key was wrapped for. Never use a nonce
    /// twice.
    ///
    /// # Errors
    /// When it does not open: the object was altered, or its key is another account's.
    pub fn object_key(
        &self,
        object: &[u8; 16],
        label: &Label,
        wrapped: &Wrapped,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Wrapped, KeyError> {
        ObjectKey::open(&self.from, self.place, self.account, object, label, wrapped)?.wrap(
            &self.to,
            self.place,
            self.account,
            object,
            label,
            nonce,
        )
    }
}
