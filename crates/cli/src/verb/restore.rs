//! `amparo restore`: a deployment out of a backup.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use evidence::seal::Identity;
use service::deployment::backup::{
    BodiesAt, Elsewhere, LedgersWalked, RestoreOptions, RowsAt, mark_gate, restore,
};
use store::database::Location;
use zeroize::Zeroizing;

use crate::voice::{STRONG, WARN, data, say};

/// Largest file of an identity read, in bytes.
const IDENTITY_BYTES_MAX: u64 = 64 * 1024;

/// Restore a deployment from a backup into a new folder. Everything is checked first; a damaged backup restores nothing.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The restored gate refuses every release record that was drawn up before: it cannot know which were used since \
    the backup. Draw up new ones.\n\n\
    Examples:\n  amparo restore /mnt/backup --to ./data --identity backup.key --keys /safe/keys\n  \
    amparo restore /mnt/backup --to ./data --identity backup.key --db postgres://amparo@db.example/amparo?sslmode=verify-full\n\n\
    Exit codes: 0 done, 2 it could not be done; nothing is restored then."
)]
pub struct Args {
    /// The backup's folder.
    #[arg(required_unless_present = "mark_gate")]
    backup: Option<PathBuf>,
    /// The new folder.
    #[arg(long, value_name = "DIR", required_unless_present = "mark_gate")]
    to: Option<PathBuf>,
    /// Restore nothing: mark the folder of a gate of its own as restored, after you put an older copy of it back.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["backup", "to"])]
    mark_gate: Option<PathBuf>,
    /// The file with the age identity (`AGE-SECRET-KEY-1...`) that opens it.
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// The manifest's digest as `amparo backup` printed it: nothing else is taken.
    #[arg(long, value_name = "SHA256")]
    digest: Option<String>,
    /// Where metadata and case files go: the `postgres://` URL of an empty database, or `folder` for a SQLite file. As it was
    /// unless told, but for a server, which must be named.
    #[arg(long, value_name = "URL", env = "AMPARO_DATABASE_URL", hide_env_values = true)]
    db: Option<String>,
    /// Where sealed bodies go: a URL as `amparo init --store` takes it, or `folder`. As it was unless told.
    #[arg(long, value_name = "URL", value_parser = bodies)]
    store: Option<BodiesAt>,
    /// The folder in which you keep the keys, where the backup has none: they are copied, but for `database.url`.
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
}

/// Not as `clap` parses: its errors would show a password.
fn rows(text: &str) -> anyhow::Result<RowsAt> {
    if text == "folder" {
        return Ok(RowsAt::Folder);
    }
    match text.parse()? {
        Location::File(_) => bail!("a SQLite file lies in the folder itself; write `folder`"),
        server @ Location::Server(_) => Ok(RowsAt::Server(server)),
    }
}

fn bodies(text: &str) -> anyhow::Result<BodiesAt> {
    if text == "folder" {
        return Ok(BodiesAt::Folder);
    }
    Ok(BodiesAt::Store(super::place::store(text)?))
}

/// Runs the verb.
///
/// # Errors
/// When the backup is damaged, or the folder exists.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if let Some(gate) = &args.mark_gate {
        let walked = mark_gate(gate).await?;
        tell(&walked);
        say!(
            "the gate in `{}` refuses every record drawn up before now",
            gate.display()
        );
        return Ok(ExitCode::SUCCESS);
    }
    let (Some(backup), Some(to)) = (&args.backup, &args.to) else {
        bail!("name the backup and, with `--to`, a new folder");
    };
    let identity = match &args.identity {
        Some(path) => {
            let text = Zeroizing::new(super::bounded::read(path, IDENTITY_BYTES_MAX)?);
            Some(
                Identity::parse(&String::from_utf8_lossy(&text))
                    .with_context(|| format!("`{}`", path.display()))?,
            )
        }
        None => None,
    };
    let options = RestoreOptions {
        identity,
        digest: args.digest,
        to: Elsewhere {
            rows: args.db.as_deref().map(rows).transpose()?,
            bodies: args.store,
            keys: args.keys,
        },
    };
    let restored = restore(backup, to, options).await?;
    data!(
        "{STRONG}restored{STRONG:#} the deployment as of {} into `{}`",
        restored.manifest.made_at,
        to.display()
    );
    data!(
        "{} sealed bodies compared, {} written",
        restored.manifest.blobs,
        restored.copied
    );
    if let Some(rows) = restored.rows {
        data!("{rows} rows written to the database server, read back and found equal");
    }
    match restored.docket {
        Some(size) => data!("docket verified: {size} entries"),
        None => data!("the docket had published nothing"),
    }
    match &restored.ledgers {
        Some(walked) => tell(walked),
        None => say!(
            "{WARN}next:{WARN:#} the access ledgers are in the folder of the gate's own process: put that back, and run \
             `amparo restore --mark-gate` on it"
        ),
    }
    if !restored.keys {
        say!(
            "{WARN}next:{WARN:#} put the files of `keys/` back from where you keep them, but not `database.url`: no backup holds \
             keys unless it was made with `--with-keys`"
        );
    }
    say!("next: `amparo doctor {0}`, then `amparo serve {0}`", to.display());
    Ok(ExitCode::SUCCESS)
}

/// What walking the access ledgers showed.
fn tell(walked: &LedgersWalked) {
    let wrong = u64::try_from(walked.faults.len())
        .unwrap_or(u64::MAX)
        .saturating_add(walked.further);
    data!(
        "access ledgers walked: {} with {} entries, against {} sets of heads in the docket; {wrong} fault(s)",
        walked.ledgers,
        walked.entries,
        walked.sets
    );
    for fault in &walked.faults {
        data!("  {WARN}fault{WARN:#}  {fault}");
    }
    if walked.further > 0 {
        data!("  and {} more", walked.further);
    }
    if wrong > 0 {
        say!("the customers concerned will find this when they check: tell them first");
    }
}
