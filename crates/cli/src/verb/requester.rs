//! `amparo requester`: the register of who may ask, and calling them back.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use casework::{
    demand::AuthorityKind, demand::CountryCode, event::Actor, facts::RequesterCheck, ids::CaseId,
};
use clap::{Subcommand, ValueEnum};
use serde_json::json;
use service::requesters::{Call, Hints, Registry, Source};
use store::requesters::{AuthorityRow, FactKind, FactRow, OfficerRow};

use super::case::{Where, enrolled};
use crate::voice::{Format, data, say};

/// Register authorities and officers, look at domains, call back, suspend.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What the register and the lists say is a hint. Who asks is confirmed by a call back alone.\n\n\
    Exit codes: 0 done, 1 the domain looks like another's, 2 it could not be done.\n\nExamples:\n  \
    amparo requester add de-bka --name Bundeskriminalamt --country DE --kind police --evidence 'visited on 2026-03-02' --source 'Bundeskriminalamtgesetz, section 1' --as ruth\n  \
    amparo requester fact de-bka number '+49 611 55 0' --source 'printed federal directory 2026, p. 12' --as ruth\n  \
    amparo requester look bka-auskunft.de\n  \
    amparo requester call-back 0197... --authority de-bka --number '+49 611 55 0' --outcome confirmed --said 'KHK Brandt confirms file 123' --as ruth\n  \
    amparo requester suspend brandt@bka.example --reason 'mailbox stolen, told by BKA' --as ruth"
)]
pub struct Args {
    #[command(flatten)]
    place: Where,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Add an authority, with what shows who it is.
    Add {
        /// Its id here: lower-case letters, digits and hyphens.
        id: String,
        /// Its name.
        #[arg(long)]
        name: String,
        /// Its country.
        #[arg(long, value_parser = country)]
        country: CountryCode,
        /// What kind of body it is, as demands name it: `police`, `court`, `prosecutor`, ...
        #[arg(long, value_parser = kind)]
        kind: AuthorityKind,
        /// What shows who it is.
        #[arg(long)]
        evidence: String,
        /// Where that was found.
        #[arg(long)]
        source: String,
        /// Who enters it, by staff id.
        #[arg(long = "as", value_name = "STAFF")]
        who: String,
    },
    /// Add a mail domain, a telephone number or a piece of evidence to an authority, with its source.
    Fact {
        /// The authority.
        authority: String,
        /// What kind of fact.
        #[arg(value_enum)]
        kind: What,
        /// The fact.
        value: String,
        /// Where it was found: never the message that it is to confirm.
        #[arg(long)]
        source: String,
        /// Who enters it, by staff id.
        #[arg(long = "as", value_name = "STAFF")]
        who: String,
    },
    /// Add an officer of an authority.
    Officer {
        /// The address they write from.
        address: String,
        /// Their authority.
        #[arg(long)]
        authority: String,
        /// Name and rank.
        #[arg(long)]
        name: String,
        /// Who enters it, by staff id.
        #[arg(long = "as", value_name = "STAFF")]
        who: String,
    },
    /// List authorities.
    List,
    /// Show an authority with all that is known of it.
    Show {
        /// Its id.
        authority: String,
    },
    /// Say what a domain is known for, and whose it only looks like.
    Look {
        /// The domain.
        domain: String,
    },
    /// Load a list of hints into the deployment: .gov domains, government domains, public suffixes, courts. Read when the
    /// server starts.
    Hints {
        /// Which list.
        #[arg(value_enum)]
        list: List,
        /// The file.
        file: PathBuf,
    },
    /// Record what an authority said when it was called back (P7). The number must stand in the register, from another
    /// source than the message.
    CallBack {
        /// The case.
        case: CaseId,
        /// The authority called.
        #[arg(long)]
        authority: String,
        /// The number called.
        #[arg(long)]
        number: String,
        /// What came of it.
        #[arg(long, value_enum)]
        outcome: Answer,
        /// Who answered, and what they said.
        #[arg(long)]
        said: String,
        /// Who called, by staff id.
        #[arg(long = "as", value_name = "STAFF")]
        who: String,
    },
    /// Suspend an address, and look again at all that it sent.
    Suspend {
        /// The address.
        address: String,
        /// Why.
        #[arg(long)]
        reason: String,
        /// Who suspends it, by staff id.
        #[arg(long = "as", value_name = "STAFF")]
        who: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Domain,
    Number,
    Evidence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Answer {
    Confirmed,
    Refuted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum List {
    Dotgov,
    Government,
    Suffixes,
    Courts,
}

impl From<List> for Source {
    fn from(list: List) -> Self {
        match list {
            List::Dotgov => Self::Dotgov,
            List::Government => Self::Government,
            List::Suffixes => Self::Suffixes,
            List::Courts => Self::Courts,
        }
    }
}

fn country(text: &str) -> Result<CountryCode, String> {
    CountryCode::new(text).map_err(|error| error.to_string())
}

fn kind(text: &str) -> Result<AuthorityKind, String> {
    serde_json::from_value(json!(text))
        .map_err(|_| format!("`{text}` is no kind of authority, such as `police`"))
}

/// Runs the verb.
///
/// # Errors
/// When it could not be done.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let deployment = args.place.deployment().await?;
    let (desk, format) = (deployment.desk(), args.place.format);
    if let Verb::Hints { list, file } = &args.verb {
        let source = Source::from(*list);
        let entries = Hints::default().add(source, file)?;
        let folder = deployment.layout().hints();
        std::fs::create_dir_all(&folder).context("cannot make the folder for lists")?;
        let (new, place) = (
            folder.join(format!("{}.new", source.file())),
            folder.join(source.file()),
        );
        std::fs::copy(file, &new).with_context(|| format!("cannot copy `{}`", file.display()))?;
        std::fs::rename(&new, &place).context("cannot put the list in place")?;
        say!("{entries} entries; restart the server for it to read them");
        return Ok(ExitCode::SUCCESS);
    }
    let registry = deployment.registry()?;
    let now = desk.now();
    match args.verb {
        Verb::Hints { .. } => {}
        Verb::Add {
            id,
            name,
            country,
            kind,
            evidence,
            source,
            who,
        } => {
            let by = enrolled(desk, &who).await?.id;
            let fine = !id.is_empty()
                && id.len() <= 64
                && id
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            anyhow::ensure!(
                fine,
                "`{id}` is no id; use lower-case letters, digits and hyphens"
            );
            let kind = serde_json::to_value(kind)?
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let row = AuthorityRow {
                id,
                name,
                country: country.as_str().to_owned(),
                kind,
                added_at: now,
                added_by: by.to_string(),
            };
            registry.add(row, &evidence, &source).await?;
        }
        Verb::Fact {
            authority,
            kind,
            value,
            source,
            who,
        } => {
            let by = enrolled(desk, &who).await?.id;
            let kind = match kind {
                What::Domain => FactKind::Domain,
                What::Number => FactKind::Number,
                What::Evidence => FactKind::Evidence,
            };
            let row = FactRow {
                authority,
                kind,
                value,
                source,
                added_at: now,
                added_by: by.to_string(),
            };
            registry.add_fact(row).await?;
        }
        Verb::Officer {
            address,
            authority,
            name,
            who,
        } => {
            let by = enrolled(desk, &who).await?.id;
            let row = OfficerRow {
                address,
                authority: Some(authority),
                name,
                added_at: now,
                added_by: by.to_string(),
                suspended_at: None,
                reason: None,
            };
            registry.add_officer(row).await?;
        }
        Verb::List => list(&registry, format).await?,
        Verb::Show { authority } => {
            let authority = registry.authority(&authority).await?;
            if format == Format::Json {
                data!(
                    "{}",
                    json!({"schema": "amparo.cli.authority/1", "authority": authority})
                );
            } else {
                data!(
                    "{}  {}  {}  {}",
                    authority.id,
                    authority.name,
                    authority.country,
                    authority.kind
                );
                for fact in &authority.facts {
                    data!(
                        "  {}  {}  ({}, by {} on {})",
                        fact.kind,
                        fact.value,
                        fact.source,
                        fact.added_by,
                        fact.added_at
                    );
                }
            }
        }
        Verb::Look { domain } => {
            let found = registry.look_at(&domain).await?;
            if format == Format::Json {
                data!("{}", json!({"schema": "amparo.cli.domain/1", "domain": found}));
            } else {
                data!(
                    "authority  {}",
                    found.authority.as_deref().unwrap_or("none registered")
                );
                data!("listed     {}", found.listed.as_deref().unwrap_or("nowhere"));
                match &found.resembles {
                    Some(likeness) => data!("looks like {} ({:?})", likeness.to, likeness.likeness),
                    None => data!("looks like no other"),
                }
            }
            return Ok(if found.resembles.is_some() {
                ExitCode::from(1)
            } else {
                ExitCode::SUCCESS
            });
        }
        Verb::CallBack {
            case,
            authority,
            number,
            outcome,
            said,
            who,
        } => {
            let by = enrolled(desk, &who).await?.id;
            let outcome = match outcome {
                Answer::Confirmed => RequesterCheck::Confirmed,
                Answer::Refuted => RequesterCheck::Refuted,
            };
            let call = Call {
                case,
                authority: &authority,
                number: &number,
                outcome,
                said: &said,
            };
            registry.call_back(desk, call, Actor::Staff(by)).await?;
        }
        Verb::Suspend { address, reason, who } => {
            let by = enrolled(desk, &who).await?.id;
            let reviewed = registry.suspend(desk, &address, &reason, &by).await?;
            if format == Format::Json {
                data!(
                    "{}",
                    json!({"schema": "amparo.cli.suspended/1", "reviewed": reviewed})
                );
            } else {
                for case in &reviewed.reopened {
                    data!("{case}  who asks must be confirmed anew");
                }
                for case in &reviewed.to_review {
                    data!("{case}  closed or released: go over it, and tell whom the law says to tell");
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(registry: &Registry, format: Format) -> anyhow::Result<()> {
    let mut after: Option<String> = None;
    loop {
        let page = registry.store().authorities(after.as_deref(), 200).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.id.clone());
        for row in &page {
            if format == Format::Json {
                data!(
                    "{}",
                    json!({"schema": "amparo.cli.authority_line/1", "id": row.id, "name": row.name,
                        "country": row.country, "kind": row.kind})
                );
            } else {
                data!("{}  {}  {}  {}", row.id, row.name, row.country, row.kind);
            }
        }
    }
}
