//! What is answered to an authority beside data: questions, the form of Annex III, and that something was preserved.

use casework::{
    annex3::{Certificate, Interest, NonExecution, NonExecutionReason, Preservation},
    chain::Chain,
    demand::{Demand, Subject},
    event::Body,
    facts::Resolution,
    finding::{ClockKind, DutyKind},
};
use stationery::{Facts, Ground, visible};

use super::{
    Letterhead, NotWritten,
    about::{findings, ground, list, minute, set},
    word,
};

impl Letterhead<'_> {
    pub(super) fn unclear(&self, language: &str, chain: &Chain) -> Result<Facts, NotWritten> {
        let file = chain.case().file();
        let mut facts = self.about_demand(language, file)?;
        let missing: Vec<Ground> = findings(file)
            .filter(|finding| finding.duty == Some(DutyKind::Clarify))
            .map(ground)
            .collect();
        let resolved = file.facts().map_or(&[][..], |facts| &facts.resolved);
        let subjects = file.demand().map_or(&[][..], |demand| &demand.subjects);
        let unclear: Vec<String> = subjects
            .iter()
            .zip(resolved)
            .filter_map(|(subject, resolution)| {
                let name = match resolution {
                    Resolution::One(_) => return None,
                    Resolution::None => "subject.none",
                    Resolution::Several { .. } => "subject.several",
                    Resolution::Unspecific => "subject.unspecific",
                };
                Some(word(language, name).replace("{subject}", &named(subject)))
            })
            .collect();
        let asked = last_form(chain).and_then(|form| form.clarification.clone());
        let points = missing.len() + unclear.len() + usize::from(asked.is_some());
        set(&mut facts, "points", (points > 0).then(|| points.to_string()));
        set(&mut facts, "asked", asked);
        facts.grounds.insert("missing", missing);
        facts.items.insert("unclear", unclear);
        Ok(facts)
    }

    pub(super) fn preserved(&self, language: &str, chain: &Chain) -> Result<Option<Facts>, NotWritten> {
        let file = chain.case().file();
        let mut facts = self.about_demand(language, file)?;
        let Some(standing) = file.further().standing_snapshot() else {
            return Ok(None);
        };
        let made = chain.events().iter().find_map(|event| match &event.body {
            Body::Preserved { snapshot, digest, .. } if *snapshot == standing.id => {
                Some((event.header.at, *digest))
            }
            _ => None,
        });
        let (Some((at, digest)), Some(demand)) = (made, file.demand()) else {
            return Ok(None);
        };
        facts.values.insert("preserved_at", minute(at));
        facts.values.insert("snapshot", standing.id.to_string());
        facts.values.insert("snapshot_digest", digest.to_string());
        set(&mut facts, "subjects", list(demand.subjects.iter().map(named)));
        let by = self.rulebook.keeping_rule(&demand.instrument);
        let until = findings(file)
            .filter(|finding| Some(&finding.rule) == by)
            .filter_map(|finding| finding.clock.as_ref())
            .find(|clock| clock.kind == ClockKind::Expires);
        set(&mut facts, "kept_until", until.map(|clock| clock.on.to_string()));
        Ok(Some(facts))
    }

    /// The form as it was recorded last; `None` where none was.
    pub(super) fn form(&self, chain: &Chain) -> Option<Facts> {
        let form = last_form(chain)?;
        let demand: &Demand = chain.case().file().demand()?;
        let mut facts = Facts {
            instrument: Some(demand.instrument.to_string()),
            ..Facts::default()
        };
        facts.flags.insert(match form.certificate {
            Certificate::Epoc => "certificate_epoc",
            Certificate::EpocPr => "certificate_epoc_pr",
        });
        facts
            .flags
            .extend(form.reasons.iter().map(|reason| reason_box(*reason)));
        facts.flags.insert(match form.preservation {
            Preservation::Kept => "preservation_kept",
            Preservation::NotIdentifiable => "preservation_not_identifiable",
            Preservation::NotHeld => "preservation_not_held",
        });
        let (authorities, contact) = (&form.authorities, &form.contact);
        for (name, value) in [
            ("issuing", &authorities.issuing),
            ("addressee_name", &form.addressee.name),
            ("addressee_file", &form.addressee.file),
            ("explanation", &form.explanation),
            ("contact_name", &contact.name),
            ("contact_reach", &contact.reach),
            ("contact_signed_by", &contact.signed_by),
        ] {
            facts.values.insert(name, value.clone());
        }
        facts
            .values
            .insert("received_on", authorities.received_on.to_string());
        facts.values.insert("signed_on", contact.on.to_string());
        for (name, value) in [
            ("issuing_file", authorities.issuing_file.clone()),
            ("validating", authorities.validating.clone()),
            ("issued_on", authorities.issued_on.map(|day| day.to_string())),
            ("enforcing", authorities.enforcing.clone()),
            ("clarification", form.clarification.clone()),
            ("contact_post", contact.post.clone()),
        ] {
            set(&mut facts, name, value);
        }
        if let Some(law) = &form.third_country {
            for (name, value) in [
                ("law_title", &law.title),
                ("law_provision", &law.provision),
                ("why_applicable", &law.why_applicable),
                ("why_conflict", &law.why_conflict),
                ("link", &law.link),
                ("law_consequences", &law.consequences),
            ] {
                facts.values.insert(name, value.clone());
            }
            facts
                .flags
                .extend(law.protects.iter().map(|interest| match interest {
                    Interest::FundamentalRights => "protects_fundamental_rights",
                    Interest::NationalSecurity => "protects_national_security",
                    Interest::Other => "protects_other",
                }));
        }
        Some(facts)
    }
}

fn last_form(chain: &Chain) -> Option<&NonExecution> {
    chain.events().iter().rev().find_map(|event| match &event.body {
        Body::NotExecuted { form, .. } => Some(form.as_ref()),
        _ => None,
    })
}

fn reason_box(reason: NonExecutionReason) -> &'static str {
    match reason {
        NonExecutionReason::Incomplete => "reason_incomplete",
        NonExecutionReason::ManifestErrors => "reason_manifest_errors",
        NonExecutionReason::InsufficientInformation => "reason_insufficient_information",
        NonExecutionReason::NotStoredHere => "reason_not_stored_here",
        NonExecutionReason::DeFactoImpossibility => "reason_de_facto_impossibility",
        NonExecutionReason::WrongAuthority => "reason_wrong_authority",
        NonExecutionReason::OffenceNotCovered => "reason_offence_not_covered",
        NonExecutionReason::ServiceNotCovered => "reason_service_not_covered",
        NonExecutionReason::ImmunityOrPress => "reason_immunity_or_press",
        NonExecutionReason::ThirdCountryLaw => "reason_third_country_law",
        NonExecutionReason::Other => "reason_other",
    }
}

/// A subject as the demand writes it.
fn named(subject: &Subject) -> String {
    match subject {
        Subject::Account { value }
        | Subject::Phone { value }
        | Subject::Identifier { value, .. }
        | Subject::Selector { value, .. } => visible(value),
        Subject::Ip { address, port, at } => match port {
            Some(port) => format!("{address}, port {port}, {at}"),
            None => format!("{address}, {at}"),
        },
    }
}
