//! What an authority may have: its own objects, how they stand, and packages that the gate released, encrypted to their
//! recipient.

use std::collections::BTreeMap;

use casework::ids::{CaseId, Digest, RecordId};
use hi1::{
    Code, Failure, Kind, Object,
    dictionary::Entry,
    message::{ListRequest, Record},
    write,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::hi1::{LIST_MAX, ListedObject, Listing, NewObject, StoredObject};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use uuid::Uuid;

use super::{
    ANSWER_BYTES_MAX, Hi1, PART_BYTES, Peer, SCAN_MAX, Step, Trouble,
    handing::is_in_doubt,
    mirror::{self, Mirrored, Released},
};
use crate::app::DeskError;

/// What a list says of an object, kept apart from its contents.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Brief {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    external: Option<String>,
    /// When an authorisation ends, as it says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ends: Option<String>,
    /// Which delivery it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delivery: Option<String>,
}

const ENDS: [&str; 2] = ["auth:AuthorisationTimespan", "auth:EndTime"];

/// An object's brief, as it is kept.
pub(super) fn brief(object: &Object) -> Result<Vec<u8>, Trouble> {
    let brief = Brief {
        external: object.text("ExternalIdentifier").map(str::to_owned),
        ends: object
            .path(&ENDS)
            .and_then(|ends| ends.as_str())
            .map(str::to_owned),
        delivery: object.text("delivery:DeliveryID").map(str::to_owned),
    };
    serde_json::to_vec(&brief).map_err(|error| Trouble::Kept(error.to_string()))
}

/// How often an object was changed, and when last.
struct Stands {
    generation: u64,
    changed_at: Timestamp,
}

/// What one answer gives away, in bytes.
#[derive(Debug, Default)]
pub(super) struct Given(u64);

impl Hi1 {
    /// How a case stands; `None` where it was erased.
    pub(super) async fn mirrored(&self, case: CaseId) -> Result<Option<Mirrored>, Trouble> {
        Ok(mirror::of(&self.desk().events(case).await?))
    }

    /// An object as its authority sees it: as it sent it, with what is the receiver's to say.
    pub(super) async fn shown(&self, peer: &Peer, stored: &StoredObject, object: &Object) -> Step<Object> {
        let mirrored = match stored.case {
            None => None,
            Some(case) => match self.mirrored(case).await? {
                None => return Ok(Err(Failure::new(Code::NotDeliverable, "what it said was erased"))),
                found => found,
            },
        };
        let stands = Stands {
            generation: stored.generation,
            changed_at: stored.changed_at,
        };
        Ok(Ok(self.as_it_stands(peer, &stands, object, mirrored.as_ref())))
    }

    fn as_it_stands(
        &self,
        peer: &Peer,
        stands: &Stands,
        object: &Object,
        mirrored: Option<&Mirrored>,
    ) -> Object {
        let mut shown = object.clone();
        let mut changed_at = stands.changed_at;
        shown.set("CountryCode", json!(peer.endpoint.country));
        shown.set("OwnerIdentifier", json!(peer.endpoint.id));
        shown.set("Generation", json!(stands.generation));
        if let Some(mirrored) = mirrored {
            changed_at = changed_at.max(mirrored.since);
        }
        match (object.kind(), mirrored) {
            (Kind::Delivery, Some(mirrored)) => {
                let record = object
                    .text("delivery:DeliveryID")
                    .and_then(|id| id.parse::<RecordId>().ok());
                let delivered = mirrored
                    .released
                    .iter()
                    .any(|released| Some(released.record) == record && released.delivered);
                shown.set_status(if delivered { "Received" } else { "Available" }, None);
            }
            (kind, Some(mirrored)) => {
                let expired = kind == Kind::Authorisation
                    && object.moment_at(&ENDS).is_some_and(|end| end <= self.now())
                    && mirrored.status(kind) == "AwaitingApproval";
                let status = if expired { "Expired" } else { mirrored.status(kind) };
                // Why a task stands as it does is said of the task alone.
                let reason = mirrored
                    .failure()
                    .filter(|_| matches!(kind, Kind::LdTask | Kind::LpTask));
                shown.set_status(status, reason.as_ref());
            }
            (kind, None) => shown.set_status(
                if kind == Kind::LpTask {
                    "AwaitingPreservation"
                } else {
                    "AwaitingApproval"
                },
                None,
            ),
        }
        shown.set("LastChanged", json!(write::moment(changed_at)));
        shown
    }

