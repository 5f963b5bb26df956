//! People, a rulebook, a docket, and a warrant for one account that keeps every promise.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer as _, SigningKey};
use jiff::{SignedDuration, Timestamp};
use translog::entry::Salt;

use super::TestDocket;
use crate::{
    case::Case,
    chain::{Chain, GENESIS},
    demand::{Category, CountryCode, Demand, Gag, NoticeTo, Window},
    event::{Actor, Body, Channel, Event, Header, RedirectOutcome, approval_message, signed_reason},
    facts::{AccountFacts, Facts, RequesterCheck, Resolution, TenantKind},
    finding::{DutyKind, Effect},
    gate::{Shown, TrustPolicy},
    ids::{AccountId, CaseId, Digest, ObjectId, RecordId, RegionId, StaffId, TenantId},
    promise::Reviewers,
    record::{AccountRef, Recipient, RecordSchema, ReleaseRecord, ReleasedObject},
    rulebook::Rulebook,
};

/// One step of a case that is being written.
#[derive(Debug, Clone)]
pub struct Step {
    pub actor: Actor,
    pub body: Body,
}

pub struct World {
    pub rulebook: &'static Rulebook,
    pub docket: TestDocket,
    pub case: CaseId,
    pub demand: Demand,
    pub facts: Facts,
    pub objects: Vec<ReleasedObject>,
    pub categories: Vec<Category>,
    pub now: Timestamp,
    /// Who signs the record; `counsel` and `intake` have keys too.
    pub signers: Vec<&'static str>,
    /// How many of the two witnesses cosign.
    pub witnesses: usize,
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn key_of(name: &str) -> SigningKey {
    SigningKey::from_bytes(&Digest::of(&[b"test key of ", name.as_bytes()]).0)
}

pub fn staff(name: &str) -> StaffId {
    StaffId::new(name).unwrap()
}

impl World {
    /// A world at noon of 20 November 2026, with a docket of `filler` entries.
    pub fn new(rulebook: &'static Rulebook, filler: u64) -> Self {
        let account = AccountRef {
            tenant: TenantId::new("contoso").unwrap(),
            account: AccountId::new("alice@contoso.example").unwrap(),
            region: RegionId::new("us-east").unwrap(),
        };
        let object = |number: u8| ReleasedObject {
            object: ObjectId(uuid::Uuid::from_bytes([number; 16])),
            account: account.clone(),
            category: Category::Content,
            concerns_at: at("2026-03-05T10:00:00Z"),
            size: 100,
            commitment: Digest([number; 32]),
            key: Digest([number ^ 0xff; 32]),
        };
        Self {
            rulebook,
            docket: TestDocket::new(filler, 0),
            case: CaseId(uuid::Uuid::from_u128(7)),
            demand: demand(),
            facts: facts(&account),
            objects: vec![object(1), object(2)],
            categories: vec![Category::Content],
            now: at("2026-11-20T12:00:00Z"),
            signers: vec!["rita", "raj"],
            witnesses: 2,
        }
    }

    pub fn reviewers(&self) -> Reviewers {
        let keys = |names: &[&str]| -> BTreeMap<_, _> {
            names
                .iter()
                .map(|name| (staff(name), key_of(name).verifying_key().to_bytes()))
                .collect()
        };
        Reviewers {
            keys: keys(&["rita", "raj", "intake"]),
            senior: BTreeSet::from([staff("raj")]),
            counsel: keys(&["carl"]),
        }
    }

    pub fn policy(&self) -> TrustPolicy {
        TrustPolicy::new(self.docket.policy(), self.reviewers(), [self.rulebook.digest()]).unwrap()
    }

    /// Counsel's signature over a reason, base64.
    pub fn counsel_signs(&self, steps: &[Step], answers: &str, reason: &str) -> String {
        let matter = self.state(steps).file().matter(answers).expect("a demand");
        STANDARD.encode(
            key_of("carl")
                .sign(&signed_reason(self.case, answers, &matter, reason))
                .to_bytes(),
        )
    }

    /// The case's state after these steps.
    pub fn state(&self, steps: &[Step]) -> Case {
        Chain::verify(raw_chain(self.case, steps))
            .expect("a legal chain")
            .case()
            .clone()
    }

    /// Everything up to the proposal, with every promise kept: whatever the rulebook finds is worked off.
    pub fn steps(&self) -> Vec<Step> {
        let mut steps = self.steps_to_findings();
        self.work_off(&mut steps);
        steps
    }

