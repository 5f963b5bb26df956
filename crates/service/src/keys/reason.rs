//! Why a key that somebody else holds is asked for. The holder sees it, records it, and may say no.

use std::fmt;

use casework::ids::{CaseId, Digest, RecordId};
use serde::{Deserialize, Serialize};

/// Why. There is no "other": what has no reason here does not open such a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Reason {
    /// A gate starts and takes its region's root into memory.
    RegionStart,
    /// The tenant itself asked, with a credential of its own.
    Owner {
        /// The credential that was checked: an access key's id, never its secret.
        credential: String,
        /// The request's id.
        request: String,
        /// The account whose data it is.
        account: String,
    },
    /// A release record that two people signed and the docket holds.
    Release {
        /// The case.
        case: CaseId,
        /// The record.
        record: RecordId,
        /// What reviewers signed and the docket commits to.
        digest: Digest,
    },
    /// Data moves to another region on a legal basis.
    Transfer {
        /// The matter.
        matter: String,
    },
    /// A person asked for a copy, a correction or the end of their own data.
    RightsRequest {
        /// The matter.
        matter: String,
    },
    /// A key is made below this one: for a new tenant, or a new account.
    Provisioning {
        /// The account; none for the tenant's own key.
        account: Option<String>,
    },
    /// Keys move from under one key to under another.
    Rotation {
        /// Which are moved.
        level: Level,
    },
    /// The tenant's key goes to another holder, or to none: from then on this one is not asked for it.
    HolderChange {
        /// The new holder; none where the region's root alone wraps it then.
        to: Option<String>,
    },
}

/// A level of the hierarchy whose key is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// A region's root: tenants' keys are wrapped anew.
    Root,
    /// A holder's key: its outer wraps are made anew.
    Provider,
    /// A tenant's key: its accounts' keys are wrapped anew.
    Tenant,
    /// An account's key: its objects' keys are wrapped anew.
    Account,
}

impl Reason {
    /// Its kind, as allow-lists name it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RegionStart => "region_start",
            Self::Owner { .. } => "owner",
            Self::Release { .. } => "release",
            Self::Transfer { .. } => "transfer",
            Self::RightsRequest { .. } => "rights_request",
            Self::Provisioning { .. } => "provisioning",
            Self::Rotation { .. } => "rotation",
            Self::HolderChange { .. } => "holder_change",
        }
    }

    /// Every kind.
    pub const KINDS: [&'static str; 8] = [
        "region_start",
        "owner",
        "release",
        "transfer",
        "rights_request",
        "provisioning",
        "rotation",
        "holder_change",
    ];

    /// The account that it is about, where it is about one.
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::Owner { account, .. } => Some(account),
            Self::Provisioning { account } => account.as_deref(),
            _ => None,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "root",
            Self::Provider => "provider",
            Self::Tenant => "tenant",
            Self::Account => "account",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RegionStart => f.write_str("a gate starts"),
            Self::Owner {
                credential,
                request,
                account,
            } => write!(
                f,
                "request `{request}` with access key `{credential}` to `{account}`"
            ),
            Self::Release { case, record, digest } => {
                write!(f, "release record `{record}` (sha256 {digest}) of case `{case}`")
            }
            Self::Transfer { matter } => write!(f, "transfer `{matter}`"),
            Self::RightsRequest { matter } => write!(f, "rights request `{matter}`"),
            Self::Provisioning {
                account: Some(account),
            } => write!(f, "a key for account `{account}`"),
            Self::Provisioning { account: None } => f.write_str("a key for the tenant"),
            Self::Rotation { level } => write!(f, "rotation of a key of level `{level}`"),
            Self::HolderChange { to: Some(to) } => write!(f, "the tenant's key goes to holder `{to}`"),
            Self::HolderChange { to: None } => {
                f.write_str("the tenant's key goes to nobody but the region's root")
            }
        }
    }
}
