//! Verdicts on transfers, one reason after the other.

use casework::{
    ids::AccountId,
    rulebook::{Role, Rulebook},
    testkit::TransferWorld,
    transfer::{
        Basis, Data, Hanging, LawThere, Measure, MeasureKind, Outcome, Transfer, Verdict, judge, register,
    },
};
use jiff::civil::Date;

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

pub(super) fn judged(world: &TransferWorld, on: &str) -> Verdict {
    judge(
        world.chain().matter(),
        world.rulebook,
        &world.reviewers(),
        day(on),
    )
}

pub(super) fn world() -> TransferWorld {
    TransferWorld::new(Rulebook::builtin())
}

#[track_caller]
pub(super) fn finds(verdict: &Verdict, outcome: Outcome, rule: &str) {
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
    let found = verdict.reasons.iter().find(|reason| reason.rule.as_str() == rule);
    let found = found.unwrap_or_else(|| panic!("`{rule}` is not in {verdict:#?}"));
    assert!(
        !found.citation.is_empty() && !found.explanation.contains('{'),
        "{found:?}"
    );
}

fn clauses(module: u8, exporter: Role, importer: Role) -> Basis {
    Basis::Clauses {
        clauses: format!("eu.scc.module_{module}").parse().unwrap(),
        exporter,
        importer,
        concluded_on: day("2024-05-01"),
        reference: "contract 17, annex 4".to_owned(),
    }
}

fn on_clauses(law: LawThere, use_case: &str) -> TransferWorld {
    let mut world = world();
    world.bases = vec![clauses(3, Role::Processor, Role::Processor)];
    world.assessment = Some(TransferWorld::assessed(law, use_case));
    world
}

fn derogation(letter: char, occasional: bool, earlier: u32) -> Basis {
    Basis::Derogation {
        ground: format!("eu.derogation.{letter}").parse().unwrap(),
        why: "the person signed, after being told of the risks".to_owned(),
        occasional,
        earlier,
    }
}

#[test]
fn p19_the_customers_own_law_goes_with_its_data() {
    // A German customer's data, from Switzerland to the United States: the Union's law asks, whatever Swiss law says.
    let mut world = world().between("GB", "US");
    world.opening.tenant_country = "DE".to_owned().try_into().unwrap();
    world
        .opening
        .importer
        .shown
        .push(TransferWorld::shown("us.dpf_uk_extension", "2024-01-01"));
    world.bases = vec![TransferWorld::adequacy("uk.adequacy.us.data_bridge")];
    finds(
        &judged(&world, "2026-11-20"),
        Outcome::Barred,
        "eu.transfer.no_basis",
    );
    world.bases.push(TransferWorld::adequacy("eu.adequacy.us.dpf"));
    finds(
        &judged(&world, "2026-11-20"),
        Outcome::Based,
        "eu.adequacy.us.dpf",
    );
}

#[test]
fn p19_clauses_need_the_six_steps_and_a_situation_in_which_measures_help() {
    use LawThere::{Problematic, ProblematicNotApplied, Unproblematic};
    let on = "2026-11-20";
    let mut none = on_clauses(Unproblematic, "eu.use_case.6");
    none.assessment = None;
    finds(
        &judged(&none, on),
        Outcome::Barred,
        "eu.transfer.assessment_missing",
    );

    // 6 and 7: only where the law there does not get in the way.
    for case in ["eu.use_case.6", "eu.use_case.7"] {
        let mut world = on_clauses(Problematic, case);
        world.measures = vec![Measure {
            kind: MeasureKind::Technical,
            what: "encryption at rest".to_owned(),
        }];
        finds(
            &judged(&world, on),
            Outcome::Barred,
            "eu.transfer.no_effective_measure",
        );
        finds(
            &judged(&on_clauses(Unproblematic, case), on),
            Outcome::Based,
            "eu.scc.module_3",
        );
    }

    let mut unread = on_clauses(Unproblematic, "eu.use_case.6");
    unread.assessment.as_mut().unwrap().sources.clear();
    finds(
        &judged(&unread, on),
        Outcome::Barred,
        "eu.transfer.assessment_missing",
    );

    let mut late = on_clauses(Unproblematic, "eu.use_case.6");
    let verdict = judged(&late, on);
    assert_eq!(
        verdict.until,
        Some(day("2027-06-30")),
        "the assessment ends first"
    );
    late.now = "2027-07-01T00:00:00Z".parse().unwrap();
    finds(
        &judged(&late, "2027-07-01"),
        Outcome::Barred,
        "eu.transfer.assessment_due",
    );

    // 1: with the keys kept outside, and a technical measure taken.
    let mut kept = on_clauses(Problematic, "eu.use_case.1");
    finds(&judged(&kept, on), Outcome::Barred, "eu.transfer.use_case_unfit");
    kept.opening.importer.shown = vec![TransferWorld::shown("transfer.keys_outside", "2026-11-01")];
    finds(&judged(&kept, on), Outcome::Barred, "eu.transfer.measure_missing");
    kept.measures = vec![Measure {
        kind: MeasureKind::Contractual,
        what: "the importer promises to object".to_owned(),
    }];
    finds(&judged(&kept, on), Outcome::Barred, "eu.transfer.measure_missing");
    kept.measures.push(Measure {
        kind: MeasureKind::Technical,
        what: "the customer holds the keys".to_owned(),
    });
    finds(&judged(&kept, on), Outcome::Based, "eu.scc.module_3");

    // Law on paper that is said not to be applied: counsel signs, for this very transfer.
    let mut practice = on_clauses(ProblematicNotApplied, "eu.use_case.6");
    finds(
        &judged(&practice, on),
        Outcome::PersonMustDecide,
        "eu.transfer.practice_only",
    );
    practice.decision = Some("the importer is no provider of that kind");
    finds(&judged(&practice, on), Outcome::Based, "any.transfer.decided");
    // Counsel decides what no rule does, and never against one.
    practice.bases = vec![clauses(2, Role::Processor, Role::Processor)];
    finds(
        &judged(&practice, on),
        Outcome::Barred,
        "eu.transfer.wrong_module",
    );
}

