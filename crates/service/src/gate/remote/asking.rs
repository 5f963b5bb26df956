//! The asking end: a gate that is elsewhere, as the vault and the desk see it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use casework::{
    event::{Event, Header},
    ids::{AccountId, CaseId, Digest, ObjectId, ProviderId, RegionId, TenantId},
    ledger::{Entry, heads::NewestHead},
};
use envelope::{
    held::WrappedTenant,
    keys::{KEY_BYTES, Label, ObjectKey, Wrapped, WrappedAccount, WrappedChain},
    opening_reason::OwnerRequest,
};
use store::gate_memory::OwedPolicy;
use translog::Checkpoint;

use super::{
    LOOK_UP_PATIENCE, OWNER_PATIENCE, PROTOCOL, RELEASE_PATIENCE, REWRAP_PATIENCE,
    calls::{Answer, Call},
};
use crate::{
    gate::{
        Batch, LedgerGate, NoAnswer, NotReleased, Offer, Opened, ReleaseGate, ReleaseRequest, RewrapAccounts,
        RewrapObjects, TakingOver, TransferRequest,
        ledger::LedgerError,
        owner::{GateError, OwnerGate},
    },
    link::{Address, Link, LinkError, Message},
    tls::TlsClient,
};

/// A gate in another process. Cheap to clone; all clones share one connection.
#[derive(Clone)]
pub struct RemoteGate {
    link: Arc<Link>,
}

impl RemoteGate {
    /// The gate at `address`; on a unix socket, where it runs as this user ([`Link::to_user`]). Nothing is connected yet.
    pub fn new(address: Address, tls: Option<TlsClient>, user: Option<u32>) -> Self {
        Self {
            link: Arc::new(Link::new(address, tls, PROTOCOL).to_user(user)),
        }
    }

    /// The gate at the other end of a link that says more than this one does.
    pub(crate) fn over(link: Arc<Link>) -> Self {
        Self { link }
    }

    /// The digest of the trust policy that the gate goes by, and the changes that belong into the docket and that nobody has
    /// confirmed to be there.
    ///
    /// # Errors
    /// When the gate does not answer.
    pub async fn policy(&self) -> Result<(Digest, Vec<OwedPolicy>), NoAnswer> {
        match self.look_up(&Call::Policy).await? {
            Answer::Policy { digest, owed } => Ok((digest, owed)),
            other => Err(unexpected(other)),
        }
    }

    /// The digest of that policy alone.
    ///
    /// # Errors
    /// When the gate does not answer.
    pub async fn policy_digest(&self) -> Result<Digest, NoAnswer> {
        Ok(self.policy().await?.0)
    }

