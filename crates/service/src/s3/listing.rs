//! Listings: V1 and V2 are two ways to say one page of the vault's.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use s3s::{
    S3ErrorCode, S3Request, S3Response, S3Result,
    dto::{
        self, EncodingType, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output,
        ObjectStorageClass,
    },
};

use super::{Face, bucket::owner, convert, error};
use crate::vault::{ListQuery, ListedObject, Listing, Principal};

/// What the two have in common.
struct Page {
    listing: Listing,
    max_keys: i32,
    url: bool,
    delimiter: Option<String>,
}

impl Page {
    fn is_truncated(&self) -> bool {
        self.listing.next.is_some()
    }
    fn shown(&self, text: &str) -> String {
        convert::shown(text, self.url)
    }
    fn next(&self) -> Option<String> {
        self.listing.next.as_deref().map(|next| self.shown(next))
    }
    fn objects(&self, owner: Option<&dto::Owner>) -> Vec<dto::Object> {
        self.listing
            .objects
            .iter()
            .map(|object| dto::Object {
                key: Some(self.shown(&object.key)),
                e_tag: Some(convert::etag(&object.etag)),
                last_modified: Some(convert::timestamp(object.last_modified)),
                size: Some(size(object)),
                owner: owner.cloned(),
                storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
                ..Default::default()
            })
            .collect()
    }
    fn common_prefixes(&self) -> Option<Vec<dto::CommonPrefix>> {
        let prefixes: Vec<_> = self
            .listing
            .common_prefixes
            .iter()
            .map(|p| dto::CommonPrefix {
                prefix: Some(self.shown(p)),
            })
            .collect();
        (!prefixes.is_empty()).then_some(prefixes)
    }
}

fn size(object: &ListedObject) -> i64 {
    i64::try_from(object.size).unwrap_or(i64::MAX)
}

impl Face {
    #[allow(clippy::too_many_arguments, reason = "they are the query's own fields")]
    async fn page(
        &self,
        who: &Principal,
        bucket: &str,
        prefix: Option<&str>,
        delimiter: Option<String>,
        start_after: Option<String>,
        max_keys: Option<i32>,
        encoding: Option<&EncodingType>,
    ) -> S3Result<Page> {
        let url = wants_url(encoding)?;
        let max = convert::page(max_keys)?;
        let delimiter = delimiter.filter(|d| !d.is_empty());
        let query = ListQuery {
            prefix: prefix.unwrap_or_default().to_owned(),
            delimiter: delimiter.clone(),
            start_after: start_after.filter(|s| !s.is_empty()),
            max_keys: max,
        };
        let listing = if max == 0 {
            // S3 answers an empty, complete page; the bucket must be there all the same.
            self.vault.bucket(who, bucket).await.map_err(error::of)?;
            Listing::default()
        } else {
            self.vault.list(who, bucket, &query).await.map_err(error::of)?
        };
        Ok(Page {
            listing,
            max_keys: i32::try_from(max).unwrap_or(i32::MAX),
            url,
            delimiter,
        })
    }

    pub(super) async fn do_list_objects(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        let page = self
            .page(
                &who,
                &input.bucket,
                input.prefix.as_deref(),
                input.delimiter,
                input.marker.clone(),
                input.max_keys,
                input.encoding_type.as_ref(),
            )
            .await?;
        Ok(S3Response::new(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: Some(page.shown(input.prefix.as_deref().unwrap_or_default())),
            marker: Some(page.shown(input.marker.as_deref().unwrap_or_default())),
            max_keys: Some(page.max_keys),
            is_truncated: Some(page.is_truncated()),
            contents: Some(page.objects(Some(&owner(&who)))),
            common_prefixes: page.common_prefixes(),
            // S3 gives it only with a delimiter; without one the last key serves.
            next_marker: page.next().filter(|_| page.delimiter.is_some()),
            delimiter: page.delimiter.as_deref().map(|d| page.shown(d)),
            encoding_type: input.encoding_type,
            ..Default::default()
        }))
    }

    pub(super) async fn do_list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        let start = match input.continuation_token.as_deref() {
            Some(token) => Some(token_key(token)?),
            None => input.start_after.clone(),
        };
        let page = self
            .page(
                &who,
                &input.bucket,
                input.prefix.as_deref(),
                input.delimiter,
                start,
                input.max_keys,
                input.encoding_type.as_ref(),
            )
            .await?;
        let fetch_owner = input.fetch_owner.unwrap_or(false).then(|| owner(&who));
        let count = page.listing.objects.len() + page.listing.common_prefixes.len();
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(page.shown(input.prefix.as_deref().unwrap_or_default())),
            max_keys: Some(page.max_keys),
            key_count: Some(i32::try_from(count).unwrap_or(i32::MAX)),
            continuation_token: input.continuation_token,
            is_truncated: Some(page.is_truncated()),
            next_continuation_token: page.listing.next.as_deref().map(|next| BASE64.encode(next)),
            contents: Some(page.objects(fetch_owner.as_ref())),
            common_prefixes: page.common_prefixes(),
            delimiter: page.delimiter.as_deref().map(|d| page.shown(d)),
            start_after: input.start_after.as_deref().map(|s| page.shown(s)),
            encoding_type: input.encoding_type,
            ..Default::default()
        }))
    }
}

/// Whether keys are to be percent-encoded.
pub(super) fn wants_url(encoding: Option<&EncodingType>) -> S3Result<bool> {
    match encoding.map(EncodingType::as_str) {
        None | Some("") => Ok(false),
        Some(EncodingType::URL) => Ok(true),
        Some(_) => Err(convert::bad(
            S3ErrorCode::InvalidArgument,
            "Invalid Encoding Method specified in Request",
        )),
    }
}

fn token_key(token: &str) -> S3Result<String> {
    BASE64
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| {
            convert::bad(
                S3ErrorCode::InvalidArgument,
                "The continuation token provided is incorrect",
            )
        })
}
