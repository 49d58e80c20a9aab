//! Which address leads where.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};

use crate::problem::Problem;
use crate::role::{self, Right};
use crate::state::Shared;
use crate::{
    adapters, ask, chat_completions, console, documents, embeddings, envelope, feedback, health,
    history, identity, ledger_files, messages, metrics, models, openapi, receipts, rerank,
    responses, reviews, sign_in, status, text_completions, tokenize, verify, work,
};

/// Everything that is served.
pub(crate) fn router(state: Shared) -> Router {
    known_callers()
        .route_layer(map_response(in_our_form))
        .route_layer(from_fn_with_state(state.clone(), identity::identify))
        .merge(anyone())
        .fallback(envelope::no_such_path)
        .method_not_allowed_fallback(envelope::no_such_method)
        .layer(DefaultBodyLimit::max(state.options.body_bytes_max))
        .layer(from_fn_with_state(state.clone(), envelope::wrap))
        .with_state(state)
}

/// What anyone may have: no data of anybody.
fn anyone() -> Router<Shared> {
    console::router().merge(sign_in::router()).route("/healthz", get(health::health))
}

/// What only a known caller may have.
fn known_callers() -> Router<Shared> {
    routes().into_iter().fold(Router::new(), |router, (right, path, methods)| {
        router.route(path, methods.route_layer(from_fn_with_state(right, role::permit)))
    })
}

/// Each address with what it needs.
fn routes() -> [(Right, &'static str, MethodRouter<Shared>); 33] {
    use Right::{Ask, Audit, Decide, Documents, Look, Manage, Metrics, Records, Reviews};
    [
        (Ask, "/v1/chat/completions", post(chat_completions::create)),
        (Ask, "/v1/completions", post(text_completions::create)),
        (Ask, "/v1/responses", post(responses::create)),
        (Ask, "/v1/messages", post(messages::create)),
        (Ask, "/v1/messages/count_tokens", post(messages::count_tokens)),
        (Ask, "/v1/embeddings", post(embeddings::create)),
        (Ask, "/v1/rerank", post(rerank::create)),
        (Ask, "/tokenize", post(tokenize::tokenize)),
        (Ask, "/detokenize", post(tokenize::detokenize)),
        (Manage, "/v1/load_lora_adapter", post(adapters::load)),
        (Manage, "/v1/unload_lora_adapter", post(adapters::unload)),
        (Look, "/v1/models", get(models::list)),
        (Look, "/v1/models/{*model}", get(models::one)),
        (Ask, "/api/ask", post(ask::ask)),
        (Ask, "/api/work", get(work::list).post(work::run)),
        (Look, "/api/status", get(status::status)),
        (Documents, "/api/documents", get(documents::list)),
        (Documents, "/api/documents/{digest}", get(documents::one)),
        (Audit, "/api/history", get(history::list)),
        (Audit, "/api/policies/{digest}", get(history::policy)),
        (Records, "/api/receipts", get(receipts::list)),
        (Audit, "/api/receipts/export", get(receipts::export)),
        (Records, "/api/receipts/{index}", get(receipts::one)),
        (Ask, "/api/receipts/{index}/feedback", post(feedback::create)),
        (Records, "/api/receipts/{index}/verify", get(verify::verify)),
        (Records, "/api/receipts/{index}/proof", get(verify::proof)),
        (Audit, "/api/ledger/verify", get(verify::verify_log)),
        (Reviews, "/api/reviews", get(reviews::list)),
        (Reviews, "/api/reviews/{id}", get(reviews::one)),
        (Decide, "/api/reviews/{id}/resolve", post(reviews::resolve)),
        (Records, "/ledger/{*path}", get(ledger_files::file)),
        (Metrics, "/metrics", get(metrics::metrics)),
        (Look, "/openapi.json", get(openapi::document)),
    ]
}

/// A path or query that does not fit its type is refused by axum in plain text; here it gets the
/// form of all other refusals.
async fn in_our_form(response: Response) -> Response {
    let is_plain = response
        .headers()
        .get("content-type")
        .is_some_and(|kind| kind.to_str().is_ok_and(|kind| kind.starts_with("text/plain")));
    if response.status() != axum::http::StatusCode::BAD_REQUEST || !is_plain {
        return response;
    }
    let message = match axum::body::to_bytes(response.into_body(), 1 << 16).await {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => "the address does not fit".into(),
    };
    Problem::request("invalid_address", message).into_response()
}
