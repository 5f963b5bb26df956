//! The order of operations: stage, write, sign, cosign, publish. Each step is durable before the next begins, is found
//! again after a crash, and can be done twice with the same result.

use std::{future::Future, sync::Arc};

use store::docket::{Batch, DocketStore, DocketStoreError, EntryId, Signed};
use tokio::time::{MissedTickBehavior, interval};
use translog::{Checkpoint, entry::ENTRY_BYTES, note, tree::Edge};

use super::{
    Docket, DocketError, Result,
    fault::{Moment, Step},
    heads, random, witnesses,
};

impl Docket {
    /// Adds one batch every interval until `shutdown`. A failure is logged and made good at the next interval; while
    /// it lasts, nothing more is staged or published.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut ticks = interval(self.interval());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => return,
                _ = ticks.tick() => {}
            }
            // A step that has begun is finished: stopping within one is safe, but leaves work for the next start.
            if let Err(error) = self.step().await {
                tracing::error!(%error, "the docket has not published its batch and will try again");
            }
        }
    }

    /// Finishes what an earlier step left undone, then adds and publishes one batch. Gives the size published.
    ///
    /// # Errors
    /// When any step fails. What was done stays done; the next call goes on from there.
    pub async fn step(&self) -> Result<u64> {
        let mut edge = self.inner.edge.lock().await;
        let size = self.finish(&mut edge).await?;
        self.stage(size).await?;
        self.finish(&mut edge).await
    }

    /// Keeps a batch: the entries that have waited longest, at random places among filler, so that not even a
    /// receipt's index tells how many there were. The places kept for the heads of access ledgers are theirs alone.
    async fn stage(&self, start: u64) -> Result<()> {
        self.point(Step::Stage, Moment::Before).await?;
        let inner = &self.inner;
        let kept: Vec<u64> = match inner.heads.get() {
            Some(_) => heads::places(start, inner.config.batch).collect(),
            None => Vec::new(),
        };
        let made = self.make_heads(&kept).await?;
        let room = inner
            .config
            .batch
            .saturating_sub(u32::try_from(kept.len()).unwrap_or(u32::MAX));
        let waiting = inner
            .store
            .next_waiting(casework::record::ReleaseRecord::KIND, room)
            .await?;
        let (mut entries, places) = mix(start, inner.config.batch, &waiting, &kept)?;
        let mut sets = Vec::with_capacity(made.len());
        for made in made {
            let place = usize::try_from(made.kept.0.position.saturating_sub(start));
            if let Some(entry) = place.ok().and_then(|place| entries.get_mut(place)) {
                *entry = made.entry;
                sets.push(made.kept);
            }
        }
        inner
            .store
            .stage(&Batch { start, entries }, &places, &sets)
            .await?;
        self.point(Step::Stage, Moment::After).await
    }

    /// Does whatever the kept state says is not done. Gives the size published.
    async fn finish(&self, edge: &mut Option<Edge>) -> Result<u64> {
        let inner = &self.inner;
        let (mut newest, mut previous) = inner.store.newest().await?;
        let signed_size = newest.as_ref().map_or(0, |newest| newest.size);
        if let Some(batch) = inner
            .store
            .batch()
            .await?
            .filter(|batch| batch.end() > signed_size)
        {
            let signed = self.write_and_sign(edge, newest.as_ref(), batch).await?;
            previous = newest.replace(signed);
        }
        let Some(newest) = newest else { return Ok(0) };
        let before = previous.map_or(0, |previous| previous.size);
        let size = newest.size;
        if newest.published {
            // A crash may have come between publishing and this.
            self.sweep(before, size).await?;
            return Ok(size);
        }
        let witnessed = match newest.witnessed {
            Some(note) => note,
            None => self.cosign(&newest, before).await?,
        };
        self.publish(size, witnessed).await?;
        self.point(Step::Sweep, Moment::Before).await?;
        self.sweep(before, size).await?;
        self.point(Step::Sweep, Moment::After).await?;
        Ok(size)
    }

    /// Writes a batch's files, makes them durable, and only then signs.
    async fn write_and_sign(
        &self,
        edge: &mut Option<Edge>,
        newest: Option<&Signed>,
        batch: Batch,
    ) -> Result<Signed> {
        let inner = &self.inner;
        self.point(Step::Write, Moment::Before).await?;
        // Taken, so that whatever fails below leaves none, and the next attempt reads it again.
        let old = match edge.take() {
            Some(edge) if edge.size() == batch.start => edge,
            _ => load_edge(&inner.store, newest).await?,
        };
        if old.size() != batch.start {
            return Err(DocketError::Damaged(
                "the kept batch does not follow the tree that was signed".into(),
            ));
        }
        let appended = inner
            .store
            .with_files(move |files| {
                let appended = old
                    .append(&batch.entries)
                    .map_err(|e| DocketError::Damaged(e.to_string()))?;
                files.write(&appended.files).map_err(DocketStoreError::from)?;
                Ok::<Edge, DocketError>(appended.edge)
            })
            .await??;
        self.point(Step::Write, Moment::After).await?;
        self.point(Step::Sign, Moment::Before).await?;
        let key = &inner.config.key;
        let checkpoint = Checkpoint {
            origin: key.verifier().name().to_owned(),
            size: appended.size(),
            root: appended.root(),
        };
        let text = checkpoint.to_string();
        let signature = key
            .sign_text(&text)
            .ok_or(DocketError::Config("the docket's key is no log key"))?;
        let signed = note::format(&text, &[signature]);
        inner.store.keep_signed(checkpoint.size, &signed).await?;
        *edge = Some(appended);
        self.point(Step::Sign, Moment::After).await?;
        Ok(Signed {
            size: checkpoint.size,
            signed,
            witnessed: None,
            published: false,
        })
    }

    async fn cosign(&self, signed: &Signed, before: u64) -> Result<String> {
        self.point(Step::Cosign, Moment::Before).await?;
        let witnessed = witnesses::gather(self, signed, before).await?;
        self.inner.store.keep_witnessed(signed.size, &witnessed).await?;
        self.point(Step::Cosign, Moment::After).await?;
        Ok(witnessed)
    }

    async fn publish(&self, size: u64, witnessed: String) -> Result<()> {
        let inner = &self.inner;
        self.point(Step::Publish, Moment::Before).await?;
        let published = inner
            .store
            .with_files(move |files| files.publish(size, &witnessed))
            .await?;
        published.map_err(DocketStoreError::from)?;
        self.point(Step::Publish, Moment::After).await?;
        self.point(Step::Record, Moment::Before).await?;
        inner.store.keep_published(size).await?;
        inner.published.send_replace(size);
        self.point(Step::Record, Moment::After).await
    }

    async fn sweep(&self, before: u64, size: u64) -> Result<()> {
        let swept = self
            .inner
            .store
            .with_files(move |files| files.sweep(before, size))
            .await?;
        Ok(swept.map_err(DocketStoreError::from)?)
    }

    async fn point(&self, step: Step, moment: Moment) -> Result<()> {
        let faults = Arc::clone(&self.inner.config.faults);
        if faults.fails(step, moment).await {
            return Err(DocketError::Injected(step));
        }
        Ok(())
    }
}

