//! Whether a transfer has a basis on a day: from what its chain says and the rulebook, and nothing else.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};
use jiff::civil::Date;
use serde::Serialize;

use super::{Basis, DEROGATION_ACCOUNTS_MAX, Data, LawThere, MeasureKind, Transfer, signed_decision};
use crate::{
    demand::CountryCode,
    event::Actor,
    finding::{Promise, RulebookRef},
    ids::{CaseId, Digest, RuleId},
    promise::Reviewers,
    rulebook::{
        BasisKind, BasisRow, Check, LANGUAGE, Regime, Rulebook,
        transfers::{NO_REGIME, concluded_in_time},
    },
};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// What was applied, as of which day.
    pub rulebook: RulebookRef,
    /// Whether the transfer has a basis on that day.
    pub outcome: Outcome,
    /// Why, with the provision behind each reason.
    pub reasons: Vec<Reason>,
    /// The last day on which it holds, as far as the dates known that day say; absent where none is known.
    pub until: Option<Date>,
}

/// Whether a transfer has a basis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It has one under each law that asks for one, or none asks.
    Based,
    /// No rule decides: counsel must.
    PersonMustDecide,
    /// It has none.
    Barred,
}

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The rule.
    pub rule: RuleId,
    /// What it comes to.
    pub outcome: Outcome,
    /// The promise it serves: P19.
    pub promise: Promise,
    /// The provision.
    pub citation: String,
    /// In plain words.
    pub explanation: String,
}

/// Evidence that a transfer has a basis on a day. Only [`Based::of`] makes one; it cannot be copied, stored or sent.
///
/// ```compile_fail
/// fn keep(based: &casework::transfer::Based) -> casework::transfer::Based { based.clone() }
/// ```
/// ```compile_fail,E0451
/// # use casework::transfer::{Based, Verdict};
/// # fn forge(transfer: casework::ids::CaseId, head: casework::ids::Digest, verdict: Verdict) -> Based {
/// Based { transfer, head, verdict }
/// # }
/// ```
#[derive(Debug)]
pub struct Based {
    transfer: CaseId,
    head: Digest,
    verdict: Verdict,
}

impl Based {
    /// Judges the transfer by the law of `as_of`.
    ///
    /// # Errors
    /// The verdict, where it is any other than that there is a basis.
    pub fn of(
        transfer: &Transfer,
        rulebook: &Rulebook,
        reviewers: &Reviewers,
        as_of: Date,
    ) -> Result<Self, Box<Verdict>> {
        let verdict = judge(transfer, rulebook, reviewers, as_of);
        if verdict.outcome != Outcome::Based {
            return Err(Box::new(verdict));
        }
        Ok(Self {
            transfer: transfer.id(),
            head: transfer.head(),
            verdict,
        })
    }
    /// The transfer.
    pub fn transfer(&self) -> CaseId {
        self.transfer
    }
    /// Hash of its last event when it was judged.
    pub fn head(&self) -> Digest {
        self.head
    }
    /// Why.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }
}

/// Judges a transfer by the law of `as_of`: the law of the place that the data leaves, and that of the customer. Each asks
/// for a basis of its own; where one has none, the transfer is barred; where a law is in no table, counsel must decide.
pub fn judge(transfer: &Transfer, rulebook: &Rulebook, reviewers: &Reviewers, as_of: Date) -> Verdict {
    let opening = transfer.opening();
    let mut hearing = Hearing {
        transfer,
        rulebook,
        as_of,
        reasons: Vec::new(),
        until: None,
    };
    let (from, to) = (&opening.from.country, &opening.to.country);
    if from == to {
        hearing.say(NO_REGIME, Check::Free, Outcome::Based, &Words::default());
    } else {
        hearing.under(from);
        if opening.tenant_country != *from {
            hearing.under(&opening.tenant_country);
        }
    }
    hearing.finish(reviewers)
}

#[derive(Default)]
struct Words<'a> {
    basis: Option<&'a RuleId>,
    name: &'a str,
    said: String,
}

