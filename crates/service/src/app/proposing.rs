//! Drawing up a release and having it approved.

use std::collections::BTreeSet;

use casework::{
    case::Case,
    chain::Chain,
    demand::{Category, Window},
    event::{Actor, Body, approval_message},
    facts::Resolution,
    finding::Promise,
    ids::{CaseId, RecordId, StaffId},
    record::{AccountRef, OBJECTS_MAX, Recipient, RecordSchema, ReleaseRecord, ReleasedObject},
};
use jiff::{SignedDuration, Timestamp};

use super::{
    APPEND_ATTEMPTS_MAX, Desk, DeskError, EXPIRY_MAX, Result,
    course::{Also, Plan},
    faults::{Step, When},
};

impl Desk {
    /// Draws up the record of exactly what would be released: every object that lies in the scope as it now stands, in
    /// the categories on which no bar lies. Nothing is opened.
    ///
    /// # Errors
    /// [`DeskError::NoData`] when nothing is held; [`DeskError::TooLarge`] over [`OBJECTS_MAX`]; [`DeskError::NotNow`]
    /// when the case is not that far.
    pub async fn propose(
        &self,
        case: CaseId,
        actor: Actor,
        recipient: Recipient,
        expires_in: SignedDuration,
    ) -> Result<ReleaseRecord> {
        check_recipient(&recipient)?;
        if expires_in <= SignedDuration::ZERO || expires_in > EXPIRY_MAX {
            return Err(DeskError::Invalid {
                what: "the time for release",
                reason: format!(
                    "give more than nothing and at most {} hours",
                    EXPIRY_MAX.as_hours()
                ),
            });
        }
        for _ in 0..APPEND_ATTEMPTS_MAX {
            let chain = self.chain(case).await?;
            let record = self.draw_up(&chain, recipient.clone(), expires_in).await?;
            // Scoping took a while: the record names the chain's head, so it only fits if nothing happened meanwhile.
            let proposed = self
                .step(case, |now| {
                    let body = Body::Proposed {
                        record: Box::new(record.clone()),
                    };
                    Ok((now.head() == chain.head()).then(|| Plan::new(actor.clone(), body)))
                })
                .await?;
            if proposed.is_some() {
                return Ok(record);
            }
        }
        Err(DeskError::Contended { case })
    }

    async fn draw_up(
        &self,
        chain: &Chain,
        recipient: Recipient,
        expires_in: SignedDuration,
    ) -> Result<ReleaseRecord> {
        let file = chain.case().file();
        let Some(judged) = file.current_assessment() else {
            return Err(DeskError::NotNow {
                promise: Promise::P5,
                reason: "the rulebook was not applied to the demand as it now stands".to_owned(),
                hint: "assess the case first",
            });
        };
        let scope = file.scope();
        let releasable: BTreeSet<Category> = judged.assessment.releasable.iter().copied().collect();
        let categories: Vec<Category> = scope
            .categories
            .iter()
            .copied()
            .filter(|c| releasable.contains(c))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        if categories.is_empty() {
            return Err(DeskError::NotNow {
                promise: Promise::P5,
                reason: "every category that the demand covers is barred".to_owned(),
                hint: "reject the demand, naming the rules that bar it",
            });
        }
        let accounts = accounts_of(chain);
        let mut objects: Vec<ReleasedObject> = Vec::new();
        for account in &accounts {
            let room = OBJECTS_MAX.saturating_sub(objects.len()).saturating_add(1);
            objects.extend(
                self.parts
                    .vault
                    .scope(account, &categories, scope.window, room)
                    .await?,
            );
            if objects.len() > OBJECTS_MAX {
                return Err(DeskError::TooLarge {
                    what: "the release",
                    limit: format!("{OBJECTS_MAX} objects; narrow the scope into several records"),
                });
            }
        }
        if objects.is_empty() {
            return Err(DeskError::NoData);
        }
        objects.sort_by_key(|object| object.object);
        let now = self.now();
        Ok(ReleaseRecord {
            schema: RecordSchema::V1,
            id: RecordId(self.id(now)?),
            case: chain.case_id(),
            chain_head: chain.head(),
            chain_length: chain.length(),
            rulebook: judged.assessment.rulebook.clone(),
            window: stated_window(scope.window, &categories, &objects),
            accounts: accounts.into_iter().collect(),
            categories,
            objects,
            recipient,
            drawn_at: now,
            expires_at: now.checked_add(expires_in).unwrap_or(Timestamp::MAX),
        })
    }

