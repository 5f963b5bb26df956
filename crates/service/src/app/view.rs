//! Cases as people read them. Everything here is the provider's own file on a demand; no customer content is in it.

use casework::{
    case::{Case, Owed},
    demand::{Demand, Subject},
    event::{Actor, Body, Scope},
    facts::{Facts, Resolution},
    finding::Assessment,
    ids::{AccountId, CaseId, Digest, RecordId, StaffId, TenantId},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::cases::{CaseFilter, CaseRow, PAGE_MAX, StoredLetter};

use super::{Desk, DeskError, Result};

/// One case in full.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CaseView {
    /// Its id.
    pub case: CaseId,
    /// When the demand was received.
    pub opened_at: Timestamp,
    /// What it waits for: a state's name.
    pub stage: String,
    /// Number of events.
    pub events: u64,
    /// Hash of the last header.
    pub head: Digest,
    /// The demand as parsed.
    pub demand: Option<Demand>,
    /// The facts as last looked up.
    pub facts: Option<Facts>,
    /// What the demand still covers.
    pub scope: Scope,
    /// The last assessment.
    pub assessment: Option<Assessment>,
    /// The assessment fits the demand as it now stands.
    pub assessment_is_current: bool,
    /// Release records drawn up.
    pub records: Vec<RecordView>,
    /// What must happen next.
    pub owed: Vec<Owed>,
}

/// A release record and what became of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecordView {
    /// Its id.
    pub record: RecordId,
    /// What reviewers sign.
    pub digest: Digest,
    /// How many objects it names.
    pub objects: usize,
    /// Their plaintext size together, in bytes.
    pub bytes: u64,
    /// After this the gate refuses it.
    pub expires_at: Timestamp,
    /// Who signed.
    pub approved_by: Vec<StaffId>,
    /// Its index in the docket.
    pub logged: Option<u64>,
    /// It may still become a release: nothing changed in the case since it was drawn up.
    pub on_its_way: bool,
    /// Released.
    pub released: bool,
    /// Handed over.
    pub delivered: bool,
}

/// One event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EventView {
    /// Its number.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// Hash of its header.
    pub hash: Digest,
    /// What happened; absent once the case was erased.
    pub body: Option<Body>,
}

impl Desk {
    /// One case in full.
    ///
    /// # Errors
    /// When there is no such case, or it was erased.
    pub async fn case(&self, case: CaseId) -> Result<CaseView> {
        let chain = self.chain(case).await?;
        let state: &Case = chain.case();
        let file = state.file();
        let opened_at = chain
            .headers()
            .next()
            .map_or_else(|| chain.last_at(), |header| header.at);
        let records: Result<Vec<RecordView>> = file
            .drawn_up()
            .iter()
            .map(|drawn| record_view(drawn, file.pending()))
            .collect();
        Ok(CaseView {
            case,
            opened_at,
            stage: state.name().to_owned(),
            events: chain.length(),
            head: chain.head(),
            demand: file.demand().cloned(),
            facts: file.facts().cloned(),
            scope: file.scope(),
            assessment: file.judged().map(|judged| judged.assessment.clone()),
            assessment_is_current: file.current_assessment().is_some(),
            records: records?,
            owed: state.owed(self.now()),
        })
    }

    /// Goes over every case: each chain must verify, and go on from what the gate remembers of it. Gives the number of
    /// cases, and those that are not in order with the reason.
    ///
    /// # Errors
    /// When the list of cases cannot be read.
    pub async fn check_all(&self) -> Result<(u64, Vec<(CaseId, DeskError)>)> {
        let mut filter = CaseFilter {
            open: None,
            told: None,
            before: None,
            limit: PAGE_MAX,
        };
        let (mut count, mut wrong) = (0, Vec::new());
        loop {
            let rows = self.list(&filter).await?;
            for row in rows.iter().filter(|row| !row.erased) {
                count += 1;
                if let Err(error) = self.whole_chain(row.id).await {
                    wrong.push((row.id, error));
                }
            }
            match rows.last() {
                Some(last) if rows.len() >= usize::try_from(PAGE_MAX).unwrap_or(usize::MAX) => {
                    filter.before = Some(last.id);
                }
                _ => return Ok((count, wrong)),
            }
        }
    }

    /// What a reason that counsel signs now would be about: [`casework::case::CaseFile::matter`].
    ///
    /// # Errors
    /// [`DeskError::NotNow`] before there is a demand.
    pub async fn matter(&self, case: CaseId, answers: &str) -> Result<Digest> {
        let chain = self.chain(case).await?;
        let matter = chain.case().file().matter(answers);
        matter.ok_or_else(|| DeskError::NotNow {
            promise: casework::finding::Promise::P14,
            reason: "there is no demand yet".to_owned(),
            hint: "parse the demand first",
        })
    }

    /// An open case whose demand is about this account, as it was looked up or as it is named. Reads every open case.
    ///
    /// # Errors
    /// When a case cannot be read: what cannot be read might be about it.
    pub async fn open_case_about(&self, tenant: &TenantId, account: &AccountId) -> Result<Option<CaseId>> {
        self.open_case(tenant, Some(account)).await
    }

    /// An open case in which an account of this customer was found.
    ///
    /// # Errors
    /// As [`Desk::open_case_about`].
    pub async fn open_case_of(&self, tenant: &TenantId) -> Result<Option<CaseId>> {
        self.open_case(tenant, None).await
    }

