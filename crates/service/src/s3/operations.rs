//! The table of operations: s3s's trait, each method handed to the module that does it.
//!
//! Operations that are not here answer `NotImplemented`. Settings that S3 clients ask about and that are the same for every
//! bucket ([`super::settings`]) are answered truthfully.

use s3s::{S3, S3Request, S3Response, S3Result, dto};

use super::Face;

macro_rules! operations {
    ($($method:ident, $input:ident => $output:ident, $does:ident;)*) => {
        #[async_trait::async_trait]
        impl S3 for Face {
            $(
                async fn $method(&self, request: S3Request<dto::$input>) -> S3Result<S3Response<dto::$output>> {
                    self.$does(request).await
                }
            )*
        }
    };
}

operations! {
    list_buckets, ListBucketsInput => ListBucketsOutput, do_list_buckets;
    create_bucket, CreateBucketInput => CreateBucketOutput, do_create_bucket;
    delete_bucket, DeleteBucketInput => DeleteBucketOutput, do_delete_bucket;
    head_bucket, HeadBucketInput => HeadBucketOutput, do_head_bucket;
    get_bucket_location, GetBucketLocationInput => GetBucketLocationOutput, do_get_bucket_location;
    list_objects, ListObjectsInput => ListObjectsOutput, do_list_objects;
    list_objects_v2, ListObjectsV2Input => ListObjectsV2Output, do_list_objects_v2;
    list_object_versions, ListObjectVersionsInput => ListObjectVersionsOutput, do_list_object_versions;
    put_object, PutObjectInput => PutObjectOutput, do_put_object;
    get_object, GetObjectInput => GetObjectOutput, do_get_object;
    head_object, HeadObjectInput => HeadObjectOutput, do_head_object;
    copy_object, CopyObjectInput => CopyObjectOutput, do_copy_object;
    delete_object, DeleteObjectInput => DeleteObjectOutput, do_delete_object;
    delete_objects, DeleteObjectsInput => DeleteObjectsOutput, do_delete_objects;
    get_object_tagging, GetObjectTaggingInput => GetObjectTaggingOutput, do_get_object_tagging;
    put_object_tagging, PutObjectTaggingInput => PutObjectTaggingOutput, do_put_object_tagging;
    delete_object_tagging, DeleteObjectTaggingInput => DeleteObjectTaggingOutput, do_delete_object_tagging;
    get_object_attributes, GetObjectAttributesInput => GetObjectAttributesOutput, do_get_object_attributes;
    create_multipart_upload, CreateMultipartUploadInput => CreateMultipartUploadOutput, do_create_multipart_upload;
    upload_part, UploadPartInput => UploadPartOutput, do_upload_part;
    upload_part_copy, UploadPartCopyInput => UploadPartCopyOutput, do_upload_part_copy;
    complete_multipart_upload, CompleteMultipartUploadInput => CompleteMultipartUploadOutput, do_complete_multipart_upload;
    abort_multipart_upload, AbortMultipartUploadInput => AbortMultipartUploadOutput, do_abort_multipart_upload;
    list_parts, ListPartsInput => ListPartsOutput, do_list_parts;
    list_multipart_uploads, ListMultipartUploadsInput => ListMultipartUploadsOutput, do_list_multipart_uploads;
    get_bucket_acl, GetBucketAclInput => GetBucketAclOutput, do_get_bucket_acl;
    get_object_acl, GetObjectAclInput => GetObjectAclOutput, do_get_object_acl;
    get_bucket_versioning, GetBucketVersioningInput => GetBucketVersioningOutput, do_get_bucket_versioning;
    get_bucket_encryption, GetBucketEncryptionInput => GetBucketEncryptionOutput, do_get_bucket_encryption;
    get_public_access_block, GetPublicAccessBlockInput => GetPublicAccessBlockOutput, do_get_public_access_block;
    get_bucket_ownership_controls, GetBucketOwnershipControlsInput => GetBucketOwnershipControlsOutput, do_get_bucket_ownership_controls;
    get_bucket_policy_status, GetBucketPolicyStatusInput => GetBucketPolicyStatusOutput, do_get_bucket_policy_status;
    get_bucket_policy, GetBucketPolicyInput => GetBucketPolicyOutput, do_get_bucket_policy;
    get_bucket_tagging, GetBucketTaggingInput => GetBucketTaggingOutput, do_get_bucket_tagging;
    get_bucket_cors, GetBucketCorsInput => GetBucketCorsOutput, do_get_bucket_cors;
    get_bucket_lifecycle_configuration, GetBucketLifecycleConfigurationInput => GetBucketLifecycleConfigurationOutput, do_get_bucket_lifecycle_configuration;
    get_object_lock_configuration, GetObjectLockConfigurationInput => GetObjectLockConfigurationOutput, do_get_object_lock_configuration;
    put_bucket_acl, PutBucketAclInput => PutBucketAclOutput, do_put_bucket_acl;
    put_object_acl, PutObjectAclInput => PutObjectAclOutput, do_put_object_acl;
    put_bucket_versioning, PutBucketVersioningInput => PutBucketVersioningOutput, do_put_bucket_versioning;
    put_object_lock_configuration, PutObjectLockConfigurationInput => PutObjectLockConfigurationOutput, do_put_object_lock_configuration;
    put_object_retention, PutObjectRetentionInput => PutObjectRetentionOutput, do_put_object_retention;
    get_object_retention, GetObjectRetentionInput => GetObjectRetentionOutput, do_get_object_retention;
    put_object_legal_hold, PutObjectLegalHoldInput => PutObjectLegalHoldOutput, do_put_object_legal_hold;
    get_object_legal_hold, GetObjectLegalHoldInput => GetObjectLegalHoldOutput, do_get_object_legal_hold;
    put_bucket_encryption, PutBucketEncryptionInput => PutBucketEncryptionOutput, do_put_bucket_encryption;
    delete_bucket_encryption, DeleteBucketEncryptionInput => DeleteBucketEncryptionOutput, do_delete_bucket_encryption;
    put_bucket_tagging, PutBucketTaggingInput => PutBucketTaggingOutput, do_put_bucket_tagging;
    delete_bucket_tagging, DeleteBucketTaggingInput => DeleteBucketTaggingOutput, do_delete_bucket_tagging;
    put_bucket_cors, PutBucketCorsInput => PutBucketCorsOutput, do_put_bucket_cors;
    delete_bucket_cors, DeleteBucketCorsInput => DeleteBucketCorsOutput, do_delete_bucket_cors;
    put_bucket_lifecycle_configuration, PutBucketLifecycleConfigurationInput => PutBucketLifecycleConfigurationOutput, do_put_bucket_lifecycle_configuration;
    delete_bucket_lifecycle, DeleteBucketLifecycleInput => DeleteBucketLifecycleOutput, do_delete_bucket_lifecycle;
    put_public_access_block, PutPublicAccessBlockInput => PutPublicAccessBlockOutput, do_put_public_access_block;
    delete_public_access_block, DeletePublicAccessBlockInput => DeletePublicAccessBlockOutput, do_delete_public_access_block;
    put_bucket_ownership_controls, PutBucketOwnershipControlsInput => PutBucketOwnershipControlsOutput, do_put_bucket_ownership_controls;
    post_object, PostObjectInput => PostObjectOutput, do_post_object;
    put_bucket_policy, PutBucketPolicyInput => PutBucketPolicyOutput, do_put_bucket_policy;
}
