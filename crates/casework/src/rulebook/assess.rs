//! Applying a rulebook to a demand.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Authorizer, Entities, Entity, EntityUid, PolicySet, Request};
use jiff::civil::Date;

use super::{
    AssessError, LANGUAGE, Rulebook,
    calendar::{Calendar, Counted},
    context::{Inquiry, Profile, word},
    load::{UNKNOWN, instrument_entity},
    rule::Rule,
    table::{ClockRow, Instrument, Start},
};
use crate::{
    demand::{Category, CountryCode, Demand},
    facts::Facts,
    finding::{Assessment, Clock, ClockKind, Effect, Finding, RulebookRef},
    ids::RuleId,
};

/// A rule that applies: to which categories, and for a clock, when.
#[derive(Default)]
struct Hit {
    categories: BTreeSet<Category>,
    clock: Option<Clock>,
}

/// What one request asks: these policies, about this category, and which categories their answer touches.
struct Question<'a> {
    policies: &'a PolicySet,
    category: Option<Category>,
    touches: &'a [Category],
}

impl Rulebook {
    pub(super) fn apply(
        &self,
        demand: &Demand,
        facts: Option<&Facts>,
        on_its_face: bool,
        as_of: Date,
    ) -> Result<Assessment, AssessError> {
        let row = self.tables.instrument.get(&demand.instrument);
        let built = row.filter(|row| row.built);
        let inquiry = Inquiry {
            demand,
            facts,
            on_its_face,
            as_of,
            row: built,
            country_fits: self.country_fits(row, &demand.requester.country, as_of),
            facts_of_the_day: self.facts_of(as_of),
            answer_overdue: self.answer_overdue(demand, row, as_of),
        };
        let mut hits: BTreeMap<(Effect, &RuleId), Hit> = BTreeMap::new();
        let categories: BTreeSet<Category> = demand.categories.iter().copied().collect();
        for profile in inquiry.profiles() {
            let entities = self.entities(&inquiry, profile.as_ref())?;
            let shared = inquiry.shared(&self.names);
            let asked = categories
                .iter()
                .copied()
                .map(Some)
                .chain(categories.is_empty().then_some(None));
            let part = self.parts.get(&demand.instrument).unwrap_or(&self.unknown);
            let asked: Vec<Option<Category>> = asked.collect();
            let whole = Question {
                policies: &part.whole,
                category: asked.first().copied().flatten(),
                touches: &demand.categories,
            };
            let one_by_one = asked.iter().map(|category| Question {
                policies: &part.by_category,
                category: *category,
                touches: category.as_slice(),
            });
            for question in std::iter::once(whole).chain(one_by_one) {
                self.evaluate(
                    &inquiry,
                    &shared,
                    &question,
                    profile.as_ref(),
                    &entities,
                    &mut hits,
                )?;
            }
        }
        let barred: BTreeSet<Category> = hits
            .iter()
            .filter(|((effect, _), _)| *effect == Effect::Bar)
            .flat_map(|(_, hit)| hit.categories.iter().copied())
            .collect();
        // Twice over: no bar lies on it, and the instrument's own row lists it. A rulebook that lacks a rule cannot
        // open what its table does not.
        let releasable = categories
            .iter()
            .copied()
            .filter(|category| !barred.contains(category))
            .filter(|category| built.is_some_and(|row| row.reaches(*category)))
            .collect();
        Ok(Assessment {
            rulebook: RulebookRef {
                digest: self.digest,
                as_of,
                language: LANGUAGE.to_owned(),
            },
            findings: hits
                .into_iter()
                .filter_map(|((_, id), hit)| self.finding(id, hit, demand, row))
                .collect(),
            releasable,
        })
    }

