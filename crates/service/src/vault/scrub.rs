//! Looking at everything that is stored, without opening any of it: what is missing, altered, or nobody's.
//!
//! It runs beside a vault that serves. What is replaced or deleted while it looks is no finding, and a blob that was just
//! written is no orphan before [`ORPHAN_AGE`].

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use casework::ids::{ObjectId, RegionId};
use envelope::chunked::sealed_len;
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::{
    blobs::{BlobError, BlobStore, Digesting, SealedDigest},
    vault::{KeptAfter, KeptObject, KeptPart},
};

use super::{Result, Vault, VaultError, error::store_failed, sweep::ORPHAN_AGE};

/// Blobs read side by side.
const IN_FLIGHT: usize = 4;
/// Bytes of a blob read at once.
const READ_BYTES: u64 = 1024 * 1024;

/// What to look at, and how.
#[derive(Debug, Clone, Default)]
pub struct ScrubOptions {
    /// One region alone.
    pub region: Option<RegionId>,
    /// Most bytes read from the stores in a second.
    pub bytes_per_second: Option<u64>,
    /// Delete orphans.
    pub repair_orphans: bool,
    /// Orphans younger than this are nobody's business yet; [`ORPHAN_AGE`] when absent.
    pub orphan_age: Option<Duration>,
}

/// Something is not as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Finding {
    /// A blob that a row names is not there.
    Missing {
        /// Where it should be.
        region: String,
        /// Its name.
        blob: String,
        /// Whose it is.
        object: ObjectId,
        /// The part's number.
        part: u32,
    },
    /// A blob, or an inline body, is not the bytes that were stored.
    Altered {
        /// Where it is.
        region: String,
        /// Its name; none for an inline body.
        blob: Option<String>,
        /// Whose it is.
        object: ObjectId,
        /// The part's number.
        part: u32,
        /// `length` or `digest`.
        differs: &'static str,
    },
    /// An object's row is without its body's, or with others than it should have.
    Torn {
        /// Where it lies.
        region: String,
        /// The object.
        object: ObjectId,
    },
    /// A part that belongs to no object and no upload.
    Stray {
        /// Its blob.
        blob: String,
        /// The object that is not there.
        object: ObjectId,
    },
    /// A blob that no row names.
    Orphan {
        /// The regions whose store it is in.
        regions: String,
        /// Its name.
        blob: String,
        /// Whether it was deleted.
        deleted: bool,
    },
}

/// What was looked at so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Objects.
    pub objects: u64,
    /// Blobs that rows name.
    pub blobs: u64,
    /// Bytes read from the stores.
    pub bytes: u64,
    /// Bodies without a digest: stored before digests were kept, and checked by their length alone.
    pub undigested: u64,
    /// Blobs of regions that this node does not serve, and did not look at.
    pub elsewhere: u64,
    /// Findings, orphans that were deleted apart.
    pub findings: u64,
    /// Orphans that were deleted.
    pub deleted: u64,
}

/// How far a scrub has come: give it back, and it goes on there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What was looked at.
    pub tally: Tally,
    objects_after: i64,
    objects_done: bool,
    #[serde(default)]
    blobs_after: KeptAfter,
    parts_done: bool,
    stores_done: usize,
    shards_done: u32,
}

/// What a scrub tells while it runs.
pub enum Told<'a> {
    /// Something is wrong.
    Finding(Finding),
    /// It came so far, and would go on here after a break.
    Progress(&'a Progress),
}

/// Spreads reading over time.
struct Pace {
    rate: Option<u64>,
    begun: Instant,
    read: AtomicU64,
}

impl Pace {
    async fn read(&self, bytes: u64) {
        let all = self
            .read
            .fetch_add(bytes, Ordering::Relaxed)
            .saturating_add(bytes);
        let Some(rate) = self.rate.filter(|rate| *rate > 0) else {
            return;
        };
        let due = Duration::from_secs_f64(all as f64 / rate as f64);
        tokio::time::sleep(due.saturating_sub(self.begun.elapsed())).await;
    }
}

