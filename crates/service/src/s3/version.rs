//! Versions: kept or not, listed, deleted.

use s3s::{
    S3Error, S3ErrorCode, S3Request, S3Response, S3Result,
    dto::{
        self, BucketVersioningStatus, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
        DeleteObjectsOutput, GetBucketVersioningInput, GetBucketVersioningOutput, ListObjectVersionsInput,
        ListObjectVersionsOutput, ObjectVersionStorageClass, PutBucketVersioningInput,
        PutBucketVersioningOutput,
    },
};

use super::{Face, bucket::owner, convert, error, limits::KEYS_MAX, listing::wants_url};
use crate::vault::{
    Deleted, Deletion, EtagMatch, RemovalConditions, VersionId, VersionListing, VersionQuery, Versioning,
};

impl Face {
    pub(super) async fn do_put_bucket_versioning(
        &self,
        request: S3Request<PutBucketVersioningInput>,
    ) -> S3Result<S3Response<PutBucketVersioningOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        let configuration = input.versioning_configuration;
        if configuration
            .mfa_delete
            .is_some_and(|mfa| mfa.as_str() != "Disabled")
        {
            return Err(convert::bad(
                S3ErrorCode::NotImplemented,
                "there is no MFA delete; lock objects instead",
            ));
        }
        let enabled = match configuration.status.as_ref().map(BucketVersioningStatus::as_str) {
            Some(BucketVersioningStatus::ENABLED) => true,
            Some(BucketVersioningStatus::SUSPENDED) => false,
            _ => {
                return Err(convert::bad(
                    S3ErrorCode::MalformedXML,
                    "versioning is Enabled or Suspended",
                ));
            }
        };
        self.vault
            .set_versioning(&who, &input.bucket, enabled)
            .await
            .map_err(error::of)?;
        Ok(S3Response::new(PutBucketVersioningOutput::default()))
    }

    pub(super) async fn do_get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        let (_, bucket) = self.known_bucket(&request, &request.input.bucket).await?;
        let status = match bucket.versioning {
            Versioning::Never => None,
            Versioning::Enabled => Some(BucketVersioningStatus::ENABLED),
            Versioning::Suspended => Some(BucketVersioningStatus::SUSPENDED),
        };
        Ok(S3Response::new(GetBucketVersioningOutput {
            mfa_delete: None,
            status: status.map(BucketVersioningStatus::from_static),
        }))
    }

    pub(super) async fn do_list_object_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        let url = wants_url(input.encoding_type.as_ref())?;
        let max = convert::page(input.max_keys)?;
        let delimiter = input.delimiter.filter(|d| !d.is_empty());
        let marker = input.key_marker.clone().filter(|key| !key.is_empty());
        let after_version = convert::version(input.version_id_marker.as_deref())?;
        if after_version.is_some() && marker.is_none() {
            return Err(convert::bad(
                S3ErrorCode::InvalidArgument,
                "A version-id marker cannot be specified without a key marker.",
            ));
        }
        let query = VersionQuery {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: delimiter.clone(),
            after: marker.map(|key| (key, after_version)),
            max_keys: max,
        };
        let page = self
            .vault
            .list_versions(&who, &input.bucket, &query)
            .await
            .map_err(error::of)?;
        let shown = |text: &str| convert::shown(text, url);
        let owner = owner(&who);
        let (versions, markers) = entries(&page, &owner, &shown);
        let prefixes: Vec<_> = page
            .common_prefixes
            .iter()
            .map(|prefix| dto::CommonPrefix {
                prefix: Some(shown(prefix)),
            })
            .collect();
        let is_truncated = page.next.is_some();
        let (next_key, next_version) = page.next.unzip();
        Ok(S3Response::new(ListObjectVersionsOutput {
            name: Some(input.bucket),
            prefix: Some(shown(input.prefix.as_deref().unwrap_or_default())),
            key_marker: Some(shown(input.key_marker.as_deref().unwrap_or_default())),
            version_id_marker: input.version_id_marker,
            max_keys: i32::try_from(max).ok(),
            is_truncated: Some(is_truncated),
            next_key_marker: next_key.as_deref().map(shown),
            next_version_id_marker: next_version.flatten().map(convert::version_out),
            versions: Some(versions),
            delete_markers: Some(markers),
            common_prefixes: (!prefixes.is_empty()).then_some(prefixes),
            delimiter: delimiter.as_deref().map(shown),
            encoding_type: input.encoding_type,
            ..Default::default()
        }))
    }

    pub(super) async fn do_delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        let deletion = Deletion {
            key: input.key,
            version: convert::version(input.version_id.as_deref())?,
            conditions: RemovalConditions {
                if_match: convert::etag_match(input.if_match),
                modified_at: input
                    .if_match_last_modified_time
                    .as_ref()
                    .map(|at| convert::moment(at).ok_or_else(bad_time))
                    .transpose()?,
                size: input.if_match_size.map(size).transpose()?,
                seen: None,
            },
            bypass_governance: input.bypass_governance_retention.unwrap_or(false),
        };
        let deleted = self
            .vault
            .remove(&who, &input.bucket, deletion)
            .await
            .map_err(error::of)?;
        Ok(S3Response::new(DeleteObjectOutput {
            delete_marker: deleted.marker.then_some(true),
            version_id: deleted.version.map(convert::version_out),
            ..Default::default()
        }))
    }

    pub(super) async fn do_delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        let asked = input.delete.objects;
        if asked.is_empty() || asked.len() > KEYS_MAX.unsigned_abs() as usize {
            return Err(convert::bad(
                S3ErrorCode::MalformedXML,
                "delete 1 to 1000 keys at a time",
            ));
        }
        let quiet = input.delete.quiet.unwrap_or(false);
        let bypass = input.bypass_governance_retention.unwrap_or(false);
        let (mut errors, mut names, mut deletions) = (Vec::new(), Vec::new(), Vec::new());
        for object in asked {
            let name = (object.key.clone(), object.version_id.clone());
            match deletion(object, bypass) {
                Ok(deletion) => {
                    names.push(name);
                    deletions.push(deletion);
                }
                Err(error) => errors.push(entry_error(name, &error)),
            }
        }
        let results = self
            .vault
            .delete_many(&who, &input.bucket, deletions)
            .await
            .map_err(error::of)?;
        let mut deleted = Vec::new();
        for (name, result) in names.into_iter().zip(results) {
            match result {
                Ok(_) if quiet => {}
                Ok(done) => deleted.push(entry_deleted(name, &done)),
                Err(error) => errors.push(entry_error(name, &error::of(error))),
            }
        }
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: Some(deleted),
            errors: Some(errors),
            ..Default::default()
        }))
    }
}

