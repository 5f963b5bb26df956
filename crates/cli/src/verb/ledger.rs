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
    ledger::{
        Checked, CommittedTo, Entry, NotCommitted, check, committed_to, continues, heads::ShownSet,
        json_schema,
    },
};
use clap::Subcommand;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::voice::{BAD, Format, GOOD, WARN, data, say};

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
  amparo ledger fetch --api https://api.provider.example --tenant contoso --token admin.token \
    --out ledger.jsonl --heads heads.jsonl

Exit codes: 0 done, 2 it could not be done.")]
    Fetch(FetchArgs),
    /// Check a fetched ledger. Needs no server.
    #[command(after_help = "\
Example:
  amparo ledger verify ledger-today.jsonl --earlier ledger-last-month.jsonl
  amparo ledger verify ledger.jsonl --heads heads.jsonl --policy provider.toml

Exit codes:
  0  proven
  1  disproved: the output says which entry
  2  could not check: a file is absent or unreadable, or the docket holds nothing of this ledger where it should")]
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
    /// Where the heads of it go that the docket committed to; nothing is overwritten.
    #[arg(long, value_name = "FILE")]
    heads: Option<PathBuf>,
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
    /// The heads that the docket committed to, as `fetch` wrote them: this ledger must be the one.
    #[arg(long, value_name = "FILE", requires = "policy")]
    heads: Option<PathBuf>,
    /// The provider's trust policy, or a C2SP tlog-policy: whose docket, and which witnesses.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Most places of the docket that may hold no heads: the provider's gate was away then, or a second ledger was
    /// committed to in them.
    #[arg(long, value_name = "N", default_value_t = 0)]
    gaps: u64,
    /// How to answer.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Deserialize)]
struct Page {
    entries: Vec<Entry>,
    next: Option<u64>,
}

#[derive(Deserialize)]
struct HeadsPage {
    heads: Vec<ShownSet>,
    next: Option<u64>,
}

/// One page's lines, and where the next begins.
trait Lines: DeserializeOwned {
    type Line: Serialize;
    fn take(self) -> (Vec<Self::Line>, Option<u64>);
}

impl Lines for Page {
    type Line = Entry;
    fn take(self) -> (Vec<Entry>, Option<u64>) {
        (self.entries, self.next)
    }
}

impl Lines for HeadsPage {
    type Line = ShownSet;
    fn take(self) -> (Vec<ShownSet>, Option<u64>) {
        (self.heads, self.next)
    }
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
    // The heads first: the ledger is then never shorter than what they cover.
    if let Some(path) = &args.heads {
        let sets = fetch_into::<HeadsPage>(&client, &args, token, ("/heads", path)).await?;
        say!("wrote {sets} sets of heads to `{}`", path.display());
    }
    let count = match fetch_into::<Page>(&client, &args, token, ("", &args.out)).await {
        Ok(count) => count,
        Err(error) => {
            if let Some(heads) = &args.heads {
                let _ = std::fs::remove_file(heads);
            }
            return Err(error);
        }
    };
    say!(
        "wrote {count} entries to `{}`; check them with `amparo ledger verify`",
        args.out.display()
    );
    Ok(ExitCode::SUCCESS)
}

/// Writes all pages to a new file, and says how many lines they have.
async fn fetch_into<P: Lines>(
    client: &reqwest::Client,
    args: &FetchArgs,
    token: &str,
    (what, path): (&str, &Path),
) -> anyhow::Result<u64> {
    let out = File::create_new(path).with_context(|| format!("cannot make `{}`", path.display()))?;
    let copied = copy::<P>(client, args, token, what, out).await;
    if copied.is_err() {
        // Half a ledger would pass for one whose end was cut off.
        let _ = std::fs::remove_file(path);
    }
    copied
}

