//! The review queue: requests that a person decides.

#![allow(unused_qualifications, reason = "utoipa repeats the type of `Query` by its whole path")]

use allod_answer::{Desk, Error as AnswerError};
use allod_store::{Error as StoreError, Resolution, ReviewRow, ReviewState, Verdict};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::body::Body;
use crate::identity::Identity;
use crate::problem::Problem;
use crate::sight::Sight;
use crate::state::Shared;

/// A note is a few sentences, an answer a page.
const NOTE_CHARS_MAX: usize = 10_000;
const ANSWER_CHARS_MAX: usize = 100_000;

/// Which part of the queue.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Part {
    /// `open` or `resolved`; both when absent.
    #[param(value_type = Option<String>)]
    state: Option<ReviewState>,
}

/// What the reviewer decides.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decision {
    /// `approve` sends the draft, `amend` another answer, `reject` nothing.
    #[schema(value_type = String)]
    verdict: Verdict,
    /// Why.
    #[serde(default)]
    note: String,
    /// The answer to give, with `amend`.
    answer: Option<String>,
}

/// `GET /api/reviews`
#[utoipa::path(get, path = "/api/reviews", tag = "console", params(Part),
    responses((status = 200, description = "The queue, oldest first; a user sees their own \
               requests, a reviewer the tenant's", body = serde_json::Value)))]
pub(crate) async fn list(
    State(state): State<Shared>,
    Extension(identity): Extension<Identity>,
    Query(part): Query<Part>,
) -> Result<Json<Value>, Problem> {
    state.read(move |desk| page(desk, &identity, part.state)).await.map(Json)
}

fn page(desk: &Desk, identity: &Identity, state: Option<ReviewState>) -> Result<Value, Problem> {
    let mut sight = Sight::new(desk, identity);
    let mut reviews = Vec::new();
    for review in desk.store().reviews(state)? {
        if sight.review(&review)? {
            reviews.push(shown(&review, identity));
        }
    }
    Ok(json!({"reviews": reviews}))
}

/// `GET /api/reviews/{id}`
#[utoipa::path(get, path = "/api/reviews/{id}", tag = "console",
    params(("id" = String, Path, description = "The entry's id")),
    responses((status = 200, description = "The entry; the draft only for a reviewer",
               body = serde_json::Value),
              (status = 404, description = "No such entry, or not for this caller")))]
pub(crate) async fn one(
    State(state): State<Shared>,
    Extension(identity): Extension<Identity>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let found = state.read(move |desk| {
        let review = visible(desk, &identity, &id)?;
        Ok(shown(&review, &identity))
    });
    found.await.map(Json)
}

/// `POST /api/reviews/{id}/resolve`
#[utoipa::path(post, path = "/api/reviews/{id}/resolve", tag = "console",
    params(("id" = String, Path, description = "The entry's id")), request_body = Decision,
    responses((status = 200, description = "The entry as it is now", body = serde_json::Value),
              (status = 403, description = "For reviewers and operators only"),
              (status = 404, description = "No such entry, or not for this caller"),
              (status = 409, description = "Somebody has decided already, or there is no draft")))]
pub(crate) async fn resolve(
    State(state): State<Shared>,
    Extension(identity): Extension<Identity>,
    Path(id): Path<String>,
    Body(decision): Body<Decision>,
) -> Result<Json<Value>, Problem> {
    state.read(move |desk| resolved(desk, &identity, &id, decision)).await.map(Json)
}

fn resolved(
    desk: &Desk,
    identity: &Identity,
    id: &str,
    decision: Decision,
) -> Result<Value, Problem> {
    let review = visible(desk, identity, id)?;
    decision.check(&review)?;
    let resolution = Resolution {
        verdict: decision.verdict,
        by: identity.caller.subject.clone(),
        note: decision.note,
        answer: decision.answer,
        at: Timestamp::now().to_string(),
        seconded_by: None,
        receipt_index: None,
        log_size: 0,
    };
    match desk.decide(id, resolution) {
        Ok(review) => Ok(shown(&review, identity)),
        Err(AnswerError::Store(error @ StoreError::AlreadyResolved { .. })) => {
            Err(Problem::conflict(error.to_string()))
        }
        Err(error) => Err(error.into()),
    }
}

impl Decision {
    fn check(&self, review: &ReviewRow) -> Result<(), Problem> {
        if self.note.chars().count() > NOTE_CHARS_MAX {
            return Err(Problem::field("note", format!("at most {NOTE_CHARS_MAX} characters go")));
        }
        let answer = self.answer.as_deref().map(str::trim).filter(|answer| !answer.is_empty());
        if answer.is_some_and(|answer| answer.chars().count() > ANSWER_CHARS_MAX) {
            return Err(Problem::field(
                "answer",
                format!("at most {ANSWER_CHARS_MAX} characters go"),
            ));
        }
        match (self.verdict, answer) {
            (Verdict::Amend, None) => {
                Err(Problem::field("answer", "`amend` needs the answer to give"))
            }
            (Verdict::Approve | Verdict::Reject, Some(_)) => {
                Err(Problem::field("answer", "an answer goes only with `amend`"))
            }
            (Verdict::Reject, None) if self.note.trim().is_empty() => {
                Err(Problem::field("note", "`reject` needs the reason, which is recorded"))
            }
            (Verdict::Approve, None) if draft_text(review).is_none() => {
                Err(Problem::conflict("there is no draft to approve; amend or reject"))
            }
            _ => Ok(()),
        }
    }
}

fn visible(desk: &Desk, identity: &Identity, id: &str) -> Result<ReviewRow, Problem> {
    let review = desk.store().review(id)?.ok_or_else(|| Problem::absent("review"))?;
    match Sight::new(desk, identity).review(&review)? {
        true => Ok(review),
        false => Err(Problem::absent("review")),
    }
}

/// An entry as the caller may see it. Who asked must not see the draft before a person has.
fn shown(review: &ReviewRow, identity: &Identity) -> Value {
    let request = parsed(Some(&review.request_json));
    let mut shown = json!({
        "id": review.id,
        "created_at": review.created_at,
        "kind": review.kind,
        "tenant": review.tenant,
        "state": review.state,
        "reasons": review.reasons,
        "receipt_index": review.receipt_index,
        "question": question(&request),
        "language": request["language"],
        "answer": released(review),
    });
    if identity.sees_drafts() {
        shown["subject"] = request["subject"].clone();
        shown["messages"] = request["messages"].clone();
        shown["draft"] = parsed(review.draft_json.as_deref());
        shown["resolution"] = json!(review.resolution);
    }
    shown
}

/// The answer that a person has let go out.
fn released(review: &ReviewRow) -> Option<String> {
    let decided = review.resolution.as_ref().filter(|_| review.state == ReviewState::Resolved);
    let resolution = decided?;
    match resolution.verdict {
        Verdict::Approve => draft_text(review),
        Verdict::Amend => resolution.answer.clone(),
        Verdict::Reject => None,
    }
}

fn draft_text(review: &ReviewRow) -> Option<String> {
    let text = parsed(review.draft_json.as_deref())["answer"].as_str().map(str::to_owned);
    text.filter(|text| !text.is_empty())
}

fn question(request: &Value) -> Value {
    if request["question"].is_string() {
        return request["question"].clone();
    }
    let messages = request["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let asked = messages.iter().rev().find(|message| message["role"] == "user");
    asked.map_or(Value::Null, |message| message["content"].clone())
}

/// JSON that we wrote ourselves; what is not there is null.
fn parsed(json: Option<&str>) -> Value {
    json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}
