//! `amparo key`: signing keys of reviewers and counsel.

use std::{path::PathBuf, process::ExitCode};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::SigningKey;

use crate::voice::{data, say};

/// Make a signing key for a reviewer or counsel, or show the public half of one.
#[derive(Debug, clap::Args)]
#[command(after_help = "The public half goes into the deployment's trust.toml:\n\n  \
    [[reviewer]]\n  id = \"amara\"\n  key = \"<what this command printed>\"\n\n\
    Exit codes: 0 done, 2 it could not be done.")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make a new key file, readable by its owner alone, and print the public half.
    New {
        /// Where; nothing is overwritten.
        path: PathBuf,
    },
    /// Print the public half of a key file.
    Show {
        /// The key file.
        path: PathBuf,
    },
}

/// Runs the verb.
///
/// # Errors
/// When the file cannot be written or read.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let seed = match &args.verb {
        Verb::New { path } => {
            let seed = service::deployment::create_key(path)?;
            say!(
                "wrote `{}`; keep it where only its owner can read it",
                path.display()
            );
            seed
        }
        Verb::Show { path } => service::deployment::read_key(path)?,
    };
    data!(
        "{}",
        STANDARD.encode(SigningKey::from_bytes(&seed).verifying_key().to_bytes())
    );
    Ok(ExitCode::SUCCESS)
}
