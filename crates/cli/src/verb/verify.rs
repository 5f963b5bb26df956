//! `amparo verify`: checks what somebody hands you, without a server and without trust in who hands it.

mod redaction;

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use casework::gate::TrustPolicy;
use clap::Subcommand;
use evidence::{
    check::{Check, Failure, NotProven, Outcome},
    seal::{self, Identity, OpenError},
    verify::{PackageFacts, verify_package},
};
use serde::Serialize;
use translog::{
    audit::{AuditError, audit},
    included::Opened,
    policy::Policy,
    proof::Receipt,
    tree::TreeError,
};

use crate::voice::{BAD, DIM, Format, GOOD, STRONG, WARN, data, say};

/// Largest policy or identity file that is read, in bytes.
const SMALL_FILE_MAX: u64 = 1 << 20;

const EXIT_CODES: &str = "Exit codes:
  0  proven
  1  disproved: the output says what fails
  2  could not check: a file is absent or unreadable";

/// Arguments of `amparo verify`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Check a disclosure package: every object in scope, unaltered, approved by two, logged and witnessed, nothing
    /// missing.
    #[command(after_help = EXIT_CODES, after_long_help = PACKAGE_HELP)]
    Package(PackageArgs),
    /// Check a receipt of the docket (a C2SP tlog-proof).
    #[command(after_help = EXIT_CODES, after_long_help = RECEIPT_HELP)]
    Receipt(ReceiptArgs),
    /// Check a signed checkpoint of the docket.
    #[command(after_help = EXIT_CODES)]
    Checkpoint(CheckpointArgs),
    /// Check a whole log (C2SP tlog-tiles), ours or anybody's: every entry hashed again, every tile compared.
    #[command(after_help = EXIT_CODES)]
    Log(LogArgs),
    /// Check a PDF before it leaves: text that can be copied out of it though nobody sees it on its pages, as under a black
    /// box. Says where, and not what.
    #[command(after_help = redaction::HELP)]
    Redaction(redaction::Args),
}

const PACKAGE_HELP: &str = "Exit codes:
  0  proven
  1  disproved: the output says what fails, and which object
  2  could not check: a file is absent or unreadable

Examples:
  Check what you received, still encrypted, with your age identity:
    amparo verify package 26-mj-101.tar.age --policy provider.toml --identity key.txt

  Check it after decrypting it with the stock age program:
    age -d -i key.txt 26-mj-101.tar.age > 26-mj-101.tar
    amparo verify package 26-mj-101.tar --policy provider.toml

  For a program:
    amparo verify package 26-mj-101.tar --policy provider.toml --format json";

const RECEIPT_HELP: &str = "Exit codes:
  0  proven
  1  disproved: the output says what fails
  2  could not check: a file is absent or unreadable

Examples:
  amparo verify receipt receipt.tlog-proof --policy provider.toml
  amparo verify receipt receipt.tlog-proof --policy provider.toml --digest 4be3...";

