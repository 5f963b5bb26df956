//! P12, data stays where it is: every region is one found and none of those is left out, conflicts of law have ended, and nothing leaves before
//! its day.
//!
//! A duty to preserve does not stand in the way: where an instrument only preserves, the rulebook releases no category.

use std::fmt;

use super::{BrokenPromise, Hearing, InPlay, ground};
use crate::{
    facts::{RequesterCheck, Resolution},
    finding::{ClockKind, DutyKind, Finding, Promise::P12},
};

/// Evidence about place and time.
#[derive(Debug)]
pub struct PlaceKept {
    regions: usize,
    grounds: usize,
}

impl fmt::Display for PlaceKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} region(s), as found; {} conflict(s) of law ended",
            self.regions, self.grounds
        )
    }
}

/// Compares regions both ways, and checks conflicts, waiting times and standing duties.
///
/// # Errors
/// When a region was not found, one that was is missing, a conflict has not ended, a day has not come, or a duty stands in the way. A finding's own
/// promise is named.
pub fn place_kept(hearing: &Hearing<'_>, in_play: &InPlay) -> Result<PlaceKept, BrokenPromise> {
    let record = hearing.record;
    let resolved = hearing.file.facts().map_or(&[][..], |facts| &facts.resolved);
    for (at, account) in record.accounts.iter().enumerate() {
        let found = resolved.iter().any(|resolution| {
            matches!(resolution, Resolution::One(facts)
                if facts.tenant == account.tenant && facts.account == account.account
                    && facts.places().any(|(region, _)| *region == account.region))
        });
        if !found {
            let reason = format!(
                "account {} of the record is not in region `{}`",
                at.saturating_add(1),
                account.region
            );
            return Err(BrokenPromise::new(
                P12,
                reason,
                "name the region that the look-up gave",
            ));
        }
    }
    every_place_named(hearing)?;
    let grounds = ground::all_ended(hearing, in_play, P12, |promise| promise == P12)?;
    for finding in in_play.all() {
        nothing_in_the_way(hearing, finding)?;
    }
    let regions: std::collections::BTreeSet<_> =
        record.accounts.iter().map(|account| &account.region).collect();
    Ok(PlaceKept {
        regions: regions.len(),
        grounds,
    })
}

/// A record names an account in every region in which it was found: else what lies in the others would be missing, and
/// nobody would see it.
fn every_place_named(hearing: &Hearing<'_>) -> Result<(), BrokenPromise> {
    let resolved = hearing.file.facts().map_or(&[][..], |facts| &facts.resolved);
    for (at, resolution) in resolved.iter().enumerate() {
        let Resolution::One(found) = resolution else {
            continue;
        };
        let mut named = hearing
            .record
            .accounts
            .iter()
            .filter(|account| account.tenant == found.tenant && account.account == found.account)
            .map(|account| &account.region)
            .peekable();
        // The scope was narrowed to others.
        if named.peek().is_none() {
            continue;
        }
        let named: std::collections::BTreeSet<_> = named.collect();
        if let Some((region, _)) = found.places().find(|(region, _)| !named.contains(region)) {
            return Err(BrokenPromise::new(
                P12,
                format!(
                    "the account of subject {at} was found in region `{region}`, too, and the record leaves that out"
                ),
                "draw up a record of every region in which the account was found, or choose one when looking it up",
            ));
        }
    }
    Ok(())
}

fn nothing_in_the_way(hearing: &Hearing<'_>, finding: &Finding) -> Result<(), BrokenPromise> {
    let touches = finding.categories.is_empty()
        || hearing
            .record
            .categories
            .iter()
            .any(|category| finding.categories.contains(category));
    if !touches {
        return Ok(());
    }
    let broken = |reason: String, hint| Err(BrokenPromise::new(finding.promise, reason, hint));
    if let Some(clock) = &finding.clock
        && clock.kind == ClockKind::NotBefore
        && hearing.now < clock.at
    {
        return broken(
            format!("`{}` lets nothing be produced before {}", finding.rule, clock.at),
            "wait until then",
        );
    }
    match finding.duty {
        Some(DutyKind::CallBack) if hearing.file.requester() != RequesterCheck::Confirmed => broken(
            format!(
                "`{}` asks for a call back, and who asks was not confirmed",
                finding.rule
            ),
            "call the authority on a number found independently, and assess again",
        ),
        // Whether a refusal bars the release is the rulebook's to say; here it counts that the controller was asked.
        Some(DutyKind::ControllerInstructions)
            if hearing
                .file
                .facts()
                .is_none_or(|facts| facts.controller_consents.is_none()) =>
        {
            broken(
                format!(
                    "`{}` asks for the controller's instructions, and there are none",
                    finding.rule
                ),
                "obtain them, record what the controller said, and assess again",
            )
        }
        _ => Ok(()),
    }
}
