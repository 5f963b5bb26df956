//! The ledger of gags: who imposed which silence, what it forbids to whom, until when, and what was done about it.

use casework::{
    case::{Case, CaseFile, GagEntry},
    demand::{Gag, NoticeTo},
    event::Decision,
    finding::{ClockKind, DutyKind, Finding},
    ids::{CaseId, Digest, InstrumentId},
};
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use store::cases::CaseFilter;

use super::{Desk, Result};

/// One silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GagLine {
    /// The case.
    pub case: CaseId,
    /// Its number in the case: the event that brought it. Absent where the instrument's own law imposes the silence.
    pub number: Option<u64>,
    /// Who imposed it.
    pub authority: String,
    /// By what power.
    pub kind: GagKind,
    /// The law that it names.
    pub basis: Option<InstrumentId>,
    /// Its own reference.
    pub reference: Option<String>,
    /// The process that it forbids telling of.
    pub process: Option<String>,
    /// Rests on findings about this demand; else it is an omnibus order.
    pub individual: bool,
    /// Whom it forbids to tell.
    pub forbids: Vec<NoticeTo>,
    /// Whether the last assessment found that it binds; absent before there is one.
    pub binds: Option<bool>,
    /// First day.
    pub from: Option<Date>,
    /// Last day as it stands, after what courts decided.
    pub until: Option<Date>,
    /// The event that ends it.
    pub until_event: Option<String>,
    /// The instant at which it ends by its date.
    pub ends_at: Option<Timestamp>,
    /// How it stands.
    pub state: GagState,
    /// The event of the objection to it.
    pub objected: Option<u64>,
    /// Counsel recorded a signed reason not to object.
    pub answered: bool,
    /// What was decided on the objection.
    pub decision: Option<Decision>,
    /// When somebody must next look whether it must go on.
    pub review_by: Option<Timestamp>,
    /// SHA-256 of the order, where it came as one of its own.
    pub document: Option<Digest>,
}

/// By what power somebody forbids to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GagKind {
    /// A court's order.
    CourtOrder,
    /// An authority's own, under a law that it names.
    Authority,
    /// A request that names no law.
    Request,
    /// The law of the instrument itself.
    Law,
}

/// How a silence stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GagState {
    /// Its first day is to come.
    NotBegun,
    /// It stands.
    Standing,
    /// Its last day is over, and the end is not recorded yet.
    RanOut,
    /// A court struck it down.
    StruckDown,
    /// Its end was recorded.
    Ended,
}

impl Desk {
    /// The silences of one case, in the order in which they came; the law's own last.
    ///
    /// # Errors
    /// When there is no such case, or it was erased.
    pub async fn gags(&self, case: CaseId) -> Result<Vec<GagLine>> {
        Ok(lines(case, self.chain(case).await?.case(), self.now()))
    }

    /// The silences of a page of cases, and the case to go on before; `None` on the last page.
    ///
    /// # Errors
    /// When a case cannot be read.
    pub async fn gag_page(&self, filter: &CaseFilter) -> Result<(Vec<GagLine>, Option<CaseId>)> {
        let rows = self.list(filter).await?;
        let mut found = Vec::new();
        for row in rows.iter().filter(|row| !row.erased) {
            found.extend(self.gags(row.id).await?);
        }
        let full = rows.len() >= usize::try_from(filter.limit).unwrap_or(usize::MAX);
        Ok((found, rows.last().filter(|_| full).map(|row| row.id)))
    }
}

