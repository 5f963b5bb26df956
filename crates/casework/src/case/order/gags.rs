//! Which step about a gag may follow which (P10).

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{NotNow, counsel_reasons, need, refuse};
use crate::{
    case::{CaseFile, GagEntry},
    demand::{Demand, GAGS_MAX, Gag},
    event::{Actor, Body, Decision},
    finding::{DutyKind, Promise},
    ids::Digest,
};

const P10: Promise = Promise::P10;

pub(super) fn step(file: &CaseFile, at: Timestamp, actor: &Actor, body: &Body) -> Result<(), NotNow> {
    match body {
        Body::GagRecorded { gag, document } => return recorded(file, at, gag, *document),
        Body::GagReviewed { finding } => {
            need(
                !file.gags().is_empty() || silent_by_law(file),
                P10,
                "nothing imposes silence in this case",
                "record the gag first, or assess the case",
            )?;
            return need(
                !finding.trim().is_empty(),
                P10,
                "the review says nothing",
                "say what was found, and what is done about it",
            );
        }
        _ => {}
    }
    let known = match body {
        Body::GagObjected { .. } | Body::GagUnopposed { .. } => file.has_duty(DutyKind::ObjectToGag),
        _ => false,
    };
    need(
        known || !file.gags().is_empty(),
        P10,
        "the case has no gag",
        "record the gag first",
    )?;
    match body {
        Body::GagUnopposed { .. } => counsel_reasons(actor, body, P10),
        Body::GagObjected { gag, .. } => one_of(file, *gag),
        Body::GagDecided { outcome, until, gag } => {
            one_of(file, *gag)?;
            let objected = |entry: &&GagEntry| entry.objected.is_some();
            let meant = |entry: &&GagEntry| gag.is_none_or(|number| number == entry.seq);
            need(
                file.gags().iter().filter(objected).any(|entry| meant(&entry)),
                P10,
                "no objection to that gag was filed",
                "record its filing first",
            )?;
            let standing = file
                .gags()
                .iter()
                .filter(objected)
                .filter(|entry| !entry.is_lifted());
            need(
                gag.is_some() || standing.count() <= 1,
                P10,
                "several gags were objected to, and the decision does not say which it is about",
                "name the gag by its number",
            )?;
            match until {
                Some(until) => new_end(file, at, *outcome, *until, *gag),
                None => Ok(()),
            }
        }
        Body::GagEnded { gag, .. } => {
            one_of(file, *gag)?;
            let standing = file.gags().iter().filter(|entry| !entry.is_lifted());
            let standing: Vec<u64> = standing.map(|entry| entry.seq).collect();
            need(
                match gag {
                    Some(number) => standing.contains(number),
                    None => !standing.is_empty(),
                },
                P10,
                "no such gag stands any more",
                "nothing is to be recorded",
            )?;
            need(
                gag.is_some() || standing.len() == 1 || file.gags_run_out(at).next().is_some(),
                P10,
                "several gags stand, and the end does not say which it is of",
                "name the gag by its number",
            )
        }
        _ => Ok(()),
    }
}

/// Every gag that the case ever had was objected to, or counsel said why not: no case is closed over one.
pub(super) fn answered(file: &CaseFile) -> Result<(), NotNow> {
    let unanswered = file
        .gags()
        .iter()
        .find(|gag| gag.objected.is_none() && gag.unopposed.is_empty());
    match unanswered {
        None => Ok(()),
        Some(gag) => refuse(
            P10,
            format!("nothing was done about the gag of event {}", gag.seq),
            "object to it, or have counsel sign why there is no ground to",
        ),
    }
}

/// A corrected reading of the demand does not make a silence longer that has ended: that takes an order of its own.
pub(super) fn reread(file: &CaseFile, at: Timestamp, demand: &Demand) -> Result<(), NotNow> {
    let over = |entry: &GagEntry| !file.stands(entry, at);
    let known = |gag: &Gag| file.gags().iter().any(|entry| entry.gag == *gag);
    let renews = demand.gags().any(|gag| !known(gag));
    need(
        !(renews && file.gags().iter().any(over)),
        P10,
        "the demand as read anew has another gag than before, and one that the case had is over",
        "leave the gag as it was; a renewal is a new order, and is recorded as one",
    )
}

/// A further gag is an order of its own, and what has ended is not brought back by being recorded again.
fn recorded(file: &CaseFile, at: Timestamp, gag: &Gag, document: Option<Digest>) -> Result<(), NotNow> {
    need(
        file.gags().len() < GAGS_MAX,
        P10,
        &format!("the case has {GAGS_MAX} gags, the most that one may"),
        "open a further case that refers to it",
    )?;
    let same = file.gags().iter().find(|entry| entry.gag == *gag);
    if let Some(entry) = same {
        return need(
            file.stands(entry, at) || !entry.is_lifted(),
            P10,
            "this very gag has ended",
            "a renewal is a new order with dates of its own",
        );
    }
    let used = |entry: &GagEntry| document.is_some() && entry.document == document;
    need(
        file.gags().is_empty() || (document.is_some() && !file.gags().iter().any(used)),
        P10,
        "a further gag needs an order of its own, and none is named that is not in the ledger already",
        "give the SHA-256 of the new order as `document`",
    )
}

fn silent_by_law(file: &CaseFile) -> bool {
    file.has_duty(DutyKind::DoNotTellTenant) || file.has_duty(DutyKind::DoNotTellPerson)
}

fn one_of(file: &CaseFile, gag: Option<u64>) -> Result<(), NotNow> {
    need(
        gag.is_none_or(|number| file.gags().iter().any(|entry| entry.seq == number)),
        P10,
        "the case has no gag of that number",
        "name it by the event that brought it, as `amparo gag list` shows",
    )
}

/// A decision that leaves the gag standing for a while gives it a nearer last day, and not one that is over: one mistyped
/// year would tell somebody whom a court's order still protects from being told.
fn new_end(
    file: &CaseFile,
    at: Timestamp,
    outcome: Decision,
    until: Date,
    meant: Option<u64>,
) -> Result<(), NotNow> {
    let p10 = Promise::P10;
    need(
        outcome == Decision::Partly,
        p10,
        "a gag that was struck down or upheld gets no new last day",
        "leave the day out, or record the decision as `partly`",
    )?;
    // A day's grace, for the court's day may be yesterday's here.
    let today = at.to_zoned(TimeZone::UTC).date();
    need(
        until >= today.yesterday().unwrap_or(today),
        p10,
        &format!("the gag's new last day `{until}` is over"),
        "check the year; a gag that has ended is recorded as ended, with the order that says so",
    )?;
    let standing = file.gags().iter().filter(|gag| {
        gag.objected.is_some() && !gag.is_lifted() && meant.is_none_or(|number| number == gag.seq)
    });
    for gag in standing {
        need(
            until >= gag.gag.from && gag.until().is_none_or(|end| until <= end),
            p10,
            &format!("the new last day `{until}` does not lie within the gag as it stands"),
            "a decision on an objection shortens a gag; a longer one is a new order",
        )?;
    }
    Ok(())
}
