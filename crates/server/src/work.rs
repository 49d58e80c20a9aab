//! Work done with tools.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use allod_answer::{Tokens, Work, WorkName, WorkReply};
use allod_corpus::Language;
use axum::extract::State;
use axum::{Extension, Json};
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::body::Body;
use crate::identity::Identity;
use crate::metrics::outcome_name;
use crate::problem::Problem;
use crate::state::Shared;

/// A piece of work.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// Which: `answer`, `classify`, `summarise`, `letter`, `form`.
    #[schema(value_type = String)]
    work: WorkName,
    /// What is asked, in the asker's words.
    #[serde(default)]
    request: String,
    /// The document that it is about, by its path or digest.
    document: Option<String>,
    /// The template of a letter or form.
    template: Option<String>,
    /// Fields of the template.
    #[serde(default)]
    fields: BTreeMap<String, String>,
    /// The language (`de`, `fr`, `it`, `rm`, `en`); detected when absent.
    #[schema(value_type = Option<String>)]
    language: Option<Language>,
    /// The date whose law counts, as 2026-01-31; today when absent.
    #[schema(value_type = Option<String>)]
    on: Option<Date>,
}

/// `POST /api/work`
#[utoipa::path(post, path = "/api/work", tag = "console", request_body = Asked,
    responses((status = 200, description = "The reply as of /api/ask, with the calls of tools",
               body = Value)))]
pub(crate) async fn run(
    State(state): State<Shared>,
    Extension(identity): Extension<Identity>,
    Body(asked): Body<Asked>,
) -> Result<Json<WorkReply>, Problem> {
    let Asked { work: name, request, document, template, fields, language, on } = asked;
    let caller = identity.caller;
    let tenant = caller.tenant.clone();
    let work = Work { name, request, document, template, fields, caller, on, language };
    let shared = Arc::clone(&state);
    let job = move || {
        let begun = Instant::now();
        let reply = shared.desk.work(&work);
        let (outcome, tokens) = match &reply {
            Ok(done) => (outcome_name(done.reply.outcome), done.reply.tokens),
            Err(_) => ("failed", Tokens::default()),
        };
        shared.answered(&work.caller.tenant, ("ask", outcome), begun.elapsed(), tokens);
        Ok(reply?)
    };
    state.answer(&tenant, job).await.map(Json)
}

/// `GET /api/work`
#[utoipa::path(get, path = "/api/work", tag = "console",
    responses((status = 200, description = "The work that can be done, the tools that the policy \
               grants it, their schemas, and the templates", body = Value)))]
pub(crate) async fn list(
    State(state): State<Shared>,
    Extension(identity): Extension<Identity>,
) -> Result<Json<Value>, Problem> {
    let tenant = identity.caller.tenant;
    let listed = move |desk: &allod_answer::Desk| {
        let tools = allod_answer::ToolName::ALL.map(|tool| {
            let (about, parameters) = allod_answer::described(tool);
            json!({"name": tool, "description": about, "parameters": parameters})
        });
        let (work, templates) = (desk.work_offered(&tenant), desk.templates());
        Ok(json!({"work": work, "tools": tools, "templates": templates}))
    };
    state.read(listed).await.map(Json)
}
