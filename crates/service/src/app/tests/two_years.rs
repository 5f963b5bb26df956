//! Two years of civil time, ticked through in steps of six hours: every date, end and late notice comes on its day, once,
//! through changes of the clocks in two parts of the world, holidays, a leap day, questions, renewals and reviews.

use std::collections::BTreeMap;

use casework::{
    demand::{Gag, NoticeTo},
    event::{Actor, Body, Channel, Decision},
    facts::AccountFacts,
    ids::{CaseId, Digest, RuleId, TenantId},
};
use jiff::{SignedDuration, Timestamp, civil::Date};
use serde_json::{Value, json};

use super::scene::{Scene, account, staff};

/// How often the desk looks.
const STEP: SignedDuration = SignedDuration::from_hours(6);

/// What the desk did by itself, in order.
struct Diary {
    scene: Scene,
    names: BTreeMap<CaseId, &'static str>,
    lines: Vec<String>,
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn ruth() -> Actor {
    Actor::Staff(staff("ruth"))
}

fn lives_in(identifier: &str, tenant: &str, country: &str) -> AccountFacts {
    let country = casework::demand::CountryCode::new(country).unwrap();
    AccountFacts {
        tenant_country: country.clone(),
        region_country: country.clone(),
        person_country: Some(country),
        us_person: Some(false),
        ..account(tenant, identifier)
    }
}

impl Diary {
    async fn new() -> Self {
        let scene = Scene::new().await;
        {
            let mut accounts = scene.vault.accounts.lock().unwrap();
            for (identifier, tenant, country) in [
                ("alice", "contoso", "GB"),
                ("dora", "fabrikam", "DE"),
                ("una", "northwind", "US"),
            ] {
                accounts.insert(identifier.to_owned(), vec![lives_in(identifier, tenant, country)]);
            }
        }
        Self {
            scene,
            names: BTreeMap::new(),
            lines: Vec::new(),
        }
    }

    /// Goes on to `until`, a tick at a time, and writes down what the desk did.
    async fn go_on_to(&mut self, until: &str) {
        let until = at(until);
        while self.scene.desk.now() < until {
            let next = (self.scene.desk.now() + STEP).min(until);
            self.scene.clock.set(next);
            let done = self.scene.desk.tick(next).await.unwrap();
            assert_eq!(done.failed, []);
            for case in done.gags_ended {
                self.note(next, case, "a gag ends");
            }
            for (case, tenant) in done.notices {
                self.note(next, case, &format!("{tenant} is told"));
            }
            for (case, due) in done.fell_due {
                assert!(
                    due.at <= next && next.duration_since(due.at) < STEP,
                    "{}: {} at {next}",
                    due.rule,
                    due.at
                );
                self.note(due.at, case, due.rule.as_str());
            }
        }
    }

    fn note(&mut self, when: Timestamp, case: CaseId, what: &str) {
        self.lines.push(format!("{when} {}: {what}", self.names[&case]));
    }

    /// Takes a demand in on the day it is served, looks its subject up and applies the law of that day.
    async fn serve(&mut self, name: &'static str, when: &str, mut demand: Value) -> CaseId {
        self.go_on_to(when).await;
        demand["schema"] = json!("amparo.demand/1");
        demand["served_at"] = json!(when);
        demand["reference"] = json!(name);
        let bytes = demand.to_string().into_bytes();
        let desk = &self.scene.desk;
        let case = desk
            .intake(&bytes, Channel::Paper, Some(staff("ines")))
            .await
            .unwrap()
            .case;
        self.names.insert(case, name);
        desk.resolve(case, ruth(), &[]).await.unwrap();
        self.assess(case).await;
        case
    }

    async fn assess(&self, case: CaseId) {
        self.scene.desk.assess(case, Actor::System, None).await.unwrap();
    }

    async fn record(&self, case: CaseId, body: Body) {
        self.scene.desk.record(case, ruth(), body).await.unwrap();
    }

