//! The law applied: what holds for every demand, whatever it says.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says so by failing"
)]

use std::collections::BTreeSet;

use casework::{
    canonical,
    demand::{
        AuthorityKind, Category, CountryCode, Demand, DemandSchema, Emergency, EpocParticulars, Extension,
        Gag, Issuer, NoticeTo, Offence, Pause, Requester, SelectorKind, Sequel, Showing, Subject, Window,
    },
    facts::{AccountFacts, Facts, RequesterCheck, Resolution, TenantKind},
    finding::Effect,
    ids::{AccountId, InstrumentId, RegionId, RuleId, TenantId},
    rulebook::Rulebook,
};
use jiff::{Timestamp, civil::Date};
use proptest::{option, prelude::*, sample::select};

fn kinds() -> impl Strategy<Value = AuthorityKind> {
    use AuthorityKind::*;
    select(vec![
        Court, Prosecutor, GrandJury, Police, Agency, Security, Private, Unknown,
    ])
}
fn categories() -> impl Strategy<Value = Vec<Category>> {
    use Category::*;
    proptest::sample::subsequence(
        vec![
            Subscriber,
            Identification,
            Traffic,
            Content,
            Realtime,
            Assistance,
            NonPersonal,
        ],
        0..=7,
    )
}
fn instruments() -> impl Strategy<Value = InstrumentId> {
    let mut ids: Vec<InstrumentId> = Rulebook::builtin()
        .instruments()
        .map(|(id, _)| id.clone())
        .collect();
    ids.push(InstrumentId::new("zz.decree").unwrap());
    select(ids)
}
fn countries() -> impl Strategy<Value = CountryCode> {
    select(vec!["US", "DE", "FR", "DK", "GB", "AU", "BR", "CN", "GR", "TV"])
        .prop_map(|c| CountryCode::new(c).unwrap())
}
fn instants() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        8 => (1_600_000_000_i64..1_900_000_000).prop_map(|s| Timestamp::from_second(s).unwrap()),
        1 => Just(Timestamp::MAX),
        1 => Just(Timestamp::MIN),
    ]
}
fn dates() -> impl Strategy<Value = Date> {
    prop_oneof![
        8 => (2020_i16..2030, 1_i8..=12, 1_i8..=28).prop_map(|(y, m, d)| Date::new(y, m, d).unwrap()),
        1 => Just(Date::MAX),
        1 => Just(Date::MIN),
    ]
}
fn subjects() -> impl Strategy<Value = Subject> {
    use SelectorKind::*;
    prop_oneof![
        3 => Just(Subject::Account { value: "alice".to_owned() }),
        1 => Just(Subject::Phone { value: "+12065550100".to_owned() }),
        1 => (option::of(any::<u16>()), instants()).prop_map(|(port, at)| Subject::Ip { address: [192, 0, 2, 1].into(), port, at }),
        1 => select(vec![Domain, Area, Keyword, Tenant, Other]).prop_map(|kind| Subject::Selector { kind, value: "all".to_owned() }),
    ]
}
fn gags() -> impl Strategy<Value = Gag> {
    use NoticeTo::*;
    let forbids = proptest::sample::subsequence(vec![Tenant, Person, Public], 0..=3);
    (any::<[bool; 3]>(), dates(), option::of(dates()), forbids).prop_map(|(b, from, until, forbids)| Gag {
        basis: b[0].then(|| InstrumentId::new("us.gag.2705b").unwrap()),
        process: b[2].then(|| "26-mj-0042".to_owned()),
        authority: None,
        reference: None,
        until_event: None,
        court_ordered: b[1],
        individual_findings: b[2],
        from,
        until,
        forbids,
    })
}
prop_compose! {
    fn showings()(b in any::<[bool; 8]>()) -> Showing {
        Showing {
            signed: b[0],
            probable_cause: b[1],
            specific_facts: b[2],
            particularity: b[3],
            certified: b[4],
            statute_named: b[5],
            review_rights_notified: b[6],
            treaty: b[7].then(|| "treaty".to_owned()),
        }
    }
}
prop_compose! {
    fn epocs()(
        addressee_country in option::of(countries()),
        b in any::<[bool; 5]>(),
        clarification_unanswered_since in option::of(dates()),
    ) -> EpocParticulars {
        EpocParticulars {
            addressee_country,
            enforcing_authority_notified: b[0],
            enforcing_authority_cleared: b[1],
            domestic_link: b[2],
            processor_addressed_because: b[3].then(|| "so".to_owned()),
            controller_not_to_be_told_because: b[4].then(|| "so".to_owned()),
            clarification_unanswered_since,
        }
    }
}
prop_compose! {
    fn issuers()(kind in kinds(), title in option::of("[A-Za-z ,()]{0,30}"), validated_by in option::of(kinds())) -> Issuer {
        Issuer { kind, name: "somebody".to_owned(), title, validated_by }
    }
}
fn sequels() -> impl Strategy<Value = (Vec<Gag>, Vec<Pause>, Vec<Extension>)> {
    let rule = |names: &[&str]| {
        select(
            names
                .iter()
                .map(|name| RuleId::new(*name).unwrap())
                .collect::<Vec<_>>(),
        )
    };
    let pause = (
        rule(&["eu.epoc.incomplete", "eu.epoc.third_country_law"]),
        instants(),
        option::of(instants()),
    );
    let extension = (
        rule(&[
            "us.preserve.2703f.expires",
            "us.cloud_act.motion_by",
            "eu.epoc_pr.expires",
        ]),
        dates(),
        option::of(dates()),
    );
    let pause = pause.prop_map(|(by, from, until)| Pause { by, from, until });
    let extension = extension.prop_map(|(clock, on, until)| Extension { clock, on, until });
    (
        proptest::collection::vec(gags(), 0..2),
        proptest::collection::vec(pause, 0..2),
        proptest::collection::vec(extension, 0..2),
    )
}
prop_compose! {
    fn demands()(
        instrument in instruments(),
        (served_at, from, until) in (instants(), instants(), instants()),
        (country, kind, issuer) in (countries(), kinds(), option::of(issuers())),
        (issued_on, return_on) in (option::of(dates()), option::of(dates())),
        subjects in proptest::collection::vec(subjects(), 0..3),
        categories in categories(),
        showing in showings(),
        gag in option::of(gags()),
        emergency in option::of(any::<bool>()),
        offence in option::of((option::of(any::<u32>()), any::<bool>())),
        epoc in option::of(epocs()),
        (further, pauses, extensions) in sequels(),
    ) -> Demand {
        Demand {
            schema: DemandSchema::V1,
            instrument,
            reference: None,
            served_at,
            requester: Requester { authority: "authority".to_owned(), country, kind, officer: None, email: None },
            issuer,
            issued_on,
            return_on,
            subjects,
            categories,
            location: served_at.as_second() % 5 == 0,
            window: Window::new(from, until).ok(),
            items: Vec::new(),
            showing,
            gag,
            emergency: emergency.map(|danger_to_life| Emergency { danger_to_life, statement: "help".to_owned() }),
            offence: offence.map(|(max_sentence_months, epoc_listed)| Offence {
                provision: "1".to_owned(), max_sentence_months, epoc_listed,
            }),
            epoc,
            sequel: Sequel {
                gags: further,
                pauses,
                extensions,
                production_follows: served_at.as_second() % 3 == 0,
                ..Sequel::default()
            },
        }
    }
}
prop_compose! {
    fn accounts()(
        kind in select(vec![TenantKind::Enterprise, TenantKind::PublicBody, TenantKind::Consumer]),
        (tenant_country, region_country, person_country) in (countries(), countries(), option::of(countries())),
        (us_person, privileged, customer_holds_keys) in
            (option::of(any::<bool>()), option::of(any::<bool>()), option::of(any::<bool>())),
    ) -> Resolution {
        Resolution::One(AccountFacts {
            identified: None,
            tenant: TenantId::new("contoso").unwrap(),
            account: AccountId::new("alice").unwrap(),
            tenant_kind: kind,
            tenant_country,
            region: RegionId::new("eu-de").unwrap(),
            region_country,
            also_in: Vec::new(),
            left_out: Vec::new(),
            person_country,
            us_person,
            privileged,
            customer_holds_keys,
        })
    }
}
fn facts() -> impl Strategy<Value = Facts> {
    let resolution = prop_oneof![
        6 => accounts(),
        1 => Just(Resolution::None),
        1 => Just(Resolution::Several { count: 2, tenants: 1 }),
        1 => Just(Resolution::Unspecific),
    ];
    let check = select(vec![
        RequesterCheck::Unchecked,
        RequesterCheck::Confirmed,
        RequesterCheck::Refuted,
    ]);
    (
        proptest::collection::vec(resolution, 0..3),
        check,
        option::of(any::<bool>()),
    )
        .prop_map(|(resolved, requester, controller_consents)| Facts {
            resolved,
            requester,
            controller_consents,
            looked_up_at: None,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// P3 to P7 for any demand at all; invariant 8: the same bytes each time.
    #[test]
    fn what_no_demand_can_do(demand in demands(), facts in facts(), as_of in dates()) {
        let rulebook = Rulebook::builtin();
        let on_its_face = rulebook.assess_on_its_face(&demand, None, as_of);
        let Ok(assessment) = rulebook.assess(&demand, &facts, as_of) else {
            // A date that no calendar holds: nothing is assessed, so nothing is released.
            prop_assert!(at_the_end_of_time(&demand, as_of));
            return Ok(());
        };
        prop_assert!(on_its_face.is_ok() || at_the_end_of_time(&demand, as_of));
        let row = rulebook.instruments().find(|(id, _)| **id == demand.instrument).map(|(_, row)| row);
        let barred: BTreeSet<Category> = assessment.findings.iter()
            .filter(|f| f.effect == Effect::Bar).flat_map(|f| f.categories.iter().copied()).collect();
        for category in &assessment.releasable {
            prop_assert!(demand.categories.contains(category) && !barred.contains(category));
            prop_assert!(!matches!(category, Category::Assistance | Category::Realtime), "P3, P4");
            prop_assert!(row.is_some_and(|row| row.built && row.categories.contains(category)), "P5");
            let subjects_fit = facts.resolved.len() == demand.subjects.len() && !demand.subjects.is_empty();
            let specific = !demand.subjects.iter().any(|s| matches!(s, Subject::Selector { .. }));
            let settled = !facts.resolved.iter().any(|r| matches!(r, Resolution::Several { .. } | Resolution::Unspecific));
            prop_assert!(subjects_fit && specific && settled, "P6");
            prop_assert!(facts.requester != RequesterCheck::Refuted, "P7");
        }
        for category in &demand.categories {
            prop_assert!(assessment.releasable.contains(category) || barred.contains(category), "a refusal without a reason");
        }
        let order: Vec<_> = assessment.findings.iter().map(|f| (f.effect, f.rule.clone())).collect();
        prop_assert!(order.is_sorted());
        let again = rulebook.assess(&demand, &facts, as_of).unwrap();
        prop_assert_eq!(canonical::to_canonical_json(&assessment).unwrap(), canonical::to_canonical_json(&again).unwrap());
    }
}

fn at_the_end_of_time(demand: &Demand, as_of: Date) -> bool {
    let gag_end = demand.gag.as_ref().and_then(|gag| gag.until);
    let asked = demand
        .epoc
        .as_ref()
        .and_then(|epoc| epoc.clarification_unanswered_since);
    let dates = [demand.return_on, gag_end, asked, Some(as_of)];
    let sequel = &demand.sequel;
    let began = demand.gags().map(|gag| gag.from);
    let ended = demand.gags().filter_map(|gag| gag.until);
    let extended = sequel
        .extensions
        .iter()
        .flat_map(|e| [Some(e.on), e.until])
        .flatten();
    let paused = sequel
        .pauses
        .iter()
        .flat_map(|pause| [Some(pause.from), pause.until]);
    dates
        .into_iter()
        .flatten()
        .chain(began)
        .chain(ended)
        .chain(extended)
        .any(|date| date == Date::MAX || date == Date::MIN)
        || paused
            .flatten()
            .chain([demand.served_at])
            .any(|at| [Timestamp::MAX, Timestamp::MIN].contains(&at))
}

/// Invariant 8: these bytes are the same on every machine. A change here is a change of the law or of its words.
#[test]
fn an_assessment_is_the_same_everywhere() {
    let demand = r#"{
      "schema": "amparo.demand/1", "instrument": "us.warrant.sca", "served_at": "2026-11-21T15:00:00Z",
      "requester": { "authority": "FBI", "country": "US", "kind": "police" },
      "issuer": { "kind": "prosecutor", "name": "somebody" },
      "subjects": [{ "type": "account", "value": "alice" }], "categories": ["subscriber", "content", "assistance"],
      "showing": { "signed": true, "probable_cause": true, "particularity": true },
      "gag": { "court_ordered": true, "from": "2026-11-02", "forbids": ["tenant"] }
    }"#;
    let facts = r#"{ "requester": "confirmed", "resolved": [{ "outcome": "one", "tenant": "contoso", "account": "alice",
      "tenant_kind": "enterprise", "tenant_country": "GB", "region": "eu-de", "region_country": "DE",
      "person_country": "GB", "us_person": false }] }"#;
    let demand = casework::demand::parse(demand.as_bytes()).unwrap();
    let facts = casework::facts::parse(facts.as_bytes()).unwrap();
    let as_of = "2026-11-21".parse().unwrap();
    let assessment = Rulebook::builtin().assess(&demand, &facts, as_of).unwrap();
    let mut shown: serde_json::Value =
        serde_json::from_slice(&canonical::to_canonical_json(&assessment).unwrap()).unwrap();
    shown["rulebook"]["digest"] = "of the rulebook".into();
    insta::assert_json_snapshot!(shown);
}

