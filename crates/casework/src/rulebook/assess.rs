//! Applying a rulebook to a demand.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Authorizer, Entities, Entity, EntityUid, PolicySet, Request};
use jiff::{civil::Date, tz::TimeZone};

use super::{
    AssessError, LANGUAGE, Rulebook,
    calendar::Calendar,
    context::{Inquiry, Profile, word},
    load::{UNKNOWN, instrument_entity},
    rule::Rule,
    running::Running,
    table::Instrument,
};
use crate::{
    demand::{Category, CountryCode, Demand, Gag},
    facts::Facts,
    finding::{Assessment, Clock, ClockKind, DutyKind, Effect, Finding, RulebookRef},
    ids::RuleId,
};

/// A rule that applies: to which categories, for which prohibitions of notice, and for a clock, when.
#[derive(Default)]
struct Hit {
    categories: BTreeSet<Category>,
    gags: BTreeSet<u32>,
    clock: Option<Clock>,
}

/// Which rule, with what effect; of a clock that runs for one prohibition of notice, which, counted from 1.
type Key<'a> = (Effect, &'a RuleId, u32);
type Hits<'a> = BTreeMap<Key<'a>, Hit>;

/// What one request asks: these policies, about this category, and which categories their answer touches.
struct Question<'a> {
    policies: &'a PolicySet,
    category: Option<Category>,
    touches: &'a [Category],
}

