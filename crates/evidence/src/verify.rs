//! Checking a package, from its bytes and a trust policy alone.
//!
//! One pass over the archive. Nothing is taken on trust: each header and padding byte is compared with the one form it
//! may have, each statement with its canonical bytes, each object with the commitment that two reviewers signed, and index
//! and manifest are made anew and compared. So every byte of an archive counts, and no changed one passes.

mod walk;

use std::io::{self, BufReader, Read};

use casework::{
    event::{Scope, approval_message},
    gate::TrustPolicy,
    ids::{CaseId, Digest, RecordId, StaffId},
    record::{OBJECTS_MAX, ReleaseRecord, ReleasedObject},
};
use jiff::Timestamp;
use serde::Serialize;
use translog::{included::Opened, proof::Receipt};

use crate::{
    check::{Check, Failure, NotProven, Point, Tally},
    custody::{self, Course, Custody},
    measure::Measure,
    name,
    pack::detail_fault,
    statement::{
        self, CHECKPOINT, CONTENTS, CUSTODY, Contents, Derived, INDEX_CSV, INDEX_JSON, MANIFEST, RECEIPT,
        RECEIPT_MAX, RECORD, STATEMENT_MAX,
    },
};
use walk::Walk;

/// Evidence that a package holds in every point. Only [`verify_package`] makes one.
#[derive(Debug)]
pub struct Proven {
    checks: Vec<Check>,
    facts: PackageFacts,
}

impl Proven {
    /// Every point, with the facts.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }
    /// What the package is.
    pub fn facts(&self) -> &PackageFacts {
        &self.facts
    }
}

/// What a proven package is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackageFacts {
    /// The case.
    pub case: CaseId,
    /// The requester's own reference.
    pub reference: Option<String>,
    /// SHA-256 of the demand as it arrived: compare it with your own copy.
    pub demand: Digest,
    /// When it arrived.
    pub received_at: Timestamp,
    /// The release record.
    pub record: RecordId,
    /// Its digest.
    pub record_digest: Digest,
    /// Who signed it.
    pub reviewers: Vec<StaffId>,
    /// Name of the recipient.
    pub recipient: String,
    /// The docket's origin.
    pub docket: String,
    /// The record's index in it.
    pub docket_index: u64,
    /// The witnesses that cosigned.
    pub witnesses: Vec<String>,
    /// When they had; absent where the policy asks for none.
    pub witnessed_at: Option<Timestamp>,
    /// Number of objects.
    pub objects: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Why the walk ended before the archive did.
enum Stop {
    Fail(Failure),
    Unread(io::Error),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Stop::Fail(failure)
    }
}

/// Checks a package in the clear. For the encrypted form, pass what [`crate::seal::open`] gives.
///
/// # Errors
/// [`NotProven::Disproved`] with every point and what is wrong; [`NotProven::Unread`] where reading failed for reasons
/// outside the file.
pub fn verify_package(reader: impl Read, policy: &TrustPolicy) -> Result<Proven, NotProven> {
    let mut tally = Tally::default();
    let mut walk = Walk {
        reader: BufReader::with_capacity(64 * 1024, reader),
        at: 0,
    };
    let facts = match walk_through(&mut walk, policy, &mut tally) {
        Ok(facts) => facts,
        Err(Stop::Fail(failure)) => {
            tally.failed(failure);
            None
        }
        Err(Stop::Unread(error)) => return Err(NotProven::Unread(error)),
    };
    let checks = tally.end().map_err(NotProven::Disproved)?;
    match facts {
        Some(facts) => Ok(Proven { checks, facts }),
        // Every point was proven, so the facts are known; this arm is for the compiler.
        None => Err(NotProven::Unread(io::ErrorKind::Other.into())),
    }
}

