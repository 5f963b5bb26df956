//! Keys from gate to gate: the transfer door where the two regions lie on two nodes.
//!
//! The gate that the keys go to makes an offer ([`EmbeddedGate::offer`]), for a transfer that it let through by its own
//! policy, memory and clock: a public key for one batch, signed. The gate that they leave decides for itself
//! ([`EmbeddedGate::hand_over`]), seals them to the offer and signs the batch. The first opens them, sees that each is its
//! object's, and wraps it under its own account's key ([`EmbeddedGate::take_over`]). Each knows the other's key from
//! `[[gate]]` in its trust policy; where none is named, nothing is offered, handed over or taken over. Whoever holds the
//! tenant's key is asked on both sides, with the transfer named. Both remember where the keys went before any is sealed or
//! wrapped.
//!
//! The exchange is X25519MLKEM768, as TLS makes it: the secret stays shared by the two gates alone as long as either of the
//! two holds, and is used for one batch. A gate that restarts has forgotten its offers, and makes others.

mod offer;

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use casework::{
    event::Header,
    finding::Promise,
    gate::Refusal,
    ids::{Digest, ObjectId, RegionId},
    promise::CLOCK_SKEW_MAX,
    record::AccountRef,
    transfer::{AdmittedTransfer, Mode, ShownTransfer, TransferRecord, admit},
};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use envelope::{
    chunked::{self, Context},
    handing::{Handed, HandingKey, hand_over, take_over},
    keys::{Wrapped, WrappedAccount, WrappedChain},
    opening::NotOpened,
};
use jiff::SignedDuration;
use rustls::crypto::{ActiveKeyExchange, aws_lc_rs::kx_group::X25519MLKEM768};

pub use self::offer::{Batch, Offer, TakingOver};
use self::offer::{Share, about};
use super::{
    EmbeddedGate, NoAnswer, NotReleased, TransferRequest, not_remembered,
    owner::random,
    transfer::{KEYS_MAX, went_to},
};
use crate::keys::Reason;

/// How long an offer stands.
pub const OFFER_TIME: SignedDuration = SignedDuration::from_mins(10);
/// Most offers that a gate has out; the oldest lapses for another.
pub const OFFERS_MAX: usize = 64;

const HINT: &str = "find out why before the transfer goes on";

/// What a gate needs to deal with others: its signing key, and the offers that it has out.
pub(super) struct Handing {
    key: SigningKey,
    offers: Mutex<HashMap<Digest, Out>>,
}

/// An offer that is out.
struct Out {
    offer: Offer,
    exchange: Box<dyn ActiveKeyExchange>,
    admitted: AdmittedTransfer,
    headers: Vec<Header>,
}

impl Handing {
    pub(super) fn new(key: SigningKey) -> Self {
        Self {
            key,
            offers: Mutex::default(),
        }
    }

    fn offers(&self) -> MutexGuard<'_, HashMap<Digest, Out>> {
        self.offers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sign(&self, message: &[u8]) -> String {
        STANDARD.encode(self.key.sign(message).to_bytes())
    }
}

fn broken(reason: impl Into<String>) -> Refusal {
    Refusal::invariant(2, reason.into(), HINT)
}

