//! What is the same for every bucket, answered as S3 would for a bucket set up so: private, unversioned, encrypted.

use s3s::{
    S3ErrorCode, S3Request, S3Response, S3Result,
    dto::{
        GetBucketAclInput, GetBucketAclOutput, GetBucketCorsInput, GetBucketCorsOutput,
        GetBucketEncryptionInput, GetBucketEncryptionOutput, GetBucketLifecycleConfigurationInput,
        GetBucketLifecycleConfigurationOutput, GetBucketOwnershipControlsInput,
        GetBucketOwnershipControlsOutput, GetBucketPolicyInput, GetBucketPolicyOutput,
        GetBucketPolicyStatusInput, GetBucketPolicyStatusOutput, GetBucketTaggingInput,
        GetBucketTaggingOutput, GetBucketVersioningInput, GetBucketVersioningOutput, GetObjectAclInput,
        GetObjectAclOutput, GetObjectLockConfigurationInput, GetObjectLockConfigurationOutput,
        GetPublicAccessBlockInput, GetPublicAccessBlockOutput, Grant, Grantee, ObjectOwnership,
        OwnershipControls, OwnershipControlsRule, Permission, PublicAccessBlockConfiguration,
        PutBucketAclInput, PutBucketAclOutput, PutObjectAclInput, PutObjectAclOutput, ServerSideEncryption,
        ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Type,
    },
};

use super::{Face, bucket::owner, convert, error};
use crate::vault::{Conditions, Principal};

/// What asks for a setting that no bucket has.
macro_rules! absent {
    ($($method:ident, $input:ident => $output:ident, $code:ident, $text:literal;)*) => {
        impl Face {
            $(
                pub(super) async fn $method(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                    self.known_bucket(&request, &request.input.bucket).await?;
                    Err(convert::bad(S3ErrorCode::$code, $text))
                }
            )*
        }
    };
}

absent! {
    do_get_bucket_policy, GetBucketPolicyInput => GetBucketPolicyOutput,
        NoSuchBucketPolicy, "The bucket policy does not exist";
    do_get_bucket_policy_status, GetBucketPolicyStatusInput => GetBucketPolicyStatusOutput,
        NoSuchBucketPolicy, "The bucket policy does not exist";
    do_get_bucket_tagging, GetBucketTaggingInput => GetBucketTaggingOutput,
        NoSuchTagSet, "The TagSet does not exist";
    do_get_bucket_cors, GetBucketCorsInput => GetBucketCorsOutput,
        NoSuchCORSConfiguration, "The CORS configuration does not exist";
    do_get_bucket_lifecycle_configuration, GetBucketLifecycleConfigurationInput => GetBucketLifecycleConfigurationOutput,
        NoSuchLifecycleConfiguration, "The lifecycle configuration does not exist";
    do_get_object_lock_configuration, GetObjectLockConfigurationInput => GetObjectLockConfigurationOutput,
        ObjectLockConfigurationNotFoundError, "Object Lock configuration does not exist for this bucket";
    do_put_bucket_acl, PutBucketAclInput => PutBucketAclOutput,
        AccessControlListNotSupported, "The bucket does not allow ACLs";
    do_put_object_acl, PutObjectAclInput => PutObjectAclOutput,
        AccessControlListNotSupported, "The bucket does not allow ACLs";
}

impl Face {
    pub(super) async fn do_get_bucket_acl(
        &self,
        request: S3Request<GetBucketAclInput>,
    ) -> S3Result<S3Response<GetBucketAclOutput>> {
        let (who, _) = self.known_bucket(&request, &request.input.bucket).await?;
        Ok(S3Response::new(GetBucketAclOutput {
            grants: Some(grants(&who)),
            owner: Some(owner(&who)),
        }))
    }

    pub(super) async fn do_get_object_acl(
        &self,
        request: S3Request<GetObjectAclInput>,
    ) -> S3Result<S3Response<GetObjectAclOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        convert::unversioned(input.version_id.as_deref())?;
        self.vault
            .head(&who, &input.bucket, &input.key, &Conditions::default())
            .await
            .map_err(error::of)?;
        Ok(S3Response::new(GetObjectAclOutput {
            grants: Some(grants(&who)),
            owner: Some(owner(&who)),
            request_charged: None,
        }))
    }

    pub(super) async fn do_get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        self.known_bucket(&request, &request.input.bucket).await?;
        Ok(S3Response::new(GetBucketVersioningOutput::default()))
    }

    pub(super) async fn do_get_bucket_encryption(
        &self,
        request: S3Request<GetBucketEncryptionInput>,
    ) -> S3Result<S3Response<GetBucketEncryptionOutput>> {
        self.known_bucket(&request, &request.input.bucket).await?;
        let rule = ServerSideEncryptionRule {
            apply_server_side_encryption_by_default: Some(ServerSideEncryptionByDefault {
                kms_master_key_id: None,
                sse_algorithm: ServerSideEncryption::from_static(ServerSideEncryption::AWS_KMS),
            }),
            bucket_key_enabled: Some(false),
        };
        Ok(S3Response::new(GetBucketEncryptionOutput {
            server_side_encryption_configuration: Some(ServerSideEncryptionConfiguration {
                rules: vec![rule],
            }),
        }))
    }

    pub(super) async fn do_get_public_access_block(
        &self,
        request: S3Request<GetPublicAccessBlockInput>,
    ) -> S3Result<S3Response<GetPublicAccessBlockOutput>> {
        self.known_bucket(&request, &request.input.bucket).await?;
        Ok(S3Response::new(GetPublicAccessBlockOutput {
            public_access_block_configuration: Some(PublicAccessBlockConfiguration {
                block_public_acls: Some(true),
                block_public_policy: Some(true),
                ignore_public_acls: Some(true),
                restrict_public_buckets: Some(true),
            }),
        }))
    }

    pub(super) async fn do_get_bucket_ownership_controls(
        &self,
        request: S3Request<GetBucketOwnershipControlsInput>,
    ) -> S3Result<S3Response<GetBucketOwnershipControlsOutput>> {
        self.known_bucket(&request, &request.input.bucket).await?;
        let rule = OwnershipControlsRule {
            object_ownership: ObjectOwnership::from_static(ObjectOwnership::BUCKET_OWNER_ENFORCED),
        };
        Ok(S3Response::new(GetBucketOwnershipControlsOutput {
            ownership_controls: Some(OwnershipControls { rules: vec![rule] }),
        }))
    }
}

fn grants(who: &Principal) -> Vec<Grant> {
    vec![Grant {
        grantee: Some(Grantee {
            display_name: Some(who.tenant().to_string()),
            email_address: None,
            id: Some(who.tenant().to_string()),
            type_: Type::from_static(Type::CANONICAL_USER),
            uri: None,
        }),
        permission: Some(Permission::from_static(Permission::FULL_CONTROL)),
    }]
}