/// What was seen of one blob.
enum Seen {
    Sound,
    Undigested,
    Elsewhere,
    Wrong(Finding),
}

impl Vault {
    /// Looks at everything, from where `progress` is on.
    ///
    /// # Errors
    /// When a store or the database cannot be read. What was found until then was told; `progress` says where to go on.
    pub async fn scrub(
        &self,
        options: &ScrubOptions,
        progress: &mut Progress,
        mut tell: impl FnMut(Told<'_>),
    ) -> Result<()> {
        let pace = Pace {
            rate: options.bytes_per_second,
            begun: Instant::now(),
            read: AtomicU64::new(0),
        };
        self.scrub_objects(options, progress, &mut tell).await?;
        self.scrub_parts(options, &pace, progress, &mut tell).await?;
        self.scrub_orphans(options, progress, &mut tell).await
    }

    async fn scrub_objects(
        &self,
        options: &ScrubOptions,
        progress: &mut Progress,
        tell: &mut impl FnMut(Told<'_>),
    ) -> Result<()> {
        while !progress.objects_done {
            let page = self.inner.store.kept_objects(progress.objects_after).await?;
            for object in &page {
                progress.objects_after = object.seq;
                if options.region.as_ref().is_some_and(|only| *only != object.region) {
                    continue;
                }
                progress.tally.objects += 1;
                let inline = object.inline.is_some();
                progress.tally.undigested += u64::from(inline && object.digest.is_none());
                if let Some(finding) = look_at(object)? {
                    progress.tally.findings += 1;
                    tell(Told::Finding(finding));
                }
            }
            progress.objects_done = page.is_empty();
            tell(Told::Progress(progress));
        }
        Ok(())
    }

    async fn scrub_parts(
        &self,
        options: &ScrubOptions,
        pace: &Pace,
        progress: &mut Progress,
        tell: &mut impl FnMut(Told<'_>),
    ) -> Result<()> {
        while !progress.parts_done {
            let mut after = progress.blobs_after.clone();
            let page = self.inner.store.kept_blobs(&mut after).await?;
            let before = pace.read.load(Ordering::Relaxed);
            let none_left = page.is_empty();
            let wanted = page.into_iter().filter(|part| {
                let other = |only: &RegionId| part.region.as_ref().is_some_and(|region| region != only);
                !options.region.as_ref().is_some_and(other)
            });
            let mut looks =
                stream::iter(wanted.map(|part| self.look_at_part(part, pace))).buffer_unordered(IN_FLIGHT);
            let mut seen = Vec::new();
            while let Some(look) = looks.next().await {
                seen.push(look?);
            }
            drop(looks);
            for seen in seen {
                progress.tally.blobs += 1;
                match seen {
                    Seen::Sound => {}
                    Seen::Undigested => progress.tally.undigested += 1,
                    Seen::Elsewhere => progress.tally.elsewhere += 1,
                    Seen::Wrong(finding) => {
                        progress.tally.findings += 1;
                        tell(Told::Finding(finding));
                    }
                }
            }
            progress.tally.bytes += pace.read.load(Ordering::Relaxed) - before;
            progress.parts_done = none_left;
            progress.blobs_after = after;
            tell(Told::Progress(progress));
        }
        Ok(())
    }

    async fn look_at_part(&self, part: KeptPart, pace: &Pace) -> Result<Seen> {
        let finding = match &part.region {
            None => Finding::Stray {
                blob: part.blob.to_string(),
                object: part.object,
            },
            Some(region) => {
                let Ok(blobs) = self.inner.blobs.of(region) else {
                    return Ok(Seen::Elsewhere);
                };
                match check_blob(&**blobs, &part, region, pace).await? {
                    Seen::Wrong(finding) => finding,
                    other => return Ok(other),
                }
            }
        };
        if self.inner.store.still_names(&part).await? {
            Ok(Seen::Wrong(finding))
        } else {
            Ok(Seen::Sound)
        }
    }

    async fn scrub_orphans(
        &self,
        options: &ScrubOptions,
        progress: &mut Progress,
        tell: &mut impl FnMut(Told<'_>),
    ) -> Result<()> {
        let age = options.orphan_age.unwrap_or(ORPHAN_AGE);
        for (number, (regions, blobs)) in self.inner.blobs.each().into_iter().enumerate() {
            if number < progress.stores_done {
                continue;
            }
            let wanted = options.region.as_ref();
            if wanted.is_none_or(|only| regions.is_empty() || regions.contains(&only)) {
                let names: Vec<_> = regions.iter().map(|region| region.as_str()).collect();
                let names = names.join(" ");
                for shard in progress.shards_done..blobs.shards() {
                    let old = blobs.list(shard, age).await?;
                    let orphans = self.inner.store.unreferenced(&old).await?;
                    let held = self.inner.store.blobs_held(Timestamp::now()).await?;
                    let delete = options.repair_orphans && !held;
                    for orphan in orphans {
                        if delete {
                            blobs.delete(orphan).await?;
                            progress.tally.deleted += 1;
                        } else {
                            progress.tally.findings += 1;
                        }
                        tell(Told::Finding(Finding::Orphan {
                            regions: names.clone(),
                            blob: orphan.to_string(),
                            deleted: delete,
                        }));
                    }
                    progress.shards_done = shard + 1;
                    tell(Told::Progress(progress));
                }
            }
            progress.stores_done = number + 1;
            progress.shards_done = 0;
        }
        Ok(())
    }
}

/// What an object's rows say by themselves.
fn look_at(object: &KeptObject) -> Result<Option<Finding>> {
    let region = object.region.to_string();
    let torn = Finding::Torn {
        region: region.clone(),
        object: object.id,
    };
    let altered = |differs| Finding::Altered {
        region: region.clone(),
        blob: None,
        object: object.id,
        part: 0,
        differs,
    };
    if object.parts > 0 {
        let whole = object.parts_there == object.parts && object.parts_size == object.size;
        return Ok((!whole).then_some(torn));
    }
    let Some(body) = &object.inline else {
        // A row of no size may be one that says that something was deleted.
        return Ok((object.size > 0).then_some(torn));
    };
    if body.len() as u64 != sealed_len(object.size).map_err(store_failed)? {
        return Ok(Some(altered("length")));
    }
    let same = object
        .digest
        .is_none_or(|digest| digest == SealedDigest::of(body));
    Ok((!same).then(|| altered("digest")))
}

async fn check_blob(blobs: &dyn BlobStore, part: &KeptPart, region: &RegionId, pace: &Pace) -> Result<Seen> {
    let altered = |differs| {
        Ok(Seen::Wrong(Finding::Altered {
            region: region.to_string(),
            blob: Some(part.blob.to_string()),
            object: part.object,
            part: part.number,
            differs,
        }))
    };
    let length = sealed_len(part.size).map_err(store_failed)?;
    // Without a digest its length is all there is to check, and comes with the first bytes.
    let wanted = if part.digest.is_some() { length } else { 0 };
    let reader = match blobs.open_for(part.blob, 0..wanted).await {
        Ok(reader) => reader,
        Err(BlobError::Missing { .. }) => {
            return Ok(Seen::Wrong(Finding::Missing {
                region: region.to_string(),
                blob: part.blob.to_string(),
                object: part.object,
                part: part.number,
            }));
        }
        Err(other) => return Err(other.into()),
    };
    if reader.len() != length {
        return altered("length");
    }
    let Some(digest) = part.digest else {
        return Ok(Seen::Undigested);
    };
    let mut digesting = Digesting::default();
    let mut offset = 0;
    let mut buffer = Vec::new();
    while offset < length {
        let next = READ_BYTES.min(length - offset);
        buffer.resize(usize::try_from(next).map_err(store_failed)?, 0);
        buffer = match reader.read_at(offset, buffer).await {
            Ok(read) => read,
            Err(BlobError::Short { .. }) => return altered("length"),
            Err(other) => return Err(VaultError::from(other)),
        };
        digesting.update(&buffer);
        offset += next;
        pace.read(next).await;
    }
    if digesting.finish() == digest {
        Ok(Seen::Sound)
    } else {
        altered("digest")
    }
}
