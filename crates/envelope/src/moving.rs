//! What a transfer between regions says about keys.

use crate::keys::{Label, WrappedAccount};

/// What a transfer's record says about keys.
pub trait MovesKeys {
    /// Whether it moves the keys of objects so labelled from under the one account key to under the other.
    fn moves(&self, from: &WrappedAccount, label: &Label, to: &WrappedAccount) -> bool;
}

/// The `kind` of a transfer's entry in the docket.
pub const TRANSFER_KIND: &str = "transfer";
