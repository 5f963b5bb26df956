//! The findings that count for a release: those recorded when it was drawn up, and those of the gate's own day.

use crate::{
    demand::Category,
    finding::{Assessment, DutyKind, Effect, Finding},
    ids::RuleId,
};

/// Recorded and recomputed findings together. A duty or ground of either counts; a category must be free in both.
#[derive(Debug)]
pub struct InPlay {
    pub(super) recorded: Assessment,
    pub(super) today: Assessment,
}

impl InPlay {
    /// Every finding of either.
    pub fn all(&self) -> impl Iterator<Item = &Finding> {
        self.recorded.findings.iter().chain(&self.today.findings)
    }
    /// Findings of a duty, of either.
    pub fn duty(&self, duty: DutyKind) -> Option<&Finding> {
        self.all().find(|finding| finding.duty == Some(duty))
    }
    /// Whether no bar lies on the category, in both.
    pub fn is_free(&self, category: Category) -> bool {
        let bars =
            |finding: &Finding| finding.effect == Effect::Bar && finding.categories.contains(&category);
        self.recorded.releasable.contains(&category)
            && self.today.releasable.contains(&category)
            && !self.all().any(bars)
    }
    /// The rules that bar it, each once.
    pub fn bars(&self, category: Category) -> Vec<&Finding> {
        let mut bars: Vec<_> = self
            .all()
            .filter(|finding| finding.effect == Effect::Bar && finding.categories.contains(&category))
            .collect();
        bars.sort_by_key(|finding| &finding.rule);
        bars.dedup_by_key(|finding| &finding.rule);
        bars
    }
    /// Whether the rulebook still finds the ground on the demand as it now stands.
    pub fn still_finds(&self, rule: &RuleId) -> bool {
        self.today
            .findings
            .iter()
            .any(|finding| finding.effect == Effect::Ground && finding.rule == *rule)
    }
}