fn walk_through<R: Read>(
    walk: &mut Walk<R>,
    policy: &TrustPolicy,
    tally: &mut Tally,
) -> Result<Option<PackageFacts>, Stop> {
    let mut statements = Vec::new();
    let mut keep = |path: &str, bytes: &[u8]| statements.push((path.to_owned(), Measure::of(bytes)));

    let bytes = walk.statement(RECORD, STATEMENT_MAX)?;
    keep(RECORD, &bytes);
    let record: ReleaseRecord = canonical(RECORD, &bytes)?;
    let record_digest = record
        .digest()
        .map_err(|e| wrong(Point::Record, RECORD, e.to_string()))?;
    drop(bytes);

    let bytes = walk.statement(CUSTODY, STATEMENT_MAX)?;
    keep(CUSTODY, &bytes);
    let custody: Custody = canonical(CUSTODY, &bytes)?;
    drop(bytes);

    let receipt_bytes = walk.statement(RECEIPT, RECEIPT_MAX)?;
    keep(RECEIPT, &receipt_bytes);
    let receipt =
        Receipt::parse_bytes(&receipt_bytes).map_err(|e| wrong(Point::Logged, RECEIPT, e.to_string()))?;
    if receipt.to_string().as_bytes() != receipt_bytes {
        return Err(wrong(Point::Form, RECEIPT, "it is not in canonical form".to_owned()).into());
    }
    let checkpoint = walk.statement(CHECKPOINT, RECEIPT_MAX)?;
    keep(CHECKPOINT, &checkpoint);
    if checkpoint != receipt.checkpoint.as_bytes() {
        return Err(wrong(
            Point::Form,
            CHECKPOINT,
            "it is not the checkpoint in the receipt".to_owned(),
        )
        .into());
    }
    let bytes = walk.statement(CONTENTS, STATEMENT_MAX)?;
    keep(CONTENTS, &bytes);
    let contents: Contents = canonical(CONTENTS, &bytes)?;
    drop(bytes);

    let in_record = check_record(&record, &contents);
    note(tally, Point::Record, RECORD, &in_record);
    let course = custody::course(&custody, &record).and_then(|course| match course.logged_at {
        Some(index) if index != receipt.index => {
            Err("the case notes another docket index than the receipt".to_owned())
        }
        _ => Ok(course),
    });
    let said = course.as_ref().map(describe_course).map_err(Clone::clone);
    note(tally, Point::Custody, CUSTODY, &said);
    let reviewers = course.as_ref().ok().map(|course| {
        note(tally, Point::Scope, RECORD, &within_demand(&record, course));
        let approved = approved_by(&record_digest, course, policy);
        let said = approved
            .as_ref()
            .map(|people| signed_by(people))
            .map_err(Clone::clone);
        note(tally, Point::Approved, CUSTODY, &said);
        approved.unwrap_or_default()
    });
    note(
        tally,
        Point::Rulebook,
        RECORD,
        &rulebook_accepted(&record, policy),
    );
    let logged = logged(&record, &record_digest, &receipt, policy);
    let said = logged.as_ref().map(|l| l.said.clone()).map_err(Clone::clone);
    note(tally, Point::Logged, RECEIPT, &said);
    if in_record.is_err() {
        // Without it, what should follow is not known.
        return Ok(None);
    }

    let (prints, bytes) = walk_objects(walk, &record, &contents, tally)?;
    // Index and manifest name what the objects are; where one is altered they cannot but differ.
    let (Ok(course), false) = (course, tally.has_failed(Point::Unaltered)) else {
        return Ok(None);
    };
    let derived = Derived {
        record: &record,
        record_digest,
        contents: &contents,
        demand: course.demand_bytes,
        reference: course.demand.reference.clone(),
        objects: &prints,
    };
    let impossible =
        |path| move |_| Stop::from(wrong(Point::Index, path, "it cannot be made anew".to_owned()));
    let csv = derived
        .index_csv()
        .map_err(|_| wrong(Point::Index, INDEX_CSV, "it cannot be made anew".to_owned()))?;
    walk.same(INDEX_CSV, &csv)?;
    statements.push((INDEX_CSV.to_owned(), Measure::of(&csv)));
    let json = derived.index_json().map_err(impossible(INDEX_JSON))?;
    walk.same(INDEX_JSON, &json)?;
    statements.push((INDEX_JSON.to_owned(), Measure::of(&json)));
    let manifest = derived.manifest(&statements).map_err(impossible(MANIFEST))?;
    walk.same(MANIFEST, &manifest)?;
    tally.proven(
        Point::Index,
        format!("index and manifest name {} objects as they are", prints.len()),
    );
    walk.end()?;
    tally.proven(
        Point::Form,
        format!("{} bytes, each where and what it must be", walk.at),
    );
    tally.proven(
        Point::Complete,
        format!(
            "all {} objects of the record are here, and nothing else",
            record.objects.len()
        ),
    );
    let (Ok(logged), Some(reviewers)) = (logged, reviewers) else {
        return Ok(None);
    };
    Ok(Some(PackageFacts {
        case: record.case,
        reference: course.demand.reference,
        demand: course.demand_bytes,
        received_at: course.received_at,
        record: record.id,
        record_digest,
        reviewers,
        recipient: record.recipient.name.clone(),
        docket: logged.origin,
        docket_index: receipt.index,
        witnesses: logged.witnesses,
        witnessed_at: logged.witnessed_at,
        objects: record.objects.len(),
        bytes,
    }))
}