fn lines(id: CaseId, case: &Case, now: Timestamp) -> Vec<GagLine> {
    let file = case.file();
    let mut lines: Vec<GagLine> = file
        .gags()
        .iter()
        .map(|entry| GagLine {
            case: id,
            number: Some(entry.seq),
            authority: entry.gag.authority.clone().unwrap_or_else(|| imposed_by(file)),
            kind: kind(&entry.gag),
            basis: entry.gag.basis.clone(),
            reference: entry.gag.reference.clone(),
            process: entry.gag.process.clone(),
            individual: entry.gag.individual_findings,
            forbids: entry.gag.forbids.clone(),
            binds: binds(file, entry),
            from: Some(entry.gag.from),
            until: entry.until(),
            until_event: entry.gag.until_event.clone(),
            ends_at: file.gag_end(entry),
            state: state(file, entry, now),
            objected: entry.objected,
            answered: !entry.unopposed.is_empty(),
            decision: entry.decision,
            review_by: review_by(findings(file).filter(|finding| file.rests_on(finding, entry))),
            document: entry.document,
        })
        .collect();
    lines.extend(by_law(id, file));
    lines
}

/// The silence that the instrument's law imposes without any gag.
fn by_law(id: CaseId, file: &CaseFile) -> Option<GagLine> {
    let silence = |duty| findings(file).any(|f| f.duty == Some(duty) && f.gags.is_empty());
    let (tenant, person) = (
        silence(DutyKind::DoNotTellTenant),
        silence(DutyKind::DoNotTellPerson),
    );
    if !tenant && !person {
        return None;
    }
    let (objected, reasons) = file.silence_answers();
    let mut forbids = Vec::new();
    forbids.extend(tenant.then_some(NoticeTo::Tenant));
    forbids.extend(person.then_some(NoticeTo::Person));
    Some(GagLine {
        case: id,
        number: None,
        authority: imposed_by(file),
        kind: GagKind::Law,
        basis: file.demand().map(|demand| demand.instrument.clone()),
        reference: None,
        process: file.demand().and_then(|demand| demand.reference.clone()),
        individual: true,
        forbids,
        binds: Some(true),
        from: None,
        until: None,
        until_event: None,
        ends_at: None,
        state: GagState::Standing,
        objected,
        answered: !reasons.is_empty(),
        decision: None,
        review_by: review_by(findings(file).filter(|finding| finding.gags.is_empty())),
        document: None,
    })
}

fn findings(file: &CaseFile) -> impl Iterator<Item = &Finding> {
    let judged = file.judged().into_iter();
    judged.flat_map(|judged| judged.assessment.findings.iter())
}

fn binds(file: &CaseFile, entry: &GagEntry) -> Option<bool> {
    let judged = file.judged()?;
    judged.gags.contains(&entry.seq).then(|| {
        findings(file).any(|finding| {
            matches!(
                finding.duty,
                Some(DutyKind::DoNotTellTenant | DutyKind::DoNotTellPerson)
            ) && file.rests_on(finding, entry)
        })
    })
}

fn review_by<'a>(findings: impl Iterator<Item = &'a Finding>) -> Option<Timestamp> {
    findings
        .filter_map(|finding| finding.clock.as_ref())
        .filter(|clock| clock.kind == ClockKind::ReviewBy)
        .map(|clock| clock.at)
        .min()
}

fn imposed_by(file: &CaseFile) -> String {
    let demand = file.demand();
    let issuer = demand.and_then(|demand| demand.issuer.as_ref());
    let requester = demand.map(|demand| demand.requester.authority.clone());
    issuer
        .map(|issuer| issuer.name.clone())
        .or(requester)
        .unwrap_or_default()
}

fn kind(gag: &Gag) -> GagKind {
    if gag.court_ordered {
        GagKind::CourtOrder
    } else if gag.basis.is_some() {
        GagKind::Authority
    } else {
        GagKind::Request
    }
}

fn state(file: &CaseFile, entry: &GagEntry, now: Timestamp) -> GagState {
    if entry.decision == Some(Decision::Won) {
        GagState::StruckDown
    } else if entry.ended {
        GagState::Ended
    } else if file.gag_end(entry).is_some_and(|end| end <= now) {
        GagState::RanOut
    } else if file.stands(entry, now) {
        GagState::Standing
    } else {
        GagState::NotBegun
    }
}
