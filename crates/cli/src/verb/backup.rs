//! `amparo backup`: the whole deployment into a folder, while it runs.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use service::deployment::backup::{BackupOptions, take};

use crate::voice::{STRONG, WARN, data, say};

/// Back a deployment up into a folder, while it serves. Again into the same folder copies only what is new.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Sealed bodies are ciphertext in the backup as they are in the stores. Names, dates and cases' headers are not: \
    name a recipient, or keep the backup as you keep the deployment. Whoever has a backup and the keys has what was destroyed \
    since.\n\n\
    Examples:\n  amparo backup --data ./data --out /mnt/backup --recipient age1... --keep-days 30\n\n\
    Exit codes: 0 done, 1 done, without bodies that the stores had lost or altered, 2 it could not be done."
)]
pub struct Args {
    /// The deployment's folder.
    #[arg(long, env = "AMPARO_DATA", default_value = "data", value_name = "DIR")]
    data: PathBuf,
    /// The backup's folder; made where it is not there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// An age recipient (`age1...`), to whom everything but sealed bodies is encrypted.
    #[arg(long, value_name = "AGE1")]
    recipient: Option<String>,
    /// Put the keys in too, encrypted to the recipient. Whoever then opens it can read everything.
    #[arg(long, requires = "recipient")]
    with_keys: bool,
    /// After how many days you will have deleted it: what is destroyed until then is gone for good on that day.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36500))]
    keep_days: Option<u32>,
}

/// Runs the verb.
///
/// # Errors
/// When something cannot be read or written.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let options = BackupOptions {
        recipient: args.recipient,
        keys: args.with_keys,
        kept_for: args
            .keep_days
            .map(|days| Duration::from_secs(u64::from(days) * 24 * 60 * 60)),
    };
    let taken = take(&args.data, &args.out, &options).await?;
    let manifest = &taken.manifest;
    data!(
        "{STRONG}{}{STRONG:#}: {} sealed bodies ({} copied now), docket of {} entries",
        manifest.made_at,
        manifest.blobs,
        taken.copied,
        manifest.docket_size
    );
    data!("manifest {}", taken.digest);
    if let Some(at) = manifest.expires_at {
        data!("to be deleted by {at}");
    }
    if !manifest.metadata.encrypted {
        say!(
            "{WARN}note:{WARN:#} names, dates and cases' headers are in it unencrypted; `--recipient` encrypts them"
        );
    }
    if manifest.keys.is_none() {
        say!(
            "{WARN}note:{WARN:#} the keys are not in it; keep them apart, for without them it opens nothing"
        );
    }
    for blob in &manifest.without {
        data!("without {blob}, which its store has lost or altered: see `amparo scrub`");
    }
    Ok(if manifest.without.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}
