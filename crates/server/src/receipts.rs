//! The receipts, as far as the caller may see them.

#![allow(unused_qualifications, reason = "utoipa repeats the type of `Query` by its whole path")]

use allod_answer::Desk;
use allod_ledger::Receipt;
use allod_ledger::receipt::{Outcome, RequestKind};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use crate::identity::Identity;
use crate::problem::Problem;
use crate::sight::Sight;
use crate::state::Shared;

/// So many receipts are listed unless asked otherwise, and at most the second.
const LAST: usize = 50;
const LAST_MAX: usize = 200;

/// So many receipts are looked at to find those that the caller may see.
const LOOKED_AT_MAX: u64 = 5_000;

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Part {
    /// The last so many; at most 200.
    last: Option<usize>,
    /// Those before this index.
    before: Option<u64>,
}

/// `GET /api/receipts`
#[utoipa::path(get, path = "/api/receipts", tag = "console", params(Part),
    responses((status = 200, description = "Receipts, newest first; `before` continues the list",
               body = serde_json::Value)))]
pub(crate) async fn list(
    State(state): State<Shared>,
    Extension(identity): Extension<Identity>,
    Query(part): Query<Part>,
) -> Result<Json<Value>, Problem> {
    state.read(move |desk| page(desk, &identity, &part)).await.map(Json)
}

fn page(desk: &Desk, identity: &Identity, part: &Part) -> Result<Value, Problem> {
    let size = desk.ledger().refresh()?.size;
    let end = part.before.map_or(size, |before| before.min(size));
    let start = end.saturating_sub(LOOKED_AT_MAX);
    let last = part.last.unwrap_or(LAST).clamp(1, LAST_MAX);
    let mut sight = Sight::new(desk, identity);
    let mut receipts = Vec::new();
    let mut before = (start > 0).then_some(start);
    for index in (start..end).rev() {
        if receipts.len() == last {
            before = Some(index + 1);
            break;
        }
        let receipt = desk.ledger().read(index)?;
        if sight.receipt(&receipt)? {
            receipts.push(summary(desk, identity, index, &receipt)?);
        }
    }
    Ok(json!({"receipts": receipts, "before": before}))
}

fn summary(
    desk: &Desk,
    identity: &Identity,
    index: u64,
    receipt: &Receipt,
) -> Result<Value, Problem> {
    let words = Words::open(desk, identity, receipt)?;
    Ok(json!({
        "index": index,
        "time": receipt.time,
        "kind": receipt.request.kind,
        "tenant": receipt.request.tenant,
        "outcome": receipt.outcome,
        "mode": receipt.mode,
        "confidence": receipt.confidence,
        "model": receipt.model.as_ref().map(|model| &model.name),
        "citations": receipt.citations.len(),
        "review": receipt.review,
        "question": words.question,
    }))
}

/// `GET /api/receipts/{index}`
#[utoipa::path(get, path = "/api/receipts/{index}", tag = "console",
    params(("index" = u64, Path, description = "The receipt's index in the log, from 0")),
    responses((status = 200, description = "The receipt, its entry in the log word for word, and \
               the words that it commits to where they are kept and the caller may see them",
               body = serde_json::Value),
              (status = 404, description = "No such receipt, or not for this caller")))]
pub(crate) async fn one(
    State(state): State<Shared>,
    Extension(identity): Extension<Identity>,
    Path(index): Path<u64>,
) -> Result<Json<Value>, Problem> {
    state.read(move |desk| whole(desk, &identity, index)).await.map(Json)
}

fn whole(desk: &Desk, identity: &Identity, index: u64) -> Result<Value, Problem> {
    let receipt = Sight::new(desk, identity).receipt_at(index)?;
    let words = Words::open(desk, identity, &receipt)?;
    Ok(json!({
        "index": index,
        "receipt": receipt,
        "entry": entry_text(desk, index)?,
        "question": words.question,
        "answer": words.answer,
    }))
}

/// The entry as it stands in the log: canonical JSON, byte for byte.
pub(crate) fn entry_text(desk: &Desk, index: u64) -> Result<String, Problem> {
    String::from_utf8(desk.ledger().entry(index)?).map_err(|error| Problem::internal(&error))
}

/// What a receipt commits to, where it is kept and the caller may see it.
#[derive(Default)]
struct Words {
    question: Option<String>,
    answer: Option<String>,
}

impl Words {
    fn open(desk: &Desk, identity: &Identity, receipt: &Receipt) -> Result<Words, Problem> {
        if !identity.sees_words_of(&receipt.request.subject) {
            return Ok(Words::default());
        }
        let prompt = content(desk, Some(&receipt.prompt_commitment))?;
        let question = prompt.and_then(|prompt| question_of(receipt.request.kind, &prompt));
        // What a person has yet to release is a draft; the queue shows it to those who decide.
        let is_draft = receipt.outcome != Outcome::Answered;
        let committed = receipt.answer_commitment.as_deref();
        let committed = committed.filter(|_| identity.sees_drafts() || !is_draft);
        Ok(Words { question, answer: content(desk, committed)? })
    }
}

fn content(desk: &Desk, commitment: Option<&str>) -> Result<Option<String>, Problem> {
    let Some(commitment) = commitment else { return Ok(None) };
    Ok(desk.store().payload(commitment)?.map(|payload| payload.content))
}

/// The question in a recorded prompt.
fn question_of(kind: RequestKind, prompt: &str) -> Option<String> {
    let prompt: Value = serde_json::from_str(prompt).ok()?;
    let field = match kind {
        RequestKind::Generate if prompt["prompt"].is_null() => {
            return Some(prompt["prompt_tokens"].to_string());
        }
        RequestKind::Generate => "prompt",
        RequestKind::Embed => return Some(prompt["texts"].to_string()),
        RequestKind::Rerank => "query",
        RequestKind::Ask | RequestKind::Chat | RequestKind::Work => "question",
        RequestKind::Erase | RequestKind::Expire | RequestKind::Review => return None,
    };
    if let Some(question) = prompt[field].as_str() {
        return Some(question.to_owned());
    }
    let asked =
        prompt["messages"].as_array()?.iter().rev().find(|message| message["role"] == "user");
    asked.and_then(|message| message["content"].as_str()).map(str::to_owned)
}
