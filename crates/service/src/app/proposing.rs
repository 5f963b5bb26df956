//! Drawing up a release and having it approved.

use std::collections::{BTreeMap, BTreeSet};

use casework::{
    case::Case,
    chain::Chain,
    demand::{Category, Window},
    event::{Actor, Body, approval_message},
    facts::{AccountFacts, Resolution},
    finding::Promise,
    ids::{CaseId, ObjectId, RecordId, RegionId, SnapshotId, StaffId},
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
    /// when the case is not that far, or data moved to a region that the look-up of the accounts did not find.
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
        let found = found_in_scope(chain);
        let accounts = refs(&found);
        let snapshots = self.linked_snapshots(chain).await?;
        let mut objects = self
            .objects_of(&found, &categories, scope.window, &snapshots)
            .await?;
        if let Some(demand) = file.demand() {
            objects.retain(|object| demand.found_there(object.category, object.concerns_at));
        }
        if objects.is_empty() {
            return Err(DeskError::NoData);
        }
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

    /// What lies in the scope of the accounts as they were found, each object once. Nothing is left out unsaid: whatever lies
    /// where the look-up did not find it refuses the record. An object that lies in a region that was left to another record
    /// is released from its copy, where it has one in a region of this.
    async fn objects_of(
        &self,
        found: &[&AccountFacts],
        categories: &[Category],
        window: Option<Window>,
        snapshots: &[SnapshotId],
    ) -> Result<Vec<ReleasedObject>> {
        let vault = &self.parts.vault;
        let regions: BTreeSet<RegionId> = found
            .iter()
            .flat_map(|found| found.places().map(|(region, _)| region.clone()))
            .collect();
        if !vault.on_one_node(&regions) {
            return Err(DeskError::NotNow {
                promise: Promise::P12,
                reason: "the accounts lie in regions of different nodes, and one record is released by one node's gate"
                    .to_owned(),
                hint: "look the accounts up again, choosing one region; the others get a record of their own",
            });
        }
        let mut objects: BTreeMap<ObjectId, ReleasedObject> = BTreeMap::new();
        let mut copies: BTreeMap<ObjectId, ReleasedObject> = BTreeMap::new();
        for account in refs(found) {
            // A node is asked once for each of its regions and answers for all of them: what moves meanwhile is seen in one
            // of them, and the later answer counts.
            let room = OBJECTS_MAX.saturating_add(1);
            let mut scope = vault.scope(&account, categories, window, room).await?;
            // What the owner deleted since it was preserved for a demand on which this one follows.
            for snapshot in snapshots {
                scope.extend(
                    vault
                        .preserved(*snapshot, &account, categories, window, room)
                        .await?,
                );
            }
            if scope.len() > OBJECTS_MAX {
                return Err(too_large());
            }
            for object in scope {
                let of = |one: &&&AccountFacts| {
                    one.tenant == object.account.tenant && one.account == object.account.account
                };
                match places_named(found.iter().filter(of), &object.account.region) {
                    Named::Released => drop(objects.insert(object.object, object)),
                    Named::LeftOut => drop(objects.remove(&object.object)),
                    Named::Nowhere => return Err(moved(&account, &object.account.region)),
                }
            }
            // None of an object that is released from where it lies. Any one does of those that are not: the first region's.
            for copy in vault.copies(&account, categories, window, room).await? {
                copies.entry(copy.object).or_insert(copy);
            }
            if objects.len() > OBJECTS_MAX || copies.len() > OBJECTS_MAX {
                return Err(too_large());
            }
        }
        for (object, copy) in copies {
            objects.entry(object).or_insert(copy);
        }
        if objects.len() > OBJECTS_MAX {
            return Err(too_large());
        }
        // Whatever node it went to: the account has a key there before anything moves.
        for one in found {
            let now = vault.accounts(one.account.as_str()).await?;
            let of = |now: &&AccountFacts| now.tenant == one.tenant && now.account == one.account;
            for now in now.iter().filter(of) {
                let same =
                    |other: &&&AccountFacts| other.tenant == one.tenant && other.account == one.account;
                if matches!(
                    places_named(found.iter().filter(same), &now.region),
                    Named::Nowhere
                ) {
                    return Err(moved(&account_ref(one, &one.region), &now.region));
                }
            }
        }
        Ok(objects.into_values().collect())
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

/// Accounts in the scope, as they were found.
fn found_in_scope(chain: &Chain) -> Vec<&AccountFacts> {
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
        .collect()
}

/// Accounts, once for each region in which their data lies.
fn refs(found: &[&AccountFacts]) -> BTreeSet<AccountRef> {
    let each = found
        .iter()
        .flat_map(|found| found.places().map(|(region, _)| account_ref(found, region)));
    each.collect()
}

fn account_ref(found: &AccountFacts, region: &RegionId) -> AccountRef {
    AccountRef {
        tenant: found.tenant.clone(),
        account: found.account.clone(),
        region: region.clone(),
    }
}

fn too_large() -> DeskError {
    DeskError::TooLarge {
        what: "the release",
        limit: format!("{OBJECTS_MAX} objects; narrow the scope into several records"),
    }
}

/// What the look-up says of a region.
enum Named {
    /// Data of the account was found there.
    Released,
    /// It was, and somebody left it to another record.
    LeftOut,
    /// Nothing.
    Nowhere,
}

fn places_named<'a>(found: impl Iterator<Item = &'a &'a AccountFacts> + Clone, region: &RegionId) -> Named {
    let mut places = found.clone().flat_map(|found| found.places());
    if places.any(|(place, _)| place == region) {
        Named::Released
    } else if found.clone().any(|found| found.left_out.contains(region)) {
        Named::LeftOut
    } else {
        Named::Nowhere
    }
}

fn moved(account: &AccountRef, to: &RegionId) -> DeskError {
    DeskError::NotNow {
        promise: Promise::P12,
        reason: format!(
            "an account of `{}` was found in region `{}`; since then data of it came to lie in `{to}`",
            account.tenant, account.region
        ),
        hint: "look the accounts up again and assess the case: the law of that region counts, too",
    }
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
