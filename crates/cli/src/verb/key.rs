//! `amparo key`: signing keys of people, the gate's public key, and the roots: sealed, rotated.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::{Context as _, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use casework::ids::{ProviderId, RegionId};
use ed25519_dalek::SigningKey;
use jiff::Timestamp;
use service::{
    config::Config,
    deployment::{Layout, gate_key, open_providers, read_secret, root_files, seal_root},
    gate::Clock,
    keys::{pkcs11, sealed_file},
};

use store::docket::EntryId;

use super::place::{Place, key_provider};
use crate::voice::{data, say};

mod destroy;
mod rotate;

use destroy::Destroy;
use rotate::Rotate;

/// Make and show keys, have others hold them, and replace them.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The public half of a reviewer's key goes into the deployment's trust.toml:\n\n  \
    [[reviewer]]\n  id = \"amara\"\n  key = \"<what `amparo key new` printed>\"\n\n\
    Exit codes: 0 done, 2 it could not be done."
)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    place: Place,
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
    /// Print the public key under which the gate signs what it asks customers' keyholders; made when it is not there.
    Gate,
    /// Make a key file sealed by a passphrase, for a key provider of kind `file`.
    NewSealed {
        /// Where; nothing is overwritten.
        path: PathBuf,
        /// A file of its owner's alone with the passphrase.
        #[arg(long, value_name = "FILE")]
        passphrase: PathBuf,
    },
    /// Make a key in a hardware module, which cannot be taken out, for a key provider of kind `pkcs11`.
    NewInToken {
        /// The module, such as /usr/lib/softhsm/libsofthsm2.so.
        #[arg(long, value_name = "FILE")]
        module: PathBuf,
        /// The token's label.
        #[arg(long)]
        token: String,
        /// The new key's label.
        #[arg(long)]
        key: String,
        /// A file of its owner's alone with the user's PIN.
        #[arg(long, value_name = "FILE")]
        pin: PathBuf,
    },
    /// Have a region's root sealed by a key provider of the configuration. The gate then needs the provider to start.
    Seal {
        /// The region.
        region: RegionId,
        /// The provider.
        #[arg(long = "with", value_name = "PROVIDER")]
        provider: ProviderId,
    },
    /// Replace a key, and move what is under it. No object is rewritten, everything opens meanwhile, and what was stopped goes
    /// on when it is run again.
    Rotate(Rotate),
    /// Destroy a key provider's key for good, by the provider's own means: AWS KMS after its waiting time, a hardware module or
    /// a Transit engine at once. Refused while any customer's key or region's root is wrapped under it.
    Destroy(Destroy),
    /// The proof that the docket holds the statement about a destruction, as a tlog-proof file.
    Receipt {
        /// The entry, as `account destroy`, `tenant destroy` or `key destroy` said.
        entry: i64,
        /// Where it goes.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// Runs the verb.
///
/// # Errors
/// When a file cannot be written or read, or a provider refuses.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.verb {
        Verb::New { path } => {
            let seed = service::deployment::create_key(&path)?;
            say!(
                "wrote `{}`; keep it where only its owner can read it",
                path.display()
            );
            print_public(&SigningKey::from_bytes(&seed));
        }
        Verb::Show { path } => {
            print_public(&SigningKey::from_bytes(&*service::deployment::read_key(&path)?));
        }
        Verb::Gate => {
            let layout = Layout::at(args.place.dir());
            let config = Config::read(&layout.config())?;
            print_public(&gate_key(&layout, &config)?);
        }
        Verb::NewSealed { path, passphrase } => {
            let passphrase = text(&passphrase)?;
            if passphrase.chars().count() < sealed_file::PASSPHRASE_CHARS_MIN {
                bail!(
                    "a passphrase has at least {} characters",
                    sealed_file::PASSPHRASE_CHARS_MIN
                );
            }
            sealed_file::create(&path, &passphrase)?;
            say!(
                "wrote `{}`; without its passphrase nothing under it opens",
                path.display()
            );
        }
        Verb::NewInToken {
            module,
            token,
            key,
            pin,
        } => {
            let at = pkcs11::Token { module, token, key };
            pkcs11::generate(&at, &text(&pin)?)?;
            say!("made key `{}` in token `{}`", at.key, at.token);
        }
        Verb::Seal { region, provider } => {
            seal(&region, &provider, &Layout::at(args.place.dir())).await?;
        }
        Verb::Rotate(what) => return rotate::run(what, &args.place).await,
        Verb::Destroy(what) => return destroy::run(what, &args.place).await,
        Verb::Receipt { entry, out } => {
            let deployment = args.place.open().await?;
            let issued = deployment.docket().receipt(EntryId(entry)).await?;
            let Some(issued) = issued else {
                say!("not published yet; only a running `amparo serve` makes the docket's batches");
                return Ok(ExitCode::from(1));
            };
            std::fs::write(&out, issued.receipt.to_string())
                .with_context(|| format!("cannot write `{}`", out.display()))?;
            say!(
                "check it with `amparo verify receipt {} --policy trust.toml --digest ...`",
                out.display()
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn seal(region: &RegionId, provider: &ProviderId, layout: &Layout) -> anyhow::Result<()> {
    let config = Config::read(&layout.config())?;
    key_provider(&config, provider)?;
    let clock: Clock = Arc::new(Timestamp::now);
    let providers = open_providers(layout, &config, &clock).await?;
    let files = root_files(layout, region);
    if files.is_empty() {
        bail!(
            "there is no root of region `{region}` in `{}`",
            layout.keys().display()
        );
    }
    for file in files {
        let path = seal_root(region, &file, &providers, provider).await?;
        say!("sealed: `{}`", path.display());
    }
    say!(
        "what a disk or a backup kept of the plain file is still the root: consider `amparo key rotate --level root`"
    );
    Ok(())
}

fn text(path: &std::path::Path) -> anyhow::Result<zeroize::Zeroizing<String>> {
    let bytes = read_secret(path)?;
    let text = std::str::from_utf8(&bytes).with_context(|| format!("`{}` is not text", path.display()))?;
    Ok(zeroize::Zeroizing::new(
        text.trim_end_matches(['\r', '\n']).to_owned(),
    ))
}

fn print_public(key: &SigningKey) {
    data!("{}", STANDARD.encode(key.verifying_key().to_bytes()));
}
