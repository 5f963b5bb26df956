//! The API's description, and the routes about the API itself.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{
    OpenApi, ToSchema,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};

use super::{Api, ApiError, Caller, ErrorBody};
use crate::auth::Action;

/// The description as it is committed in `docs/openapi.json`, with the demand's own schema.
pub fn description() -> Value {
    let (_, api) = super::routes().split_for_parts();
    let mut document = serde_json::to_value(api).unwrap_or(Value::Null);
    embed(&mut document, "Demand", casework::demand::json_schema());
    document
}

/// Puts a JSON Schema among the document's own, its definitions beside it.
fn embed(document: &mut Value, name: &str, schema: Value) {
    let text = schema.to_string().replace("#/$defs/", "#/components/schemas/");
    let Ok(Value::Object(mut schema)) = serde_json::from_str(&text) else {
        return;
    };
    schema.remove("$schema");
    let definitions = schema.remove("$defs");
    let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") else {
        return;
    };
    if let Some(Value::Object(definitions)) = definitions {
        schemas.extend(definitions);
    }
    schemas.insert(name.to_owned(), Value::Object(schema));
}

pub(super) fn base() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(
        info(
            title = "Amparo",
            description = "Demands for customers' data, and what becomes of them. No route returns a customer's \
                           content: what is released leaves in packages encrypted to their recipient.",
            license(name = "Apache-2.0", identifier = "Apache-2.0"),
            version = "1"
        ),
        components(schemas(ErrorBody))
    )]
    struct Base;
    let mut api = Base::openapi();
    if let Some(components) = api.components.as_mut() {
        let token = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("token", token);
    }
    api
}

/// The service is up.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct Health {
    /// Always `ok`.
    status: String,
}

/// Whether the service answers.
#[utoipa::path(get, path = "/health", tag = "service", security(()), responses((status = 200, body = Health)))]
pub(super) async fn health() -> Json<Health> {
    Json(Health {
        status: "ok".to_owned(),
    })
}

/// This description.
#[utoipa::path(
    get, path = "/openapi.json", tag = "service", security(()),
    responses((status = 200, description = "OpenAPI 3.1", body = Value))
)]
pub(super) async fn document() -> Json<Value> {
    Json(description())
}

/// The caller.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct Me {
    /// Id.
    id: String,
    /// Role.
    role: String,
    /// For a customer's administrator, the customer.
    tenant: Option<String>,
}

/// Who the token says one is.
#[utoipa::path(
    get, path = "/me", tag = "service", security(("token" = [])),
    responses((status = 200, body = Me), (status = 401, body = ErrorBody)),
    extensions(("x-amparo-action" = json!("me")))
)]
pub(super) async fn me(State(api): State<Api>, caller: Caller) -> Result<Json<Me>, ApiError> {
    let permit = api.permit(&caller, Action::Me)?;
    let staff = permit.staff();
    Ok(Json(Me {
        id: staff.id().to_string(),
        role: staff.role().to_string(),
        tenant: staff.tenant().map(ToString::to_string),
    }))
}
