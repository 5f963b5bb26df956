//! Which event may follow in a transfer, and who may record it.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{
    ACCOUNTS_MAX, Basis, Data, ITEMS_MAX, Opening, Stage, TEXT_MAX, Transfer, TransferBody, TransferRecord,
};
use crate::{case::NotNow, event::Actor, finding::Promise};

/// Longest time from drawing up a transfer's record to its expiry.
pub const RECORD_LIFETIME_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);

fn refuse(reason: impl Into<String>, hint: &'static str) -> Result<(), NotNow> {
    Err(NotNow {
        promise: Promise::P19,
        reason: reason.into(),
        hint,
    })
}

/// Whether a transfer may be opened so.
pub(super) fn opens(actor: &Actor, opening: &Opening) -> Result<(), NotNow> {
    if !matches!(actor, Actor::Staff(_) | Actor::Counsel(_)) {
        return refuse("a transfer is opened by a person", "sign in as staff");
    }
    if opening.from.region == opening.to.region {
        return refuse("the data lies in that region already", "name another region");
    }
    if opening.purpose.trim().is_empty() || opening.importer.name.trim().is_empty() {
        return refuse(
            "purpose and importer are not said",
            "say what for, and who receives it",
        );
    }
    if opening.categories.is_empty() {
        return refuse("no category of data is named", "name those that may be among it");
    }
    let unique: BTreeSet<_> = opening.categories.iter().collect();
    if unique.len() != opening.categories.len() {
        return refuse("a category is named twice", "name each once");
    }
    match &opening.data {
        Data::Accounts(accounts) if accounts.is_empty() || accounts.len() > ACCOUNTS_MAX => {
            return refuse(
                format!(
                    "it names {} accounts; one to {ACCOUNTS_MAX} move at once",
                    accounts.len()
                ),
                "name the accounts, or a bucket",
            );
        }
        Data::Bucket(name) if name.is_empty() => return refuse("it names no bucket", "name it"),
        _ => {}
    }
    short(&[&opening.purpose, &opening.importer.name])?;
    few(opening.importer.shown.len())
}

/// Whether the event may follow now.
pub(super) fn may(
    transfer: &Transfer,
    at: Timestamp,
    actor: &Actor,
    body: &TransferBody,
) -> Result<(), NotNow> {
    let stage = transfer.stage();
    still_on(stage, body)?;
    match body {
        TransferBody::Opened { .. } => refuse("it is open already", "open another transfer"),
        TransferBody::BasisStated { bases } => {
            by_person(actor)?;
            still_before(stage)?;
            if bases.is_empty() {
                return refuse("no basis is stated", "state one for each law that asks for one");
            }
            few(bases.len())?;
            let texts: Vec<&String> = bases
                .iter()
                .flat_map(|basis| match basis {
                    Basis::Clauses { reference, .. } => Some(reference),
                    Basis::BindingRules { approval, .. } => Some(approval),
                    Basis::Derogation { why, .. } => Some(why),
                    Basis::Adequacy { .. } => None,
                })
                .collect();
            if texts.iter().any(|text| text.trim().is_empty()) {
                return refuse(
                    "contract, approval or reason of a basis is not said",
                    "say where the contract is, which approval, or why the derogation holds",
                );
            }
            short(&texts)
        }
        TransferBody::Assessed { assessment } => {
            by_person(actor)?;
            still_before(stage)?;
            few(assessment.sources.len())?;
            short(&[
                &assessment.transfer,
                &assessment.tool,
                &assessment.law_explained,
                &assessment.procedure,
            ])
        }
        TransferBody::MeasuresTaken { measures } => {
            by_person(actor)?;
            still_before(stage)?;
            few(measures.len())?;
            short(&measures.iter().map(|measure| &measure.what).collect::<Vec<_>>())
        }
        TransferBody::Decided { reason, .. } => {
            still_before(stage)?;
            if !matches!(actor, Actor::Counsel(_)) {
                return refuse("only counsel decides what no rule does", "have counsel sign");
            }
            short(&[reason])
        }
        TransferBody::Proposed { record } => {
            still_before(stage)?;
            if stage == Stage::Done {
                return refuse("it is done", "open another transfer");
            }
            drawn_from(transfer, at, record)
        }
        TransferBody::Approved { record, reviewer, .. } => {
            if stage != Stage::AwaitingApproval || !transfer.is_drawn(*record) {
                return refuse(
                    "that record does not wait for signatures",
                    "draw up a record first",
                );
            }
            let opener = match transfer.opened_by() {
                Actor::Staff(id) | Actor::Counsel(id) => Some(id),
                _ => None,
            };
            if opener == Some(reviewer) {
                return refuse(
                    format!("`{reviewer}` opened the transfer, and so does not approve it"),
                    "have two others approve it",
                );
            }
            if transfer
                .approvals()
                .iter()
                .any(|approval| approval.reviewer == *reviewer)
            {
                return refuse(
                    format!("`{reviewer}` signed already"),
                    "have a second person sign",
                );
            }
            Ok(())
        }
        TransferBody::Logged { record, .. } => {
            if stage != Stage::AwaitingLog || !transfer.is_drawn(*record) {
                return refuse(
                    "that record is not ready for the docket",
                    "have two people approve it",
                );
            }
            by_program(actor)
        }
        TransferBody::Started { .. } => {
            if !matches!(stage, Stage::Ready | Stage::Running) {
                return refuse(
                    "the transfer has no approved record in the docket",
                    "state a basis, draw up the record, and have two people approve it",
                );
            }
            Ok(())
        }
        TransferBody::Progress { .. } | TransferBody::Verified { .. } | TransferBody::Done { .. } => {
            if stage != Stage::Running {
                return refuse("nothing is moving", "start the transfer");
            }
            by_program(actor)
        }
        TransferBody::Stopped { reason } => {
            if stage == Stage::Done {
                return refuse("it is done", "open a transfer back");
            }
            by_person(actor)?;
            short(&[reason])
        }
        TransferBody::Withdrawn { reason } => {
            if transfer.opening().mode.is_move() {
                return refuse(
                    "what was moved has no original elsewhere",
                    "open a transfer back, or delete the objects",
                );
            }
            if !transfer.has_moved() {
                return refuse("nothing was copied", "stop the transfer");
            }
            by_person(actor)?;
            short(&[reason])
        }
        TransferBody::CopyRemoved { .. } => {
            if stage != Stage::Withdrawing {
                return refuse("the copy was not given up", "withdraw it");
            }
            by_program(actor)
        }
        TransferBody::Lapsed { .. } => by_program(actor),
        TransferBody::Refused { record, .. } => {
            if !transfer.is_drawn(*record) {
                return refuse("that record is not the one on its way", "draw up a record");
            }
            by_program(actor)
        }
        TransferBody::Note { text } => short(&[text]),
    }
}

