//! Permissions as Cedar policies, validated against their schema when the service starts.

use std::{
    collections::{HashMap, HashSet},
    str::FromStr,
};

use casework::ids::{CaseId, TenantId};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet, Request,
    RestrictedExpression, Schema, ValidationMode, Validator,
};

use super::Staff;

const POLICIES: &str = include_str!("permissions.cedar");
const SCHEMA: &str = include_str!("permissions.cedarschema");

/// What a caller wants to do. Every route names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(
    missing_docs,
    reason = "the names say it, and permissions.cedarschema says on what"
)]
pub enum Action {
    Me,
    DemandSubmit,
    CasesList,
    CaseRead,
    CaseEnter,
    CaseWork,
    CaseReason,
    CasePropose,
    CaseApprove,
    CaseRelease,
    PackageFetch,
    OutboxRead,
    CalendarRead,
    TenantsList,
    TenantCreate,
    TenantCasesList,
    TenantCaseRead,
    TenantLedgerRead,
    TransferRead,
    TransferOpen,
    TransferWork,
    TransferDecide,
    TransferApprove,
    TransferStart,
}

impl Action {
    /// Every action.
    pub const ALL: [Action; 24] = [
        Action::Me,
        Action::DemandSubmit,
        Action::CasesList,
        Action::CaseRead,
        Action::CaseEnter,
        Action::CaseWork,
        Action::CaseReason,
        Action::CasePropose,
        Action::CaseApprove,
        Action::CaseRelease,
        Action::PackageFetch,
        Action::OutboxRead,
        Action::CalendarRead,
        Action::TenantsList,
        Action::TenantCreate,
        Action::TenantCasesList,
        Action::TenantCaseRead,
        Action::TenantLedgerRead,
        Action::TransferRead,
        Action::TransferOpen,
        Action::TransferWork,
        Action::TransferDecide,
        Action::TransferApprove,
        Action::TransferStart,
    ];

    /// As the policies write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Me => "me",
            Action::DemandSubmit => "demand_submit",
            Action::CasesList => "cases_list",
            Action::CaseRead => "case_read",
            Action::CaseEnter => "case_enter",
            Action::CaseWork => "case_work",
            Action::CaseReason => "case_reason",
            Action::CasePropose => "case_propose",
            Action::CaseApprove => "case_approve",
            Action::CaseRelease => "case_release",
            Action::PackageFetch => "package_fetch",
            Action::OutboxRead => "outbox_read",
            Action::CalendarRead => "calendar_read",
            Action::TenantsList => "tenants_list",
            Action::TenantCreate => "tenant_create",
            Action::TenantCasesList => "tenant_cases_list",
            Action::TenantCaseRead => "tenant_case_read",
            Action::TenantLedgerRead => "tenant_ledger_read",
            Action::TransferRead => "transfer_read",
            Action::TransferOpen => "transfer_open",
            Action::TransferWork => "transfer_work",
            Action::TransferDecide => "transfer_decide",
            Action::TransferApprove => "transfer_approve",
            Action::TransferStart => "transfer_start",
        }
    }
}

/// What it is to be done to.
#[derive(Debug, Clone, Copy)]
pub enum Resource<'a> {
    /// The desk as a whole.
    Desk,
    /// One case, and whether the caller's own customer was told of it.
    Case {
        /// The case.
        case: CaseId,
        /// The caller's customer, if it was told.
        told: Option<&'a TenantId>,
    },
    /// One customer.
    Tenant(&'a TenantId),
}

/// Evidence that a signed-in caller may do something. Only [`Permissions::permit`] makes one, and it lends the caller.
#[derive(Debug)]
pub struct Permit<'s> {
    staff: &'s Staff,
    action: Action,
}

impl Permit<'_> {
    /// Who.
    pub fn staff(&self) -> &Staff {
        self.staff
    }
    /// What.
    pub fn action(&self) -> Action {
        self.action
    }
}