async fn copy<P: Lines>(
    client: &reqwest::Client,
    args: &FetchArgs,
    token: &str,
    what: &str,
    out: File,
) -> anyhow::Result<u64> {
    let mut out = std::io::BufWriter::new(out);
    let url = format!(
        "{}/tenants/{}/ledger{what}",
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
        let page: P =
            serde_json::from_slice(&answer.bytes().await?).context("the API's answer is no ledger")?;
        let (lines, next) = page.take();
        for line in &lines {
            serde_json::to_writer(&mut out, line)?;
            out.write_all(b"\n")?;
        }
        count += u64::try_from(lines.len())?;
        match next {
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
    let entries: Vec<Entry> = read(&args.file)?;
    ensure!(!entries.is_empty(), "`{}` holds no entry", args.file.display());
    let earlier: Vec<Entry> = args.earlier.as_deref().map(read).transpose()?.unwrap_or_default();
    let found = match prove(args, &entries, &earlier)? {
        Ok(found) => found,
        Err(broken) => {
            match args.format {
                Format::Text => data!("{BAD}disproved{BAD:#}  {broken}"),
                Format::Json => {
                    let answer = serde_json::json!({
                        "schema": "amparo.ledger.verify/1",
                        "proven": false,
                        "reason": broken,
                    });
                    data!("{}", serde_json::to_string_pretty(&answer)?);
                }
            }
            return Ok(ExitCode::from(1));
        }
    };
    let (checked, committed) = &found;
    if let Some(committed) = committed.as_ref().filter(|committed| committed.gaps > args.gaps) {
        bail!(
            "of the docket's entries that hold heads, {} show none of this ledger, the first of them at {}: a second ledger \
             could be in them\nhint: ask the provider why; `--gaps {0}` bears with them",
            committed.gaps,
            committed.first_gap.unwrap_or_default()
        );
    }
    match args.format {
        Format::Text => tell(checked, committed.as_ref(), args.earlier.is_some()),
        Format::Json => {
            let mut answer = serde_json::json!({
                "schema": "amparo.ledger.verify/1",
                "proven": true,
                "tenant": checked.tenant,
                "entries": checked.length,
                "head": checked.head,
                "openings": checked.openings,
                "days": checked.slots,
                "last_day": checked.last_day.map(|day| day.to_string()),
                "places_opened": checked.opened,
            });
            if let (Some(committed), Some(answer)) = (committed, answer.as_object_mut()) {
                let told = serde_json::json!({
                    "sets": committed.sets,
                    "since": committed.since,
                    "since_at": committed.since_at,
                    "entries_at_first": committed.at_first,
                    "last": committed.last,
                    "last_at": committed.last_at,
                    "entries": committed.length,
                    "gaps": committed.gaps,
                    "witnessed_at": witnessed_at(committed),
                });
                answer.insert("docket".to_owned(), told);
            }
            data!("{}", serde_json::to_string_pretty(&answer)?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

type Proven = (Checked, Option<CommittedTo>);

/// What was found, or why it is disproved.
fn prove(args: &VerifyArgs, entries: &[Entry], earlier: &[Entry]) -> anyhow::Result<Result<Proven, String>> {
    let checked = check(entries).and_then(|checked| continues(entries, earlier).map(|()| checked));
    let checked = match checked {
        Ok(checked) => checked,
        Err(broken) => return Ok(Err(broken.to_string())),
    };
    let (Some(heads), Some(policy)) = (&args.heads, &args.policy) else {
        return Ok(Ok((checked, None)));
    };
    let policy = super::verify::docket_policy(policy)?;
    let sets: Vec<ShownSet> = read(heads)?;
    match committed_to(entries, sets, &policy) {
        Ok(committed) => Ok(Ok((checked, Some(committed)))),
        Err(NotCommitted::Nothing) => bail!(
            "`{}` shows no head of this ledger\nhint: the docket commits to one in every 256th entry; fetch again later",
            heads.display()
        ),
        Err(other) => Ok(Err(other.to_string())),
    }
}

fn witnessed_at(committed: &CommittedTo) -> Option<jiff::Timestamp> {
    let seconds = i64::try_from(committed.witnessed_at).ok()?;
    jiff::Timestamp::from_second(seconds).ok()
}

fn tell(checked: &Checked, committed: Option<&CommittedTo>, compared: bool) {
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
    let Some(committed) = committed else {
        data!(
            "not shown: that the provider has no other ledger for you; fetch it with `--heads`, or keep each copy, and compare \
             it with the next"
        );
        return;
    };
    data!(
        "  docket       {} sets hold its head, from entry {} ({}) to {} ({})",
        committed.sets,
        committed.since,
        committed.since_at,
        committed.last,
        committed.last_at
    );
    if let Some(at) = witnessed_at(committed) {
        data!("  witnessed    {at}");
    }
    data!(
        "  not yet      {} entries are newer than the last set",
        checked.length.saturating_sub(committed.length)
    );
    if committed.at_first > 0 {
        data!(
            "  before       {} entries were there when the docket first committed to this ledger",
            committed.at_first
        );
    }
    if committed.gaps > 0 {
        data!(
            "{WARN}gaps{WARN:#}  {} sets show nothing of this ledger: a second one could be in them",
            committed.gaps
        );
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Vec<T>> {
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
        entries.push(entry.with_context(|| {
            format!(
                "line {} of `{}` cannot be read",
                entries.len() + 1,
                path.display()
            )
        })?);
    }
}
