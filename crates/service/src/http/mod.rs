//! The HTTP API. Each route names its action; a test calls every one without a token and with every role.
//!
//! Nothing here returns a customer's object: the only bytes of content that leave are packages encrypted to their
//! recipient (P4).

mod calendars;
mod cases;
mod demands;
mod error;
mod further;
mod gags;
mod ledger;
mod letters;
mod limits;
mod openapi;
mod records;
mod steps;
mod tenants;
mod transfer_steps;
mod transfers;

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRequestParts},
    http::{header, request::Parts},
    middleware,
};
use casework::ids::{CaseId, TenantId};
use utoipa_axum::{router::OpenApiRouter, routes};

pub use error::{ApiError, ErrorBody};
pub use limits::{JSON_BYTES_MAX, REQUEST_TIMEOUT, REQUESTS_MAX};
pub use openapi::description;

use crate::{
    app::{
        Desk,
        ports::{LedgerPort, TenantsPort},
    },
    auth::{Action, Permissions, Permit, Resource, Staff, Tokens},
    transfers::Transfers,
};

/// What the routes work with. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    desk: Desk,
    tokens: Tokens,
    permissions: Arc<Permissions>,
    tenants: Arc<dyn TenantsPort>,
    ledger: Arc<dyn LedgerPort>,
    transfers: Transfers,
    /// How many requests may be under way.
    slots: Arc<tokio::sync::Semaphore>,
}

impl Api {
    /// The API over these parts.
    pub fn new(
        desk: Desk,
        tokens: Tokens,
        permissions: Arc<Permissions>,
        tenants: Arc<dyn TenantsPort>,
        ledger: Arc<dyn LedgerPort>,
        transfers: Transfers,
    ) -> Self {
        Self {
            desk,
            tokens,
            permissions,
            tenants,
            ledger,
            transfers,
            slots: Arc::new(tokio::sync::Semaphore::new(REQUESTS_MAX)),
        }
    }

    /// The desk, for a caller who may use it.
    fn desk(&self, _permit: &Permit<'_>) -> &Desk {
        &self.desk
    }

    /// Transfers, for a caller who may use them.
    fn transfers(&self, _permit: &Permit<'_>) -> &Transfers {
        &self.transfers
    }

    fn permit<'c>(&self, caller: &'c Caller, action: Action) -> Result<Permit<'c>, ApiError> {
        Ok(self.permissions.permit(&caller.0, action, Resource::Desk)?)
    }

    async fn permit_case<'c>(
        &self,
        caller: &'c Caller,
        action: Action,
        case: CaseId,
    ) -> Result<Permit<'c>, ApiError> {
        let told = match caller.0.tenant() {
            Some(tenant)
                if self
                    .desk
                    .cases()
                    .was_told(case, tenant)
                    .await
                    .map_err(error::store)? =>
            {
                Some(tenant)
            }
            _ => None,
        };
        Ok(self
            .permissions
            .permit(&caller.0, action, Resource::Case { case, told })?)
    }

    fn permit_tenant<'c>(
        &self,
        caller: &'c Caller,
        action: Action,
        tenant: &TenantId,
    ) -> Result<Permit<'c>, ApiError> {
        Ok(self
            .permissions
            .permit(&caller.0, action, Resource::Tenant(tenant))?)
    }
}

/// A signed-in caller.
pub struct Caller(Staff);

impl FromRequestParts<Api> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let header = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        Ok(Self(api.tokens.authenticate(header).await?))
    }
}

/// Every route of the API. `docket` serves the docket's own files, which anybody may read, under `/docket`.
pub fn router(api: Api, docket: Option<Router>) -> Router {
    let (routes, _) = routes().split_for_parts();
    let mut router = routes
        .layer(DefaultBodyLimit::max(JSON_BYTES_MAX))
        .layer(middleware::from_fn_with_state(api.clone(), limits::bound))
        .with_state(api)
        .fallback(error::no_such_route);
    if let Some(docket) = docket {
        router = router.nest("/docket", docket);
    }
    router
}

/// The routes with their descriptions.
fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(openapi::health))
        .routes(routes!(openapi::document))
        .routes(routes!(openapi::me))
        .routes(routes!(demands::submit))
        .routes(routes!(tenants::list, tenants::add))
        .routes(routes!(tenants::told_cases))
        .routes(routes!(tenants::told_case))
        .routes(routes!(ledger::page))
        .routes(routes!(ledger::heads))
        .routes(routes!(cases::list))
        .routes(routes!(cases::show))
        .routes(routes!(cases::owed))
        .routes(routes!(cases::letters))
        .routes(routes!(letters::letter))
        .routes(routes!(cases::letter_sent))
        .routes(routes!(cases::event_receipt))
        .routes(routes!(gags::list))
        .routes(routes!(gags::of_case))
        .routes(routes!(calendars::subscribe, calendars::unsubscribe))
        .routes(routes!(calendars::fetch))
        .routes(routes!(cases::outbox))
        .routes(routes!(cases::events, steps::record))
        .routes(routes!(steps::enter))
        .routes(routes!(steps::reason))
        .routes(routes!(steps::resolve))
        .routes(routes!(steps::learn))
        .routes(routes!(steps::assess))
        .routes(routes!(steps::redirect))
        .routes(routes!(steps::notify))
        .routes(routes!(steps::object))
        .routes(routes!(further::link))
        .routes(routes!(further::preserve))
        .routes(routes!(further::thaw))
        .routes(routes!(further::not_execute))
        .routes(routes!(further::claim_costs))
        .routes(routes!(records::propose))
        .routes(routes!(records::show))
        .routes(routes!(records::approve))
        .routes(routes!(records::release))
        .routes(routes!(records::fetch))
        .routes(routes!(transfers::register, transfers::open))
        .routes(routes!(transfers::bases))
        .routes(routes!(transfers::show))
        .routes(routes!(transfer_steps::state))
        .routes(routes!(transfer_steps::assess))
        .routes(routes!(transfer_steps::supplement))
        .routes(routes!(transfer_steps::decide))
        .routes(routes!(transfer_steps::stop))
        .routes(routes!(transfer_steps::propose))
        .routes(routes!(transfer_steps::approve))
        .routes(routes!(transfer_steps::start))
        .routes(routes!(transfer_steps::withdraw))
}

#[cfg(test)]
mod tests;