#[derive(Debug, clap::Args)]
struct PackageArgs {
    /// The package, encrypted (with --identity) or decrypted.
    file: PathBuf,
    #[command(flatten)]
    trust: Trust,
    /// A file with your age identity (`AGE-SECRET-KEY-1...`), as age-keygen writes it.
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct ReceiptArgs {
    /// The receipt.
    file: PathBuf,
    #[command(flatten)]
    trust: Trust,
    /// The digest that the receipt must be for, 64 hex digits.
    #[arg(long, value_name = "HEX")]
    digest: Option<casework::ids::Digest>,
}

#[derive(Debug, clap::Args)]
struct CheckpointArgs {
    /// The signed checkpoint.
    file: PathBuf,
    #[command(flatten)]
    trust: Trust,
}

#[derive(Debug, clap::Args)]
struct LogArgs {
    /// The log's folder, with `checkpoint` and `tile/` in it.
    dir: PathBuf,
    /// An earlier signed checkpoint that the log must continue. May be given several times.
    #[arg(long, value_name = "FILE")]
    earlier: Vec<PathBuf>,
    #[command(flatten)]
    trust: Trust,
}

#[derive(Debug, clap::Args)]
struct Trust {
    /// The provider's trust policy: its docket, witnesses, reviewers and rulebooks. For receipts and checkpoints, a
    /// C2SP tlog-policy will do.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// How to answer.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What is printed. In JSON, exactly this: schema `amparo.verify/1`.
#[derive(Debug, Serialize)]
struct Answer {
    schema: &'static str,
    subject: &'static str,
    verdict: Verdict,
    /// One sentence.
    summary: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<Check>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failures: Vec<Failure>,
    /// Failures beyond those listed.
    #[serde(skip_serializing_if = "is_zero")]
    further_failures: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<Facts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_shown: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Proven,
    Disproved,
    Unchecked,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Facts {
    Package(Box<PackageFacts>),
    Docket(DocketFacts),
}

#[derive(Debug, Serialize)]
struct DocketFacts {
    origin: String,
    size: u64,
    root: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    witnesses: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    witnessed_at: Option<jiff::Timestamp>,
}

/// Runs the verb.
///
/// # Errors
/// When it could not be checked.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (subject, format, answer) = match &args.what {
        What::Package(args) => ("package", args.trust.format, package(args)),
        What::Receipt(args) => ("receipt", args.trust.format, receipt(args)),
        What::Checkpoint(args) => ("checkpoint", args.trust.format, checkpoint(args)),
        What::Log(args) => ("log", args.trust.format, log(args)),
        What::Redaction(args) => return redaction::run(args).await,
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            if format == Format::Json {
                let mut answer = Answer::new(subject, Verdict::Unchecked, format!("{error:#}"));
                answer.subject = subject;
                data!("{}", serde_json::to_string_pretty(&answer)?);
            }
            return Err(error);
        }
    };
    match format {
        Format::Json => data!("{}", serde_json::to_string_pretty(&answer)?),
        Format::Text => answer.print(),
    }
    Ok(match answer.verdict {
        Verdict::Proven => ExitCode::SUCCESS,
        Verdict::Disproved => ExitCode::from(1),
        Verdict::Unchecked => ExitCode::from(2),
    })
}

impl Answer {
    fn new(subject: &'static str, verdict: Verdict, summary: String) -> Self {
        Self {
            schema: "amparo.verify/1",
            subject,
            verdict,
            summary,
            checks: Vec::new(),
            failures: Vec::new(),
            further_failures: 0,
            facts: None,
            not_shown: None,
        }
    }

    fn print(&self) {
        for check in &self.checks {
            let (word, style) = match check.outcome {
                Outcome::Proven => ("proven", GOOD),
                Outcome::Failed => ("FAILED", BAD),
                Outcome::NotReached => ("not reached", DIM),
            };
            let title = check.check.title();
            data!("{style}{word:<11}{style:#}  {title:<24}  {}", check.detail);
        }
        for failure in self.failures.iter().skip(1) {
            data!("{BAD}FAILED{BAD:#}  {failure}");
        }
        if self.further_failures > 0 {
            data!("{BAD}FAILED{BAD:#}  and {} more", self.further_failures);
        }
        let (word, style) = match self.verdict {
            Verdict::Proven => ("proven", GOOD),
            Verdict::Disproved => ("disproved", BAD),
            Verdict::Unchecked => ("could not check", BAD),
        };
        data!("{style}{word}{style:#}: {STRONG}{}{STRONG:#}", self.summary);
        if let Some(note) = &self.not_shown {
            say!("{WARN}not shown{WARN:#}: {note}");
        }
    }
}

