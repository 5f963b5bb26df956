//! P13, only what the order covers: record within the scope as narrowed, scope within the demand, and every object within
//! all of it.
//!
//! A record has no window only where all its categories are subscriber data, which describes an account and no moment,
//! and the demand, as it stands, names none. Where a demand for anything else names no dates, the record still does: it
//! states what it releases. Nothing from after service is in it (P4): a demand for stored data is no tap, whatever its window.

use std::fmt;

use super::{BrokenPromise, Hearing};
use crate::{
    event::Scope,
    finding::Promise::{P4, P13},
    record::{OBJECTS_MAX, ReleaseRecord, ReleasedObject},
};

/// Evidence that the record lies within the scope.
#[derive(Debug)]
pub struct WithinScope {
    objects: usize,
}

impl fmt::Display for WithinScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} object(s), each within the accounts, categories and dates that the demand covers",
            self.objects
        )
    }
}

/// Compares record, scope and demand.
///
/// # Errors
/// When anything reaches further than it may, is doubled or out of order, or there is nothing to release.
pub fn within_scope(hearing: &Hearing<'_>) -> Result<WithinScope, BrokenPromise> {
    let record = hearing.record;
    in_order(record)?;
    let claimed = record.scope();
    const HINT: &str = "draw up a new record within the scope";
    let outside =
        |why: crate::case::ScopeError| BrokenPromise::new(P13, format!("in the record, {why}"), HINT);
    claimed.within(&hearing.file.scope()).map_err(outside)?;
    if let (Some(demand), Some(facts)) = (hearing.file.demand(), hearing.file.facts()) {
        claimed.within(&Scope::of(demand, facts)).map_err(outside)?;
    }
    if record.lacks_dates() {
        let reason = "the record names no dates, and not all it releases is subscriber data";
        return Err(BrokenPromise::new(
            P13,
            reason,
            "name the dates that the record covers",
        ));
    }
    if let Some(demand) = hearing.file.demand() {
        let later = |object: &&ReleasedObject| !demand.found_there(object.category, object.concerns_at);
        if let Some(object) = record.objects.iter().find(later) {
            let reason = format!("object `{}` is from after the demand was served", object.object);
            return Err(BrokenPromise::new(P4, reason, HINT));
        }
    }
    for object in &record.objects {
        if let Some(reason) = outside_of(record, object) {
            return Err(BrokenPromise::new(
                P13,
                format!("object `{}` is {reason}", object.object),
                HINT,
            ));
        }
    }
    Ok(WithinScope {
        objects: record.objects.len(),
    })
}

/// One record has one form: sorted, nothing twice, and no more than one may name.
fn in_order(record: &ReleaseRecord) -> Result<(), BrokenPromise> {
    let broken = |reason: &str, hint| Err(BrokenPromise::new(P13, reason, hint));
    if record.objects.is_empty() {
        return broken("the record names no object", "close the case as without data");
    }
    if record.objects.len() > OBJECTS_MAX {
        return broken(
            "the record names more than 100000 objects",
            "split the release into several records",
        );
    }
    if !record.objects.is_sorted_by(|a, b| a.object < b.object) {
        return broken(
            "the record's objects are not in ascending order, each once",
            "sort them by id",
        );
    }
    if !record.accounts.is_sorted_by(|a, b| a < b) {
        return broken(
            "the record's accounts are not in ascending order, each once",
            "sort them",
        );
    }
    if record.categories.is_empty() || !record.categories.is_sorted_by(|a, b| a < b) {
        return broken(
            "the record's categories are not in ascending order, each once",
            "sort them",
        );
    }
    Ok(())
}

fn outside_of(record: &ReleaseRecord, object: &ReleasedObject) -> Option<&'static str> {
    if record.accounts.binary_search(&object.account).is_err() {
        Some("of an account and region that the record does not name")
    } else if record.categories.binary_search(&object.category).is_err() {
        Some("of a category that the record does not name")
    } else if record
        .window
        .is_some_and(|window| !window.contains(object.concerns_at))
    {
        Some("outside the record's dates")
    } else {
        None
    }
}
