//! Which address leads where.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::problem::Problem;
use crate::state::Shared;
use crate::{
    adapters, ask, chat_completions, console, documents, embeddings, envelope, health, identity,
    ledger_files, messages, metrics, models, openapi, receipts, rerank, responses, reviews, status,
    text_completions, tokenize, verify, work,
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
    console::router().route("/healthz", get(health::health))
}

/// What only a known caller may have.
fn known_callers() -> Router<Shared> {
    Router::new()
        .route("/v1/chat/completions", post(chat_completions::create))
        .route("/v1/completions", post(text_completions::create))
        .route("/v1/responses", post(responses::create))
        .route("/v1/messages", post(messages::create))
        .route("/v1/messages/count_tokens", post(messages::count_tokens))
        .route("/v1/embeddings", post(embeddings::create))
        .route("/v1/rerank", post(rerank::create))
        .route("/tokenize", post(tokenize::tokenize))
        .route("/detokenize", post(tokenize::detokenize))
        .route("/v1/load_lora_adapter", post(adapters::load))
        .route("/v1/unload_lora_adapter", post(adapters::unload))
        .route("/v1/models", get(models::list))
        .route("/v1/models/{*model}", get(models::one))
        .route("/api/ask", post(ask::ask))
        .route("/api/work", get(work::list).post(work::run))
        .route("/api/status", get(status::status))
        .route("/api/documents", get(documents::list))
        .route("/api/documents/{digest}", get(documents::one))
        .route("/api/receipts", get(receipts::list))
        .route("/api/receipts/{index}", get(receipts::one))
        .route("/api/receipts/{index}/verify", get(verify::verify))
        .route("/api/receipts/{index}/proof", get(verify::proof))
        .route("/api/ledger/verify", get(verify::verify_log))
        .route("/api/reviews", get(reviews::list))
        .route("/api/reviews/{id}", get(reviews::one))
        .route("/api/reviews/{id}/resolve", post(reviews::resolve))
        .route("/ledger/{*path}", get(ledger_files::file))
        .route("/metrics", get(metrics::metrics))
        .route("/openapi.json", get(openapi::document))
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