    /// One Cedar request: which of the rules hold for this category and this account?
    fn evaluate<'a>(
        &'a self,
        inquiry: &Inquiry<'_>,
        shared: &[(String, cedar_policy::RestrictedExpression)],
        question: &Question<'_>,
        profile: Option<&Profile>,
        entities: &Entities,
        hits: &mut BTreeMap<(Effect, &'a RuleId), Hit>,
    ) -> Result<(), AssessError> {
        let names = &self.names;
        let demand = inquiry.demand;
        let context = inquiry
            .context(names, shared, question.category, profile)
            .map_err(|reason| failed("", reason))?;
        let request = Request::new(
            names.authority(demand.requester.kind),
            names.action(question.category),
            names.uid(&names.instrument, demand.instrument.as_str()),
            context,
            // In tests the request is held against the schema; here it is built from the same code.
            cfg!(test).then_some(&self.schema),
        )
        .map_err(|e| failed("", e.to_string()))?;
        let response = Authorizer::new().is_authorized(&request, question.policies, entities);
        if let Some(error) = response.diagnostics().errors().next() {
            return Err(failed("", error.to_string()));
        }
        for id in response.diagnostics().reason() {
            let id: &str = id.as_ref();
            let found = RuleId::new(id).ok().and_then(|id| self.rules.get_key_value(&id));
            let (id, rule) = found.ok_or_else(|| failed(id, "no such rule".to_owned()))?;
            if !super::table::within(inquiry.as_of, rule.from, rule.until) {
                continue;
            }
            let hit = hits.entry((rule.effect, id)).or_default();
            hit.categories.extend(question.touches);
            if let Some(name) = &rule.clock {
                let clock = self.clock(name, demand, profile).ok_or_else(|| {
                    failed(
                        id.as_str(),
                        format!("clock `{name}` has nothing to count from, or runs past the calendar"),
                    )
                })?;
                hit.clock = Some(match hit.clock.take() {
                    Some(other) => stricter(other, clock),
                    None => clock,
                });
            }
        }
        Ok(())
    }

    fn facts_of(&self, as_of: Date) -> Vec<&str> {
        let facts = self.tables.fact.iter();
        facts
            .filter(|(_, fact)| fact.holds(as_of))
            .map(|(id, _)| id.as_str())
            .collect()
    }

    /// Whether the issuer's time to answer a question is over; nothing where none was asked.
    fn answer_overdue(&self, demand: &Demand, row: Option<&Instrument>, as_of: Date) -> Option<bool> {
        demand.epoc.as_ref()?.clarification_unanswered_since?;
        let clock = row.and_then(|row| row.answer_clock.as_ref());
        let counted = clock.and_then(|clock| self.clock(clock, demand, None));
        Some(counted.is_some_and(|clock| clock.on < as_of))
    }

    fn country_fits(&self, row: Option<&Instrument>, country: &CountryCode, as_of: Date) -> bool {
        row.is_none_or(|row| match &row.country_list {
            Some(list) => self
                .tables
                .list
                .get(list)
                .is_some_and(|list| list.holds(country, as_of)),
            None => row.countries.is_empty() || row.countries.contains(country),
        })
    }

    /// The instrument with its groups, and each country that matters with the lists it stands on that day.
    fn entities(&self, inquiry: &Inquiry<'_>, profile: Option<&Profile>) -> Result<Entities, AssessError> {
        let names = &self.names;
        let demand = inquiry.demand;
        let mut countries = BTreeSet::from([&demand.requester.country]);
        countries.extend(
            demand
                .epoc
                .as_ref()
                .and_then(|epoc| epoc.addressee_country.as_ref()),
        );
        if let Some(profile) = profile {
            countries.extend([&profile.tenant_country, &profile.region_country]);
            countries.extend(profile.person_country.as_ref());
        }
        let mut entities: Vec<Entity> = countries
            .into_iter()
            .map(|code| self.country(code, inquiry.as_of))
            .collect();
        entities.push(match self.instrument_entities.get(&demand.instrument) {
            Some(entity) => entity.clone(),
            None => instrument_entity(names, demand.instrument.as_str(), &[UNKNOWN.to_owned()]),
        });
        Entities::from_entities(entities, None).map_err(|e| failed("", e.to_string()))
    }

    fn country(&self, code: &CountryCode, as_of: Date) -> Entity {
        let names = &self.names;
        let lists = self
            .tables
            .list
            .iter()
            .filter(|(_, list)| list.holds(code, as_of));
        let parents = lists.map(|(id, _)| names.uid(&names.list, id));
        Entity::new_no_attrs(
            names.uid(&names.country, code.as_str()),
            parents.collect::<std::collections::HashSet<EntityUid>>(),
        )
    }

