//! The release: docket, gate, package. Each step is durable before the next begins, and calling it again after any
//! failure goes on where it stopped, or says that a new record is needed. Nothing can be fetched before the event that
//! says it was released is committed.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use casework::{
    case::Case,
    chain::Chain,
    event::{Actor, Body, PackageFlag},
    finding::Promise,
    ids::{CaseId, Digest, ObjectId, RecordId},
    record::ReleaseRecord,
};
use envelope::keys::ObjectKey;
use store::cases::{CaseStoreError, PackageRow, ReleaseRow, Sealed};

use flagging::Flags;

use super::{
    DOCKET_PATIENCE, Desk, DeskError, Result,
    course::{Also, Plan},
    faults::{Step, When},
    ports::{GateAnswer, GateRequest, Issued},
    proposing::no_record,
};

mod flagging;
mod package;

/// A package that may be fetched: encrypted to its recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageRef {
    /// The record it answers.
    pub record: RecordId,
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// What somebody must know of it before it is handed over.
    pub flags: Vec<PackageFlag>,
    /// How many flags there were more.
    pub more_flags: u64,
}

/// One caller at a time releases a record; the gate would refuse the second anyway, and leave a refusal in the case.
struct Turn<'a> {
    desk: &'a Desk,
    record: RecordId,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.desk.turns().remove(&self.record);
    }
}

impl Desk {
    /// Releases an approved record: waits for the docket, presents everything to the gate, builds the package. Done
    /// twice, it answers the same. The package is encrypted to the record's recipient; nobody here can read it.
    ///
    /// # Errors
    /// [`DeskError::NotLogged`] until the docket has the record; [`DeskError::GateRefused`] with the promise that the
    /// gate named, which is recorded in the case; [`DeskError::UsedUp`] when a new record is needed.
    pub async fn release(&self, case: CaseId, record: RecordId) -> Result<PackageRef> {
        let _turn = self.take_turn(record)?;
        let chain = self.chain(case).await?;
        let drawn = chain
            .case()
            .file()
            .drawn(record)
            .ok_or_else(|| no_record(record))?;
        if drawn.released.is_some() {
            return self.package(case, record).await;
        }
        let release = self.logged_release(&chain, record).await?;
        if let Some(sealed) = release.package {
            return self.finish(case, record, &sealed).await;
        }
        let issued = self.await_docket(record, release.docket_entry).await?;
        let chain = self.note_logged(case, record, &issued).await?;
        let keys = self.open_keys(&chain, record, &issued).await?;
        let drawn = chain
            .case()
            .file()
            .drawn(record)
            .ok_or_else(|| no_record(record))?;

        self.fault(Step::WritePackage, When::Before).await?;
        let sealed = self.write_package(&chain, &drawn.record, issued, &keys).await?;
        drop(keys);
        self.fault(Step::WritePackage, When::After).await?;

        self.fault(Step::SealPackage, When::Before).await?;
        self.parts.cases.package_sealed(record, &sealed).await?;
        self.fault(Step::SealPackage, When::After).await?;
        self.finish(case, record, &sealed).await
    }

    /// A finished package.
    ///
    /// # Errors
    /// [`DeskError::NotFound`] when nothing was released under that record.
    pub async fn package(&self, case: CaseId, record: RecordId) -> Result<PackageRef> {
        let row = self.parts.cases.package(case, record).await?;
        let chain = self.chain(case).await?;
        let drawn = chain.case().file().drawn(record);
        let (flags, more_flags) = drawn
            .map(|drawn| (drawn.flags.clone(), drawn.more_flags))
            .unwrap_or_default();
        Ok(PackageRef {
            flags,
            more_flags,
            record,
            path: self.parts.packages.join(row.path),
            digest: row.digest,
            size: row.size,
        })
    }

    /// Records that a package was handed over.
    ///
    /// # Errors
    /// [`DeskError::NotNow`] when no package of that record waits for it.
    pub async fn deliver(&self, case: CaseId, actor: Actor, record: RecordId, how: &str) -> Result<()> {
        let how = how.to_owned();
        self.record(case, actor, Body::Delivered { record, how }).await?;
        Ok(())
    }