#[test]
fn invariant_06_each_finding_names_its_rule_its_source_and_the_rulebook() {
    let rulebook = Rulebook::builtin();
    let demand = r#"{
      "schema": "amparo.demand/1", "instrument": "us.subpoena.grand_jury", "served_at": "2026-11-21T15:00:00Z",
      "requester": { "authority": "Grand Jury", "country": "US", "kind": "grand_jury" },
      "subjects": [{ "type": "selector", "kind": "domain", "value": "example.com" }],
      "categories": ["subscriber", "content"], "items": ["everything"], "showing": {}
    }"#;
    let demand = casework::demand::parse(demand.as_bytes()).unwrap();
    let facts = Facts {
        resolved: vec![Resolution::Unspecific],
        ..Facts::default()
    };
    let as_of: jiff::civil::Date = "2026-11-21".parse().unwrap();
    let assessment = rulebook.assess(&demand, &facts, as_of).unwrap();
    assert!(assessment.findings.len() > 3);
    assert_eq!(assessment.rulebook.digest, rulebook.digest());
    assert_eq!(assessment.rulebook.as_of, as_of);
    for finding in &assessment.findings {
        assert!(rulebook.explain(&finding.rule).is_some(), "{}", finding.rule);
        assert!(!finding.citation.trim().is_empty(), "{}", finding.rule);
        assert!(!finding.explanation.trim().is_empty(), "{}", finding.rule);
    }
}

