//! Who asks, whom they mean, and what the law says of it.

use std::path::PathBuf;

use anyhow::bail;
use casework::{
    demand::CountryCode,
    event::Body,
    facts::{Identified, RequesterCheck, Resolution},
    ids::{CaseId, RegionId},
};
use jiff::civil::Date;
use serde_json::json;
use service::{
    app::{Choice, Desk, Learned},
    deployment::Deployment,
    requesters::Call,
};

use super::{
    Acting,
    act::{account, digest_of, said, word},
    case_id,
};
use crate::voice::{Format, GOOD, data, say};

super::verbs! {
    Check {
        /// What came of it: `confirmed` or `refuted`.
        #[arg(long, value_parser = word::<RequesterCheck>)]
        outcome: RequesterCheck,
        /// How: whom, and what they said. Without `--number` a confirmation counts once a second person has recorded one, too.
        #[arg(long)]
        how: String,
        /// The authority called, by its id in the register (`amparo requester list`).
        #[arg(long, requires = "number")]
        authority: Option<String>,
        /// The number called: the register must have held it before the message came.
        #[arg(long, requires = "authority")]
        number: Option<String>,
    }
    Resolve {
        /// Where a subject matched several accounts, the one that is meant: `0=tenant/account@*`. With a region for
        /// the star, that one alone is released from; others in which data of it lies are left to another record.
        #[arg(long, value_parser = choice, value_name = "N=TENANT/ACCOUNT@REGION")]
        choose: Vec<Choice>,
        /// Where no record of the vault says whose an identifier is: how a person found the account that `--choose` names.
        #[arg(long, requires = "document", requires = "choose")]
        identified: Option<String>,
        /// The record that says so: a log kept elsewhere.
        #[arg(long, value_name = "FILE", requires = "identified")]
        document: Option<PathBuf>,
    }
    Learn {
        /// The demand's subject whose account's person it is about, from 0.
        #[arg(long, default_value_t = 0)]
        subject: usize,
        /// Where the person resides, as `DE`.
        #[arg(long, value_parser = |text: &str| CountryCode::new(text))]
        person_country: Option<CountryCode>,
        /// Whether the person is a United States person (18 U.S.C. 2523(a)(2)).
        #[arg(long, value_name = "BOOL")]
        us_person: Option<bool>,
        /// Whether the person is bound by professional privilege.
        #[arg(long, value_name = "BOOL")]
        privileged: Option<bool>,
        /// Whether the controller consents, now that it was told.
        #[arg(long, value_name = "BOOL")]
        controller_consents: Option<bool>,
    }
    Assess {
        /// The day whose law applies; today (UTC) unless said.
        #[arg(long, value_name = "DATE")]
        as_of: Option<Date>,
    }
}

impl Check {
    pub(super) async fn run(self, deployment: &Deployment, format: Format) -> anyhow::Result<()> {
        let Self {
            case,
            acting,
            outcome,
            how,
            authority,
            number,
        } = self;
        let desk = deployment.desk();
        let actor = acting.actor(desk).await?;
        if let (Some(authority), Some(number)) = (&authority, &number) {
            let call = Call {
                case,
                authority,
                number,
                outcome,
                said: &how,
            };
            deployment.registry()?.call_back(desk, call, actor).await?;
            say!("{GOOD}recorded{GOOD:#}");
            return Ok(());
        }
        let event = desk.check_in_words(case, actor, outcome, &how).await?;
        said(format, &event)?;
        let waits = matches!(
            event.body,
            Body::RequesterChecked {
                outcome: RequesterCheck::Unchecked,
                ..
            }
        );
        if waits && outcome == RequesterCheck::Confirmed {
            say!(
                "it counts once a second person has confirmed it, too; a call on a registered number counts at once (--authority, --number)"
            );
        }
        Ok(())
    }
}

