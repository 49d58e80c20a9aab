//! `GET /openapi.json`

use axum::Json;
use axum::response::IntoResponse;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

/// The description of the whole interface.
#[derive(OpenApi)]
#[openapi(
    info(title = "Allod", description = "Answers from your own documents that you can prove. \
         docs/api.md says more."),
    paths(
        crate::chat_completions::create, crate::text_completions::create,
        crate::responses::create, crate::messages::create, crate::messages::count_tokens,
        crate::embeddings::create, crate::rerank::create, crate::tokenize::tokenize,
        crate::tokenize::detokenize, crate::adapters::load, crate::adapters::unload,
        crate::models::list, crate::models::one,
        crate::ask::ask, crate::work::run, crate::work::list, crate::status::status,
        crate::documents::list, crate::documents::one,
        crate::receipts::list, crate::receipts::one, crate::receipts::export,
        crate::feedback::create, crate::verify::verify, crate::verify::proof,
        crate::verify::verify_log, crate::history::list, crate::history::policy,
        crate::reviews::list, crate::reviews::one,
        crate::reviews::resolve, crate::ledger_files::file, crate::metrics::metrics,
        crate::health::health, document,
    ),
    security(("key" = []), ("x-api-key" = [])),
    modifiers(&Key),
)]
struct Description;

struct Key;

impl Modify for Key {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let key = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
            "An API key, `allod_…`, or a token of the policy's issuer; on loopback none is needed",
        ));
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(key.build()));
        let header = ApiKey::Header(ApiKeyValue::new("x-api-key"));
        components.add_security_scheme("x-api-key", SecurityScheme::ApiKey(header));
    }
}

/// `GET /openapi.json`
#[utoipa::path(get, path = "/openapi.json", tag = "operation",
    responses((status = 200, description = "This description", body = serde_json::Value)))]
pub(crate) async fn document() -> impl IntoResponse {
    Json(Description::openapi())
}

/// The paths that are described, for the test that holds them against the router.
#[cfg(test)]
pub(crate) fn paths() -> Vec<String> {
    Description::openapi().paths.paths.keys().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let source = include_str!("router.rs").split(" \"/").skip(1);
        let healthz = include_str!("router.rs").split(".route(\"/").skip(1);
        let path = |rest: &str| format!("/{}", rest.split('"').next().unwrap());
        let mut routes: Vec<String> =
            source.chain(healthz).map(|rest| path(rest).replace("{*", "{")).collect();
        let mut described = paths();
        routes.sort();
        described.sort();
        assert_eq!(routes, described);
    }
}