fn package(args: &PackageArgs) -> anyhow::Result<Answer> {
    let policy = trust_policy(&args.trust.policy)?;
    let identity = args.identity.as_deref().map(read_identity).transpose()?;
    let mut file = open(&args.file)?;
    let result = match identity {
        Some(identity) => match seal::open(&identity, file) {
            Ok(reader) => verify_package(reader, &policy),
            Err(OpenError::Altered(why)) => {
                let summary = format!("the package does not open: {why}");
                return Ok(Answer::new("package", Verdict::Disproved, summary));
            }
            Err(error) => return Err(error.into()),
        },
        None => {
            let start = file
                .fill_buf()
                .with_context(|| format!("cannot read `{}`", args.file.display()))?;
            if start.starts_with(seal::MAGIC) || start.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----") {
                bail!(
                    "`{}` is encrypted\nhint: give --identity with your age identity, or decrypt it with `age -d` first",
                    args.file.display()
                );
            }
            verify_package(file, &policy)
        }
    };
    Ok(match result {
        Ok(proven) => {
            let facts = proven.facts().clone();
            let reference = facts
                .reference
                .as_deref()
                .map(|r| format!(" for `{r}`"))
                .unwrap_or_default();
            let summary = format!(
                "{} objects, {} bytes{reference}, case {}",
                facts.objects, facts.bytes, facts.case
            );
            let mut answer = Answer::new("package", Verdict::Proven, summary);
            answer.checks = proven.checks().to_vec();
            answer.facts = Some(Facts::Package(Box::new(facts)));
            answer.not_shown = Some(proven.not_shown().to_owned());
            answer
        }
        Err(NotProven::Disproved(disproved)) => {
            let mut answer = Answer::new("package", Verdict::Disproved, disproved.to_string());
            answer.checks = disproved.checks;
            answer.failures = disproved.failures;
            answer.further_failures = disproved.further;
            answer
        }
        Err(NotProven::Unread(error)) => {
            return Err(error).with_context(|| format!("cannot read `{}` to its end", args.file.display()));
        }
    })
}

fn receipt(args: &ReceiptArgs) -> anyhow::Result<Answer> {
    let policy = docket_policy(&args.trust.policy)?;
    let bytes = read(&args.file, translog::proof::RECEIPT_BYTES_MAX as u64)?;
    let disproved = |why: String| Answer::new("receipt", Verdict::Disproved, why);
    let receipt = match Receipt::parse_bytes(&bytes) {
        Ok(receipt) => receipt,
        Err(why) => return Ok(disproved(why.to_string())),
    };
    let opened = match Opened::verify(&receipt, &policy) {
        Ok(opened) => opened,
        Err(why) => return Ok(disproved(why.to_string())),
    };
    let (opening, witnessed) = (opened.opening(), opened.witnessed());
    let digest = casework::ids::Digest(opening.digest);
    if args.digest.is_some_and(|wanted| wanted != digest) {
        return Ok(disproved(format!(
            "the receipt holds, and is for another digest: {digest}"
        )));
    }
    let facts = DocketFacts {
        index: Some(opened.index()),
        kind: Some(opening.kind.clone()),
        digest: Some(digest.to_string()),
        ..DocketFacts::of(witnessed)
    };
    let summary = format!(
        "entry {} of `{}` is a {} with digest {digest}; {}",
        opened.index(),
        facts.origin,
        opening.kind,
        facts.seen()
    );
    let mut answer = Answer::new("receipt", Verdict::Proven, summary);
    answer.facts = Some(Facts::Docket(facts));
    Ok(answer)
}

fn checkpoint(args: &CheckpointArgs) -> anyhow::Result<Answer> {
    let policy = docket_policy(&args.trust.policy)?;
    let bytes = read(&args.file, translog::note::NOTE_BYTES_MAX as u64)?;
    let disproved = |why: String| Answer::new("checkpoint", Verdict::Disproved, why);
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return Ok(disproved("the checkpoint is not text".to_owned()));
    };
    let witnessed = match policy.check_strict(text) {
        Ok(witnessed) => witnessed,
        Err(why) => return Ok(disproved(why.to_string())),
    };
    let facts = DocketFacts::of(&witnessed);
    let summary = format!("`{}` at size {}; {}", facts.origin, facts.size, facts.seen());
    let mut answer = Answer::new("checkpoint", Verdict::Proven, summary);
    answer.facts = Some(Facts::Docket(facts));
    Ok(answer)
}