impl Resolve {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let actor = self.acting.actor(desk).await?;
        let mut choices = self.choose;
        if let (Some(how), Some(document)) = (&self.identified, &self.document) {
            let document = digest_of(document)?;
            for choice in &mut choices {
                choice.identified = Some(Identified {
                    how: how.clone(),
                    document,
                });
            }
        }
        let facts = desk.resolve(self.case, actor, &choices).await?;
        if format == Format::Json {
            data!(
                "{}",
                json!({"schema": "amparo.cli.facts/1", "case": self.case, "facts": facts})
            );
            return Ok(());
        }
        for (number, resolution) in facts.resolved.iter().enumerate() {
            match resolution {
                Resolution::One(found) => {
                    let places: Vec<&str> = found.places().map(|(region, _)| region.as_str()).collect();
                    data!(
                        "subject {number}: {} of {} in {}",
                        found.account,
                        found.tenant,
                        places.join(" and ")
                    );
                    if !found.left_out.is_empty() {
                        let others: Vec<&str> = found.left_out.iter().map(RegionId::as_str).collect();
                        data!("  left to another record: what lies in {}", others.join(" and "));
                    }
                }
                Resolution::None => data!("subject {number}: no account"),
                Resolution::Several { count, tenants } => {
                    data!("subject {number}: {count} accounts of {tenants} customer(s); choose with --choose")
                }
                Resolution::Unspecific => data!("subject {number}: names no account (P6)"),
            }
        }
        Ok(())
    }
}

impl Learn {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let actor = self.acting.actor(desk).await?;
        let learned = Learned {
            subject: self.subject,
            person_country: self.person_country,
            us_person: self.us_person,
            privileged: self.privileged,
        };
        let of_person = learned
            != Learned {
                subject: self.subject,
                ..Learned::default()
            };
        if !of_person && self.controller_consents.is_none() {
            bail!(
                "nothing to record; give --person-country, --us-person, --privileged or --controller-consents"
            );
        }
        let learned = of_person.then_some(learned);
        let facts = desk
            .learn(self.case, actor, learned.as_slice(), self.controller_consents)
            .await?;
        if format == Format::Json {
            data!(
                "{}",
                json!({"schema": "amparo.cli.facts/1", "case": self.case, "facts": facts})
            );
        } else {
            say!("{GOOD}recorded{GOOD:#}; assess again, for the rules may now find otherwise");
        }
        Ok(())
    }
}

impl Assess {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let actor = self.acting.actor(desk).await?;
        let assessment = desk.assess(self.case, actor, self.as_of).await?;
        if format == Format::Json {
            data!(
                "{}",
                json!({"schema": "amparo.cli.assessment/1", "case": self.case, "assessment": assessment})
            );
            return Ok(());
        }
        for finding in &assessment.findings {
            data!(
                "{:?}  {:?}  {}\n    {}",
                finding.effect,
                finding.promise,
                finding.rule,
                finding.explanation
            );
            if let Some(clock) = &finding.clock {
                data!("    {}: {}", clock.on, clock.counted);
            }
        }
        let releasable: Vec<_> = assessment
            .releasable
            .iter()
            .map(|c| format!("{c:?}").to_lowercase())
            .collect();
        data!(
            "releasable: {}",
            if releasable.is_empty() {
                "nothing".to_owned()
            } else {
                releasable.join(", ")
            }
        );
        Ok(())
    }
}

fn choice(text: &str) -> Result<Choice, String> {
    const FORM: &str = "write `0=tenant/account@region`, or `@*` for every region";
    let (subject, rest) = text.split_once('=').ok_or(FORM)?;
    let (place, region) = rest.rsplit_once('@').ok_or(FORM)?;
    let (tenant, account) = account(place)?;
    let region: Option<RegionId> = match region {
        "*" => None,
        region => Some(region.parse().map_err(|error| format!("{error}"))?),
    };
    let subject = subject.parse().map_err(|_| FORM)?;
    Ok(Choice {
        subject,
        tenant,
        account,
        region,
        identified: None,
    })
}
