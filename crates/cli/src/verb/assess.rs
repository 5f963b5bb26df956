//! `amparo assess`: what the law says of a demand. The rulebook alone; no deployment needed.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use casework::{
    demand::{self, Category, Demand},
    facts,
    finding::{Assessment, Effect, Finding},
    rulebook::Rulebook,
};
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::voice::{BAD, DIM, Format, GOOD, STRONG, WARN, data, say};

/// Columns that explanations are wrapped to.
const COLUMNS: usize = 96;

/// Assess a demand by the rulebook alone: bars, grounds to challenge, duties, clocks.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without --facts the demand is read on its face: its subjects are taken to be one account each, of which \
nothing is known, and nobody is taken to have been called back. That never suffices for a release.

Exit codes: 0 something could be released, 1 nothing could, 2 it could not be assessed.

Examples:
  amparo assess demand.json
  amparo assess demand.json --facts facts.json --as-of 2026-11-21
  amparo assess - --format json < demand.json
  amparo assess --schema > demand.schema.json"
)]
pub struct Args {
    /// The demand, a JSON file; `-` reads standard input.
    #[arg(required_unless_present = "schema")]
    file: Option<PathBuf>,
    /// What the provider knows of the accounts and the requester, a JSON file.
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,
    /// The day whose law is applied; today, in UTC, if absent.
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
    /// A folder of rules to apply instead of the built-in ones.
    #[arg(long, value_name = "DIR")]
    rulebook: Option<PathBuf>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Print the JSON Schema of a demand instead.
    #[arg(long)]
    schema: bool,
}

/// Runs the verb.
///
/// # Errors
/// When the demand, the facts or the rulebook cannot be read.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Some(file) = args.file.as_ref().filter(|_| !args.schema) else {
        data!("{}", serde_json::to_string_pretty(&demand::json_schema())?);
        return Ok(ExitCode::SUCCESS);
    };
    let demand = demand::parse(&read(file, demand::BYTES_MAX)?)
        .with_context(|| format!("cannot assess `{}`", file.display()))?;
    let facts = match &args.facts {
        Some(path) => Some(
            facts::parse(&read(path, facts::BYTES_MAX)?)
                .with_context(|| format!("cannot use `{}`", path.display()))?,
        ),
        None => None,
    };
    let loaded;
    let rulebook = match &args.rulebook {
        Some(dir) => {
            loaded = Rulebook::load(&super::rulebook::read_folder(dir)?)
                .with_context(|| format!("cannot use the rules in `{}`", dir.display()))?;
            &loaded
        }
        None => Rulebook::builtin(),
    };
    let as_of = args
        .as_of
        .unwrap_or_else(|| TimeZone::UTC.to_datetime(Timestamp::now()).date());
    let on_its_face = facts.as_ref().is_none_or(|facts| facts.resolved.is_empty());
    let assessment = match &facts {
        Some(facts) if !on_its_face => rulebook.assess(&demand, facts, as_of)?,
        facts => rulebook.assess_on_its_face(&demand, facts.as_ref(), as_of)?,
    };
    match args.format {
        Format::Json => {
            let report = serde_json::json!({
                "schema": "amparo.assessment/1",
                "instrument": demand.instrument,
                "course": rulebook.course(&demand.instrument),
                "on_its_face": on_its_face,
                "assessment": assessment,
            });
            data!("{}", serde_json::to_string_pretty(&report)?);
        }
        Format::Text => print(rulebook, &demand, &assessment, on_its_face),
    }
    Ok(if assessment.releasable.is_empty() {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    })
}

fn print(rulebook: &Rulebook, demand: &Demand, assessment: &Assessment, on_its_face: bool) {
    let row = rulebook
        .instruments()
        .find(|(id, _)| **id == demand.instrument)
        .map(|(_, row)| row);
    let name = row.map_or("Unknown instrument", |row| row.name.as_str());
    data!("{STRONG}{name}{STRONG:#} ({})", demand.instrument);
    data!(
        "{DIM}law of {}, rulebook {}{DIM:#}",
        assessment.rulebook.as_of,
        assessment.rulebook.digest
    );
    for (effect, heading, style) in [
        (Effect::Bar, "Bars: cannot be released", BAD),
        (
            Effect::Ground,
            "Grounds: to be challenged, or answered by counsel",
            WARN,
        ),
        (Effect::Duty, "Duties", STRONG),
        (Effect::Clock, "Clocks", STRONG),
    ] {
        let found: Vec<&Finding> = assessment
            .findings
            .iter()
            .filter(|f| f.effect == effect)
            .collect();
        if !found.is_empty() {
            data!("\n{style}{heading}{style:#}");
        }
        for finding in found {
            print_finding(finding);
        }
    }
    let releasable = words(&assessment.releasable);
    if assessment.releasable.is_empty() {
        data!("\n{BAD}Releasable: nothing{BAD:#}");
    } else {
        data!("\n{GOOD}Releasable: {releasable}{GOOD:#}, once every ground is settled and every duty done");
    }
    if on_its_face {
        say!("note: read on its face: no account has been looked up; give --facts to say what is known");
    }
}

fn print_finding(finding: &Finding) {
    let about = if finding.categories.is_empty() {
        String::new()
    } else {
        format!(": {}", words(&finding.categories))
    };
    data!(
        "  {STRONG}{}{STRONG:#} ({:?}){about}",
        finding.rule,
        finding.promise
    );
    if let Some(clock) = &finding.clock {
        let kind = serde_json::to_value(clock.kind).ok();
        let kind = kind
            .as_ref()
            .and_then(|kind| kind.as_str())
            .unwrap_or_default()
            .replace('_', " ");
        data!(
            "    {STRONG}{kind} {}{STRONG:#} ({}; {})",
            clock.on,
            clock.at,
            clock.counted
        );
    }
    for line in wrap(&finding.explanation) {
        data!("    {line}");
    }
    data!("    {DIM}{}{DIM:#}", finding.citation);
}

fn words(categories: &[Category]) -> String {
    let names = categories
        .iter()
        .filter_map(|category| serde_json::to_value(category).ok());
    let names: Vec<String> = names
        .filter_map(|name| name.as_str().map(|name| name.replace('_', " ")))
        .collect();
    names.join(", ")
}

pub(super) fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + word.chars().count() < COLUMNS => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Reads a file, or standard input, up to just past the limit that the parser names.
fn read(path: &Path, max: usize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(max)?.saturating_add(1);
    let done = if path.as_os_str() == "-" {
        std::io::stdin().take(limit).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    done.with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(bytes)
}