fn bad_time() -> S3Error {
    convert::bad(S3ErrorCode::InvalidArgument, "the time in a condition is none")
}

fn size(value: i64) -> S3Result<u64> {
    u64::try_from(value).map_err(|_| convert::bad(S3ErrorCode::InvalidArgument, "a size cannot be negative"))
}

fn deletion(object: dto::ObjectIdentifier, bypass: bool) -> S3Result<Deletion> {
    Ok(Deletion {
        key: object.key,
        version: convert::version(object.version_id.as_deref())?,
        conditions: RemovalConditions {
            if_match: object.e_tag.map(|tag| EtagMatch::Tags(vec![tag.into_value()])),
            modified_at: object
                .last_modified_time
                .as_ref()
                .map(|at| convert::moment(at).ok_or_else(bad_time))
                .transpose()?,
            size: object.size.map(size).transpose()?,
            seen: None,
        },
        bypass_governance: bypass,
    })
}

type Name = (String, Option<String>);

fn entry_deleted((key, asked): Name, done: &Deleted) -> dto::DeletedObject {
    let version = done.version.map(convert::version_out);
    dto::DeletedObject {
        key: Some(key),
        delete_marker: done.marker.then_some(true),
        delete_marker_version_id: version.clone().filter(|_| done.marker),
        version_id: asked.and(version),
    }
}

fn entry_error((key, version_id): Name, error: &S3Error) -> dto::Error {
    dto::Error {
        code: Some(error.code().as_str().to_owned()),
        key: Some(key),
        message: error.message().map(str::to_owned),
        version_id,
    }
}

fn entries(
    page: &VersionListing,
    owner: &dto::Owner,
    shown: &impl Fn(&str) -> String,
) -> (Vec<dto::ObjectVersion>, Vec<dto::DeleteMarkerEntry>) {
    let (mut versions, mut markers) = (Vec::new(), Vec::new());
    for entry in &page.versions {
        let key = Some(shown(&entry.key));
        let version_id = Some(convert::version_out(entry.version));
        let last_modified = Some(convert::timestamp(entry.modified_at));
        let is_latest = Some(entry.latest);
        if entry.marker {
            markers.push(dto::DeleteMarkerEntry {
                is_latest,
                key,
                last_modified,
                owner: Some(owner.clone()),
                version_id,
            });
        } else {
            versions.push(dto::ObjectVersion {
                key,
                version_id,
                is_latest,
                e_tag: Some(convert::etag(&entry.etag)),
                last_modified,
                size: i64::try_from(entry.size).ok(),
                owner: Some(owner.clone()),
                storage_class: Some(ObjectVersionStorageClass::from_static(
                    ObjectVersionStorageClass::STANDARD,
                )),
                ..Default::default()
            });
        }
    }
    (versions, markers)
}

/// How a deleted object answers: where the marker was named, it is no object to be read.
pub(super) fn deleted(version: VersionId, deleted_at: jiff::Timestamp, named: bool) -> S3Error {
    let mut error = if named {
        convert::bad(
            S3ErrorCode::MethodNotAllowed,
            "The specified method is not allowed against this resource.",
        )
    } else {
        convert::bad(S3ErrorCode::NoSuchKey, "The specified key does not exist.")
    };
    let mut headers = hyper::HeaderMap::new();
    headers.insert(
        "x-amz-delete-marker",
        hyper::header::HeaderValue::from_static("true"),
    );
    if let Ok(value) = convert::version_out(version).parse() {
        headers.insert("x-amz-version-id", value);
    }
    if let Some(value) = convert::http_date(deleted_at).filter(|_| named) {
        headers.insert(hyper::header::LAST_MODIFIED, value);
    }
    headers.insert(
        hyper::header::CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("application/xml"),
    );
    error.set_headers(headers);
    error
}
