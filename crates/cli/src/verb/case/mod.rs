//! `amparo case`: working a case from its demand to its end.

mod act;
mod read;
mod release;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use casework::{
    event::Actor,
    ids::{CaseId, StaffId},
};
use clap::{Subcommand, ValueEnum};
use service::{
    app::{Desk, DeskError},
    auth::Role,
    deployment::Deployment,
};

/// Work a case.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 done, 1 refused (the promise that stands against it is named), 2 it could not be done.\n\nExamples:\n  amparo case list\n  amparo case show 0197...\n  amparo case redirect 0197... --how 'registered letter' --as ruth\n  amparo case approve 0197... --record 0197... --as ruth --key ruth.key"
)]
pub struct Args {
    #[command(flatten)]
    place: Where,
    #[command(subcommand)]
    verb: Verb,
}

/// Which deployment, and in what form to answer.
#[derive(Debug, Clone, clap::Args)]
pub struct Where {
    /// The deployment's folder.
    #[arg(
        long,
        global = true,
        env = "AMPARO_DATA",
        default_value = "amparo-data",
        value_name = "DIR"
    )]
    data: PathBuf,
    /// How facts are printed.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// How facts are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs; each document names its schema.
    Json,
}

impl Where {
    /// The deployment's desk.
    ///
    /// # Errors
    /// When the folder is no deployment.
    pub async fn desk(&self) -> anyhow::Result<Desk> {
        let deployment = Deployment::open(&self.data).await.with_context(|| {
            format!(
                "cannot open the deployment in `{}`; `amparo init` makes one",
                self.data.display()
            )
        })?;
        Ok(deployment.desk().clone())
    }
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List cases, newest first.
    List(read::List),
    /// Show a case: what was asked, what was found, what is owed.
    Show(read::One),
    /// Show a case's events.
    Log(read::One),
    /// Show what must happen next.
    Owed(read::One),
    /// Print a letter; without its digest, list them.
    Letter(read::Letter),
    /// Print the docket's receipt for an event, for `amparo verify receipt`.
    Receipt(read::Receipt),
    /// Record that the requester was called back.
    Check(act::Check),
    /// Look up the demand's subjects.
    Resolve(act::Resolve),
    /// Apply the rulebook.
    Assess(act::Assess),
    /// Ask the requester to go to the customer, or record its answer (P8).
    Redirect(act::Redirect),
    /// Answer a ground, a gag or the redirect with counsel's signed reason (P8, P10, P11).
    Answer(act::Answer),
    /// Record an objection on grounds, or to the gag (P10, P11).
    Object(act::Object),
    /// Record how an objection was decided.
    Decide(act::Decide),
    /// Tell a customer (P9).
    Notify(act::Notify),
    /// Record that a gag keeps a customer from being told (P9).
    BarNotice(act::BarNotice),
    /// Cut the scope (P13).
    Narrow(act::Narrow),
    /// Reject the demand, naming the rules.
    Reject(act::Reject),
    /// Record any event body from a JSON file.
    Record(act::Record),
    /// Draw up exactly what would be released.
    Propose(release::Propose),
    /// Sign a record as a reviewer (P7).
    Approve(release::Approve),
    /// Have the gate open the keys and make the package.
    Release(release::Release),
    /// Record that the package was handed over.
    Deliver(release::Deliver),
    /// Close the case.
    Close(act::Close),
}

/// Runs the verb.
///
/// # Errors
/// When it could not be done. A refusal is exit code 1 and says which promise stands against the step.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let desk = args.place.desk().await?;
    let format = args.place.format;
    let done = match args.verb {
        Verb::List(verb) => verb.run(&desk, format).await,
        Verb::Show(verb) => verb.show(&desk, format).await,
        Verb::Log(verb) => verb.log(&desk, format).await,
        Verb::Owed(verb) => verb.owed(&desk, format).await,
        Verb::Letter(verb) => verb.run(&desk, format).await,
        Verb::Receipt(verb) => verb.run(&desk).await,
        Verb::Check(verb) => verb.run(&desk, format).await,
        Verb::Resolve(verb) => verb.run(&desk, format).await,
        Verb::Assess(verb) => verb.run(&desk, format).await,
        Verb::Redirect(verb) => verb.run(&desk, format).await,
        Verb::Answer(verb) => verb.run(&desk, format).await,
        Verb::Object(verb) => verb.run(&desk, format).await,
        Verb::Decide(verb) => verb.run(&desk, format).await,
        Verb::Notify(verb) => verb.run(&desk, format).await,
        Verb::BarNotice(verb) => verb.run(&desk, format).await,
        Verb::Narrow(verb) => verb.run(&desk, format).await,
        Verb::Reject(verb) => verb.run(&desk, format).await,
        Verb::Record(verb) => verb.run(&desk, format).await,
        Verb::Propose(verb) => verb.run(&desk, format).await,
        Verb::Approve(verb) => verb.run(&desk, format).await,
        Verb::Release(verb) => verb.run(&desk, format).await,
        Verb::Deliver(verb) => verb.run(&desk, format).await,
        Verb::Close(verb) => verb.run(&desk, format).await,
    };
    match done {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => match error.downcast_ref::<DeskError>() {
            Some(
                refused @ (DeskError::NotNow { .. }
                | DeskError::GateRefused { .. }
                | DeskError::NoData
                | DeskError::UsedUp { .. }),
            ) => {
                crate::voice::error(&anyhow::anyhow!("{refused}"));
                crate::voice::say!("hint: {}", refused.hint());
                Ok(ExitCode::from(1))
            }
            _ => Err(error),
        },
    }
}

/// An error of the desk with its hint.
pub fn explained(error: DeskError) -> anyhow::Error {
    let hint = format!("hint: {}", error.hint());
    match &error {
        DeskError::NotNow { .. }
        | DeskError::GateRefused { .. }
        | DeskError::NoData
        | DeskError::UsedUp { .. } => anyhow::Error::new(error),
        _ => anyhow::Error::new(error).context(hint),
    }
}

/// Who does it.
#[derive(Debug, Clone, clap::Args)]
struct Acting {
    /// Who does it, by staff id.
    #[arg(long = "as", value_name = "STAFF")]
    who: String,
}

impl Acting {
    fn id(&self) -> anyhow::Result<StaffId> {
        staff_id(&self.who)
    }

    /// As the event names them: counsel where that is their role.
    async fn actor(&self, desk: &Desk) -> anyhow::Result<Actor> {
        let id = self.id()?;
        let people = desk.cases().people().await?;
        let counsel = people
            .iter()
            .any(|person| person.id == id && person.role == Role::Counsel.as_str());
        Ok(if counsel {
            Actor::Counsel(id)
        } else {
            Actor::Staff(id)
        })
    }
}

/// A staff id from the command line.
///
/// # Errors
/// When it is none.
pub fn staff_id(text: &str) -> anyhow::Result<StaffId> {
    Ok(StaffId::new(text)?)
}

fn case_id(text: &str) -> Result<CaseId, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no case id; `amparo case list` shows them"))
}
