//! Addresses of calendar feeds. Calendars cannot sign in, so the address itself is the secret; it reads dates and nothing
//! else, and its person can replace or withdraw it.

use std::sync::Arc;

use casework::ids::StaffId;
use store::cases::{CaseStore, CaseStoreError};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{
    Action, NotSignedIn, Permissions, PermissionsError, Permit, Resource, Staff,
    staff::{IssueError, hash},
};
use crate::app::clock::{Clock, Entropy};

/// Longest name of a feed that is read, in bytes.
const NAME_BYTES_MAX: usize = 128;

/// A feed's name as its person receives it, once. Wiped when dropped; it has no `Debug` or `Display`.
pub struct IssuedFeed(Zeroizing<String>);

impl IssuedFeed {
    /// The last part of the address, to be handed over and not kept.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Somebody whose calendar asks. Only [`Feeds::authenticate`] makes one, and all that it may do is read dates.
#[derive(Debug)]
pub struct Subscriber(Staff);

impl Subscriber {
    /// Leave to read the dates of the desk.
    ///
    /// # Errors
    /// [`PermissionsError::Denied`] where the person's role no longer sees the desk.
    pub fn permit<'s>(&'s self, permissions: &Permissions) -> Result<Permit<'s>, PermissionsError> {
        permissions.permit(&self.0, Action::CalendarRead, Resource::Desk)
    }
}

/// Issues feeds and checks them.
#[derive(Clone)]
pub struct Feeds {
    store: CaseStore,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Feeds {
    pub(super) fn new(store: CaseStore, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            store,
            clock,
            entropy,
        }
    }

    /// Makes a person's feed, in place of the one that they had.
    ///
    /// # Errors
    /// When nobody of that id is enrolled or they were disabled, there is no randomness, or the database fails.
    pub async fn issue(&self, person: &StaffId) -> Result<IssuedFeed, IssueError> {
        let enrolled = self.store.person(person).await?;
        if enrolled.is_none_or(|found| found.disabled_at.is_some()) {
            return Err(IssueError::NotEnrolled(person.clone()));
        }
        let mut id = [0; 8];
        let mut secret = Zeroizing::new([0; 32]);
        self.entropy.fill(&mut id)?;
        self.entropy.fill(secret.as_mut_slice())?;
        self.store
            .replace_feed(id, person, hash(&secret), self.clock.now())
            .await?;
        let secret = Zeroizing::new(hex::encode(secret.as_slice()));
        Ok(IssuedFeed(Zeroizing::new(format!(
            "{}_{}.ics",
            hex::encode(id),
            secret.as_str()
        ))))
    }

    /// Withdraws a person's feed. True where there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn withdraw(&self, person: &StaffId) -> Result<bool, CaseStoreError> {
        self.store.revoke_feed(person, self.clock.now()).await
    }

    /// Checks the last part of a feed's address.
    ///
    /// # Errors
    /// [`NotSignedIn::NoValidToken`] for whatever is wrong with it.
    pub async fn authenticate(&self, name: &str) -> Result<Subscriber, NotSignedIn> {
        let (id, secret) = read(name).ok_or(NotSignedIn::NoValidToken)?;
        let found = self.store.feed(id).await?;
        // An unknown id costs the same comparison as a known one.
        let expected = found.as_ref().map_or([0; 32], |feed| feed.hash);
        let proven = bool::from(hash(&secret).ct_eq(&expected));
        let feed = found.filter(|_| proven).ok_or(NotSignedIn::NoValidToken)?;
        if feed.revoked_at.is_some() {
            return Err(NotSignedIn::NoValidToken);
        }
        Staff::of(feed.person).map(Subscriber)
    }
}

fn read(name: &str) -> Option<([u8; 8], Zeroizing<[u8; 32]>)> {
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    let (id_text, secret_text) = name.strip_suffix(".ics")?.split_once('_')?;
    let (mut id, mut secret) = ([0; 8], Zeroizing::new([0; 32]));
    hex::decode_to_slice(id_text, &mut id).ok()?;
    hex::decode_to_slice(secret_text, secret.as_mut_slice()).ok()?;
    Some((id, secret))
}
