//! What people do with a transfer.

use casework::{
    demand::Category,
    event::{Actor, Header},
    finding::RulebookRef,
    ids::{CaseId, RecordId, RegionId, StaffId, TenantId},
    rulebook::{BasisKind, LANGUAGE},
    transfer::{
        Based, Basis, Data, Importer, Mode, Opening, Place, TransferBody, TransferChain, TransferRecord,
        TransferSchema, transfer_approval_message,
    },
};
use envelope::case_file::CaseKey;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use store::cases::CaseStoreError;

use super::{Result, TransferError, Transfers, course::Plan};

/// Longest time for which a record may be approved and moved on.
pub const LIFETIME_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A transfer to be opened.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTransfer {
    /// Whose data.
    pub tenant: TenantId,
    /// Where it lies.
    pub from: RegionId,
    /// Where it is to lie.
    pub to: RegionId,
    /// Which.
    pub data: Data,
    /// Whether the original stays; it moves unless said.
    #[serde(default)]
    pub mode: Mode,
    /// Categories of data that may be among it.
    pub categories: Vec<Category>,
    /// What for.
    pub purpose: String,
    /// Who receives it there.
    pub importer: Importer,
}

impl Transfers {
    /// Opens a transfer. Countries are those of the regions and of the tenant.
    ///
    /// # Errors
    /// When region, tenant or bucket are not there, a mark is not in the rulebook, or the transfer cannot be one.
    pub async fn open(&self, actor: Actor, new: NewTransfer) -> Result<CaseId> {
        let marks = new.importer.shown.iter().map(|shown| shown.mark.as_str());
        known("mark", marks, || {
            self.parts.rulebook.marks().map(|(name, _)| name).collect()
        })?;
        let missing = |what, id: String| TransferError::NotFound { what, id };
        let regions = self.parts.vault.regions().await?;
        // What another node serves is under the law that the configuration says.
        let elsewhere = self.may_cross(&new.to, new.mode)?;
        let place = |region: &RegionId| {
            if let Some(country) = elsewhere.as_ref().filter(|_| *region == new.to) {
                return Ok(Place {
                    region: region.clone(),
                    country: country.clone(),
                });
            }
            let found = regions.iter().find(|(id, _)| id == region);
            let (_, country) = found.ok_or_else(|| missing("region", region.to_string()))?;
            Ok::<_, TransferError>(Place {
                region: region.clone(),
                country: country.clone(),
            })
        };
        let tenant = self.parts.vault.tenant(&new.tenant).await?;
        let tenant = tenant.ok_or_else(|| missing("tenant", new.tenant.to_string()))?;
        let opening = Opening {
            tenant_country: tenant.country,
            from: place(&new.from)?,
            to: place(&new.to)?,
            tenant: new.tenant,
            data: new.data,
            mode: new.mode,
            categories: new.categories,
            purpose: new.purpose,
            importer: new.importer,
        };
        self.parts.vault.scopes(&opening.tenant, &opening.data).await?;
        let id = CaseId(self.id()?);
        let body = TransferBody::Opened {
            opening: Box::new(opening),
        };
        let chain = TransferChain::begin(id, self.now(), actor, self.salt()?, body)?;
        let mut tx = self.parts.store.begin().await?;
        if let Some(first) = chain.events().first() {
            let hash = first
                .header
                .hash()
                .map_err(|_| CaseStoreError::Corrupt("header"))?;
            let entry = self.parts.docket.enqueue(&mut tx, Header::KIND, hash).await?;
            let key = CaseKey::from_random(self.random()?);
            let nonces = (self.nonce()?, self.nonce()?);
            self.parts.store.open(&mut tx, key, nonces, first, entry).await?;
        }
        tx.commit().await.map_err(CaseStoreError::from)?;
        self.tell_gate(&chain).await;
        Ok(id)
    }

