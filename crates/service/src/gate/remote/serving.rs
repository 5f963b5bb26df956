//! The gate's end.

use std::sync::Arc;

use async_trait::async_trait;
use casework::ids::Digest;
use envelope::keys::{KEY_BYTES, ObjectKey};
use store::{
    gate_memory::{GateMemory, MemoryError},
    ledger::SEALED_PAGE,
    peer_releases::PeerReleases,
};
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
    link::{Answers, Asker, Message, MessageError},
};

/// The two doors of a gate, for whoever the listener lets in.
pub struct GateService {
    /// None where only releases may be asked for.
    owner: Option<Arc<dyn OwnerGate>>,
    /// Where only releases may be asked for: the cases for which that was done.
    peers: Option<PeerReleases>,
    release: Arc<dyn ReleaseGate>,
    ledger: Arc<dyn LedgerGate>,
    /// The digest of the trust policy, and what remembers which changes of it are owed to the docket.
    policy: Option<(Digest, GateMemory)>,
}

type Said = (Answer, Zeroizing<Vec<u8>>);

/// Most pages of sealed cases that are looked through for one answer.
const SEALED_PAGES_MAX: usize = 500;

fn not_here() -> Said {
    plain(Answer::Failed {
        reason: "that is not to be asked for here".to_owned(),
    })
}

fn plain(answer: Answer) -> Said {
    (answer, Zeroizing::default())
}

impl GateService {
    /// These doors. `policy` is the digest of the trust policy, and what remembers which changes of it are owed to the docket.
    pub fn new(
        owner: Arc<dyn OwnerGate>,
        release: Arc<dyn ReleaseGate>,
        ledger: Arc<dyn LedgerGate>,
        policy: (Digest, GateMemory),
    ) -> Self {
        Self {
            owner: Some(owner),
            peers: None,
            release,
            ledger,
            policy: Some(policy),
        }
    }

    /// The release door alone, and the unsealing of what was released through it, for whoever has no business with owners.
    pub(crate) fn for_releases(
        release: Arc<dyn ReleaseGate>,
        ledger: Arc<dyn LedgerGate>,
        peers: PeerReleases,
    ) -> Self {
        Self {
            owner: None,
            peers: Some(peers),
            release,
            ledger,
            policy: None,
        }
    }

    async fn owners(&self, asker: &Asker, call: Call) -> Result<Said, GateError> {
        if let Some(peers) = &self.peers {
            return Ok(self.peers(peers, asker.names(), call).await);
        }
        let Some(owners) = &self.owner else {
            return Ok(not_here());
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
            Call::NextTenantKey { region, tenant, key } => {
                let made = owners.next_tenant_key(&region, &tenant, &key);
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

    /// What another region's node may ask: a release, what a proof for one must go on from, and the unsealing of cases that
    /// it had something released for itself, by the name of its certificate. How far a case has come the gate learns from
    /// releases alone then.
    async fn peers(&self, peers: &PeerReleases, node: &[String], call: Call) -> Said {
        let database = |error: &(dyn std::error::Error + Send + Sync)| {
            tracing::error!(error = %error, "the cases of other regions' nodes are not known");
            plain(Answer::Failed {
                reason: "the database failed".to_owned(),
            })
        };
        match call {
            Call::Release(presented) => {
                let case = presented.case();
                let said = self.releases(Call::Release(presented)).await;
                if matches!(said.0, Answer::Released { .. })
                    && let Err(error) = peers.note(case, node).await
                {
                    tracing::error!(%error, %case, "what this release sealed will not be unsealed by its desk");
                }
                said
            }
            Call::Remembered { .. } => self.releases(call).await,
            Call::Sealed { after } => {
                let mut cases = Vec::new();
                let mut from = after;
                for _ in 0..SEALED_PAGES_MAX {
                    let page = match self.ledger.sealed(from).await {
                        Ok(page) => page,
                        Err(error) => {
                            return plain(Answer::Failed {
                                reason: error.to_string(),
                            });
                        }
                    };
                    let Some(last) = page.last() else { break };
                    from = Some(*last);
                    for case in page {
                        match peers.has(case, node).await {
                            Ok(true) => cases.push(case),
                            Ok(false) => {}
                            Err(error) => return database(&error),
                        }
                    }
                    if u32::try_from(cases.len()).is_ok_and(|found| found >= SEALED_PAGE) {
                        cases.truncate(usize::try_from(SEALED_PAGE).unwrap_or(usize::MAX));
                        break;
                    }
                }
                plain(Answer::Sealed { cases })
            }
            Call::Unseal { case, .. } => match peers.has(case, node).await {
                Ok(true) => self.ledgers(call).await,
                // As where nothing is sealed: a desk shows its case to every gate.
                Ok(false) => plain(Answer::Done),
                Err(error) => database(&error),
            },
            _ => not_here(),
        }
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
            Call::Offer(presented) => {
                let made = match TransferRequest::try_from(*presented) {
                    Ok(request) => self.release.offer(request).await,
                    Err(refusal) => Err(refusal.into()),
                };
                plain(made.map_or_else(not_handed, |offer| Answer::Offered { offer }))
            }
            Call::HandOver { presented, offer } => {
                let sealed = match TransferRequest::try_from(*presented) {
                    Ok(request) => self.release.hand_over(request, offer).await,
                    Err(refusal) => Err(refusal.into()),
                };
                plain(sealed.map_or_else(not_handed, |batch| Answer::Handed { batch }))
            }
            Call::TakeOver(request) => {
                let wrapped = self.release.take_over(*request).await;
                plain(wrapped.map_or_else(not_handed, |keys| Answer::Transferred { keys }))
            }
            Call::Observe { case, headers } => match self.release.observe(case, headers).await {
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
            call @ (Call::Policy | Call::PolicyLogged { .. }) => {
                let Some((digest, memory)) = &self.policy else {
                    return failed(&"that is not told here");
                };
                match policies(*digest, memory, call).await {
                    Ok(answer) => plain(answer),
                    Err(error) => failed(&error),
                }
            }
            other => self.ledgers(other).await,
        }
    }
}

fn not_handed(error: NotReleased) -> Answer {
    match error {
        NotReleased::Refused(refusal) => Answer::Refused { refusal },
        NotReleased::NoAnswer(error) => Answer::Failed {
            reason: error.to_string(),
        },
    }
}

impl GateService {
    async fn ledgers(&self, call: Call) -> Said {
        let said = match call {
            Call::Ledger { tenant, after, limit } => {
                let page = self.ledger.page(&tenant, after, limit).await;
                page.map(|entries| Answer::Ledger { entries })
            }
            Call::Heads { after } => {
                let heads = self.ledger.heads(after.as_ref()).await;
                heads.map(|heads| Answer::Heads { heads })
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

/// Which changes of the trust policy are owed to the docket; or one that is owed no more.
async fn policies(digest: Digest, memory: &GateMemory, call: Call) -> Result<Answer, MemoryError> {
    if let Call::PolicyLogged { number } = call {
        memory.policy_logged(number).await?;
        return Ok(Answer::Done);
    }
    let owed = memory.owed_policies().await?;
    Ok(Answer::Policy { digest, owed })
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

    async fn answer(&self, asker: &Asker, call: Message) -> Message {
        let (answer, secret) = match call.head::<Call>() {
            Ok(call) => {
                let said = self.owners(asker, call).await;
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
