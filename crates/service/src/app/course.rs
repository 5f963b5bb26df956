//! One step of a case: read the chain, plan the event, commit it with its docket entry and whatever goes with it.

use casework::{
    case::{Case, Step},
    chain::Chain,
    demand::NoticeTo,
    event::{Actor, Body, Event, Header},
    ids::{CaseId, Digest, RecordId},
    record::ReleaseRecord,
};
use jiff::Timestamp;
use store::cases::{CaseStoreError, Connection, NewLetter, PackageRow, Progress, StoredEvent};

use super::{
    APPEND_ATTEMPTS_MAX, Desk, DeskError, Result, letters::Letter, ports::PortError,
    preserving::nothing_needs_it,
};

/// One step as planned: a value, executed with nothing left to decide.
pub(crate) struct Plan {
    pub(super) actor: Actor,
    pub(super) body: Body,
    /// Letters that go out with it.
    pub(super) letters: Vec<Letter>,
    pub(super) also: Also,
}

impl Plan {
    pub(crate) fn new(actor: Actor, body: Body) -> Self {
        Self {
            actor,
            body,
            letters: Vec::new(),
            also: Also::Nothing,
        }
    }

    pub(super) fn with_letter(mut self, letter: Letter) -> Self {
        self.letters.push(letter);
        self
    }

    pub(super) fn also(mut self, also: Also) -> Self {
        self.also = also;
        self
    }
}

/// What else commits together with an event.
pub(crate) enum Also {
    Nothing,
    /// The record's commitment is put into the docket's queue.
    LogRecord {
        record: RecordId,
        digest: Digest,
    },
    /// The release ends, with its package or without one.
    EndRelease {
        record: RecordId,
        package: Option<PackageRow>,
    },
}

impl Desk {
    /// The verified chain of a case.
    pub(crate) async fn chain(&self, case: CaseId) -> Result<Chain> {
        let stored = self.parts.cases.events(case).await?;
        let events: std::result::Result<Vec<Event>, _> =
            stored.into_iter().map(StoredEvent::into_event).collect();
        Chain::verify(events?).map_err(|source| DeskError::Broken { case, source })
    }