    /// Records what people say of a transfer: basis, assessment, measures, counsel's decision, a remark, its stop. How many
    /// transfers rested on a derogation before is counted here, whatever is stated.
    ///
    /// # Errors
    /// [`TransferError::NotNow`]; where a basis or a use case is not in the rulebook; or when the event is one that the program
    /// records itself.
    pub async fn record(&self, transfer: CaseId, actor: Actor, mut body: TransferBody) -> Result<()> {
        match &mut body {
            TransferBody::BasisStated { bases } => {
                self.are_known(bases)?;
                self.count_derogations(transfer, bases).await?;
            }
            TransferBody::Assessed { assessment } => {
                let cases = || {
                    self.parts
                        .rulebook
                        .use_cases()
                        .map(|(id, _)| id.as_str())
                        .collect()
                };
                known("use case", std::iter::once(assessment.use_case.as_str()), cases)?;
            }
            TransferBody::MeasuresTaken { .. }
            | TransferBody::Decided { .. }
            | TransferBody::Stopped { .. }
            | TransferBody::Note { .. } => {}
            _ => {
                return Err(TransferError::Invalid {
                    what: "the event",
                    reason: "it is not one that is recorded by hand".to_owned(),
                });
            }
        }
        let chain = self
            .step(transfer, |_| Ok(Some(Plan::new(actor.clone(), body.clone()))))
            .await?;
        let opening = chain.matter().opening();
        if matches!(body, TransferBody::Stopped { .. }) && self.is_across(opening) {
            // Whoever moves it sees the stop before it does anything more.
            if let Ok(claim) = self.claim(transfer).await
                && let Err(error) = claim.during(self.settle_across(transfer, opening)).await
            {
                tracing::warn!(%transfer, %error, "what was frozen for it stays so on the other node; start it again, which lets go of it");
            }
        }
        Ok(())
    }

    /// Each basis is one of the rulebook, of its own kind.
    fn are_known(&self, bases: &[Basis]) -> Result<()> {
        for basis in bases {
            let (what, kind) = match basis {
                Basis::Adequacy { .. } => ("decision on adequacy", BasisKind::Adequacy),
                Basis::Clauses { .. } => ("clauses", BasisKind::Clauses),
                Basis::BindingRules { .. } => ("binding rules", BasisKind::BindingRules),
                Basis::Derogation { .. } => ("derogation", BasisKind::Derogation),
            };
            let of_kind = || {
                let rows = self.parts.rulebook.bases().filter(|(_, row)| row.kind == kind);
                rows.map(|(id, _)| id.as_str()).collect()
            };
            known(what, std::iter::once(basis.rests_on().as_str()), of_kind)?;
        }
        Ok(())
    }

    async fn count_derogations(&self, transfer: CaseId, bases: &mut [Basis]) -> Result<()> {
        if !bases
            .iter()
            .any(|basis| matches!(basis, Basis::Derogation { .. }))
        {
            return Ok(());
        }
        let this = self.recorded(transfer).await?;
        let opening = this.matter().opening();
        let mut before: u32 = 0;
        for other in self.parts.store.list().await? {
            if other == transfer {
                continue;
            }
            let other = self.recorded(other).await?;
            let (matter, theirs) = (other.matter(), other.matter().opening());
            let alike = theirs.tenant == opening.tenant
                && theirs.from == opening.from
                && theirs.to == opening.to
                && matter.has_moved();
            let derogated = matter
                .bases()
                .iter()
                .any(|b| matches!(b, Basis::Derogation { .. }));
            before = before.saturating_add(u32::from(alike && derogated));
        }
        for basis in bases {
            if let Basis::Derogation { earlier, .. } = basis {
                *earlier = before;
            }
        }
        Ok(())
    }

