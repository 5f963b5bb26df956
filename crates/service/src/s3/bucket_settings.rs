//! What an owner sets for a whole bucket: default encryption, tags, cross-origin rules, public access block.

use s3s::{
    S3Error, S3ErrorCode, S3Request, S3Response, S3Result,
    dto::{
        self, CORSRule, DeleteBucketCorsInput, DeleteBucketCorsOutput, DeleteBucketEncryptionInput,
        DeleteBucketEncryptionOutput, DeleteBucketTaggingInput, DeleteBucketTaggingOutput,
        DeletePublicAccessBlockInput, DeletePublicAccessBlockOutput, GetBucketCorsInput, GetBucketCorsOutput,
        GetBucketEncryptionInput, GetBucketEncryptionOutput, GetBucketTaggingInput, GetBucketTaggingOutput,
        GetPublicAccessBlockInput, GetPublicAccessBlockOutput, PublicAccessBlockConfiguration,
        PutBucketCorsInput, PutBucketCorsOutput, PutBucketEncryptionInput, PutBucketEncryptionOutput,
        PutBucketTaggingInput, PutBucketTaggingOutput, PutPublicAccessBlockInput, PutPublicAccessBlockOutput,
        ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    },
};

use super::{Face, convert, encryption, error};
use crate::vault::{
    BucketSettings, Principal, Setting, Tags,
    settings::{CorsRule, PublicAccessBlock},
};

/// Most cross-origin rules of a bucket (S3).
const CORS_RULES_MAX: usize = 100;
/// Most tags of a bucket (S3).
const TAGS_MAX: usize = 50;
const METHODS: [&str; 5] = ["GET", "PUT", "HEAD", "POST", "DELETE"];

impl Face {
    async fn set<T>(&self, request: &S3Request<T>, bucket: &str, setting: Setting) -> S3Result<Principal> {
        let who = self.caller_at(request, bucket).await?;
        self.vault.set(&who, bucket, setting).await.map_err(error::of)?;
        Ok(who)
    }

    async fn settings_of<T>(&self, request: &S3Request<T>, bucket: &str) -> S3Result<BucketSettings> {
        let who = self.caller_at(request, bucket).await?;
        self.vault.settings(&who, bucket).await.map_err(error::of)
    }