impl EmbeddedGate {
    /// A public key for one batch of a transfer to a region of this gate, after the transfer was decided here.
    ///
    /// # Errors
    /// [`Refusal`], naming the promise or invariant: the transfer is not let through, is a copy, or comes from a region whose
    /// gate the trust policy does not name.
    pub async fn offer(&self, request: TransferRequest) -> Result<Offer, Refusal> {
        let handing = self.handing()?;
        let (from, to) = (request.record.from.clone(), request.record.to.clone());
        self.must_serve(&to)?;
        self.key_of(&from)?;
        let _turn = self.turn.lock().await;
        let (admitted, headers) = self.admitted(request).await?;
        let exchange = X25519MLKEM768.start();
        let exchange = exchange.map_err(|_| broken("no key pair could be made for an offer"))?;
        let now = (self.clock)();
        let mut offer = Offer {
            record: admitted.record().digest()?,
            from,
            to,
            until: now.saturating_add(OFFER_TIME).unwrap_or(now),
            share: Share(exchange.pub_key().to_vec()),
            signature: String::new(),
        };
        offer.signature = handing.sign(&offer.message());
        let mut offers = handing.offers();
        offers.retain(|_, out| out.offer.until > now);
        while offers.len() >= OFFERS_MAX {
            let oldest = offers.iter().min_by_key(|(_, out)| out.offer.until);
            let Some(oldest) = oldest.map(|(digest, _)| *digest) else {
                break;
            };
            offers.remove(&oldest);
        }
        let out = Out {
            offer: offer.clone(),
            exchange,
            admitted,
            headers,
        };
        offers.insert(offer.digest(), out);
        Ok(offer)
    }

    /// Seals keys to an offer of the gate that they go to, after the transfer was decided here.
    ///
    /// # Errors
    /// [`Refusal`], naming the promise or invariant. Nothing was sealed.
    pub async fn hand_over(&self, request: TransferRequest, offer: Offer) -> Result<Batch, Refusal> {
        let handing = self.handing()?;
        let mut request = request;
        let keys = std::mem::take(&mut request.keys);
        if keys.is_empty() || keys.len() > KEYS_MAX {
            let reason = format!("{} keys at once; 1 to {KEYS_MAX} are handed over", keys.len());
            return Err(Refusal::invariant(10, reason, "ask in smaller batches"));
        }
        self.must_serve(&request.record.from)?;
        self.must_be_for(&offer, &request.record)?;
        let _turn = self.turn.lock().await;
        let (admitted, headers) = self.admitted(request).await?;
        let holder = one_holder(&keys)?;
        let reason = Reason::Transfer {
            matter: admitted.record().transfer.to_string(),
        };
        let tenants = self.tenants(keys.iter().map(|key| &key.account), &reason).await?;
        let names = keys.iter().map(|key| key.account.account.as_str());
        self.remember_handing(&admitted, &headers, &went_to(&admitted, names)?)
            .await?;
        let made = X25519MLKEM768.start_and_complete(&offer.share.0);
        let made = made.map_err(|_| broken("the offer's public key cannot be used"))?;
        let (digest, share) = (offer.digest(), Share(made.pub_key));
        let under = HandingKey::of(made.secret.secret_bytes(), &about(&digest, &share));
        let under = under.map_err(|error| broken(error.to_string()))?;
        let mut handed = Vec::with_capacity(keys.len());
        for (number, chain) in (0..).zip(&keys) {
            let below = tenants.must_be_above(&chain.account, HINT)?;
            let to = offer.to.as_str();
            let sealed = hand_over(below, admitted.included(), chain, to, (&under, number));
            handed.push(sealed.map_err(|error| not_moved(&chain.object, error))?);
        }
        let mut batch = Batch {
            offer: digest,
            record: offer.record,
            keys: handed,
            share,
            holder,
            signature: String::new(),
        };
        batch.signature = handing.sign(&batch.message()?);
        Ok(batch)
    }

