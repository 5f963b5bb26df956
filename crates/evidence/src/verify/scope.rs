//! The record against itself and against the demand: what a package shows of P6 and P13, and what of them it does not.

use std::collections::BTreeSet;

use casework::{
    demand::Subject,
    event::Scope,
    ids::{AccountId, TenantId},
    record::{OBJECTS_MAX, ReleaseRecord, ReleasedObject},
};

use crate::{
    custody::Course,
    pack::detail_fault,
    statement::{CONTENTS, Contents},
};

/// Most accounts, and most subjects, that one sentence names. Further ones are counted.
const NAMED_MAX: usize = 5;

/// What came of comparing a record with its demand.
pub(super) struct Within {
    /// What is shown.
    pub(super) said: String,
    /// Which accounts are the demand's by the provider's look-up alone, where any are.
    pub(super) looked_up: Option<String>,
}

/// The record by itself, and whether the particulars fit it.
pub(super) fn check_record(record: &ReleaseRecord, contents: &Contents) -> Result<String, String> {
    let objects = &record.objects;
    if objects.is_empty() || objects.len() > OBJECTS_MAX {
        return Err(format!(
            "it names {} objects; 1 to {OBJECTS_MAX} are allowed",
            objects.len()
        ));
    }
    if !objects.is_sorted_by(|a, b| a.object < b.object) {
        return Err("its objects are not in ascending order, each once".to_owned());
    }
    for object in objects {
        outside(record, object).map_or(Ok(()), |reason| Err(format!("object {} {reason}", object.object)))?;
    }
    if contents.objects.len() != objects.len() {
        return Err(format!(
            "{CONTENTS} describes {} objects, not {}",
            contents.objects.len(),
            objects.len()
        ));
    }
    for (object, detail) in objects.iter().zip(&contents.objects) {
        detail_fault(object.object, object.size, detail).map_or(Ok(()), |reason| {
            Err(format!("particulars of object {}: {reason}", object.object))
        })?;
    }
    let window = record.window.map_or_else(
        || "no window of time".to_owned(),
        |w| format!("{} up to {}", w.from, w.until),
    );
    let accounts: Vec<&str> = record
        .accounts
        .iter()
        .map(|a| a.account.as_str())
        .take(5)
        .collect();
    let more = record.accounts.len().saturating_sub(accounts.len());
    let more = if more == 0 {
        String::new()
    } else {
        format!(" and {more} more")
    };
    Ok(format!(
        "{} objects, all of {}{more}, {window}",
        objects.len(),
        accounts.join(", ")
    ))
}

/// The record within the demand as it was read last, and within every narrowing since.
///
/// Which account goes by an identifier of the demand is known to the provider alone, unless the identifier is the
/// account's own id; so accounts are counted against subjects, and only those are said to be named.
pub(super) fn within_demand(record: &ReleaseRecord, course: &Course) -> Result<Within, String> {
    let (claimed, demand) = (record.scope(), &course.demand);
    let named: Vec<&Subject> = demand
        .subjects
        .iter()
        .filter(|subject| !is_sweeping(subject))
        .collect();
    let sweeping = demand.subjects.iter().any(is_sweeping);
    if named.is_empty() || (sweeping && course.narrowed.is_empty()) {
        return Err("the demand does not name whom it is about".to_owned());
    }
    // A subject is one account, which may lie in several regions.
    let accounts: BTreeSet<&(TenantId, AccountId)> = claimed.accounts.iter().collect();
    if accounts.len() > named.len() {
        return Err(format!(
            "the record names {} accounts, the demand {} subjects",
            accounts.len(),
            named.len()
        ));
    }
    if record.lacks_dates() {
        return Err("the record names no dates, and not all it releases is subscriber data".to_owned());
    }
    let asked = Scope {
        accounts: claimed.accounts.clone(),
        categories: demand.categories.clone(),
        window: demand.window,
    };
    claimed.within(&asked).map_err(|e| e.to_string())?;
    for scope in &course.narrowed {
        claimed.within(scope).map_err(|e| e.to_string())?;
    }
    let narrowed = match course.narrowed.len() {
        0 => "never narrowed".to_owned(),
        1 => "narrowed once, and within what was left".to_owned(),
        n => format!("narrowed {n} times, and within what was left"),
    };
    let read = match course.readings {
        0 | 1 => String::new(),
        n => format!(" as it was read last, of {n} times"),
    };
    let (people, looked_up) = identified(&accounts, named);
    Ok(Within {
        said: format!("{people}; categories and window lie within the demand{read}; {narrowed}"),
        looked_up,
    })
}

/// Which accounts the demand names by their own ids, each subject counting once, in words; and the others beside the
/// subjects that are left for them.
fn identified(
    accounts: &BTreeSet<&(TenantId, AccountId)>,
    mut subjects: Vec<&Subject>,
) -> (String, Option<String>) {
    let total = subjects.len();
    let mut looked_up = Vec::new();
    for (tenant, account) in accounts {
        match subjects.iter().position(|subject| is_own_id(subject, account)) {
            Some(at) => drop(subjects.swap_remove(at)),
            None => looked_up.push(format!("`{account}` of `{tenant}`")),
        }
    }
    let count = counted(accounts.len(), "account");
    if looked_up.is_empty() {
        let each = if accounts.len() == 1 { "" } else { "each " };
        return (format!("{count}, {each}named in the demand by its own id"), None);
    }
    let own = accounts.len().saturating_sub(looked_up.len());
    let own = match own {
        0 => String::new(),
        n => format!(", {n} of them named by its own id"),
    };
    let left = subjects.iter().map(|subject| identifier(subject)).collect();
    let sentence = format!(
        "that {} is whom the demand means by {} is the provider's look-up",
        listed(looked_up, "and"),
        listed(left, "or")
    );
    let people = format!("{count} for {} of the demand{own}", counted(total, "subject"));
    (people, Some(sentence))
}

fn outside(record: &ReleaseRecord, object: &ReleasedObject) -> Option<&'static str> {
    if !record.accounts.contains(&object.account) {
        Some("is of an account or region that the record does not name")
    } else if !record.categories.contains(&object.category) {
        Some("is of a category that the record does not name")
    } else if record
        .window
        .is_some_and(|window| !window.contains(object.concerns_at))
    {
        Some("lies outside the record's window of time")
    } else {
        None
    }
}

fn is_sweeping(subject: &Subject) -> bool {
    matches!(subject, Subject::Selector { .. })
}

fn is_own_id(subject: &Subject, account: &AccountId) -> bool {
    match subject {
        Subject::Account { value } | Subject::Phone { value } => {
            value.trim().to_lowercase() == account.as_str().to_lowercase()
        }
        Subject::Identifier { .. } | Subject::Ip { .. } | Subject::Selector { .. } => false,
    }
}

fn identifier(subject: &Subject) -> String {
    match subject {
        Subject::Account { value }
        | Subject::Phone { value }
        | Subject::Identifier { value, .. }
        | Subject::Selector { value, .. } => {
            format!("`{value}`")
        }
        Subject::Ip { address, at, .. } => format!("`{address}` at {at}"),
    }
}

fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

fn listed(mut names: Vec<String>, joined_by: &str) -> String {
    let more = names.len().saturating_sub(NAMED_MAX);
    names.truncate(NAMED_MAX);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} {joined_by} {last}", first.join(", ")),
        None => String::new(),
    }
}