    pub(super) async fn do_put_bucket_encryption(
        &self,
        request: S3Request<PutBucketEncryptionInput>,
    ) -> S3Result<S3Response<PutBucketEncryptionOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let malformed = || convert::bad(S3ErrorCode::MalformedXML, "name one default encryption");
        let rules = &request.input.server_side_encryption_configuration.rules;
        let [rule] = rules.as_slice() else {
            return Err(malformed());
        };
        let default = rule
            .apply_server_side_encryption_by_default
            .as_ref()
            .ok_or_else(malformed)?;
        let asked = encryption::named(
            Some(default.sse_algorithm.as_str()),
            default.kms_master_key_id.as_deref(),
            &who,
        )?;
        self.set(&request, &request.input.bucket, Setting::Encryption(asked))
            .await?;
        Ok(S3Response::new(PutBucketEncryptionOutput::default()))
    }

    /// Without a setting of its own, a bucket is answered for as it is: encrypted, under the account's key.
    pub(super) async fn do_get_bucket_encryption(
        &self,
        request: S3Request<GetBucketEncryptionInput>,
    ) -> S3Result<S3Response<GetBucketEncryptionOutput>> {
        let settings = self.settings_of(&request, &request.input.bucket).await?;
        let shown = encryption::Shown::of(settings.encryption.as_ref());
        let rule = ServerSideEncryptionRule {
            apply_server_side_encryption_by_default: shown.algorithm.map(|sse_algorithm| {
                ServerSideEncryptionByDefault {
                    kms_master_key_id: shown.key,
                    sse_algorithm,
                }
            }),
            bucket_key_enabled: Some(false),
        };
        Ok(S3Response::new(GetBucketEncryptionOutput {
            server_side_encryption_configuration: Some(ServerSideEncryptionConfiguration {
                rules: vec![rule],
            }),
        }))
    }

    pub(super) async fn do_delete_bucket_encryption(
        &self,
        request: S3Request<DeleteBucketEncryptionInput>,
    ) -> S3Result<S3Response<DeleteBucketEncryptionOutput>> {
        self.set(&request, &request.input.bucket, Setting::Encryption(None))
            .await?;
        Ok(S3Response::new(DeleteBucketEncryptionOutput::default()))
    }

    pub(super) async fn do_put_bucket_tagging(
        &self,
        request: S3Request<PutBucketTaggingInput>,
    ) -> S3Result<S3Response<PutBucketTaggingOutput>> {
        let tags: Tags = request
            .input
            .tagging
            .tag_set
            .iter()
            .map(|tag| {
                (
                    tag.key.clone().unwrap_or_default(),
                    tag.value.clone().unwrap_or_default(),
                )
            })
            .collect();
        crate::vault::check_tags(&tags, TAGS_MAX).map_err(error::of)?;
        self.set(&request, &request.input.bucket, Setting::Tags(Some(tags)))
            .await?;
        Ok(S3Response::new(PutBucketTaggingOutput::default()))
    }

    pub(super) async fn do_get_bucket_tagging(
        &self,
        request: S3Request<GetBucketTaggingInput>,
    ) -> S3Result<S3Response<GetBucketTaggingOutput>> {
        let settings = self.settings_of(&request, &request.input.bucket).await?;
        let tags = settings
            .tags
            .ok_or_else(|| convert::bad(S3ErrorCode::NoSuchTagSet, "The TagSet does not exist"))?;
        let tag_set = tags
            .into_iter()
            .map(|(key, value)| dto::Tag {
                key: Some(key),
                value: Some(value),
            })
            .collect();
        Ok(S3Response::new(GetBucketTaggingOutput { tag_set }))
    }

    pub(super) async fn do_delete_bucket_tagging(
        &self,
        request: S3Request<DeleteBucketTaggingInput>,
    ) -> S3Result<S3Response<DeleteBucketTaggingOutput>> {
        self.set(&request, &request.input.bucket, Setting::Tags(None))
            .await?;
        Ok(S3Response::new(DeleteBucketTaggingOutput::default()))
    }

    pub(super) async fn do_put_bucket_cors(
        &self,
        request: S3Request<PutBucketCorsInput>,
    ) -> S3Result<S3Response<PutBucketCorsOutput>> {
        let rules = &request.input.cors_configuration.cors_rules;
        if rules.is_empty() || rules.len() > CORS_RULES_MAX {
            return Err(convert::bad(
                S3ErrorCode::MalformedXML,
                "a CORS configuration has 1 to 100 rules",
            ));
        }
        let rules = rules.iter().map(read_cors).collect::<S3Result<Vec<_>>>()?;
        self.set(&request, &request.input.bucket, Setting::Cors(Some(rules)))
            .await?;
        Ok(S3Response::new(PutBucketCorsOutput::default()))
    }

    pub(super) async fn do_get_bucket_cors(
        &self,
        request: S3Request<GetBucketCorsInput>,
    ) -> S3Result<S3Response<GetBucketCorsOutput>> {
        let settings = self.settings_of(&request, &request.input.bucket).await?;
        let rules = settings.cors.ok_or_else(|| {
            convert::bad(
                S3ErrorCode::NoSuchCORSConfiguration,
                "The CORS configuration does not exist",
            )
        })?;
        Ok(S3Response::new(GetBucketCorsOutput {
            cors_rules: Some(rules.into_iter().map(write_cors).collect()),
        }))
    }

    pub(super) async fn do_delete_bucket_cors(
        &self,
        request: S3Request<DeleteBucketCorsInput>,
    ) -> S3Result<S3Response<DeleteBucketCorsOutput>> {
        self.set(&request, &request.input.bucket, Setting::Cors(None))
            .await?;
        Ok(S3Response::new(DeleteBucketCorsOutput::default()))
    }

    pub(super) async fn do_put_public_access_block(
        &self,
        request: S3Request<PutPublicAccessBlockInput>,
    ) -> S3Result<S3Response<PutPublicAccessBlockOutput>> {
        let asked = &request.input.public_access_block_configuration;
        let block = PublicAccessBlock {
            block_acls: asked.block_public_acls.unwrap_or(false),
            ignore_acls: asked.ignore_public_acls.unwrap_or(false),
            block_policy: asked.block_public_policy.unwrap_or(false),
            restrict: asked.restrict_public_buckets.unwrap_or(false),
        };
        self.set(
            &request,
            &request.input.bucket,
            Setting::PublicAccess(Some(block)),
        )
        .await?;
        Ok(S3Response::new(PutPublicAccessBlockOutput::default()))
    }

    /// The bucket's own switches. Nothing is ever public here, whatever they say.
    pub(super) async fn do_get_public_access_block(
        &self,
        request: S3Request<GetPublicAccessBlockInput>,
    ) -> S3Result<S3Response<GetPublicAccessBlockOutput>> {
        let settings = self.settings_of(&request, &request.input.bucket).await?;
        let block = settings.public_access.ok_or_else(no_block)?;
        Ok(S3Response::new(GetPublicAccessBlockOutput {
            public_access_block_configuration: Some(PublicAccessBlockConfiguration {
                block_public_acls: Some(block.block_acls),
                block_public_policy: Some(block.block_policy),
                ignore_public_acls: Some(block.ignore_acls),
                restrict_public_buckets: Some(block.restrict),
            }),
        }))
    }

    pub(super) async fn do_delete_public_access_block(
        &self,
        request: S3Request<DeletePublicAccessBlockInput>,
    ) -> S3Result<S3Response<DeletePublicAccessBlockOutput>> {
        self.set(&request, &request.input.bucket, Setting::PublicAccess(None))
            .await?;
        Ok(S3Response::new(DeletePublicAccessBlockOutput::default()))
    }
}