    /// Opens keys that another gate sealed to an offer of this one, and wraps each under its account's key here; in the order
    /// given. The offer is used up.
    ///
    /// # Errors
    /// Refused, naming the promise or invariant: nothing was wrapped. No answer, where the offer is not known any more: ask for
    /// another, and have the keys sealed to that.
    pub async fn take_over(&self, request: TakingOver) -> Result<Vec<(ObjectId, Wrapped)>, NotReleased> {
        let handing = self.handing()?;
        let TakingOver { batch, to, metadata } = request;
        if batch.keys.len() > KEYS_MAX || to.len() > KEYS_MAX || metadata.len() != batch.keys.len() {
            return Err(broken("the batch is not one key and its object's metadata each").into());
        }
        let _turn = self.turn.lock().await;
        let out = handing.offers().remove(&batch.offer);
        let now = (self.clock)();
        let Some(out) = out.filter(|out| out.offer.until > now) else {
            let lapsed = "the offer that the keys are sealed to lapsed; ask for another";
            return Err(NoAnswer(lapsed.to_owned()).into());
        };
        let Out {
            offer,
            exchange,
            admitted,
            headers,
        } = out;
        if batch.record != offer.record
            || !signed(self.key_of(&offer.from)?, &batch.message()?, &batch.signature)
        {
            let reason = format!(
                "the keys were not handed over by the gate of region `{}`",
                offer.from
            );
            return Err(broken(reason).into());
        }
        let pairs = pairs(&batch, &to)?;
        let reason = Reason::Transfer {
            matter: admitted.record().transfer.to_string(),
        };
        let tenants = self.tenants(pairs.iter().map(|(_, to)| *to), &reason).await?;
        let names = batch.keys.iter().map(|handed| handed.account.as_str());
        self.remember_handing(&admitted, &headers, &went_to(&admitted, names)?)
            .await?;
        let secret = exchange.complete(&batch.share.0);
        let secret = secret.map_err(|_| broken("the batch's part of the exchange cannot be used"))?;
        let under = HandingKey::of(secret.secret_bytes(), &about(&batch.offer, &batch.share));
        let under = under.map_err(|error| broken(error.to_string()))?;
        let mut wrapped = Vec::with_capacity(pairs.len());
        for (number, ((handed, to), sealed)) in (0..).zip(pairs.into_iter().zip(&metadata)) {
            let below = tenants.must_be_above(to, HINT)?;
            let sealed = STANDARD
                .decode(sealed)
                .map_err(|_| broken("metadata is base64"))?;
            let context = Context::metadata(&to.tenant, &to.account, &handed.object);
            let nonce = random().map_err(|error| broken(error.to_string()))?;
            let anew = take_over(
                below,
                admitted.included(),
                handed,
                (offer.from.as_str(), to),
                (&under, number),
                |key| chunked::open(key, &context, &sealed).is_ok(),
                *nonce,
            );
            let anew = anew.map_err(|error| not_moved(&handed.object, error))?;
            wrapped.push((ObjectId(uuid::Uuid::from_bytes(handed.object)), anew));
        }
        Ok(wrapped)
    }

    fn handing(&self) -> Result<&Handing, Refusal> {
        self.handing.as_ref().ok_or_else(|| {
            Refusal::invariant(
                3,
                "this gate deals with no other gate",
                "name the other node's gate as a `[[gate]]` in its trust.toml, and start it anew",
            )
        })
    }

    fn must_serve(&self, region: &RegionId) -> Result<(), Refusal> {
        match self.roots().serves(region.as_str()) {
            true => Ok(()),
            false => Err(Refusal::invariant(
                2,
                format!("this gate holds no root for region `{region}`"),
                "ask that region's gate",
            )),
        }
    }

    /// The public key of another node's gate.
    fn key_of(&self, region: &RegionId) -> Result<&[u8; 32], Refusal> {
        self.policy.gate_of(region).ok_or_else(|| {
            Refusal::promise(
                Promise::P19,
                format!("no gate of region `{region}` is trusted here"),
                "name it as a `[[gate]]` in the gate's trust.toml, with the key that `amparo key gate` prints there",
            )
        })
    }

    /// The offer is of the gate that the record's keys go to, for this very record, and stands.
    fn must_be_for(&self, offer: &Offer, record: &TransferRecord) -> Result<(), Refusal> {
        let now = (self.clock)();
        let latest = now
            .saturating_add(OFFER_TIME.saturating_add(CLOCK_SKEW_MAX))
            .unwrap_or(now);
        let names_it = offer.record == record.digest()? && offer.from == record.from && offer.to == record.to;
        if !names_it || offer.until <= now || offer.until > latest {
            return Err(broken(
                "the offer is of another transfer, or does not stand any more",
            ));
        }
        match signed(self.key_of(&record.to)?, &offer.message(), &offer.signature) {
            true => Ok(()),
            false => Err(broken(format!(
                "the offer is not of the gate of region `{}` that is trusted here",
                record.to
            ))),
        }
    }

