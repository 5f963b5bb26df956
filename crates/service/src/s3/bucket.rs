//! Operations on buckets.

use casework::ids::{AccountId, RegionId};
use s3s::{
    S3Error, S3ErrorCode, S3Request, S3Response, S3Result,
    dto::{
        self, BucketLocationConstraint, CreateBucketInput, CreateBucketOutput, DeleteBucketInput,
        DeleteBucketOutput, GetBucketLocationInput, GetBucketLocationOutput, HeadBucketInput,
        HeadBucketOutput, ListBucketsInput, ListBucketsOutput, ObjectOwnership,
    },
};

use super::{Face, convert, error};
use crate::{
    gate::owner::GateError,
    vault::{BucketInfo, Mapping, NewBucket, Principal, VaultError},
};

/// Where Amazon keeps what clients came to expect first.
const FIRST_REGION: &str = "us-east-1";
/// Buckets on one page of `ListBuckets` (S3).
const BUCKETS_PAGE_MAX: i32 = 10_000;

impl Face {
    pub(super) async fn do_create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        let who = self.caller(&request)?;
        let signed = request.region.as_ref().map(|r| r.as_str().to_owned());
        let input = request.input;
        if input.bucket.contains(".-") || input.bucket.contains("-.") {
            return Err(convert::bad(
                S3ErrorCode::InvalidBucketName,
                "The specified bucket is not valid.",
            ));
        }
        let ownership = input.object_ownership.as_ref().map(ObjectOwnership::as_str);
        if ownership.is_some_and(|ownership| ownership != ObjectOwnership::BUCKET_OWNER_ENFORCED) {
            return Err(convert::bad(
                S3ErrorCode::NotImplemented,
                "there are no ACLs to give objects away with: ownership is BucketOwnerEnforced",
            ));
        }
        let asked = input
            .create_bucket_configuration
            .and_then(|c| c.location_constraint);
        let region = self.region_for(
            asked.as_ref().map(BucketLocationConstraint::as_str),
            signed.as_deref(),
        )?;
        // S3 has no word for an account. Each bucket is an account of its own until a mapping or a header says more, so
        // that a demand for one never widens to another.
        if !self.config.serves(&region) {
            return Err(self.not_made_here(&region));
        }
        let default_account = AccountId::new(input.bucket.as_str()).map_err(|_| {
            S3Error::with_message(
                S3ErrorCode::InvalidBucketName,
                "The specified bucket is not valid.",
            )
        })?;
        let bucket = NewBucket {
            name: input.bucket,
            region,
            default_account,
            mapping: Mapping::default(),
        };
        let (name, wanted) = (bucket.name.clone(), bucket.region.clone());
        let made = if input.object_lock_enabled_for_bucket.unwrap_or(false) {
            self.vault.create_locking_bucket(&who, bucket).await
        } else {
            self.vault.create_bucket(&who, bucket).await
        };
        match made {
            Ok(_) => {}
            Err(VaultError::Gate(GateError::NoRoot { region })) => {
                return Err(error::of(VaultError::NoSuchRegion { region }));
            }
            // Amazon's first region takes a repeated creation for done, and so do its clients.
            Err(VaultError::BucketExists)
                if signed.as_deref() == Some(FIRST_REGION)
                    && self
                        .vault
                        .bucket(&who, &name)
                        .await
                        .is_ok_and(|there| there.region == wanted) => {}
            Err(other) => return Err(error::of(other)),
        }
        Ok(S3Response::new(CreateBucketOutput {
            location: Some(format!("/{name}")),
        }))
    }

    /// A bucket is made where it is to lie.
    fn not_made_here(&self, region: &RegionId) -> S3Error {
        let known = self.config.elsewhere.get(region);
        let Some(endpoint) = known else {
            return convert::bad(
                S3ErrorCode::InvalidLocationConstraint,
                "The specified location-constraint is not valid",
            );
        };
        let place = endpoint.as_deref().unwrap_or("the endpoint of that region");
        let mut refused = S3Error::with_message(
            S3ErrorCode::IllegalLocationConstraintException,
            format!(
                "The {region} location constraint is incompatible for the endpoint this request was sent to; use {place}."
            ),
        );
        refused.set_status_code(hyper::StatusCode::BAD_REQUEST);
        refused
    }

    /// The region named in the request's body, else the one signed for, else the default; aliases are the default.
    fn region_for(&self, asked: Option<&str>, signed: Option<&str>) -> S3Result<RegionId> {
        let named = asked
            .filter(|r| !r.is_empty())
            .or(signed)
            .filter(|region| *region != super::REGION_ALIAS);
        match named {
            None => Ok(self.config.default_region.clone()),
            Some(name) => RegionId::new(name).map_err(|_| {
                S3Error::with_message(
                    S3ErrorCode::InvalidLocationConstraint,
                    "The specified location-constraint is not valid",
                )
            }),
        }
    }

    pub(super) async fn do_delete_bucket(
        &self,
        request: S3Request<DeleteBucketInput>,
    ) -> S3Result<S3Response<DeleteBucketOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        self.vault
            .delete_bucket(&who, &request.input.bucket)
            .await
            .map_err(error::of)?;
        Ok(S3Response::new(DeleteBucketOutput::default()))
    }

    /// The bucket, for an operation that only needs to know it.
    pub(super) async fn known_bucket<T>(
        &self,
        request: &S3Request<T>,
        name: &str,
    ) -> S3Result<(Principal, BucketInfo)> {
        let who = self.caller_at(request, name).await?;
        let bucket = self.vault.bucket(&who, name).await.map_err(error::of)?;
        Ok((who, bucket))
    }

    pub(super) async fn do_head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        let (_, bucket) = self.known_bucket(&request, &request.input.bucket).await?;
        Ok(S3Response::new(HeadBucketOutput {
            bucket_region: Some(bucket.region.to_string()),
            ..Default::default()
        }))
    }

    pub(super) async fn do_get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        // Any region may ask: this is how a client finds the right one.
        let who = self.caller(&request)?;
        let bucket = self
            .vault
            .bucket(&who, &request.input.bucket)
            .await
            .map_err(error::of)?;
        Ok(S3Response::new(GetBucketLocationOutput {
            location_constraint: Some(BucketLocationConstraint::from(bucket.region.to_string())),
        }))
    }

    pub(super) async fn do_list_buckets(
        &self,
        request: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        let who = self.caller(&request)?;
        let input = request.input;
        let max = input.max_buckets.unwrap_or(BUCKETS_PAGE_MAX);
        let max = usize::try_from(max)
            .ok()
            .filter(|_| (1..=BUCKETS_PAGE_MAX).contains(&max))
            .ok_or_else(|| {
                convert::bad(
                    S3ErrorCode::InvalidArgument,
                    "max-buckets must be between 1 and 10000",
                )
            })?;
        let mut wanted: Vec<_> = self
            .vault
            .list_buckets(&who)
            .await
            .map_err(error::of)?
            .into_iter()
            .filter(|b| input.prefix.as_deref().is_none_or(|p| b.name.starts_with(p)))
            .filter(|b| {
                input
                    .bucket_region
                    .as_deref()
                    .is_none_or(|r| b.region.as_str() == r)
            })
            .filter(|b| {
                input
                    .continuation_token
                    .as_deref()
                    .is_none_or(|after| b.name.as_str() > after)
            })
            .collect();
        let more = wanted.len() > max;
        wanted.truncate(max);
        let continuation_token = wanted.last().filter(|_| more).map(|b| b.name.clone());
        let buckets = wanted
            .into_iter()
            .map(|b| dto::Bucket {
                bucket_region: Some(b.region.to_string()),
                creation_date: Some(convert::timestamp(b.created_at)),
                name: Some(b.name),
            })
            .collect();
        Ok(S3Response::new(ListBucketsOutput {
            buckets: Some(buckets),
            continuation_token,
            owner: Some(owner(&who)),
            prefix: input.prefix,
        }))
    }
}

/// The owner of everything a caller sees: its tenant.
pub(super) fn owner(who: &Principal) -> dto::Owner {
    dto::Owner {
        display_name: Some(who.tenant().to_string()),
        id: Some(who.tenant().to_string()),
    }
}
