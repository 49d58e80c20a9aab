//! Questions to the documents.

use std::sync::Arc;
use std::time::Instant;

use allod_answer::{Ask, Reply, Tokens};
use allod_corpus::Language;
use axum::extract::State;
use axum::{Extension, Json};
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::body::Body;
use crate::identity::Identity;
use crate::metrics::outcome_name;
use crate::problem::Problem;
use crate::state::Shared;

/// A question.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    /// The question, in any language of the documents.
    question: String,
    /// The language to answer in (`de`, `fr`, `it`, `rm`, `en`); detected when absent.
    #[schema(value_type = Option<String>)]
    language: Option<Language>,
    /// The date whose law counts, as 2026-01-31; today when absent.
    #[schema(value_type = Option<String>)]
    on: Option<Date>,
}

/// `POST /api/ask`
#[utoipa::path(post, path = "/api/ask", tag = "console", request_body = Question,
    responses((status = 200, description = "The reply: answer, outcome, citations, receipt",
               body = serde_json::Value)))]
pub(crate) async fn ask(
    State(state): State<Shared>,
    Extension(identity): Extension<Identity>,
    Body(asked): Body<Question>,
) -> Result<Json<Reply>, Problem> {
    let Question { question, language, on } = asked;
    reply(&state, Ask { question, language, on, caller: identity.caller }).await.map(Json)
}

/// Asks the desk, in the room for answering.
pub(crate) async fn reply(state: &Shared, ask: Ask) -> Result<Reply, Problem> {
    let (shared, tenant) = (Arc::clone(state), ask.caller.tenant.clone());
    let work = move || {
        let begun = Instant::now();
        let reply = shared.desk.ask(&ask);
        let (outcome, tokens) = match &reply {
            Ok(reply) => (outcome_name(reply.outcome), reply.tokens),
            Err(_) => ("failed", Tokens::default()),
        };
        shared.answered(&ask.caller.tenant, ("ask", outcome), begun.elapsed(), tokens);
        Ok(reply?)
    };
    state.answer(&tenant, work).await
}
