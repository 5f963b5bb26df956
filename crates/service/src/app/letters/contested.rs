//! What is contested: the demand, a gag, and outlines of motions for counsel.

use casework::{
    case::{CaseFile, GagEntry},
    chain::Chain,
    event::{Body, RedirectOutcome},
    facts::Resolution,
    finding::{ClockKind, Effect, Finding, Promise},
    ids::RuleId,
};
use stationery::{Facts, Ground, Lacking};

use super::{
    Kind, Letterhead, NotWritten, Said,
    about::{day, findings, ground, list, set},
    word,
};

/// Why an objection to a gag is not written.
pub(super) enum NoGag {
    Not(NotWritten),
    Lacking(&'static str),
}

impl NoGag {
    pub(super) fn of(self, kind: Kind) -> NotWritten {
        match self {
            Self::Not(why) => why,
            Self::Lacking(name) => NotWritten::Lacking {
                kind,
                lacking: Lacking::Fact(name.to_owned()),
            },
        }
    }
}

impl Letterhead<'_> {
    pub(super) fn objecting(
        &self,
        language: &str,
        file: &CaseFile,
        grounds: &[RuleId],
        forum: &str,
    ) -> Result<Facts, NotWritten> {
        let mut facts = self.about_demand(language, file)?;
        facts.values.insert("forum", forum.to_owned());
        let stated = grounds.iter().filter_map(|rule| {
            let mut found = findings(file)
                .filter(|finding| finding.rule == *rule && finding.effect == Effect::Ground)
                .map(ground);
            // A ground that an earlier assessment found is stated as the rulebook has it.
            found.next().or_else(|| {
                self.rulebook.explain(rule).map(|known| Ground {
                    rule: rule.to_string(),
                    source: known.citation.clone(),
                    text: known.explanation.clone(),
                })
            })
        });
        facts.grounds.insert("grounds", stated.collect());
        Ok(facts)
    }

    pub(super) fn against_a_gag(&self, language: &str, file: &CaseFile, said: &Said) -> Result<Facts, NoGag> {
        let mut facts = self.about_demand(language, file).map_err(NoGag::Not)?;
        let entry = the_gag(file, said).ok_or(NoGag::Lacking("gag"))?;
        let gag = &entry.gag;
        let demand = file.demand().ok_or(NoGag::Lacking("authority"))?;
        let issuer = demand.issuer.as_ref().map(|issuer| issuer.name.clone());
        let authority = gag.authority.clone().or(issuer);
        let authority = authority.unwrap_or_else(|| demand.requester.authority.clone());
        let forum = said.forum.clone().unwrap_or_else(|| authority.clone());
        facts.values.insert("forum", forum);
        facts.values.insert("gag_authority", authority);
        facts.values.insert("gag_from", gag.from.to_string());
        let basis = gag.basis.as_ref().map(|basis| {
            let mut rows = self.rulebook.instruments();
            let row = rows.find(|(id, _)| *id == basis);
            row.map_or_else(
                || basis.to_string(),
                |(_, row)| format!("{} ({})", row.name, row.basis),
            )
        });
        set(&mut facts, "gag_basis", basis);
        set(&mut facts, "gag_reference", gag.reference.clone());
        set(&mut facts, "gag_until", entry.until().map(|day| day.to_string()));
        set(&mut facts, "gag_until_event", gag.until_event.clone());
        let forbids = gag.forbids.iter().map(|to| {
            use casework::demand::NoticeTo;
            let name = match to {
                NoticeTo::Tenant => "to.tenant",
                NoticeTo::Person => "to.person",
                NoticeTo::Public => "to.public",
            };
            word(language, name).to_owned()
        });
        set(&mut facts, "gag_forbids", list(forbids));
        let grounds = findings(file).filter(|finding| {
            finding.effect == Effect::Ground
                && finding.promise == Promise::P10
                && (finding.gags.is_empty() || file.rests_on(finding, entry))
        });
        facts.grounds.insert("grounds", grounds.map(ground).collect());
        Ok(facts)
    }

