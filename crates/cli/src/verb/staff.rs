//! `amparo staff`: who works at the desk, and their tokens for the HTTP API.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use casework::ids::{StaffId, TenantId};
use clap::Subcommand;
use jiff::SignedDuration;
use serde_json::json;
use service::{
    auth::{Role, TokenId},
    deployment::write_secret,
};
use store::cases::PersonRow;

use super::place::Place;
use crate::voice::{Format, data, say};

/// Enrol people, and make tokens for the HTTP API.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Roles: intake, reviewer, senior_reviewer, counsel, auditor, operator; and for people outside, \
    tenant_admin (of one customer) and requester.\n\
    A reviewer's or counsel's signature counts only once their key is in trust.toml: see `amparo key`.\n\n\
    Examples:\n  amparo staff add amara --role senior_reviewer\n  \
    amparo staff token amara --out amara.token --days 90\n  \
    curl -H \"Authorization: Bearer $(cat amara.token)\" http://127.0.0.1:9001/me\n\n\
    Exit codes: 0 done, 2 it could not be done."
)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Enrol a person. An id is never given to somebody else: events name it for good.
    Add {
        /// Their id: lower-case letters, digits, dots and hyphens.
        person: StaffId,
        /// What they are there for.
        #[arg(long)]
        role: Role,
        /// The customer, for a tenant_admin.
        #[arg(long, required_if_eq("role", "tenant_admin"))]
        tenant: Option<TenantId>,
    },
    /// List everybody who is or was enrolled.
    List {
        /// How facts are printed.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Take a person's access away, with all their tokens, at once.
    Disable {
        /// Who.
        person: StaffId,
    },
    /// Make a token for the HTTP API. It is written to a file and shown nowhere else.
    Token {
        /// Whose.
        person: StaffId,
        /// Where it goes; nothing is overwritten.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Days until it expires.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=365))]
        days: u16,
    },
    /// Make a person's calendar feed, in place of the one that they had: the end of an address at the API. Whoever knows it
    /// reads the desk's dates. It is written to a file and shown nowhere else.
    Calendar {
        /// Whose.
        person: StaffId,
        /// Where it goes; nothing is overwritten.
        #[arg(long, value_name = "FILE", required_unless_present = "withdraw")]
        out: Option<PathBuf>,
        /// Withdraw it instead.
        #[arg(long, conflicts_with = "out")]
        withdraw: bool,
    },
    /// Withdraw one token, at once.
    Revoke {
        /// The token's id, which `amparo staff token` printed.
        token: TokenId,
    },
}

/// Runs the verb.
///
/// # Errors
/// When the deployment cannot be opened, or the change is refused.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let deployment = args.place.open().await?;
    let tokens = deployment.tokens();
    match args.verb {
        Verb::Add { person, role, tenant } => {
            if tenant.is_some() && role != Role::TenantAdmin {
                bail!("`--tenant` goes with `--role tenant_admin` alone, not with `{role}`");
            }
            if let Some(tenant) = &tenant
                && deployment.vault().tenant(tenant).await?.is_none()
            {
                bail!("there is no customer `{tenant}`; `amparo tenant list` shows them");
            }
            tokens.enrol(person.clone(), role, tenant).await?;
            say!("enrolled `{person}` as {role}");
            if matches!(role, Role::Reviewer | Role::SeniorReviewer | Role::Counsel) {
                say!("their signature counts once their key is in trust.toml (`amparo key new`)");
            }
        }
        Verb::List { format } => list(tokens.people().await?, format),
        Verb::Disable { person } => {
            tokens.disable(&person).await?;
            say!("`{person}` no longer has access; take their key out of trust.toml too");
        }
        Verb::Token { person, out, days } => {
            let life = SignedDuration::from_hours(24 * i64::from(days));
            let token = tokens.issue(&person, life).await?;
            if let Err(error) = write_secret(&out, token.reveal().as_bytes()) {
                // A token that nobody has is of no use; leave none behind.
                let id = token.id();
                tokens
                    .revoke(id)
                    .await
                    .with_context(|| format!("token `{id}` stays valid"))?;
                return Err(error.into());
            }
            data!("{}", token.id());
            say!(
                "wrote a token of `{person}` for {days} days to `{}`",
                out.display()
            );
        }
        Verb::Calendar {
            person, out: None, ..
        } => {
            if tokens.feeds().withdraw(&person).await? {
                say!("withdrew the calendar feed of `{person}`");
            } else {
                say!("`{person}` had no calendar feed");
            }
        }
        Verb::Calendar {
            person,
            out: Some(out),
            ..
        } => {
            let feeds = tokens.feeds();
            let feed = feeds.issue(&person).await?;
            let path = format!("/calendars/{}", feed.reveal());
            if let Err(error) = write_secret(&out, path.as_bytes()) {
                // A feed whose address nobody has is of no use; leave none behind.
                feeds.withdraw(&person).await.context("the feed stays valid")?;
                return Err(error.into());
            }
            say!(
                "wrote the path of the calendar feed of `{person}` to `{}`",
                out.display()
            );
        }
        Verb::Revoke { token } => {
            tokens.revoke(token).await?;
            say!("withdrew `{token}`");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(people: Vec<PersonRow>, format: Format) {
    if format == Format::Json {
        let people: Vec<_> = people
            .iter()
            .map(|row| {
                json!({
                    "id": row.id, "role": row.role, "tenant": row.tenant, "enrolled_at": row.created_at,
                    "disabled_at": row.disabled_at,
                })
            })
            .collect();
        data!("{}", json!({"schema": "amparo.cli.staff/1", "people": people}));
        return;
    }
    for row in people {
        let tenant = row
            .tenant
            .map(|tenant| format!(" of {tenant}"))
            .unwrap_or_default();
        let gone = row
            .disabled_at
            .map(|at| format!("\tdisabled {at:.0}"))
            .unwrap_or_default();
        data!("{}\t{}{tenant}{gone}", row.id, row.role);
    }
}