    async fn open_case(&self, tenant: &TenantId, account: Option<&AccountId>) -> Result<Option<CaseId>> {
        let mut filter = CaseFilter {
            open: Some(true),
            told: None,
            before: None,
            limit: PAGE_MAX,
        };
        loop {
            let rows = self.list(&filter).await?;
            for row in rows.iter().filter(|row| !row.erased) {
                let chain = self.chain(row.id).await?;
                let file = chain.case().file();
                let found = file.facts().is_some_and(|facts| {
                    facts.resolved.iter().any(|resolution| {
                        matches!(resolution, Resolution::One(one)
                            if one.tenant == *tenant && account.is_none_or(|account| one.account == *account))
                    })
                });
                let named = file.demand().is_some_and(|demand| {
                    demand.subjects.iter().any(|subject| {
                        matches!(subject, Subject::Account { value }
                            if account.is_some_and(|account| value.trim().eq_ignore_ascii_case(account.as_str())))
                    })
                });
                if found || named {
                    return Ok(Some(row.id));
                }
            }
            match rows.last() {
                Some(last) if rows.len() >= usize::try_from(PAGE_MAX).unwrap_or(usize::MAX) => {
                    filter.before = Some(last.id);
                }
                _ => return Ok(None),
            }
        }
    }

    /// What a case owes next.
    ///
    /// # Errors
    /// As [`Desk::case`].
    pub async fn owed(&self, case: CaseId) -> Result<Vec<Owed>> {
        Ok(self.chain(case).await?.case().owed(self.now()))
    }

    /// How many objects of one customer were released in a case.
    ///
    /// # Errors
    /// As [`Desk::case`].
    pub async fn released_objects(&self, case: CaseId, tenant: &TenantId) -> Result<usize> {
        let chain = self.chain(case).await?;
        let released = chain
            .case()
            .file()
            .drawn_up()
            .iter()
            .filter(|drawn| drawn.released.is_some());
        Ok(released
            .map(|drawn| {
                drawn
                    .record
                    .objects
                    .iter()
                    .filter(|o| o.account.tenant == *tenant)
                    .count()
            })
            .sum())
    }

    /// A page of cases, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self, filter: &CaseFilter) -> Result<Vec<CaseRow>> {
        Ok(self.parts.cases.list(filter).await?)
    }

    /// The events of a case, headers alone once it was erased.
    ///
    /// # Errors
    /// When there is no such case.
    pub async fn events(&self, case: CaseId) -> Result<Vec<EventView>> {
        let stored = self.parts.cases.events(case).await?;
        stored
            .into_iter()
            .map(|event| {
                Ok(EventView {
                    seq: event.header.seq,
                    at: event.header.at,
                    hash: event.header.hash()?,
                    actor: event.header.actor,
                    body: event.opened.map(|(_, body)| body),
                })
            })
            .collect()
    }

    /// The docket's receipt for one event of a case, in its file form; `None` until it is issued.
    ///
    /// # Errors
    /// When there is no such event or the docket fails.
    pub async fn event_receipt(&self, case: CaseId, seq: u64) -> Result<Option<String>> {
        let stored = self.parts.cases.events(case).await?;
        let missing = || DeskError::NotFound {
            what: "event",
            id: seq.to_string(),
        };
        let event = stored
            .into_iter()
            .find(|event| event.header.seq == seq)
            .ok_or_else(missing)?;
        let entry = event.docket_entry.ok_or_else(missing)?;
        Ok(self
            .parts
            .docket
            .receipt(entry)
            .await?
            .map(|issued| issued.receipt.to_string()))
    }

    /// Letters of any case that are not sent yet, oldest first, at most [`PAGE_MAX`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn outbox(&self) -> Result<Vec<StoredLetter>> {
        Ok(self.parts.cases.outbox().await?)
    }

    /// Marks a letter as sent. Sending is the provider's: by its portal, its mail or the post.
    ///
    /// # Errors
    /// [`DeskError::NotFound`] when the case has no such letter.
    pub async fn letter_sent(&self, case: CaseId, letter: Digest) -> Result<()> {
        Ok(self.parts.cases.letter_sent(case, letter, self.now()).await?)
    }

    /// The letters of a case, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn letters(&self, case: CaseId) -> Result<Vec<StoredLetter>> {
        self.parts.cases.case(case).await?;
        Ok(self.parts.cases.letters(case).await?)
    }

    /// The text of one letter.
    ///
    /// # Errors
    /// When there is none, or the case was erased.
    pub async fn letter(&self, case: CaseId, letter: Digest) -> Result<String> {
        Ok(self.parts.cases.letter(case, letter).await?)
    }
}

fn record_view(drawn: &casework::case::Drawn, pending: Option<RecordId>) -> Result<RecordView> {
    let record = &drawn.record;
    Ok(RecordView {
        on_its_way: pending == Some(record.id),
        record: record.id,
        digest: record.digest()?,
        objects: record.objects.len(),
        bytes: record
            .objects
            .iter()
            .fold(0, |sum, object| object.size.saturating_add(sum)),
        expires_at: record.expires_at,
        approved_by: drawn
            .approvals
            .iter()
            .map(|approval| approval.reviewer.clone())
            .collect(),
        logged: drawn.logged,
        released: drawn.released.is_some(),
        delivered: drawn.delivered.is_some(),
    })
}
