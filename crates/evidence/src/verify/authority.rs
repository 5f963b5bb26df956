//! Who vouches for a record: the reviewers who signed it, the rulebook it was judged under, the docket and its witnesses.

use casework::{
    event::approval_message,
    gate::TrustPolicy,
    ids::{Digest, StaffId},
    record::ReleaseRecord,
};
use jiff::Timestamp;
use translog::{included::Opened, proof::Receipt};

use crate::custody::Course;

/// The reviewers whose signatures count.
pub(super) fn approved_by(
    record: &Digest,
    course: &Course,
    policy: &TrustPolicy,
) -> Result<Vec<StaffId>, String> {
    let message = approval_message(record);
    let reviewers = policy.reviewers();
    let mut people: Vec<StaffId> = Vec::new();
    for (reviewer, signature) in &course.approvals {
        let key = reviewers.keys.get(reviewer);
        let counted = people
            .iter()
            .any(|p| p == reviewer || reviewers.keys.get(p) == key);
        if !reviewers.reviewer_signed(reviewer, &message, signature) {
            return Err(format!(
                "the signature of `{reviewer}` is not a known reviewer's over this record"
            ));
        }
        if course.entered_by.contains(reviewer) {
            return Err(format!(
                "`{reviewer}` entered the demand and signed its release too"
            ));
        }
        if !counted {
            people.push(reviewer.clone());
        }
    }
    if people.len() < 2 {
        return Err(format!("two different reviewers must sign; {} did", people.len()));
    }
    Ok(people)
}

/// The same, in words.
pub(super) fn signed_by(people: &[StaffId]) -> String {
    let names: Vec<String> = people.iter().map(|p| format!("`{p}`")).collect();
    format!(
        "signed by {}, none of whom entered the demand",
        names.join(" and ")
    )
}

/// The record's rulebook, where the policy accepts it.
pub(super) fn rulebook_accepted(record: &ReleaseRecord, policy: &TrustPolicy) -> Result<String, String> {
    let rulebook = &record.rulebook;
    if policy.rulebooks().contains(&rulebook.digest) {
        Ok(format!(
            "rulebook {}, law as of {}",
            rulebook.digest, rulebook.as_of
        ))
    } else {
        Err(format!(
            "rulebook {} is not one that the policy accepts",
            rulebook.digest
        ))
    }
}

/// Where and when the record was logged, and who saw it.
pub(super) struct Logged {
    pub(super) origin: String,
    pub(super) witnesses: Vec<String>,
    pub(super) witnessed_at: Option<Timestamp>,
    /// In words.
    pub(super) said: String,
}

/// The record's entry in the docket, under a checkpoint that the policy's witnesses cosigned before it expired.
pub(super) fn logged(
    record: &ReleaseRecord,
    digest: &Digest,
    receipt: &Receipt,
    policy: &TrustPolicy,
) -> Result<Logged, String> {
    let opened = Opened::verify(receipt, policy.docket()).map_err(|e| e.to_string())?;
    if opened.opening().kind != ReleaseRecord::KIND || opened.opening().digest != digest.0 {
        return Err("the receipt is for another entry than this record".to_owned());
    }
    let witnessed = opened.witnessed();
    let seconds = i64::try_from(witnessed.witnessed_at()).map_err(|e| e.to_string())?;
    let witnessed_at =
        Some(Timestamp::from_second(seconds).map_err(|e| e.to_string())?).filter(|_| seconds > 0);
    if witnessed_at.is_some_and(|at| at > record.expires_at) {
        return Err(format!(
            "the record expired on {}, before witnesses saw it logged",
            record.expires_at
        ));
    }
    let origin = witnessed.checkpoint().origin.clone();
    let witnesses: Vec<String> = witnessed
        .cosigners()
        .iter()
        .map(|(name, _)| name.clone())
        .collect();
    let seen = match &witnessed_at {
        Some(at) => format!("witnessed by {} on {at}", witnesses.join(", ")),
        None => "the policy asks for no witness".to_owned(),
    };
    let size = witnessed.checkpoint().size;
    let said = format!(
        "entry {} of `{origin}`, under its checkpoint of size {size}; {seen}",
        opened.index()
    );
    Ok(Logged {
        origin,
        witnesses,
        witnessed_at,
        said,
    })
}