    /// Plans one event on the chain as it is and commits it. When somebody else's event came first, plans again on the
    /// chain as it then is. `None` from the plan: nothing is to be recorded.
    pub(crate) async fn step(
        &self,
        case: CaseId,
        mut plan: impl FnMut(&Chain) -> Result<Option<Plan>>,
    ) -> Result<Option<Event>> {
        for _ in 0..APPEND_ATTEMPTS_MAX {
            let mut chain = self.whole_chain(case).await?;
            let Some(plan) = plan(&chain)? else {
                return Ok(None);
            };
            let event = chain.append(self.now(), plan.actor, self.salt()?, plan.body)?;
            let mut tx = self.parts.cases.begin().await?;
            match self
                .write(&mut tx, &chain, &event, &plan.letters, &plan.also)
                .await
            {
                Ok(()) => {
                    tx.commit().await.map_err(CaseStoreError::from)?;
                    self.tell_gate(&chain).await;
                    return Ok(Some(event));
                }
                // Dropping the transaction rolls it back; the next attempt sees the other's event.
                Err(DeskError::Contended { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Err(DeskError::Contended { case })
    }

    /// The verified chain of a case, which goes on from what the gate remembers of it, in a database of its own: one whose
    /// last events were cut off, and with them a gag, an objection or its rejection, is not worked on.
    pub(super) async fn whole_chain(&self, case: CaseId) -> Result<Chain> {
        // The gate is asked first: what it knows was durable before, so the chain read after must have it.
        let known = self.parts.gate.known(case).await?;
        let chain = self.chain(case).await?;
        match known {
            Some((length, head)) if !chain.continues(length, &head) => Err(DeskError::Cut { case, length }),
            _ => Ok(chain),
        }
    }

    /// The event is durable whether or not the gate hears of it; the next one tells it of both.
    pub(super) async fn tell_gate(&self, chain: &Chain) {
        if let Err(error) = self.told(chain).await {
            tracing::warn!(%error, case = %chain.case_id(), "the gate was not told how far a case has come");
        }
    }

    /// The last event alone, nearly always; the others too where the gate has not heard of them.
    async fn told(&self, chain: &Chain) -> std::result::Result<(), PortError> {
        let (gate, case) = (&self.parts.gate, chain.case_id());
        let last = chain.headers().last().cloned().into_iter().collect();
        if gate.observe(case, last).await.is_ok() {
            return Ok(());
        }
        let known = gate.known(case).await?.map_or(0, |(length, _)| length);
        let rest = chain.headers().filter(|header| header.seq >= known).cloned();
        gate.observe(case, rest.collect()).await
    }

    async fn write(
        &self,
        tx: &mut Connection,
        chain: &Chain,
        event: &Event,
        letters: &[Letter],
        also: &Also,
    ) -> Result<()> {
        let case = event.header.case;
        let entry = self
            .parts
            .docket
            .enqueue(tx, Header::KIND, event.header.hash()?)
            .await?;
        let progress = progress(chain, event.header.at);
        self.parts
            .cases
            .append(tx, event, self.nonce()?, Some(entry), &progress)
            .await?;
        self.keep_letters(tx, case, event.header.at, letters).await?;
        match also {
            Also::Nothing => {}
            Also::LogRecord { record, digest } => {
                if self.parts.cases.release(tx, *record).await?.is_none() {
                    let entry = self
                        .parts
                        .docket
                        .enqueue(tx, ReleaseRecord::KIND, *digest)
                        .await?;
                    self.parts.cases.log_release(tx, *record, case, entry).await?;
                }
            }
            Also::EndRelease { record, package } => {
                self.parts
                    .cases
                    .end_release(tx, *record, package.as_ref())
                    .await?;
            }
        }
        Ok(())
    }

    pub(super) async fn keep_letters(
        &self,
        tx: &mut Connection,
        case: CaseId,
        at: Timestamp,
        letters: &[Letter],
    ) -> Result<()> {
        for letter in letters {
            let form = letter.form.to_json()?;
            let new = NewLetter {
                case,
                kind: letter.kind.name(),
                text: &letter.text,
                form: &form,
                at,
            };
            let nonces = [self.nonce()?, self.nonce()?];
            self.parts.cases.keep_letter(tx, new, nonces).await?;
        }
        Ok(())
    }
}

/// What lists and the clock need to know, from the chain.
pub(super) fn progress(chain: &Chain, now: Timestamp) -> Progress {
    let case = chain.case();
    let file = case.file();
    let closed = matches!(case, Case::Closed(_));
    let told = file
        .notices()
        .iter()
        .filter(|notice| notice.to == NoticeTo::Tenant);
    Progress {
        stage: case.name().to_owned(),
        closed_at: closed.then(|| chain.last_at()),
        wake_at: if closed { None } else { wake_at(chain, now) },
        told: told.map(|notice| notice.tenant.clone()).collect(),
    }
}

/// When the desk must look at a case again by itself: at once where something of its own is undone, else at the next
/// end of a gag or date of the law.
fn wake_at(chain: &Chain, now: Timestamp) -> Option<Timestamp> {
    let case = chain.case();
    let file = case.file();
    let undone = is_unread(chain) || own_notice_owed(case, now) || nothing_needs_it(case);
    if undone || !case.fallen_due(now).is_empty() {
        return Some(now);
    }
    let gags = file
        .gags()
        .iter()
        .filter(|gag| !gag.is_lifted())
        .filter_map(|gag| file.gag_end(gag));
    let redirect = file.redirect();
    let answer = redirect.answer_by.filter(|_| redirect.answered.is_none());
    gags.chain(case.next_date(now)).chain(answer).min()
}

/// The bytes are kept, and nobody, the desk included, has tried to read them yet.
pub(super) fn is_unread(chain: &Chain) -> bool {
    matches!(chain.case(), Case::AwaitingParse(_))
        && !chain
            .events()
            .iter()
            .any(|event| matches!(event.body, Body::Unreadable { .. }))
}

/// A notice that only a gag held up: the desk sends it by itself once nothing forbids it (P9).
pub(super) fn own_notice_owed(case: &Case, now: Timestamp) -> bool {
    let barred_before = case
        .file()
        .notice_bars()
        .iter()
        .any(|bar| bar.to == NoticeTo::Tenant);
    case.owed(now).iter().any(|owed| match owed.step {
        Step::LateNotice => true,
        Step::Notify => barred_before,
        _ => false,
    })
}
