//! `ts_103120_Notification`.

use super::basis::{COUNTRY, ENTRY, FLAG, LONG, MOMENT, UUID};
use crate::shape::{Member, Shape, may, must};

pub(super) static OWN: &[Member] = &[
    may("notification:NotificationDetails", &LONG),
    may("notification:NotificationType", &ENTRY),
    may("notification:NewNotification", &FLAG),
    may("notification:NotificationTimestamp", &MOMENT),
    may("notification:StatusOfAssociatedObjects", &STATUSES),
    may("notification:NationalNotificationParameters", &NATIONAL),
];

static STATUSES: Shape = Shape::Object(&[may("notification:AssociatedObjectStatus", &STATUS_LIST)]);
static STATUS_LIST: Shape = Shape::List(&STATUS, 1);
static STATUS: Shape = Shape::Object(&[
    must("notification:AssociatedObject", &UUID),
    must("notification:Status", &ENTRY),
    may("notification:Details", &LONG),
]);
static NATIONAL: Shape = Shape::Object(&[must("notification:CountryCode", &COUNTRY)]);
