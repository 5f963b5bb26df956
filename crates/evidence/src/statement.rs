//! The statements that a package carries beside its objects, and their one canonical form.

use casework::{
    canonical::{CanonicalError, to_canonical_json},
    demand::Category,
    ids::{AccountId, CaseId, Digest, ObjectId, RecordId, RegionId, TenantId},
    record::{Recipient, ReleaseRecord, ReleasedObject},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{measure::Measure, name};

/// The release record, canonical JSON.
pub const RECORD: &str = "record.json";
/// The chain of custody: every event's header, and the bodies that the authority may see.
pub const CUSTODY: &str = "custody.json";
/// The docket's receipt for the record: a C2SP tlog-proof.
pub const RECEIPT: &str = "receipt.tlog-proof";
/// The checkpoint inside that receipt, by itself.
pub const CHECKPOINT: &str = "checkpoint";
/// What each object is called, how it was stored, and the opening of its commitment.
pub const CONTENTS: &str = "contents.json";
/// One line per object, for a spreadsheet.
pub const INDEX_CSV: &str = "index.csv";
/// The same for programs.
pub const INDEX_JSON: &str = "index.json";
/// Every other entry with its size and SHA-256.
pub const MANIFEST: &str = "manifest.json";

/// Largest statement in bytes. A record of 100,000 objects needs about half of it.
pub const STATEMENT_MAX: u64 = 128 << 20;
/// Largest receipt or checkpoint in bytes.
pub const RECEIPT_MAX: u64 = 1 << 20;
/// Most parts one object may have been uploaded in: S3's own limit.
pub const PARTS_MAX: usize = 10_000;
/// Longest original name and longest content type in bytes; S3 keys have at most 1,024.
pub const NAME_MAX: usize = 4096;

/// Bytes are not the one form of the statement they should be.
#[derive(Debug, thiserror::Error)]
pub enum BadStatement {
    /// Not the JSON expected.
    #[error("it cannot be read: {0}")]
    Parse(#[from] serde_json::Error),
    /// The right values, written otherwise.
    #[error("it is not in canonical form (RFC 8785)")]
    NotCanonical,
    /// A value that has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

/// Reads a statement and insists on its canonical bytes.
///
/// # Errors
/// When it does not parse, or is written in any other way than RFC 8785's.
pub fn read<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, BadStatement> {
    let value: T = serde_json::from_slice(bytes)?;
    if to_canonical_json(&value)? != bytes {
        return Err(BadStatement::NotCanonical);
    }
    Ok(value)
}

macro_rules! schema_tag {
    ($(#[$doc:meta])* $name:ident, $text:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name {
            /// Version 1.
            #[serde(rename = $text)]
            V1,
        }
    };
}
schema_tag!(
    /// The schema tag of [`Contents`].
    ContentsSchema, "amparo.contents/1"
);
schema_tag!(
    /// The schema tag of [`Manifest`].
    ManifestSchema, "amparo.package/1"
);
schema_tag!(
    /// The schema tag of [`Index`].
    IndexSchema, "amparo.index/1"
);

/// What the record does not say about its objects, and a reader needs before it reads them.
///
/// Names and content types are the provider's statement: the record does not commit to them. Part lengths and openings
/// are bound by each object's commitment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contents {
    /// Always `amparo.contents/1`.
    pub schema: ContentsSchema,
    /// The provider, as it names itself.
    pub sender: String,
    /// When the package was made.
    pub made_at: Timestamp,
    /// One per object of the record, in the record's order.
    pub objects: Vec<ObjectDetail>,
}

/// One object's particulars.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectDetail {
    /// The object.
    pub object: ObjectId,
    /// The name the customer gave it, as it was.
    pub name: String,
    /// Its media type, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Lengths of the parts it was uploaded in; one for an ordinary upload.
    pub parts: Vec<u64>,
    /// Opens the commitment in the record; derived from the object's key, and tells nothing about it.
    pub opening: Digest,
}

/// The whole package in one file. Holds what Implementing Regulation (EU) 2025/1550 asks of a manifest for evidence
/// over 25 MB: sender, recipient, link to the order, time, means, file names, sizes, hash and algorithm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always `amparo.package/1`.
    pub schema: ManifestSchema,
    /// The provider.
    pub sender: String,
    /// Who receives it.
    pub recipient: Recipient,
    /// The case.
    pub case: CaseId,
    /// The requester's own reference: docket or file number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// SHA-256 of the demand's bytes as they arrived.
    pub demand: Digest,
    /// The release record.
    pub record: RecordId,
    /// Its digest: what reviewers signed and the docket commits to.
    pub record_digest: Digest,
    /// When the package was made.
    pub made_at: Timestamp,
    /// How it travels.
    pub means: Means,
    /// Of every digest of a file here.
    pub hash: HashName,
    /// Every entry that is no object, except this one.
    pub statements: Vec<ManifestEntry>,
    /// Every object.
    pub objects: Vec<ManifestObject>,
}

/// How packages travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Means {
    /// A tar archive, encrypted with age.
    #[serde(rename = "tar archive, encrypted to the recipient with age (age-encryption.org/v1)")]
    AgeTar,
}

/// The hash of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HashName {
    /// FIPS 180-4.
    #[serde(rename = "SHA-256")]
    Sha256,
}

/// One entry that is no object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestEntry {
    /// In the archive.
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// Of the file.
    pub sha256: Digest,
}

