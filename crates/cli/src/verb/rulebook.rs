//! `amparo rulebook`: check, list and explain the law as data.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use casework::{
    ids::RuleId,
    rulebook::{About, FILES_MAX, Rule, Rulebook},
};

use super::assess::wrap;
use crate::voice::{BAD, DIM, Format, GOOD, STRONG, data, say};

/// Check, list and explain the law as data.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Check a folder of rules, or the built-in ones: validate every rule, run every example.
    #[command(
        after_help = "Exit codes: 0 all is well, 1 something is wrong with the rules, 2 the folder cannot be read.

Examples:
  amparo rulebook check
  amparo rulebook check ./rulebooks"
    )]
    Check {
        /// The folder; the built-in rules if absent.
        dir: Option<PathBuf>,
        /// How to print it.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// List instruments and rules.
    #[command(after_help = "Examples:
  amparo rulebook list
  amparo rulebook list us.nsl --format json")]
    List {
        /// Only rules whose id begins like this.
        #[arg(default_value = "")]
        beginning: String,
        /// A folder of rules instead of the built-in ones.
        #[arg(long, value_name = "DIR")]
        rulebook: Option<PathBuf>,
        /// How to print it.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Print "What we need from you", by country, as docs/ has it.
    #[command(after_help = "Example:
  amparo rulebook page > docs/what-we-need-from-you.md")]
    Page {
        /// A folder of rules instead of the built-in ones.
        #[arg(long, value_name = "DIR")]
        rulebook: Option<PathBuf>,
    },
    /// Explain one rule in plain words, with its sources.
    #[command(after_help = "Example:
  amparo rulebook explain us.order.2703d.content")]
    Explain {
        /// The rule's id.
        rule: String,
        /// A folder of rules instead of the built-in ones.
        #[arg(long, value_name = "DIR")]
        rulebook: Option<PathBuf>,
        /// How to print it.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

/// Runs the verb.
///
/// # Errors
/// When a folder cannot be read.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.verb {
        Verb::Check { dir, format } => check(dir.as_deref(), *format),
        Verb::List {
            beginning,
            rulebook,
            format,
        } => with(rulebook.as_deref(), |rules| list(rules, beginning, *format)),
        Verb::Page { rulebook } => with(rulebook.as_deref(), |rules| {
            // The page ends its last line itself.
            data!("{}", rules.what_we_need().trim_end());
            Ok(ExitCode::SUCCESS)
        }),
        Verb::Explain {
            rule,
            rulebook,
            format,
        } => with(rulebook.as_deref(), |rules| explain(rules, rule, *format)),
    }
}

fn with(
    dir: Option<&Path>,
    act: impl FnOnce(&Rulebook) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    match dir {
        None => act(Rulebook::builtin()),
        Some(dir) => {
            let loaded = Rulebook::load(&read_folder(dir)?);
            act(&loaded.with_context(|| format!("cannot use the rules in `{}`", dir.display()))?)
        }
    }
}

fn check(dir: Option<&Path>, format: Format) -> anyhow::Result<ExitCode> {
    let loaded;
    let rulebook = match dir {
        None => Ok(Rulebook::builtin()),
        Some(dir) => {
            loaded = Rulebook::load(&read_folder(dir)?);
            loaded.as_ref()
        }
    };
    let problems: Vec<String> = match rulebook {
        Ok(rulebook) => rulebook
            .check_examples()
            .iter()
            .map(ToString::to_string)
            .collect(),
        Err(error) => error.problems.iter().map(ToString::to_string).collect(),
    };
    let counts = rulebook
        .map(|r| {
            (
                r.instruments().filter(|(_, row)| row.built).count(),
                r.rules().count(),
                r.example_count(),
            )
        })
        .unwrap_or_default();
    match format {
        Format::Json => {
            let report = serde_json::json!({
                "schema": "amparo.rulebook-check/1",
                "digest": rulebook.map(|r| r.digest().to_string()).ok(),
                "instruments": counts.0,
                "rules": counts.1,
                "examples": counts.2,
                "problems": problems,
            });
            data!("{}", serde_json::to_string_pretty(&report)?);
        }
        Format::Text => {
            for problem in &problems {
                data!("{BAD}wrong:{BAD:#} {problem}");
            }
            match rulebook {
                Ok(rulebook) if problems.is_empty() => data!(
                    "{GOOD}well:{GOOD:#} {} rules for {} instruments, {} examples; rulebook {}",
                    counts.1,
                    counts.0,
                    counts.2,
                    rulebook.digest()
                ),
                _ => say!("{} found wrong", problems.len()),
            }
        }
    }
    Ok(if problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

fn list(rulebook: &Rulebook, beginning: &str, format: Format) -> anyhow::Result<ExitCode> {
    let rules: Vec<&Rule> = rulebook
        .rules()
        .filter(|rule| rule.id.as_str().starts_with(beginning))
        .collect();
    if format == Format::Json {
        let instruments: serde_json::Map<String, serde_json::Value> = rulebook
            .instruments()
            .map(|(id, row)| Ok((id.to_string(), serde_json::to_value(row)?)))
            .collect::<Result<_, serde_json::Error>>()?;
        let report = serde_json::json!({
            "schema": "amparo.rulebook-list/1",
            "digest": rulebook.digest(),
            "instruments": instruments,
            "rules": rules,
        });
        data!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(ExitCode::SUCCESS);
    }
    if beginning.is_empty() {
        data!("{STRONG}Instruments{STRONG:#}");
        for (id, row) in rulebook.instruments() {
            let built = if row.built { "" } else { "  (no rules yet)" };
            data!(
                "  {:<28} {} {DIM}{}{DIM:#}{built}",
                id.as_str(),
                row.name,
                row.basis
            );
        }
        data!("\n{STRONG}Rules{STRONG:#}");
    }
    for rule in &rules {
        let effect = serde_json::to_value(rule.effect)?;
        data!(
            "  {:<52} {:<6} {:<4} {DIM}{}{DIM:#}",
            rule.id.as_str(),
            effect.as_str().unwrap_or_default(),
            format!("{:?}", rule.promise),
            rule.citation
        );
    }
    if rules.is_empty() {
        say!("no rule begins with `{beginning}`");
        return Ok(ExitCode::from(1));
    }
    Ok(ExitCode::SUCCESS)
}

fn explain(rulebook: &Rulebook, id: &str, format: Format) -> anyhow::Result<ExitCode> {
    let rule = RuleId::new(id).ok().and_then(|id| rulebook.explain(&id));
    let Some(rule) = rule else {
        say!("no rule is called `{id}`; `amparo rulebook list` names them all");
        return Ok(ExitCode::from(1));
    };
    if format == Format::Json {
        let report = serde_json::json!({
            "schema": "amparo.rule/1",
            "digest": rulebook.digest(),
            "rule": rule,
        });
        data!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(ExitCode::SUCCESS);
    }
    let effect = match rule.effect {
        casework::finding::Effect::Bar => "Bar: the data named cannot be released.",
        casework::finding::Effect::Ground => {
            "Ground: it must be challenged, or counsel must sign a reason not to."
        }
        casework::finding::Effect::Duty => "Duty: something the provider must do.",
        casework::finding::Effect::Clock => "Clock: a date that counts.",
    };
    let about = match &rule.about {
        About::Any => "every instrument".to_owned(),
        About::Instrument(id) => id.clone(),
        About::Group(group) => format!("instruments in group {group}"),
    };
    data!("{STRONG}{}{STRONG:#}", rule.id);
    data!("{effect} Serves promise {:?}. About {about}.\n", rule.promise);
    for line in wrap(&rule.explanation) {
        data!("  {line}");
    }
    let source = match rule.source {
        casework::rulebook::Source::Primary => "read in the primary text",
        casework::rulebook::Source::Secondary => "read in a secondary source only",
        casework::rulebook::Source::Memory => "written from memory: have counsel check it",
        casework::rulebook::Source::Promise => "a promise of the provider, or its own caution",
    };
    data!("\nSource:   {}", rule.citation);
    for (_, work) in rulebook.works(&rule.citation) {
        data!("          {}: {}", work.title, work.place);
    }
    data!("Checked:  {} ({source})", rule.verified_on);
    match (rule.from, rule.until) {
        (None, None) => {}
        (from, until) => {
            let day = |day: Option<jiff::civil::Date>| day.map_or("always".to_owned(), |day| day.to_string());
            data!("In force: {} to {}", day(from), day(until));
        }
    }
    data!("File:     {}\n\n{DIM}{}{DIM:#}", rule.file, rule.text);
    Ok(ExitCode::SUCCESS)
}

/// Every file under a folder: its path from there, with `/`, and its bytes.
pub(super) fn read_folder(dir: &Path) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    let mut folders = vec![(dir.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("cannot read the folder `{}`", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot read the folder `{}`", folder.display()))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // What editors and operating systems leave behind; the build leaves it out too.
            if name.starts_with('.') || name.ends_with('~') {
                continue;
            }
            let path = if prefix.is_empty() {
                name
            } else {
                format!("{prefix}/{name}")
            };
            if entry.file_type()?.is_dir() {
                folders.push((entry.path(), path));
                continue;
            }
            if files.len() >= FILES_MAX {
                bail!(
                    "`{}` holds more than {FILES_MAX} files; is it a folder of rules?",
                    dir.display()
                );
            }
            let bytes = std::fs::read(entry.path())
                .with_context(|| format!("cannot read `{}`", entry.path().display()))?;
            files.push((path, bytes));
        }
    }
    Ok(files)
}
