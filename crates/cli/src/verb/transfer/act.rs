//! What people do with a transfer.

use std::path::PathBuf;

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use casework::{
    demand::Category,
    ids::{AccountId, CaseId, RegionId, RuleId, TenantId},
    transfer::{
        Assessment, Basis, Data, Importer, Measure, MeasureKind, Mode, Shown, TransferBody, signed_decision,
        transfer_approval_message,
    },
};
use ed25519_dalek::{Signer as _, SigningKey};
use jiff::SignedDuration;
use serde_json::json;
use service::{deployment::Deployment, transfers::NewTransfer};

use super::{Acting, transfer_id};
use crate::{
    verb::bounded,
    voice::{Format, GOOD, data, say},
};

/// Largest file read for bases or an assessment, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

#[derive(Debug, clap::Args)]
pub(super) struct Open {
    /// Whose data.
    #[arg(long)]
    tenant: TenantId,
    /// The region in which it lies.
    #[arg(long)]
    from: RegionId,
    /// The region in which it is to lie.
    #[arg(long)]
    to: RegionId,
    /// A bucket with everything in it.
    #[arg(long, required_unless_present = "account", conflicts_with = "account")]
    bucket: Option<String>,
    /// An account, in whatever bucket; may be given several times.
    #[arg(long)]
    account: Vec<AccountId>,
    /// Copy it: the original stays where it lies.
    #[arg(long)]
    copy: bool,
    /// A category of data that may be among it; may be given several times.
    #[arg(long, required = true, value_parser = category)]
    category: Vec<Category>,
    /// What for.
    #[arg(long)]
    purpose: String,
    /// Who receives it there.
    #[arg(long)]
    importer: String,
    /// What is shown beside: a mark of the rulebook, how it was checked, and when. May be given several times.
    #[arg(long, value_parser = shown, value_name = "MARK=HOW@DATE")]
    shown: Vec<Shown>,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, clap::Args)]
