//! `amparo key destroy`: the end of a key provider's key, for good.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use casework::ids::ProviderId;
use service::{
    deployment::{Layout, RetirementOrder},
    keys::{EndOrder, keyholder::ending::RECEIPT_BYTES_MAX},
};

use crate::{
    verb::place::Place,
    voice::{WARN, data, say},
};

/// Which key.
#[derive(Debug, clap::Args)]
pub(super) struct Destroy {
    /// The key provider.
    provider: ProviderId,
    /// The provider once more.
    #[arg(long, value_name = "PROVIDER")]
    confirm: ProviderId,
    /// Days that AWS KMS waits before the key is gone; until then it can be brought back there.
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u8).range(7..=30))]
    waiting_days: u8,
    /// The gate's folder, where the gate has one of its own.
    #[arg(long, value_name = "DIR")]
    gate: Option<PathBuf>,
    /// For a customer's keyholder: what `amparo keyholder destroy` wrote there.
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// Where the statement about it goes, whose digest is in the docket; nothing is overwritten.
    #[arg(long, value_name = "FILE")]
    statement: Option<PathBuf>,
}

pub(super) async fn run(what: Destroy, place: &Place) -> anyhow::Result<ExitCode> {
    if what.confirm != what.provider {
        bail!("`--confirm {}` is not `{}`", what.confirm, what.provider);
    }
    let max = u64::try_from(RECEIPT_BYTES_MAX).unwrap_or(u64::MAX);
    let read = |path: &PathBuf| crate::verb::bounded::read(path, max);
    let order = RetirementOrder {
        provider: what.provider,
        gate: what.gate.as_deref().map(Layout::at),
        end: EndOrder {
            waiting_days: what.waiting_days,
        },
        receipt: what.receipt.as_ref().map(read).transpose()?,
    };
    let deployment = place.open().await?;
    let (statement, entry) = deployment.retire(&order).await?;
    let text = serde_json::to_string_pretty(&statement)?;
    data!("{text}");
    if let Some(path) = &what.statement {
        use std::io::Write as _;
        let mut file =
            std::fs::File::create_new(path).with_context(|| format!("cannot make `{}`", path.display()))?;
        writeln!(file, "{text}")?;
        file.sync_all()?;
    }
    match entry {
        Some(entry) => say!(
            "the docket will hold its digest {} as entry {}: once published, `amparo key receipt {1}` gives the proof",
            statement.digest()?,
            entry.0
        ),
        None => say!(
            "it was destroyed before; this is the statement of then, of digest {}",
            statement.digest()?
        ),
    }
    say!(
        "take `{}` out of `amparo.toml` now. What a backup holds that was wrapped under this key opens no more either",
        statement.holder
    );
    if let Some(at) = statement.answer.as_ref().and_then(|answer| answer.ended.gone_at) {
        say!("{WARN}note:{WARN:#} the provider can bring it back until {at}");
    }
    deployment.close().await;
    Ok(ExitCode::SUCCESS)
}