    pub(super) fn motion(
        &self,
        language: &str,
        chain: &Chain,
        kind: Kind,
        said: &Said,
    ) -> Result<Facts, NotWritten> {
        let file = chain.case().file();
        let mut facts = self.about_demand(language, file)?;
        let issuer = file.demand().and_then(|demand| demand.issuer.as_ref());
        let forum = said
            .forum
            .clone()
            .or_else(|| issuer.map(|issuer| issuer.name.clone()));
        set(&mut facts, "forum", forum);
        let open = open(file);
        let stated = findings(file).filter(|finding| {
            let fits = match kind {
                Kind::ComityMotion => finding.promise == Promise::P12,
                _ => finding.promise != Promise::P10,
            };
            fits && finding.effect == Effect::Ground && open.contains(&finding.rule)
        });
        let stated: Vec<&Finding> = stated.collect();
        let last_day = findings(file)
            .filter(|finding| kind != Kind::ComityMotion || finding.promise == Promise::P12)
            .filter_map(|finding| finding.clock.as_ref())
            .filter(|clock| clock.kind == ClockKind::ObjectBy)
            .map(|clock| clock.on)
            .min();
        set(&mut facts, "object_by", last_day.map(|day| day.to_string()));
        facts
            .grounds
            .insert("grounds", stated.into_iter().map(ground).collect());
        facts.items.insert("history", history(language, chain));
        facts.items.insert("places", places(language, file));
        Ok(facts)
    }
}

/// Grounds that were found and not yet ended, but those against gags: what an objection would be on.
pub(super) fn open(file: &CaseFile) -> Vec<RuleId> {
    let courses = file.grounds().iter();
    courses
        .filter(|(_, course)| course.promise != Promise::P10 && !course.is_dealt_with())
        .map(|(rule, _)| rule.clone())
        .collect()
}

/// The gag that is named, or the only one that was not lifted.
fn the_gag<'a>(file: &'a CaseFile, said: &Said) -> Option<&'a GagEntry> {
    let mut standing = file.gags().iter().filter(|entry| !entry.is_lifted());
    match said.gag {
        Some(number) => standing.find(|entry| entry.seq == number),
        None => {
            let first = standing.next()?;
            standing.next().is_none().then_some(first)
        }
    }
}

/// The case's course, a line for each step that a court would ask about.
fn history(language: &str, chain: &Chain) -> Vec<String> {
    let told = |body: &Body| {
        Some(match body {
            Body::Received { .. } => "history.received",
            Body::Preserved { .. } => "history.preserved",
            Body::GagRecorded { .. } => "history.gag_recorded",
            Body::Redirected { .. } => "history.redirected",
            Body::RedirectAnswered { outcome } => match outcome {
                RedirectOutcome::Accepted => "history.redirect_accepted",
                RedirectOutcome::Refused => "history.redirect_refused",
                RedirectOutcome::Unanswered => "history.redirect_unanswered",
            },
            Body::RedirectBarred { .. } => "history.redirect_barred",
            Body::Notified { .. } => "history.notified",
            Body::Narrowed { .. } => "history.narrowed",
            Body::ObjectionFiled { .. } => "history.objection_filed",
            Body::ObjectionDecided { .. } => "history.objection_decided",
            Body::Appealed { .. } => "history.appealed",
            Body::NotExecuted { .. } => "history.not_executed",
            Body::Released { .. } => "history.released",
            _ => return None,
        })
    };
    let events = chain.events().iter();
    events
        .filter_map(|event| {
            told(&event.body).map(|name| format!("{}: {}", day(event.header.at), word(language, name)))
        })
        .collect()
}

/// Of each account that was found: its customer's country, and where its data lies. Names nobody.
fn places(language: &str, file: &CaseFile) -> Vec<String> {
    let resolved = file.facts().into_iter().flat_map(|facts| &facts.resolved);
    resolved
        .filter_map(|resolution| match resolution {
            Resolution::One(account) => Some(account),
            _ => None,
        })
        .map(|account| {
            let places = account
                .places()
                .map(|(region, country)| format!("{region} ({})", country.as_str()));
            word(language, "place")
                .replace("{country}", account.tenant_country.as_str())
                .replace("{places}", &list(places).unwrap_or_default())
        })
        .collect()
}
