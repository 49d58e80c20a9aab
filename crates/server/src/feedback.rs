//! What people say of an answer.

#![allow(unused_qualifications, reason = "utoipa repeats the type of `Path` by its whole path")]

use std::sync::Arc;

use allod_answer::{Desk, Feedback, ReceiptRef, Thumb, is_answer};
use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::body::Body;
use crate::identity::Identity;
use crate::problem::Problem;
use crate::role::Right;
use crate::sight::Sight;
use crate::state::Shared;

/// A reason is a few sentences, a correction a page.
const REASON_CHARS_MAX: usize = 10_000;
const CORRECTION_CHARS_MAX: usize = 100_000;

/// What is said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    /// `up` or `down`.
    #[schema(value_type = String)]
    verdict: Thumb,
    /// Why.
    reason: Option<String>,
    /// How the answer should have been.
    correction: Option<String>,
}

/// `POST /api/receipts/{index}/feedback`
#[utoipa::path(post, path = "/api/receipts/{index}/feedback", tag = "console",
    params(("index" = u64, Path, description = "The receipt of the answer")), request_body = Said,
    responses((status = 200, description = "Its own receipt, durable", body = serde_json::Value),
              (status = 400, description = "The receipt records no answer"),
              (status = 403, description = "Somebody else asked; for reviewers and operators only"),
              (status = 404, description = "No such receipt, or not for this caller")))]
pub(crate) async fn create(
    State(state): State<Shared>,
    Extension(identity): Extension<Identity>,
    Path(index): Path<u64>,
    Body(said): Body<Said>,
) -> Result<Json<Value>, Problem> {
    let feedback = Feedback {
        verdict: said.verdict,
        reason: bounded("reason", said.reason, REASON_CHARS_MAX)?,
        correction: bounded("correction", said.correction, CORRECTION_CHARS_MAX)?,
    };
    // It counts as a request, so that nobody fills the log.
    let (tenant, desk) = (identity.caller.tenant.clone(), Arc::clone(&state.desk));
    let given = state.answer(&tenant, move || given(&desk, &identity, index, &feedback)).await?;
    Ok(Json(json!({"receipt": given})))
}

/// A text without the blanks around it; nothing if there is nothing else.
fn bounded(
    field: &'static str,
    text: Option<String>,
    chars_max: usize,
) -> Result<Option<String>, Problem> {
    let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    match text.as_ref().is_some_and(|text| text.chars().count() > chars_max) {
        true => Err(Problem::field(field, format!("at most {chars_max} characters go"))),
        false => Ok(text),
    }
}

fn given(
    desk: &Desk,
    identity: &Identity,
    index: u64,
    feedback: &Feedback,
) -> Result<ReceiptRef, Problem> {
    let receipt = Sight::new(desk, identity).receipt_at(index)?;
    let is_own = identity.caller.subject == receipt.request.subject;
    if !is_own && !identity.role.may(Right::Decide) {
        let message = "feedback goes to your own answers; somebody else asked for this one";
        return Err(Problem::forbidden("not_yours", message));
    }
    if !is_answer(&receipt) {
        let message = format!("receipt {index} records no answer");
        return Err(Problem::request("no_answer", message));
    }
    Ok(desk.give_feedback(index, &identity.caller.subject, feedback)?)
}
