//! The third door: a key moves from under an account's key in one region to under its key in another, for a transfer that
//! the docket has, and is given to nobody.

use translog::{entry::Committed, included::Included};

use crate::{
    keys::{AccountKey, Label, NONCE_BYTES, ObjectKey, TenantKey, Wrapped, WrappedAccount, WrappedChain},
    opening::NotOpened,
};

/// What a transfer's record says about keys.
pub trait MovesKeys {
    /// Whether it moves this key.
    fn moves(&self, key: &KeyMove<'_>) -> bool;
}

/// An object's key on its way from under its account's key in one region to under its key in another.
#[derive(Debug, Clone, Copy)]
pub struct KeyMove<'a> {
    /// Whose.
    pub tenant: &'a str,
    /// Of which account.
    pub account: &'a str,
    /// The region that it leaves.
    pub from: &'a str,
    /// The region that it goes to.
    pub to: &'a str,
    /// What the object is recorded as.
    pub label: &'a Label,
}

/// The `kind` of a transfer's entry in the docket.
pub const TRANSFER_KIND: &str = "transfer";

/// Wraps an object's key anew, under the same account's key in another region, for a transfer whose record is in the
/// docket. Object, label and ciphertext stay what they are: no sealed byte names a region. The key itself never leaves.
///
/// `below` are the tenant's keys in the region that it leaves and in the one that it goes to. Only the gate calls this,
/// after it decided that the transfer has a basis today; holding an [`Included`] record is what it cannot do without.
/// Never use a nonce twice.
///
/// # Errors
/// When the record does not move this key there, or tenant or account are not the same on both sides;
/// [`NotOpened::Altered`] when what is recorded of the object is not what its key was wrapped for.
pub fn rewrap_for_transfer<R: Committed + MovesKeys>(
    below: (&TenantKey, &TenantKey),
    admitted: &Included<R>,
    chain: &WrappedChain,
    to: &WrappedAccount,
    nonce: [u8; NONCE_BYTES],
) -> Result<Wrapped, NotOpened> {
    let from = &chain.account;
    if R::KIND != TRANSFER_KIND {
        return Err(NotOpened::NoTransfer);
    }
    if from.tenant != to.tenant || from.account != to.account {
        return Err(NotOpened::OtherTenant);
    }
    let moved = KeyMove {
        tenant: &from.tenant,
        account: &from.account,
        from: &from.region,
        to: &to.region,
        label: &chain.label,
    };
    if from.region == to.region || !admitted.value().moves(&moved) {
        return Err(NotOpened::NotNamed);
    }
    let above = AccountKey::unwrap(below.0, from)?;
    let key = ObjectKey::unwrap(&above, chain).map_err(|_| NotOpened::Altered)?;
    let there = AccountKey::unwrap(below.1, to)?;
    let place = to.place();
    Ok(key.wrap(&there, place, &to.account, &chain.object, &chain.label, nonce)?)
}
