//! What a rule can see of a demand: the context of a Cedar request, as `schema.cedarschema` declares it.

use std::{collections::BTreeSet, str::FromStr};

use cedar_policy::{Context, EntityId, EntityTypeName, EntityUid, RestrictedExpression as Expr};
use jiff::{ToSpan, civil::Date};
use serde::Serialize;

use super::table::{GagMode, Instrument, within};
use crate::{
    demand::{AuthorityKind, Category, CountryCode, Demand, EpocParticulars, Gag, Subject},
    facts::{AccountFacts, Facts, RequesterCheck, Resolution},
};

/// Cedar's names of the kinds of thing that rules speak of, parsed once.
pub(super) struct Names {
    pub(super) instrument: EntityTypeName,
    pub(super) group: EntityTypeName,
    pub(super) country: EntityTypeName,
    pub(super) list: EntityTypeName,
    action: EntityTypeName,
    authority: EntityTypeName,
    category: EntityTypeName,
    selector: EntityTypeName,
    notice: EntityTypeName,
    check: EntityTypeName,
    tenant: EntityTypeName,
    fact: EntityTypeName,
}

impl Names {
    pub(super) fn new() -> Result<Self, String> {
        let name = |text: &str| EntityTypeName::from_str(text).map_err(|e| e.to_string());
        Ok(Self {
            instrument: name("Instrument")?,
            group: name("Group")?,
            country: name("Country")?,
            list: name("List")?,
            action: name("Action")?,
            authority: name("Authority")?,
            category: name("Category")?,
            selector: name("Selector")?,
            notice: name("Notice")?,
            check: name("Check")?,
            tenant: name("Tenant")?,
            fact: name("Fact")?,
        })
    }

    pub(super) fn uid(&self, kind: &EntityTypeName, id: &str) -> EntityUid {
        EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
    }

    /// The action that stands for asking for a category; `nothing` where a demand names none.
    pub(super) fn action(&self, category: Option<Category>) -> EntityUid {
        self.uid(
            &self.action,
            &category.map_or("nothing".to_owned(), |category| word(&category)),
        )
    }

    pub(super) fn authority(&self, kind: AuthorityKind) -> EntityUid {
        self.uid(&self.authority, &word(&kind))
    }
}

/// Everything an assessment looks at.
pub(super) struct Inquiry<'a> {
    pub(super) demand: &'a Demand,
    /// Absent when the demand is read on its face.
    pub(super) facts: Option<&'a Facts>,
    /// Whether the demand is read on its face: nobody has looked up an account yet.
    pub(super) on_its_face: bool,
    pub(super) as_of: Date,
    /// The instrument's row, if it is known and built.
    pub(super) row: Option<&'a Instrument>,
    /// Whether the requester's country is one whose authorities can use it.
    pub(super) country_fits: bool,
    /// The dated facts that hold on that day.
    pub(super) facts_of_the_day: Vec<&'a str>,
    /// Where the issuer was asked for what is missing and has not answered: whether its time to answer is over.
    pub(super) answer_overdue: Option<bool>,
    /// Whether the time for which something was preserved is over.
    pub(super) keeping_over: bool,
}

/// What bears on the law about one account. Accounts that agree in all of it are judged together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Profile {
    pub(super) tenant_kind: crate::facts::TenantKind,
    pub(super) tenant_country: CountryCode,
    pub(super) region_country: CountryCode,
    pub(super) person_country: Option<CountryCode>,
    us_person: Option<bool>,
    privileged: Option<bool>,
    customer_holds_keys: Option<bool>,
}

impl Profile {
    /// One for each country in which data of the account lies: the law of every one counts.
    fn of(facts: &AccountFacts) -> impl Iterator<Item = Self> {
        facts.places().map(|(_, country)| Self {
            tenant_kind: facts.tenant_kind,
            tenant_country: facts.tenant_country.clone(),
            region_country: country.clone(),
            person_country: facts.person_country.clone(),
            us_person: facts.us_person,
            privileged: facts.privileged,
            customer_holds_keys: facts.customer_holds_keys,
        })
    }
}