fn no_block() -> S3Error {
    let mut error = super::fault::custom(
        "NoSuchPublicAccessBlockConfiguration",
        "The public access block configuration was not found; nothing here is public in any case".to_owned(),
    );
    error.set_status_code(hyper::StatusCode::NOT_FOUND);
    error
}

fn read_cors(rule: &CORSRule) -> S3Result<CorsRule> {
    let wild = |list: &[String]| list.iter().any(|item| item.matches('*').count() > 1);
    let headers = rule.allowed_headers.clone().unwrap_or_default();
    if rule.allowed_origins.is_empty() || rule.allowed_methods.is_empty() {
        return Err(convert::bad(
            S3ErrorCode::MalformedXML,
            "a CORS rule names origins and methods",
        ));
    }
    if wild(&rule.allowed_origins) || wild(&headers) {
        return Err(convert::bad(
            S3ErrorCode::InvalidRequest,
            "an origin or header can hold one `*` at most",
        ));
    }
    if !rule.allowed_methods.iter().all(|m| METHODS.contains(&m.as_str())) {
        return Err(convert::bad(
            S3ErrorCode::InvalidRequest,
            "Found unsupported HTTP method in CORS config",
        ));
    }
    Ok(CorsRule {
        id: rule.id.clone(),
        origins: rule.allowed_origins.clone(),
        methods: rule.allowed_methods.clone(),
        headers,
        exposes: rule.expose_headers.clone().unwrap_or_default(),
        max_age: rule.max_age_seconds,
    })
}

fn write_cors(rule: CorsRule) -> CORSRule {
    CORSRule {
        allowed_headers: (!rule.headers.is_empty()).then_some(rule.headers),
        allowed_methods: rule.methods,
        allowed_origins: rule.origins,
        expose_headers: (!rule.exposes.is_empty()).then_some(rule.exposes),
        id: rule.id,
        max_age_seconds: rule.max_age,
    }
}
