//! The vault over Amazon's S3 protocol.
//!
//! [`serve`] is the way in: connections and their limits ([`limits`]) are there; each request then passes the door
//! (admission, refusals, the guarded body), s3s (protocol, signatures), the access check (the principal), and one
//! method of the face, which calls the [`Vault`]. Bodies stream both ways.
//!
//! Decisions that a client can see:
//!
//! - **ETags are random** and every answer says `x-amz-server-side-encryption: aws:kms`, which is S3's own sign that an
//!   ETag is no MD5. Checksums (CRC-64/NVME unless the client chose another) are what to compare.
//! - **The region of a signature** must be the bucket's, or one of the configured aliases; `us-east-1` is one by default
//!   because clients without a configured region sign for it. A missing bucket answers before the region is looked at,
//!   so that nothing is learnt about other tenants.
//! - **Access keys**: an unknown or disabled one is refused after the same work as a wrong signature.
//! - **What is asked for and not done is refused**, never ignored: SSE-C, key ids but the tenant's, ACLs that open
//!   anything, lifecycle rules by tag, Signature Version 2 but on the policy of a browser's form.
//! - **Host names**: buckets are addressed by path; by host name (`bucket.s3.example.com`) too where a domain is
//!   configured.
//!
//! s3s writes request headers and XML bodies to its log. Drop whatever comes from [`SILENT_TARGET`].

mod auth;
mod bucket;
mod bucket_settings;
mod convert;
mod cors;
mod digest;
mod door;
mod encryption;
mod error;
mod fault;
mod form;
mod intake;
mod lifecycle;
pub mod limits;
mod linger;
mod listing;
mod lock;
mod object;
mod object_read;
mod operations;
mod rechunk;
mod refuse;
mod settings;
mod upload;
mod version;

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    io,
    sync::Arc,
};

pub use self::{
    door::{Answer, S3Face},
    fault::BodyFault,
};
use crate::{
    listener::Door,
    vault::{Principal, Vault, VaultError},
};
use casework::ids::RegionId;
use s3s::{
    S3Error, S3ErrorCode, S3Request, S3Result,
    config::{S3Config as ProtocolConfig, StaticConfigProvider},
    service::S3ServiceBuilder,
};

/// The log filter directive without which s3s writes customers' metadata to the log.
pub const SILENT_TARGET: &str = "s3s";

/// How the S3 face is set up.
#[derive(Debug, Clone)]
pub struct S3Config {
    /// Where a bucket goes whose creator names no region.
    pub default_region: RegionId,
    /// The regions that this node serves; `None` serves whatever the vault has.
    served: Option<BTreeSet<RegionId>>,
    /// Regions of other nodes, and where their S3 faces are.
    elsewhere: BTreeMap<RegionId, Option<String>>,
}

/// The region that a signature may name besides the bucket's own: clients without a configured region sign for it.
pub(crate) const REGION_ALIAS: &str = "us-east-1";

impl S3Config {
    /// Path addressing, and new buckets in this region unless their creator names one.
    pub fn new(default_region: RegionId) -> Self {
        Self {
            default_region,
            served: None,
            elsewhere: BTreeMap::new(),
        }
    }

    /// The same, on a node that serves these regions, and sends clients elsewhere for those.
    #[must_use]
    pub fn among(
        mut self,
        served: BTreeSet<RegionId>,
        elsewhere: BTreeMap<RegionId, Option<String>>,
    ) -> Self {
        self.served = Some(served);
        self.elsewhere = elsewhere;
        self
    }

    /// Whether this node serves the region.
    pub(crate) fn serves(&self, region: &RegionId) -> bool {
        self.served.as_ref().is_none_or(|served| served.contains(region))
    }
}

/// Serves S3 at `door` until `shutdown` completes; see [`crate::listener::serve`].
///
/// # Errors
/// As [`service`].
pub async fn serve(
    door: impl Into<Door>,
    vault: Vault,
    config: S3Config,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    crate::listener::serve(door, service(vault, config)?, shutdown).await;
    Ok(())
}