impl Inquiry<'_> {
    /// The distinct profiles among the accounts; a single unknown one where none is known.
    pub(super) fn profiles(&self) -> Vec<Option<Profile>> {
        let known: BTreeSet<Profile> = self
            .resolved()
            .iter()
            .filter_map(|resolution| match resolution {
                Resolution::One(account) => Some(Profile::of(account)),
                Resolution::None | Resolution::Several { .. } | Resolution::Unspecific => None,
            })
            .flatten()
            .collect();
        if known.is_empty() {
            vec![None]
        } else {
            known.into_iter().map(Some).collect()
        }
    }

    /// Whether the issuer, or who validated the order, is one that the instrument asks for.
    pub(super) fn issuer_fits(&self) -> bool {
        self.row.is_some_and(|row| {
            row.issuers.is_empty()
                || row.issuers.contains(&self.issuer())
                || self
                    .validated_by()
                    .is_some_and(|kind| row.validators.contains(&kind))
        })
    }

    fn resolved(&self) -> &[Resolution] {
        self.facts.map_or(&[], |facts| facts.resolved.as_slice())
    }

    fn issuer(&self) -> AuthorityKind {
        self.demand
            .issuer
            .as_ref()
            .map_or(self.demand.requester.kind, |issuer| issuer.kind)
    }

    fn validated_by(&self) -> Option<AuthorityKind> {
        self.demand.issuer.as_ref().and_then(|issuer| issuer.validated_by)
    }

    /// The parts of the context that are the same for every category and account, under one prohibition of notice.
    pub(super) fn shared(&self, names: &Names, gag: Option<&Gag>) -> Vec<(String, Expr)> {
        let demand = self.demand;
        let objected = demand
            .sequel
            .silence_objected_on
            .is_some_and(|on| on <= self.as_of);
        let mut context = vec![
            pair("on_its_face", bool(self.on_its_face)),
            pair(
                "in_force",
                bool(self.row.is_none_or(|row| row.in_force(self.as_of))),
            ),
            pair("requester", self.requester(names)),
            pair("issuer", self.issuer_record(names)),
            pair("subjects", self.subjects(names)),
            pair("showing", self.showing()),
            pair("epoc", self.epoc(names)),
            pair(
                "asks",
                set(demand
                    .categories
                    .iter()
                    .map(|c| entity(names, &names.category, &word(c)))),
            ),
            pair(
                "facts",
                set(self
                    .facts_of_the_day
                    .iter()
                    .map(|id| entity(names, &names.fact, id))),
            ),
            pair("location", bool(demand.location)),
            pair("keeping_over", bool(self.keeping_over)),
            pair("production_follows", bool(demand.sequel.production_follows)),
            pair("silence_objected", bool(objected)),
            pair("issued", bool(demand.issued_on.is_some())),
            pair("has_return_date", bool(demand.return_on.is_some())),
            pair(
                "return_date_passed",
                bool(demand.return_on.is_some_and(|on| on < self.served_on())),
            ),
        ];
        if let Some(consents) = self.facts.and_then(|facts| facts.controller_consents) {
            context.push(pair("controller_consents", bool(consents)));
        }
        let since = i64::from((self.as_of - self.served_on()).get_days());
        context.push(pair("days_since_service", Expr::new_long(since)));
        if let Some(issued_on) = demand.issued_on {
            let days = i64::from((self.served_on() - issued_on).get_days());
            context.push(pair("days_from_issue_to_service", Expr::new_long(days)));
        }
        if let Some(window) = demand.window {
            let tomorrow = demand
                .served_at
                .checked_add(24.hours())
                .unwrap_or(demand.served_at);
            let begins_after = window.from >= demand.served_at;
            let ends_after = window.until > tomorrow;
            let days = |from: jiff::Timestamp| {
                let hours = window.until.duration_since(from).as_hours();
                hours.saturating_add(23).max(0) / 24
            };
            context.push(pair(
                "window",
                record([
                    pair("begins_after_service", bool(begins_after)),
                    pair("ends_after_service", bool(ends_after)),
                    pair("days", Expr::new_long(days(window.from))),
                    pair(
                        "days_after_service",
                        Expr::new_long(days(window.from.max(demand.served_at))),
                    ),
                ]),
            ));
        }
        if let Some(gag) = gag {
            context.push(pair("gag", self.gag(names, gag)));
        }
        if let Some(emergency) = &demand.emergency {
            context.push(pair(
                "emergency",
                record([pair("danger_to_life", bool(emergency.danger_to_life))]),
            ));
        }
        if let Some(offence) = &demand.offence {
            let mut fields = vec![pair("epoc_listed", bool(offence.epoc_listed))];
            if let Some(months) = offence.max_sentence_months {
                fields.push(pair("max_sentence_months", Expr::new_long(i64::from(months))));
            }
            context.push(pair("offence", record(fields)));
        }
        context
    }

    /// The whole context for one category and one account's profile.
    pub(super) fn context(
        &self,
        names: &Names,
        shared: &[(String, Expr)],
        category: Option<Category>,
        profile: Option<&Profile>,
    ) -> Result<Context, String> {
        let fits = match (category, self.row) {
            (Some(category), Some(row)) => row.categories.contains(&category),
            (None, _) | (_, None) => false,
        };
        let mut context = shared.to_vec();
        context.push(pair("category_fits", bool(fits)));
        if let Some(profile) = profile {
            context.push(pair("account", account(names, profile)));
        }
        Context::from_pairs(context).map_err(|e| e.to_string())
    }

    fn served_on(&self) -> Date {
        jiff::tz::TimeZone::UTC.to_datetime(self.demand.served_at).date()
    }

    fn requester(&self, names: &Names) -> Expr {
        let check = self
            .facts
            .map_or(RequesterCheck::Unchecked, |facts| facts.requester);
        record([
            pair(
                "country",
                entity(names, &names.country, self.demand.requester.country.as_str()),
            ),
            pair("country_fits", bool(self.country_fits)),
            pair("check", entity(names, &names.check, &word(&check))),
            pair("check_known", bool(self.facts.is_some())),
        ])
    }

    fn issuer_record(&self, names: &Names) -> Expr {
        let title = self
            .demand
            .issuer
            .as_ref()
            .and_then(|issuer| issuer.title.as_deref());
        let title_fits = self.row.is_some_and(|row| {
            row.titles.is_empty() || title.is_some_and(|title| row.titles.contains(&rank(title)))
        });
        let mut fields = vec![
            pair("kind", entity(names, &names.authority, &word(&self.issuer()))),
            pair("fits", bool(self.issuer_fits())),
            pair("title_given", bool(title.is_some())),
            pair("title_fits", bool(title_fits)),
        ];
        if let Some(kind) = self.validated_by() {
            fields.push(pair(
                "validated_by",
                entity(names, &names.authority, &word(&kind)),
            ));
        }
        record(fields)
    }

    fn subjects(&self, names: &Names) -> Expr {
        let subjects = &self.demand.subjects;
        let count = |is: &dyn Fn(&Resolution) -> bool| {
            Expr::new_long(
                i64::try_from(self.resolved().iter().filter(|r| is(r)).count()).unwrap_or(i64::MAX),
            )
        };
        let selectors: BTreeSet<_> = subjects
            .iter()
            .filter_map(|subject| match subject {
                Subject::Selector { kind, .. } => Some(*kind),
                _ => None,
            })
            .collect();
        let portless = subjects
            .iter()
            .any(|subject| matches!(subject, Subject::Ip { port: None, .. }));
        record([
            pair(
                "count",
                Expr::new_long(i64::try_from(subjects.len()).unwrap_or(i64::MAX)),
            ),
            pair(
                "selectors",
                set(selectors
                    .iter()
                    .map(|kind| entity(names, &names.selector, &word(kind)))),
            ),
            pair("address_without_port", bool(portless)),
            pair("looked_up", bool(self.resolved().len() == subjects.len())),
            pair("accounts", count(&|r| matches!(r, Resolution::One(_)))),
            pair("ambiguous", count(&|r| matches!(r, Resolution::Several { .. }))),
            pair("unspecific", count(&|r| matches!(r, Resolution::Unspecific))),
        ])
    }

    fn showing(&self) -> Expr {
        let showing = &self.demand.showing;
        record([
            pair("signed", bool(showing.signed)),
            pair("probable_cause", bool(showing.probable_cause)),
            pair("specific_facts", bool(showing.specific_facts)),
            pair("particularity", bool(showing.particularity)),
            pair("certified", bool(showing.certified)),
            pair("statute_named", bool(showing.statute_named)),
            pair("review_rights_notified", bool(showing.review_rights_notified)),
            pair("treaty", bool(showing.treaty.is_some())),
        ])
    }

    fn gag(&self, names: &Names, gag: &Gag) -> Expr {
        let showing = &self.demand.showing;
        let binding = match self.row.map_or(GagMode::CourtOrder, |row| row.gag) {
            GagMode::CourtOrder => gag.court_ordered,
            GagMode::CertifiedWithReviewNotice => {
                gag.court_ordered || (showing.certified && showing.review_rights_notified)
            }
            GagMode::Issuer => true,
            GagMode::Never => false,
        };
        let days = gag.until.map(|until| i64::from((until - gag.from).get_days()));
        let mut fields = vec![
            pair(
                "law",
                Expr::new_string(
                    gag.basis
                        .as_ref()
                        .map_or(String::new(), |law| law.as_str().to_owned()),
                ),
            ),
            pair("law_named", bool(gag.basis.is_some())),
            pair("process_named", bool(gag.process.is_some())),
            pair("court_ordered", bool(gag.court_ordered)),
            pair("individual_findings", bool(gag.individual_findings)),
            pair("in_force", bool(within(self.as_of, Some(gag.from), gag.until))),
            pair("over", bool(gag.until.is_some_and(|until| until < self.as_of))),
            pair("binding", bool(binding)),
            pair(
                "forbids",
                set(gag
                    .forbids
                    .iter()
                    .map(|to| entity(names, &names.notice, &word(to)))),
            ),
        ];
        if let Some(days) = days {
            fields.push(pair("days", Expr::new_long(days)));
        }
        record(fields)
    }

    fn epoc(&self, names: &Names) -> Expr {
        let absent = EpocParticulars::default();
        let epoc = self.demand.epoc.as_ref().unwrap_or(&absent);
        let mut fields = vec![
            pair(
                "enforcing_authority_notified",
                bool(epoc.enforcing_authority_notified),
            ),
            pair(
                "enforcing_authority_cleared",
                bool(epoc.enforcing_authority_cleared),
            ),
            pair("domestic_link", bool(epoc.domestic_link)),
            pair(
                "says_why_processor",
                bool(epoc.processor_addressed_because.is_some()),
            ),
            pair(
                "says_why_controller_not_told",
                bool(epoc.controller_not_to_be_told_because.is_some()),
            ),
        ];
        if let Some(overdue) = self.answer_overdue {
            fields.push(pair("unanswered", record([pair("overdue", bool(overdue))])));
        }
        if let Some(country) = &epoc.addressee_country {
            fields.push(pair(
                "addressee_country",
                entity(names, &names.country, country.as_str()),
            ));
        }
        record(fields)
    }
}