pub(super) struct StateBasis {
    /// The transfer.
    #[arg(value_parser = transfer_id)]
    transfer: CaseId,
    /// A decision on adequacy, by its id (`amparo transfer bases`); may be given several times.
    #[arg(long, required_unless_present = "file", value_name = "ID")]
    adequacy: Vec<RuleId>,
    /// Any other bases, as a JSON list: docs/transfers.md has one of each kind.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, clap::Args)]
pub(super) struct Assess {
    /// The transfer.
    #[arg(value_parser = transfer_id)]
    transfer: CaseId,
    /// The assessment as JSON: docs/transfers.md has its form.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, clap::Args)]
pub(super) struct Measures {
    /// The transfer.
    #[arg(value_parser = transfer_id)]
    transfer: CaseId,
    /// A technical measure; may be given several times.
    #[arg(long)]
    technical: Vec<String>,
    /// A contractual measure; may be given several times.
    #[arg(long)]
    contractual: Vec<String>,
    /// An organisational measure; may be given several times.
    #[arg(long)]
    organisational: Vec<String>,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, clap::Args)]
pub(super) struct Decide {
    /// The transfer.
    #[arg(value_parser = transfer_id)]
    transfer: CaseId,
    /// The reason.
    #[arg(long)]
    reason: String,
    /// Counsel's key file.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, clap::Args)]
pub(super) struct Propose {
    /// The transfer.
    #[arg(value_parser = transfer_id)]
    transfer: CaseId,
    /// Days for which the record may be approved and moved on.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u8).range(1..=30))]
    days: u8,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, clap::Args)]
pub(super) struct Approve {
    /// The transfer.
    #[arg(value_parser = transfer_id)]
    transfer: CaseId,
    /// The reviewer's key file.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, clap::Args)]
pub(super) struct Start {
    /// The transfer.
    #[arg(value_parser = transfer_id)]
    transfer: CaseId,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, clap::Args)]
pub(super) struct Withdraw {
    /// The transfer.
    #[arg(value_parser = transfer_id)]
    transfer: CaseId,
    /// Why.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, clap::Args)]
pub(super) struct Stop {
    /// The transfer.
    #[arg(value_parser = transfer_id)]
    transfer: CaseId,
    /// Why.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    acting: Acting,
}

impl Open {
    pub(super) async fn run(self, deployment: &Deployment, format: Format) -> anyhow::Result<()> {
        let actor = self.acting.actor(deployment).await?;
        let new = NewTransfer {
            tenant: self.tenant,
            from: self.from,
            to: self.to,
            data: self.bucket.map_or(Data::Accounts(self.account), Data::Bucket),
            mode: if self.copy { Mode::Copy } else { Mode::Move },
            categories: self.category,
            purpose: self.purpose,
            importer: Importer {
                name: self.importer,
                shown: self.shown,
            },
        };
        let transfer = deployment.transfers().open(actor, new).await?;
        match format {
            Format::Json => data!(
                "{}",
                json!({"schema": "amparo.cli.transfer_opened/1", "transfer": transfer})
            ),
            Format::Text => {
                data!("{transfer}");
                say!("{GOOD}opened{GOOD:#}; state its basis next: `amparo transfer basis {transfer}`");
            }
        }
        Ok(())
    }
}

impl StateBasis {
    pub(super) async fn run(self, deployment: &Deployment, format: Format) -> anyhow::Result<()> {
        let adequacy = self.adequacy.into_iter();
        let mut bases: Vec<Basis> = adequacy.map(|decision| Basis::Adequacy { decision }).collect();
        if let Some(file) = &self.file {
            let more: Vec<Basis> = read(file, "a list of bases")?;
            bases.extend(more);
        }
        let actor = self.acting.actor(deployment).await?;
        let body = TransferBody::BasisStated { bases };
        deployment.transfers().record(self.transfer, actor, body).await?;
        super::read::show(deployment, self.transfer, format).await
    }
}

impl Assess {
    pub(super) async fn run(self, deployment: &Deployment, format: Format) -> anyhow::Result<()> {
        let assessment: Assessment = read(&self.file, "an assessment")?;
        let actor = self.acting.actor(deployment).await?;
        let body = TransferBody::Assessed {
            assessment: Box::new(assessment),
        };
        deployment.transfers().record(self.transfer, actor, body).await?;
        super::read::show(deployment, self.transfer, format).await
    }
}

impl Measures {
    pub(super) async fn run(self, deployment: &Deployment, format: Format) -> anyhow::Result<()> {
        let of = |kind, whats: Vec<String>| whats.into_iter().map(move |what| Measure { kind, what });
        let measures = of(MeasureKind::Technical, self.technical)
            .chain(of(MeasureKind::Contractual, self.contractual))
            .chain(of(MeasureKind::Organisational, self.organisational))
            .collect();
        let actor = self.acting.actor(deployment).await?;
        let body = TransferBody::MeasuresTaken { measures };
        deployment.transfers().record(self.transfer, actor, body).await?;
        super::read::show(deployment, self.transfer, format).await
    }
}

impl Decide {
    pub(super) async fn run(self, deployment: &Deployment, format: Format) -> anyhow::Result<()> {
        let matter = deployment.transfers().view(self.transfer).await?.matter;
        let seed = service::deployment::read_key(&self.key)?;
        let message = signed_decision(self.transfer, &matter, &self.reason);
        let signature = SigningKey::from_bytes(&seed).sign(&message);
        // The key makes it counsel's, and the gate checks whose key it is.
        let actor = casework::event::Actor::Counsel(self.acting.id(deployment).await?);
        let body = TransferBody::Decided {
            reason: self.reason,
            signature: STANDARD.encode(signature.to_bytes()),
        };
        deployment.transfers().record(self.transfer, actor, body).await?;
        super::read::show(deployment, self.transfer, format).await
    }
}

impl Propose {
    pub(super) async fn run(self, deployment: &Deployment, format: Format) -> anyhow::Result<()> {
        let actor = self.acting.actor(deployment).await?;
        let lifetime = SignedDuration::from_hours(i64::from(self.days).saturating_mul(24));
        let record = deployment
            .transfers()
            .propose(self.transfer, actor, lifetime)
            .await?;
        match format {
            Format::Json => data!(
                "{}",
                json!({"schema": "amparo.cli.transfer_record/1", "digest": record.digest()?, "record": record})
            ),
            Format::Text => {
                data!("{}", record.id);
                say!(
                    "{GOOD}drawn up{GOOD:#} ({}); two people approve it, neither of whom opened the transfer",
                    record.digest()?
                );
            }
        }
        Ok(())
    }
}

impl Approve {
    pub(super) async fn run(self, deployment: &Deployment, format: Format) -> anyhow::Result<()> {
        let reviewer = self.acting.id(deployment).await?;
        let record = deployment.transfers().view(self.transfer).await?.record;
        let record =
            record.context("no record waits for signatures; `amparo transfer propose` draws one up")?;
        let seed = service::deployment::read_key(&self.key)?;
        let signature = SigningKey::from_bytes(&seed).sign(&transfer_approval_message(&record.digest));
        let signature = STANDARD.encode(signature.to_bytes());
        deployment
            .transfers()
            .approve(self.transfer, record.id, &reviewer, &signature)
            .await?;
        match format {
            Format::Json => data!(
                "{}",
                json!({"schema": "amparo.cli.approved/1", "record": record.id, "digest": record.digest})
            ),
            Format::Text => say!("{GOOD}signed{GOOD:#} record {} ({})", record.id, record.digest),
        }
        Ok(())
    }
}

impl Start {
    pub(super) async fn run(self, deployment: &Deployment, format: Format) -> anyhow::Result<()> {
        let actor = self.acting.actor(deployment).await?;
        let bar = indicatif::ProgressBar::new(0);
        bar.set_style(indicatif::ProgressStyle::with_template(
            "{wide_bar} {bytes}/{total_bytes} {msg}",
        )?);
        let moved = deployment
            .transfers()
            .start(self.transfer, actor, |moved, whole| {
                bar.set_length(whole.bytes);
                bar.set_position(moved.bytes);
                bar.set_message(format!("{}/{} objects", moved.objects, whole.objects));
            })
            .await;
        bar.finish_and_clear();
        let moved = moved?;
        let opening = deployment.transfers().view(self.transfer).await?.opening;
        match format {
            Format::Json => data!(
                "{}",
                json!({
                    "schema": "amparo.cli.transfer_moved/1", "transfer": self.transfer,
                    "objects": moved.objects, "bytes": moved.bytes,
                })
            ),
            Format::Text if opening.mode.is_move() => say!(
                "{GOOD}moved{GOOD:#} {} objects, {} bytes; each copy was read back, and the old ones are gone",
                moved.objects,
                moved.bytes
            ),
            Format::Text => say!(
                "{GOOD}copied{GOOD:#} {} objects, {} bytes to {}; each copy was read back, and the original stays",
                moved.objects,
                moved.bytes,
                opening.to.region
            ),
        }
        Ok(())
    }
}

impl Withdraw {
    pub(super) async fn run(self, deployment: &Deployment, format: Format) -> anyhow::Result<()> {
        let actor = self.acting.actor(deployment).await?;
        let transfers = deployment.transfers();
        let gone = transfers.withdraw(self.transfer, actor, self.reason).await?;
        match format {
            Format::Json => data!(
                "{}",
                json!({
                    "schema": "amparo.cli.transfer_withdrawn/1", "transfer": self.transfer,
                    "objects": gone.objects, "bytes": gone.bytes,
                })
            ),
            Format::Text => say!(
                "{GOOD}deleted{GOOD:#} the copies of {} objects, {} bytes, and the keys that only they needed",
                gone.objects,
                gone.bytes
            ),
        }
        Ok(())
    }
}

impl Stop {
    pub(super) async fn run(self, deployment: &Deployment, format: Format) -> anyhow::Result<()> {
        let actor = self.acting.actor(deployment).await?;
        let body = TransferBody::Stopped { reason: self.reason };
        deployment.transfers().record(self.transfer, actor, body).await?;
        super::read::show(deployment, self.transfer, format).await
    }
}

fn read<T: serde::de::DeserializeOwned>(path: &std::path::Path, what: &str) -> anyhow::Result<T> {
    let bytes = bounded::read(path, FILE_BYTES_MAX)?;
    serde_json::from_slice(&bytes).with_context(|| format!("`{}` does not hold {what}", path.display()))
}

fn category(text: &str) -> Result<Category, String> {
    serde_json::from_value(json!(text)).map_err(|error| format!("`{text}`: {error}"))
}

fn shown(text: &str) -> Result<Shown, String> {
    const FORM: &str = "write `us.dpf_certified=how it was checked@2026-05-03`";
    let (mark, rest) = text.split_once('=').ok_or(FORM)?;
    let (how, day) = rest.rsplit_once('@').ok_or(FORM)?;
    Ok(Shown {
        mark: mark.to_owned(),
        how: how.to_owned(),
        checked_on: day.parse().map_err(|_| FORM)?,
    })
}