/// About whom a request asks, and under which prohibition of notice.
#[derive(Clone, Copy)]
struct Round<'a> {
    profile: Option<&'a Profile>,
    gag: Option<(u32, &'a Gag)>,
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
            keeping_over: self.keeping_over(demand, row, as_of),
        };
        let mut hits = Hits::new();
        let categories: BTreeSet<Category> = demand.categories.iter().copied().collect();
        // Each prohibition of notice is judged by itself; one round without any where there is none.
        let numbered: Vec<(u32, &Gag)> = (0..).zip(demand.gags()).collect();
        let gags: Vec<Option<(u32, &Gag)>> = if numbered.is_empty() {
            vec![None]
        } else {
            numbered.into_iter().map(Some).collect()
        };
        for profile in inquiry.profiles() {
            let entities = self.entities(&inquiry, profile.as_ref())?;
            let mut rounds = Vec::new();
            for gag in &gags {
                let mut found = Hits::new();
                let round = Round {
                    profile: profile.as_ref(),
                    gag: *gag,
                };
                self.ask(&inquiry, round, &categories, &entities, &mut found)?;
                rounds.push(found);
            }
            self.take_together(rounds, &mut hits);
        }
        let barred: BTreeSet<Category> = hits
            .iter()
            .filter(|((effect, ..), _)| *effect == Effect::Bar)
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
                .filter_map(|((_, id, _), hit)| self.finding(id, hit, demand, row))
                .collect(),
            releasable,
        })
    }

    /// Puts every question of one round.
    fn ask<'a>(
        &'a self,
        inquiry: &Inquiry<'_>,
        round: Round<'_>,
        categories: &BTreeSet<Category>,
        entities: &Entities,
        hits: &mut Hits<'a>,
    ) -> Result<(), AssessError> {
        let demand = inquiry.demand;
        let shared = inquiry.shared(&self.names, round.gag.map(|(_, gag)| gag));
        let asked: Vec<Option<Category>> = categories
            .iter()
            .copied()
            .map(Some)
            .chain(categories.is_empty().then_some(None))
            .collect();
        let part = self.parts.get(&demand.instrument).unwrap_or(&self.unknown);
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
            self.evaluate(inquiry, &shared, &question, round, entities, hits)?;
        }
        Ok(())
    }

    /// Adds what the rounds of one account found, one for each prohibition of notice, to what is found of all. That the
    /// customer is to be told holds only where every round finds it: one prohibition that binds is enough for silence.
    fn take_together<'a>(&'a self, rounds: Vec<Hits<'a>>, hits: &mut Hits<'a>) {
        let tells = |id: &RuleId| {
            self.rules
                .get(id)
                .is_some_and(|rule| rule.duty == Some(DutyKind::NotifyTenant))
        };
        let everywhere: BTreeSet<Key<'a>> = match rounds.split_first() {
            Some((first, rest)) => first
                .keys()
                .filter(|key| rest.iter().all(|round| round.contains_key(*key)))
                .copied()
                .collect(),
            None => BTreeSet::new(),
        };
        for (key, found) in rounds.into_iter().flatten() {
            let told = tells(key.1);
            if told && !everywhere.contains(&key) {
                continue;
            }
            let hit = hits.entry(key).or_default();
            hit.categories.extend(found.categories);
            if !told {
                hit.gags.extend(found.gags);
            }
            hit.clock = match (hit.clock.take(), found.clock) {
                (Some(one), Some(other)) => Some(stricter(one, other)),
                (one, other) => one.or(other),
            };
        }
    }

    /// One Cedar request: which of the rules hold for this category and this account?
    fn evaluate<'a>(
        &'a self,
        inquiry: &Inquiry<'_>,
        shared: &[(String, cedar_policy::RestrictedExpression)],
        question: &Question<'_>,
        round: Round<'_>,
        entities: &Entities,
        hits: &mut Hits<'a>,
    ) -> Result<(), AssessError> {
        let names = &self.names;
        let demand = inquiry.demand;
        let context = inquiry
            .context(names, shared, question.category, round.profile)
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
            let row = rule.clock.as_ref().and_then(|name| self.tables.clock.get(name));
            let turns_on_gags = round.gag.filter(|_| rule.turns_on_gags());
            let of_a_gag = row.filter(|row| row.is_of_a_gag()).and(round.gag);
            let key = (
                rule.effect,
                id,
                of_a_gag.map_or(0, |(number, _)| number.saturating_add(1)),
            );
            let hit = hits.entry(key).or_default();
            hit.categories.extend(question.touches);
            hit.gags.extend(turns_on_gags.map(|(number, _)| number));
            if let Some(name) = &rule.clock {
                let gag = round.gag.map(|(_, gag)| gag);
                let clock = self.clock(name, id, inquiry, round.profile, gag).ok_or_else(|| {
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
        asked_since(demand, row?, as_of)?;
        let clock = row.and_then(|row| row.answer_clock.as_ref());
        let nobody = RuleId::new("none").ok()?;
        let counted = clock.and_then(|clock| self.falls(clock, &nobody, demand, None, None, as_of));
        Some(counted.is_some_and(|clock| clock.on < as_of))
    }

    /// Whether the time for which something was preserved is over.
    fn keeping_over(&self, demand: &Demand, row: Option<&Instrument>, as_of: Date) -> bool {
        let rule = row.and_then(|row| self.rules.get(row.keeping_rule.as_ref()?));
        let clock = rule.and_then(|rule| Some((rule, rule.clock.as_ref()?)));
        let counted = clock.and_then(|(rule, clock)| self.falls(clock, &rule.id, demand, None, None, as_of));
        !demand.sequel.production_follows && counted.is_some_and(|clock| clock.on < as_of)
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
            gags: hit.gags.into_iter().collect(),
        })
    }

    fn clock(
        &self,
        name: &str,
        rule: &RuleId,
        inquiry: &Inquiry<'_>,
        profile: Option<&Profile>,
        gag: Option<&Gag>,
    ) -> Option<Clock> {
        self.falls(name, rule, inquiry.demand, profile, gag, inquiry.as_of)
    }

    fn falls(
        &self,
        name: &str,
        rule: &RuleId,
        demand: &Demand,
        profile: Option<&Profile>,
        gag: Option<&Gag>,
        as_of: Date,
    ) -> Option<Clock> {
        let row = self.tables.clock.get(name)?;
        let instrument = self.tables.instrument.get(&demand.instrument);
        let of_instrument = instrument.map(|row| &row.calendar);
        let family = row
            .calendar
            .as_ref()
            .or(of_instrument)
            .unwrap_or(&self.default_calendar);
        let running = Running {
            row,
            calendar: self.calendar(family, demand, profile)?,
            demand,
            gag,
            rule,
            as_of,
            asked: instrument.and_then(|instrument| asked_since(demand, instrument, as_of)),
        };
        running.falls()
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

/// Since when the issuer owes an answer: as the demand says, or as a question filed in the case shows.
fn asked_since(demand: &Demand, row: &Instrument, as_of: Date) -> Option<Date> {
    let said = demand
        .epoc
        .as_ref()
        .and_then(|epoc| epoc.clarification_unanswered_since);
    let day = |at| TimeZone::UTC.to_datetime(at).date();
    let open = demand.sequel.pauses.iter().filter(|pause| {
        row.questions.contains(&pause.by)
            && day(pause.from) <= as_of
            && pause.until.is_none_or(|until| day(until) > as_of)
    });
    said.or_else(|| open.map(|pause| day(pause.from)).min())
}

/// Of two dates of one rule, for accounts in two places, the one that is safe for both.
fn stricter(a: Clock, b: Clock) -> Clock {
    let later = a.at < b.at;
    let take_later = match a.kind {
        ClockKind::NotBefore => true,
        ClockKind::Deadline | ClockKind::ObjectBy | ClockKind::Expires | ClockKind::ReviewBy => false,
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
