//! `amparo doctor`: what is wrong, or weaker than it could be, with a deployment.

use std::{os::unix::fs::PermissionsExt as _, path::PathBuf, process::ExitCode, sync::Arc};

use service::{
    config::Config,
    deployment::{Deployment, Layout, open_providers, read_key, root_files},
    gate::Clock,
    tls::{Certificate, TlsFiles},
};
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
    let now = jiff::Timestamp::now();
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
    let roots = config
        .regions
        .iter()
        .flat_map(|region| root_files(&layout, &region.id));
    let roots = roots.filter(|file| !file.sealed).map(|file| file.path);
    match &config.gate {
        None => secrets.extend(roots),
        Some(gate) => {
            for root in roots {
                report.bad(&format!(
                    "`{}` is here although the gate is a process of its own: move it to the gate's folder, and consider it \
                     known to this user",
                    root.display()
                ));
            }
            if let Some(mutual) = &gate.tls {
                report.certificate("gate", &mutual.within(&args.dir).files(), now);
            }
        }
    }
    for path in secrets {
        match read_key(&path) {
            Ok(_) => report.good(&format!("`{}` is a key of its owner's alone", path.display())),
            Err(error) => report.bad(&error.to_string()),
        }
    }
    for (face, at) in [("s3", &config.s3), ("api", &config.api)] {
        match &at.tls {
            None => report.warn(&format!("`{face}` is served without TLS, on loopback only")),
            Some(files) => report.certificate(face, &files.within(&args.dir), now),
        }
    }
    if let Some(link) = &config.link {
        report.certificate("link", &link.tls.within(&args.dir), now);
    }
    if config.gate.is_none() {
        report.warn(
            "root keys are files that the serving process reads: whoever is root here, or takes that process over, can read \
             what they open; `amparo gate split` gives them a process of their own (THREATS.md)",
        );
    }
    if config.gate.is_none() {
        report.providers(&layout, &config).await;
    }
    match Deployment::open(&args.dir).await {
        Err(error) => report.bad(&error.to_string()),
        Ok(deployment) => {
            report.good("databases, blobs and the docket's files open and agree");
            match deployment.remote_gate_answers().await {
                None => {}
                Some(Ok(true)) => report.good("the gate answers, and goes by the same trust.toml"),
                Some(Ok(false)) => report.warn(
                    "the gate goes by another trust.toml than this folder's: approvals may be asked of people whom the gate \
                     does not count",
                ),
                Some(Err(error)) => report.bad(&error.to_string()),
            }
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
    /// Asks each key provider how it is.
    async fn providers(&mut self, layout: &Layout, config: &Config) {
        let clock: Clock = Arc::new(jiff::Timestamp::now);
        let providers = match open_providers(layout, config, &clock).await {
            Ok(providers) => providers,
            Err(error) => return self.bad(&error.to_string()),
        };
        for one in &config.key_providers {
            match providers.health(one.id()).await {
                Err(error) => self.bad(&error.to_string()),
                Ok(health) => {
                    self.good(&format!("key provider `{}` answers: {}", one.id(), health.kind));
                    if let Some(weakness) = health.weakness {
                        self.warn(&format!("key provider `{}`: {weakness}", one.id()));
                    }
                }
            }
        }
    }
    fn certificate(&mut self, face: &str, files: &TlsFiles, now: jiff::Timestamp) {
        match Certificate::of(files) {
            Err(error) => self.bad(&format!("`{face}`: {:#}", anyhow::Error::new(error))),
            Ok(certificate) if certificate.ends_soon(now) => self.warn(&format!(
                "`{face}`: the certificate `{}` ends at {}; renew it (it is taken up without a stop)",
                files.certificate.display(),
                certificate.ends
            )),
            Ok(certificate) => self.good(&format!(
                "`{face}`: the certificate `{}` is good until {}",
                files.certificate.display(),
                certificate.ends
            )),
        }
    }
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