    /// Up to and with the first assessment.
    pub fn steps_to_findings(&self) -> Vec<Step> {
        let intake = Actor::Staff(staff("intake"));
        let mut steps = Vec::new();
        let mut push = |actor: &Actor, body| {
            steps.push(Step {
                actor: actor.clone(),
                body,
            })
        };
        push(
            &intake,
            Body::Received {
                bytes: Digest::of(&[b"the demand"]),
                size: 10,
                channel: Channel::Portal,
                entered_by: Some(staff("intake")),
            },
        );
        push(
            &Actor::System,
            Body::Parsed {
                demand: Box::new(self.demand.clone()),
            },
        );
        push(
            &intake,
            Body::RequesterChecked {
                outcome: RequesterCheck::Confirmed,
                how: "switchboard".to_owned(),
            },
        );
        push(
            &intake,
            Body::Resolved {
                facts: self.facts.clone(),
            },
        );
        self.assess(&mut steps);
        steps
    }

    /// Appends an assessment as of the world's day.
    pub fn assess(&self, steps: &mut Vec<Step>) {
        let (demand, facts) = self.state(steps).as_it_stands().expect("resolved");
        let today = self.now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let assessment = self
            .rulebook
            .assess(&demand, &facts, today)
            .expect("an assessment");
        steps.push(Step {
            actor: Actor::System,
            body: Body::Assessed { assessment },
        });
    }

    /// Appends an answer to everything that the last assessment found and that is not answered yet.
    pub fn work_off(&self, steps: &mut Vec<Step>) {
        let case = self.state(steps);
        let file = case.file();
        let counsel = Actor::Counsel(staff("carl"));
        let system = Actor::System;
        let before = steps.clone();
        let sign = |answers: &str, reason: &str| self.counsel_signs(&before, answers, reason);
        let mut push = |actor: &Actor, body| {
            steps.push(Step {
                actor: actor.clone(),
                body,
            })
        };
        let findings = &file.judged().expect("assessed").assessment.findings;
        if findings
            .iter()
            .any(|finding| finding.duty == Some(DutyKind::Redirect))
        {
            push(
                &system,
                Body::Redirected {
                    how: "letter".to_owned(),
                    letter: Digest([5; 32]),
                    answer_by: None,
                },
            );
            push(
                &system,
                Body::RedirectAnswered {
                    outcome: RedirectOutcome::Refused,
                },
            );
        }
        if !file.gags().is_empty() {
            let reason = "the court made individual findings".to_owned();
            let signature = sign("gag", &reason);
            push(&counsel, Body::GagUnopposed { reason, signature });
        }
        for finding in findings.iter().filter(|finding| finding.effect == Effect::Ground) {
            let reason = format!("weighed and not pursued: {}", finding.rule);
            let signature = sign(finding.rule.as_str(), &reason);
            push(
                &counsel,
                Body::GroundAnswered {
                    ground: finding.rule.clone(),
                    reason,
                    signature,
                },
            );
        }
        let tenants: BTreeSet<TenantId> = case
            .scope()
            .accounts
            .into_iter()
            .map(|(tenant, _)| tenant)
            .collect();
        for tenant in tenants {
            if file.notice_forbidden(NoticeTo::Tenant, &tenant, self.now) {
                let duty = findings
                    .iter()
                    .find(|finding| finding.duty == Some(DutyKind::DoNotTellTenant));
                let rule = duty.expect("the duty").rule.clone();
                push(
                    &system,
                    Body::NoticeBarred {
                        to: NoticeTo::Tenant,
                        tenant,
                        rule,
                    },
                );
            } else if file.owes_notice_to(&tenant) {
                let (how, letter) = ("letter".to_owned(), Digest([6; 32]));
                push(
                    &system,
                    Body::Notified {
                        to: NoticeTo::Tenant,
                        tenant,
                        how,
                        letter,
                        late: false,
                    },
                );
            }
        }
    }

    /// The record on these steps.
    pub fn record(&self, steps: &[Step]) -> ReleaseRecord {
        let events = raw_chain(self.case, steps);
        let judged = steps.iter().rev().find_map(|step| match &step.body {
            Body::Assessed { assessment } => Some(assessment.rulebook.clone()),
            _ => None,
        });
        let accounts: BTreeSet<_> = self.objects.iter().map(|object| object.account.clone()).collect();
        ReleaseRecord {
            schema: RecordSchema::V1,
            id: RecordId(uuid::Uuid::from_u128(99)),
            case: self.case,
            chain_head: events.last().unwrap().header.hash().unwrap(),
            chain_length: events.len() as u64,
            rulebook: judged.expect("assessed"),
            accounts: accounts.into_iter().collect(),
            categories: self.categories.clone(),
            window: self.demand.window,
            objects: self.objects.clone(),
            recipient: Recipient {
                name: "the court".to_owned(),
                age: "age1test".to_owned(),
            },
            drawn_at: self.now - SignedDuration::from_hours(1),
            expires_at: self.now + SignedDuration::from_hours(24),
        }
    }

