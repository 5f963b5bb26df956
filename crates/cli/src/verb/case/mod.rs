//! `amparo case`: working a case from its demand to its end.

mod act;
mod further;
mod judge;
mod letter;
mod read;
mod release;
mod unsent;

use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use casework::{
    event::Actor,
    ids::{CaseId, StaffId},
};
use clap::Subcommand;
use service::{app::Desk, auth::Role, deployment::Deployment};
use store::cases::PersonRow;

use super::place::Place;
use crate::voice::Format;

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
    #[command(flatten)]
    place: Place,
    /// How facts are printed.
    #[arg(long, global = true, value_enum, default_value_t)]
    pub format: Format,
}

impl Where {
    /// The deployment's desk.
    ///
    /// # Errors
    /// When the folder is no deployment.
    pub async fn desk(&self) -> anyhow::Result<Desk> {
        Ok(self.place.open().await?.desk().clone())
    }

    /// The deployment.
    ///
    /// # Errors
    /// When the folder is no deployment.
    pub async fn deployment(&self) -> anyhow::Result<Deployment> {
        self.place.open().await
    }
}

/// Arguments of verbs that somebody runs on a case.
macro_rules! verbs {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident : $kind:ty),* $(,)? })*) => {$(
        $(#[$meta])*
        #[derive(Debug, clap::Args)]
        pub(super) struct $name {
            /// The case.
            #[arg(value_parser = case_id)]
            case: CaseId,
            #[command(flatten)]
            acting: Acting,
            $($(#[$field_meta])* $field: $kind,)*
        }
    )*};
}
use verbs;

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
    /// Print the desk's dates as an iCalendar file.
    Calendar(read::Calendar),
    /// Print what the document as received seems to say, with the place of each: proposals for whoever enters the demand.
    Reading(read::One),
    /// Print a letter, set it as a PDF, or draw one up; without its digest or kind, list those of the case file.
    Letter(letter::Letter),
    /// List what a release record names, object by object: what a reviewer signs.
    Objects(read::Objects),
    /// List the letters of every case that are not sent yet.
    Outbox,
    /// Record that a letter was sent.
    Sent(read::Sent),
    /// Print the docket's receipt for an event, for `amparo verify receipt`.
    Receipt(read::Receipt),
    /// Record that the requester was called back: on a registered number, or in words, by two people.
    Check(judge::Check),
    /// Look up the demand's subjects.
    Resolve(judge::Resolve),
    /// Record what was learned of a person, or what the controller said.
    Learn(judge::Learn),
    /// Apply the rulebook.
    Assess(judge::Assess),
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
    /// Record that this demand follows on an earlier one: corrected, in its place, or beside it.
    Link(further::Link),
    /// Freeze what there is now of the accounts named, where the law asks for it.
    Preserve(further::Preserve),
    /// End a snapshot; the desk does so by itself when its time is over.
    EndSnapshot(further::Thaw),
    /// Record that a decision on an objection was appealed (P11).
    Appeal(further::Appeal),
    /// Fill in the form of Annex III: why a European order is not executed.
    NotExecute(further::NotExecute),
    /// Record that a notice came back, or could not safely go that way (P9).
    NoticeFailed(further::NoticeFailed),
    /// Record that a notice arrived.
    NoticeServed(further::NoticeServed),
    /// Record what was done outside this system on a demand that is not for disclosure, as counsel.
    TakeMeasure(further::TakeMeasure),
    /// Record that a measure ended.
    EndMeasure(further::EndMeasure),
    /// Record what an emergency turned out to be, after a release in one.
    ReviewEmergency(further::ReviewEmergency),
    /// Record how a disclosure that should not have been was weighed as a breach.
    AssessBreach(further::AssessBreach),
    /// Ask the authority to pay what answering cost.
    ClaimCosts(further::ClaimCosts),
    /// Record how a claim for costs ended.
    SettleCosts(further::SettleCosts),
    /// Close the case.
    Close(act::Close),
    /// Take a closed case up again.
    Reopen(further::Reopen),
}

/// Runs the verb.
///
/// # Errors
/// When it could not be done, or the case does not allow it.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let deployment = args.place.deployment().await?;
    let desk = deployment.desk().clone();
    let format = args.place.format;
    let done = match args.verb {
        Verb::List(verb) => verb.run(&desk, format).await,
        Verb::Show(verb) => verb.show(&desk, format).await,
        Verb::Log(verb) => verb.log(&desk, format).await,
        Verb::Owed(verb) => verb.owed(&desk, format).await,
        Verb::Calendar(verb) => verb.run(&desk).await,
        Verb::Reading(verb) => verb.reading(&desk, format).await,
        Verb::Letter(verb) => verb.run(&desk, format).await,
        Verb::Objects(verb) => verb.run(&desk, format).await,
        Verb::Outbox => read::outbox(&desk, format).await,
        Verb::Sent(verb) => verb.run(&desk).await,
        Verb::Receipt(verb) => verb.run(&desk).await,
        Verb::Check(verb) => verb.run(&deployment, format).await,
        Verb::Resolve(verb) => verb.run(&desk, format).await,
        Verb::Learn(verb) => verb.run(&desk, format).await,
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
        Verb::Link(verb) => verb.run(&desk, format).await,
        Verb::Preserve(verb) => verb.run(&desk, format).await,
        Verb::EndSnapshot(verb) => verb.run(&desk, format).await,
        Verb::Appeal(verb) => verb.run(&desk, format).await,
        Verb::NotExecute(verb) => verb.run(&desk, format).await,
        Verb::NoticeFailed(verb) => verb.run(&desk, format).await,
        Verb::NoticeServed(verb) => verb.run(&desk, format).await,
        Verb::TakeMeasure(verb) => verb.run(&desk, format).await,
        Verb::EndMeasure(verb) => verb.run(&desk, format).await,
        Verb::ReviewEmergency(verb) => verb.run(&desk, format).await,
        Verb::AssessBreach(verb) => verb.run(&desk, format).await,
        Verb::ClaimCosts(verb) => verb.run(&desk, format).await,
        Verb::SettleCosts(verb) => verb.run(&desk, format).await,
        Verb::Close(verb) => verb.run(&desk, format).await,
        Verb::Reopen(verb) => verb.run(&desk, format).await,
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
    async fn id(&self, desk: &Desk) -> anyhow::Result<StaffId> {
        Ok(enrolled(desk, &self.who).await?.id)
    }

    /// As the event names them: counsel where that is their role.
    async fn actor(&self, desk: &Desk) -> anyhow::Result<Actor> {
        let person = enrolled(desk, &self.who).await?;
        Ok(if person.role == Role::Counsel.as_str() {
            Actor::Counsel(person.id)
        } else {
            Actor::Staff(person.id)
        })
    }
}

/// A person of the provider, named on the command line.
///
/// # Errors
/// When nobody of that name is enrolled, or they left, or they are not the provider's.
pub async fn enrolled(desk: &Desk, who: &str) -> anyhow::Result<PersonRow> {
    let id = StaffId::new(who)?;
    let person = desk.cases().person(&id).await?;
    let person = person.with_context(|| {
        format!("nobody is enrolled as `{id}`; `amparo staff list` shows who is, `amparo staff add` enrols")
    })?;
    ensure!(
        person.disabled_at.is_none(),
        "`{id}` no longer acts here; `amparo staff list` shows who does"
    );
    let outside = [Role::TenantAdmin, Role::Requester].map(Role::as_str);
    ensure!(
        !outside.contains(&person.role.as_str()),
        "`{id}` is enrolled as `{}`, who does no work at the desk; name one of the provider's people",
        person.role
    );
    Ok(person)
}

/// Reads a case's id.
///
/// # Errors
/// When it is none.
pub fn case_id(text: &str) -> Result<CaseId, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no case id; `amparo case list` shows them"))
}
