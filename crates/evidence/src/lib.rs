//! Disclosure packages: what an authority receives, and what lets anybody check it.
//!
//! A package is a tar archive in one canonical form, encrypted with age to its recipient. It holds the objects released,
//! the release record, the chain of custody, the docket's receipt, and a manifest. Verification needs the package and a
//! trust policy (the provider's reviewers, the docket's key and witnesses); no server, and no trust in who sends it.
//!
//! Read in this order: [`statement`] (what lies beside the objects), [`custody`], [`pack`], [`check`], [`verify`].

pub mod check;
pub mod custody;
pub mod measure;
pub mod name;
pub mod pack;
pub mod seal;
pub mod statement;
pub mod ustar;
pub mod verify;

mod fingerprint;
