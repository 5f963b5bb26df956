//! `amparo gag`: the ledger of prohibitions of notice.

use std::process::ExitCode;

use anyhow::Context as _;
use casework::ids::CaseId;
use clap::Subcommand;
use serde_json::json;
use service::app::{GagLine, GagState};
use store::cases::{CaseFilter, PAGE_MAX};

use super::case::{Where, case_id};
use crate::voice::{DIM, Format, GOOD, STRONG, WARN, data, say};

/// Who forbids telling whom, until when, and what was done about it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A gag is numbered by the event that brought it. What an instrument's own law imposes has no number.
Record a further gag or a renewal with `amparo case record`: each is an order of its own, named by its SHA-256.

Examples:
  amparo gag list
  amparo gag list --case 0197...
  amparo gag show 0197... 14

Exit codes: 0 done, 2 it could not be done.")]
pub struct Args {
    #[command(flatten)]
    place: Where,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List gags, newest case first; of open cases unless told otherwise.
    List {
        /// Only this case's.
        #[arg(long, value_parser = case_id, conflicts_with = "all")]
        case: Option<CaseId>,
        /// Of closed cases too.
        #[arg(long)]
        all: bool,
    },
    /// Show one gag whole.
    Show {
        /// The case.
        #[arg(value_parser = case_id)]
        case: CaseId,
        /// Its number; left out, the silence that the instrument's own law imposes.
        number: Option<u64>,
    },
}

/// Runs the verb.
///
/// # Errors
/// When the deployment or a case cannot be read.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let desk = args.place.desk().await?;
    match args.verb {
        Verb::List { case: Some(case), .. } => list(&desk.gags(case).await?, args.place.format),
        Verb::List { case: None, all } => {
            let mut filter = CaseFilter {
                open: (!all).then_some(true),
                told: None,
                before: None,
                limit: PAGE_MAX,
            };
            let mut gags = Vec::new();
            loop {
                let (page, next) = desk.gag_page(&filter).await?;
                gags.extend(page);
                if next.is_none() {
                    break;
                }
                filter.before = next;
            }
            list(&gags, args.place.format);
        }
        Verb::Show { case, number } => {
            let gags = desk.gags(case).await?;
            let gag = gags.iter().find(|gag| gag.number == number);
            let gag =
                gag.context("the case has no such gag; `amparo gag list --case` shows those that it has")?;
            show(gag, args.place.format)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(gags: &[GagLine], format: Format) {
    if format == Format::Json {
        data!("{}", json!({"schema": "amparo.cli.gags/1", "gags": gags}));
        return;
    }
    for gag in gags {
        let number = gag.number.map_or("law".to_owned(), |number| number.to_string());
        let until = match (gag.until, &gag.until_event) {
            (Some(day), _) => format!("until {day}"),
            (None, Some(_)) => "until an event".to_owned(),
            (None, None) => "no last day".to_owned(),
        };
        let standing = word(&gag.state);
        let style = if gag.state == GagState::Standing {
            WARN
        } else {
            GOOD
        };
        let done = match (gag.objected, gag.answered) {
            (Some(_), _) => "objected",
            (None, true) => "counsel answered",
            (None, false) => "UNANSWERED",
        };
        let case = gag.case;
        data!(
            "{case}  {number:>4}  {style}{standing}{style:#}  {until}  {done}  {DIM}{}{DIM:#}",
            gag.authority
        );
    }
    say!("{} gag(s)", gags.len());
}

fn show(gag: &GagLine, format: Format) -> anyhow::Result<()> {
    if format == Format::Json {
        data!("{}", json!({"schema": "amparo.cli.gag/1", "gag": gag}));
        return Ok(());
    }
    let value = serde_json::to_value(gag)?;
    for (name, value) in value.as_object().into_iter().flatten() {
        let text = match value {
            serde_json::Value::Null => continue,
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        data!("{STRONG}{:<12}{STRONG:#}  {text}", name.replace('_', " "));
    }
    Ok(())
}

fn word(state: &GagState) -> &'static str {
    match state {
        GagState::NotBegun => "to come",
        GagState::Standing => "standing",
        GagState::RanOut => "ran out",
        GagState::StruckDown => "struck down",
        GagState::Ended => "ended",
    }
}
