//! `amparo verify redaction`: whether text lies hidden in a PDF that is to leave.

use std::{path::PathBuf, process::ExitCode};

use serde::Serialize;
use service::paper::{Gap, Hiding, PDF_BYTES_MAX, Paper, PaperReader, Redaction};

use crate::{
    verb::{bounded, mail::place_on_page},
    voice::{BAD, Format, GOOD, STRONG, data},
};

pub(super) const HELP: &str = "Exit codes:
  0  no hidden text was found
  1  text lies hidden: the output says on which page, where and how
  2  could not be checked whole: it says why, and a person must look

Examples:
  amparo verify redaction motion-public.pdf
  amparo verify redaction motion-public.pdf --show";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The PDF; at most 64 MiB.
    file: PathBuf,
    /// Print the hidden text too. It is what was to be kept from others.
    #[arg(long)]
    show: bool,
    /// How to answer.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What is printed. In JSON, exactly this: schema `amparo.verify.redaction/1`.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    schema: &'static str,
    verdict: Redaction,
    pages: usize,
    hidden: Vec<Found<'a>>,
    /// Why it could not be checked whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_checked: Vec<Gap>,
    /// What could not be read, though nothing can lie hidden for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_read: Vec<Gap>,
}

#[derive(Debug, Serialize)]
struct Found<'a> {
    page: u32,
    /// Left, bottom, right and top, in points from the page's lower left corner.
    area: [i32; 4],
    how: Hiding,
    characters: u32,
    /// It is a redaction's label, such as `REDACTED`, and nothing else: it does not count.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    label: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}

impl<'a> Answer<'a> {
    fn of(paper: &'a Paper, show: bool) -> Self {
        let hidden = paper.hidden.iter().map(|hidden| Found {
            page: hidden.page,
            area: hidden.area,
            how: hidden.how,
            characters: hidden.characters,
            label: hidden.is_label(),
            text: show.then_some(hidden.text.as_str()),
        });
        let (not_checked, not_read) = paper.gaps.iter().partition(|gap| gap.spoils_a_check());
        Self {
            schema: "amparo.verify.redaction/1",
            verdict: paper.redaction(),
            pages: paper.pages.len(),
            hidden: hidden.collect(),
            not_checked,
            not_read,
        }
    }

    fn print(&self) {
        for found in &self.hidden {
            let label = if found.label {
                " (a redaction's label: it does not count)"
            } else {
                ""
            };
            data!(
                "page {}{}: {} characters of text {}{label}",
                found.page,
                place_on_page(found.area),
                found.characters,
                found.how.in_words()
            );
            if let Some(text) = found.text {
                data!("  {text}");
            }
        }
        for gap in &self.not_checked {
            data!("not checked whole: {}", gap.in_words());
        }
        for gap in &self.not_read {
            data!("note: {}; that hides nothing from the check", gap.in_words());
        }
        let (style, verdict) = match self.verdict {
            Redaction::Clean => (GOOD, "no hidden text was found"),
            Redaction::TextHidden => (BAD, "text lies hidden: do not let it leave as it is"),
            Redaction::NotChecked => (BAD, "could not be checked whole: a person must look"),
        };
        data!(
            "{style}{verdict}{style:#}: {STRONG}{} page(s){STRONG:#}",
            self.pages
        );
    }
}

pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let bytes = bounded::read(&args.file, u64::try_from(PDF_BYTES_MAX)?)?;
    let paper = PaperReader::beside_this_program().read(&bytes).await?;
    let answer = Answer::of(&paper, args.show);
    match args.format {
        Format::Json => data!("{}", serde_json::to_string_pretty(&answer)?),
        Format::Text => answer.print(),
    }
    Ok(match answer.verdict {
        Redaction::Clean => ExitCode::SUCCESS,
        Redaction::TextHidden => ExitCode::from(1),
        Redaction::NotChecked => ExitCode::from(2),
    })
}
