//! The verbs, one file each.

use std::{io::IsTerminal as _, process::ExitCode};

use clap::{Parser, Subcommand};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{FilterExt as _, filter_fn},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

mod account;
mod assess;
mod backup;
mod bounded;
mod bucket;
mod case;
mod completions;
mod demand;
mod demo;
mod doctor;
mod gag;
mod gate;
mod import;
mod init;
mod key;
mod keyholder;
mod ledger;
mod mail;
mod place;
mod requester;
mod restore;
mod rulebook;
mod scrub;
mod serve;
mod staff;
mod stop;
mod tenant;
mod transfer;
mod verify;
mod witness;

/// Holds other people's data, and hands it over only where every promise made to them was kept.
#[derive(Debug, Parser)]
#[command(
    name = "amparo",
    version,
    propagate_version = true,
    disable_help_subcommand = true
)]
pub struct Program {
    /// What is logged to standard error, such as `info` or `service=debug`.
    #[arg(
        long = "log-filter",
        global = true,
        env = "AMPARO_LOG",
        default_value = "warn,sqlx=error",
        value_name = "FILTER"
    )]
    log: String,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Demo(demo::Args),
    /// Judge a demand against the rulebook alone; no deployment needed.
    Assess(assess::Args),
    /// Check, list and explain the rules.
    Rulebook(rulebook::Args),
    /// Check what somebody hands you: packages, receipts, logs; and what you hand out: redactions.
    Verify(verify::Args),
    Init(init::Args),
    Serve(serve::Args),
    Gate(gate::Args),
    Witness(witness::Args),
    Doctor(doctor::Args),
    Scrub(scrub::Args),
    Backup(backup::Args),
    Restore(restore::Args),
    Key(key::Args),
    Keyholder(keyholder::Args),
    Ledger(ledger::Args),
    Tenant(tenant::Args),
    Bucket(bucket::Args),
    Account(account::Args),
    Staff(staff::Args),
    /// Bring what a customer already has into the vault.
    Import(import::Args),
    Demand(demand::Args),
    Case(case::Args),
    Gag(gag::Args),
    Mail(mail::Args),
    Requester(requester::Args),
    Transfer(transfer::Args),
    Completions(completions::Args),
}

impl Program {
    /// Starts logging. A filter that cannot be read falls back to warnings.
    pub fn start_log(&self) {
        let asked = EnvFilter::try_new(&self.log).unwrap_or_else(|_| EnvFilter::new("warn"));
        // The S3 library logs headers and bodies of requests. No directive turns that on: a more specific one would.
        let silent = filter_fn(|meta| !meta.target().starts_with(service::s3::SILENT_TARGET));
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal());
        let _ = tracing_subscriber::registry()
            .with(lines.with_filter(asked.and(silent)))
            .try_init();
    }

    /// Runs the verb.
    ///
    /// # Errors
    /// When it could not be done; a plain "no" is an exit code, not an error.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self.verb {
            Verb::Demo(args) => demo::run(args).await,
            Verb::Assess(args) => assess::run(&args),
            Verb::Rulebook(args) => rulebook::run(&args),
            Verb::Verify(args) => verify::run(&args).await,
            Verb::Init(args) => init::run(args).await,
            Verb::Serve(args) => serve::run(args).await,
            Verb::Gate(args) => gate::run(args).await,
            Verb::Witness(args) => witness::run(args).await,
            Verb::Doctor(args) => doctor::run(args).await,
            Verb::Scrub(args) => scrub::run(args).await,
            Verb::Backup(args) => backup::run(args).await,
            Verb::Restore(args) => restore::run(args).await,
            Verb::Key(args) => key::run(args).await,
            Verb::Keyholder(args) => keyholder::run(args).await,
            Verb::Ledger(args) => ledger::run(args).await,
            Verb::Tenant(args) => tenant::run(args).await,
            Verb::Bucket(args) => bucket::run(args).await,
            Verb::Account(args) => account::run(args).await,
            Verb::Staff(args) => staff::run(args).await,
            Verb::Import(args) => import::run(&args).await,
            Verb::Demand(args) => demand::run(args).await,
            Verb::Case(args) => case::run(args).await,
            Verb::Gag(args) => gag::run(args).await,
            Verb::Mail(args) => mail::run(args).await,
            Verb::Requester(args) => requester::run(args).await,
            Verb::Transfer(args) => transfer::run(args).await,
            Verb::Completions(args) => completions::run(&args),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn every_argument_has_a_name_of_its_own() {
        super::Program::command().debug_assert();
    }
}
