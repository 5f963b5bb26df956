//! The customer's allow-list. What no rule allows is denied: an empty list denies everything.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::keys::{KeyPlace, Reason};

/// Most rules.
pub const RULES_MAX: usize = 1000;
/// Largest `max_per_hour`.
pub const PER_HOUR_MAX: u32 = 100_000;

/// One rule. The first that fits a request decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// The kind of reason: one of [`Reason::KINDS`].
    pub reason: String,
    /// The tenants it is for, by id. Required, so that no rule is wider than somebody wrote down; a region's root is of no
    /// tenant, and `region_start` alone takes none.
    #[serde(default)]
    pub tenants: Vec<String>,
    /// The accounts it is for; all where it is left out. A reason that names no account then fits no such rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<Vec<String>>,
    /// From this hour of the day, UTC, 0 to 23.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_hour: Option<i8>,
    /// Until this hour, 1 to 24; before `from_hour` it runs over midnight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_hour: Option<i8>,
    /// Most requests in any hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_per_hour: Option<u32>,
    /// Whether it is answered at once, or a person decides about each.
    #[serde(default)]
    pub decide: Decide,
}

/// How a rule decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decide {
    /// Yes, at once.
    #[default]
    Yes,
    /// A person is asked: `amparo keyholder allow` or `deny`.
    Ask,
}

/// What the list says of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Yes, by the rule of this number, counted from 1.
    Yes(usize),
    /// A person decides.
    Ask(usize),
    /// No, and why.
    No(String),
}

/// Why a rule cannot stand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule {number} of the allow-list cannot stand: {reason}")]
pub struct BadRule {
    /// Which, counted from 1.
    pub number: usize,
    /// Why.
    pub reason: String,
}

/// Checks a list as a whole.
///
/// # Errors
/// At the first rule that cannot stand.
pub fn check(rules: &[Allow]) -> Result<(), BadRule> {
    for (index, rule) in rules.iter().enumerate() {
        let fail = |reason: String| {
            let number = index + 1;
            Err(BadRule { number, reason })
        };
        if index >= RULES_MAX {
            return fail(format!("a list has at most {RULES_MAX} rules"));
        }
        if !Reason::KINDS.contains(&rule.reason.as_str()) {
            let kinds = Reason::KINDS.join("`, `");
            return fail(format!("`{}` is no reason; there are `{kinds}`", rule.reason));
        }
        if rule.tenants.is_empty() && rule.reason != "region_start" {
            return fail("it names no tenant".to_owned());
        }
        if rule.from_hour.is_some() != rule.until_hour.is_some() {
            return fail("give both `from_hour` and `until_hour`, or neither".to_owned());
        }
        let from = rule.from_hour.is_none_or(|hour| (0..24).contains(&hour));
        let until = rule.until_hour.is_none_or(|hour| (1..=24).contains(&hour));
        if !from || !until || (rule.from_hour.is_some() && rule.from_hour == rule.until_hour) {
            return fail("hours run from 0 to 23, and until 1 to 24".to_owned());
        }
        if rule
            .max_per_hour
            .is_some_and(|max| max == 0 || max > PER_HOUR_MAX)
        {
            return fail(format!("`max_per_hour` is 1 to {PER_HOUR_MAX}"));
        }
    }
    Ok(())
}

impl Allow {
    fn fits(&self, place: &KeyPlace, reason: &Reason) -> bool {
        let tenant = match &place.tenant {
            Some(tenant) => self.tenants.contains(tenant),
            None => self.tenants.is_empty(),
        };
        let account = match &self.accounts {
            Some(accounts) => reason
                .account()
                .is_some_and(|a| accounts.iter().any(|one| one == a)),
            None => true,
        };
        self.reason == reason.kind() && tenant && account
    }

    fn in_hours(&self, now: Timestamp) -> bool {
        let (Some(from), Some(until)) = (self.from_hour, self.until_hour) else {
            return true;
        };
        let hour = now.to_zoned(TimeZone::UTC).hour();
        match from < until {
            true => (from..until).contains(&hour),
            false => hour >= from || hour < until,
        }
    }
}

/// How often each rule said yes in the last hour. It lives as long as the process.
#[derive(Debug, Default)]
pub struct Counts(BTreeMap<usize, VecDeque<Timestamp>>);

