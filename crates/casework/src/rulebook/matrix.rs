//! Legal process fits the data (P5), tried whole: every instrument, with every issuer, for every category.
//!
//! The table says what an instrument reaches; the rules must say so too, with a reason, or the rulebook is refused. A
//! new country cannot forget a rule.

use jiff::{Timestamp, civil::Date};

use super::{ExampleFailure, Rulebook, context::word, table::Instrument};
use crate::{
    demand::{
        AuthorityKind, Category, CountryCode, Demand, DemandSchema, Offence, Requester, Sequel, Showing,
        Subject, Window,
    },
    finding::Effect,
    ids::InstrumentId,
};

const CATEGORIES: [Category; 7] = [
    Category::Subscriber,
    Category::Identification,
    Category::Traffic,
    Category::Content,
    Category::Realtime,
    Category::Assistance,
    Category::NonPersonal,
];

const ISSUERS: [AuthorityKind; 8] = [
    AuthorityKind::Court,
    AuthorityKind::Prosecutor,
    AuthorityKind::GrandJury,
    AuthorityKind::Police,
    AuthorityKind::Agency,
    AuthorityKind::Security,
    AuthorityKind::Private,
    AuthorityKind::Unknown,
];

/// Everything that does not fit.
pub(super) fn check(rulebook: &Rulebook) -> Vec<ExampleFailure> {
    let mut failures = Vec::new();
    for (id, row) in rulebook.instruments().filter(|(_, row)| row.built) {
        for issuer in ISSUERS {
            for reason in misfits(rulebook, id, row, issuer) {
                failures.push(ExampleFailure {
                    file: format!("instrument {id}"),
                    example: format!("issued by {}", word(&issuer)),
                    reason,
                });
            }
        }
    }
    failures
}

fn misfits(rulebook: &Rulebook, id: &InstrumentId, row: &Instrument, issuer: AuthorityKind) -> Vec<String> {
    let Some((demand, as_of)) = flawless(rulebook, id, row, issuer) else {
        return vec!["no demand could be made up to try it".to_owned()];
    };
    let assessment = match rulebook.assess_on_its_face(&demand, None, as_of) {
        Ok(assessment) => assessment,
        Err(error) => return vec![error.to_string()],
    };
    let issuer_fits = row.issued_by(issuer);
    let mut reasons = Vec::new();
    for category in CATEGORIES {
        let barred = assessment
            .findings
            .iter()
            .any(|finding| finding.effect == Effect::Bar && finding.categories.contains(&category));
        let reached = row.reaches(category);
        let open = reached && issuer_fits;
        if !(barred || open) {
            reasons.push(format!(
                "`{}` is beyond it by its row, and no rule bars that",
                word(&category)
            ));
        }
    }
    reasons
}

/// A demand without a fault but, perhaps, its issuer and what it asks for.
fn flawless(
    rulebook: &Rulebook,
    id: &InstrumentId,
    row: &Instrument,
    issuer: AuthorityKind,
) -> Option<(Demand, Date)> {
    let as_of = row.from.unwrap_or(row.verified_on).max(row.verified_on);
    let listed = row
        .country_list
        .as_ref()
        .and_then(|list| rulebook.tables.list.get(list));
    let country = match listed {
        Some(list) => list
            .entries
            .iter()
            .map(|entry| &entry.country)
            .find(|country| list.holds(country, as_of)),
        None => row.countries.first(),
    };
    let instant = |text: &str| text.parse::<Timestamp>().ok();
    let demand = Demand {
        schema: DemandSchema::V1,
        instrument: id.clone(),
        reference: None,
        served_at: instant("2026-11-02T12:00:00Z")?,
        requester: Requester {
            authority: "authority".to_owned(),
            country: country.cloned().or_else(|| CountryCode::new("CH").ok())?,
            kind: issuer,
            officer: None,
            email: None,
        },
        issuer: None,
        issued_on: Some(as_of),
        return_on: None,
        subjects: vec![Subject::Account {
            value: "account".to_owned(),
        }],
        categories: CATEGORIES.to_vec(),
        location: false,
        window: Window::new(instant("2026-01-01T00:00:00Z")?, instant("2026-02-01T00:00:00Z")?).ok(),
        items: Vec::new(),
        showing: Showing {
            signed: true,
            probable_cause: true,
            specific_facts: true,
            particularity: true,
            certified: true,
            statute_named: true,
            review_rights_notified: true,
            treaty: Some("treaty".to_owned()),
        },
        gag: None,
        emergency: None,
        offence: Some(Offence {
            provision: "provision".to_owned(),
            max_sentence_months: Some(120),
            epoc_listed: true,
        }),
        epoc: None,
        sequel: Sequel::default(),
    };
    Some((demand, as_of))
}
