//! `amparo doctor`: what is wrong, or weaker than it could be, with a deployment.

use std::{
    io::ErrorKind,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use casework::gate::TrustPolicy;
use jiff::Timestamp;
use service::{
    config::{Config, DatabaseKind, Store},
    deployment::{
        Deployment, Layout, SecretError, StorageNode, open_providers, open_roots, read_key, root_files,
    },
    gate::{Clock, NoAnswer},
};
use store::database::Database;

use self::report::Report;

mod desk;
mod report;

/// Check a deployment's folder, a storage node's, or that of a gate: files, keys, key providers, trust policy, docket.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 nothing is wrong (warnings may stand), 1 something is wrong, 2 it could not be checked."
)]
pub struct Args {
    /// The folder.
    #[arg(default_value = "data")]
    dir: PathBuf,
}

/// What a folder is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// `amparo serve`.
    Desk,
    /// `amparo serve --storage`: no cases and no docket.
    Storage,
    /// `amparo gate`: root keys and the gate's memory.
    Gate,
}

impl Role {
    fn of(layout: &Layout, config: &Config) -> Self {
        let roots = config
            .regions
            .iter()
            .any(|region| !root_files(layout, &region.id).is_empty());
        if config.gate.is_some() && roots && !layout.docket_key().exists() {
            Self::Gate
        } else if config.database == DatabaseKind::Server
            && !layout.case_root().exists()
            && !layout.docket().exists()
        {
            Self::Storage
        } else {
            Self::Desk
        }
    }
}

/// Runs the verb.
///
/// # Errors
/// When the folder is no deployment.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let now = Timestamp::now();
    let layout = Layout::at(&args.dir);
    let config = Config::read(&layout.config())?;
    let role = Role::of(&layout, &config);
    let mut report = Report::default();
    report.good(match role {
        Role::Desk => "configuration reads",
        Role::Storage => "configuration reads; the folder is a storage node's (`amparo serve --storage`)",
        Role::Gate => "configuration reads; the folder is a gate's (`amparo gate`)",
    });
    folders(&args.dir, role, &config, &mut report);
    if role != Role::Gate {
        faces(&args.dir, role, &config, now, &mut report);
    }
    if let Some(mutual) = config.gate.as_ref().and_then(|gate| gate.tls.as_ref()) {
        report.certificate("gate", &mutual.within(&args.dir).files(), now);
    }
    let whole = keys(&layout, role, &config, &mut report);
    if role == Role::Gate || config.gate.is_none() {
        providers(&layout, &config, &mut report).await;
    } else if !config.key_providers.is_empty() {
        report.note(
            "key providers are asked by the gate alone: `amparo doctor` with the gate's folder asks them",
        );
    }
    if !whole {
        report.note("nothing was opened: keys are missing");
        return Ok(code(&report));
    }
    match role {
        Role::Desk => match Deployment::open(&args.dir).await {
            Err(error) => report.failed(&error),
            Ok(deployment) => desk::look(&deployment, &config, &mut report).await?,
        },
        Role::Storage => match StorageNode::open(&args.dir).await {
            Err(error) => report.failed(&error),
            Ok(node) => {
                report.good("the database opens, and the stores are configured");
                gate_answers(node.remote_gate_answers().await, &mut report);
            }
        },
        Role::Gate => gate(&layout, &config, &mut report).await,
    }
    Ok(code(&report))
}

fn code(report: &Report) -> ExitCode {
    if report.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    }
}

fn folders(dir: &Path, role: Role, config: &Config, report: &mut Report) {
    match std::fs::metadata(dir) {
        Ok(meta) if meta.permissions().mode() & 0o077 == 0 => report.good("the folder is its owner's alone"),
        Ok(_) => report.bad(
            "others may look into the folder, where names of objects and the docket's salts lie: `chmod 700` it",
        ),
        Err(error) => report.failed(&error),
    }
    if role != Role::Desk {
        return;
    }
    let layout = Layout::at(dir);
    let on_disk = config
        .regions
        .iter()
        .any(|region| matches!(region.store, Store::Disk));
    let blobs = on_disk.then(|| layout.blobs());
    for folder in [layout.docket(), layout.packages()].into_iter().chain(blobs) {
        if !folder.is_dir() {
            report.bad(&format!(
                "`{}` is missing; every backup has it (`amparo restore`)",
                folder.display()
            ));
        }
    }
}

fn faces(dir: &Path, role: Role, config: &Config, now: Timestamp, report: &mut Report) {
    let api = (role == Role::Desk).then_some(("api", &config.api));
    for (face, at) in [("s3", &config.s3)].into_iter().chain(api) {
        match &at.tls {
            None => report.warn(&format!("`{face}` is served without TLS, on loopback only")),
            Some(files) => report.certificate(face, &files.within(dir), now),
        }
    }
    if let Some(link) = config.link.as_ref().filter(|_| role == Role::Desk) {
        report.certificate("link", &link.tls.within(dir), now);
    }
}

