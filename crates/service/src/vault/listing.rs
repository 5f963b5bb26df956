//! Listings, in byte order of the keys.

use store::vault::ListRequest;

use super::{
    ListQuery, ListedObject, Listing, Principal, Result, UploadListing, UploadQuery, Vault, VaultError,
    upload::{upload_id, upload_info},
};

/// Most entries in one page.
pub const PAGE_MAX: u32 = 1000;

impl Vault {
    /// Lists objects in byte order of their keys. It opens no key.
    ///
    /// # Errors
    /// When the bucket is missing.
    pub async fn list(&self, who: &Principal, bucket: &str, query: &ListQuery) -> Result<Listing> {
        let bucket = self.find_bucket(who, bucket).await?;
        let request = ListRequest {
            prefix: query.prefix.clone(),
            delimiter: query.delimiter.clone().filter(|d| !d.is_empty()),
            after: query.start_after.clone(),
            max: page(query.max_keys),
        };
        let page = self.inner.store.list_objects(bucket.row.seq, &request).await?;
        let listed = |entry: store::vault::ListEntry| ListedObject {
            key: entry.key,
            object: entry.id,
            size: entry.size,
            etag: entry.etag,
            last_modified: entry.modified_at,
        };
        Ok(Listing {
            objects: page.objects.into_iter().map(listed).collect(),
            common_prefixes: page.prefixes,
            next: page.next,
        })
    }

    /// Lists uploads under way, by key and then id.
    ///
    /// # Errors
    /// When the bucket is missing, or the upload id to go on from is none.
    pub async fn list_uploads(
        &self,
        who: &Principal,
        bucket: &str,
        query: &UploadQuery,
    ) -> Result<UploadListing> {
        let bucket = self.find_bucket(who, bucket).await?;
        let (after, after_id) = match query.after.clone() {
            Some((key, Some(id))) => (Some(key), Some(upload_id(&id).ok_or(VaultError::NoSuchUpload)?)),
            Some((key, None)) => (Some(key), None),
            None => (None, None),
        };
        let request = ListRequest {
            prefix: query.prefix.clone(),
            delimiter: query.delimiter.clone().filter(|d| !d.is_empty()),
            after,
            max: page(query.max_uploads),
        };
        let page = self
            .inner
            .store
            .list_uploads(bucket.row.seq, &request, after_id)
            .await?;
        Ok(UploadListing {
            uploads: page.uploads.iter().map(upload_info).collect(),
            common_prefixes: page.prefixes,
            next: page.next.map(|(key, id)| (key, id.map(hex::encode))),
        })
    }
}

pub(super) fn page(max: u32) -> usize {
    usize::try_from(max.min(PAGE_MAX)).unwrap_or(0)
}