struct Hearing<'a> {
    transfer: &'a Transfer,
    rulebook: &'a Rulebook,
    as_of: Date,
    reasons: Vec<Reason>,
    until: Option<Date>,
}

/// What a basis stated comes to: nothing in its way, or these checks with what each has to say.
type Against = Vec<(Check, Outcome, String)>;

impl<'a> Hearing<'a> {
    /// What the law of one country asks.
    fn under(&mut self, country: &CountryCode) {
        let rulebook = self.rulebook;
        let regimes: Vec<(&str, &Regime)> = rulebook.regimes(country, self.as_of).collect();
        if regimes.is_empty() {
            let outcome = Outcome::PersonMustDecide;
            self.say(NO_REGIME, Check::Undecided, outcome, &Words::default());
        }
        for (name, regime) in regimes {
            self.under_regime(name, regime);
        }
    }

    fn under_regime(&mut self, name: &str, regime: &Regime) {
        let to = &self.transfer.opening().to.country;
        if self.rulebook.stands_on_any(&regime.free, to, self.as_of) {
            return self.say(name, Check::Free, Outcome::Based, &Words::default());
        }
        let bases = self.transfer.bases();
        let mut stated = false;
        let mut worst: Vec<(&RuleId, Option<&BasisRow>, Against)> = Vec::new();
        for basis in bases {
            let id = basis.rests_on();
            let row = self.rulebook.basis(id);
            // A basis in no table is everybody's: no law can be told from it.
            if row.is_some_and(|row| row.regime != name) {
                continue;
            }
            stated = true;
            let mut against = match row {
                None => vec![(Check::UnknownBasis, Outcome::Barred, String::new())],
                Some(row) => self.against(basis, row),
            };
            against.sort_by_key(|(check, outcome, _)| (std::cmp::Reverse(*outcome), *check));
            match row {
                Some(row) if against.is_empty() => return self.rest_on(id, row),
                _ => worst.push((id, row, against)),
            }
        }
        if !stated {
            return self.say(name, Check::NoBasis, Outcome::Barred, &Words::default());
        }
        for (id, row, against) in worst {
            for (check, outcome, said) in against {
                let words = Words {
                    basis: Some(id),
                    name: row.map_or(id.as_str(), |row| row.name.as_str()),
                    said,
                };
                self.say(name, check, outcome, &words);
            }
            if let Some(row) = row {
                // Should counsel decide for it, it still ends when its dates say.
                self.ends(row);
            }
        }
    }

    fn rest_on(&mut self, id: &RuleId, row: &BasisRow) {
        self.reasons.push(Reason {
            rule: id.clone(),
            outcome: Outcome::Based,
            promise: Promise::P19,
            citation: row.citation.clone(),
            explanation: format!("It rests on {}. {}", lower(&row.name), row.explanation),
        });
        self.ends(row);
    }

    fn ends(&mut self, row: &BasisRow) {
        let ends = row.in_force(self.as_of).ok().flatten();
        let assessed = matches!(row.kind, BasisKind::Clauses | BasisKind::BindingRules);
        let due = self.transfer.assessment().filter(|_| assessed);
        for end in ends
            .into_iter()
            .chain(due.map(|assessment| assessment.re_evaluate_on))
        {
            self.until = Some(self.until.map_or(end, |known| known.min(end)));
        }
    }

