//! A transfer that keeps P19: an account's mail from Germany to the United States, to a certified importer.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::Signer as _;
use jiff::{SignedDuration, Timestamp, civil::Date};
use translog::entry::Salt;

use super::{TestDocket, staff, world::key_of};
use crate::{
    demand::{Category, CountryCode},
    event::Actor,
    finding::RulebookRef,
    gate::TrustPolicy,
    ids::{AccountId, CaseId, Digest, RecordId, RegionId, TenantId},
    promise::Reviewers,
    rulebook::{LANGUAGE, Rulebook},
    transfer::{
        Assessment, Basis, Data, Importer, LawThere, Measure, Mode, Opening, Place, Shown, ShownTransfer,
        TransferBody, TransferChain, TransferRecord, TransferSchema, signed_decision,
        transfer_approval_message,
    },
};

pub struct TransferWorld {
    pub rulebook: &'static Rulebook,
    pub docket: TestDocket,
    pub id: CaseId,
    pub opening: Opening,
    pub bases: Vec<Basis>,
    pub assessment: Option<Assessment>,
    pub measures: Vec<Measure>,
    /// Counsel's reason, signed.
    pub decision: Option<&'static str>,
    pub now: Timestamp,
    pub signers: Vec<&'static str>,
    pub witnesses: usize,
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn place(region: &str, country: &str) -> Place {
    Place {
        region: RegionId::new(region).unwrap(),
        country: CountryCode::new(country).unwrap(),
    }
}

impl TransferWorld {
    /// From Germany to the United States, on the Data Privacy Framework, at noon of 20 November 2026.
    pub fn new(rulebook: &'static Rulebook) -> Self {
        Self {
            rulebook,
            docket: TestDocket::new(5, 0),
            id: CaseId(uuid::Uuid::from_u128(19)),
            opening: Opening {
                tenant: TenantId::new("contoso").unwrap(),
                tenant_country: CountryCode::new("DE").unwrap(),
                from: place("eu-de", "DE"),
                to: place("us-east", "US"),
                data: Data::Accounts(vec![AccountId::new("alice").unwrap()]),
                mode: Mode::Move,
                categories: vec![Category::Subscriber, Category::Content],
                purpose: "the customer opens an office there".to_owned(),
                importer: Importer {
                    name: "Provider Inc".to_owned(),
                    shown: vec![Self::shown("us.dpf_certified", "2024-01-01")],
                },
            },
            bases: vec![Self::adequacy("eu.adequacy.us.dpf")],
            assessment: None,
            measures: Vec::new(),
            decision: None,
            now: "2026-11-20T12:00:00Z".parse().unwrap(),
            signers: vec!["rita", "raj"],
            witnesses: 2,
        }
    }

    pub fn shown(mark: &str, on: &str) -> Shown {
        Shown {
            mark: mark.to_owned(),
            how: "looked up in the public list".to_owned(),
            checked_on: day(on),
        }
    }
    pub fn adequacy(id: &str) -> Basis {
        Basis::Adequacy {
            decision: id.parse().unwrap(),
        }
    }
    pub fn assessed(law: LawThere, use_case: &str) -> Assessment {
        Assessment {
            transfer: "mail of one office, to one region, onward to nobody".to_owned(),
            tool: "standard clauses".to_owned(),
            law,
            law_explained: "what was read, and what follows".to_owned(),
            sources: vec!["a report of 2026".to_owned()],
            use_case: use_case.parse().unwrap(),
            procedure: "the clauses are annexed".to_owned(),
            re_evaluate_on: day("2027-06-30"),
        }
    }
    /// From one country to another, for a customer of the first.
    pub fn between(mut self, from: &str, to: &str) -> Self {
        self.opening.from.country = CountryCode::new(from).unwrap();
        self.opening.tenant_country = CountryCode::new(from).unwrap();
        self.opening.to.country = CountryCode::new(to).unwrap();
        self
    }

    pub fn reviewers(&self) -> Reviewers {
        let keys = |names: &[&str]| -> BTreeMap<_, _> {
            names
                .iter()
                .map(|name| (staff(name), key_of(name).verifying_key().to_bytes()))
                .collect()
        };
        Reviewers {
            keys: keys(&["rita", "raj", "olga"]),
            senior: BTreeSet::new(),
            counsel: keys(&["carl"]),
        }
    }
    pub fn policy(&self) -> TrustPolicy {
        TrustPolicy::new(self.docket.policy(), self.reviewers(), [self.rulebook.digest()]).unwrap()
    }

