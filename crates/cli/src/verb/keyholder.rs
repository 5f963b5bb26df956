//! `amparo keyholder`: the customer's own key service, on the customer's own machine.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context as _;
use clap::Subcommand;
use jiff::Timestamp;
use service::{
    keys::keyholder::{KeyholderConfig, Server, create, decisions::Decisions, ending, ledger, router},
    listener::Door,
    tls::{Audience, TlsFiles, TlsServer},
};

use crate::voice::{BAD, GOOD, WARN, data, say};

/// Hold the key beneath which a provider keeps your keys: each time it wants one it asks here, and says why.
///
/// The allow-list in the configuration decides. An empty list denies everything. Each request is shown, and written into a
/// log of its own before it is answered. Stopped, nothing new of yours opens.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  amparo keyholder new holder/ --gate 'GATE-PUBLIC-KEY'
  amparo keyholder serve --config holder/keyholder.toml
  amparo keyholder pending --config holder/keyholder.toml
  amparo keyholder allow 1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d --config holder/keyholder.toml

Exit codes: 0 done, 1 the log does not hold, 2 it could not be done.")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Args)]
struct At {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "keyholder.toml")]
    config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a folder with keys, and a configuration that allows nothing yet.
    New {
        /// The folder; nothing is overwritten.
        folder: PathBuf,
        /// The public key of the provider's gate, as `amparo key gate` prints it there.
        #[arg(long, value_name = "KEY")]
        gate: String,
    },
    /// Answer requests until it is stopped. Prints the public key that the provider's configuration names.
    Serve(At),
    /// List what waits for a person's decision.
    Pending(At),
    /// Say yes to what waits. It holds for a day.
    Allow {
        /// Its id.
        id: String,
        #[command(flatten)]
        at: At,
    },
    /// Say no to what waits.
    Deny {
        /// Its id.
        id: String,
        #[command(flatten)]
        at: At,
    },
    /// Check the log from its first line, and print it.
    Log(At),
    /// Destroy the keys that wrap, for good: nothing that a provider keeps under them opens again, for nobody. Stop the
    /// keyholder first, and destroy your copies of the keys too.
    Destroy {
        /// This keyholder's public key, as `serve` prints it.
        #[arg(long, value_name = "KEY")]
        confirm: String,
        /// Where the receipt goes, which the keyholder signs, for the provider; nothing is overwritten.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        at: At,
    },
}

/// Runs the verb.
///
/// # Errors
/// When a file or the address cannot be used.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.verb {
        Verb::New { folder, gate } => {
            create(&folder, &gate)?;
            say!(
                "made `{0}`; write rules into `{0}/keyholder.toml`, for it allows nothing yet",
                folder.display()
            );
            say!(
                "keep a copy of `wrap.key` where only you reach it: without it nothing under it opens again"
            );
        }
        Verb::Serve(at) => serve(&at.config).await?,
        Verb::Pending(at) => {
            for one in decisions(&at.config)?.waiting()? {
                let tenant = one.place.tenant.as_deref().unwrap_or("-");
                data!(
                    "{}\t{}\t{}\t{tenant}\t{}",
                    one.id,
                    one.since,
                    one.place.region,
                    one.reason
                );
            }
        }
        Verb::Allow { id, at } => decide(&at.config, &id, true)?,
        Verb::Deny { id, at } => decide(&at.config, &id, false)?,
        Verb::Log(at) => return log(&at.config),
        Verb::Destroy { confirm, out, at } => {
            let mut file = std::fs::File::create_new(&out)
                .with_context(|| format!("cannot make `{}`", out.display()))?;
            match ending::destroy(&at.config, &confirm, Timestamp::now()) {
                Ok(receipt) => {
                    use std::io::Write as _;
                    file.write_all(&receipt).and_then(|()| file.sync_all())?;
                }
                Err(error) => {
                    let _ = std::fs::remove_file(&out);
                    return Err(error.into());
                }
            }
            say!(
                "the keys that wrap are destroyed; give the provider `{}`",
                out.display()
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn serve(path: &Path) -> anyhow::Result<()> {
    let config = KeyholderConfig::read(path)?;
    let server = Server::open(path, Arc::new(Timestamp::now), show)?;
    let listener = tokio::net::TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on `{}`", config.listen))?;
    let address = listener
        .local_addr()
        .context("cannot read the address listened on")?;
    if config.allow.is_empty() {
        say!("{WARN}note:{WARN:#} the allow-list is empty: everything is denied");
    }
    let open = |files: &TlsFiles| TlsServer::open(Audience::Public(files.clone()));
    let tls = config.tls.as_ref().map(open).transpose()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    data!("keyholder {} {scheme}://{address}", server.public());
    let door = Door { listener, tls };
    let stop = async {
        let _ = super::stop::asked().await;
    };
    service::keys::keyholder::serve(door, router(Arc::new(server)), stop).await;
    Ok(())
}

fn show(entry: &ledger::Entry) {
    let colour = if entry.outcome == "given" { GOOD } else { BAD };
    let tenant = entry.place.tenant.as_deref().unwrap_or("-");
    say!(
        "{} {colour}{}{colour:#}  {} of `{tenant}` in `{}`: {}",
        entry.at,
        entry.outcome,
        serde_json::to_string(&entry.ask)
            .unwrap_or_default()
            .trim_matches('"'),
        entry.place.region,
        entry.reason
    );
}

fn decisions(config: &Path) -> anyhow::Result<Decisions> {
    Ok(Decisions::at(&KeyholderConfig::read(config)?.decisions))
}

fn decide(config: &Path, id: &str, yes: bool) -> anyhow::Result<()> {
    let decided = decisions(config)?.decide(id, yes, Timestamp::now())?;
    let said = if yes {
        "allowed for a day"
    } else {
        "denied for a day"
    };
    say!("{said}: {}", decided.reason);
    Ok(())
}

fn log(config: &Path) -> anyhow::Result<ExitCode> {
    let path = KeyholderConfig::read(config)?.log;
    let checked = ledger::check(&path, |entry| {
        data!("{}", serde_json::to_string(entry).unwrap_or_default());
    });
    match checked {
        Ok(head) => {
            say!("{} line(s) hold", head.lines);
            Ok(ExitCode::SUCCESS)
        }
        Err(error @ ledger::LedgerError::Broken { .. }) => {
            say!("{BAD}{error}{BAD:#}");
            Ok(ExitCode::from(1))
        }
        Err(error) => Err(error.into()),
    }
}