fn note(tally: &mut Tally, point: Point, path: &str, result: &Result<String, String>) {
    match result {
        Ok(said) => tally.proven(point, said.clone()),
        Err(reason) => tally.failed(wrong(point, path, reason.clone())),
    }
}

fn wrong(check: Point, path: &str, reason: String) -> Failure {
    Failure {
        check,
        object: None,
        path: Some(path.to_owned()),
        reason,
    }
}

fn canonical<T: Serialize + serde::de::DeserializeOwned>(path: &str, bytes: &[u8]) -> Result<T, Failure> {
    statement::read(bytes).map_err(|e| wrong(Point::Form, path, e.to_string()))
}

/// The record by itself, and whether the particulars fit it.
fn check_record(record: &ReleaseRecord, contents: &Contents) -> Result<String, String> {
    let objects = &record.objects;
    if objects.is_empty() || objects.len() > OBJECTS_MAX {
        return Err(format!(
            "it names {} objects; 1 to {OBJECTS_MAX} are allowed",
            objects.len()
        ));
    }
    if !objects.is_sorted_by(|a, b| a.object < b.object) {
        return Err("its objects are not in ascending order, each once".to_owned());
    }
    for object in objects {
        outside(record, object).map_or(Ok(()), |reason| Err(format!("object {} {reason}", object.object)))?;
    }
    if contents.objects.len() != objects.len() {
        return Err(format!(
            "{CONTENTS} describes {} objects, not {}",
            contents.objects.len(),
            objects.len()
        ));
    }
    for (object, detail) in objects.iter().zip(&contents.objects) {
        detail_fault(object.object, object.size, detail).map_or(Ok(()), |reason| {
            Err(format!("particulars of object {}: {reason}", object.object))
        })?;
    }
    let window = record.window.map_or_else(
        || "no window of time".to_owned(),
        |w| format!("{} up to {}", w.from, w.until),
    );
    let accounts: Vec<&str> = record
        .accounts
        .iter()
        .map(|a| a.account.as_str())
        .take(5)
        .collect();
    let more = record.accounts.len().saturating_sub(accounts.len());
    let more = if more == 0 {
        String::new()
    } else {
        format!(" and {more} more")
    };
    Ok(format!(
        "{} objects, all of {}{more}, {window}",
        objects.len(),
        accounts.join(", ")
    ))
}

fn outside(record: &ReleaseRecord, object: &ReleasedObject) -> Option<&'static str> {
    if !record.accounts.contains(&object.account) {
        Some("is of an account or region that the record does not name")
    } else if !record.categories.contains(&object.category) {
        Some("is of a category that the record does not name")
    } else if record
        .window
        .is_some_and(|window| !window.contains(object.concerns_at))
    {
        Some("lies outside the record's window of time")
    } else {
        None
    }
}

fn describe_course(course: &Course) -> String {
    format!(
        "{} events since the demand arrived on {}, each linked to the one before",
        course.length, course.received_at
    )
}