    /// Records a reviewer's signature over a record (P7). With the second reviewer's, the record's commitment goes into
    /// the docket's queue in the same transaction.
    ///
    /// # Errors
    /// [`DeskError::NotNow`] when the signature is not that reviewer's, the reviewer entered the demand, or signed
    /// before. The gate checks all of it again.
    pub async fn approve(
        &self,
        case: CaseId,
        record: RecordId,
        reviewer: &StaffId,
        signature: &str,
    ) -> Result<()> {
        self.fault(Step::Approve, When::Before).await?;
        self.must(case, |chain| {
            let file = chain.case().file();
            let drawn = file.drawn(record).ok_or_else(|| no_record(record))?;
            let digest = drawn.record.digest()?;
            let refuse = |reason: &str, hint| DeskError::NotNow {
                promise: Promise::P7,
                reason: reason.to_owned(),
                hint,
            };
            if !self
                .parts
                .reviewers
                .reviewer_signed(reviewer, &approval_message(&digest), signature)
            {
                return Err(refuse(
                    "the signature is not this reviewer's over this record",
                    "sign this record with the reviewer's own key",
                ));
            }
            if file.entered_by().contains(reviewer) {
                return Err(refuse(
                    "the reviewer entered the demand",
                    "have somebody else review it",
                ));
            }
            if drawn
                .approvals
                .iter()
                .any(|approval| approval.reviewer == *reviewer)
            {
                return Err(refuse("the reviewer signed before", "two different people sign"));
            }
            let body = Body::Approved {
                record,
                reviewer: reviewer.clone(),
                signature: signature.to_owned(),
            };
            let plan = Plan::new(Actor::Staff(reviewer.clone()), body);
            let is_second = !drawn.approvals.is_empty();
            Ok(if is_second {
                plan.also(Also::LogRecord { record, digest })
            } else {
                plan
            })
        })
        .await?;
        self.fault(Step::Approve, When::After).await
    }

    /// One record of a case.
    ///
    /// # Errors
    /// [`DeskError::NotFound`] when the case drew up no such record.
    pub async fn release_record(&self, case: CaseId, record: RecordId) -> Result<ReleaseRecord> {
        let chain = self.chain(case).await?;
        let drawn = chain
            .case()
            .file()
            .drawn(record)
            .ok_or_else(|| no_record(record))?;
        Ok(drawn.record.as_ref().clone())
    }

    /// The record now on its way through the case, if any.
    ///
    /// # Errors
    /// When there is no such case.
    pub async fn pending_record(&self, case: CaseId) -> Result<Option<RecordId>> {
        Ok(match self.chain(case).await?.case() {
            Case::AwaitingApproval(state) => Some(state.record()),
            Case::AwaitingLog(state) => Some(state.record()),
            Case::AwaitingRelease(state) => Some(state.record()),
            _ => None,
        })
    }
}

pub(super) fn no_record(record: RecordId) -> DeskError {
    DeskError::NotFound {
        what: "record",
        id: record.to_string(),
    }
}

fn check_recipient(recipient: &Recipient) -> Result<()> {
    const NAME_BYTES_MAX: usize = 512;
    if recipient.name.trim().is_empty() || recipient.name.len() > NAME_BYTES_MAX {
        return Err(DeskError::Invalid {
            what: "the recipient",
            reason: format!("give a name of at most {NAME_BYTES_MAX} bytes"),
        });
    }
    match evidence::seal::check_recipient(&recipient.age) {
        Ok(_) => Ok(()),
        Err(error) => Err(DeskError::Invalid {
            what: "the recipient",
            reason: error.to_string(),
        }),
    }
}

/// Accounts in the scope, each where its data lies.
fn accounts_of(chain: &Chain) -> BTreeSet<AccountRef> {
    let file = chain.case().file();
    let scope = file.scope();
    let resolved = file.facts().map_or(&[][..], |facts| &facts.resolved);
    resolved
        .iter()
        .filter_map(|resolution| match resolution {
            Resolution::One(found) => Some(found),
            _ => None,
        })
        .filter(|found| {
            scope
                .accounts
                .iter()
                .any(|(tenant, account)| *tenant == found.tenant && *account == found.account)
        })
        .map(|found| AccountRef {
            tenant: found.tenant.clone(),
            account: found.account.clone(),
            region: found.region.clone(),
        })
        .collect()
}

/// The window the record states. Where the demand names none and asks for more than subscriber data, the record names
/// the dates of what it releases: a record says what it covers (P13).
fn stated_window(
    scope: Option<Window>,
    categories: &[Category],
    objects: &[ReleasedObject],
) -> Option<Window> {
    if scope.is_some()
        || categories
            .iter()
            .all(|category| *category == Category::Subscriber)
    {
        return scope;
    }
    let first = objects.iter().map(|object| object.concerns_at).min()?;
    let last = objects.iter().map(|object| object.concerns_at).max()?;
    let end = last.checked_add(SignedDuration::from_secs(1)).ok()?;
    Window::new(first, end).ok()
}