    /// Decides, for keys that go to another node.
    async fn admitted(&self, request: TransferRequest) -> Result<(AdmittedTransfer, Vec<Header>), Refusal> {
        let TransferRequest {
            chain,
            record,
            salt,
            receipt,
            consistency,
            keys: _,
            to: _,
        } = request;
        if record.mode != Mode::Move {
            return Err(Refusal::promise(
                Promise::P19,
                "a copy is made between regions of one node alone",
                "open a transfer that moves, or have one node serve both regions",
            ));
        }
        let of = (record.id, record.transfer);
        let headers: Vec<_> = chain.iter().map(|event| event.header.clone()).collect();
        let shown = ShownTransfer {
            events: chain,
            record,
            salt,
            receipt,
            consistency,
        };
        let admitted = self
            .decided(of, &[], move |policy, rulebooks, memory, now| {
                admit(shown, policy, rulebooks, memory, now)
            })
            .await?;
        Ok((admitted, headers))
    }

    async fn remember_handing(
        &self,
        admitted: &AdmittedTransfer,
        headers: &[Header],
        went: &[AccountRef],
    ) -> Result<(), Refusal> {
        self.memory
            .remember_batch(admitted.remember(), headers, went)
            .await
            .map_err(not_remembered)
    }
}

/// Who holds the tenant's key above all of these; what the other side must match.
fn one_holder(keys: &[WrappedChain]) -> Result<Option<String>, Refusal> {
    let mut holders = keys.iter().map(|key| key.account.tenant_key.holder());
    let first = holders.next().flatten();
    match holders.all(|other| other == first) {
        true => Ok(first.map(str::to_owned)),
        false => Err(Refusal::promise(
            Promise::P3,
            "the tenant's keys are held by several at once",
            "let `amparo tenant keys` move them all first",
        )),
    }
}

/// Each key with its account's key here.
fn pairs<'a>(
    batch: &'a Batch,
    to: &'a [WrappedAccount],
) -> Result<Vec<(&'a Handed, &'a WrappedAccount)>, Refusal> {
    let mut pairs = Vec::with_capacity(batch.keys.len());
    for handed in &batch.keys {
        let target = to.iter().find(|to| to.account == handed.account);
        let target = target.ok_or_else(|| broken("an account's key here is missing"))?;
        // Else what the customer can refuse to open would come under what the provider opens alone.
        let held_by = batch.holder.as_deref();
        if held_by.is_some() && target.tenant_key.holder() != held_by {
            return Err(Refusal::promise(
                Promise::P3,
                format!(
                    "the key of tenant `{}` is held by another there, or by nobody",
                    target.tenant
                ),
                "have the same holder hold the tenant's key in the other region first",
            ));
        }
        pairs.push((handed, target));
    }
    Ok(pairs)
}

fn signed(key: &[u8; 32], message: &[u8], signature: &str) -> bool {
    let signature = STANDARD.decode(signature).ok();
    let signature = signature.and_then(|bytes| Signature::from_slice(&bytes).ok());
    let key = VerifyingKey::from_bytes(key).ok();
    key.zip(signature)
        .is_some_and(|(key, signature)| key.verify_strict(message, &signature).is_ok())
}

fn not_moved(object: &[u8; 16], error: NotOpened) -> Refusal {
    let object = ObjectId(uuid::Uuid::from_bytes(*object));
    let reason = format!("object `{object}`: {error}");
    match error {
        NotOpened::NotNamed => Refusal::promise(Promise::P19, reason, HINT),
        _ => Refusal::invariant(2, reason, HINT),
    }
}