    /// Draws up what will move, for two people to sign. Needs a basis today.
    ///
    /// # Errors
    /// [`TransferError::NoBasis`] with the verdict.
    pub async fn propose(
        &self,
        transfer: CaseId,
        actor: Actor,
        lifetime: SignedDuration,
    ) -> Result<TransferRecord> {
        if !lifetime.is_positive() || lifetime > LIFETIME_MAX {
            return Err(TransferError::Invalid {
                what: "the lifetime",
                reason: "a record lives for more than nothing and at most 30 days".to_owned(),
            });
        }
        let id = RecordId(self.id()?);
        let mut drawn = None;
        self.step(transfer, |chain| {
            let based = self.based(chain)?;
            let record = self.draw_up(chain, &based, id, lifetime)?;
            drawn = Some(record.clone());
            let body = TransferBody::Proposed {
                record: Box::new(record),
            };
            Ok(Some(Plan::new(actor.clone(), body)))
        })
        .await?;
        drawn.ok_or(TransferError::Contended(transfer))
    }

    /// Evidence that the transfer has a basis today.
    pub(super) fn based(&self, chain: &TransferChain) -> Result<Based> {
        let parts = &self.parts;
        Based::of(chain.matter(), parts.rulebook, &parts.reviewers, self.today())
            .map_err(TransferError::NoBasis)
    }

    fn draw_up(
        &self,
        chain: &TransferChain,
        based: &Based,
        id: RecordId,
        lifetime: SignedDuration,
    ) -> Result<TransferRecord> {
        let (now, opening) = (self.now(), chain.matter().opening());
        let expires_at = now
            .checked_add(lifetime)
            .map_err(|error| TransferError::Invalid {
                what: "the lifetime",
                reason: error.to_string(),
            })?;
        Ok(TransferRecord {
            schema: TransferSchema::V1,
            id,
            transfer: based.transfer(),
            chain_head: chain.head(),
            chain_length: chain.length(),
            rulebook: RulebookRef {
                digest: self.parts.rulebook.digest(),
                as_of: self.today(),
                language: LANGUAGE.to_owned(),
            },
            tenant: opening.tenant.clone(),
            from: opening.from.region.clone(),
            to: opening.to.region.clone(),
            data: opening.data.clone(),
            mode: opening.mode,
            categories: opening.categories.clone(),
            drawn_at: now,
            expires_at,
        })
    }

    /// Records a reviewer's signature over the record. The second puts its commitment into the docket's queue.
    ///
    /// # Errors
    /// When the signature is not the reviewer's over this record, or the transfer does not wait for it.
    pub async fn approve(
        &self,
        transfer: CaseId,
        record: RecordId,
        reviewer: &StaffId,
        signature: &str,
    ) -> Result<()> {
        self.step(transfer, |chain| {
            let drawn = chain.matter().drawn().filter(|drawn| drawn.id == record);
            let drawn = drawn.ok_or_else(|| TransferError::NotFound {
                what: "record that waits for signatures",
                id: record.to_string(),
            })?;
            let digest = drawn.digest().map_err(|_| CaseStoreError::Corrupt("record"))?;
            let message = transfer_approval_message(&digest);
            if !self
                .parts
                .reviewers
                .reviewer_signed(reviewer, &message, signature)
            {
                return Err(TransferError::Invalid {
                    what: "the signature",
                    reason: format!("it is not one of `{reviewer}` over this record"),
                });
            }
            let body = TransferBody::Approved {
                record,
                reviewer: reviewer.clone(),
                signature: signature.to_owned(),
            };
            let second = !chain.matter().approvals().is_empty();
            let mut plan = Plan::new(Actor::Staff(reviewer.clone()), body);
            plan.log = second.then_some((record, digest));
            Ok(Some(plan))
        })
        .await?;
        Ok(())
    }
}

/// What is named stands in the rulebook.
fn known<'a>(
    what: &'static str,
    named: impl Iterator<Item = &'a str>,
    all: impl Fn() -> Vec<&'static str>,
) -> Result<()> {
    for one in named {
        if !all().contains(&one) {
            return Err(TransferError::Unknown {
                what,
                named: one.to_owned(),
                all: all().join(", "),
            });
        }
    }
    Ok(())
}
