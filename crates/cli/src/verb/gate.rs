//! `amparo gate`: the gate in a process of its own, and how a deployment is split into one that has it.

use std::{path::PathBuf, process::ExitCode};

use clap::Subcommand;
use service::{
    deployment::{GateProcess, split},
    link::Address,
};
use store::gate_memory::PolicySeen;

use super::stop;
use crate::voice::{WARN, data, say};

/// Run the gate in a process of its own: it alone holds root keys.
///
/// Its folder holds the root keys, `gate.db`, `trust.toml` and an `amparo.toml` with a `[gate]`; `amparo serve`, under
/// another user and with a folder of its own, has none of the first two.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  amparo gate split --data data --to gate     # moves the root keys and the gate's memory\n  \
    amparo gate --data gate                     # then this, as another user\n  amparo serve data\n\n\
    Stops on Ctrl-C or SIGTERM.\n\nExit codes: 0 stopped as asked or split, 2 it could not be done."
)]
pub struct Args {
    #[command(subcommand)]
    step: Option<Step>,
    /// The gate's folder.
    #[arg(long, env = "AMPARO_GATE_DATA", default_value = "gate", value_name = "DIR")]
    data: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Step {
    /// Make a folder for the gate out of a deployment that is not being served: root keys and the gate's memory move
    /// there, the trust policy is copied.
    Split {
        /// The deployment's folder.
        #[arg(long, env = "AMPARO_DATA", default_value = "data", value_name = "DIR")]
        data: PathBuf,
        /// The gate's new folder.
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        /// Where the gate is to answer.
        #[arg(long, value_name = "unix:PATH", default_value = "unix:gate.sock")]
        at: Address,
        /// Id of a user whose processes may ask. May be given several times; the gate's own user alone unless named.
        #[arg(long = "user", value_name = "UID")]
        users: Vec<u32>,
    },
}

/// Runs the verb.
///
/// # Errors
/// When the folder cannot be used or the address cannot be bound.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if let Some(Step::Split { data, to, at, users }) = args.step {
        let at = match at {
            Address::Unix(path) if path.is_relative() => Address::Unix(std::path::absolute(&to)?.join(path)),
            other => other,
        };
        split(&data, &to, at, users)?;
        say!("the root keys and the gate's memory are in `{}`", to.display());
        say!(
            "files that `[[key_provider]]` names, such as passphrases, are the gate's now: move them there too"
        );
        say!(
            "next: give that folder to a user of its own, then `amparo gate --data {}` and `amparo serve {}`",
            to.display(),
            data.display()
        );
        return Ok(ExitCode::SUCCESS);
    }
    let gate = GateProcess::open(&args.data).await?;
    data!("gate    {}", gate.address());
    if let PolicySeen::New { before } = gate.policy_seen() {
        say!(
            "{WARN}note:{WARN:#} trust.toml is not the one in force before ({before} earlier); the docket will hold that it \
             changed. If you did not change it, stop now"
        );
    }
    gate.serve(async {
        let _ = stop::asked().await;
    })
    .await;
    Ok(ExitCode::SUCCESS)
}