    /// One object of this peer's, where the answer has room for it: its first has, whatever its size.
    pub(super) async fn get(&self, peer: &Peer, id: Uuid, given: &mut Given) -> Step<Object> {
        let missing = || Failure::new(Code::NotFound, "there is no such object of yours");
        let Some((kind, length)) = self.store().weigh(&peer.name(), id).await? else {
            return Ok(Err(missing()));
        };
        // A part is given in base64.
        let length = if kind == "Delivery" {
            PART_BYTES.saturating_mul(4) / 3
        } else {
            length
        };
        let with = given.0.saturating_add(length);
        if given.0 > 0 && with > ANSWER_BYTES_MAX {
            return Ok(Err(Failure::new(
                Code::TooLarge,
                format!(
                    "the answer would be larger than {ANSWER_BYTES_MAX} bytes; GET this object in a message of its own"
                ),
            )));
        }
        given.0 = with;
        let Some((stored, object)) = self.kept(peer, id).await? else {
            return Ok(Err(missing()));
        };
        let mut shown = match self.shown(peer, &stored, &object).await? {
            Ok(shown) => shown,
            Err(failure) => return Ok(Err(failure)),
        };
        if object.kind() == Kind::LdTask {
            let parts = match stored.case {
                Some(case) => {
                    self.deliveries(peer, case, id, self.mirrored(case).await?.as_ref())
                        .await?
                }
                None => Vec::new(),
            };
            let mut associated = object.associated();
            associated.extend(parts);
            if !associated.is_empty() {
                let ids: Vec<String> = associated.iter().map(Uuid::to_string).collect();
                shown.set("AssociatedObjects", json!({"AssociatedObject": ids}));
            }
        }
        if object.kind() == Kind::Delivery {
            return self.with_contents(stored.case, shown).await;
        }
        Ok(Ok(shown))
    }

    /// Which objects of this peer's there are.
    pub(super) async fn list(&self, peer: &Peer, asked: &ListRequest) -> Step<Vec<Record>> {
        let kind = match &asked.object_type {
            None => None,
            Some(entry) => match entry.of("ObjectType") {
                Some(kind) => Some(kind),
                None => {
                    return Ok(Err(Failure::new(
                        Code::UnknownValue,
                        "`ObjectType` takes values of ETSI's dictionary `ObjectType`",
                    )));
                }
            },
        };
        // Each case is read once, and nothing but briefs is opened: a list costs the same whatever its objects hold.
        let mut cases = BTreeMap::new();
        for task in self.scan(peer, Some("LDTask")).await? {
            if let Some(case) = task.case {
                let mirrored = self.once(&mut cases, case).await?;
                self.deliveries(peer, case, task.id, mirrored.as_ref()).await?;
            }
        }
        let most = asked.most.unwrap_or(u64::from(LIST_MAX)).min(u64::from(LIST_MAX));
        let mut records = Vec::new();
        for listed in self.scan(peer, kind).await? {
            if u64::try_from(records.len()).unwrap_or(u64::MAX) >= most {
                break;
            }
            let mirrored = match listed.case {
                None => None,
                Some(case) => match self.once(&mut cases, case).await? {
                    None => continue,
                    found => found,
                },
            };
            let Some(object) = self.briefly(peer, &listed).await? else {
                continue;
            };
            let stands = Stands {
                generation: listed.generation,
                changed_at: listed.changed_at,
            };
            let shown = self.as_it_stands(peer, &stands, &object, mirrored.as_ref());
            let changed = shown.moment("LastChanged");
            let status = shown
                .kind()
                .statuses()
                .and_then(|statuses| shown.entry(statuses.status));
            let outside = asked.changed_since.is_some_and(|since| changed < Some(since))
                || asked.changed_before.is_some_and(|before| changed >= Some(before))
                || asked.status.is_some() && asked.status != status
                || asked
                    .country
                    .as_ref()
                    .is_some_and(|country| *country != peer.endpoint.country);
            if outside {
                continue;
            }
            records.push(Record {
                object_type: Entry::etsi("ObjectType", &listed.kind),
                id: listed.id,
                country: Some(peer.endpoint.country.clone()),
                owner: Some(peer.endpoint.id.clone()),
                generation: listed.generation,
                external: shown.text("ExternalIdentifier").map(str::to_owned),
                changed: shown.text("LastChanged").map(str::to_owned),
            });
        }
        Ok(Ok(records))
    }