/// Whether every key that the folder needs is there and its owner's alone.
fn keys(layout: &Layout, role: Role, config: &Config, report: &mut Report) -> bool {
    let mut secrets = match role {
        Role::Desk => vec![layout.case_root(), layout.credential_key(), layout.docket_key()],
        Role::Storage => vec![layout.credential_key(), layout.docket_key()],
        Role::Gate => Vec::new(),
    };
    let own_gate = role == Role::Gate || config.gate.is_none();
    let mut whole = true;
    for region in &config.regions {
        let files = root_files(layout, &region.id);
        if own_gate && files.is_empty() {
            whole = false;
            report.bad(&gone(&layout.root_key(&region.id)));
        }
        let plain = files.into_iter().filter(|file| !file.sealed);
        if own_gate {
            secrets.extend(plain.map(|file| file.path));
            continue;
        }
        for file in plain {
            report.bad(&format!(
                "`{}` is here although the gate is a process of its own: move it to the gate's folder, and consider it \
                 known to this user",
                file.path.display()
            ));
        }
    }
    for path in secrets {
        match read_key(&path) {
            Ok(_) => report.good(&format!("`{}` is a key of its owner's alone", path.display())),
            Err(error) => {
                whole = false;
                match error {
                    SecretError::Read { source, .. } if source.kind() == ErrorKind::NotFound => {
                        report.bad(&gone(&path));
                    }
                    other => report.failed(&other),
                }
            }
        }
    }
    if role != Role::Gate && config.gate.is_none() {
        report.warn(
            "root keys are files that the serving process reads: whoever is root here, or takes that process over, can read \
             what they open; `amparo gate split` gives them a process of their own (THREATS.md)",
        );
    }
    whole
}

fn gone(path: &Path) -> String {
    format!(
        "`{}` is missing: put it back from where you keep the keys; a backup holds keys only if it was made with \
         `--with-keys`",
        path.display()
    )
}

/// Asks each key provider how it is.
async fn providers(layout: &Layout, config: &Config, report: &mut Report) {
    let clock: Clock = Arc::new(Timestamp::now);
    if config.key_providers.is_empty() {
        report.note("no key provider is configured: nobody holds a key beside the regions' roots");
        return;
    }
    let providers = match open_providers(layout, config, &clock).await {
        Ok(providers) => providers,
        Err(error) => return report.failed(&error),
    };
    for one in &config.key_providers {
        match providers.health(one.id()).await {
            Err(error) => report.failed(&error),
            Ok(health) => {
                report.good(&format!("key provider `{}` answers: {}", one.id(), health.kind));
                if let Some(weakness) = health.weakness {
                    report.warn(&format!("key provider `{}`: {weakness}", one.id()));
                }
            }
        }
    }
}

/// What the gate in a process of its own said; nothing where there is none.
fn gate_answers(said: Option<Result<bool, NoAnswer>>, report: &mut Report) {
    match said {
        None => {}
        Some(Ok(true)) => report.good("the gate answers, and goes by the same trust.toml"),
        Some(Ok(false)) => report.warn(
            "the gate goes by another trust.toml than this folder's: approvals may be asked of people whom the gate \
             does not count",
        ),
        Some(Err(error)) => report.failed(&error),
    }
}

/// A gate's own folder. It may be running meanwhile; whether it answers is for those to say who ask it.
async fn gate(layout: &Layout, config: &Config, report: &mut Report) {
    let clock: Clock = Arc::new(Timestamp::now);
    match open_roots(layout, config, &clock).await {
        Ok(_) => report.good("the root of every region opens"),
        Err(error) => report.failed(&error),
    }
    let policy = std::fs::read_to_string(layout.trust());
    match policy.map(|text| TrustPolicy::parse(&text)) {
        Ok(Ok(_)) => report.good("trust.toml reads"),
        Ok(Err(error)) => report.failed(&error),
        Err(error) => report.bad(&format!("cannot read `{}`: {error}", layout.trust().display())),
    }
    if !layout.gate_memory().is_file() {
        return report.warn(
            "`gate.db` is missing: a gate that never ran has none. If it ran, put its memory back and mark it \
             (`amparo restore --mark-gate`), or records can be used twice",
        );
    }
    match Database::open(&layout.gate_memory()).await {
        Ok(memory) => {
            report.good("the gate's memory opens");
            memory.close().await;
        }
        Err(error) => report.failed(&error),
    }
    report.note("whether it answers, `amparo doctor` says in the folder of a server that asks it");
}
