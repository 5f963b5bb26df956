//! `amparo doctor`: what is wrong, or weaker than it could be, with a deployment.

use std::{os::unix::fs::PermissionsExt as _, path::PathBuf, process::ExitCode};

use service::deployment::{Deployment, Layout, read_key};
use store::gate_memory::PolicySeen;

use crate::voice::{BAD, GOOD, WARN, data};

/// Check a deployment: files, keys, trust policy, docket.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 nothing is wrong (warnings may stand), 1 something is wrong, 2 it could not be checked."
)]
pub struct Args {
    /// The deployment's folder.
    #[arg(default_value = "data")]
    dir: PathBuf,
}

/// Runs the verb.
///
/// # Errors
/// When the folder is no deployment.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let layout = Layout::at(&args.dir);
    let config = service::config::Config::read(&layout.config())?;
    let mut report = Report::default();
    report.good("configuration reads");

    match std::fs::metadata(&args.dir) {
        Ok(meta) if meta.permissions().mode() & 0o077 == 0 => report.good("the folder is its owner's alone"),
        Ok(_) => report.bad("others may look into the folder, where names of objects and the docket's salts lie: `chmod 700` it"),
        Err(error) => report.bad(&error.to_string()),
    }
    for folder in [layout.blobs(), layout.docket(), layout.packages()] {
        if !folder.is_dir() {
            report.bad(&format!(
                "`{}` is missing; restore it from the backup",
                folder.display()
            ));
        }
    }

    let mut secrets = vec![layout.case_root(), layout.credential_key(), layout.docket_key()];
    secrets.extend(config.regions.iter().map(|region| layout.root_key(&region.id)));
    for path in secrets {
        match read_key(&path) {
            Ok(_) => report.good(&format!("`{}` is a key of its owner's alone", path.display())),
            Err(error) => report.bad(&error.to_string()),
        }
    }
    report.warn(
        "root keys are files on this machine: whoever is root here can read what they open (THREATS.md)",
    );
    match Deployment::open(&args.dir).await {
        Err(error) => report.bad(&error.to_string()),
        Ok(deployment) => {
            report.good("databases, blobs and the docket's files open and agree");
            let (cases, wrong) = deployment.desk().check_all().await?;
            if wrong.is_empty() {
                report.good(&format!(
                    "{cases} case(s): each chain holds, and goes on from what the gate remembers"
                ));
            }
            for (_, error) in wrong {
                report.bad(&error.to_string());
            }
            if let PolicySeen::New { before } = deployment.policy_seen() {
                report.warn(&format!(
                    "trust.toml is not the one in force before ({before} earlier): whoever writes it decides who reviews and \
                     who witnesses"
                ));
            }
            let trust = deployment.trust();
            if trust.reviewers().keys.len() < 2 {
                report.warn("trust.toml names fewer than two reviewers: nothing can be released");
            }
            if trust.reviewers().senior.is_empty() {
                report.warn(
                    "trust.toml names no senior reviewer: what the rulebook wants a senior to sign is stuck",
                );
            }
            if trust.reviewers().counsel.is_empty() {
                report.warn("trust.toml names no counsel: no ground can be answered by a signed reason");
            }
            if !trust
                .rulebooks()
                .contains(&casework::rulebook::Rulebook::builtin().digest())
            {
                report.bad("trust.toml does not list this program's rulebook; add its digest (`amparo rulebook list`)");
            }
            if config.docket.own_witness {
                report.warn(
                    "the docket's only witness is your own: it keeps the log whole across a crash or a restored backup, \
                     and proves nothing to others; name one run by somebody else in trust.toml",
                );
            }
        }
    }
    Ok(if report.wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

#[derive(Default)]
struct Report {
    wrong: u32,
}

impl Report {
    fn good(&mut self, text: &str) {
        data!("{GOOD}ok{GOOD:#}       {text}");
    }
    fn warn(&mut self, text: &str) {
        data!("{WARN}warning{WARN:#}  {text}");
    }
    fn bad(&mut self, text: &str) {
        self.wrong += 1;
        data!("{BAD}wrong{BAD:#}    {text}");
    }
}