    /// Confirms that the change of this number is durably on its way into the docket. Until then the gate goes on telling it.
    ///
    /// # Errors
    /// When the gate does not answer, or cannot note it.
    pub async fn policy_logged(&self, number: u64) -> Result<(), NoAnswer> {
        match self.look_up(&Call::PolicyLogged { number }).await? {
            Answer::Done => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    /// What the owner's door answers. Asked again where no answer came: a key that is opened or made twice harms nobody.
    async fn owners(&self, call: &Call) -> Result<(Answer, Message), GateError> {
        self.owners_within(call, OWNER_PATIENCE).await
    }

    async fn owners_within(&self, call: &Call, patience: Duration) -> Result<(Answer, Message), GateError> {
        let away = |error: LinkError| {
            tracing::warn!(%error, "the gate does not answer");
            GateError::Unreachable
        };
        let said = self.link.ask_again(|| Message::new(call, &[]), patience);
        let message = said.await.map_err(away)?;
        match message.head::<Answer>().map_err(|error| away(error.into()))? {
            Answer::NotOpened { error } => Err(error),
            Answer::Failed { reason } => {
                tracing::error!(reason, "the gate failed");
                Err(GateError::Unreachable)
            }
            answer => Ok((answer, message)),
        }
    }

    async fn wrapped(&self, call: &Call) -> Result<(Wrapped, Message), GateError> {
        match self.owners(call).await? {
            (Answer::Wrapped { key }, message) => Ok((key, message)),
            _ => Err(confused()),
        }
    }

    async fn tenant(&self, call: &Call) -> Result<WrappedTenant, GateError> {
        match self.owners(call).await? {
            (Answer::Tenant { key }, _) => Ok(key),
            _ => Err(confused()),
        }
    }

    async fn rewrapped(&self, call: &Call, count: usize) -> Result<Vec<Wrapped>, GateError> {
        match self.owners_within(call, REWRAP_PATIENCE).await? {
            (Answer::Rewrapped { keys }, _) if keys.len() == count => Ok(keys),
            _ => Err(confused()),
        }
    }

    async fn look_up(&self, call: &Call) -> Result<Answer, NoAnswer> {
        let said = self.link.ask_again(|| Message::new(call, &[]), LOOK_UP_PATIENCE);
        match said
            .await
            .map_err(away)?
            .head()
            .map_err(|error| away(error.into()))?
        {
            Answer::Failed { reason } => Err(NoAnswer(reason)),
            answer => Ok(answer),
        }
    }
}

fn away(error: LinkError) -> NoAnswer {
    NoAnswer(format!("the gate does not answer: {error}"))
}

fn unexpected(_: Answer) -> NoAnswer {
    NoAnswer("the gate answered something else than was asked".to_owned())
}

fn confused() -> GateError {
    tracing::error!("the gate answered something else than was asked");
    GateError::Unreachable
}

fn one_key(message: &Message) -> Result<ObjectKey, GateError> {
    let bytes: &[u8; KEY_BYTES] = message.secret().try_into().map_err(|_| confused())?;
    Ok(ObjectKey::from_random(*bytes))
}

#[async_trait]
impl OwnerGate for RemoteGate {
    async fn new_tenant_key(
        &self,
        region: &RegionId,
        tenant: &TenantId,
        holder: Option<&ProviderId>,
    ) -> Result<WrappedTenant, GateError> {
        let call = Call::NewTenantKey {
            region: region.clone(),
            tenant: tenant.clone(),
            holder: holder.cloned(),
        };
        self.tenant(&call).await
    }

    async fn next_tenant_key(
        &self,
        region: &RegionId,
        tenant: &TenantId,
        key: &WrappedTenant,
    ) -> Result<WrappedTenant, GateError> {
        let call = Call::NextTenantKey {
            region: region.clone(),
            tenant: tenant.clone(),
            key: key.clone(),
        };
        self.tenant(&call).await
    }

    async fn new_account_key(
        &self,
        region: &RegionId,
        tenant: &TenantId,
        account: &AccountId,
        tenant_key: &WrappedTenant,
    ) -> Result<Wrapped, GateError> {
        let call = Call::NewAccountKey {
            region: region.clone(),
            tenant: tenant.clone(),
            account: account.clone(),
            tenant_key: tenant_key.clone(),
        };
        Ok(self.wrapped(&call).await?.0)
    }

    async fn new_object_key(
        &self,
        owner: &OwnerRequest,
        account: &WrappedAccount,
        object: &[u8; 16],
        label: &Label,
    ) -> Result<(ObjectKey, Wrapped), GateError> {
        let call = Call::NewObjectKey {
            owner: owner.into(),
            account: account.clone(),
            object: *object,
            label: label.clone(),
        };
        let (wrapped, message) = self.wrapped(&call).await?;
        Ok((one_key(&message)?, wrapped))
    }

    async fn open_object_key(
        &self,
        owner: &OwnerRequest,
        chain: &WrappedChain,
    ) -> Result<ObjectKey, GateError> {
        let call = Call::OpenObjectKey {
            owner: owner.into(),
            chain: chain.clone(),
        };
        match self.owners(&call).await? {
            (Answer::Opened, message) => one_key(&message),
            _ => Err(confused()),
        }
    }

    async fn rewrap_tenant_key(
        &self,
        region: &RegionId,
        tenant: &TenantId,
        key: &WrappedTenant,
        holder: Option<&ProviderId>,
    ) -> Result<WrappedTenant, GateError> {
        let call = Call::RewrapTenantKey {
            region: region.clone(),
            tenant: tenant.clone(),
            key: key.clone(),
            holder: holder.cloned(),
        };
        self.tenant(&call).await
    }

    async fn rewrap_account_keys(&self, request: RewrapAccounts) -> Result<Vec<Wrapped>, GateError> {
        let count = request.keys.len();
        self.rewrapped(&Call::RewrapAccountKeys(request), count).await
    }

    async fn rewrap_object_keys(&self, request: RewrapObjects) -> Result<Vec<Wrapped>, GateError> {
        let count = request.keys.len();
        self.rewrapped(&Call::RewrapObjectKeys(Box::new(request)), count)
            .await
    }

    /// Tells the gate, and does not wait: the account's wrapped key is gone from the database before, and the gate forgets
    /// what it had open after [`crate::gate::owner::ACCOUNT_KEY_TTL`] at the latest.
    fn forget_account(&self, tenant: &TenantId, account: &AccountId) {
        let (gate, call) = (
            self.clone(),
            Call::ForgetAccount {
                tenant: tenant.clone(),
                account: account.clone(),
            },
        );
        tokio::spawn(async move {
            if let Err(error) = gate.owners(&call).await {
                tracing::warn!(%error, "the gate was not told of an account's end; it forgets its key within a minute");
            }
        });
    }
}

#[async_trait]
impl ReleaseGate for RemoteGate {
    async fn release(&self, request: ReleaseRequest) -> Result<Opened, NotReleased> {
        let record = request.record.clone();
        let call = Message::new(&Call::Release(Box::new(request.into())), &[]).map_err(|e| away(e.into()))?;
        // Once: whether a record was used must never be guessed.
        let message = self.link.ask(call, RELEASE_PATIENCE).await.map_err(|error| match error {
            LinkError::Unknown(reason) => NoAnswer(format!(
                "the gate did not answer, so the record may be used up: {reason}; ask for the release again, and draw up a \
                 new record if this one was used"
            )),
            other => away(other),
        })?;
        match message.head::<Answer>().map_err(|error| away(error.into()))? {
            Answer::Released { objects, kept } => Ok(Opened {
                keys: many_keys(objects, &message)?,
                record,
                kept,
            }),
            Answer::Refused { refusal } => Err(refusal.into()),
            Answer::Failed { reason } => Err(NoAnswer(reason).into()),
            other => Err(unexpected(other).into()),
        }
    }

    /// Asked again where no answer came: keys wrapped twice harm nobody, and only one wrap is recorded.
    async fn transfer(&self, request: TransferRequest) -> Result<Vec<(ObjectId, Wrapped)>, NotReleased> {
        let call = Call::Transfer(Box::new(request.into()));
        let said = self.link.ask_again(|| Message::new(&call, &[]), REWRAP_PATIENCE);
        let message = said.await.map_err(away)?;
        match message.head::<Answer>().map_err(|error| away(error.into()))? {
            Answer::Transferred { keys } => Ok(keys),
            Answer::Refused { refusal } => Err(refusal.into()),
            Answer::Failed { reason } => Err(NoAnswer(reason).into()),
            other => Err(unexpected(other).into()),
        }
    }

    async fn offer(&self, request: TransferRequest) -> Result<Offer, NotReleased> {
        match self.handing(&Call::Offer(Box::new(request.into()))).await? {
            Answer::Offered { offer } => Ok(offer),
            other => Err(unexpected(other).into()),
        }
    }

    async fn hand_over(&self, request: TransferRequest, offer: Offer) -> Result<Batch, NotReleased> {
        let call = Call::HandOver {
            presented: Box::new(request.into()),
            offer,
        };
        match self.handing(&call).await? {
            Answer::Handed { batch } => Ok(batch),
            other => Err(unexpected(other).into()),
        }
    }

    async fn take_over(&self, request: TakingOver) -> Result<Vec<(ObjectId, Wrapped)>, NotReleased> {
        match self.handing(&Call::TakeOver(Box::new(request))).await? {
            Answer::Transferred { keys } => Ok(keys),
            other => Err(unexpected(other).into()),
        }
    }

    async fn observe(&self, case: CaseId, headers: Vec<Header>) -> Result<(), NoAnswer> {
        match self.look_up(&Call::Observe { case, headers }).await? {
            Answer::Done => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    async fn known(&self, case: CaseId) -> Result<Option<(u64, Digest)>, NoAnswer> {
        match self.look_up(&Call::Known { case }).await? {
            Answer::Known { seen } => Ok(seen),
            other => Err(unexpected(other)),
        }
    }

    async fn remembered(&self, origin: &str) -> Result<Option<Checkpoint>, NoAnswer> {
        let call = Call::Remembered {
            origin: origin.to_owned(),
        };
        match self.look_up(&call).await? {
            Answer::Remembered { checkpoint } => Ok(checkpoint.map(Into::into)),
            other => Err(unexpected(other)),
        }
    }
}

impl RemoteGate {
    /// Asks for an offer, a batch, or its wraps: again where no answer came, for an offer that was used up is said to be.
    async fn handing(&self, call: &Call) -> Result<Answer, NotReleased> {
        let said = self.link.ask_again(|| Message::new(call, &[]), REWRAP_PATIENCE);
        let message = said.await.map_err(away)?;
        match message.head::<Answer>().map_err(|error| away(error.into()))? {
            Answer::Refused { refusal } => Err(refusal.into()),
            Answer::Failed { reason } => Err(NoAnswer(reason).into()),
            answer => Ok(answer),
        }
    }
}

#[async_trait]
impl LedgerGate for RemoteGate {
    async fn page(
        &self,
        tenant: &TenantId,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Entry>, LedgerError> {
        let call = Call::Ledger {
            tenant: tenant.clone(),
            after,
            limit,
        };
        match self.look_up(&call).await? {
            Answer::Ledger { entries } => Ok(entries),
            other => Err(unexpected(other).into()),
        }
    }

    async fn heads(&self, after: Option<&TenantId>) -> Result<Vec<NewestHead>, LedgerError> {
        let after = after.cloned();
        match self.look_up(&Call::Heads { after }).await? {
            Answer::Heads { heads } => Ok(heads),
            other => Err(unexpected(other).into()),
        }
    }

    async fn keep_slots(&self, tenants: &[TenantId]) -> Result<(), LedgerError> {
        let tenants = tenants.to_vec();
        match self.look_up(&Call::KeepSlots { tenants }).await? {
            Answer::Done => Ok(()),
            other => Err(unexpected(other).into()),
        }
    }

    async fn sealed(&self, after: Option<CaseId>) -> Result<Vec<CaseId>, LedgerError> {
        match self.look_up(&Call::Sealed { after }).await? {
            Answer::Sealed { cases } => Ok(cases),
            other => Err(unexpected(other).into()),
        }
    }

    async fn unseal(&self, case: CaseId, chain: Vec<Event>) -> Result<(), LedgerError> {
        match self.look_up(&Call::Unseal { case, chain }).await? {
            Answer::Done => Ok(()),
            other => Err(unexpected(other).into()),
        }
    }
}

fn many_keys(objects: Vec<ObjectId>, message: &Message) -> Result<Vec<(ObjectId, ObjectKey)>, NoAnswer> {
    let (keys, rest) = message.secret().as_chunks::<KEY_BYTES>();
    if keys.len() != objects.len() || !rest.is_empty() {
        return Err(NoAnswer(
            "the gate sent another number of keys than of objects".to_owned(),
        ));
    }
    let pairs = objects.into_iter().zip(keys);
    Ok(pairs
        .map(|(object, key)| (object, ObjectKey::from_random(*key)))
        .collect())
}
