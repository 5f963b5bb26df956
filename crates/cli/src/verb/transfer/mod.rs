//! `amparo transfer`: moving or copying a customer's data between regions on a legal basis (P19).

mod act;
mod read;

use std::process::ExitCode;

use casework::{
    event::Actor,
    ids::{CaseId, StaffId},
};
use clap::Subcommand;
use service::{auth::Role, deployment::Deployment};

use super::{case::enrolled, place::Place};
use crate::voice::Format;

/// Move or copy a customer's data between regions, on a legal basis (P19).
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 done, 1 refused (no basis, not approved, or the gate said no), 2 it could not be done.\n\n\
    Examples:\n  \
    amparo transfer open --tenant contoso --from eu-de --to us-east --bucket mail --category content \\\n    \
    --purpose 'office in Boston' --importer 'Provider Inc' --shown us.dpf_certified='list of 3 May'@2026-05-03 --as olga\n  \
    amparo transfer basis 0197... --adequacy eu.adequacy.us.dpf --as olga\n  \
    amparo transfer propose 0197... --as olga\n  \
    amparo transfer approve 0197... --as rita --key rita.key\n  \
    amparo transfer start 0197... --as olga\n  \
    amparo transfer register --as-of 2027-01-01\n  \
    amparo transfer withdraw 0197... --reason 'the decision ended' --as olga\n\n\
    docs/transfers.md says how a transfer is judged."
)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    /// How facts are printed.
    #[arg(long, global = true, value_enum, default_value_t)]
    format: Format,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Open a transfer: what moves, or is copied (`--copy`), from where, to where, what for, to whom.
    Open(act::Open),
    /// State what it rests on, one basis for each law that asks for one.
    Basis(act::StateBasis),
    /// Record the assessment, after the EDPB's six steps, from a JSON file.
    Assess(act::Assess),
    /// Record the supplementary measures.
    Measures(act::Measures),
    /// Sign as counsel what no rule decides.
    Decide(act::Decide),
    /// Draw up exactly what would move.
    Propose(act::Propose),
    /// Sign the record as a reviewer: two people, neither of whom opened the transfer.
    Approve(act::Approve),
    /// Move or copy the data, or go on with it.
    Start(act::Start),
    /// Stop it for good; what was moved stays where it is.
    Stop(act::Stop),
    /// Give a copy up: what was copied is deleted, the original stays.
    Withdraw(act::Withdraw),
    /// Show a transfer: where it stands, and whether it has a basis today.
    Status(read::Status),
    /// List every transfer with its basis as of a day, and name those that hang on one that ended.
    Register(read::Register),
    /// List what a transfer can rest on, as of a day, with the law behind it.
    Bases(read::Bases),
}

/// Runs the verb.
///
/// # Errors
/// When it could not be done, or the transfer does not allow it.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let format = args.format;
    if let Verb::Bases(verb) = args.verb {
        return verb.run(format);
    }
    let deployment = args.place.open().await?;
    let done = match args.verb {
        Verb::Open(verb) => verb.run(&deployment, format).await,
        Verb::Basis(verb) => verb.run(&deployment, format).await,
        Verb::Assess(verb) => verb.run(&deployment, format).await,
        Verb::Measures(verb) => verb.run(&deployment, format).await,
        Verb::Decide(verb) => verb.run(&deployment, format).await,
        Verb::Propose(verb) => verb.run(&deployment, format).await,
        Verb::Approve(verb) => verb.run(&deployment, format).await,
        Verb::Start(verb) => verb.run(&deployment, format).await,
        Verb::Stop(verb) => verb.run(&deployment, format).await,
        Verb::Withdraw(verb) => verb.run(&deployment, format).await,
        Verb::Status(verb) => verb.run(&deployment, format).await,
        Verb::Register(verb) => return verb.run(&deployment, format).await,
        Verb::Bases(_) => Ok(()),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// Who does it.
#[derive(Debug, Clone, clap::Args)]
struct Acting {
    /// Who does it, by staff id.
    #[arg(long = "as", value_name = "STAFF")]
    who: String,
}

impl Acting {
    async fn id(&self, deployment: &Deployment) -> anyhow::Result<StaffId> {
        Ok(enrolled(deployment.desk(), &self.who).await?.id)
    }

    /// As the event names them: counsel where that is their role.
    async fn actor(&self, deployment: &Deployment) -> anyhow::Result<Actor> {
        let person = enrolled(deployment.desk(), &self.who).await?;
        Ok(if person.role == Role::Counsel.as_str() {
            Actor::Counsel(person.id)
        } else {
            Actor::Staff(person.id)
        })
    }
}

fn transfer_id(text: &str) -> Result<CaseId, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no transfer id; `amparo transfer register` shows them"))
}