    /// Something happened in a case; the law is applied anew.
    async fn then(&mut self, when: &str, case: CaseId, body: Body) {
        self.go_on_to(when).await;
        self.record(case, body).await;
        self.assess(case).await;
    }

    /// What the customer is kept from being told is released all the same.
    async fn release_in_silence(&mut self, when: &str, case: CaseId) {
        self.go_on_to(when).await;
        self.assess(case).await;
        let barred = Body::NoticeBarred {
            to: NoticeTo::Tenant,
            tenant: TenantId::new("contoso").unwrap(),
            rule: RuleId::new("any.gag.do_not_tell_tenant").unwrap(),
        };
        self.record(case, barred).await;
        let record = self.scene.approved(case).await;
        let desk = &self.scene.desk;
        desk.release(case, record).await.unwrap();
        desk.deliver(case, ruth(), record, "by hand").await.unwrap();
    }
}

fn warrant(gag_until: &str) -> Value {
    json!({
        "instrument": "us.warrant.sca", "issued_on": "2026-11-02",
        "requester": { "authority": "District Court", "country": "US", "kind": "court" },
        "subjects": [{ "type": "account", "value": "alice" }], "categories": ["content"],
        "window": { "from": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z" },
        "showing": { "signed": true, "probable_cause": true, "particularity": true },
        "gag": { "basis": "us.gag.2705b", "court_ordered": true, "individual_findings": true,
                 "from": "2026-11-02", "until": gag_until, "forbids": ["tenant"] }
    })
}

fn certificate(instrument: &str, kind: &str) -> Value {
    json!({
        "instrument": instrument, "issued_on": "2026-11-02",
        "requester": { "authority": "an authority", "country": "FR", "kind": kind },
        "subjects": [{ "type": "account", "value": "dora" }],
        "showing": { "signed": true }, "offence": { "provision": "fraud", "max_sentence_months": 60 },
        "epoc": { "addressee_country": "DE", "processor_addressed_because": "a reason" }
    })
}

fn american(instrument: &str, issuer: &str, categories: &[&str]) -> Value {
    json!({
        "instrument": instrument, "issued_on": "2026-11-02",
        "requester": { "authority": "an authority", "country": "US", "kind": issuer },
        "subjects": [{ "type": "account", "value": "una" }], "categories": categories,
        "showing": { "signed": true, "certified": true }
    })
}

fn gag(from: &str, until: &str) -> Gag {
    serde_json::from_value(json!({
        "basis": "us.gag.2705b", "court_ordered": true, "individual_findings": true,
        "from": from, "until": until, "forbids": ["tenant"]
    }))
    .unwrap()
}

fn extended(clock: &str, on: &str) -> Body {
    Body::Extended {
        clock: RuleId::new(clock).unwrap(),
        on: on.parse::<Date>().unwrap(),
        until: None,
        document: Digest([1; 32]),
    }
}

#[tokio::test]
async fn two_years_of_civil_time_pass_and_everything_comes_on_its_day_and_once() {
    let mut diary = Diary::new().await;
    let question = || vec![RuleId::new("eu.epoc.incomplete").unwrap()];

    // Fourteen days from 12 November end on Thanksgiving, so on Friday. The gag ends with a leap day.
    let leap = diary
        .serve("leap", "2026-11-12T15:00:00Z", warrant("2028-02-29"))
        .await;
    // Its first gag ends on the day on which America's clocks go forward, its second when they go back.
    let twice = diary
        .serve("twice", "2026-11-16T15:00:00Z", warrant("2027-03-14"))
        .await;
    let kept = diary
        .serve(
            "kept",
            "2026-12-01T15:00:00Z",
            american("us.preserve.2703f", "police", &[]),
        )
        .await;
    diary.release_in_silence("2026-12-07T09:00:00Z", leap).await;
    diary.release_in_silence("2026-12-07T10:00:00Z", twice).await;

    // A question is open from the second day to the seventh: the ten days end on 5 January and not on 31 December.
    let mut incomplete = certificate("eu.epoc.subscriber_id", "prosecutor");
    incomplete["categories"] = json!(["subscriber"]);
    incomplete.as_object_mut().unwrap().remove("issued_on");
    let asked = diary.serve("asked", "2026-12-21T09:00:00Z", incomplete).await;
    let filed = Body::ObjectionFiled {
        grounds: question(),
        forum: "the issuing authority, Annex III".into(),
        filing: Digest([2; 32]),
    };
    diary.then("2026-12-23T10:00:00Z", asked, filed).await;
    let answered = Body::ObjectionDecided {
        grounds: question(),
        outcome: Decision::Lost,
        reference: "it was sent on the 20th".into(),
    };
    diary.then("2026-12-28T10:00:00Z", asked, answered).await;

    // A pen register's silence has no last day: it is looked at after six months, and then nobody looks again.
    let silent = diary
        .serve(
            "silent",
            "2027-01-04T15:00:00Z",
            american("us.pentrap", "court", &["realtime"]),
        )
        .await;
    let further = Body::GagRecorded {
        gag: gag("2027-02-01", "2027-11-07"),
        document: Some(Digest([3; 32])),
    };
    diary.then("2027-02-01T15:00:00Z", twice, further).await;
    // Renewed in February: the ninety days from 1 March are over on 30 May, in summer time.
    diary
        .then(
            "2027-02-20T12:00:00Z",
            kept,
            extended("us.preserve.2703f.expires", "2027-02-20"),
        )
        .await;
    // Eight hours across the night in which Europe's clocks go forward are eight hours.
    let mut urgent = certificate("eu.epoc.subscriber_id", "prosecutor");
    urgent["categories"] = json!(["subscriber"]);
    urgent["emergency"] = json!({ "danger_to_life": true, "statement": "a kidnapping" });
    diary.serve("urgent", "2027-03-27T22:00:00Z", urgent).await;
    let looked = Body::GagReviewed {
        finding: "the investigation goes on; asked for an end".into(),
    };
    diary.then("2027-07-10T12:00:00Z", silent, looked).await;
    // Sixty days and thirty more end on the day on which Europe's clocks go back.
    let preserved = diary
        .serve(
            "preserved",
            "2027-08-02T09:00:00Z",
            certificate("eu.epoc_pr", "prosecutor"),
        )
        .await;
    diary
        .then(
            "2027-09-15T09:00:00Z",
            preserved,
            extended("eu.epoc_pr.expires", "2027-09-15"),
        )
        .await;
    diary.go_on_to("2028-11-30T00:00:00Z").await;

    assert_eq!(
        diary.lines,
        [
            "2026-11-28T04:59:59Z leap: us.cloud_act.motion_by",
            "2026-12-01T04:59:59Z twice: us.cloud_act.motion_by",
            "2027-01-05T22:59:59Z asked: eu.epoc.deadline",
            "2027-03-15T06:00:00Z twice: a gag ends",
            "2027-03-28T06:00:00Z urgent: eu.epoc.emergency_deadline",
            "2027-05-31T03:59:59Z kept: us.preserve.2703f.expires",
            "2027-07-05T03:59:59Z silent: any.silence.review_by",
            "2027-10-31T22:59:59Z preserved: eu.epoc_pr.expires",
            "2027-11-08T09:00:00Z twice: a gag ends",
            "2027-11-08T09:00:00Z twice: contoso is told",
            "2028-01-11T04:59:59Z silent: any.silence.review_by",
            "2028-03-01T09:00:00Z leap: a gag ends",
            "2028-03-01T09:00:00Z leap: contoso is told",
        ]
    );
    let late = diary.scene.desk.outbox().await.unwrap();
    let late: Vec<_> = late
        .iter()
        .filter(|letter| letter.kind == "late_notice")
        .collect();
    assert_eq!(late.len(), 2);
}