    /// `olga` opens it and states everything; nothing is drawn up yet.
    pub fn chain(&self) -> TransferChain {
        let olga = Actor::Staff(staff("olga"));
        let begun = self.now - SignedDuration::from_hours(1);
        let opened = TransferBody::Opened {
            opening: Box::new(self.opening.clone()),
        };
        let mut chain = TransferChain::begin(self.id, begun, olga.clone(), Digest([1; 32]), opened).unwrap();
        let mut append =
            |actor: &Actor, body| chain.append(begun, actor.clone(), Digest([2; 32]), body).unwrap();
        if !self.bases.is_empty() {
            let bases = self.bases.clone();
            append(&olga, TransferBody::BasisStated { bases });
        }
        if let Some(assessment) = &self.assessment {
            let assessment = Box::new(assessment.clone());
            append(&olga, TransferBody::Assessed { assessment });
        }
        if !self.measures.is_empty() {
            let measures = self.measures.clone();
            append(&olga, TransferBody::MeasuresTaken { measures });
        }
        if let Some(reason) = self.decision {
            let matter = chain.matter().matter().unwrap();
            let signature = key_of("carl").sign(&signed_decision(self.id, &matter, reason));
            let body = TransferBody::Decided {
                reason: reason.to_owned(),
                signature: STANDARD.encode(signature.to_bytes()),
            };
            let carl = Actor::Counsel(staff("carl"));
            chain.append(begun, carl, Digest([3; 32]), body).unwrap();
        }
        chain
    }

    pub fn record(&self, chain: &TransferChain) -> TransferRecord {
        TransferRecord {
            schema: TransferSchema::V1,
            id: RecordId(uuid::Uuid::from_u128(20)),
            transfer: self.id,
            chain_head: chain.head(),
            chain_length: chain.length(),
            rulebook: RulebookRef {
                digest: self.rulebook.digest(),
                as_of: self.now.to_zoned(jiff::tz::TimeZone::UTC).date(),
                language: LANGUAGE.to_owned(),
            },
            tenant: self.opening.tenant.clone(),
            from: self.opening.from.region.clone(),
            to: self.opening.to.region.clone(),
            data: self.opening.data.clone(),
            mode: self.opening.mode,
            categories: self.opening.categories.clone(),
            drawn_at: self.now,
            expires_at: self.now + SignedDuration::from_hours(24),
        }
    }

    pub fn signature(name: &str, record: &TransferRecord) -> String {
        let message = transfer_approval_message(&record.digest().unwrap());
        STANDARD.encode(key_of(name).sign(&message).to_bytes())
    }

    /// Draws up, has it signed and logged, and starts.
    pub fn run(&mut self, chain: &mut TransferChain, record: &TransferRecord) -> ShownTransfer {
        let salt = Salt([9; 32]);
        let mut append = |actor: Actor, body| chain.append(self.now, actor, Digest([4; 32]), body).unwrap();
        let olga = Actor::Staff(staff("olga"));
        let drawn = Box::new(record.clone());
        append(olga.clone(), TransferBody::Proposed { record: drawn });
        for name in &self.signers {
            let body = TransferBody::Approved {
                record: record.id,
                reviewer: staff(name),
                signature: Self::signature(name, record),
            };
            append(Actor::Staff(staff(name)), body);
        }
        let index = self.docket.log(record, &salt);
        let logged = TransferBody::Logged {
            record: record.id,
            index,
        };
        append(Actor::System, logged);
        append(
            olga,
            TransferBody::Started {
                objects: 2,
                bytes: 20,
            },
        );
        self.show(chain, record, &salt, index)
    }

    pub fn show(
        &self,
        chain: &TransferChain,
        record: &TransferRecord,
        salt: &Salt,
        index: u64,
    ) -> ShownTransfer {
        let seconds = u64::try_from(self.now.as_second()).unwrap();
        ShownTransfer {
            events: chain.events().to_vec(),
            record: record.clone(),
            salt: salt.clone(),
            receipt: self.docket.receipt(record, salt, index, seconds, self.witnesses),
            consistency: Vec::new(),
        }
    }
}
