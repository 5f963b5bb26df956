//! `amparo ledger`: a customer fetches its access ledger, and checks it.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use casework::{
    ids::TenantId,
    ledger::{Checked, Entry, check, continues, json_schema},
};
use clap::Subcommand;
use serde::Deserialize;

use crate::voice::{BAD, Format, GOOD, data, say};

/// Largest ledger that is read, in bytes.
const LEDGER_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;
/// Longest line of it, in bytes: one entry with everything that was sealed in its day.
const LINE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Largest token file.
const TOKEN_BYTES_MAX: u64 = 4096;
/// Longest wait for a page.
const PATIENCE: Duration = Duration::from_secs(60);

/// Every opening of a customer's keys: fetch the ledger, and check that nothing in it was changed or removed.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Fetch the whole ledger into a file, one entry a line.
    #[command(after_help = "\
Example:
  amparo ledger fetch --api https://api.provider.example --tenant contoso --token admin.token --out ledger.jsonl

Exit codes: 0 done, 2 it could not be done.")]
    Fetch(FetchArgs),
    /// Check a fetched ledger. Needs no server.
    #[command(after_help = "\
Example:
  amparo ledger verify ledger-today.jsonl --earlier ledger-last-month.jsonl

Exit codes:
  0  proven
  1  disproved: the output says which entry
  2  could not check: a file is absent or unreadable")]
    Verify(VerifyArgs),
    /// Print the JSON Schema of an entry.
    Schema,
}