    /// Proposes, signs and logs `record` on top of `steps`: what is shown to the gate.
    pub fn show(&mut self, steps: &[Step], record: ReleaseRecord) -> Shown {
        let digest = record.digest().unwrap();
        let approvals: Vec<_> = self.signers.iter().map(|name| (*name, digest)).collect();
        self.show_signed(steps, record, &approvals)
    }

    /// As [`World::show`], with each signature over a digest of the test's choice.
    pub fn show_signed(
        &mut self,
        steps: &[Step],
        record: ReleaseRecord,
        approvals: &[(&str, Digest)],
    ) -> Shown {
        let salt = Salt([9; 32]);
        let mut steps = steps.to_vec();
        let mut push = |actor, body| steps.push(Step { actor, body });
        push(
            Actor::Staff(staff("rita")),
            Body::Proposed {
                record: Box::new(record.clone()),
            },
        );
        for (name, digest) in approvals {
            let signature = STANDARD.encode(key_of(name).sign(&approval_message(digest)).to_bytes());
            let reviewer = staff(name);
            push(
                Actor::Staff(reviewer.clone()),
                Body::Approved {
                    record: record.id,
                    reviewer,
                    signature,
                },
            );
        }
        let index = self.docket.log(&record, &salt);
        self.docket.grow(3);
        push(
            Actor::System,
            Body::Logged {
                record: record.id,
                index,
            },
        );
        let time = u64::try_from(self.now.as_second()).unwrap() - 60;
        let receipt = self.docket.receipt(&record, &salt, index, time, self.witnesses);
        Shown {
            events: raw_chain(self.case, &steps),
            record,
            salt,
            receipt,
            consistency: Vec::new(),
        }
    }

    /// A gag of the demand, by a court, until `until`.
    pub fn gag(until: Option<&str>) -> Gag {
        Gag {
            basis: Some("us.gag.2705b".parse().unwrap()),
            process: None,
            authority: None,
            reference: None,
            until_event: None,
            court_ordered: true,
            individual_findings: true,
            from: "2026-11-01".parse().unwrap(),
            until: until.map(|day| day.parse().unwrap()),
            forbids: vec![NoticeTo::Tenant, NoticeTo::Person],
        }
    }
}

/// Links steps into events a minute apart, asking nobody whether they are allowed.
pub fn raw_chain(case: CaseId, steps: &[Step]) -> Vec<Event> {
    let mut prev = GENESIS;
    let mut time = at("2026-11-16T08:00:00Z");
    let mut events = Vec::new();
    for (seq, step) in steps.iter().enumerate() {
        let salt = Digest::of(&[&seq.to_be_bytes()]);
        let actor = step.actor.clone();
        let header = Header::over(case, seq as u64, time, actor, prev, &salt, &step.body).unwrap();
        prev = header.hash().unwrap();
        time += SignedDuration::from_mins(1);
        events.push(Event {
            header,
            salt,
            body: step.body.clone(),
        });
    }
    events
}

/// A warrant under 18 U.S.C. 2703 for one mailbox and the first half of a year. It shows no particularity, so that there
/// is a ground to answer.
fn demand() -> Demand {
    let mut demand: Demand = serde_json::from_value(serde_json::json!({
        "schema": "amparo.demand/1",
        "instrument": "us.warrant.sca",
        "reference": "26-mj-101",
        "served_at": "2026-11-16T07:00:00Z",
        "requester": { "authority": "District Court", "country": "US", "kind": "court" },
        "issuer": { "kind": "court", "name": "District Court" },
        "issued_on": "2026-11-13",
        "return_on": "2026-12-01",
        "subjects": [{ "type": "account", "value": "alice@contoso.example" }],
        "categories": ["subscriber", "content"],
        "offence": { "provision": "18 U.S.C. 1343", "max_sentence_months": 240 },
        "showing": {
            "signed": true, "probable_cause": true, "particularity": false, "statute_named": true
        }
    }))
    .unwrap();
    demand.window = Some(Window::new(at("2026-01-01T00:00:00Z"), at("2026-07-01T00:00:00Z")).unwrap());
    demand
}

fn facts(account: &AccountRef) -> Facts {
    Facts {
        resolved: vec![Resolution::One(AccountFacts {
            identified: None,
            tenant: account.tenant.clone(),
            account: account.account.clone(),
            tenant_kind: TenantKind::Enterprise,
            tenant_country: CountryCode::new("US").unwrap(),
            region: account.region.clone(),
            region_country: CountryCode::new("US").unwrap(),
            also_in: Vec::new(),
            left_out: Vec::new(),
            person_country: Some(CountryCode::new("US").unwrap()),
            us_person: Some(true),
            privileged: Some(false),
            customer_holds_keys: None,
        })],
        requester: RequesterCheck::Unchecked,
        controller_consents: None,
        looked_up_at: None,
    }
}