    /// Everything that stands against a basis.
    fn against(&self, basis: &Basis, row: &BasisRow) -> Against {
        let mut against = Against::new();
        let mut bar = |check, said: String| against.push((check, Outcome::Barred, said));
        if row.in_force(self.as_of).is_err() {
            bar(Check::NotInForce, String::new());
        }
        let to = &self.transfer.opening().to.country;
        let about = match (&row.country, &row.country_list) {
            (Some(country), _) => country == to,
            (None, Some(list)) => self.rulebook.stands_on(list, to, self.as_of),
            (None, None) => true,
        };
        if !about {
            bar(Check::OtherCountry, String::new());
        }
        if let Some(missing) = self.not_shown(&row.needs) {
            bar(Check::OutsideScope, missing);
        }
        match (basis, row.kind) {
            (Basis::Adequacy { .. }, BasisKind::Adequacy) => {}
            (
                Basis::Clauses {
                    exporter,
                    importer,
                    concluded_on,
                    ..
                },
                BasisKind::Clauses,
            ) => {
                if let Some(roles) = row
                    .roles
                    .filter(|r| r.exporter != *exporter || r.importer != *importer)
                {
                    let said = format!(
                        "a {} and a {}, where here a {} sends to a {}",
                        word(roles.exporter),
                        word(roles.importer),
                        word(*exporter),
                        word(*importer)
                    );
                    bar(Check::WrongModule, said);
                }
                if *concluded_on > self.as_of || !concluded_in_time(row, *concluded_on) {
                    bar(Check::NotConcluded, format!("concluded on {concluded_on}"));
                }
                self.assessed(&mut against);
            }
            (Basis::BindingRules { approved_on, .. }, BasisKind::BindingRules) => {
                if *approved_on > self.as_of {
                    bar(Check::NotConcluded, format!("approved on {approved_on}"));
                }
                self.assessed(&mut against);
            }
            (
                Basis::Derogation {
                    occasional, earlier, ..
                },
                BasisKind::Derogation,
            ) => {
                if !occasional || *earlier > 0 {
                    bar(Check::NotOccasional, earlier.to_string());
                }
                match &self.transfer.opening().data {
                    Data::Bucket(_) => bar(Check::Bulk, "a whole bucket moves".to_owned()),
                    Data::Accounts(accounts) if accounts.len() > DEROGATION_ACCOUNTS_MAX => {
                        bar(Check::Bulk, format!("{} accounts move", accounts.len()));
                    }
                    Data::Accounts(_) => {}
                }
            }
            _ => bar(Check::UnknownBasis, String::new()),
        }
        against
    }

    /// The six steps, where a basis binds the importer alone and not the authorities of its country.
    fn assessed(&self, against: &mut Against) {
        let mut add = |check, outcome, said: String| against.push((check, outcome, said));
        let Some(assessment) = self.transfer.assessment() else {
            return add(
                Check::AssessmentMissing,
                Outcome::Barred,
                "there is none".to_owned(),
            );
        };
        let steps = [
            ("1, know your transfer", &assessment.transfer),
            ("2, verify the tool", &assessment.tool),
            ("3, assess the law", &assessment.law_explained),
            ("5, formal steps", &assessment.procedure),
        ];
        if let Some((step, _)) = steps.iter().find(|(_, text)| text.trim().is_empty()) {
            add(Check::AssessmentMissing, Outcome::Barred, format!("step {step}"));
        }
        if assessment.sources.is_empty() {
            let said = "step 3 names nothing that was read".to_owned();
            add(Check::AssessmentMissing, Outcome::Barred, said);
        }
        if assessment.re_evaluate_on < self.as_of {
            let said = assessment.re_evaluate_on.to_string();
            add(Check::AssessmentDue, Outcome::Barred, said);
        }
        let Some(case) = self.rulebook.use_case(&assessment.use_case) else {
            let said = format!(
                "step 4 names the situation `{}`, which is in no table",
                assessment.use_case
            );
            return add(Check::AssessmentMissing, Outcome::Barred, said);
        };
        if let Some(missing) = self.not_shown(&case.needs) {
            let said = format!("{} ({missing})", case.title);
            add(Check::UseCaseUnfit, Outcome::Barred, said);
        }
        let technical = |kind: MeasureKind| kind == MeasureKind::Technical;
        match assessment.law {
            LawThere::Unproblematic => {}
            LawThere::ProblematicNotApplied => {
                add(Check::PracticeOnly, Outcome::PersonMustDecide, String::new());
            }
            LawThere::Problematic if !case.effective => {
                add(Check::NoEffectiveMeasure, Outcome::Barred, case.title.clone());
            }
            LawThere::Problematic => {
                if !self.transfer.measures().iter().any(|m| technical(m.kind)) {
                    add(Check::MeasureMissing, Outcome::Barred, String::new());
                }
            }
        }
    }