/// What may still be recorded once a transfer was stopped, or its copy given up.
fn still_on(stage: Stage, body: &TransferBody) -> Result<(), NotNow> {
    let remark = matches!(body, TransferBody::Note { .. } | TransferBody::Lapsed { .. });
    match (stage, body) {
        (Stage::Stopped, TransferBody::Withdrawn { .. })
        | (Stage::Withdrawing, TransferBody::CopyRemoved { .. }) => Ok(()),
        (Stage::Stopped, _) if !remark => refuse(
            "the transfer was stopped",
            "open another for what is left to move",
        ),
        (Stage::Withdrawing | Stage::Withdrawn, _) if !remark => {
            refuse("the copy was given up", "open another transfer for a new copy")
        }
        _ => Ok(()),
    }
}

/// The record says what the transfer says, as it now stands.
fn drawn_from(transfer: &Transfer, at: Timestamp, record: &TransferRecord) -> Result<(), NotNow> {
    const HINT: &str = "draw it up from the transfer as it stands";
    let opening = transfer.opening();
    let same = record.transfer == transfer.id()
        && record.chain_head == transfer.head()
        && record.chain_length == transfer.length()
        && record.tenant == opening.tenant
        && record.from == opening.from.region
        && record.to == opening.to.region
        && record.data == opening.data
        && record.mode == opening.mode
        && record.categories == opening.categories;
    if !same {
        return refuse("the record differs from the transfer", HINT);
    }
    if record.drawn_at > at || record.expires_at <= at {
        return refuse("the record is not drawn up now, or expired", HINT);
    }
    if record.drawn_at.duration_until(record.expires_at) > RECORD_LIFETIME_MAX {
        return refuse("the record lives longer than the 30 days that one may", HINT);
    }
    Ok(())
}

/// After the data moved, basis and assessment can still be made anew: the register judges by the last.
fn still_before(stage: Stage) -> Result<(), NotNow> {
    if stage == Stage::Running {
        return refuse("the data is moving", "wait until it is done, or stop it");
    }
    Ok(())
}

fn by_person(actor: &Actor) -> Result<(), NotNow> {
    match actor {
        Actor::Staff(_) | Actor::Counsel(_) => Ok(()),
        _ => refuse("only a person records this", "sign in as staff"),
    }
}

fn by_program(actor: &Actor) -> Result<(), NotNow> {
    match actor {
        Actor::System => Ok(()),
        _ => refuse("only the program itself records this", "leave it to the mover"),
    }
}

fn short(texts: &[&String]) -> Result<(), NotNow> {
    match texts.iter().find(|text| text.len() > TEXT_MAX) {
        Some(text) => refuse(
            format!("a text is {} bytes long; at most {TEXT_MAX} are kept", text.len()),
            "shorten it, and name the document",
        ),
        None => Ok(()),
    }
}

fn few(count: usize) -> Result<(), NotNow> {
    if count > ITEMS_MAX {
        return refuse(
            format!("{count} items; at most {ITEMS_MAX} are kept"),
            "name fewer",
        );
    }
    Ok(())
}