fn log(args: &LogArgs) -> anyhow::Result<Answer> {
    let policy = docket_policy(&args.trust.policy)?;
    let note = |path: &Path| -> anyhow::Result<String> {
        let bytes = read(path, translog::note::NOTE_BYTES_MAX as u64)?;
        // What is not text cannot be a checkpoint; the audit says so.
        Ok(String::from_utf8(bytes).unwrap_or_default())
    };
    let newest = note(&args.dir.join("checkpoint"))?;
    let earlier = args
        .earlier
        .iter()
        .map(|path| note(path))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let reader = store::docket::LogDirectory::at(&args.dir);
    let audited = match audit(&reader, &policy, &newest, &earlier, |_, _| {}) {
        Ok(audited) => audited,
        Err(AuditError::Tree(error @ (TreeError::Missing(_) | TreeError::Read { .. }))) => {
            return Err(error)
                .with_context(|| format!("cannot read all of the log in `{}`", args.dir.display()));
        }
        Err(error) => {
            let error = anyhow::Error::new(error);
            return Ok(Answer::new("log", Verdict::Disproved, format!("{error:#}")));
        }
    };
    let facts = DocketFacts::of(audited.witnessed());
    let summary = format!(
        "`{}`: {} entries give the signed root, and so do {} earlier checkpoint(s); {}",
        facts.origin,
        facts.size,
        audited.earlier(),
        facts.seen()
    );
    let mut answer = Answer::new("log", Verdict::Proven, summary);
    answer.facts = Some(Facts::Docket(facts));
    Ok(answer)
}

impl DocketFacts {
    fn of(witnessed: &translog::policy::Witnessed) -> Self {
        let checkpoint = witnessed.checkpoint();
        let seconds = i64::try_from(witnessed.witnessed_at()).ok().filter(|s| *s > 0);
        Self {
            origin: checkpoint.origin.clone(),
            size: checkpoint.size,
            root: checkpoint.root.to_string(),
            index: None,
            kind: None,
            digest: None,
            witnesses: witnessed
                .cosigners()
                .iter()
                .map(|(name, _)| name.clone())
                .collect(),
            witnessed_at: seconds.and_then(|s| jiff::Timestamp::from_second(s).ok()),
        }
    }

    fn seen(&self) -> String {
        match self.witnessed_at {
            Some(at) => format!("witnessed by {} on {at}", self.witnesses.join(", ")),
            None => "the policy asks for no witness".to_owned(),
        }
    }
}

fn open(path: &Path) -> anyhow::Result<BufReader<File>> {
    let file = File::open(path).with_context(|| format!("cannot open `{}`", path.display()))?;
    if !file.metadata().is_ok_and(|meta| !meta.is_dir()) {
        bail!(
            "`{}` is a folder\nhint: give the archive itself, not what was unpacked from it",
            path.display()
        );
    }
    Ok(BufReader::with_capacity(64 * 1024, file))
}

/// Reads a file, one byte beyond `max` at most: what is longer fails where it is parsed.
fn read(path: &Path, max: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?
        .take(max + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(bytes)
}

fn read_text(path: &Path) -> anyhow::Result<String> {
    String::from_utf8(read(path, SMALL_FILE_MAX)?)
        .with_context(|| format!("`{}` is not text", path.display()))
}

fn trust_policy(path: &Path) -> anyhow::Result<TrustPolicy> {
    TrustPolicy::parse(&read_text(path)?)
        .with_context(|| format!("`{}` is not a trust policy", path.display()))
}

/// The docket's part of a trust policy, or a bare tlog-policy.
pub(super) fn docket_policy(path: &Path) -> anyhow::Result<Policy> {
    let text = read_text(path)?;
    if text.lines().any(|line| line.trim_start().starts_with("schema")) {
        let policy = TrustPolicy::parse(&text)
            .with_context(|| format!("`{}` is not a trust policy", path.display()))?;
        return Ok(policy.docket().clone());
    }
    Policy::parse(&text)
        .with_context(|| format!("`{}` is neither a trust policy nor a tlog-policy", path.display()))
}

fn read_identity(path: &Path) -> anyhow::Result<Identity> {
    Identity::parse(&read_text(path)?).with_context(|| format!("`{}` holds no identity", path.display()))
}
