//! `amparo serve`: the S3 face, the HTTP API with the docket's files, the docket's sequencer, and what falls due.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use service::deployment::{Deployment, StorageNode};
use store::gate_memory::PolicySeen;

use super::{place, stop};
use crate::voice::{WARN, data, say};

/// Serve a deployment: S3, the HTTP API, the docket.
#[derive(Debug, clap::Args)]
#[command(after_help = "Stops on Ctrl-C or SIGTERM, after the requests under way.\n\n\
    Exit codes: 0 stopped as asked, 2 it could not start.")]
pub struct Args {
    /// The deployment's folder, made by `amparo init`.
    #[arg(default_value = "data")]
    dir: PathBuf,
    /// Serve S3 alone: one of several nodes on one database server and one object store. The desk and the docket are another
    /// node's.
    #[arg(long)]
    storage: bool,
}

/// Runs the verb.
///
/// # Errors
/// When the deployment cannot be opened or an address cannot be bound.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if args.storage {
        return store_only(&args.dir).await;
    }
    let deployment = place::open(&args.dir).await?;
    let running = deployment.start().await?;
    let (s3, api) = (deployment.config().s3.scheme(), deployment.config().api.scheme());
    data!("s3      {s3}://{}", running.s3());
    data!("api     {api}://{}", running.api());
    if let Some(link) = running.link() {
        data!("link    {link}");
    }
    if let Some(hi1) = running.hi1() {
        data!("hi1     https://{hi1}");
    }
    data!("docket  {api}://{}/docket/checkpoint", running.api());
    mail(&deployment).await;
    if let PolicySeen::New { before } = deployment.policy_seen() {
        say!(
            "{WARN}note:{WARN:#} trust.toml is not the one in force before ({before} earlier); the docket will hold that it \
             changed. If you did not change it, stop now"
        );
    }
    if deployment.config().docket.own_witness {
        say!(
            "{WARN}note:{WARN:#} the only witness is this deployment's own; `amparo doctor` says why that matters"
        );
    }
    stop::asked().await?;
    say!("stopping");
    running.stop().await;
    deployment.close().await;
    Ok(ExitCode::SUCCESS)
}

/// By which ways mail comes in, and whether its senders are checked as the configuration says.
async fn mail(deployment: &Deployment) {
    let Some(mail) = &deployment.config().mail else {
        return;
    };
    if let Some(lmtp) = &mail.lmtp {
        data!("mail    lmtp {lmtp}");
    }
    if let Some(folder) = &mail.maildir {
        data!("mail    maildir {}", folder.display());
    }
    if mail.check_senders
        && let Err(error) = deployment.postmarks().trial().await
    {
        say!("{WARN}note:{WARN:#} `mail.check_senders` is set, but {error}; senders stay unchecked here");
    }
}

async fn store_only(dir: &Path) -> anyhow::Result<ExitCode> {
    let node = StorageNode::open(dir).await?;
    let running = node.start().await?;
    data!("s3      {}://{}", node.config().s3.scheme(), running.s3());
    stop::asked().await?;
    say!("stopping");
    running.stop().await;
    node.close().await;
    Ok(ExitCode::SUCCESS)
}
