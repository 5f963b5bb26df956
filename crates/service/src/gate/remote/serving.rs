//! The gate's end.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use casework::ids::Digest;
use envelope::keys::{KEY_BYTES, ObjectKey};
use store::gate_memory::PolicySeen;
use zeroize::Zeroizing;

use super::{
    PROTOCOL,
    calls::{Answer, Call},
};
use crate::{
    gate::{
        LedgerGate, NotReleased, Opened, ReleaseGate, ReleaseRequest, TransferRequest,
        owner::{GateError, OwnerGate},
    },
    link::{Answers, Message, MessageError},
};

/// The two doors of a gate, for whoever the listener lets in.
pub struct GateService {
    /// None where only releases may be asked for.
    owner: Option<Arc<dyn OwnerGate>>,
    release: Arc<dyn ReleaseGate>,
    ledger: Arc<dyn LedgerGate>,
    policy: Option<(Digest, PolicySeen)>,
    policy_told: AtomicBool,
}

type Said = (Answer, Zeroizing<Vec<u8>>);

fn plain(answer: Answer) -> Said {
    (answer, Zeroizing::default())
}

impl GateService {
    /// These doors. `policy` is the digest of the trust policy, and whether it was in force before.
    pub fn new(
        owner: Arc<dyn OwnerGate>,
        release: Arc<dyn ReleaseGate>,
        ledger: Arc<dyn LedgerGate>,
        policy: (Digest, PolicySeen),
    ) -> Self {
        Self {
            owner: Some(owner),
            release,
            ledger,
            policy: Some(policy),
            policy_told: AtomicBool::new(false),
        }
    }

    /// The release door alone, and the unsealing of what was released, for whoever has no business with owners.
    pub(crate) fn for_releases(release: Arc<dyn ReleaseGate>, ledger: Arc<dyn LedgerGate>) -> Self {
        Self {
            owner: None,
            release,
            ledger,
            policy: None,
            policy_told: AtomicBool::new(false),
        }
    }

    async fn owners(&self, call: Call) -> Result<Said, GateError> {
        let Some(owners) = &self.owner else {
            return Ok(self.releases(call).await);
        };
        Ok(match call {
            Call::NewTenantKey {
                region,
                tenant,
                holder,
            } => {
                let made = owners.new_tenant_key(&region, &tenant, holder.as_ref());
                plain(Answer::Tenant { key: made.await? })
            }
            Call::NewAccountKey {
                region,
                tenant,
                account,
                tenant_key,
            } => {
                let made = owners.new_account_key(&region, &tenant, &account, &tenant_key);
                plain(Answer::Wrapped { key: made.await? })
            }
            Call::NewObjectKey {
                owner,
                account,
                object,
                label,
            } => {
                let owner = owner.into();
                let made = owners.new_object_key(&owner, &account, &object, &label);
                let (secret, key) = made.await?;
                (Answer::Wrapped { key }, bytes_of([&secret]))
            }
            Call::OpenObjectKey { owner, chain } => {
                let key = owners.open_object_key(&owner.into(), &chain).await?;
                (Answer::Opened, bytes_of([&key]))
            }
            Call::RewrapTenantKey {
                region,
                tenant,
                key,
                holder,
            } => {
                let moved = owners.rewrap_tenant_key(&region, &tenant, &key, holder.as_ref());
                plain(Answer::Tenant { key: moved.await? })
            }
            Call::RewrapAccountKeys(request) => {
                let keys = owners.rewrap_account_keys(request).await?;
                plain(Answer::Rewrapped { keys })
            }
            Call::RewrapObjectKeys(request) => {
                let keys = owners.rewrap_object_keys(*request).await?;
                plain(Answer::Rewrapped { keys })
            }
            Call::ForgetAccount { tenant, account } => {
                owners.forget_account(&tenant, &account);
                plain(Answer::Done)
            }
            other => self.releases(other).await,
        })
    }

