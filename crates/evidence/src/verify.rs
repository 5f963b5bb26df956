//! Checking a package, from its bytes and a trust policy alone.
//!
//! One pass over the archive. Nothing is taken on trust: each header and padding byte is compared with the one form it
//! may have, each statement with its canonical bytes, each object with the commitment that two reviewers signed, and index
//! and manifest are made anew and compared. So every byte of an archive counts, and no changed one passes.

mod authority;
mod scope;
mod walk;

use std::io::{self, BufReader, Read};

use casework::{
    gate::TrustPolicy,
    ids::{CaseId, Digest, RecordId, StaffId},
    record::ReleaseRecord,
};
use jiff::Timestamp;
use serde::Serialize;
use translog::proof::Receipt;

use crate::{
    check::{Check, Failure, NotProven, Point, Tally},
    custody::{self, Course, Custody},
    measure::Measure,
    name,
    statement::{
        self, CHECKPOINT, CONTENTS, CUSTODY, Contents, Derived, INDEX_CSV, INDEX_JSON, MANIFEST, RECEIPT,
        RECEIPT_MAX, RECORD, STATEMENT_MAX,
    },
};
use authority::{approved_by, logged, rulebook_accepted, signed_by};
use scope::{check_record, within_demand};
use walk::Walk;

/// Evidence that a package holds in every point. Only [`verify_package`] makes one.
#[derive(Debug)]
pub struct Proven {
    checks: Vec<Check>,
    facts: PackageFacts,
    not_shown: String,
}

/// What no package shows.
const NEVER_SHOWN: &str = "names and media types of objects are the provider's own statement";

impl Proven {
    /// Every point, with the facts.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }
    /// What the package is.
    pub fn facts(&self) -> &PackageFacts {
        &self.facts
    }
    /// What it does not show, in words: what its recipient takes the provider's word for.
    pub fn not_shown(&self) -> &str {
        &self.not_shown
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
        Some((facts, looked_up)) => Ok(Proven {
            checks,
            facts,
            not_shown: [Some(NEVER_SHOWN.to_owned()), looked_up]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join("; "),
        }),
        // Every point was proven, so the facts are known; this arm is for the compiler.
        None => Err(NotProven::Unread(io::ErrorKind::Other.into())),
    }
}

/// The facts, and which accounts are the demand's by look-up alone; `None` where a failure was noted on the way.
fn walk_through<R: Read>(
    walk: &mut Walk<R>,
    policy: &TrustPolicy,
    tally: &mut Tally,
) -> Result<Option<(PackageFacts, Option<String>)>, Stop> {
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
    let judged = course.as_ref().ok().map(|course| {
        let within = within_demand(&record, course);
        let said = within.as_ref().map(|w| w.said.clone()).map_err(Clone::clone);
        note(tally, Point::Scope, RECORD, &said);
        let approved = approved_by(&record_digest, course, policy);
        let said = approved
            .as_ref()
            .map(|people| signed_by(people))
            .map_err(Clone::clone);
        note(tally, Point::Approved, CUSTODY, &said);
        (
            approved.unwrap_or_default(),
            within.ok().and_then(|w| w.looked_up),
        )
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
    let (Ok(logged), Some((reviewers, looked_up))) = (logged, judged) else {
        return Ok(None);
    };
    let facts = PackageFacts {
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
    };
    Ok(Some((facts, looked_up)))
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

fn describe_course(course: &Course) -> String {
    format!(
        "{} events since the demand arrived on {}, each linked to the one before",
        course.length,
        course.received_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    )
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
