//! From the record to the delivery.

use std::path::PathBuf;

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use casework::{
    event::{PackageFlag, approval_message},
    ids::{CaseId, RecordId},
    record::Recipient,
};
use ed25519_dalek::{Signer as _, SigningKey};
use jiff::SignedDuration;
use serde_json::json;
use service::app::Desk;

use super::{Acting, case_id, unsent};
use crate::voice::{Format, GOOD, STRONG, WARN, data, say};

#[derive(Debug, clap::Args)]
pub(super) struct Propose {
    /// The case.
    #[arg(value_parser = case_id)]
    case: CaseId,
    #[command(flatten)]
    acting: Acting,
    /// Name of the authority or officer who receives it.
    #[arg(long)]
    recipient: String,
    /// Its age recipient, `age1...`.
    #[arg(long)]
    age: String,
    /// Hours until the gate refuses the record, at most 720.
    #[arg(long, default_value_t = 168)]
    hours: u32,
}

#[derive(Debug, clap::Args)]
pub(super) struct Approve {
    /// The case.
    #[arg(value_parser = case_id)]
    case: CaseId,
    #[command(flatten)]
    acting: Acting,
    /// The record; the one on its way unless given.
    #[arg(long)]
    record: Option<RecordId>,
    /// The reviewer's key file.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct Release {
    /// The case.
    #[arg(value_parser = case_id)]
    case: CaseId,
    /// The record; the one on its way unless given.
    #[arg(long)]
    record: Option<RecordId>,
    /// Copy the encrypted package here.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Deliver {
    /// The case.
    #[arg(value_parser = case_id)]
    case: CaseId,
    #[command(flatten)]
    acting: Acting,
    /// The record.
    #[arg(long)]
    record: RecordId,
    /// How, and to whom.
    #[arg(long)]
    how: String,
}

impl Propose {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let actor = self.acting.actor(desk).await?;
        let recipient = Recipient {
            name: self.recipient,
            age: self.age,
        };
        let life = SignedDuration::from_hours(i64::from(self.hours));
        let record = desk.propose(self.case, actor, recipient, life).await?;
        let digest = record.digest()?;
        if format == Format::Json {
            data!(
                "{}",
                json!({"schema": "amparo.cli.record/1", "digest": digest, "record": record})
            );
            return Ok(());
        }
        data!("{}", record.id);
        let bytes = record
            .objects
            .iter()
            .fold(0_u64, |sum, object| sum.saturating_add(object.size));
        say!(
            "record {STRONG}{}{STRONG:#} names {} object(s), {bytes} bytes",
            record.id,
            record.objects.len()
        );
        say!("digest {digest}: this is what reviewers sign");
        Ok(())
    }
}

impl Approve {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let record = pending(desk, self.case, self.record).await?;
        let digest = desk.release_record(self.case, record).await?.digest()?;
        let seed = service::deployment::read_key(&self.key)?;
        let signature = SigningKey::from_bytes(&seed).sign(&approval_message(&digest));
        let signature = STANDARD.encode(signature.to_bytes());
        desk.approve(self.case, record, &self.acting.id(desk).await?, &signature)
            .await?;
        if format == Format::Json {
            data!(
                "{}",
                json!({"schema": "amparo.cli.approved/1", "record": record, "digest": digest})
            );
        } else {
            say!("{GOOD}signed{GOOD:#} record {record} ({digest})");
        }
        Ok(())
    }
}

impl Release {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let record = pending(desk, self.case, self.record).await?;
        let package = desk.release(self.case, record).await?;
        if let Some(out) = &self.out {
            std::fs::copy(&package.path, out).with_context(|| format!("cannot write `{}`", out.display()))?;
        }
        if format == Format::Json {
            data!(
                "{}",
                json!({
                    "schema": "amparo.cli.package/1", "record": record, "path": package.path,
                    "digest": package.digest, "size": package.size, "flags": package.flags, "more_flags": package.more_flags,
                })
            );
            return Ok(());
        }
        data!("{}", self.out.as_ref().unwrap_or(&package.path).display());
        say!(
            "{GOOD}released{GOOD:#} {} bytes, encrypted to its recipient ({})",
            package.size,
            package.digest
        );
        for PackageFlag { object, part, flag } in &package.flags {
            let object = object.map_or_else(|| "the package".to_owned(), |object| format!("object {object}"));
            let part = part.map(|part| format!(", part {part}")).unwrap_or_default();
            say!("{WARN}flagged{WARN:#} {object}{part}: {flag}");
        }
        if package.more_flags > 0 {
            say!("{WARN}flagged{WARN:#} {} more", package.more_flags);
        }
        unsent::remind(desk, self.case, format).await
    }
}

impl Deliver {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let actor = self.acting.actor(desk).await?;
        desk.deliver(self.case, actor, self.record, &self.how).await?;
        if format == Format::Json {
            data!(
                "{}",
                json!({"schema": "amparo.cli.delivered/1", "record": self.record})
            );
        } else {
            say!("{GOOD}delivered{GOOD:#} record {}", self.record);
        }
        Ok(())
    }
}

async fn pending(desk: &Desk, case: CaseId, given: Option<RecordId>) -> anyhow::Result<RecordId> {
    if let Some(record) = given {
        return Ok(record);
    }
    if let Some(pending) = desk.pending_record(case).await? {
        return Ok(pending);
    }
    // Done already: asking for the package again is no mistake.
    let view = desk.case(case).await?;
    let released = view.records.iter().rfind(|record| record.released);
    released
        .map(|record| record.record)
        .context("no record is on its way in this case; `amparo case propose` draws one up")
}
