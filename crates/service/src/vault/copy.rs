//! Copies. A copy is opened for its owner and encrypted anew, under the destination's account and a key of its own.

use futures::StreamExt as _;
use jiff::Timestamp;

use super::{
    Conditions, CopyOptions, PartInfo, PartOptions, Placement, Principal, PutOptions, Range, Result, Source,
    Stored, Vault, VaultError, VersionId, placement,
};

impl Vault {
    /// Copies an object within the tenant. What neither the call nor the destination's path says (category and time) is
    /// taken over from the source.
    ///
    /// # Errors
    /// As [`Vault::get`] for the source and [`Vault::put`] for the destination.
    ///
    /// Gives what was stored, and the version it was taken from.
    pub async fn copy(
        &self,
        who: &Principal,
        source: impl Into<Source<'_>>,
        destination: (&str, &str),
        options: CopyOptions,
    ) -> Result<(Stored, Option<VersionId>)> {
        let source = source.into();
        let same_place = (source.bucket, source.target.key) == destination && source.target.version.is_none();
        let changes = options.replace_metadata.is_some()
            || options.replace_tags.is_some()
            || options.encryption.is_some();
        if same_place && !changes {
            return Err(VaultError::CopyOntoItself);
        }
        let read = self
            .get(
                who,
                source.bucket,
                source.target,
                None,
                &options.source_conditions,
            )
            .await?;
        let info = read.info;
        let (headers, user_metadata) = options
            .replace_metadata
            .unwrap_or((info.headers, info.user_metadata));
        let tags = match options.replace_tags {
            Some(tags) => tags,
            None if info.tag_count > 0 => self.tags(who, source.bucket, source.target).await?.0,
            None => Vec::new(),
        };
        let bucket = self.find_bucket(who, destination.0).await?;
        let place = placement::decide(
            &bucket,
            destination.1,
            &options.placement,
            &user_metadata,
            Some((info.category, info.concerns_at)),
            Timestamp::now(),
        )?;
        let kept = info.checksums.first().map(|checksum| checksum.algorithm);
        let put = PutOptions {
            headers,
            user_metadata,
            tags,
            placement: Placement {
                account: Some(place.account),
                category: Some(place.category),
                concerns_at: Some(place.concerns_at),
            },
            content_length: Some(info.size),
            compute: options.compute.or(kept),
            conditions: options.conditions,
            lock: options.lock,
            encryption: options.encryption,
            ..PutOptions::default()
        };
        let stored = self
            .put(who, destination.0, destination.1, put, read.body.fuse())
            .await?;
        Ok((stored, info.version))
    }

    /// Stores a part taken from another object of the tenant.
    ///
    /// # Errors
    /// As [`Vault::get`] for the source and [`Vault::put_part`] for the part.
    #[allow(clippy::too_many_arguments, reason = "they are S3's own")]
    pub async fn put_part_copy(
        &self,
        who: &Principal,
        bucket: &str,
        key: &str,
        upload: &str,
        number: u32,
        source: impl Into<Source<'_>>,
        range: Option<Range>,
        source_conditions: &Conditions,
    ) -> Result<(PartInfo, Option<VersionId>)> {
        let source = source.into();
        let read = self
            .get(who, source.bucket, source.target, range, source_conditions)
            .await?;
        let options = PartOptions {
            content_length: Some(read.range.length()),
            ..PartOptions::default()
        };
        let part = self
            .put_part(who, bucket, key, upload, number, options, read.body.fuse())
            .await?;
        Ok((part, read.info.version))
    }
}