#[test]
fn several_accounts_are_judged_each_by_its_own_law() {
    let demand = r#"{
      "schema": "amparo.demand/1", "instrument": "us.warrant.sca", "served_at": "2026-11-21T15:00:00Z",
      "requester": { "authority": "FBI", "country": "US", "kind": "police" },
      "issuer": { "kind": "court", "name": "a court" },
      "subjects": [{ "type": "account", "value": "a" }, { "type": "account", "value": "b" }],
      "categories": ["content"], "showing": { "signed": true, "probable_cause": true, "particularity": true }
    }"#;
    let account = |country: &str| {
        format!(
            r#"{{ "outcome": "one", "tenant": "contoso", "account": "a", "tenant_kind": "enterprise",
            "tenant_country": "{country}", "region": "r", "region_country": "{country}", "person_country": "{country}" }}"#
        )
    };
    let demand = casework::demand::parse(demand.as_bytes()).unwrap();
    let facts = format!(r#"{{ "resolved": [{}, {}] }}"#, account("DE"), account("GB"));
    let facts = casework::facts::parse(facts.as_bytes()).unwrap();
    let assessment = Rulebook::builtin()
        .assess(&demand, &facts, "2026-11-21".parse().unwrap())
        .unwrap();
    for rule in [
        "us.gdpr_48",
        "us.comity.common_law",
        "us.cloud_act.comity_motion",
        "us.cloud_act.motion_by",
    ] {
        assert!(
            assessment.findings.iter().any(|f| f.rule.as_str() == rule),
            "{rule}"
        );
    }
}
