//! Pushing packages to authorities' systems (`DELIVER`), for those that take them: what the gate released, part after part in
//! sequence, each again until it was taken, over restarts.
//!
//! A part's identifier is its own for good, and it is noted as tried before it is sent. Where its answer was lost, it is sent
//! again under the same identifier, and that it exists there then means that it was taken. Before each part the case is read
//! anew, as it stands then.

use std::{future::Future, sync::Arc, time::Duration};

use casework::{
    event::{Actor, Body},
    ids::{CaseId, Digest, RecordId},
};
use hi1::{
    BYTES_MAX, Code, Failure, Message,
    message::{Action, Header, Outcome, Payload, Verb, Version},
    write,
};
use jiff::{SignedDuration, Timestamp};
use store::hi1::{Made, Push, PushState};
use tokio::{
    sync::Semaphore,
    time::{MissedTickBehavior, interval},
};
use uuid::Uuid;

use super::{
    Hi1, Peer, Trouble,
    amending::closed,
    giving::{Given, part_id},
    handing::{HandOver, hand_over},
    mirror::{self, Released},
    sending::{Destination, Unreached},
};
use crate::app::DeskError;

/// Most packages of one peer that one turn takes up.
const TURN_MAX: u32 = 50;
/// Most parts that are sent at once, to all peers together: each holds its part in memory.
const PARTS_AT_ONCE: usize = 8;
/// Wait after a first failure; it doubles with each further one.
const BACKOFF_MIN: SignedDuration = SignedDuration::from_mins(1);
/// Longest wait between two tries, and between two looks at what is held.
const BACKOFF_MAX: SignedDuration = SignedDuration::from_hours(1);
/// Failures in a row after which a push is given up: four days.
const FAILED_MAX: u64 = 100;
/// Longest quotation of what an authority's system said, in characters.
const QUOTED_CHARS_MAX: usize = 300;

/// Pushes packages. Cheap to clone.
#[derive(Clone)]
pub struct Pusher {
    face: Hi1,
    to: Arc<Vec<Option<Destination>>>,
    sending: Arc<Semaphore>,
}

/// What became of one part.
enum Sent {
    Taken,
    Refused(Failure),
    Unreached(Unreached),
}

impl Pusher {
    /// Over the face's peers; `to` has a place for each of them, and nothing for those that fetch.
    pub fn new(face: Hi1, to: Vec<Option<Destination>>) -> Self {
        Self {
            face,
            to: Arc::new(to),
            sending: Arc::new(Semaphore::new(PARTS_AT_ONCE)),
        }
    }

    /// Places of the peers that packages are pushed to.
    pub fn places(&self) -> impl Iterator<Item = usize> + use<> {
        let places: Vec<usize> = self
            .to
            .iter()
            .enumerate()
            .filter_map(|(place, to)| to.as_ref().map(|_| place))
            .collect();
        places.into_iter()
    }

