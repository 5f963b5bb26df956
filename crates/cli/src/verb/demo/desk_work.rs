//! One case at the desk, step by step, as the people of the demonstration would work it.

use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret as _;
use anyhow::{Context as _, ensure};
use casework::{
    demand::NoticeTo,
    event::{Actor, Body, Channel, Decision, Outcome, RedirectOutcome, Scope},
    facts::{RequesterCheck, Resolution},
    finding::{Assessment, ClockKind, DutyKind, Effect, Finding, Promise},
    ids::{CaseId, Digest, RuleId, TenantId},
    record::{Recipient, ReleaseRecord},
};
use jiff::SignedDuration;
use service::app::{Desk, DeskError, Filing};

use super::{people::Person, story};

/// Everybody who works a case.
pub struct Team {
    /// Reviews.
    pub first: Person,
    /// Reviews, and is senior.
    pub second: Person,
    /// Signs reasons, files objections.
    pub counsel: Person,
}

/// What left.
pub struct Handed {
    /// The encrypted package.
    pub package: PathBuf,
    /// The recipient's identity file.
    pub identity: PathBuf,
    /// The receipt for the demand itself: it is in the docket that it arrived.
    pub receipt: PathBuf,
    /// How many objects it holds.
    pub objects: usize,
}

/// One case at work.
pub struct Work<'a> {
    /// The case.
    pub case: CaseId,
    desk: &'a Desk,
    team: &'a Team,
}

impl<'a> Work<'a> {
    /// Takes a demand in and reports the receipt.
    pub async fn open(
        desk: &'a Desk,
        team: &'a Team,
        demand: &serde_json::Value,
        channel: Channel,
    ) -> anyhow::Result<Self> {
        let bytes = serde_json::to_vec_pretty(demand)?;
        let intake = desk.intake(&bytes, channel, None).await?;
        story::step(&format!(
            "received {} bytes, kept and hashed before anybody read them",
            bytes.len()
        ));
        story::detail(&format!("case {}  sha256 {}", intake.case, short(&intake.bytes)));
        Ok(Self {
            case: intake.case,
            desk,
            team,
        })
    }

    /// Records how the requester was checked.
    pub async fn check_requester(&self, outcome: RequesterCheck, how: &str) -> anyhow::Result<()> {
        self.record(
            self.team.first.staff(),
            Body::RequesterChecked {
                outcome,
                how: how.to_owned(),
            },
        )
        .await?;
        story::step(&format!("requester checked: {how}"));
        Ok(())
    }

    /// Looks the subjects up and applies the rulebook; tells what it found.
    pub async fn judge(&self) -> anyhow::Result<Assessment> {
        let facts = self.desk.resolve(self.case, self.team.first.staff(), &[]).await?;
        for resolution in &facts.resolved {
            match resolution {
                Resolution::One(one) => story::step(&format!(
                    "one account: {} of {}, data in {} ({})",
                    one.account,
                    one.tenant,
                    one.region,
                    one.region_country.as_str()
                )),
                Resolution::None => story::step("no such account"),
                Resolution::Several { count, .. } => story::step(&format!("{count} accounts match")),
                Resolution::Unspecific => story::step("names no account at all"),
            }
        }
        self.assess().await
    }

    /// Applies the rulebook to the demand as it now stands, and tells only how it comes out.
    pub async fn assess_again(&self) -> anyhow::Result<Assessment> {
        let assessment = self.desk.assess(self.case, self.team.first.staff(), None).await?;
        let free: Vec<_> = assessment
            .releasable
            .iter()
            .map(|category| format!("{category:?}").to_lowercase())
            .collect();
        story::step(&format!(
            "P5 judged again as it now stands: {}",
            if free.is_empty() {
                "nothing may be released".to_owned()
            } else {
                format!("no bar on {}", free.join(", "))
            }
        ));
        Ok(assessment)
    }

    /// Applies the rulebook to the demand as it now stands.
    pub async fn assess(&self) -> anyhow::Result<Assessment> {
        let assessment = self.desk.assess(self.case, self.team.first.staff(), None).await?;
        for finding in &assessment.findings {
            let line = format!("{:?} {} - {}", finding.promise, finding.rule, finding.explanation);
            match finding.effect {
                Effect::Bar => story::refused(&line),
                Effect::Ground => story::found(&format!("ground: {line}")),
                Effect::Duty => continue,
                Effect::Clock => {
                    let Some(clock) = &finding.clock else { continue };
                    let kind = match clock.kind {
                        ClockKind::Deadline => "answer by",
                        ClockKind::NotBefore => "not before",
                        ClockKind::ObjectBy => "object by",
                        ClockKind::Expires => "ends on",
                        ClockKind::ReviewBy => "review by",
                    };
                    story::step(&format!("{kind} {}: {}", clock.on, clock.counted));
                }
            }
            story::detail(&finding.citation);
        }
        Ok(assessment)
    }