    async fn releases(&self, call: Call) -> Said {
        let failed = |error: &dyn std::fmt::Display| {
            plain(Answer::Failed {
                reason: error.to_string(),
            })
        };
        match call {
            Call::Release(presented) => {
                let released = match ReleaseRequest::try_from(*presented) {
                    Ok(request) => self.release.release(request).await,
                    Err(refusal) => Err(NotReleased::Refused(refusal)),
                };
                match released {
                    Ok(Opened { keys, kept, .. }) => {
                        let objects = keys.iter().map(|(object, _)| *object).collect();
                        let secret = bytes_of(keys.iter().map(|(_, key)| key));
                        (Answer::Released { objects, kept }, secret)
                    }
                    Err(NotReleased::Refused(refusal)) => plain(Answer::Refused { refusal }),
                    Err(NotReleased::NoAnswer(error)) => failed(&error),
                }
            }
            Call::Transfer(_) if self.owner.is_none() => {
                failed(&"a move between regions is not asked for here")
            }
            Call::Transfer(presented) => {
                let wrapped = match TransferRequest::try_from(*presented) {
                    Ok(request) => self.release.transfer(request).await,
                    Err(refusal) => Err(NotReleased::Refused(refusal)),
                };
                match wrapped {
                    Ok(keys) => plain(Answer::Transferred { keys }),
                    Err(NotReleased::Refused(refusal)) => plain(Answer::Refused { refusal }),
                    Err(NotReleased::NoAnswer(error)) => failed(&error),
                }
            }
            Call::Observe { case, length, head } => match self.release.observe(case, length, head).await {
                Ok(()) => plain(Answer::Done),
                Err(error) => failed(&error),
            },
            Call::Known { case } => match self.release.known(case).await {
                Ok(seen) => plain(Answer::Known { seen }),
                Err(error) => failed(&error),
            },
            Call::Remembered { origin } => match self.release.remembered(&origin).await {
                Ok(checkpoint) => plain(Answer::Remembered {
                    checkpoint: checkpoint.map(Into::into),
                }),
                Err(error) => failed(&error),
            },
            Call::Policy { log } => {
                let Some((digest, seen)) = self.policy else {
                    return failed(&"that is not told here");
                };
                let news = log && !self.policy_told.swap(true, Ordering::AcqRel);
                let seen = if news { seen } else { PolicySeen::InForce };
                plain(Answer::Policy { digest, seen })
            }
            other => self.ledgers(other).await,
        }
    }
}

impl GateService {
    async fn ledgers(&self, call: Call) -> Said {
        let said = match call {
            // A tenant's ledger is read, and its days are closed, by its own region's node alone.
            Call::Ledger { .. } | Call::KeepSlots { .. } if self.owner.is_none() => Ok(Answer::Failed {
                reason: "that is not told here".to_owned(),
            }),
            Call::Ledger { tenant, after, limit } => {
                let page = self.ledger.page(&tenant, after, limit).await;
                page.map(|entries| Answer::Ledger { entries })
            }
            Call::KeepSlots { tenants } => self.ledger.keep_slots(&tenants).await.map(|()| Answer::Done),
            Call::Sealed { after } => {
                let cases = self.ledger.sealed(after).await;
                cases.map(|cases| Answer::Sealed { cases })
            }
            Call::Unseal { case, chain } => self.ledger.unseal(case, chain).await.map(|()| Answer::Done),
            _ => Ok(Answer::Failed {
                reason: "the gate cannot do that".to_owned(),
            }),
        };
        plain(said.unwrap_or_else(|error| Answer::Failed {
            reason: error.to_string(),
        }))
    }
}

/// Keys, one after the other, in a buffer that never grows.
fn bytes_of<'a>(
    keys: impl IntoIterator<Item = &'a ObjectKey, IntoIter: ExactSizeIterator>,
) -> Zeroizing<Vec<u8>> {
    let keys = keys.into_iter();
    let mut bytes = Zeroizing::new(Vec::with_capacity(keys.len() * KEY_BYTES));
    for key in keys {
        bytes.extend_from_slice(key.for_a_link());
    }
    bytes
}

#[async_trait]
impl Answers for GateService {
    fn protocol(&self) -> &'static str {
        PROTOCOL
    }

    async fn answer(&self, call: Message) -> Message {
        let (answer, secret) = match call.head::<Call>() {
            Ok(call) => {
                let said = self.owners(call).await;
                said.unwrap_or_else(|error| plain(Answer::NotOpened { error }))
            }
            Err(error) => {
                tracing::warn!(%error, "a request to the gate cannot be read");
                plain(Answer::Failed {
                    reason: error.to_string(),
                })
            }
        };
        Message::new(&answer, &secret).unwrap_or_else(|error| unsaid(&error))
    }
}

fn unsaid(error: &MessageError) -> Message {
    let reason = format!("the answer cannot be sent: {error}");
    // A head this short always fits.
    Message::new(&Answer::Failed { reason }, &[]).unwrap_or_else(|_| Message::empty())
}
