//! What is the same for every bucket, answered as S3 would for a bucket set up so: its owner's alone, without a policy.

use s3s::{
    S3ErrorCode, S3Request, S3Response, S3Result,
    dto::{
        AccessControlPolicy, GetBucketAclInput, GetBucketAclOutput, GetBucketOwnershipControlsInput,
        GetBucketOwnershipControlsOutput, GetBucketPolicyInput, GetBucketPolicyOutput,
        GetBucketPolicyStatusInput, GetBucketPolicyStatusOutput, GetObjectAclInput, GetObjectAclOutput,
        Grant, Grantee, ObjectOwnership, OwnershipControls, OwnershipControlsRule, Permission,
        PutBucketAclInput, PutBucketAclOutput, PutBucketOwnershipControlsInput,
        PutBucketOwnershipControlsOutput, PutBucketPolicyInput, PutBucketPolicyOutput, PutObjectAclInput,
        PutObjectAclOutput, Type,
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
        let target = (input.key.as_str(), convert::version(input.version_id.as_deref())?);
        self.vault
            .head(&who, &input.bucket, target, &Conditions::default())
            .await
            .map_err(error::of)?;
        Ok(S3Response::new(GetObjectAclOutput {
            grants: Some(grants(&who)),
            owner: Some(owner(&who)),
            request_charged: None,
        }))
    }

    pub(super) async fn do_put_bucket_acl(
        &self,
        request: S3Request<PutBucketAclInput>,
    ) -> S3Result<S3Response<PutBucketAclOutput>> {
        let (who, _) = self.known_bucket(&request, &request.input.bucket).await?;
        check_acl(request.input.access_control_policy.as_ref(), &who)?;
        Ok(S3Response::new(PutBucketAclOutput::default()))
    }

    pub(super) async fn do_put_object_acl(
        &self,
        request: S3Request<PutObjectAclInput>,
    ) -> S3Result<S3Response<PutObjectAclOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        let target = (input.key.as_str(), convert::version(input.version_id.as_deref())?);
        self.vault
            .head(&who, &input.bucket, target, &Conditions::default())
            .await
            .map_err(error::of)?;
        check_acl(input.access_control_policy.as_ref(), &who)?;
        Ok(S3Response::new(PutObjectAclOutput::default()))
    }

    /// A policy is never taken: what it would open is never open here, and what it would forbid we would have to enforce.
    pub(super) async fn do_put_bucket_policy(
        &self,
        request: S3Request<PutBucketPolicyInput>,
    ) -> S3Result<S3Response<PutBucketPolicyOutput>> {
        self.known_bucket(&request, &request.input.bucket).await?;
        let malformed = |text| Err(convert::bad(S3ErrorCode::MalformedPolicy, text));
        let Ok(policy) = serde_json::from_str::<serde_json::Value>(&request.input.policy) else {
            return malformed("Policies must be valid JSON");
        };
        let statements = match policy.get("Statement") {
            Some(serde_json::Value::Array(statements)) => statements.clone(),
            Some(one) => vec![one.clone()],
            None => return malformed("Missing required field Statement"),
        };
        let allows = |statement: &&serde_json::Value| {
            statement.get("Effect").and_then(serde_json::Value::as_str) == Some("Allow")
        };
        for statement in statements.iter().filter(allows) {
            if statement.get("NotPrincipal").is_some() {
                return malformed("Allow with NotPrincipal is not allowed");
            }
            let principal = statement.get("Principal").map(ToString::to_string);
            if principal.is_some_and(|principal| principal.contains("\"*\"")) {
                return Err(convert::bad(
                    S3ErrorCode::AccessDenied,
                    "public policies are blocked: nothing here is public",
                ));
            }
        }
        Err(convert::bad(
            S3ErrorCode::NotImplemented,
            "there are no bucket policies: a bucket is its tenant's alone",
        ))
    }

    pub(super) async fn do_put_bucket_ownership_controls(
        &self,
        request: S3Request<PutBucketOwnershipControlsInput>,
    ) -> S3Result<S3Response<PutBucketOwnershipControlsOutput>> {
        self.known_bucket(&request, &request.input.bucket).await?;
        let rules = &request.input.ownership_controls.rules;
        let enforced = |rule: &OwnershipControlsRule| {
            rule.object_ownership.as_str() == ObjectOwnership::BUCKET_OWNER_ENFORCED
        };
        if rules.len() != 1 || !rules.iter().all(enforced) {
            return Err(convert::bad(
                S3ErrorCode::NotImplemented,
                "there are no ACLs to give objects away with: ownership is BucketOwnerEnforced",
            ));
        }
        Ok(S3Response::new(PutBucketOwnershipControlsOutput::default()))
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

/// Takes an ACL that says what is the case anyway: the owner has full control, and nobody else anything.
fn check_acl(policy: Option<&AccessControlPolicy>, who: &Principal) -> S3Result<()> {
    let is_owner = |id: Option<&str>| id == Some(who.tenant().as_str());
    let Some(policy) = policy else { return Ok(()) };
    let owner_id = policy.owner.as_ref().map(|owner| owner.id.as_deref());
    if owner_id.is_some_and(|id| !is_owner(id)) {
        return Err(convert::bad(
            S3ErrorCode::AccessDenied,
            "what belongs to a tenant stays its own",
        ));
    }
    if policy.grants.as_ref().is_none_or(Vec::is_empty) {
        return Err(convert::bad(
            S3ErrorCode::AccessControlListNotSupported,
            "the owner has full control, and an ACL cannot take it away",
        ));
    }
    for grant in policy.grants.iter().flatten() {
        let Some(grantee) = &grant.grantee else {
            return Err(convert::bad(
                S3ErrorCode::MalformedACLError,
                "a grant names its grantee",
            ));
        };
        match grantee.type_.as_str() {
            Type::CANONICAL_USER if is_owner(grantee.id.as_deref()) => {}
            // Another tenant reads as one that does not exist, here too.
            Type::CANONICAL_USER => {
                return Err(convert::bad(S3ErrorCode::InvalidArgument, "Invalid id"));
            }
            Type::AMAZON_CUSTOMER_BY_EMAIL => {
                return Err(convert::bad(
                    S3ErrorCode::UnresolvableGrantByEmailAddress,
                    "The e-mail address you provided does not match any account on record.",
                ));
            }
            _ => {
                return Err(convert::bad(
                    S3ErrorCode::AccessDenied,
                    "nothing here is public or another tenant's to read",
                ));
            }
        }
        let full = grant.permission.as_ref().map(Permission::as_str);
        if full != Some(Permission::FULL_CONTROL) {
            return Err(convert::bad(
                S3ErrorCode::AccessControlListNotSupported,
                "the owner has full control, and an ACL cannot take it away",
            ));
        }
    }
    Ok(())
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
