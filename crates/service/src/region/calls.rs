//! The messages about the vault; those about a release are the gate's own ([`crate::gate::remote`]).

use std::net::IpAddr;

use casework::{
    demand::{Category, Window},
    facts::AccountFacts,
    record::{AccountRef, ReleasedObject},
};
use envelope::keys::WrappedChain;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::app::ports::Described;

/// What is asked. Where an object is described or read, its key is the secret part.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Ask {
    Accounts {
        identifier: String,
    },
    AccountsAt {
        address: IpAddr,
        port: Option<u16>,
        at: Timestamp,
    },
    Scope {
        account: AccountRef,
        categories: Vec<Category>,
        window: Option<Window>,
        limit: usize,
    },
    Copies {
        account: AccountRef,
        categories: Vec<Category>,
        window: Option<Window>,
        limit: usize,
    },
    Keys {
        objects: Vec<ReleasedObject>,
    },
    Describe {
        object: ReleasedObject,
    },
    /// At most [`super::PIECE_BYTES`].
    Read {
        object: ReleasedObject,
        from: u64,
        until: u64,
    },
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Told {
    Accounts {
        accounts: Vec<AccountFacts>,
    },
    /// A scope, or the copies in one.
    Scope {
        objects: Vec<ReleasedObject>,
    },
    Keys {
        keys: Vec<WrappedChain>,
    },
    Described {
        described: Described,
    },
    /// The piece is the secret part.
    Piece,
    Failed {
        reason: String,
    },
}
