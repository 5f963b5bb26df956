//! A case's further course: linked demands, snapshots, measures, appeals, notices that failed, emergencies, costs.

use std::path::PathBuf;

use anyhow::Context as _;
use casework::{
    demand::NoticeTo,
    event::{
        Amount, AppealBy, Body, CostLine, CostOutcome, EmergencyFinding, Measure, NoticeFailure, Relation,
    },
    ids::{CaseId, RuleId, TenantId},
};
use jiff::civil::Date;
use service::app::Desk;

use super::{
    Acting,
    act::{digest_of, leaving, record, said, word},
    case_id,
};
use crate::{verb::bounded, voice::Format};

/// Largest file read for a form, in bytes.
const FORM_BYTES_MAX: u64 = 1024 * 1024;

super::verbs! {
    Link {
        /// The earlier case.
        #[arg(long, value_parser = case_id)]
        to: CaseId,
        /// `amends`, `supersedes` (both end the earlier demand) or `follows_up` (it goes on).
        #[arg(long, value_parser = word::<Relation>)]
        relation: Relation,
    }
    Preserve {
    }
    Thaw {
        /// Why.
        #[arg(long)]
        reason: String,
    }
    Appeal {
        /// A ground that was decided on; may be given several times.
        #[arg(long, required = true)]
        ground: Vec<RuleId>,
        /// Who appealed: `provider` or `requester`.
        #[arg(long, value_parser = word::<AppealBy>)]
        by: AppealBy,
        /// The court of appeal.
        #[arg(long)]
        forum: String,
        /// What was filed.
        #[arg(long, value_name = "FILE")]
        filing: PathBuf,
    }
    NotExecute {
        /// A JSON file: `reasons`, `explanation`, `contact` and what else applies of the form (docs/course.md).
        form: PathBuf,
    }
    NoticeFailed {
        /// The customer.
        #[arg(long)]
        tenant: TenantId,
        /// `bounced` or `unsafe`.
        #[arg(long, value_parser = word::<NoticeFailure>)]
        failure: NoticeFailure,
        /// What went wrong.
        #[arg(long)]
        what: String,
    }
    NoticeServed {
        /// The customer.
        #[arg(long)]
        tenant: TenantId,
        /// How that is known.
        #[arg(long)]
        how: String,
    }
    TakeMeasure {
        /// `interception`, `freezing` or `removal`.
        #[arg(long, value_parser = word::<Measure>)]
        measure: Measure,
        /// What was done, by whom, on which account.
        #[arg(long)]
        what: String,
        /// First day.
        #[arg(long, value_name = "DATE")]
        from: Date,
        /// Last day, where it has one.
        #[arg(long, value_name = "DATE")]
        until: Option<Date>,
        /// The order as it was carried out.
        #[arg(long, value_name = "FILE")]
        document: PathBuf,
    }
    EndMeasure {
        /// Which, by the number of the event that took it.
        #[arg(long)]
        number: u64,
        /// Why.
        #[arg(long)]
        reason: String,
    }
    ReviewEmergency {
        /// `genuine`, `unfounded` or `fraudulent`.
        #[arg(long, value_parser = word::<EmergencyFinding>)]
        finding: EmergencyFinding,
        /// The legal process that followed, where it did.
        #[arg(long, value_name = "FILE")]
        process: Option<PathBuf>,
        /// In words.
        #[arg(long)]
        text: String,
    }
    AssessBreach {
        /// Whether the supervisory authority was told.
        #[arg(long, value_name = "BOOL")]
        notified: bool,
        /// Why, or why not.
        #[arg(long)]
        reason: String,
    }
    ClaimCosts {
        /// Three letters, such as `EUR`.
        #[arg(long)]
        currency: String,
        /// One line, in the currency's smallest unit: `24000=searching, 3 hours`; may be given several times.
        #[arg(long = "line", value_parser = cost_line, value_name = "MINOR=WHAT", required = true)]
        lines: Vec<CostLine>,
    }
    SettleCosts {
        /// `paid`, `refused` or `waived`.
        #[arg(long, value_parser = word::<CostOutcome>)]
        outcome: CostOutcome,
        /// What was paid, in the currency's smallest unit.
        #[arg(long, requires = "currency")]
        paid: Option<u64>,
        /// Three letters, such as `EUR`.
        #[arg(long)]
        currency: Option<String>,
        /// The payment's reference, or the decision's.
        #[arg(long)]
        reference: String,
    }
    Reopen {
        /// Why.
        #[arg(long)]
        reason: String,
    }
}