#[test]
fn p19_clauses_are_concluded_first_and_in_their_time() {
    let on = "2026-11-20";
    let mut world = on_clauses(LawThere::Unproblematic, "eu.use_case.6");
    let old = |concluded: &str| Basis::Clauses {
        clauses: "eu.scc.2010".parse().unwrap(),
        exporter: Role::Controller,
        importer: Role::Processor,
        concluded_on: day(concluded),
        reference: "contract 3".to_owned(),
    };
    world.bases = vec![old("2020-01-01")];
    finds(&judged(&world, "2022-12-27"), Outcome::Based, "eu.scc.2010");
    finds(
        &judged(&world, "2022-12-28"),
        Outcome::Barred,
        "eu.transfer.not_in_force",
    );
    world.bases = vec![old("2021-10-01")];
    finds(
        &judged(&world, "2022-01-01"),
        Outcome::Barred,
        "eu.transfer.not_concluded",
    );
    world.bases = vec![clauses(3, Role::Processor, Role::Processor)];
    finds(
        &judged(&world, "2024-04-30"),
        Outcome::Barred,
        "eu.transfer.not_concluded",
    );
    finds(&judged(&world, on), Outcome::Based, "eu.scc.module_3");
}

#[test]
fn p19_a_derogation_carries_single_cases_only() {
    let on = "2026-11-20";
    let mut world = world().between("DE", "IN");
    world.bases = vec![derogation('a', true, 0)];
    finds(&judged(&world, on), Outcome::Based, "eu.derogation.a");
    world.bases = vec![derogation('a', false, 0)];
    finds(&judged(&world, on), Outcome::Barred, "eu.transfer.not_occasional");
    world.bases = vec![derogation('a', true, 1)];
    finds(&judged(&world, on), Outcome::Barred, "eu.transfer.not_occasional");
    world.bases = vec![derogation('e', true, 0)];
    world.opening.data = Data::Bucket("mail".to_owned());
    finds(&judged(&world, on), Outcome::Barred, "eu.transfer.bulk");
    let many = (0..11).map(|n| AccountId::new(format!("person-{n}")).unwrap());
    world.opening.data = Data::Accounts(many.collect());
    finds(&judged(&world, on), Outcome::Barred, "eu.transfer.bulk");
}

#[test]
fn p19_the_register_names_what_hangs_on_a_basis_that_ended() {
    let mut world = world().between("DE", "GB");
    world.bases = vec![TransferWorld::adequacy("eu.adequacy.gb")];
    let mut chain = world.chain();
    let record = world.record(&chain);
    let waiting = chain.clone();
    world.run(&mut chain, &record);
    let state = |transfer: &Transfer, left, on| {
        let entries = register([(transfer, left)], world.rulebook, &world.reviewers(), day(on));
        entries[0].hanging
    };
    assert_eq!(state(chain.matter(), Some(2), "2031-12-27"), Hanging::No);
    assert_eq!(state(chain.matter(), Some(2), "2031-12-28"), Hanging::Moving);
    assert_eq!(
        state(waiting.matter(), Some(0), "2031-12-28"),
        Hanging::No,
        "nothing moved"
    );
    let done = casework::transfer::TransferBody::Done {
        removed_at: world.now,
    };
    chain
        .append(
            world.now,
            casework::event::Actor::System,
            casework::ids::Digest([7; 32]),
            done,
        )
        .unwrap();
    assert_eq!(state(chain.matter(), Some(2), "2031-12-28"), Hanging::LyingThere);
    assert_eq!(state(chain.matter(), None, "2031-12-28"), Hanging::LyingThere);
    assert_eq!(
        state(chain.matter(), Some(0), "2031-12-28"),
        Hanging::No,
        "it was brought back, or erased"
    );
}

/// Two tables say which countries are adequate, one for demands and one for transfers: they say the same.
#[test]
fn the_list_of_adequate_countries_and_the_decisions_agree() {
    let rulebook = Rulebook::builtin();
    for on in [
        "2005-01-01",
        "2020-07-15",
        "2021-06-27",
        "2021-06-28",
        "2025-12-28",
        "2026-11-20",
        "2032-01-01",
    ] {
        for (id, row) in rulebook
            .bases()
            .filter(|(id, _)| id.as_str().starts_with("eu.adequacy."))
        {
            let country = row.country.as_ref().unwrap();
            if country.as_str() == "US" {
                continue;
            }
            let on = day(on);
            let holds = row
                .periods()
                .any(|(from, until)| from.is_none_or(|d| d <= on) && until.is_none_or(|d| on <= d));
            assert_eq!(
                holds,
                rulebook.stands_on("eu.adequate", country, on),
                "{id} on {on}"
            );
        }
    }
}