    /// Asks the requester to go to the customer; they insist (P8).
    pub async fn redirect(&self, assessment: &Assessment) -> anyhow::Result<()> {
        if !has_duty(assessment, DutyKind::Redirect) {
            return Ok(());
        }
        self.desk
            .redirect(
                self.case,
                self.team.first.staff(),
                "by letter to the requester's registered address",
            )
            .await?;
        let outcome = RedirectOutcome::Refused;
        self.record(Actor::Requester, Body::RedirectAnswered { outcome })
            .await?;
        story::step("P8 requester asked to go to the customer; they insist");
        Ok(())
    }

    /// Tells the customer (P9).
    pub async fn tell(&self, assessment: &Assessment, tenant: &TenantId) -> anyhow::Result<()> {
        if !has_duty(assessment, DutyKind::NotifyTenant) {
            return Ok(());
        }
        self.desk
            .notify(
                self.case,
                self.team.first.staff(),
                tenant,
                "registered letter and administrator's mailbox",
            )
            .await?;
        story::step(&format!("P9 {tenant} told, before anything is released"));
        Ok(())
    }

    /// Files an objection on every ground but those against gags, and has it decided (P11, P12).
    pub async fn contest(
        &self,
        assessment: &Assessment,
        forum: &str,
        decision: Option<(Decision, &str)>,
    ) -> anyhow::Result<()> {
        let grounds = grounds(assessment);
        ensure!(!grounds.is_empty(), "the rulebook finds no ground to object");
        self.desk
            .object(
                self.case,
                self.team.counsel.counsel(),
                &grounds,
                forum,
                &Filing::Summary,
            )
            .await?;
        story::step(&format!(
            "P11 objection filed with the {forum} on {} ground(s)",
            grounds.len()
        ));
        if let Some((outcome, reference)) = decision {
            let body = Body::ObjectionDecided {
                grounds: grounds.clone(),
                outcome,
                reference: reference.to_owned(),
            };
            self.record(self.team.counsel.counsel(), body).await?;
            story::step(&format!("decided: {} ({reference})", said(outcome)));
        }
        Ok(())
    }

    /// Objects to the gag and has it decided (P10).
    pub async fn contest_gag(
        &self,
        forum: &str,
        decision: Option<(Decision, Option<jiff::civil::Date>)>,
    ) -> anyhow::Result<()> {
        let filing = Digest::of(&[b"motion to modify the order under 18 U.S.C. 2705(b)"]);
        self.record(
            self.team.counsel.counsel(),
            Body::GagObjected {
                forum: forum.to_owned(),
                filing,
                gag: None,
            },
        )
        .await?;
        story::step(&format!("P10 objection to the gag filed with the {forum}"));
        if let Some((outcome, until)) = decision {
            self.record(
                self.team.counsel.counsel(),
                Body::GagDecided {
                    outcome,
                    until,
                    gag: None,
                },
            )
            .await?;
            match until {
                Some(day) => story::step(&format!("decided: {}; the gag now ends on {day}", said(outcome))),
                None => story::step(&format!("decided: {}", said(outcome))),
            }
        }
        Ok(())
    }

    /// Has counsel sign why each ground against the gag is not pursued further (P10).
    pub async fn settle_gag_grounds(&self, assessment: &Assessment, reason: &str) -> anyhow::Result<()> {
        let against_gag =
            |finding: &&Finding| finding.effect == Effect::Ground && finding.promise == Promise::P10;
        for finding in assessment.findings.iter().filter(against_gag) {
            let rule = finding.rule.as_str();
            let matter = self.desk.matter(self.case, rule).await?;
            let body = Body::GroundAnswered {
                ground: finding.rule.clone(),
                reason: reason.to_owned(),
                signature: self.team.counsel.sign_reason(self.case, rule, &matter, reason),
            };
            self.record(self.team.counsel.counsel(), body).await?;
            story::step(&format!("P10 counsel signs: {reason}"));
        }
        Ok(())
    }

    /// Records what keeps the customer from being told for now (P9).
    pub async fn bar_notice(&self, assessment: &Assessment, tenant: &TenantId) -> anyhow::Result<()> {
        let silence = assessment
            .findings
            .iter()
            .find(|finding| finding.duty == Some(DutyKind::DoNotTellTenant));
        let Some(silence) = silence else { return Ok(()) };
        let body = Body::NoticeBarred {
            to: NoticeTo::Tenant,
            tenant: tenant.clone(),
            rule: silence.rule.clone(),
        };
        self.record(self.team.first.staff(), body).await?;
        story::step(&format!(
            "P9 {tenant} may not be told for now ({}); the notice stays owed",
            silence.citation
        ));
        Ok(())
    }

    /// Cuts the scope.
    pub async fn narrow(&self, scope: Scope, reason: &str, settles: Vec<RuleId>) -> anyhow::Result<()> {
        self.record(
            self.team.counsel.counsel(),
            Body::Narrowed {
                scope,
                reason: reason.to_owned(),
                settles,
            },
        )
        .await?;
        story::step(&format!("narrowed: {reason}"));
        Ok(())
    }

