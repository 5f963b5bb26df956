//! What goes with a disclosure, and what follows on one that should not have been.

use std::collections::BTreeSet;

use casework::{
    case::{BREACH_NOTICE_WITHIN, Drawn},
    chain::Chain,
    event::{Body, EmergencyFinding},
};
use stationery::{Facts, visible};

use super::{
    Letterhead, NotWritten, Said,
    about::{counted, kinds_of_data, minute, set, window},
};

impl Letterhead<'_> {
    /// A release as its papers name it; `None` where there was none.
    pub(super) fn released(
        &self,
        language: &str,
        chain: &Chain,
        said: &Said,
    ) -> Result<Option<Facts>, NotWritten> {
        let mut facts = self.about_demand(language, chain.case().file())?;
        let Some(drawn) = released(chain, said) else {
            return Ok(None);
        };
        let record = &drawn.record;
        let made = chain.events().iter().find_map(|event| match &event.body {
            Body::Released {
                record: of,
                package,
                size,
                ..
            } if *of == record.id => Some((event.header.at, *package, *size)),
            _ => None,
        });
        let Some((at, package, size)) = made else {
            return Ok(None);
        };
        let bytes = record
            .objects
            .iter()
            .fold(0_u64, |sum, object| sum.saturating_add(object.size));
        facts.values.insert("record", record.id.to_string());
        facts.values.insert("released_at", minute(at));
        facts.values.insert("recipient", visible(&record.recipient.name));
        facts
            .values
            .insert("disclosed", counted(language, "objects", record.objects.len()));
        facts.values.insert("bytes", counted(language, "bytes", bytes));
        facts.values.insert("package", package.to_string());
        facts
            .values
            .insert("package_size", counted(language, "bytes", size));
        facts.values.insert("window", window(language, record.window));
        set(
            &mut facts,
            "categories",
            kinds_of_data(language, &record.categories),
        );
        set(
            &mut facts,
            "docket_index",
            drawn.logged.map(|index| index.to_string()),
        );
        set(
            &mut facts,
            "record_digest",
            record.digest().ok().map(|digest| digest.to_string()),
        );
        Ok(Some(facts))
    }

    /// What a custodian is to sign.
    pub(super) fn certified(
        &self,
        language: &str,
        chain: &Chain,
        said: &Said,
    ) -> Result<Option<Facts>, NotWritten> {
        let facts = self.released(language, chain, said)?;
        Ok(facts.map(|mut facts| {
            set(&mut facts, "signed_by", said.signed_by.clone());
            set(&mut facts, "post", said.post.clone());
            facts
        }))
    }

    /// What the supervisory authority is told (GDPR Art. 33(3)); `None` where nothing was released, or nobody found anything
    /// wrong with it.
    pub(super) fn breach(
        &self,
        language: &str,
        chain: &Chain,
        said: &Said,
    ) -> Result<Option<Facts>, NotWritten> {
        let Some(mut facts) = self.released(language, chain, said)? else {
            return Ok(None);
        };
        let found = chain.events().iter().find_map(|event| match &event.body {
            Body::EmergencyReviewed {
                finding: EmergencyFinding::Fraudulent,
                text,
                ..
            } => Some((event.header.at, Some(text.clone()))),
            Body::BreachAssessed { .. } => Some((event.header.at, None)),
            _ => None,
        });
        let weighed = chain.events().iter().rev().find_map(|event| match &event.body {
            Body::BreachAssessed { reason, .. } => Some(reason.clone()),
            _ => None,
        });
        let Some((aware_at, circumstances)) = found else {
            return Ok(Some(facts));
        };
        let due = aware_at.checked_add(BREACH_NOTICE_WITHIN).unwrap_or(aware_at);
        facts.values.insert("aware_at", minute(aware_at));
        facts.values.insert("due_at", minute(due));
        if self.now > due {
            facts.flags.insert("is_late");
        }
        if let Some(drawn) = released(chain, said) {
            let accounts = drawn.record.accounts.iter().map(|at| (&at.tenant, &at.account));
            let persons: BTreeSet<_> = accounts.collect();
            facts.values.insert("persons", persons.len().to_string());
        }
        for (name, value) in [
            ("circumstances", circumstances),
            ("weighed", weighed),
            ("forum", said.forum.clone()),
            ("contact", said.contact.clone()),
            ("consequences", said.consequences.clone()),
            ("measures", said.measures.clone()),
            ("delay", said.delay.clone()),
        ] {
            set(&mut facts, name, value);
        }
        Ok(Some(facts))
    }
}

/// The release that is named, or the last.
fn released<'a>(chain: &'a Chain, said: &Said) -> Option<&'a Drawn> {
    let mut all = chain
        .case()
        .file()
        .drawn_up()
        .iter()
        .rev()
        .filter(|drawn| drawn.released.is_some());
    all.find(|drawn| said.record.is_none_or(|record| drawn.record.id == record))
}
