//! Who calls, and what they may do.
//!
//! Signing in yields a [`Staff`], asking yields a [`Permit`]; neither can be made elsewhere, and whatever needs one takes
//! it by argument. Customers' S3 requests are authenticated by their signature, in `s3`, and never come here.

mod feeds;
mod permissions;
mod staff;

pub use feeds::{Feeds, IssuedFeed, Subscriber};
pub use permissions::{Action, Permissions, PermissionsError, Permit, Resource};
pub use staff::{
    IssueError, IssuedToken, NoTokenId, NotSignedIn, Role, Staff, TOKEN_LIFE_MAX, TokenId, Tokens,
};
