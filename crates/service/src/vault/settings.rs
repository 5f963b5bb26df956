//! What an owner sets for a whole bucket, beside versions and locks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Principal, Result, Tags, Vault, error::store_failed, lifecycle::Lifecycle};

/// The encryption that an owner names for an object, in S3's words. Whatever it names, the object lies under a key of its
/// own, below its account's and its tenant's; the words are kept so that they can be given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encryption {
    /// `AES256`: keys are the service's business.
    Aes256,
    /// `aws:kms`, with the key's name where one was named: the tenant's.
    Kms(Option<String>),
}

/// Which pages of other origins may read answers, as browsers ask.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorsRule {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Origins; one `*` in each at most.
    pub origins: Vec<String>,
    /// Methods.
    pub methods: Vec<String>,
    /// Request headers; one `*` in each at most.
    pub headers: Vec<String>,
    /// Answer headers that the page may read.
    pub exposes: Vec<String>,
    /// Seconds for which the browser may remember it.
    pub max_age: Option<i32>,
}

/// The four switches of a bucket's public access block. Nothing here is ever public: they are kept, and change nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicAccessBlock {
    /// `BlockPublicAcls`.
    pub block_acls: bool,
    /// `IgnorePublicAcls`.
    pub ignore_acls: bool,
    /// `BlockPublicPolicy`.
    pub block_policy: bool,
    /// `RestrictPublicBuckets`.
    pub restrict: bool,
}

impl PublicAccessBlock {
    /// All four.
    const ALL: Self = Self {
        block_acls: true,
        ignore_acls: true,
        block_policy: true,
        restrict: true,
    };
}

/// A bucket's settings.
#[derive(Debug, Clone, Default)]
pub struct BucketSettings {
    /// What is said of an object's encryption when its owner says nothing.
    pub encryption: Option<Encryption>,
    /// Tags of the bucket.
    pub tags: Option<Tags>,
    /// Cross-origin rules.
    pub cors: Option<Vec<CorsRule>>,
    /// What expires, and when.
    pub lifecycle: Option<Lifecycle>,
    /// The public access block: all four switches on where none was ever set, nothing where it was deleted.
    pub public_access: Option<PublicAccessBlock>,
}

/// A setting and its new value.
#[derive(Debug, Clone)]
pub enum Setting {
    /// [`BucketSettings::encryption`].
    Encryption(Option<Encryption>),
    /// [`BucketSettings::tags`].
    Tags(Option<Tags>),
    /// [`BucketSettings::cors`].
    Cors(Option<Vec<CorsRule>>),
    /// [`BucketSettings::lifecycle`].
    Lifecycle(Option<Lifecycle>),
    /// [`BucketSettings::public_access`].
    PublicAccess(Option<PublicAccessBlock>),
}

const ENCRYPTION: &str = "encryption";
const TAGS: &str = "tags";
const CORS: &str = "cors";
/// The name under which a lifecycle is kept; the job that carries it out looks for it.
pub(super) const LIFECYCLE: &str = "lifecycle";
const PUBLIC_ACCESS: &str = "public_access";

impl BucketSettings {
    pub(super) fn read(documents: &BTreeMap<String, String>) -> Result<Self> {
        Ok(Self {
            encryption: one(documents, ENCRYPTION)?,
            tags: one(documents, TAGS)?,
            cors: one(documents, CORS)?,
            lifecycle: one(documents, LIFECYCLE)?,
            public_access: one(documents, PUBLIC_ACCESS)?.unwrap_or(Some(PublicAccessBlock::ALL)),
        })
    }
}

fn one<T: DeserializeOwned>(documents: &BTreeMap<String, String>, name: &str) -> Result<Option<T>> {
    let document = documents.get(name);
    document
        .map(|text| serde_json::from_str(text).map_err(store_failed))
        .transpose()
}

fn write<T: Serialize>(value: Option<&T>) -> Result<Option<String>> {
    value
        .map(|value| serde_json::to_string(value).map_err(store_failed))
        .transpose()
}

impl Vault {
    /// A bucket's settings.
    ///
    /// # Errors
    /// When the bucket is missing.
    pub async fn settings(&self, who: &Principal, bucket: &str) -> Result<BucketSettings> {
        Ok(self.find_bucket(who, bucket).await?.settings.clone())
    }

    /// Sets one of them, or takes it away. Another process sees it within five seconds.
    ///
    /// # Errors
    /// When the bucket is missing.
    pub async fn set(&self, who: &Principal, bucket: &str, setting: Setting) -> Result<()> {
        let (name, document) = match &setting {
            Setting::Encryption(value) => (ENCRYPTION, write(value.as_ref())?),
            Setting::Tags(value) => (TAGS, write(value.as_ref())?),
            Setting::Cors(value) => (CORS, write(value.as_ref())?),
            Setting::Lifecycle(value) => (LIFECYCLE, write(value.as_ref())?),
            // Its absence is a setting, too.
            Setting::PublicAccess(value) => (PUBLIC_ACCESS, write(Some(value))?),
        };
        let found = self.find_bucket(who, bucket).await?;
        self.inner
            .store
            .set_bucket_setting(found.row.seq, name, document)
            .await?;
        self.forget_bucket(who, bucket);
        Ok(())
    }
}