    /// How a case stands, read once for each list.
    async fn once(
        &self,
        cases: &mut BTreeMap<CaseId, Option<Mirrored>>,
        case: CaseId,
    ) -> Result<Option<Mirrored>, Trouble> {
        if let Some(known) = cases.get(&case) {
            return Ok(known.clone());
        }
        let mirrored = self.mirrored(case).await?;
        cases.insert(case, mirrored.clone());
        Ok(mirrored)
    }

    /// An object with no more than a list says of it.
    async fn briefly(&self, peer: &Peer, listed: &ListedObject) -> Result<Option<Object>, Trouble> {
        let Some(bytes) = &listed.brief else {
            // It was kept before briefs were: it alone is opened, and let go.
            return Ok(self.kept(peer, listed.id).await?.map(|(_, object)| object));
        };
        let kind = Kind::all().find(|kind| kind.object_type() == Some(listed.kind.as_str()));
        let kind = kind.ok_or_else(|| Trouble::Kept(format!("`{}` is no kind of object", listed.kind)))?;
        let brief: Brief = serde_json::from_slice(bytes).map_err(|error| Trouble::Kept(error.to_string()))?;
        let mut object = Object::new(kind, listed.id);
        if let Some(external) = brief.external {
            object.set("ExternalIdentifier", json!(external));
        }
        if let Some(ends) = brief.ends {
            let [timespan, end] = ENDS;
            object.set(timespan, json!({end: ends}));
        }
        if let Some(delivery) = brief.delivery {
            object.set("delivery:DeliveryID", json!(delivery));
        }
        Ok(Some(object))
    }

    /// This peer's objects of a kind, without their contents; at most [`SCAN_MAX`].
    async fn scan(&self, peer: &Peer, kind: Option<&str>) -> Result<Vec<ListedObject>, Trouble> {
        let mut which = Listing { kind, after: None };
        let mut found = Vec::new();
        while found.len() < SCAN_MAX {
            let page = self.store().page(&peer.name(), which).await?;
            let Some(last) = page.last() else { break };
            which.after = Some(last.id);
            found.extend(page);
        }
        Ok(found)
    }

    /// The delivery objects of a task: for each package that the gate released, its parts in order. They are made when they
    /// are first asked for.
    pub(super) async fn deliveries(
        &self,
        peer: &Peer,
        case: CaseId,
        task: Uuid,
        mirrored: Option<&Mirrored>,
    ) -> Result<Vec<Uuid>, Trouble> {
        let mut ids = Vec::new();
        for released in mirrored.into_iter().flat_map(|mirrored| &mirrored.released) {
            let parts = released.parts();
            ids.extend((0..parts).map(|part| part_id(released.record, part)));
            // They are made in order: where the last is there, all are.
            let last = part_id(released.record, parts.saturating_sub(1));
            if self.store().weigh(&peer.name(), last).await?.is_some() {
                continue;
            }
            let Some((_, task)) = self.kept(peer, task).await? else {
                continue;
            };
            for part in 0..parts {
                self.announce(peer, case, &task, *released, (part, parts)).await?;
            }
        }
        Ok(ids)
    }

