//! Lifecycle configurations, as S3 writes them. What is taken is carried out; the rest is refused.

use s3s::{
    S3Error, S3ErrorCode, S3Request, S3Response, S3Result,
    dto::{
        self, AbortIncompleteMultipartUpload, DeleteBucketLifecycleInput, DeleteBucketLifecycleOutput,
        ExpirationStatus, GetBucketLifecycleConfigurationInput, GetBucketLifecycleConfigurationOutput,
        LifecycleExpiration, LifecycleRuleAndOperator, LifecycleRuleFilter, NoncurrentVersionExpiration,
        PutBucketLifecycleConfigurationInput, PutBucketLifecycleConfigurationOutput,
    },
};

use super::{Face, convert, error};
use crate::vault::{
    Lifecycle, Setting,
    lifecycle::{Expiry, LifecycleRule, RULES_MAX},
};

/// Longest name of a rule in characters (S3).
const ID_CHARS_MAX: usize = 255;

impl Face {
    pub(super) async fn do_put_bucket_lifecycle_configuration(
        &self,
        request: S3Request<PutBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<PutBucketLifecycleConfigurationOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        let rules = input.lifecycle_configuration.map(|c| c.rules).unwrap_or_default();
        if rules.is_empty() || rules.len() > RULES_MAX {
            return Err(malformed("a lifecycle has 1 to 1000 rules"));
        }
        let rules = rules.into_iter().map(read).collect::<S3Result<Vec<_>>>()?;
        let mut ids: Vec<_> = rules.iter().map(|rule| rule.id.as_str()).collect();
        ids.sort_unstable();
        if ids.iter().zip(ids.iter().skip(1)).any(|(one, next)| one == next) {
            return Err(convert::bad(
                S3ErrorCode::InvalidArgument,
                "Rule ID must be unique. Found same ID for more than one rule",
            ));
        }
        self.vault
            .set(&who, &input.bucket, Setting::Lifecycle(Some(Lifecycle { rules })))
            .await
            .map_err(error::of)?;
        Ok(S3Response::new(PutBucketLifecycleConfigurationOutput::default()))
    }

    pub(super) async fn do_get_bucket_lifecycle_configuration(
        &self,
        request: S3Request<GetBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<GetBucketLifecycleConfigurationOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let settings = self
            .vault
            .settings(&who, &request.input.bucket)
            .await
            .map_err(error::of)?;
        let lifecycle = settings.lifecycle.ok_or_else(|| {
            convert::bad(
                S3ErrorCode::NoSuchLifecycleConfiguration,
                "The lifecycle configuration does not exist",
            )
        })?;
        Ok(S3Response::new(GetBucketLifecycleConfigurationOutput {
            rules: Some(lifecycle.rules.iter().map(write).collect()),
            transition_default_minimum_object_size: None,
        }))
    }

    pub(super) async fn do_delete_bucket_lifecycle(
        &self,
        request: S3Request<DeleteBucketLifecycleInput>,
    ) -> S3Result<S3Response<DeleteBucketLifecycleOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        self.vault
            .set(&who, &request.input.bucket, Setting::Lifecycle(None))
            .await
            .map_err(error::of)?;
        Ok(S3Response::new(DeleteBucketLifecycleOutput::default()))
    }

    /// `x-amz-expiration` of an object: when it expires, and by which rule.
    pub(super) async fn expiration(
        &self,
        who: &crate::vault::Principal,
        bucket: &str,
        key: &str,
        size: u64,
        stored_at: jiff::Timestamp,
    ) -> Option<String> {
        let (at, rule) = self.vault.expiry(who, bucket, key, size, stored_at).await?;
        let date = convert::http_date(at)?;
        Some(format!(
            "expiry-date=\"{}\", rule-id=\"{rule}\"",
            date.to_str().ok()?
        ))
    }
}

fn malformed(text: &'static str) -> S3Error {
    convert::bad(S3ErrorCode::MalformedXML, text)
}

fn invalid(text: &'static str) -> S3Error {
    convert::bad(S3ErrorCode::InvalidArgument, text)
}

fn days(value: i32) -> S3Result<u32> {
    u32::try_from(value)
        .ok()
        .filter(|days| *days > 0)
        .ok_or_else(|| invalid("'Days' for Expiration action must be a positive integer"))
}

fn bytes(value: i64) -> S3Result<u64> {
    u64::try_from(value).map_err(|_| invalid("a size cannot be negative"))
}

