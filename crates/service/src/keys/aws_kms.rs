//! A key in AWS KMS, or in what speaks its API. The place is the encryption context, so AWS's own log names it too.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use aws_sdk_kms::{
    Client,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    primitives::Blob,
    types::{KeyMetadata, KeyState},
};
use casework::ids::ProviderId;
use jiff::Timestamp;
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    ANSWER_MAX, EndOrder, Ended, Health, HolderError, KeyPlace, KeyProvider, Reason, Why,
    ending::WAITING_DAYS, refused::words,
};

/// Longest single attempt; the SDK tries twice within [`ANSWER_MAX`].
const ATTEMPT_MAX: Duration = Duration::from_secs(2);
const ATTEMPTS: u32 = 2;

/// Which key, and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmsKey {
    /// The AWS region, such as `eu-central-1`.
    pub region: String,
    /// Key id, ARN or alias.
    pub key: String,
    /// Another endpoint than the region's own.
    pub endpoint: Option<String>,
}

/// A key in AWS KMS.
pub struct AwsKms {
    id: ProviderId,
    key: String,
    client: Client,
}

impl AwsKms {
    /// The key, asked with these credentials: access key id, secret, session token.
    ///
    /// # Errors
    /// [`Why::Unusable`] when the endpoint is neither `https` nor this machine.
    pub fn new(
        id: ProviderId,
        key: KmsKey,
        credentials: (String, Zeroizing<String>, Option<Zeroizing<String>>),
    ) -> Result<Self, HolderError> {
        let (access, secret, session) = credentials;
        let credentials = Credentials::new(
            access,
            secret.to_string(),
            session.map(|session| session.to_string()),
            None,
            "amparo",
        );
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_MAX)
            .operation_timeout(ANSWER_MAX)
            .build();
        let mut config = aws_sdk_kms::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(key.region))
            .credentials_provider(credentials)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts);
        if let Some(endpoint) = &key.endpoint {
            super::transport::address(&id, endpoint, "")?;
            config = config.endpoint_url(endpoint);
        }
        Ok(Self {
            id,
            key: key.key,
            client: Client::from_conf(config.build()),
        })
    }

    fn fail(&self, why: Why) -> HolderError {
        HolderError::new(&self.id, why)
    }

    async fn described(&self) -> Result<KeyMetadata, HolderError> {
        let sent = self.client.describe_key().key_id(&self.key).send().await;
        let answer = sent.map_err(|error| self.fail(why(&error)))?;
        let metadata = answer.key_metadata;
        metadata.ok_or_else(|| self.fail(Why::Wrong("it describes no key".to_owned())))
    }
}

/// What its answer says of a key that is to be destroyed.
fn ended(key: &str, state: Option<&KeyState>, gone: Option<&aws_sdk_kms::primitives::DateTime>) -> Ended {
    let gone_at = gone.and_then(|at| Timestamp::from_second(at.secs()).ok());
    Ended {
        said: json!({
            "KeyId": words(key),
            "KeyState": state.map(|state| words(state.as_str())),
            "DeletionDate": gone_at,
        }),
        gone_at,
    }
}

fn context(place: &KeyPlace) -> HashMap<String, String> {
    let mut context = HashMap::from([("amparo:region".to_owned(), place.region.clone())]);
    if let Some(tenant) = &place.tenant {
        context.insert("amparo:tenant".to_owned(), tenant.clone());
    }
    context
}

fn why<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Why {
    let SdkError::ServiceError(answer) = error else {
        return Why::Away(
            match error {
                SdkError::TimeoutError(_) => "timed out",
                SdkError::DispatchFailure(_) => "cannot connect",
                _ => "no answer that can be read",
            }
            .to_owned(),
        );
    };
    let code = answer.err().code().unwrap_or("unknown");
    match code {
        "InvalidCiphertextException" | "IncorrectKeyException" => Why::NotHere,
        "AccessDeniedException" | "DisabledException" | "KMSInvalidStateException" => {
            Why::Denied(words(code))
        }
        "NotFoundException" | "InvalidKeyUsageException" => Why::Unusable(words(code)),
        other => Why::Away(words(other)),
    }
}

#[async_trait]
impl KeyProvider for AwsKms {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    async fn wrap(&self, place: &KeyPlace, _: &Reason, secret: &[u8]) -> Result<Vec<u8>, HolderError> {
        let sent = self
            .client
            .encrypt()
            .key_id(&self.key)
            .set_encryption_context(Some(context(place)))
            .plaintext(Blob::new(secret))
            .send()
            .await;
        let answer = sent.map_err(|error| self.fail(why(&error)))?;
        let blob = answer.ciphertext_blob.map(Blob::into_inner);
        blob.ok_or_else(|| self.fail(Why::Wrong("it has no ciphertext".to_owned())))
    }

    async fn unwrap(
        &self,
        place: &KeyPlace,
        _: &Reason,
        blob: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, HolderError> {
        let sent = self
            .client
            .decrypt()
            .key_id(&self.key)
            .set_encryption_context(Some(context(place)))
            .ciphertext_blob(Blob::new(blob))
            .send()
            .await;
        let answer = sent.map_err(|error| self.fail(why(&error)))?;
        let plain = answer.plaintext.map(|plain| Zeroizing::new(plain.into_inner()));
        plain.ok_or_else(|| self.fail(Why::Wrong("it has no plaintext".to_owned())))
    }

    async fn health(&self) -> Result<Health, HolderError> {
        match self.described().await?.enabled {
            true => Ok(Health {
                kind: "AWS KMS".to_owned(),
                weakness: None,
            }),
            false => Err(self.fail(Why::Denied("the key is disabled".to_owned()))),
        }
    }

    /// The key's ARN: an alias names it for a while only.
    async fn names_key(&self) -> Result<String, HolderError> {
        let key = self.described().await?;
        Ok(key.arn.unwrap_or(key.key_id))
    }

    /// `ScheduleKeyDeletion`. Until its day the key can be brought back at AWS, and does nothing.
    async fn end(&self, order: &EndOrder) -> Result<Ended, HolderError> {
        if !WAITING_DAYS.contains(&order.waiting_days) {
            let why = format!(
                "AWS KMS waits {} to {} days",
                WAITING_DAYS.start(),
                WAITING_DAYS.end()
            );
            return Err(self.fail(Why::Unusable(why)));
        }
        let key = self.described().await?;
        let pending = [KeyState::PendingDeletion, KeyState::PendingReplicaDeletion];
        if key
            .key_state
            .as_ref()
            .is_some_and(|state| pending.contains(state))
        {
            return Ok(ended(
                &key.key_id,
                key.key_state.as_ref(),
                key.deletion_date.as_ref(),
            ));
        }
        let sent = self
            .client
            .schedule_key_deletion()
            .key_id(&key.key_id)
            .pending_window_in_days(i32::from(order.waiting_days))
            .send()
            .await;
        let answer = sent.map_err(|error| self.fail(why(&error)))?;
        let named = answer.key_id.as_deref().unwrap_or(&key.key_id);
        Ok(ended(
            named,
            answer.key_state.as_ref(),
            answer.deletion_date.as_ref(),
        ))
    }
}
