//! What a verifier says: a list of points, each proven, failed or not reached, with the facts in words.

use std::{fmt, io};

use casework::{finding::Promise, ids::ObjectId};
use serde::Serialize;

/// Most failures that one report names. Further ones are counted.
pub const FAILURES_MAX: usize = 100;

/// One thing a package must show, in the order in which it is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    /// The container and each statement in it have their one canonical form, to the last byte.
    Form,
    /// The record is well-formed: every object lies in the record's own accounts, categories and window.
    Record,
    /// The case's events form one chain, and the record stands in it at the place it names.
    Custody,
    /// The record stays within what was demanded, and within what was left after narrowing.
    Scope,
    /// Two reviewers of the policy signed the record, neither of them the one who entered the demand.
    Approved,
    /// The record was judged under a rulebook that the policy accepts.
    Rulebook,
    /// The record is in the public docket, under a checkpoint that enough witnesses cosigned, before it expired.
    Logged,
    /// Each object is, byte for byte, the one stored: its content fits the commitment made at storage.
    Unaltered,
    /// Nothing is missing and nothing is added.
    Complete,
    /// Index and manifest say what the objects are.
    Index,
}

impl Point {
    /// All points, in order.
    pub const ALL: [Point; 10] = [
        Point::Form,
        Point::Record,
        Point::Custody,
        Point::Scope,
        Point::Approved,
        Point::Rulebook,
        Point::Logged,
        Point::Unaltered,
        Point::Complete,
        Point::Index,
    ];

    /// The promise to the customer, or the use to the court, that it serves.
    pub fn promise(self) -> Promise {
        match self {
            Point::Form | Point::Custody | Point::Unaltered | Point::Index => Promise::P14,
            Point::Record | Point::Scope | Point::Complete => Promise::P13,
            Point::Approved => Promise::P7,
            Point::Rulebook => Promise::P5,
            Point::Logged => Promise::P4,
        }
    }

    /// As a person would say it.
    pub fn title(self) -> &'static str {
        match self {
            Point::Form => "canonical form",
            Point::Record => "record holds together",
            Point::Custody => "chain of custody",
            Point::Scope => "within the demand",
            Point::Approved => "authorised by two",
            Point::Rulebook => "rulebook accepted",
            Point::Logged => "logged and witnessed",
            Point::Unaltered => "objects unaltered",
            Point::Complete => "nothing missing or added",
            Point::Index => "index and manifest agree",
        }
    }
}

/// What came of one point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Shown.
    Proven,
    /// Shown to be false.
    Failed,
    /// Not looked at, because an earlier point failed.
    NotReached,
}

/// One point and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Which point.
    pub check: Point,
    /// The promise it serves.
    pub promise: Promise,
    /// What came of it.
    pub outcome: Outcome,
    /// The facts, in words; empty where not reached.
    pub detail: String,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The point that fails.
    pub check: Point,
    /// The object, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectId>,
    /// The entry of the package, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.check.title())?;
        if let Some(path) = &self.path {
            write!(f, "`{path}`")?;
            match self.object {
                Some(object) => write!(f, " (object {object}): ")?,
                None => f.write_str(": ")?,
            }
        }
        f.write_str(&self.reason)
    }
}

/// A package was checked and does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{}", self.summary())]
pub struct Disproved {
    /// Every point, with what came of it.
    pub checks: Vec<Check>,
    /// What is wrong, at most [`FAILURES_MAX`].
    pub failures: Vec<Failure>,
    /// Failures beyond those named.
    pub further: u64,
}

impl Disproved {
    fn summary(&self) -> String {
        self.failures
            .first()
            .map_or_else(|| "disproved".to_owned(), Failure::to_string)
    }
}

/// Why a check did not end in proof.
#[derive(Debug, thiserror::Error)]
pub enum NotProven {
    /// It was checked and is wrong.
    #[error(transparent)]
    Disproved(Box<Disproved>),
    /// It could not be read, for a reason that lies outside its bytes.
    #[error("could not read it to the end: {0}")]
    Unread(#[source] io::Error),
}

/// Whether a read failed because of what the bytes are (altered, cut off) rather than because reading failed.
pub(crate) fn blames_bytes(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
    )
}

/// The points checked so far and what was found.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    proven: Vec<(Point, String)>,
    failures: Vec<Failure>,
    further: u64,
}

impl Tally {
    /// Notes that a point holds.
    pub(crate) fn proven(&mut self, point: Point, detail: impl Into<String>) {
        self.proven.push((point, detail.into()));
    }

    /// Notes a failure; the check goes on.
    pub(crate) fn failed(&mut self, failure: Failure) {
        if self.failures.len() < FAILURES_MAX {
            self.failures.push(failure);
        } else {
            self.further += 1;
        }
    }

    /// Whether a point has failed.
    pub(crate) fn has_failed(&self, point: Point) -> bool {
        self.failures.iter().any(|f| f.check == point)
    }

    /// Ends the check: every point with its outcome, and the failures, if any.
    pub(crate) fn end(self) -> Result<Vec<Check>, Box<Disproved>> {
        let checks: Vec<Check> = Point::ALL
            .into_iter()
            .map(|point| {
                let failed = self.failures.iter().find(|f| f.check == point);
                let proven = self.proven.iter().find(|(p, _)| *p == point);
                let (outcome, detail) = match (failed, proven) {
                    (Some(failure), _) => (Outcome::Failed, failure.reason.clone()),
                    (None, Some((_, detail))) => (Outcome::Proven, detail.clone()),
                    (None, None) => (Outcome::NotReached, String::new()),
                };
                Check {
                    check: point,
                    promise: point.promise(),
                    outcome,
                    detail,
                }
            })
            .collect();
        if checks.iter().all(|c| c.outcome == Outcome::Proven) {
            Ok(checks)
        } else {
            Err(Box::new(Disproved {
                checks,
                failures: self.failures,
                further: self.further,
            }))
        }
    }
}
