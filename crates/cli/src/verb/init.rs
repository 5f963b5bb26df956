//! `amparo init`: a new deployment.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use casework::{demand::CountryCode, ids::RegionId, promise::Reviewers};
use service::{
    config::{Config, DatabaseKind, Docket, Listen, Region, Schema, Store},
    deployment::{NewDeployment, NewWitness, create},
};
use store::{
    blobs::Location,
    database::{self, Database},
};
use translog::note::{KeyKind, VerifierKey};

use crate::voice::{WARN, say};

/// Make a new deployment in a folder: configuration, keys, trust policy.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  amparo init ./data --provider 'Example Cloud' --origin cloud.example/docket \\\n    \
    --region eu-de=DE --region us-east=US\n\nExit codes: 0 done, 2 it could not be done."
)]
pub struct Args {
    /// The folder; it must be empty or not exist.
    dir: PathBuf,
    /// Name of the provider, as letters say it.
    #[arg(long)]
    provider: String,
    /// The docket's origin, such as `cloud.example/docket`.
    #[arg(long)]
    origin: String,
    /// A region and the country whose law governs it, such as `eu-de=DE`. Several may be given.
    #[arg(long = "region", value_name = "ID=CC", required = true, value_parser = region)]
    regions: Vec<Region>,
    /// An outside witness: its verifier key and submission prefix. Several may be given; all of them must cosign. With
    /// none, the deployment runs one of its own.
    #[arg(long = "witness", value_name = "VKEY=URL", value_parser = witness)]
    witnesses: Vec<NewWitness>,
    /// Where sealed bodies lie instead of the folder itself: `s3://bucket/prefix`, `gs://`, `az://` or `file:///folder`, with
    /// `?endpoint=URL&region=NAME&credentials=FILE&ca=FILE` as needed. Each region gets a folder of its own in it.
    #[arg(long, value_name = "URL", value_parser = super::place::store)]
    store: Option<Location>,
    /// Where metadata and case files are kept: `postgres://user@host/database`. Without it, a SQLite file in the folder. The
    /// URL goes into `keys/database.url`, not into the configuration.
    #[arg(long, value_name = "URL", env = "AMPARO_DATABASE_URL", hide_env_values = true)]
    db: Option<String>,
    /// Seconds between the docket's batches.
    #[arg(long, default_value_t = 600)]
    interval: u64,
    /// Entries in each batch, filler included.
    #[arg(long, default_value_t = 16)]
    batch: u32,
    /// Where the S3 face listens; loopback until `amparo.toml` gives it TLS.
    #[arg(long, default_value = "127.0.0.1:9000")]
    s3: SocketAddr,
    /// Where the HTTP API listens; loopback until `amparo.toml` gives it TLS.
    #[arg(long, default_value = "127.0.0.1:9001")]
    api: SocketAddr,
}

fn region(text: &str) -> anyhow::Result<Region> {
    let (id, country) = text.split_once('=').context("write it as `eu-de=DE`")?;
    Ok(Region {
        id: RegionId::new(id)?,
        country: CountryCode::new(country)?,
        store: Store::default(),
    })
}

fn witness(text: &str) -> anyhow::Result<NewWitness> {
    // A verifier key may end in base64 padding, so the URL begins at the last scheme, not at the first `=`.
    let at = text
        .rfind("=http")
        .context("write it as `VKEY=https://witness.example/prefix`")?;
    let (key, url) = text.split_at_checked(at).context("write it as `VKEY=URL`")?;
    let key = VerifierKey::parse(key)?;
    if key.kind() != KeyKind::Witness {
        bail!("`{}` is not a witness's key (type 0x04)", key.name());
    }
    let name = key.name().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    Ok(NewWitness {
        name,
        key,
        url: url.trim_start_matches('=').to_owned(),
    })
}

/// Runs the verb.
///
/// # Errors
/// When the folder is not empty or cannot be written, a value cannot stand, or the database cannot be reached or is not
/// empty.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut regions = args.regions;
    for region in &mut regions {
        if let Some(store) = &args.store {
            region.store = Store::At(store.within(region.id.as_str()));
        }
    }
    let config = Config {
        schema: Schema::V1,
        provider: args.provider,
        database: DatabaseKind::File,
        s3: Listen::plain(args.s3),
        api: Listen::plain(args.api),
        docket: Docket {
            origin: args.origin,
            interval_ms: args.interval.saturating_mul(1000),
            batch: args.batch,
            own_witness: args.witnesses.is_empty(),
        },
        gate: None,
        link: None,
        mail: None,
        peers: Vec::new(),
        regions,
        hi1: None,
        hi1_peers: Vec::new(),
        key_providers: Vec::new(),
    };
    let own_witness = config.docket.own_witness;
    let database = match args.db.map(|url| url.parse()).transpose()? {
        Some(database::Location::File(_)) => {
            bail!("a SQLite file lies in the folder itself; leave `--db` out, or name a `postgres://` URL")
        }
        server => server,
    };
    if let Some(server) = &database {
        Database::vacant(server).await?;
    }
    create(
        &args.dir,
        NewDeployment {
            config,
            witnesses: args.witnesses,
            database,
            reviewers: Reviewers::default(),
        },
    )?;
    say!("made a deployment in `{}`", args.dir.display());
    if own_witness {
        say!(
            "{WARN}note:{WARN:#} its only witness is its own, which proves nothing to others; see docs/operating.md"
        );
    }
    say!(
        "next: put two reviewers and counsel into `trust.toml` (`amparo key new`), then `amparo serve {}`",
        args.dir.display()
    );
    Ok(ExitCode::SUCCESS)
}