/// Reads the edge of the tree signed last and checks that its root is the one signed.
pub(super) async fn load_edge(store: &DocketStore, newest: Option<&Signed>) -> Result<Edge> {
    let Some(newest) = newest else {
        return Ok(Edge::empty());
    };
    let damaged = |e: &dyn std::fmt::Display| DocketError::Damaged(e.to_string());
    let note = note::Note::parse(&newest.signed).map_err(|e| damaged(&e))?;
    let checkpoint = Checkpoint::parse(note.text()).map_err(|e| damaged(&e))?;
    let size = checkpoint.size;
    let edge = store
        .with_files(move |files| Edge::load(size, files))
        .await?
        .map_err(|e| damaged(&e))?;
    if size != newest.size || edge.root() != checkpoint.root {
        return Err(damaged(&"they do not give the root that was signed"));
    }
    Ok(edge)
}

type Mixed = (Vec<[u8; ENTRY_BYTES]>, Vec<(EntryId, u64)>);

/// `batch` random entries, with `waiting` at random places among them, but for those in `kept`.
fn mix(start: u64, batch: u32, waiting: &[(EntryId, [u8; ENTRY_BYTES])], kept: &[u64]) -> Result<Mixed> {
    let mut filler = vec![0; batch as usize * ENTRY_BYTES];
    random(&mut filler)?;
    let mut entries = filler.as_chunks::<ENTRY_BYTES>().0.to_vec();
    let mut draws = vec![0; waiting.len() * 8];
    random(&mut draws)?;
    let mut free: Vec<u32> = (0..batch)
        .filter(|place| !kept.contains(&start.saturating_add(u64::from(*place))))
        .collect();
    let mut places = Vec::with_capacity(waiting.len());
    for ((id, commitment), draw) in waiting.iter().zip(draws.as_chunks::<8>().0) {
        // 64 random bits over at most 2^16 places: the bias is below 2^-47.
        let place = free.swap_remove((u64::from_le_bytes(*draw) % free.len().max(1) as u64) as usize);
        if let Some(entry) = entries.get_mut(place as usize) {
            *entry = *commitment;
        }
        places.push((*id, start + u64::from(place)));
    }
    Ok((entries, places))
}