    /// Pushes what is to be pushed to this peer now. Stops at the first failure to reach it.
    pub(super) async fn turn(&self, place: usize) -> Result<(), Trouble> {
        let (Some(peer), Some(Some(to))) = (self.face.parts.peers.get(place), self.to.get(place)) else {
            return Ok(());
        };
        let (name, store) = (peer.name(), self.face.store());
        for made in store.unpushed(&name, TURN_MAX).await? {
            store.begin_push(&name, &made, self.face.now()).await?;
        }
        for mut push in store.due_pushes(&name, self.face.now(), TURN_MAX).await? {
            match self.push(peer, to, &mut push).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(trouble) => {
                    // One that cannot be worked on keeps no other waiting.
                    tracing::error!(error = &trouble as &dyn std::error::Error, peer = %peer.endpoint, record = %push.made.record, "a package could not be pushed");
                    self.failed(peer, &mut push, None).await?;
                }
            }
        }
        Ok(())
    }

    /// Pushes one package as far as it goes. Gives whether the authority's system was there.
    async fn push(&self, peer: &Peer, to: &Destination, push: &mut Push) -> Result<bool, Trouble> {
        let Made { record, case, task } = push.made;
        loop {
            // Waited for before the case is read: what comes to the case while others are sent to stops this part, too.
            let _slot = self.sending.acquire().await;
            let events = self.face.desk().events(case).await?;
            if events.iter().any(|event| event.body.is_none()) {
                // Erased, between two looks.
                self.end(peer, push, PushState::Done).await?;
                return Ok(true);
            }
            let Some(stands) = hand_over(&events, record) else {
                // Not released: a package's row may be read a moment before the event that says so.
                self.look_again(peer, push).await?;
                return Ok(true);
            };
            let mirrored = mirror::of(&events);
            let released = mirrored.as_ref().map(|mirrored| mirrored.released.as_slice());
            let released = released.unwrap_or_default().iter();
            let Some(parts) = released
                .rev()
                .find(|released| released.record == record)
                .map(Released::parts)
            else {
                self.look_again(peer, push).await?;
                return Ok(true);
            };
            // What is there whole was delivered, whatever came after its last part.
            if push.taken >= parts && stands != HandOver::Was {
                return self.delivered(peer, push, parts).await.map(|()| true);
            }
            let against = match stands {
                HandOver::Was => {
                    self.end(peer, push, PushState::Done).await?;
                    return Ok(true);
                }
                HandOver::MayNot(why) => Some(why),
                HandOver::May => self.flagged(case, record).await?,
            };
            if let Some(why) = against {
                return self.hold(peer, push, why).await.map(|()| true);
            }
            self.face.deliveries(peer, case, task, mirrored.as_ref()).await?;
            match self.part(peer, to, push).await? {
                Sent::Taken => {
                    push.taken = push.taken.saturating_add(1);
                    (push.failed, push.since, push.state) = (0, None, PushState::Waiting);
                    self.keep(peer, push, self.face.now()).await?;
                }
                Sent::Refused(failure) => {
                    let said = format!(
                        "HI-1: the authority's system refused part {} of {parts} of the package of record {record}, with error {}: `{}`. It is \
                         not pushed again; it can still be fetched.",
                        push.taken.saturating_add(1),
                        failure.code,
                        quoted(&failure.description)
                    );
                    self.note(case, said).await?;
                    self.end(peer, push, PushState::Refused).await?;
                    return Ok(true);
                }
                Sent::Unreached(unreached) => {
                    self.failed(peer, push, Some(&unreached.reason)).await?;
                    return Ok(false);
                }
            }
        }
    }

    /// Sends the next part.
    async fn part(&self, peer: &Peer, to: &Destination, push: &mut Push) -> Result<Sent, Trouble> {
        let (number, record) = (push.taken, push.made.record);
        let id = part_id(record, number);
        let object = match self.face.get(peer, id, &mut Given::default()).await? {
            Ok(object) => object,
            Err(failure) => return Err(Trouble::Kept(failure.description)),
        };
        let transaction = transaction(id);
        let bytes = write::message(&Message {
            header: Header {
                sender: self.face.parts.us.clone(),
                receiver: peer.endpoint.clone(),
                transaction,
                timestamp: write::micro_moment(self.face.now()),
                version: Version {
                    etsi: hi1::ETSI_VERSION.to_owned(),
                    profile_owner: peer.endpoint.country.clone(),
                    profile: "v1.0".to_owned(),
                },
                workflow: None,
            },
            payload: Payload::Request(vec![Action {
                id: 0,
                verb: Verb::Deliver(id, object),
            }]),
            signature: None,
        })?;
        if bytes.len() > BYTES_MAX {
            return Err(Trouble::Kept("a part is larger than a message may be".to_owned()));
        }
        let known = push.tried > number;
        if !known {
            push.tried = number.saturating_add(1);
            self.keep(peer, push, self.face.now()).await?;
        }
        let answered = to.send(bytes).await.and_then(|answer| {
            self.read(peer, transaction, id, &answer)
                .map_err(|reason| Unreached {
                    reason,
                    may_be_there: true,
                })
        });
        if known && !matches!(&answered, Err(unreached) if !unreached.may_be_there) {
            push.again = push.again.saturating_add(1);
        }
        Ok(match answered {
            Ok(None) => Sent::Taken,
            // It went out before, and its answer did not come: it was taken then.
            Ok(Some(failure)) if known && failure.is(Code::Exists) => Sent::Taken,
            Ok(Some(failure)) if failure.is(Code::Transient) => Sent::Unreached(Unreached {
                reason: format!(
                    "it asks to try again later (error {}): `{}`",
                    failure.code,
                    quoted(&failure.description)
                ),
                may_be_there: true,
            }),
            Ok(Some(failure)) => Sent::Refused(failure),
            Err(unreached) => {
                if !known && !unreached.may_be_there {
                    push.tried = number;
                }
                Sent::Unreached(unreached)
            }
        })
    }

    /// What an answer says of our part: taken, or refused and why.
    fn read(
        &self,
        peer: &Peer,
        transaction: Uuid,
        id: Uuid,
        answer: &[u8],
    ) -> Result<Option<Failure>, String> {
        let message =
            hi1::parse(answer).map_err(|_| "its answer is no message of the standard".to_owned())?;
        let Header {
            sender,
            receiver,
            transaction: repeated,
            ..
        } = &message.header;
        if let Payload::Refused(failure) = message.payload {
            return Ok(Some(failure));
        }
        if *sender != peer.endpoint || *receiver != self.face.parts.us || *repeated != transaction {
            return Err("its answer is one to another message".to_owned());
        }
        let Payload::Response(mut answers) = message.payload else {
            return Err("its answer is no answer".to_owned());
        };
        match (answers.pop(), answers.is_empty()) {
            (Some(answer), true) if answer.id == 0 => match answer.outcome {
                Outcome::Delivered(delivered) if delivered == id => Ok(None),
                Outcome::Failed(failure) => Ok(Some(failure)),
                _ => Err("its answer is one to another action".to_owned()),
            },
            _ => Err("its answer does not answer the one action".to_owned()),
        }
    }

    /// Something that somebody must look at before the package is handed over.
    async fn flagged(&self, case: CaseId, record: RecordId) -> Result<Option<&'static str>, Trouble> {
        let package = match self.face.desk().package(case, record).await {
            Ok(package) => package,
            Err(DeskError::NotFound { .. }) => return Ok(Some("the package cannot be read")),
            Err(error) => return Err(error.into()),
        };
        let flagged = !package.flags.is_empty() || package.more_flags > 0;
        Ok(flagged
            .then_some("the package holds documents that somebody should look at before it is handed over"))
    }

    async fn delivered(&self, peer: &Peer, push: &mut Push, parts: u64) -> Result<(), Trouble> {
        let again = match push.again {
            0 => String::new(),
            again => format!("; {again} times a part was sent again, for its answer had not come"),
        };
        let how =
            format!("HI-1: delivered to the authority's system, which took each of {parts} parts{again}");
        let Made { record, case, .. } = push.made;
        match self.face.desk().deliver(case, Actor::System, record, &how).await {
            Ok(()) => {}
            // Another way was quicker, or another release is being handed over: what was done is said all the same.
            Err(DeskError::NotNow { .. }) => self.note(case, format!("{how}, for record {record}")).await?,
            Err(error) => return Err(error.into()),
        }
        self.end(peer, push, PushState::Done).await
    }

    /// Nothing is sent while this stands; the case says so once.
    async fn hold(&self, peer: &Peer, push: &mut Push, why: &str) -> Result<(), Trouble> {
        if push.state != PushState::Held {
            let record = push.made.record;
            let unknown = match push.tried > push.taken {
                true => "; whether one more was is not known, for its answer did not come",
                false => "",
            };
            let text = format!(
                "HI-1: the package of record {record} is not pushed on to the authority's system: {why}. {} parts of it were taken{unknown}.",
                push.taken
            );
            self.note(push.made.case, text).await?;
            push.state = PushState::Held;
        }
        self.look_again(peer, push).await
    }

    async fn look_again(&self, peer: &Peer, push: &Push) -> Result<(), Trouble> {
        let wait = if push.state == PushState::Held {
            BACKOFF_MAX
        } else {
            BACKOFF_MIN
        };
        self.keep(peer, push, later(self.face.now(), wait)).await
    }

    /// Waits longer after each failure in a row; the case says when they began, and when it is given up.
    async fn failed(&self, peer: &Peer, push: &mut Push, reason: Option<&str>) -> Result<(), Trouble> {
        let now = self.face.now();
        let Made { record, case, .. } = push.made;
        push.failed = push.failed.saturating_add(1);
        push.state = PushState::Waiting;
        let since = *push.since.get_or_insert(now);
        if push.failed >= FAILED_MAX {
            self.note(case, format!(
                "HI-1: the package of record {record} is not pushed any more: since {since} it failed {} times. It can still be fetched.",
                push.failed
            ))
            .await?;
            return self.end(peer, push, PushState::Refused).await;
        }
        if push.failed == 1 {
            let reason = reason.map_or_else(|| "it cannot be read here".to_owned(), quoted);
            self.note(case, format!(
                "HI-1: the package of record {record} could not be pushed to the authority's system: {reason}. It is tried again until it is taken, \
                 or given up after {FAILED_MAX} tries."
            ))
            .await?;
        }
        if let Some(reason) = reason {
            tracing::warn!(peer = %peer.endpoint, failed = push.failed, reason, "an authority's system did not take a package");
        }
        self.keep(peer, push, later(now, backoff(push.failed))).await
    }

    async fn end(&self, peer: &Peer, push: &mut Push, state: PushState) -> Result<(), Trouble> {
        push.state = state;
        self.keep(peer, push, self.face.now()).await
    }

    async fn keep(&self, peer: &Peer, push: &Push, next_at: Timestamp) -> Result<(), Trouble> {
        Ok(self.face.store().keep_push(&peer.name(), push, next_at).await?)
    }

    /// A closed case takes none.
    async fn note(&self, case: CaseId, text: String) -> Result<(), Trouble> {
        let noted = self
            .face
            .desk()
            .record(case, Actor::System, Body::Note { text })
            .await;
        noted.map(|_| ()).map_err(Trouble::from).or_else(closed)
    }
}

/// Pushes to one peer again and again, until told.
pub async fn keep_pushing(pusher: Pusher, place: usize, every: Duration, told: impl Future<Output = ()>) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(told);
    loop {
        let turn = async {
            ticks.tick().await;
            if let Err(trouble) = pusher.turn(place).await {
                tracing::error!(
                    error = &trouble as &dyn std::error::Error,
                    "packages could not be pushed"
                );
            }
        };
        tokio::select! {
            () = &mut told => return,
            () = turn => {}
        }
    }
}

fn later(now: Timestamp, wait: SignedDuration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

fn backoff(failed: u64) -> SignedDuration {
    let doublings = u32::try_from(failed.saturating_sub(1))
        .unwrap_or(u32::MAX)
        .min(10);
    BACKOFF_MIN.saturating_mul(1 << doublings).min(BACKOFF_MAX)
}

/// What somebody else said, as a case may have it.
fn quoted(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(QUOTED_CHARS_MAX)
        .collect()
}

/// The same for the same part, however often it is sent.
fn transaction(part: Uuid) -> Uuid {
    let digest = Digest::of(&[b"amparo/hi1/transaction/v1\n", part.as_bytes()]);
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(digest.0) {
        *to = from;
    }
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
