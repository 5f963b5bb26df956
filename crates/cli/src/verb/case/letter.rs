//! One letter: of the case file, or drawn up from the case as it now stands.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use casework::ids::{CaseId, Digest};
use serde_json::{Map, Value, json};
use service::app::{
    Desk,
    letters::{Kind, Said},
};

use super::{case_id, read};
use crate::voice::{Format, GOOD, data, say};

#[derive(Debug, clap::Args)]
pub(super) struct Letter {
    /// The case.
    #[arg(value_parser = case_id)]
    case: CaseId,
    /// SHA-256 of a letter of the case file.
    letter: Option<String>,
    /// Draw one up instead, from the case as it now stands: it is not kept, nothing is recorded, and nobody is told.
    #[arg(long, conflicts_with = "letter", value_parser = kind)]
    kind: Option<Kind>,
    /// What the case does not know and the letter needs, such as `forum=District Court`. Repeat it.
    #[arg(long = "with", value_name = "NAME=TEXT", requires = "kind")]
    with: Vec<String>,
    /// Set it as PDF/A into this file.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Print its text; so it is unless `--to` is given.
    #[arg(long, conflicts_with = "to")]
    text: bool,
}

fn kind(name: &str) -> anyhow::Result<Kind> {
    Kind::named(name).with_context(|| {
        let all: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        format!("there is no letter `{name}`; there are {}", all.join(", "))
    })
}

impl Letter {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let form = match (&self.letter, self.kind) {
            (Some(letter), _) => {
                let digest: Digest = letter.parse()?;
                if self.to.is_none() && format == Format::Text {
                    data!("{}", desk.letter(self.case, digest).await?.trim_end());
                    return Ok(());
                }
                desk.letter_form(self.case, digest).await?
            }
            (None, Some(kind)) => {
                let said = said(&self.with)?;
                let drawn = desk.draw_letter(self.case, kind, &said).await?;
                if self.to.is_none() && format == Format::Text {
                    data!("{}", drawn.text.trim_end());
                    return Ok(());
                }
                drawn.form
            }
            (None, None) if self.to.is_some() || self.text => {
                bail!(
                    "which letter? name its SHA-256, or a kind with --kind; `amparo case letter CASE` lists them"
                )
            }
            (None, None) => {
                for letter in &desk.letters(self.case).await? {
                    read::print(letter, format);
                }
                return Ok(());
            }
        };
        match self.to {
            Some(file) => {
                let pdf = desk.set_letter(&form).await?;
                std::fs::write(&file, &pdf)
                    .with_context(|| format!("`{}` cannot be written", file.display()))?;
                say!("{GOOD}set{GOOD:#} into {}, {} bytes", file.display(), pdf.len());
            }
            None => data!("{}", json!(form)),
        }
        Ok(())
    }
}

/// What `--with` says, by the names of [`Said`].
fn said(with: &[String]) -> anyhow::Result<Said> {
    let mut all = Map::new();
    for one in with {
        let (name, text) = one
            .split_once('=')
            .with_context(|| format!("`{one}` is not of the form NAME=TEXT"))?;
        let value = match name {
            "gag" => Value::from(
                text.parse::<u64>()
                    .context("a gag is named by its event's number")?,
            ),
            _ => Value::from(text),
        };
        all.insert(name.to_owned(), value);
    }
    serde_json::from_value(Value::Object(all))
        .context("a letter cannot be told that; docs/letters.md lists what can be said")
}