/// One object in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestObject {
    /// In the archive.
    pub path: String,
    /// Its id.
    pub object: ObjectId,
    /// The customer.
    pub tenant: TenantId,
    /// The account.
    pub account: AccountId,
    /// Where it lay.
    pub region: RegionId,
    /// What it is.
    pub category: Category,
    /// The time it concerns.
    pub concerns_at: Timestamp,
    /// The name the customer gave it.
    pub name: String,
    /// Its media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// In bytes.
    pub size: u64,
    /// Of the file.
    pub sha256: Digest,
    /// Lengths of the parts it was uploaded in.
    pub parts: Vec<u64>,
    /// Opens the commitment in the record.
    pub opening: Digest,
}

/// `index.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// Always `amparo.index/1`.
    pub schema: IndexSchema,
    /// The case.
    pub case: CaseId,
    /// One per object.
    pub objects: Vec<IndexRow>,
}

/// One line of the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexRow {
    /// From 1.
    pub number: u64,
    /// In the archive.
    pub path: String,
    /// The name the customer gave it.
    pub name: String,
    /// The customer.
    pub tenant: TenantId,
    /// The account.
    pub account: AccountId,
    /// What it is.
    pub category: Category,
    /// The time it concerns.
    pub concerns_at: Timestamp,
    /// In bytes.
    pub size: u64,
    /// Of the file.
    pub sha256: Digest,
    /// Its id.
    pub object: ObjectId,
}

/// What builder and verifier both know once every object has passed: enough to write index and manifest anew.
pub(crate) struct Derived<'a> {
    pub(crate) record: &'a ReleaseRecord,
    pub(crate) record_digest: Digest,
    pub(crate) contents: &'a Contents,
    pub(crate) demand: Digest,
    pub(crate) reference: Option<String>,
    /// SHA-256 of each object, in the record's order.
    pub(crate) objects: &'a [Digest],
}

impl Derived<'_> {
    fn rows(&self) -> impl Iterator<Item = (u64, String, &ReleasedObject, &ObjectDetail, Digest)> {
        let details = self.contents.objects.iter();
        self.record
            .objects
            .iter()
            .zip(details)
            .zip(self.objects)
            .zip(1_u64..)
            .map(|(((o, d), sha256), n)| {
                let path = name::object_path(usize::try_from(n).unwrap_or(usize::MAX), &d.name);
                (n, path, o, d, *sha256)
            })
    }

    pub(crate) fn index_json(&self) -> Result<Vec<u8>, CanonicalError> {
        let objects = self
            .rows()
            .map(|(number, path, o, d, sha256)| IndexRow {
                number,
                path,
                name: d.name.clone(),
                tenant: o.account.tenant.clone(),
                account: o.account.account.clone(),
                category: o.category,
                concerns_at: o.concerns_at,
                size: o.size,
                sha256,
                object: o.object,
            })
            .collect();
        to_canonical_json(&Index {
            schema: IndexSchema::V1,
            case: self.record.case,
            objects,
        })
    }

    pub(crate) fn index_csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::WriterBuilder::new()
            .quote_style(csv::QuoteStyle::Always)
            .terminator(csv::Terminator::CRLF)
            .from_writer(Vec::new());
        writer.write_record([
            "number",
            "path",
            "name",
            "tenant",
            "account",
            "category",
            "concerns_at",
            "size",
            "sha256",
            "object",
        ])?;
        for (number, path, o, d, sha256) in self.rows() {
            let category = serde_json::to_value(o.category).ok();
            writer.write_record([
                number.to_string(),
                path,
                name::csv_cell(&d.name),
                name::csv_cell(o.account.tenant.as_str()),
                name::csv_cell(o.account.account.as_str()),
                category
                    .as_ref()
                    .and_then(|c| c.as_str())
                    .unwrap_or_default()
                    .to_owned(),
                name::csv_cell(&o.concerns_at.to_string()),
                o.size.to_string(),
                sha256.to_string(),
                o.object.to_string(),
            ])?;
        }
        writer.into_inner().map_err(|e| csv::Error::from(e.into_error()))
    }

    pub(crate) fn manifest(&self, statements: &[(String, Measure)]) -> Result<Vec<u8>, CanonicalError> {
        let objects = self
            .rows()
            .map(|(_, path, o, d, sha256)| ManifestObject {
                path,
                object: o.object,
                tenant: o.account.tenant.clone(),
                account: o.account.account.clone(),
                region: o.account.region.clone(),
                category: o.category,
                concerns_at: o.concerns_at,
                name: d.name.clone(),
                content_type: d.content_type.clone(),
                size: o.size,
                sha256,
                parts: d.parts.clone(),
                opening: d.opening,
            })
            .collect();
        to_canonical_json(&Manifest {
            schema: ManifestSchema::V1,
            sender: self.contents.sender.clone(),
            recipient: self.record.recipient.clone(),
            case: self.record.case,
            reference: self.reference.clone(),
            demand: self.demand,
            record: self.record.id,
            record_digest: self.record_digest,
            made_at: self.contents.made_at,
            means: Means::AgeTar,
            hash: HashName::Sha256,
            statements: statements
                .iter()
                .map(|(path, m)| ManifestEntry {
                    path: path.clone(),
                    size: m.size,
                    sha256: m.sha256,
                })
                .collect(),
            objects,
        })
    }
}