    /// The titles of what must be shown and is not, or was shown only after that day.
    fn not_shown(&self, needs: &[String]) -> Option<String> {
        let shown = &self.transfer.opening().importer.shown;
        let missing: Vec<&str> = needs
            .iter()
            .filter(|need| {
                !shown
                    .iter()
                    .any(|s| s.mark == **need && s.checked_on <= self.as_of && !s.how.trim().is_empty())
            })
            .map(|need| {
                let mut marks = self.rulebook.marks();
                marks
                    .find(|(name, _)| name == need)
                    .map_or(need.as_str(), |(_, mark)| mark.title.as_str())
            })
            .collect();
        (!missing.is_empty()).then(|| missing.join("; "))
    }

    fn say(&mut self, regime: &str, check: Check, outcome: Outcome, words: &Words<'_>) {
        let (citation, explanation) = self.rulebook.on_check(regime, check);
        let opening = self.transfer.opening();
        let explanation = explanation
            .replace("{from}", opening.from.country.as_str())
            .replace("{to}", opening.to.country.as_str())
            .replace("{basis}", words.basis.map_or("", RuleId::as_str))
            .replace("{name}", words.name)
            .replace("{day}", &self.as_of.to_string())
            .replace("{said}", &words.said);
        // The rulebook's own check makes sure that a regime's name can begin an id.
        if let Ok(rule) = RuleId::new(format!("{regime}.transfer.{}", check.name())) {
            let reason = Reason {
                rule,
                outcome,
                promise: Promise::P19,
                citation,
                explanation,
            };
            if !self.reasons.contains(&reason) {
                self.reasons.push(reason);
            }
        }
    }

    fn finish(mut self, reviewers: &Reviewers) -> Verdict {
        let worst = |reasons: &[Reason]| reasons.iter().map(|reason| reason.outcome).max();
        let mut outcome = worst(&self.reasons).unwrap_or(Outcome::Barred);
        if outcome == Outcome::PersonMustDecide
            && let Some(reason) = decided(self.transfer, reviewers)
        {
            let said = Words {
                said: reason.to_owned(),
                ..Words::default()
            };
            self.say(NO_REGIME, Check::Decided, Outcome::Based, &said);
            outcome = Outcome::Based;
        }
        Verdict {
            rulebook: RulebookRef {
                digest: self.rulebook.digest(),
                as_of: self.as_of,
                language: LANGUAGE.to_owned(),
            },
            outcome,
            reasons: self.reasons,
            until: self.until.filter(|_| outcome == Outcome::Based),
        }
    }
}

/// Counsel's reason, where counsel signed one over the transfer as it stands.
fn decided<'a>(transfer: &'a Transfer, reviewers: &Reviewers) -> Option<&'a str> {
    let matter = transfer.matter().ok()?;
    let signed = |decision: &&super::Decision| {
        let Actor::Counsel(counsel) = &decision.by else {
            return false;
        };
        let message = signed_decision(transfer.id(), &matter, &decision.reason);
        let signature = STANDARD.decode(&decision.signature).ok();
        let signature = signature.and_then(|bytes| Signature::from_slice(&bytes).ok());
        let key = reviewers.counsel.get(counsel);
        let key = key.and_then(|key| VerifyingKey::from_bytes(key).ok());
        match (key, signature) {
            (Some(key), Some(signature)) => key.verify_strict(&message, &signature).is_ok(),
            _ => false,
        }
    };
    let decision = transfer.decisions().iter().rev().find(signed)?;
    Some(&decision.reason)
}

fn word(role: crate::rulebook::Role) -> &'static str {
    match role {
        crate::rulebook::Role::Controller => "controller",
        crate::rulebook::Role::Processor => "processor",
    }
}

/// A name in the middle of a sentence.
fn lower(name: &str) -> String {
    match name.strip_prefix("The ") {
        Some(rest) => format!("the {rest}"),
        None => name.to_owned(),
    }
}
