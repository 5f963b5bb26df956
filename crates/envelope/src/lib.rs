//! How objects are encrypted, and for whom a key opens.
//!
//! Pure: no clock, no randomness, no input or output; random bytes come in as arguments. Read in this order:
//!
//! - [`keys`]: the hierarchy region root > tenant key > account key > object key, and how a key lies wrapped.
//! - [`held`]: a tenant's key that somebody else holds as well.
//! - [`opening_reason`]: the only reasons for which a key opens. There is no "other".
//! - [`opening`]: the two doors, one per reason.
//! - [`moving`]: from under one region's key to under another's, for a transfer; no key comes out.
//! - [`handing`]: the same from one gate to another, sealed on the way.
//! - [`rewrap`]: how keys move when one above them is rotated.
//! - [`chunked`]: the format of a stored body (C2SP chunked-encryption, Cobblestone-256).
//! - [`content`]: the commitment that ties a body to a release record.
//! - [`sealing`]: a key that wraps others, for key providers without hardware.
//! - [`secrets`]: access keys' secrets, which are no customer data.
//! - [`case_file`]: the provider's own case files, apart from every customer key.

pub mod case_file;
pub mod chunked;
pub mod content;
pub mod handing;
pub mod held;
pub mod keys;
pub mod moving;
pub mod opening;
pub mod opening_reason;
pub mod rewrap;
pub mod sealing;
pub mod secrets;