/// Record within demand, and within every narrowing.
fn within_demand(record: &ReleaseRecord, course: &Course) -> Result<String, String> {
    let claimed = Scope {
        accounts: record
            .accounts
            .iter()
            .map(|a| (a.tenant.clone(), a.account.clone()))
            .collect(),
        categories: record.categories.clone(),
        window: record.window,
    };
    let demand = &course.demand;
    let sweeping = demand
        .subjects
        .iter()
        .any(|s| matches!(s, casework::demand::Subject::Selector { .. }));
    let named = demand
        .subjects
        .iter()
        .filter(|s| !matches!(s, casework::demand::Subject::Selector { .. }))
        .count();
    if named == 0 || (sweeping && course.narrowed.is_empty()) {
        return Err("the demand does not name whom it is about".to_owned());
    }
    // A subject is one account, which may lie in several regions.
    let mut accounts: Vec<_> = claimed.accounts.iter().collect();
    accounts.sort();
    accounts.dedup();
    if accounts.len() > named {
        return Err(format!(
            "the record names {} accounts, the demand {named} subjects",
            accounts.len()
        ));
    }
    let asked = Scope {
        accounts: claimed.accounts.clone(),
        categories: demand.categories.clone(),
        window: demand.window,
    };
    claimed.within(&asked).map_err(|e| e.to_string())?;
    for scope in &course.narrowed {
        claimed.within(scope).map_err(|e| e.to_string())?;
    }
    let narrowed = match course.narrowed.len() {
        0 => "never narrowed".to_owned(),
        n => format!("narrowed {n} times, and within what was left"),
    };
    Ok(format!(
        "accounts, categories and window lie within the demand; {narrowed}"
    ))
}

/// The reviewers whose signatures count.
fn approved_by(record: &Digest, course: &Course, policy: &TrustPolicy) -> Result<Vec<StaffId>, String> {
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

fn signed_by(people: &[StaffId]) -> String {
    let names: Vec<String> = people.iter().map(|p| format!("`{p}`")).collect();
    format!(
        "signed by {}, none of whom entered the demand",
        names.join(" and ")
    )
}

fn rulebook_accepted(record: &ReleaseRecord, policy: &TrustPolicy) -> Result<String, String> {
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

struct Logged {
    origin: String,
    witnesses: Vec<String>,
    witnessed_at: Option<Timestamp>,
    said: String,
}

fn logged(
    record: &ReleaseRecord,
    digest: &Digest,
    receipt: &Receipt,
    policy: &TrustPolicy,
) -> Result<Logged, String> {
    let opened = Opened::verify(receipt, policy.docket()).map_err(|e| e.to_string())?;
    if opened.opening().kind != crate::RELEASE_KIND || opened.opening().digest != digest.0 {
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

/// Reads every object, in the record's order. Content that does not fit is noted and the walk goes on; anything that
/// breaks the archive's form stops it.
fn walk_objects<R: Read>(
    walk: &mut Walk<R>,
    record: &ReleaseRecord,
    contents: &Contents,
    tally: &mut Tally,
) -> Result<(Vec<Digest>, u64), Stop> {
    let mut prints = Vec::with_capacity(record.objects.len());
    let mut total = 0_u64;
    for (number, (object, detail)) in (1..).zip(record.objects.iter().zip(&contents.objects)) {
        let path = name::object_path(number, &detail.name);
        let print = walk.object(&path, object, detail)?;
        let opening = envelope::content::Opening::from_bytes(detail.opening.0);
        if envelope::content::verify_commitment(&opening, &print.content, &object.commitment.0).is_err() {
            tally.failed(Failure {
                check: Point::Unaltered,
                object: Some(object.object),
                path: Some(path),
                reason: "its content is not what was stored and approved".to_owned(),
            });
        }
        prints.push(print.sha256);
        total = total.saturating_add(object.size);
    }
    if !tally.has_failed(Point::Unaltered) {
        tally.proven(
            Point::Unaltered,
            format!(
                "{} objects, {total} bytes, each as it was when it was stored",
                prints.len()
            ),
        );
    }
    Ok((prints, total))
}