    fn finding(&self, id: &RuleId, hit: Hit, demand: &Demand, row: Option<&Instrument>) -> Option<Finding> {
        let rule = self.rules.get(id)?;
        Some(Finding {
            rule: id.clone(),
            effect: rule.effect,
            promise: rule.promise,
            categories: hit.categories.into_iter().collect(),
            citation: rule.citation.clone(),
            explanation: fill_in(rule, demand, row),
            duty: rule.duty,
            clock: hit.clock,
        })
    }

    fn clock(&self, name: &str, demand: &Demand, profile: Option<&Profile>) -> Option<Clock> {
        let row = self.tables.clock.get(name)?;
        let of_instrument = self
            .tables
            .instrument
            .get(&demand.instrument)
            .map(|row| &row.calendar);
        let family = row
            .calendar
            .as_ref()
            .or(of_instrument)
            .unwrap_or(&self.default_calendar);
        let calendar = self.calendar(family, demand, profile)?;
        let counted = count(row, calendar, demand)?;
        Some(Clock {
            kind: row.kind,
            at: counted.at,
            on: counted.on,
            counted: counted.words,
        })
    }

    /// A calendar, or where it has one for the country in which the provider is addressed, that.
    fn calendar(&self, family: &str, demand: &Demand, profile: Option<&Profile>) -> Option<&Calendar> {
        let addressee = demand
            .epoc
            .as_ref()
            .and_then(|epoc| epoc.addressee_country.as_ref());
        let places = [
            addressee,
            profile.map(|p| &p.region_country),
            profile.map(|p| &p.tenant_country),
        ];
        let local = places.into_iter().flatten().find_map(|country| {
            let name = format!("{family}.{}", country.as_str().to_lowercase());
            self.tables.calendar.get(&name)
        });
        local.or_else(|| self.tables.calendar.get(family))
    }
}

fn count(row: &ClockRow, calendar: &Calendar, demand: &Demand) -> Option<Counted> {
    let days = |from: Date, start| match (row.months, row.working_days) {
        (Some(months), _) => calendar.months_after(from, start, months, row.roll),
        (None, Some(days)) => calendar.working_days_after(from, start, days),
        (None, None) => calendar.days_after(from, start, row.days?, row.roll),
    };
    match row.start {
        Start::Service => match row.hours {
            Some(hours) => calendar.hours_after(demand.served_at, "service", hours),
            None => days(calendar.date_of(demand.served_at), "service on"),
        },
        Start::ReturnDate => days(demand.return_on?, "the date on the instrument,"),
        Start::Clarification => days(
            demand.epoc.as_ref()?.clarification_unanswered_since?,
            "the question to the issuer on",
        ),
        Start::GagEnd => days(demand.gag.as_ref()?.until?, "the last day of the prohibition,"),
    }
}

/// Of two dates of one rule, for accounts in two places, the one that is safe for both.
fn stricter(a: Clock, b: Clock) -> Clock {
    let later = a.at < b.at;
    let take_later = match a.kind {
        ClockKind::NotBefore => true,
        ClockKind::Deadline | ClockKind::ObjectBy | ClockKind::Expires => false,
    };
    if later == take_later { b } else { a }
}

fn fill_in(rule: &Rule, demand: &Demand, row: Option<&Instrument>) -> String {
    if !rule.explanation.contains('{') {
        return rule.explanation.clone();
    }
    let (name, basis) = row.map_or(("", ""), |row| (row.name.as_str(), row.basis.as_str()));
    let country = demand.requester.country.as_str();
    rule.explanation
        .replace("{name}", name)
        .replace("{basis}", basis)
        .replace("{country}", country)
        .replace("{requester}", &word(&demand.requester.kind).replace('_', " "))
        .replace("{instrument}", demand.instrument.as_str())
}

fn failed(rule: &str, reason: String) -> AssessError {
    AssessError {
        rule: rule.to_owned(),
        reason,
    }
}
