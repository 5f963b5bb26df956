//! The chain of custody as a package discloses it: every header, so that the chain verifies link by link, and the bodies
//! that the authority may see. Counsel's reasons, objections, notes and what the provider knows about a person stay
//! closed; their headers commit to them all the same. An event that bears on what was demanded cannot be closed: its
//! header says, under the chain's hash, that a package opens it.

use std::{borrow::Cow, collections::BTreeSet};

use casework::{
    chain::HeaderChain,
    demand::Demand,
    event::{Body, Event, Header, Scope},
    ids::{Digest, RecordId, StaffId},
    record::ReleaseRecord,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// `custody.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Custody {
    /// Always `amparo.custody/2`.
    pub schema: CustodySchema,
    /// From the first to the last when the package was made.
    pub events: Vec<CustodyEvent>,
}

/// The schema tag of [`Custody`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CustodySchema {
    /// Version 2: headers say which bodies must be open.
    #[serde(rename = "amparo.custody/2")]
    V2,
}

/// One event as disclosed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustodyEvent {
    /// Always there.
    pub header: Header,
    /// The body and the salt that opens the header's commitment to it; absent where it stays closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<Opened>,
}

/// An opened body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "form", rename_all = "snake_case", deny_unknown_fields)]
pub enum Opened {
    /// Here.
    Here {
        /// As in the event.
        salt: Digest,
        /// As in the event.
        body: Box<Body>,
    },
    /// It proposes the record in `record.json`, and is not written twice.
    ProposesRecord {
        /// As in the event.
        salt: Digest,
    },
}

/// Whether an authority that receives `record` sees an event's body: what it sent itself, how the demand was read, what
/// was narrowed ([`Body::is_disclosed`]), and the course of this very record.
pub fn discloses(body: &Body, record: RecordId) -> bool {
    match body {
        Body::Proposed { record: proposed } => proposed.id == record,
        Body::Approved { record: of, .. } | Body::Logged { record: of, .. } => *of == record,
        body => body.is_disclosed(),
    }
}

impl Custody {
    /// Closes the bodies that `record`'s recipient may not see.
    pub fn disclose(events: &[Event], record: &ReleaseRecord) -> Self {
        let events = events
            .iter()
            .map(|event| {
                let opened = match &event.body {
                    Body::Proposed { record: proposed } if **proposed == *record => {
                        Some(Opened::ProposesRecord { salt: event.salt })
                    }
                    body if discloses(body, record.id) => Some(Opened::Here {
                        salt: event.salt,
                        body: Box::new(body.clone()),
                    }),
                    _ => None,
                };
                CustodyEvent {
                    header: event.header.clone(),
                    opened,
                }
            })
            .collect();
        Self {
            schema: CustodySchema::V2,
            events,
        }
    }
}

/// What a chain of custody shows about a record.
#[derive(Debug)]
pub(crate) struct Course {
    /// Number of events.
    pub(crate) length: u64,
    /// When the demand arrived.
    pub(crate) received_at: Timestamp,
    /// SHA-256 of its bytes.
    pub(crate) demand_bytes: Digest,
    /// Who entered it or typed it in, where people did ([`Body::entered_by`]): never its reviewers.
    pub(crate) entered_by: BTreeSet<StaffId>,
    /// The demand as last read before the record was drawn up.
    pub(crate) demand: Demand,
    /// How often it was read; the last reading counts.
    pub(crate) readings: usize,
    /// Every narrowing of that last reading, in order.
    pub(crate) narrowed: Vec<Scope>,
    /// Approvals of the record: who, and the signature in base64.
    pub(crate) approvals: Vec<(StaffId, String)>,
    /// The docket index that the case noted for the record.
    pub(crate) logged_at: Option<u64>,
}

/// Replays the disclosed chain: links, commitments, nothing closed that must be open, and the record's place in it. Gives
/// the reason where it does not hold.
pub(crate) fn course(custody: &Custody, record: &ReleaseRecord) -> Result<Course, String> {
    let headers = custody.events.iter().map(|e| e.header.clone()).collect();
    let chain = HeaderChain::verify(headers).map_err(|e| e.to_string())?;
    let mut received = None;
    let mut entered_by = BTreeSet::new();
    let mut demand = None;
    let mut narrowed = Vec::new();
    let mut readings = 0_usize;
    let mut approvals = Vec::new();
    let mut logged_at = None;
    let mut proposed = false;
    let mut ended = None;
    for (event, seq) in custody.events.iter().zip(0_u64..) {
        let header = &event.header;
        if header.case != record.case {
            return Err("it is another case's".to_owned());
        }
        let (salt, body) = match &event.opened {
            None if header.disclosed => {
                return Err(format!(
                    "event {seq} is closed, and it is one that a package must open"
                ));
            }
            None => continue,
            Some(Opened::Here { salt, body }) => (salt, Cow::Borrowed(body.as_ref())),
            Some(Opened::ProposesRecord { salt }) => (
                salt,
                Cow::Owned(Body::Proposed {
                    record: Box::new(record.clone()),
                }),
            ),
        };
        chain.opens(seq, salt, &body).map_err(|e| e.to_string())?;
        entered_by.extend(body.entered_by(&header.actor).cloned());
        match body.as_ref() {
            Body::Received { bytes, .. } if seq == 0 => received = Some((header.at, *bytes)),
            Body::Received { .. } => return Err(format!("event {seq} receives the demand again")),
            Body::Withdrawn { .. } => ended = Some(format!("the requester withdrew it (event {seq})")),
            Body::Rejected { .. } => ended = Some(format!("the demand was rejected (event {seq})")),
            Body::Superseded { .. } => {
                return Err(format!("another demand took its place (event {seq})"));
            }
            Body::Reopened { .. } if proposed => {
                return Err(format!(
                    "event {seq} takes the case up again after the record was drawn up, so the record lapsed"
                ));
            }
            Body::Reopened { .. } => ended = None,
            Body::Parsed { .. } | Body::Narrowed { .. } if proposed => {
                return Err(format!(
                    "event {seq} changes what is covered after the record was drawn up, so the record lapsed"
                ));
            }
            // As in the case file: what was narrowed of one reading says nothing about the next.
            Body::Parsed { demand: read } => {
                demand = Some((**read).clone());
                readings = readings.saturating_add(1);
                narrowed.clear();
            }
            Body::Narrowed { scope, .. } => narrowed.push(scope.clone()),
            Body::Proposed { record: own } if **own == *record => {
                if seq != record.chain_length || header.prev != record.chain_head {
                    return Err("the record stands at another place in the chain than it names".to_owned());
                }
                proposed = true;
            }
            Body::Approved {
                record: of,
                reviewer,
                signature,
            } if proposed && *of == record.id => {
                approvals.push((reviewer.clone(), signature.clone()));
            }
            Body::Logged { record: of, index } if proposed && *of == record.id => logged_at = Some(*index),
            _ => {}
        }
    }
    if let Some(reason) = ended {
        return Err(reason);
    }
    let (received_at, demand_bytes) = received.ok_or("its first event does not show the demand's arrival")?;
    if !proposed {
        return Err("no event proposes this record".to_owned());
    }
    Ok(Course {
        length: chain.length(),
        received_at,
        demand_bytes,
        entered_by,
        demand: demand.ok_or("no event shows how the demand was read")?,
        readings,
        narrowed,
        approvals,
        logged_at,
    })
}