impl Counts {
    /// What the list says of a request at this time. A "yes" and an "ask" count towards the rule's limit.
    pub fn judge(&mut self, rules: &[Allow], place: &KeyPlace, reason: &Reason, now: Timestamp) -> Verdict {
        let found = rules
            .iter()
            .enumerate()
            .find(|(_, rule)| rule.fits(place, reason));
        let Some((index, rule)) = found else {
            return Verdict::No(match rules.is_empty() {
                true => "the allow-list is empty".to_owned(),
                false => format!("no rule allows `{}` here", reason.kind()),
            });
        };
        let number = index + 1;
        if !rule.in_hours(now) {
            return Verdict::No(format!("rule {number} allows it at other hours"));
        }
        if let Some(max) = rule.max_per_hour {
            let times = self.0.entry(index).or_default();
            let hour_ago = now.saturating_sub(SignedDuration::from_hours(1)).unwrap_or(now);
            while times.front().is_some_and(|at| *at <= hour_ago) {
                times.pop_front();
            }
            if times.len() >= usize::try_from(max).unwrap_or(usize::MAX) {
                return Verdict::No(format!(
                    "rule {number} allows {max} an hour, and they are used up"
                ));
            }
            times.push_back(now);
        }
        match rule.decide {
            Decide::Yes => Verdict::Yes(number),
            Decide::Ask => Verdict::Ask(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(account: &str) -> Reason {
        Reason::Owner {
            credential: "AK".into(),
            request: "r".into(),
            account: account.into(),
        }
    }

    fn rules(text: &str) -> Vec<Allow> {
        #[derive(Deserialize)]
        struct List {
            allow: Vec<Allow>,
        }
        toml::from_str::<List>(text).unwrap().allow
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn what_no_rule_allows_is_denied() {
        let place = KeyPlace::tenant("eu-de", "contoso");
        let now = at("2026-11-22T10:00:00Z");
        let mut counts = Counts::default();
        assert!(
            matches!(counts.judge(&[], &place, &owner("a"), now), Verdict::No(why) if why.contains("empty"))
        );
        let list = rules("[[allow]]\nreason = \"owner\"\ntenants = [\"contoso\"]\naccounts = [\"alice\"]");
        assert_eq!(counts.judge(&list, &place, &owner("alice"), now), Verdict::Yes(1));
        assert!(matches!(
            counts.judge(&list, &place, &owner("bob"), now),
            Verdict::No(_)
        ));
        let other = KeyPlace::tenant("eu-de", "fabrikam");
        assert!(matches!(
            counts.judge(&list, &other, &owner("alice"), now),
            Verdict::No(_)
        ));
        let transfer = Reason::Transfer { matter: "m".into() };
        assert!(matches!(
            counts.judge(&list, &place, &transfer, now),
            Verdict::No(_)
        ));
        assert!(matches!(
            counts.judge(&list, &KeyPlace::region("eu-de"), &owner("alice"), now),
            Verdict::No(_)
        ));
    }

    #[test]
    fn hours_and_rates_are_kept() {
        let place = KeyPlace::tenant("eu-de", "contoso");
        let list = rules(
            "[[allow]]\nreason = \"owner\"\ntenants = [\"contoso\"]\nfrom_hour = 22\nuntil_hour = 6\nmax_per_hour = 2",
        );
        let mut counts = Counts::default();
        let mut judge = |time: &str| counts.judge(&list, &place, &owner("a"), at(time));
        assert!(matches!(judge("2026-11-22T12:00:00Z"), Verdict::No(_)));
        assert_eq!(judge("2026-11-22T23:00:00Z"), Verdict::Yes(1));
        assert_eq!(judge("2026-11-22T23:30:00Z"), Verdict::Yes(1));
        assert!(matches!(judge("2026-11-22T23:59:59Z"), Verdict::No(_)));
        assert_eq!(judge("2026-11-23T00:00:00Z"), Verdict::Yes(1));
        assert!(matches!(judge("2026-11-23T06:00:00Z"), Verdict::No(_)));
    }

    #[test]
    fn rules_that_cannot_stand_are_named() {
        for (rule, says) in [
            ("reason = \"other\"\ntenants = [\"a\"]", "no reason"),
            ("reason = \"owner\"", "no tenant"),
            ("reason = \"owner\"\ntenants = [\"a\"]\nfrom_hour = 3", "both"),
            (
                "reason = \"owner\"\ntenants = [\"a\"]\nfrom_hour = 24\nuntil_hour = 3",
                "hours",
            ),
            (
                "reason = \"owner\"\ntenants = [\"a\"]\nmax_per_hour = 0",
                "max_per_hour",
            ),
        ] {
            let error = check(&rules(&format!("[[allow]]\n{rule}"))).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}