fn account(names: &Names, profile: &Profile) -> Expr {
    let country = |code: &CountryCode| entity(names, &names.country, code.as_str());
    let mut fields = vec![
        pair(
            "tenant",
            entity(names, &names.tenant, &word(&profile.tenant_kind)),
        ),
        pair("tenant_country", country(&profile.tenant_country)),
        pair("region_country", country(&profile.region_country)),
    ];
    if let Some(code) = &profile.person_country {
        fields.push(pair("person_country", country(code)));
    }
    if let Some(known) = profile.us_person {
        fields.push(pair("us_person", bool(known)));
    }
    if let Some(known) = profile.privileged {
        fields.push(pair("privileged", bool(known)));
    }
    if let Some(known) = profile.customer_holds_keys {
        fields.push(pair("customer_holds_keys", bool(known)));
    }
    record(fields)
}

/// A rank without whom it acts for and where: `Acting Special Agent in Charge, Boston` is `special agent in charge`.
fn rank(title: &str) -> String {
    let lower = title.to_lowercase();
    let cut = [",", "(", ";", " of ", " for ", " - "]
        .iter()
        .filter_map(|mark| lower.find(mark))
        .min()
        .and_then(|at| lower.get(..at))
        .unwrap_or(&lower);
    let words: Vec<&str> = cut.split_whitespace().filter(|word| *word != "acting").collect();
    words.join(" ")
}

/// The word by which a plain enumeration writes a value.
pub(super) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        _ => String::new(),
    }
}

fn pair(key: &str, value: Expr) -> (String, Expr) {
    (key.to_owned(), value)
}
fn bool(value: bool) -> Expr {
    Expr::new_bool(value)
}
fn entity(names: &Names, kind: &EntityTypeName, id: &str) -> Expr {
    Expr::new_entity_uid(names.uid(kind, id))
}
fn set(values: impl IntoIterator<Item = Expr>) -> Expr {
    Expr::new_set(values)
}
/// Keys are literals, each written once above, so a record cannot fail; an empty one would match no rule's schema.
fn record(fields: impl IntoIterator<Item = (String, Expr)>) -> Expr {
    Expr::new_record(fields).unwrap_or_else(|_| Expr::new_bool(false))
}
