//! Object lock: retention, legal hold, and a bucket's default.

use hyper::HeaderMap;
use jiff::Timestamp;
use s3s::{
    S3ErrorCode, S3Request, S3Response, S3Result,
    dto::{
        self, GetObjectLegalHoldInput, GetObjectLegalHoldOutput, GetObjectLockConfigurationInput,
        GetObjectLockConfigurationOutput, GetObjectRetentionInput, GetObjectRetentionOutput,
        ObjectLockConfiguration, ObjectLockEnabled, ObjectLockLegalHold, ObjectLockLegalHoldStatus,
        ObjectLockRetention, ObjectLockRetentionMode, ObjectLockRule, PutObjectLegalHoldInput,
        PutObjectLegalHoldOutput, PutObjectLockConfigurationInput, PutObjectLockConfigurationOutput,
        PutObjectRetentionInput, PutObjectRetentionOutput, TimestampFormat,
    },
};

use super::{Face, convert, error};
use crate::vault::{DefaultRetention, Lock, Period, Retention, RetentionMode};

/// Longest default retention, in days; S3's limit is 100 years.
const DAYS_MAX: u32 = 36_500;
/// And in years.
const YEARS_MAX: u32 = 100;

impl Face {
    pub(super) async fn do_put_object_lock_configuration(
        &self,
        request: S3Request<PutObjectLockConfigurationInput>,
    ) -> S3Result<S3Response<PutObjectLockConfigurationOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        let malformed = || {
            convert::bad(
                S3ErrorCode::MalformedXML,
                "The XML you provided was not well-formed",
            )
        };
        let configuration = input.object_lock_configuration.ok_or_else(malformed)?;
        let enabled = configuration.object_lock_enabled.as_ref();
        if enabled.is_none_or(|enabled| enabled.as_str() != ObjectLockEnabled::ENABLED) {
            return Err(malformed());
        }
        let default = configuration
            .rule
            .map(|rule| rule.default_retention.ok_or_else(malformed))
            .transpose()?
            .map(default_retention)
            .transpose()?;
        self.vault
            .set_object_lock(&who, &input.bucket, default)
            .await
            .map_err(error::of)?;
        Ok(S3Response::new(PutObjectLockConfigurationOutput::default()))
    }

    pub(super) async fn do_get_object_lock_configuration(
        &self,
        request: S3Request<GetObjectLockConfigurationInput>,
    ) -> S3Result<S3Response<GetObjectLockConfigurationOutput>> {
        let (_, bucket) = self.known_bucket(&request, &request.input.bucket).await?;
        if !bucket.object_lock {
            return Err(convert::bad(
                S3ErrorCode::ObjectLockConfigurationNotFoundError,
                "Object Lock configuration does not exist for this bucket",
            ));
        }
        let rule = bucket.default_retention.map(|default| {
            let (days, years) = match default.period {
                Period::Days(days) => (i32::try_from(days).ok(), None),
                Period::Years(years) => (None, i32::try_from(years).ok()),
            };
            ObjectLockRule {
                default_retention: Some(dto::DefaultRetention {
                    days,
                    mode: Some(ObjectLockRetentionMode::from_static(default.mode.name())),
                    years,
                }),
            }
        });
        Ok(S3Response::new(GetObjectLockConfigurationOutput {
            object_lock_configuration: Some(ObjectLockConfiguration {
                object_lock_enabled: Some(ObjectLockEnabled::from_static(ObjectLockEnabled::ENABLED)),
                rule,
            }),
        }))
    }

    pub(super) async fn do_put_object_retention(
        &self,
        request: S3Request<PutObjectRetentionInput>,
    ) -> S3Result<S3Response<PutObjectRetentionOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        let retention = match input.retention {
            // An empty retention takes it away.
            None => None,
            Some(ObjectLockRetention {
                mode: None,
                retain_until_date: None,
            }) => None,
            Some(asked) => Some(retention(
                asked.mode.as_ref().map(ObjectLockRetentionMode::as_str),
                asked.retain_until_date.as_ref(),
                S3ErrorCode::MalformedXML,
            )?),
        };
        let target = (input.key.as_str(), convert::version(input.version_id.as_deref())?);
        self.vault
            .change_lock(
                &who,
                &input.bucket,
                target,
                Some(retention),
                None,
                input.bypass_governance_retention.unwrap_or(false),
            )
            .await
            .map_err(error::of)?;
        Ok(S3Response::new(PutObjectRetentionOutput::default()))
    }

    pub(super) async fn do_get_object_retention(
        &self,
        request: S3Request<GetObjectRetentionInput>,
    ) -> S3Result<S3Response<GetObjectRetentionOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        let target = (input.key.as_str(), convert::version(input.version_id.as_deref())?);
        let lock = self
            .vault
            .lock(&who, &input.bucket, target)
            .await
            .map_err(error::of)?;
        let retention = lock.retention.ok_or_else(none_set)?;
        Ok(S3Response::new(GetObjectRetentionOutput {
            retention: Some(ObjectLockRetention {
                mode: Some(ObjectLockRetentionMode::from_static(retention.mode.name())),
                retain_until_date: Some(convert::timestamp(retention.until)),
            }),
        }))
    }

    pub(super) async fn do_put_object_legal_hold(
        &self,
        request: S3Request<PutObjectLegalHoldInput>,
    ) -> S3Result<S3Response<PutObjectLegalHoldOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        let status = input.legal_hold.and_then(|hold| hold.status);
        let hold = legal_hold(
            status.as_ref().map(ObjectLockLegalHoldStatus::as_str),
            S3ErrorCode::MalformedXML,
        )?;
        let hold =
            hold.ok_or_else(|| convert::bad(S3ErrorCode::MalformedXML, "a legal hold is ON or OFF"))?;
        let target = (input.key.as_str(), convert::version(input.version_id.as_deref())?);
        self.vault
            .change_lock(&who, &input.bucket, target, None, Some(hold), false)
            .await
            .map_err(error::of)?;
        Ok(S3Response::new(PutObjectLegalHoldOutput::default()))
    }

    pub(super) async fn do_get_object_legal_hold(
        &self,
        request: S3Request<GetObjectLegalHoldInput>,
    ) -> S3Result<S3Response<GetObjectLegalHoldOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        let target = (input.key.as_str(), convert::version(input.version_id.as_deref())?);
        let lock = self
            .vault
            .lock(&who, &input.bucket, target)
            .await
            .map_err(error::of)?;
        Ok(S3Response::new(GetObjectLegalHoldOutput {
            legal_hold: Some(ObjectLockLegalHold {
                status: Some(hold_status(lock.legal_hold)),
            }),
        }))
    }
}