    fn take_turn(&self, record: RecordId) -> Result<Turn<'_>> {
        if self.turns().insert(record) {
            Ok(Turn { desk: self, record })
        } else {
            Err(DeskError::Releasing { record })
        }
    }

    fn turns(&self) -> std::sync::MutexGuard<'_, std::collections::BTreeSet<RecordId>> {
        self.releasing
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The record's row, which exists from the second approval on.
    async fn logged_release(&self, chain: &Chain, record: RecordId) -> Result<ReleaseRow> {
        let case = chain.case_id();
        let mut tx = self.parts.cases.begin().await?;
        let row = self.parts.cases.release(&mut tx, record).await?;
        match row {
            Some(row) if row.ended => Err(DeskError::UsedUp { record }),
            Some(row) if row.case == case => Ok(row),
            Some(_) => Err(no_record(record)),
            None => {
                let drawn = chain
                    .case()
                    .file()
                    .drawn(record)
                    .ok_or_else(|| no_record(record))?;
                if !drawn.has_two_reviewers() {
                    return Err(DeskError::NotNow {
                        promise: Promise::P7,
                        reason: "two reviewers have not signed the record".to_owned(),
                        hint: "have two different people sign it, neither of whom entered the demand",
                    });
                }
                let entry = self
                    .parts
                    .docket
                    .enqueue(&mut tx, ReleaseRecord::KIND, drawn.record.digest()?)
                    .await?;
                self.parts.cases.log_release(&mut tx, record, case, entry).await?;
                tx.commit().await.map_err(CaseStoreError::from)?;
                Ok(ReleaseRow {
                    case,
                    docket_entry: entry,
                    package: None,
                    ended: false,
                })
            }
        }
    }

    async fn await_docket(&self, record: RecordId, entry: i64) -> Result<Issued> {
        self.fault(Step::AwaitDocket, When::Before).await?;
        let issued = self.parts.docket.wait(entry, DOCKET_PATIENCE).await?;
        self.fault(Step::AwaitDocket, When::After).await?;
        issued.ok_or(DeskError::NotLogged { record })
    }

    async fn note_logged(&self, case: CaseId, record: RecordId, issued: &Issued) -> Result<Chain> {
        self.fault(Step::RecordLogged, When::Before).await?;
        let index = issued.receipt.index;
        self.step(case, |chain| {
            let waits = matches!(chain.case(), Case::AwaitingLog(state) if state.record() == record);
            let released = matches!(chain.case(), Case::AwaitingRelease(state) if state.record() == record);
            if !waits && !released {
                return Err(lapsed());
            }
            Ok(waits.then(|| Plan::new(Actor::System, Body::Logged { record, index })))
        })
        .await?;
        self.fault(Step::RecordLogged, When::After).await?;
        self.chain(case).await
    }

    /// Presents the record to the gate. A refusal goes into the case, and comes back as an error.
    async fn open_keys(
        &self,
        chain: &Chain,
        record: RecordId,
        issued: &Issued,
    ) -> Result<BTreeMap<ObjectId, ObjectKey>> {
        let drawn = chain
            .case()
            .file()
            .drawn(record)
            .ok_or_else(|| no_record(record))?;
        let keys = self.parts.vault.keys(&drawn.record.objects).await?;
        self.fault(Step::OpenKeys, When::Before).await?;
        let request = GateRequest {
            chain: chain.events().to_vec(),
            record: drawn.record.as_ref().clone(),
            issued: issued.clone(),
            keys,
        };
        let answer = self.parts.gate.release(request).await?;
        self.fault(Step::OpenKeys, When::After).await?;
        match answer {
            GateAnswer::Opened(keys) => Ok(keys.into_iter().collect()),
            GateAnswer::Refused(refusal) => {
                let reason = format!("{}: {}", refusal.breach, refusal.reason);
                self.note_refused(chain.case_id(), record, &reason).await?;
                Err(DeskError::GateRefused {
                    record,
                    reason,
                    refusal,
                })
            }
        }
    }

    /// Records a refusal, once: asking again and being refused for the same reason adds nothing to the case.
    async fn note_refused(&self, case: CaseId, record: RecordId, reason: &str) -> Result<()> {
        self.step(case, |chain| {
            let body = Body::Refused {
                record,
                reason: reason.to_owned(),
            };
            let said = chain.events().last().is_some_and(|event| event.body == body);
            Ok((!said).then(|| Plan::new(Actor::System, body)))
        })
        .await?;
        Ok(())
    }

    /// Records what was found in a package, before anybody can fetch it.
    async fn note_flags(&self, case: CaseId, record: RecordId, sealed: &Sealed) -> Result<()> {
        let Some(found) = &sealed.flags else { return Ok(()) };
        let Flags { flags, more } = Flags::read(found)?;
        self.step(case, |chain| {
            let file = chain.case().file();
            let noted = file.drawn(record).is_none_or(|drawn| !drawn.flags.is_empty());
            if noted || file.pending() != Some(record) {
                // It was recorded before, or the case moved on: what comes next says so.
                return Ok(None);
            }
            let flags = flags.clone();
            let body = Body::PackageFlagged { record, flags, more };
            Ok(Some(Plan::new(Actor::System, body)))
        })
        .await?;
        Ok(())
    }

    /// Gives the sealed package its final name and records the release; both may have happened before a crash.
    async fn finish(&self, case: CaseId, record: RecordId, sealed: &Sealed) -> Result<PackageRef> {
        let &Sealed { digest, size, .. } = sealed;
        self.fault(Step::RenamePackage, When::Before).await?;
        if !package::settle(&self.parts.packages, record, digest).await? {
            self.give_up(
                case,
                record,
                "the package was lost before it could be fetched; the record is used up",
            )
            .await?;
            return Err(DeskError::UsedUp { record });
        }
        self.fault(Step::RenamePackage, When::After).await?;
        self.note_flags(case, record, sealed).await?;
        self.fault(Step::RecordReleased, When::Before).await?;
        let row = PackageRow {
            record,
            case,
            path: package::final_name(record),
            digest,
            size,
            made_at: self.now(),
        };
        let recorded = self
            .step(case, |chain| {
                let file = chain.case().file();
                if file.drawn(record).is_some_and(|drawn| drawn.released.is_some()) {
                    return Ok(None);
                }
                let body = Body::Released {
                    record,
                    package: digest,
                    size,
                };
                let end = Also::EndRelease {
                    record,
                    package: Some(row.clone()),
                };
                Ok(Some(Plan::new(Actor::System, body).also(end)))
            })
            .await;
        if let Err(DeskError::NotNow { .. }) = recorded {
            // The case moved on while the package was being made: what reviewers signed no longer stands.
            package::destroy(&self.parts.packages, record).await?;
            self.give_up(
                case,
                record,
                "the case changed while the package was made; the package was destroyed",
            )
            .await?;
            return Err(DeskError::UsedUp { record });
        }
        recorded?;
        self.fault(Step::RecordReleased, When::After).await?;
        self.package(case, record).await
    }

    /// Ends a release without a package, with the reason in the case.
    async fn give_up(&self, case: CaseId, record: RecordId, reason: &str) -> Result<()> {
        self.step(case, |chain| {
            let pending = chain.case().file().pending() == Some(record);
            let reason = reason.to_owned();
            let body = if pending {
                Body::Refused { record, reason }
            } else {
                Body::Note {
                    text: format!("record {record}: {reason}"),
                }
            };
            Ok(Some(Plan::new(Actor::System, body).also(Also::EndRelease {
                record,
                package: None,
            })))
        })
        .await?;
        Ok(())
    }

    async fn write_package(
        &self,
        chain: &Chain,
        record: &ReleaseRecord,
        issued: Issued,
        keys: &BTreeMap<ObjectId, ObjectKey>,
    ) -> Result<Sealed> {
        let directory: &Path = &self.parts.packages;
        let paper = package::Paper {
            sender: self.parts.provider.clone(),
            made_at: self.now(),
            record: record.clone(),
            events: chain.events().to_vec(),
            issued,
        };
        let (vault, papers) = (self.parts.vault.as_ref(), self.papers.clone());
        let (digest, size, flags) = package::write(directory, paper, vault, keys, papers).await?;
        Ok(Sealed {
            digest,
            size,
            flags: flags.write()?,
        })
    }
}

fn lapsed() -> DeskError {
    DeskError::NotNow {
        promise: Promise::P14,
        reason: "that record is not the one on its way".to_owned(),
        hint: "a change to the case makes a record lapse; draw up a new one",
    }
}