/// The S3 face over `vault`, as a hyper service; [`S3Face::answer`] calls it in-process.
///
/// # Errors
/// When the operating system gives no randomness, or a domain is not one.
pub fn service(vault: Vault, config: S3Config) -> io::Result<S3Face> {
    let mut decoy = [0; 20];
    getrandom::fill(&mut decoy).map_err(io::Error::other)?;
    let mut builder = S3ServiceBuilder::new(Face {
        vault: vault.clone(),
        config: Arc::new(config.clone()),
    });
    builder.set_auth(auth::Keys::new(vault.clone(), decoy));
    builder.set_access(auth::Access);
    let mut protocol = ProtocolConfig::default();
    protocol.xml_max_body_size = limits::XML_BYTES_MAX;
    protocol.post_object_max_file_size = limits::FORM_BYTES_MAX as u64;
    protocol.form_max_field_size = limits::FORM_FIELD_BYTES_MAX;
    protocol.presigned_url_max_skew_time_secs =
        u32::try_from(limits::CLOCK_SKEW.as_secs()).unwrap_or(u32::MAX);
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(protocol))));
    Ok(S3Face::new(builder.build(), vault))
}

/// The operations, over the vault.
struct Face {
    vault: Vault,
    config: Arc<S3Config>,
}

impl Face {
    /// The caller, for an operation that touches no bucket yet.
    fn caller<T>(&self, request: &S3Request<T>) -> S3Result<Principal> {
        if request.service.as_deref() != Some("s3") {
            return Err(S3Error::with_message(
                S3ErrorCode::AuthorizationHeaderMalformed,
                "the credential scope must name the service `s3`",
            ));
        }
        // The access check put it there; without it nothing is done for anybody.
        request
            .extensions
            .get::<Principal>()
            .cloned()
            .ok_or_else(|| S3Error::new(S3ErrorCode::AccessDenied))
    }

    /// A bucket whose data stays where it is: it is not served from here.
    fn elsewhere(&self, region: &RegionId, bucket: &str) -> S3Error {
        let endpoint = self.config.elsewhere.get(region).and_then(Option::as_deref);
        let place = endpoint.map_or_else(
            || format!("the endpoint of region '{region}'"),
            |endpoint| format!("'{endpoint}'"),
        );
        let mut moved = S3Error::with_message(
            S3ErrorCode::PermanentRedirect,
            format!(
                "The bucket you are attempting to access must be addressed using the specified endpoint. Send requests \
                 for region '{region}' to {place}."
            ),
        );
        moved.set_status_code(hyper::StatusCode::MOVED_PERMANENTLY);
        let mut headers = hyper::HeaderMap::new();
        headers.insert(
            "content-type",
            hyper::header::HeaderValue::from_static("application/xml"),
        );
        if let Ok(value) = region.as_str().parse() {
            headers.insert("x-amz-bucket-region", value);
        }
        let location = endpoint.map(|endpoint| format!("{}/{bucket}", endpoint.trim_end_matches('/')));
        if let Some(Ok(value)) = location.map(|location| location.parse()) {
            headers.insert(hyper::header::LOCATION, value);
        }
        moved.set_headers(headers);
        moved
    }

    /// The caller, for an operation on `bucket`: the signature must be for its region or an alias.
    async fn caller_at<T>(&self, request: &S3Request<T>, bucket: &str) -> S3Result<Principal> {
        let who = self.caller(request)?;
        let signed = request.region.as_ref().map(|r| r.as_str()).unwrap_or_default();
        let name = bucket;
        let bucket = match self.vault.bucket(&who, name).await {
            Ok(bucket) => bucket,
            // Not here; and a client that signs for a region of another node looks for it there.
            Err(VaultError::NoSuchBucket) => {
                let region = self
                    .config
                    .elsewhere
                    .keys()
                    .find(|region| region.as_str() == signed);
                return Err(match region {
                    Some(region) => self.elsewhere(region, name),
                    None => error::of(VaultError::NoSuchBucket),
                });
            }
            Err(other) => return Err(error::of(other)),
        };
        if !self.config.serves(&bucket.region) {
            return Err(self.elsewhere(&bucket.region, name));
        }
        if signed == REGION_ALIAS || bucket.region.as_str() == signed {
            return Ok(who);
        }
        let expected = bucket.region.as_str();
        let mut wrong = S3Error::with_message(
            S3ErrorCode::AuthorizationHeaderMalformed,
            format!("the authorization header is malformed; the region is wrong; expecting '{expected}'"),
        );
        let mut headers = hyper::HeaderMap::new();
        headers.insert(
            "content-type",
            hyper::header::HeaderValue::from_static("application/xml"),
        );
        if let Ok(value) = expected.parse() {
            headers.insert("x-amz-bucket-region", value);
        }
        wrong.set_headers(headers);
        Err(wrong)
    }
}
