//! `amparo demo`: sets up a provider with two regions and three customers, spreads mail over twenty accounts, takes
//! nine demands through, checks everything that came of it, and leaves the server up.

mod calendar;
mod chapters;
mod check;
mod demands;
mod desk_work;
mod mailbox;
mod people;
mod provider;
mod story;

use std::{path::PathBuf, process::ExitCode, time::Instant};

use anyhow::bail;
use store::blobs::Location;

use self::provider::Provider;
use crate::voice::{STRONG, data, say};

/// Set everything up in a new folder and run the main job, on real mail or a mailbox of its own.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  amparo demo\n  amparo demo --mail ./archive.tar.xz --dir ./try --exit\n\n\
    Exit codes: 0 everything was done and verified, 1 something did not verify, 2 it could not be done."
)]
pub struct Args {
    /// Mail to spread over the accounts: mbox, maildir, or a folder or .tar.xz of .eml files. Without it, a small
    /// mailbox is made.
    #[arg(long, value_name = "PATH")]
    mail: Option<PathBuf>,
    /// Keep metadata and case files in this database: `postgres://user@host/database`, empty. Without it, a SQLite file.
    #[arg(long, value_name = "URL", env = "AMPARO_DATABASE_URL", hide_env_values = true)]
    db: Option<String>,
    /// A folder that does not exist yet; all of it may be deleted afterwards.
    #[arg(long, value_name = "DIR", default_value = "amparo-demo")]
    dir: PathBuf,
    /// Where sealed bodies lie instead of the folder: `s3://bucket/prefix`, `gs://`, `az://` or `file:///folder`, with
    /// `?endpoint=URL&region=NAME&credentials=FILE&ca=FILE` as needed.
    #[arg(long, value_name = "URL", value_parser = super::place::store)]
    store: Option<Location>,
    /// Stop after the story instead of leaving the server up.
    #[arg(long)]
    exit: bool,
}

/// Runs the verb.
///
/// # Errors
/// When a step of the story could not be done.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if args.dir.exists() {
        bail!(
            "`{}` exists already\nhint: name a new folder with `--dir`, or delete this one",
            args.dir.display()
        );
    }
    // Not parsed as an argument: what is refused there is printed, a password too.
    let database = args.db.map(|url| url.parse()).transpose()?;
    let started = Instant::now();
    let provider = Provider::set_up(&args.dir, args.mail.as_deref(), args.store.as_ref(), database).await?;
    let handed = chapters::tell(&provider).await?;
    let verified = provider.verify_everything(&handed).await?;
    data!(
        "\n{STRONG}Done in {:.1} s.{STRONG:#} Everything is under {}; the deployment is its folder `data`",
        started.elapsed().as_secs_f64(),
        args.dir.display()
    );
    if !verified {
        return Ok(ExitCode::from(1));
    }
    if args.exit {
        provider.stop().await;
        return Ok(ExitCode::SUCCESS);
    }
    provider.tell_addresses();
    say!("Press Ctrl-C to stop.");
    super::stop::asked().await?;
    provider.stop().await;
    Ok(ExitCode::SUCCESS)
}