impl Link {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let actor = self.acting.actor(desk).await?;
        said(
            format,
            &desk.link(self.case, actor, self.to, self.relation).await?,
        )
    }
}

impl Preserve {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let actor = self.acting.actor(desk).await?;
        said(format, &desk.preserve(self.case, actor).await?)
    }
}

impl Thaw {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let actor = self.acting.actor(desk).await?;
        said(format, &desk.end_snapshot(self.case, actor, &self.reason).await?)
    }
}

impl Appeal {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let body = Body::Appealed {
            grounds: self.ground,
            by: self.by,
            forum: self.forum,
            filing: leaving(&self.filing).await?,
        };
        record(desk, format, self.case, &self.acting, body).await
    }
}

impl NotExecute {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let bytes = bounded::read(&self.form, FORM_BYTES_MAX)?;
        let form = serde_json::from_slice(&bytes).context("the file does not hold what the form asks")?;
        let actor = self.acting.actor(desk).await?;
        said(format, &desk.not_execute(self.case, actor, form).await?)
    }
}

impl NoticeFailed {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let body = Body::NoticeFailed {
            to: NoticeTo::Tenant,
            tenant: self.tenant,
            failure: self.failure,
            what: self.what,
        };
        record(desk, format, self.case, &self.acting, body).await
    }
}

impl NoticeServed {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let body = Body::NoticeServed {
            to: NoticeTo::Tenant,
            tenant: self.tenant,
            how: self.how,
        };
        record(desk, format, self.case, &self.acting, body).await
    }
}

impl TakeMeasure {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let body = Body::MeasureTaken {
            measure: self.measure,
            what: self.what,
            from: self.from,
            until: self.until,
            document: digest_of(&self.document)?,
        };
        record(desk, format, self.case, &self.acting, body).await
    }
}

impl EndMeasure {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let body = Body::MeasureEnded {
            measure: self.number,
            reason: self.reason,
        };
        record(desk, format, self.case, &self.acting, body).await
    }
}

impl ReviewEmergency {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let body = Body::EmergencyReviewed {
            finding: self.finding,
            process: self.process.as_deref().map(digest_of).transpose()?,
            text: self.text,
        };
        record(desk, format, self.case, &self.acting, body).await
    }
}

impl AssessBreach {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let body = Body::BreachAssessed {
            notified: self.notified,
            reason: self.reason,
        };
        record(desk, format, self.case, &self.acting, body).await
    }
}

impl ClaimCosts {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let actor = self.acting.actor(desk).await?;
        let event = desk
            .claim_costs(self.case, actor, &self.currency, self.lines)
            .await?;
        said(format, &event)
    }
}

impl SettleCosts {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let body = Body::CostsSettled {
            outcome: self.outcome,
            paid: self
                .paid
                .zip(self.currency)
                .map(|(minor, currency)| Amount { currency, minor }),
            reference: self.reference,
        };
        record(desk, format, self.case, &self.acting, body).await
    }
}

impl Reopen {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let body = Body::Reopened { reason: self.reason };
        record(desk, format, self.case, &self.acting, body).await
    }
}

fn cost_line(text: &str) -> Result<CostLine, String> {
    const FORM: &str =
        "write `24000=searching, 3 hours`: the sum in the currency's smallest unit, and what it is for";
    let (minor, what) = text.split_once('=').ok_or(FORM)?;
    let minor = minor.trim().parse().map_err(|_| FORM)?;
    Ok(CostLine {
        minor,
        what: what.trim().to_owned(),
    })
}
