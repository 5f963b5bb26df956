//! `amparo scrub`: looks for what is missing, altered or nobody's, and opens none of it.

use std::{
    num::NonZeroU64,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use casework::ids::RegionId;
use serde_json::json;
use service::vault::scrub::{Finding, Progress, ScrubOptions, Told};

use super::place::Place;
use crate::voice::{BAD, Format, GOOD, WARN, data, say};

/// Look at every sealed body, and find what is missing, altered, or nobody's. Nothing is decrypted; it may run while the
/// deployment serves.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "With `--format json`, each finding is a line, and the last line the tally (`amparo.scrub/1`).\n\n\
    Exit codes: 0 nothing is wrong, 1 something is, 2 it could not look at everything."
)]
pub struct Args {
    /// One region alone.
    #[arg(long)]
    region: Option<RegionId>,
    /// Delete blobs that no row names and that are over an hour old. `amparo serve` does so by itself every hour.
    #[arg(long)]
    repair_orphans: bool,
    /// Most MiB read from the stores in a second.
    #[arg(long, value_name = "MIB")]
    rate: Option<NonZeroU64>,
    /// A file that keeps how far it came: after a break, it goes on there. Removed at the end.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// How findings are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    place: Place,
}

/// Runs the verb.
///
/// # Errors
/// When a store or the database cannot be read.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let deployment = args.place.open().await?;
    if let Some(region) = &args.region {
        let served: Vec<_> = deployment
            .config()
            .regions
            .iter()
            .map(|it| it.id.to_string())
            .collect();
        if !served.contains(&region.to_string()) {
            bail!(
                "this node serves no region `{region}`\nhint: it serves {}",
                served.join(", ")
            );
        }
    }
    let mut progress = match &args.state {
        Some(path) if path.exists() => {
            let text =
                std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
            serde_json::from_str(&text)
                .with_context(|| format!("`{}` is no state of a scrub", path.display()))?
        }
        _ => Progress::default(),
    };
    let options = ScrubOptions {
        region: args.region,
        bytes_per_second: args.rate.map(|rate| rate.get().saturating_mul(1024 * 1024)),
        repair_orphans: args.repair_orphans,
        orphan_age: None,
    };
    let mut unsaved = None;
    let done = deployment
        .vault()
        .scrub(&options, &mut progress, |told| match told {
            Told::Finding(finding) => print(&finding, args.format),
            Told::Progress(progress) => {
                if let Some(path) = &args.state {
                    unsaved = save(path, progress).err();
                }
            }
        });
    let done = done.await;
    deployment.close().await;
    done?;
    if let Some(error) = unsaved {
        say!("{WARN}note:{WARN:#} how far it came could not be kept: {error:#}");
    }
    if let Some(path) = &args.state {
        let _ = std::fs::remove_file(path);
    }
    let tally = &progress.tally;
    if args.format == Format::Json {
        data!("{}", json!({ "schema": "amparo.scrub/1", "tally": tally }));
    } else {
        data!(
            "{} object(s), {} blob(s), {} byte(s) read: {} finding(s)",
            tally.objects,
            tally.blobs,
            tally.bytes,
            tally.findings
        );
        if tally.deleted > 0 {
            data!("{} orphan(s) deleted", tally.deleted);
        }
        if tally.undigested > 0 {
            data!(
                "{} stored before digests were kept: their length alone was checked",
                tally.undigested
            );
        }
        if tally.elsewhere > 0 {
            data!(
                "{} in regions that this node does not serve: not looked at",
                tally.elsewhere
            );
        }
        if tally.findings == 0 {
            data!("{GOOD}clean{GOOD:#}");
        }
    }
    Ok(if tally.findings == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

fn save(path: &Path, progress: &Progress) -> anyhow::Result<()> {
    let beside = path.with_extension("part");
    std::fs::write(&beside, serde_json::to_vec(progress)?)?;
    Ok(std::fs::rename(beside, path)?)
}

fn print(finding: &Finding, format: Format) {
    if format == Format::Json {
        data!("{}", serde_json::to_string(finding).unwrap_or_default());
        return;
    }
    match finding {
        Finding::Missing {
            region,
            blob,
            object,
            part,
        } => data!("{BAD}missing{BAD:#}  {region}  blob {blob} of object {object}, part {part}"),
        Finding::Altered {
            region,
            blob,
            object,
            part,
            differs,
        } => {
            let place = blob
                .as_ref()
                .map_or("its row".to_owned(), |blob| format!("blob {blob}"));
            data!(
                "{BAD}altered{BAD:#}  {region}  {place} of object {object}, part {part}: its {differs} differs"
            );
        }
        Finding::Torn { region, object } => {
            data!("{BAD}torn{BAD:#}     {region}  object {object}: its parts are not all there");
        }
        Finding::Stray { blob, object } => {
            data!("{BAD}stray{BAD:#}    blob {blob} of object {object}, which is not there");
        }
        Finding::Orphan {
            regions,
            blob,
            deleted,
        } => {
            let done = if *deleted { ": deleted" } else { "" };
            data!("{WARN}orphan{WARN:#}   {regions}  blob {blob}{done}");
        }
    }
}
