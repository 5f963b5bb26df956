//! Steps of every kind, made up: some that a case allows, and many that it does not.

use casework::{
    chain::Chain,
    demand::{Category, NoticeTo},
    event::{
        AppealBy, Body, CostOutcome, Decision, EmergencyFinding, NoticeFailure, Outcome, PackageFlag,
        RedirectOutcome, Relation, Scope,
    },
    facts::{Facts, RequesterCheck, Resolution},
    ids::{CaseId, Digest, RecordId, RuleId, SnapshotId},
    record::ReleaseRecord,
    testkit::{World, staff},
};
use proptest::prelude::*;

/// What a step does; turned into a body that fits the case as it stands, or does not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move {
    kind: u8,
    choice: u8,
    pub(super) minutes: i64,
}

pub(super) fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = (0_u8..46, any::<u8>(), 0_i64..5000).prop_map(|(kind, choice, minutes)| Move {
        kind,
        choice,
        minutes,
    });
    proptest::collection::vec(one, 0..60)
}

pub(super) fn body(world: &World, chain: &Chain, Move { kind, choice, .. }: Move) -> Body {
    let file = chain.case().file();
    let scope = chain.case().scope();
    let rules: Vec<RuleId> = file.grounds().keys().cloned().collect();
    let rule = || {
        rules
            .first()
            .cloned()
            .unwrap_or_else(|| "us.none".parse().unwrap())
    };
    let record = || {
        file.pending()
            .unwrap_or(RecordId(uuid::Uuid::from_u128(u128::from(choice))))
    };
    let text = || "words".to_owned();
    let digest = Digest([choice; 32]);
    let tenant = world.objects[0].account.tenant.clone();
    let decision = [Decision::Won, Decision::Lost, Decision::Partly][usize::from(choice % 3)];
    match kind {
        0 => Body::Parsed {
            demand: Box::new(world.demand.clone()),
        },
        1 => Body::Unreadable { reason: text() },
        2 => Body::RequesterChecked {
            outcome: RequesterCheck::Confirmed,
            how: text(),
        },
        3 if choice.is_multiple_of(4) => Body::Resolved {
            facts: Facts {
                resolved: vec![Resolution::None],
                ..Facts::default()
            },
        },
        3 => Body::Resolved {
            facts: world.facts.clone(),
        },
        4 | 5 => match chain.case().as_it_stands() {
            Some((demand, facts)) => {
                let assessment = world
                    .rulebook
                    .assess(&demand, &facts, "2026-11-20".parse().unwrap())
                    .unwrap();
                Body::Assessed { assessment }
            }
            None => Body::Note { text: text() },
        },
        6 => Body::Redirected {
            how: text(),
            letter: digest,
            answer_by: None,
        },
        7 => Body::RedirectAnswered {
            outcome: [
                RedirectOutcome::Accepted,
                RedirectOutcome::Refused,
                RedirectOutcome::Unanswered,
            ][usize::from(choice % 3)],
        },
        8 => Body::RedirectBarred {
            reason: text(),
            signature: text(),
        },
        9 => Body::Narrowed {
            scope: Scope {
                categories: vec![Category::Content],
                ..scope
            },
            reason: text(),
            settles: rules,
        },
        10 => Body::Narrowed {
            scope: Scope {
                window: None,
                ..scope
            },
            reason: text(),
            settles: vec![],
        },
        11 => Body::GagRecorded {
            gag: World::gag([None, Some("2026-11-18"), Some("2027-01-01")][usize::from(choice % 3)]),
            document: choice.is_multiple_of(2).then_some(digest),
        },
        12 => Body::GagObjected {
            forum: text(),
            filing: digest,
            gag: None,
        },
        13 => Body::GagUnopposed {
            reason: text(),
            signature: text(),
        },
        14 => Body::GagDecided {
            outcome: decision,
            until: choice.is_multiple_of(2).then(|| "2026-11-17".parse().unwrap()),
            gag: None,
        },
        15 => Body::GagEnded {
            reason: text(),
            gag: None,
        },
        16 => Body::Notified {
            to: NoticeTo::Tenant,
            tenant,
            how: text(),
            letter: digest,
            late: choice.is_multiple_of(2),
        },
        17 => Body::NoticeBarred {
            to: NoticeTo::Tenant,
            tenant,
            rule: rule(),
        },
        18 => Body::ObjectionFiled {
            grounds: vec![rule()],
            forum: text(),
            filing: digest,
        },
        19 => Body::ObjectionDecided {
            grounds: vec![rule()],
            outcome: decision,
            reference: text(),
        },
        20 => Body::GroundAnswered {
            ground: rule(),
            reason: text(),
            signature: text(),
        },
        21 if choice.is_multiple_of(8) => Body::Withdrawn { reason: text() },
        22 if choice.is_multiple_of(8) => Body::Rejected {
            rules,
            codes: vec![],
            explanation: text(),
        },
        23 | 24 => Body::Proposed {
            record: Box::new(ReleaseRecord {
                id: RecordId(uuid::Uuid::from_u128(u128::from(choice))),
                chain_head: chain.head(),
                chain_length: chain.length(),
                ..world.record(&world.steps_to_findings())
            }),
        },
        25 => Body::Approved {
            record: record(),
            reviewer: staff(["rita", "raj"][usize::from(choice % 2)]),
            signature: text(),
        },
        26 => Body::Logged {
            record: record(),
            index: u64::from(choice),
        },
        27 => Body::Refused {
            record: record(),
            reason: text(),
        },
        28 => Body::Released {
            record: record(),
            package: digest,
            size: 1,
        },
        29 => Body::Delivered {
            record: file
                .drawn_up()
                .last()
                .map_or_else(record, |drawn| drawn.record.id),
            how: text(),
        },
        30 => Body::Closed {
            outcome: [
                Outcome::Disclosed,
                Outcome::Rejected,
                Outcome::Withdrawn,
                Outcome::NoData,
                Outcome::Redirected,
                Outcome::ObjectionUpheld,
            ][usize::from(choice % 6)],
        },
        _ => further(world, chain, kind, choice),
    }
}