#[derive(Debug, clap::Args)]
struct FetchArgs {
    /// The provider's API.
    #[arg(long, value_name = "URL")]
    api: String,
    /// The customer.
    #[arg(long)]
    tenant: TenantId,
    /// A file with the token of one of the customer's administrators.
    #[arg(long, value_name = "FILE")]
    token: PathBuf,
    /// Where the ledger goes; nothing is overwritten.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// A file with the certificate that the API's rests on, where no public one does.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct VerifyArgs {
    /// The ledger, as `fetch` wrote it.
    file: PathBuf,
    /// An earlier copy, which the ledger must begin with.
    #[arg(long, value_name = "FILE")]
    earlier: Option<PathBuf>,
    /// How to answer.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Deserialize)]
struct Page {
    entries: Vec<Entry>,
    next: Option<u64>,
}

/// Runs the verb.
///
/// # Errors
/// When a file or the API cannot be read.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.verb {
        Verb::Fetch(args) => fetch(args).await,
        Verb::Verify(args) => verify(&args),
        Verb::Schema => {
            data!("{}", serde_json::to_string_pretty(&json_schema())?);
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn fetch(args: FetchArgs) -> anyhow::Result<ExitCode> {
    let token = super::bounded::read(&args.token, TOKEN_BYTES_MAX)?;
    let token = std::str::from_utf8(&token)
        .context("the token file holds no text")?
        .trim();
    let mut client = reqwest::Client::builder().timeout(PATIENCE);
    if let Some(ca) = &args.ca {
        let pem = super::bounded::read(ca, 64 * 1024)?;
        client = client.add_root_certificate(reqwest::Certificate::from_pem(&pem)?);
    }
    let client = client.build()?;
    let out = File::create_new(&args.out).with_context(|| format!("cannot make `{}`", args.out.display()))?;
    match copy(&client, &args, token, out).await {
        Ok(count) => {
            say!(
                "wrote {count} entries to `{}`; check them with `amparo ledger verify`",
                args.out.display()
            );
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            // Half a ledger would pass for one whose end was cut off.
            let _ = std::fs::remove_file(&args.out);
            Err(error)
        }
    }
}

/// Copies the ledger page by page, and says how many entries it has.
async fn copy(client: &reqwest::Client, args: &FetchArgs, token: &str, out: File) -> anyhow::Result<u64> {
    let mut out = std::io::BufWriter::new(out);
    let url = format!(
        "{}/tenants/{}/ledger",
        args.api.trim_end_matches('/'),
        args.tenant
    );
    let (mut after, mut count) = (None::<u64>, 0u64);
    loop {
        let page = match after {
            Some(after) => format!("{url}?after={after}"),
            None => url.clone(),
        };
        let answer = client
            .get(&page)
            .bearer_auth(token)
            .send()
            .await
            .context("the API does not answer")?;
        let status = answer.status();
        ensure!(
            status.is_success(),
            "the API answered {status}\nhint: the token must be of an administrator of `{}`",
            args.tenant
        );
        let page: Page =
            serde_json::from_slice(&answer.bytes().await?).context("the API's answer is no ledger")?;
        for entry in &page.entries {
            serde_json::to_writer(&mut out, entry)?;
            out.write_all(b"\n")?;
        }
        count += u64::try_from(page.entries.len())?;
        match page.next {
            // A provider that answers in circles is not followed.
            Some(next) if after.is_none_or(|after| next > after) => after = Some(next),
            Some(_) => bail!("the API gave the same page twice"),
            None => break,
        }
    }
    out.into_inner()?.sync_all()?;
    Ok(count)
}

fn verify(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let entries = read(&args.file)?;
    ensure!(!entries.is_empty(), "`{}` holds no entry", args.file.display());
    let earlier = args.earlier.as_deref().map(read).transpose()?.unwrap_or_default();
    let found = check(&entries).and_then(|checked| continues(&entries, &earlier).map(|()| checked));
    let code = if found.is_ok() { 0 } else { 1 };
    match (&found, args.format) {
        (Ok(checked), Format::Text) => tell(checked, args.earlier.is_some()),
        (Err(broken), Format::Text) => data!("{BAD}disproved{BAD:#}  {broken}"),
        (found, Format::Json) => {
            let answer = match found {
                Ok(checked) => serde_json::json!({
                    "schema": "amparo.ledger.verify/1",
                    "proven": true,
                    "tenant": checked.tenant,
                    "entries": checked.length,
                    "head": checked.head,
                    "openings": checked.openings,
                    "days": checked.slots,
                    "last_day": checked.last_day.map(|day| day.to_string()),
                    "places_opened": checked.opened,
                }),
                Err(broken) => serde_json::json!({
                    "schema": "amparo.ledger.verify/1",
                    "proven": false,
                    "reason": broken.to_string(),
                }),
            };
            data!("{}", serde_json::to_string_pretty(&answer)?);
        }
    }
    Ok(ExitCode::from(code))
}

fn tell(checked: &Checked, compared: bool) {
    data!(
        "{GOOD}proven{GOOD:#}  the ledger of `{}`: {} entries, none changed or out of place",
        checked.tenant,
        checked.length
    );
    data!("  openings     {}", checked.openings);
    match checked.last_day {
        Some(day) => data!(
            "  days         {}, each with its slot, up to {day}",
            checked.slots
        ),
        None => data!("  days         none is over yet"),
    }
    data!(
        "  unsealed     {} place(s), each as it was sealed",
        checked.opened
    );
    data!("  head         {}", checked.head);
    if compared {
        data!("  earlier      this ledger begins with the earlier copy");
    }
    data!(
        "not shown: that the provider has no other ledger for you; keep each copy, and compare it with the next"
    );
}

fn read(path: &Path) -> anyhow::Result<Vec<Entry>> {
    let name = || format!("cannot read `{}`", path.display());
    let file = File::open(path).with_context(name)?;
    let mut lines = BufReader::new(file.take(LEDGER_BYTES_MAX));
    let mut entries = Vec::new();
    loop {
        let mut line = Vec::new();
        let length = lines
            .by_ref()
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)
            .with_context(name)?;
        if length == 0 {
            return Ok(entries);
        }
        let entry = serde_json::from_slice(&line);
        entries
            .push(entry.with_context(|| {
                format!("line {} of `{}` is no entry", entries.len() + 1, path.display())
            })?);
    }
}