    /// Rejects the demand with the rules that bar it, and closes the case.
    pub async fn reject(&self, assessment: &Assessment, explanation: &str) -> anyhow::Result<()> {
        let bars = assessment
            .findings
            .iter()
            .filter(|finding| finding.effect == Effect::Bar);
        let rules: Vec<RuleId> = bars.map(|finding| finding.rule.clone()).collect();
        ensure!(!rules.is_empty(), "no rule bars what was to be rejected");
        let body = Body::Rejected {
            codes: Vec::new(),
            rules,
            explanation: explanation.to_owned(),
        };
        self.record(self.team.second.staff(), body).await?;
        self.record(
            self.team.second.staff(),
            Body::Closed {
                outcome: Outcome::Rejected,
            },
        )
        .await?;
        story::step("the requester gets the rules and citations, and a way on; case closed");
        Ok(())
    }

    /// Draws up a record and has two people sign it.
    pub async fn draw_up(&self, recipient: Recipient) -> anyhow::Result<ReleaseRecord> {
        let record = self
            .desk
            .propose(
                self.case,
                self.team.first.staff(),
                recipient,
                SignedDuration::from_hours(72),
            )
            .await
            .context("no record could be drawn up")?;
        let digest = record.digest()?;
        for reviewer in [&self.team.first, &self.team.second] {
            self.desk
                .approve(self.case, record.id, &reviewer.id, &reviewer.approve(&digest))
                .await?;
        }
        story::step(&format!(
            "P13 record of {} object(s), {} byte(s); P7 signed by {} and {}",
            record.objects.len(),
            record.objects.iter().map(|object| object.size).sum::<u64>(),
            self.team.first.id,
            self.team.second.id
        ));
        story::detail(&format!("sha256 {}", short(&digest)));
        Ok(record)
    }

    /// Asks the gate. `Ok(None)` when it refused, which is told.
    pub async fn release(&self, record: &ReleaseRecord) -> anyhow::Result<Option<PathBuf>> {
        match self.desk.release(self.case, record.id).await {
            Ok(package) => {
                story::good(&format!(
                    "logged, witnessed, replayed by the gate, {} key(s) opened: package of {} bytes",
                    record.objects.len(),
                    package.size
                ));
                Ok(Some(package.path))
            }
            Err(DeskError::GateRefused { refusal, .. }) => {
                story::refused(&format!("by the gate: {} {}", refusal.breach, refusal.reason));
                Ok(None)
            }
            Err(other) => Err(other.into()),
        }
    }

    /// From record to delivery, with the recipient's files laid out under `dir`.
    pub async fn hand_over(&self, dir: &Path, name: &str, authority: &str) -> anyhow::Result<Handed> {
        let identity = age::x25519::Identity::generate();
        let recipient = Recipient {
            name: authority.to_owned(),
            age: identity.to_public().to_string(),
        };
        let record = self.draw_up(recipient).await?;
        let objects = record.objects.len();
        let package = self
            .release(&record)
            .await?
            .context("the gate refused a release that should stand")?;
        let handed = Handed {
            package: dir.join(format!("{name}.age")),
            identity: dir.join(format!("{name}.identity")),
            receipt: dir.join(format!("{name}.tlog-proof")),
            objects,
        };
        std::fs::copy(&package, &handed.package)
            .with_context(|| format!("cannot copy the package to `{}`", handed.package.display()))?;
        service::deployment::write_secret(&handed.identity, identity.to_string().expose_secret().as_bytes())?;
        let receipt = self
            .desk
            .event_receipt(self.case, 0)
            .await?
            .context("the demand has no receipt yet")?;
        std::fs::write(&handed.receipt, receipt)?;
        self.desk
            .deliver(
                self.case,
                self.team.first.staff(),
                record.id,
                "fetched by the officer named",
            )
            .await?;
        story::step(&format!("delivered to {authority}"));
        Ok(handed)
    }

    /// Ends the case.
    pub async fn close(&self, outcome: Outcome) -> anyhow::Result<()> {
        self.record(self.team.second.staff(), Body::Closed { outcome })
            .await
    }

    /// Tells what is owed next.
    pub async fn tell_owed(&self) -> anyhow::Result<()> {
        for owed in self.desk.owed(self.case).await? {
            story::found(&format!("open: {:?} {}", owed.promise, owed.text));
        }
        Ok(())
    }

    /// Records an event.
    pub async fn record(&self, actor: Actor, body: Body) -> anyhow::Result<()> {
        self.desk.record(self.case, actor, body).await?;
        Ok(())
    }
}

/// Grounds to object, except those that are about a gag (P10).
pub fn grounds(assessment: &Assessment) -> Vec<RuleId> {
    let grounds = assessment
        .findings
        .iter()
        .filter(|finding| finding.effect == Effect::Ground && finding.promise != Promise::P10);
    grounds.map(|finding| finding.rule.clone()).collect()
}

fn has_duty(assessment: &Assessment, duty: DutyKind) -> bool {
    assessment
        .findings
        .iter()
        .any(|finding| finding.duty == Some(duty))
}

fn said(decision: Decision) -> &'static str {
    match decision {
        Decision::Won => "for the customer",
        Decision::Lost => "the demand stands",
        Decision::Partly => "partly for the customer",
    }
}

fn short(digest: &Digest) -> String {
    digest.to_string().chars().take(16).collect::<String>() + "..."
}