    async fn announce(
        &self,
        peer: &Peer,
        case: CaseId,
        task: &Object,
        released: Released,
        (part, parts): (u64, u64),
    ) -> Result<(), Trouble> {
        let id = part_id(released.record, part);
        let mut delivery = Object::new(Kind::Delivery, id);
        delivery.set(
            "AssociatedObjects",
            json!({"AssociatedObject": [task.id().to_string()]}),
        );
        if let Some(reference) = task.text("task:Reference") {
            delivery.set("delivery:Reference", json!({"delivery:LDID": reference}));
        }
        delivery.set("delivery:DeliveryID", json!(released.record.to_string()));
        delivery.set("delivery:SequenceNumber", json!(part));
        delivery.set("delivery:LastSequence", json!(part + 1 == parts));
        let how = format!(
            "age (age-encryption.org/v1), to the recipient agreed; the parts in sequence are one file of {} bytes, SHA-256 {}",
            released.size, released.package
        );
        delivery.set(
            "delivery:EncryptionDetails",
            json!({"delivery:AdditionalInformation": how}),
        );
        let bytes = write::object(&delivery)?;
        let new = NewObject {
            peer: &peer.name(),
            id,
            kind: "Delivery",
            at: self.now(),
            case: Some(case),
            bytes: &bytes,
            brief: &brief(&delivery)?,
        };
        self.store().add(new, &self.key()?, self.three_nonces()?).await?;
        Ok(())
    }

    /// A delivery with its part of the package. The desk has a package only where the gate opened its keys.
    async fn with_contents(&self, case: Option<CaseId>, mut delivery: Object) -> Step<Object> {
        let missing = || Failure::new(Code::NotDeliverable, "the package cannot be given");
        let record = delivery
            .text("delivery:DeliveryID")
            .and_then(|id| id.parse::<RecordId>().ok());
        let part = delivery
            .get("delivery:SequenceNumber")
            .and_then(|part| part.as_u64());
        let (Some(case), Some(record), Some(part)) = (case, record, part) else {
            return Ok(Err(missing()));
        };
        if is_in_doubt(&self.desk().events(case).await?, record) {
            return Ok(Err(Failure::new(
                Code::NotDeliverable,
                "the package is held back until it is clear again who asks",
            )));
        }
        let package = match self.desk().package(case, record).await {
            Ok(package) => package,
            Err(DeskError::NotFound { .. }) => return Ok(Err(missing())),
            Err(error) => return Err(error.into()),
        };
        let mut file = tokio::fs::File::open(&package.path).await?;
        file.seek(std::io::SeekFrom::Start(part.saturating_mul(PART_BYTES)))
            .await?;
        let mut bytes = Vec::new();
        file.take(PART_BYTES).read_to_end(&mut bytes).await?;
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        delivery.set(
            "delivery:Delivery",
            json!({"delivery:BinaryData": {
                "delivery:Data": STANDARD.encode(&bytes),
                "delivery:ContentType": "application/octet-stream",
                "delivery:Checksum": Digest::of(&[&bytes]).to_string(),
                "delivery:ChecksumType": "SHA-256",
                "delivery:OriginalFilename": format!("{record}.tar.age"),
                "delivery:ContentLength": bytes.len(),
            }}),
        );
        Ok(Ok(delivery))
    }
}

/// The id of a part, which nobody has to keep to find it again.
pub(super) fn part_id(record: RecordId, part: u64) -> Uuid {
    let digest = Digest::of(&[
        b"amparo/hi1/delivery/v1\n",
        record.0.as_bytes(),
        &part.to_be_bytes(),
    ]);
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(digest.0) {
        *to = from;
    }
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
