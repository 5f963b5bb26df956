//! `amparo completions`: generated from the arguments themselves, so that they cannot drift.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::CommandFactory as _;

/// Print shell completions, or write the man pages.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  amparo completions bash > /etc/bash_completion.d/amparo\n  amparo completions --man ./man"
)]
pub struct Args {
    /// The shell.
    #[arg(required_unless_present = "man")]
    shell: Option<clap_complete::Shell>,
    /// Write man pages to this folder instead.
    #[arg(long, value_name = "DIR", conflicts_with = "shell")]
    man: Option<PathBuf>,
}

/// Runs the verb.
///
/// # Errors
/// When the folder cannot be written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut command = super::Program::command();
    if let Some(dir) = &args.man {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
        clap_mangen::generate_to(command, dir)
            .with_context(|| format!("cannot write to `{}`", dir.display()))?;
    } else if let Some(shell) = args.shell {
        clap_complete::generate(shell, &mut command, "amparo", &mut std::io::stdout());
    }
    Ok(ExitCode::SUCCESS)
}