fn read(rule: dto::LifecycleRule) -> S3Result<LifecycleRule> {
    if rule.transitions.is_some_and(|list| !list.is_empty())
        || rule
            .noncurrent_version_transitions
            .is_some_and(|list| !list.is_empty())
    {
        return Err(convert::bad(
            S3ErrorCode::InvalidStorageClass,
            "the only storage class is STANDARD; there is nowhere to move objects to",
        ));
    }
    let enabled = match rule.status.as_str() {
        ExpirationStatus::ENABLED => true,
        ExpirationStatus::DISABLED => false,
        _ => return Err(malformed("a rule is Enabled or Disabled")),
    };
    let id = match rule.id.filter(|id| !id.is_empty()) {
        Some(id) => id,
        None => crate::vault::random_name().map_err(error::of)?,
    };
    if id.chars().count() > ID_CHARS_MAX {
        return Err(invalid("ID length should not exceed allowed limit of 255"));
    }
    if rule.filter.is_some() && rule.prefix.is_some() {
        return Err(malformed("a rule has a Filter or a Prefix, not both"));
    }
    let plain_prefix = rule.prefix.is_some();
    let mut read = LifecycleRule {
        id,
        enabled,
        plain_prefix,
        prefix: rule.prefix.unwrap_or_default(),
        ..LifecycleRule::default()
    };
    if let Some(filter) = rule.filter {
        read_filter(filter, &mut read)?;
    }
    read.expires = rule.expiration.map(read_expiry).transpose()?.flatten();
    if let Some(old) = rule.noncurrent_version_expiration {
        read.old_days = old.noncurrent_days.map(days).transpose()?;
        read.old_kept = old.newer_noncurrent_versions.map(days).transpose()?;
        if read.old_days.is_none() {
            return Err(malformed("NoncurrentVersionExpiration needs NoncurrentDays"));
        }
    }
    if let Some(abort) = rule.abort_incomplete_multipart_upload {
        read.upload_days = abort.days_after_initiation.map(days).transpose()?;
    }
    if read.expires.is_none() && read.old_days.is_none() && read.upload_days.is_none() {
        return Err(malformed("a rule says what expires"));
    }
    Ok(read)
}

fn read_filter(filter: LifecycleRuleFilter, read: &mut LifecycleRule) -> S3Result<()> {
    let both = filter.and.unwrap_or_default();
    if filter.tag.is_some() || both.tags.is_some_and(|tags| !tags.is_empty()) {
        return Err(convert::bad(
            S3ErrorCode::NotImplemented,
            "tags lie encrypted, and no job of the provider opens a key: filter by prefix or size",
        ));
    }
    read.prefix = filter.prefix.or(both.prefix).unwrap_or_default();
    read.larger_than = filter
        .object_size_greater_than
        .or(both.object_size_greater_than)
        .map(bytes)
        .transpose()?;
    read.smaller_than = filter
        .object_size_less_than
        .or(both.object_size_less_than)
        .map(bytes)
        .transpose()?;
    if let (Some(low), Some(high)) = (read.larger_than, read.smaller_than)
        && low >= high
    {
        return Err(invalid("ObjectSizeGreaterThan must be below ObjectSizeLessThan"));
    }
    Ok(())
}

fn read_expiry(asked: LifecycleExpiration) -> S3Result<Option<Expiry>> {
    let marker = asked.expired_object_delete_marker.unwrap_or(false);
    match (asked.days, asked.date, marker) {
        (Some(value), None, false) => days(value).map(|days| Some(Expiry::Days(days))),
        (None, Some(date), false) => {
            let at = convert::moment(&date).ok_or_else(|| malformed("the date is none"))?;
            if at.as_second() % (24 * 3600) != 0 || at.subsec_nanosecond() != 0 {
                return Err(invalid("'Date' must be at midnight GMT"));
            }
            Ok(Some(Expiry::Date(at)))
        }
        (None, None, true) => Ok(Some(Expiry::Marker)),
        (None, None, false) => Ok(None),
        _ => Err(malformed(
            "an Expiration has Days, a Date, or ExpiredObjectDeleteMarker",
        )),
    }
}

fn write(rule: &LifecycleRule) -> dto::LifecycleRule {
    let number = |days: u32| i32::try_from(days).unwrap_or(i32::MAX);
    let size = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let (larger, smaller) = (rule.larger_than.map(size), rule.smaller_than.map(size));
    let prefix = Some(rule.prefix.clone());
    let filter = match (larger, smaller) {
        (None, None) => LifecycleRuleFilter {
            prefix,
            ..LifecycleRuleFilter::default()
        },
        (larger, smaller) if rule.prefix.is_empty() && (larger.is_none() || smaller.is_none()) => {
            LifecycleRuleFilter {
                object_size_greater_than: larger,
                object_size_less_than: smaller,
                ..LifecycleRuleFilter::default()
            }
        }
        (larger, smaller) => LifecycleRuleFilter {
            and: Some(LifecycleRuleAndOperator {
                object_size_greater_than: larger,
                object_size_less_than: smaller,
                prefix,
                tags: None,
            }),
            ..LifecycleRuleFilter::default()
        },
    };
    dto::LifecycleRule {
        abort_incomplete_multipart_upload: rule.upload_days.map(|days| AbortIncompleteMultipartUpload {
            days_after_initiation: Some(number(days)),
        }),
        expiration: rule.expires.map(|expires| match expires {
            Expiry::Days(days) => LifecycleExpiration {
                days: Some(number(days)),
                ..LifecycleExpiration::default()
            },
            Expiry::Date(at) => LifecycleExpiration {
                date: Some(convert::timestamp(at)),
                ..LifecycleExpiration::default()
            },
            Expiry::Marker => LifecycleExpiration {
                expired_object_delete_marker: Some(true),
                ..LifecycleExpiration::default()
            },
        }),
        filter: (!rule.plain_prefix).then_some(filter),
        id: Some(rule.id.clone()),
        noncurrent_version_expiration: rule.old_days.map(|days| NoncurrentVersionExpiration {
            newer_noncurrent_versions: rule.old_kept.map(number),
            noncurrent_days: Some(number(days)),
        }),
        noncurrent_version_transitions: None,
        prefix: rule.plain_prefix.then(|| rule.prefix.clone()),
        status: ExpirationStatus::from_static(if rule.enabled {
            ExpirationStatus::ENABLED
        } else {
            ExpirationStatus::DISABLED
        }),
        transitions: None,
    }
}
