//! The forms of messages, after ETSI's JSON schemas of TS 103 120 version 1.23.1.

mod authorisation;
mod basis;
mod delivery;
mod document;
mod envelope;
mod notification;
mod task;

use serde_json::Value;

use crate::{
    object::Kind,
    shape::{Member, Misfit, Shape},
};

/// That a value is a message.
pub(crate) fn check(value: &Value) -> Result<(), Misfit> {
    envelope::MESSAGE.fits(value)
}

/// What each object is: the members that all have, and its own.
static CONCRETE: Shape = Shape::Typed(members_of);

fn members_of(name: &str) -> Option<&'static [&'static [Member]]> {
    static AUTHORISATION: [&[Member]; 2] = [basis::ALL, authorisation::OWN];
    static DOCUMENT: [&[Member]; 2] = [basis::ALL, document::OWN];
    static NOTIFICATION: [&[Member]; 2] = [basis::ALL, notification::OWN];
    static DISCLOSURE: [&[Member]; 2] = [basis::ALL, task::DISCLOSURE];
    static PRESERVATION: [&[Member]; 2] = [basis::ALL, task::PRESERVATION];
    static DELIVERY: [&[Member]; 2] = [basis::ALL, delivery::OWN];
    Some(match Kind::named(name)? {
        Kind::Authorisation => &AUTHORISATION,
        Kind::Document => &DOCUMENT,
        Kind::Notification => &NOTIFICATION,
        Kind::LdTask => &DISCLOSURE,
        Kind::LpTask => &PRESERVATION,
        Kind::Delivery => &DELIVERY,
        Kind::LiTask
        | Kind::TrafficPolicy
        | Kind::TrafficRule
        | Kind::LiDestination
        | Kind::LdDestination
        | Kind::Encryption => &[],
    })
}

/// That a value is an object of the standard.
pub(crate) fn check_object(value: &Value) -> Result<(), Misfit> {
    CONCRETE.fits(value)
}
