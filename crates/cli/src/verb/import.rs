//! `amparo import`: brings what a tenant already has into the vault.

use std::{io::IsTerminal as _, path::PathBuf, process::ExitCode};

use casework::ids::AccountId;
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use service::import::{ImportReport, Progress, Source, import_files, import_mail};

use super::place::{Owner, Place};
use crate::voice::{Format, GOOD, WARN, data, say};

/// Arguments of `amparo import`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Import messages: a folder, a maildir, an mbox, one message, or a .tar or .tar.xz of these.
    ///
    /// Each message is kept byte for byte, under its own date. What cannot be read as mail is kept too, and counted.
    #[command(after_help = EXAMPLES)]
    Mail(Import),
    /// Import plain files, each under the time it was last written.
    #[command(after_help = EXAMPLES)]
    Files(Import),
}

const EXAMPLES: &str = "Exit codes:
  0  all was imported
  1  imported, but some messages were not stored: the output names them
  2  could not be done

Examples:
  amparo import mail Maildir --tenant contoso --account alice@contoso.example --data /var/lib/amparo --credential contoso.s3
  amparo import mail archive.tar.xz --tenant contoso --account alice --data /var/lib/amparo --credential contoso.s3 --format json
  amparo import files Documents --tenant contoso --account alice --bucket drive --data /var/lib/amparo --credential contoso.s3";

#[derive(Debug, clap::Args)]
struct Import {
    /// What to import.
    path: PathBuf,
    #[command(flatten)]
    owner: Owner,
    /// The account it belongs to.
    #[arg(long)]
    account: AccountId,
    /// The customer's bucket; `amparo bucket add` makes one.
    #[arg(long, default_value = "mail")]
    bucket: String,
    #[command(flatten)]
    place: Place,
    /// How to answer.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the verb.
///
/// # Errors
/// When the source, the deployment or the vault fails. What was stored before stays.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (What::Mail(import) | What::Files(import)) = &args.what;
    let source = Source::detect(&import.path)?;
    let deployment = import.place.open().await?;
    let owner = import.owner.sign_in(&deployment).await?;
    let vault = deployment.vault();

    let bar = progress_bar();
    let mut progress = |p: Progress| {
        bar.set_position(p.objects);
        bar.set_message(format!("{} MiB", p.bytes >> 20));
    };
    let (bucket, account) = (import.bucket.as_str(), &import.account);
    let report = match &args.what {
        What::Mail(_) => import_mail(vault, &owner, bucket, account, source, &mut progress).await,
        What::Files(_) => import_files(vault, &owner, bucket, account, source, &mut progress).await,
    }?;
    bar.finish_and_clear();
    match import.format {
        Format::Json => {
            let answer = serde_json::json!({ "schema": "amparo.import/1", "report": report });
            data!("{}", serde_json::to_string_pretty(&answer)?);
        }
        Format::Text => print(&report),
    }
    let lost = report.passed.oversized + report.passed.unsafe_paths;
    Ok(ExitCode::from(u8::from(lost > 0)))
}

fn progress_bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} objects, {msg}, {per_sec}") {
        bar.set_style(style);
    }
    bar
}

fn print(report: &ImportReport) {
    data!(
        "{GOOD}stored{GOOD:#}: {} objects, {} bytes",
        report.stored,
        report.bytes
    );
    let line = |count: u64, what: &str| {
        if count > 0 {
            data!("  {count} {what}");
        }
    };
    line(report.dated_by_date, "dated by their Date field");
    line(report.dated_by_received, "dated by their first Received field");
    line(report.dated_by_mbox_line, "dated by the mbox line before them");
    line(report.dated_by_file, "dated by their file");
    line(report.undated, "without any date, in no window of time");
    line(report.broken, "not readable as mail, kept all the same");
    let passed = &report.passed;
    line(passed.not_mail, "files passed over: not mail");
    line(passed.links, "links passed over: never followed");
    line(passed.special, "devices, pipes or sparse files passed over");
    line(passed.oversized, "messages NOT stored: too large");
    line(
        passed.unsafe_paths,
        "entries NOT stored: their path leads out of the archive",
    );
    for (name, reason) in &passed.names {
        say!("{WARN}passed over{WARN:#} `{name}`: {reason}");
    }
}