fn none_set() -> s3s::S3Error {
    convert::bad(
        S3ErrorCode::NoSuchObjectLockConfiguration,
        "The specified object does not have a ObjectLock configuration",
    )
}

fn default_retention(asked: dto::DefaultRetention) -> S3Result<DefaultRetention> {
    let malformed = |text| convert::bad(S3ErrorCode::MalformedXML, text);
    let length = |value: i32, max: u32| {
        u32::try_from(value)
            .ok()
            .filter(|value| (1..=max).contains(value))
            .ok_or_else(|| {
                super::fault::custom(
                    "InvalidRetentionPeriod",
                    "a default retention lasts 1 to 36500 days, or 1 to 100 years".to_owned(),
                )
            })
    };
    let period = match (asked.days, asked.years) {
        (Some(days), None) => Period::Days(length(days, DAYS_MAX)?),
        (None, Some(years)) => Period::Years(length(years, YEARS_MAX)?),
        _ => {
            return Err(malformed(
                "a default retention lasts so many Days, or so many Years",
            ));
        }
    };
    let mode = asked
        .mode
        .as_ref()
        .and_then(|mode| RetentionMode::of_name(mode.as_str()))
        .ok_or_else(|| malformed("a retention's mode is GOVERNANCE or COMPLIANCE"))?;
    Ok(DefaultRetention { mode, period })
}

fn retention(mode: Option<&str>, until: Option<&dto::Timestamp>, code: S3ErrorCode) -> S3Result<Retention> {
    let bad = |text| convert::bad(code.clone(), text);
    let mode = mode
        .and_then(RetentionMode::of_name)
        .ok_or_else(|| bad("a retention needs a mode, GOVERNANCE or COMPLIANCE"))?;
    let until = until
        .and_then(convert::moment)
        .ok_or_else(|| bad("a retention needs the date until which it lasts"))?;
    if until <= Timestamp::now() {
        return Err(convert::bad(
            S3ErrorCode::InvalidArgument,
            "The retain until date must be in the future!",
        ));
    }
    Ok(Retention { mode, until })
}

fn legal_hold(status: Option<&str>, code: S3ErrorCode) -> S3Result<Option<bool>> {
    match status {
        None => Ok(None),
        Some(ObjectLockLegalHoldStatus::ON) => Ok(Some(true)),
        Some(ObjectLockLegalHoldStatus::OFF) => Ok(Some(false)),
        Some(_) => Err(convert::bad(code, "a legal hold is ON or OFF")),
    }
}

fn hold_status(on: bool) -> ObjectLockLegalHoldStatus {
    ObjectLockLegalHoldStatus::from_static(if on {
        ObjectLockLegalHoldStatus::ON
    } else {
        ObjectLockLegalHoldStatus::OFF
    })
}

/// The lock that a PUT, copy or multipart upload asks for in its headers.
pub(super) fn asked(headers: &HeaderMap) -> S3Result<Lock> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let mode = text("x-amz-object-lock-mode");
    let until = text("x-amz-object-lock-retain-until-date");
    let bad_date = |_| {
        convert::bad(
            S3ErrorCode::InvalidArgument,
            "the retain until date must be written as 2026-11-22T00:00:00Z",
        )
    };
    let retention = match (mode, until) {
        (None, None) => None,
        (mode, until) => {
            let until = until
                .map(|text| dto::Timestamp::parse(TimestampFormat::DateTime, text).map_err(bad_date))
                .transpose()?;
            Some(retention(mode, until.as_ref(), S3ErrorCode::InvalidArgument)?)
        }
    };
    let hold = legal_hold(text("x-amz-object-lock-legal-hold"), S3ErrorCode::InvalidArgument)?;
    Ok(Lock {
        retention,
        legal_hold: hold.unwrap_or(false),
    })
}

/// What GET and HEAD say of a lock: mode, end, hold.
pub(super) fn shown(
    lock: &Lock,
) -> (
    Option<dto::ObjectLockMode>,
    Option<dto::Timestamp>,
    Option<ObjectLockLegalHoldStatus>,
) {
    (
        lock.retention
            .map(|retention| dto::ObjectLockMode::from_static(retention.mode.name())),
        lock.retention
            .map(|retention| convert::timestamp(retention.until)),
        lock.legal_hold.then(|| hold_status(true)),
    )
}