/// Why permissions cannot be used, or a caller may not do what it asks.
#[derive(Debug, thiserror::Error)]
pub enum PermissionsError {
    /// The policies or their schema do not hold together: a defect of this program.
    #[error("the permissions do not hold together: {0}")]
    Unusable(String),
    /// No policy allows it.
    #[error("`{role}` may not do `{action}` here")]
    Denied {
        /// The caller's role.
        role: &'static str,
        /// The action.
        action: &'static str,
    },
}

/// The permissions.
pub struct Permissions {
    schema: Schema,
    policies: PolicySet,
    authorizer: Authorizer,
}

impl Permissions {
    /// Reads and validates the policies that this program carries.
    ///
    /// # Errors
    /// When they do not validate against their schema.
    pub fn load() -> Result<Self, PermissionsError> {
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA).map_err(unusable)?;
        let policies = PolicySet::from_str(POLICIES).map_err(unusable)?;
        let result = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
        if !result.validation_passed() || result.validation_warnings().next().is_some() {
            return Err(PermissionsError::Unusable(result.to_string()));
        }
        Ok(Self {
            schema,
            policies,
            authorizer: Authorizer::new(),
        })
    }

    /// Asks whether `staff` may do `action` to `resource`.
    ///
    /// # Errors
    /// [`PermissionsError::Denied`] unless a policy allows it.
    pub fn permit<'s>(
        &self,
        staff: &'s Staff,
        action: Action,
        resource: Resource<'_>,
    ) -> Result<Permit<'s>, PermissionsError> {
        let denied = PermissionsError::Denied {
            role: staff.role().as_str(),
            action: action.as_str(),
        };
        let principal = uid("Person", staff.id().as_str())?;
        let (target, entity) = target(resource)?;
        let mut attributes = HashMap::from([(
            "role".to_owned(),
            RestrictedExpression::new_string(staff.role().as_str().to_owned()),
        )]);
        if let Some(tenant) = staff.tenant() {
            let tenant = uid("Tenant", tenant.as_str())?;
            attributes.insert("tenant".to_owned(), RestrictedExpression::new_entity_uid(tenant));
        }
        let person = Entity::new(principal.clone(), attributes, HashSet::new()).map_err(unusable)?;
        let entities = Entities::from_entities([person, entity], Some(&self.schema)).map_err(unusable)?;
        let asked = Request::new(
            principal,
            uid("Action", action.as_str())?,
            target,
            Context::empty(),
            Some(&self.schema),
        );
        // An action that does not apply to this kind of resource is a denial, too.
        let Ok(asked) = asked else { return Err(denied) };
        let answer = self.authorizer.is_authorized(&asked, &self.policies, &entities);
        if answer.decision() == Decision::Allow && answer.diagnostics().errors().next().is_none() {
            Ok(Permit { staff, action })
        } else {
            Err(denied)
        }
    }
}

fn target(resource: Resource<'_>) -> Result<(EntityUid, Entity), PermissionsError> {
    let (id, attributes) = match resource {
        Resource::Desk => (uid("Desk", "desk")?, HashMap::new()),
        Resource::Tenant(tenant) => (uid("Tenant", tenant.as_str())?, HashMap::new()),
        Resource::Case { case, told } => {
            let mut tenants = Vec::new();
            if let Some(tenant) = told {
                tenants.push(RestrictedExpression::new_entity_uid(uid(
                    "Tenant",
                    tenant.as_str(),
                )?));
            }
            let told = RestrictedExpression::new_set(tenants);
            (
                uid("Case", &case.to_string())?,
                HashMap::from([("told".to_owned(), told)]),
            )
        }
    };
    let entity = Entity::new(id.clone(), attributes, HashSet::new()).map_err(unusable)?;
    Ok((id, entity))
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, PermissionsError> {
    let name = EntityTypeName::from_str(&format!("Amparo::{kind}")).map_err(unusable)?;
    Ok(EntityUid::from_type_name_and_id(name, EntityId::new(id)))
}

fn unusable(error: impl std::fmt::Display) -> PermissionsError {
    PermissionsError::Unusable(error.to_string())
}
