//! `amparo demand`: handing a demand in.

use std::{path::PathBuf, process::ExitCode};

use casework::event::Channel;
use clap::{Subcommand, ValueEnum};
use serde_json::json;
use service::app::DEMAND_BYTES_MAX;

use super::{
    bounded,
    case::{Where, enrolled},
};
use crate::voice::{Format, STRONG, data, say};

/// Hand in a demand.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: Where,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Keep a demand's bytes exactly as they arrived and open its case. The same bytes twice are one case.
    #[command(
        after_help = "Exit codes: 0 a case was opened or known, 2 it could not be done.\n\nExamples:\n  amparo demand submit warrant.json --channel paper --as ines\n  amparo demand submit scan.pdf --channel email --as ines --format json"
    )]
    Submit {
        /// The document; anything at all up to 32 MiB. One that is no demand is kept for a person to enter.
        file: PathBuf,
        /// How it arrived.
        #[arg(long, value_enum, default_value_t = Road::CommandLine)]
        channel: Road,
        /// Who enters it, by staff id: never one of its reviewers (P7).
        #[arg(long = "as", value_name = "STAFF")]
        who: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Road {
    Portal,
    Api,
    Email,
    Hi1,
    CommandLine,
    Paper,
}

impl From<Road> for Channel {
    fn from(road: Road) -> Self {
        match road {
            Road::Portal => Self::Portal,
            Road::Api => Self::Api,
            Road::Email => Self::Email,
            Road::Hi1 => Self::Hi1,
            Road::CommandLine => Self::CommandLine,
            Road::Paper => Self::Paper,
        }
    }
}

/// Runs the verb.
///
/// # Errors
/// When the file cannot be read or the case cannot be opened.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Verb::Submit { file, channel, who } = args.verb;
    let bytes = bounded::read(&file, u64::try_from(DEMAND_BYTES_MAX)?)?;
    let desk = args.place.desk().await?;
    let who = Some(enrolled(&desk, &who).await?.id);
    let intake = desk.intake(&bytes, channel.into(), who).await?;
    let view = desk.case(intake.case).await?;
    if args.place.format == Format::Json {
        data!(
            "{}",
            json!({
                "schema": "amparo.cli.submitted/1", "case": intake.case, "duplicate": intake.duplicate,
                "bytes": intake.bytes, "header": intake.header, "receipt": intake.receipt, "stage": view.stage,
            })
        );
        return Ok(ExitCode::SUCCESS);
    }
    data!("{}", intake.case);
    let known = if intake.duplicate {
        "known already, as"
    } else {
        "opened"
    };
    say!("case {known} {STRONG}{}{STRONG:#}: {}", intake.case, view.stage);
    say!("bytes   {}", intake.bytes);
    say!(
        "receipt {} (amparo case letter {} {})",
        intake.receipt,
        intake.case,
        intake.receipt
    );
    Ok(ExitCode::SUCCESS)
}