/// Steps of the further course.
fn further(world: &World, chain: &Chain, kind: u8, choice: u8) -> Body {
    let file = chain.case().file();
    let text = || "words".to_owned();
    let digest = Digest([choice; 32]);
    let tenant = world.objects[0].account.tenant.clone();
    let other = CaseId(uuid::Uuid::from_u128(u128::from(choice % 4) + 6));
    let snapshot = SnapshotId(uuid::Uuid::from_u128(u128::from(choice % 2)));
    let relation = [Relation::Amends, Relation::Supersedes, Relation::FollowsUp][usize::from(choice % 3)];
    let grounds: Vec<RuleId> = file.grounds().keys().cloned().collect();
    match kind {
        31 => Body::Linked { to: other, relation },
        32 => Body::FollowedBy { case: other },
        33 if choice.is_multiple_of(8) => Body::Superseded { by: other, relation },
        34 => Body::Preserved {
            snapshot,
            scope: chain.case().scope(),
            objects: 1,
            digest,
        },
        35 => Body::SnapshotEnded {
            snapshot,
            reason: text(),
        },
        36 => Body::Appealed {
            grounds,
            by: AppealBy::Requester,
            forum: text(),
            filing: digest,
        },
        37 => Body::NoticeFailed {
            to: NoticeTo::Tenant,
            tenant,
            failure: NoticeFailure::Bounced,
            what: text(),
        },
        38 => Body::NoticeServed {
            to: NoticeTo::Tenant,
            tenant,
            how: text(),
        },
        39 => Body::Reopened { reason: text() },
        40 => Body::EmergencyReviewed {
            finding: EmergencyFinding::Unfounded,
            process: None,
            text: text(),
        },
        41 => Body::BreachAssessed {
            notified: choice.is_multiple_of(2),
            reason: text(),
        },
        42 => Body::CostsSettled {
            outcome: CostOutcome::Waived,
            paid: None,
            reference: text(),
        },
        44 => Body::PackageFlagged {
            record: file.pending().unwrap_or(RecordId(uuid::Uuid::nil())),
            flags: vec![
                PackageFlag {
                    object: None,
                    part: None,
                    flag: text(),
                };
                usize::from(choice % 2)
            ],
            more: 0,
        },
        43 => Body::MeasureEnded {
            measure: u64::from(choice),
            reason: text(),
        },
        _ => Body::Note { text: text() },
    }
}
