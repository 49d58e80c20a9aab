//! The receipts, as far as the caller may see them.

#![allow(unused_qualifications, reason = "utoipa repeats the type of `Query` by its whole path")]

use allod_answer::Desk;
use allod_ledger::Receipt;
use allod_ledger::receipt::{Outcome, RequestKind};
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{AppendHeaders, IntoResponse};
use axum::{Extension, Json};
use serde_json::{Value, json};

use crate::identity::Identity;
use crate::problem::Problem;
use crate::search::{Search, Terms};
use crate::sight::Sight;
use crate::state::Shared;

/// So many receipts are listed unless asked otherwise, and at most the second.
const LAST: usize = 50;
const LAST_MAX: usize = 200;

/// So many are exported in one go.
const EXPORTED_MAX: usize = 1_000;

/// So many receipts are looked at to find those that the caller may see.
const LOOKED_AT_MAX: u64 = 5_000;

/// `GET /api/receipts`
#[utoipa::path(get, path = "/api/receipts", tag = "console", params(Terms),
    responses((status = 200, description = "Receipts, newest first; `before` continues the list",
               body = serde_json::Value),
              (status = 400, description = "A time is none")))]
pub(crate) async fn list(
    State(state): State<Shared>,
    Extension(identity): Extension<Identity>,
    Query(terms): Query<Terms>,
) -> Result<Json<Value>, Problem> {
    let page = state.read(move |desk| {
        let last = terms.last.unwrap_or(LAST).clamp(1, LAST_MAX);
        let mut receipts = Vec::new();
        let before = find(desk, (&identity, &terms, last), |index, receipt| {
            receipts.push(summary(desk, &identity, index, &receipt)?);
            Ok(())
        })?;
        Ok(json!({"receipts": receipts, "before": before}))
    });
    page.await.map(Json)
}

/// Hands on the last receipts that a search means and the caller may see, newest first: one is in
/// memory at a time. Gives where the rest of the search begins.
fn find(
    desk: &Desk,
    (identity, terms, last): (&Identity, &Terms, usize),
    mut found: impl FnMut(u64, Receipt) -> Result<(), Problem>,
) -> Result<Option<u64>, Problem> {
    let search = Search::new(terms)?;
    let size = desk.ledger().refresh()?.size;
    let end = terms.before.map_or(size, |before| before.min(size));
    let start = end.saturating_sub(LOOKED_AT_MAX);
    let mut sight = Sight::new(desk, identity);
    let mut count = 0;
    for index in (start..end).rev() {
        if count == last {
            return Ok(Some(index + 1));
        }
        let receipt = desk.ledger().read(index)?;
        if search.finds(index, &receipt) && sight.receipt(&receipt)? {
            found(index, receipt)?;
            count += 1;
        }
    }
    Ok((start > 0).then_some(start))
}

/// `GET /api/receipts/export`
#[utoipa::path(get, path = "/api/receipts/export", tag = "console", params(Terms),
    responses((status = 200, description = "The receipts that the search finds, newest first, one \
               object a line: index, entry word for word, proof (C2SP tlog-proof) and the log's \
               key. They hold no words. The header `x-allod-before` continues", body = String),
              (status = 403, description = "For auditors and operators only")))]
pub(crate) async fn export(
    State(state): State<Shared>,
    Extension(identity): Extension<Identity>,
    Query(terms): Query<Terms>,
) -> Result<impl IntoResponse, Problem> {
    let lines = state.read(move |desk| {
        let last = terms.last.unwrap_or(EXPORTED_MAX).clamp(1, EXPORTED_MAX);
        let (mut lines, vkey) = (String::new(), desk.ledger().vkey());
        let before = find(desk, (&identity, &terms, last), |index, _| {
            let (entry, proof) = (entry_text(desk, index)?, desk.ledger().prove(index)?);
            let line = json!({"index": index, "entry": entry, "proof": proof, "vkey": vkey});
            lines += &format!("{line}\n");
            Ok(())
        })?;
        Ok((lines, before))
    });
    let (lines, before) = lines.await?;
    let before = before.map(|before| [("x-allod-before", before.to_string())]);
    Ok((
        [(header::CONTENT_TYPE, "application/x-ndjson")],
        AppendHeaders(before.into_iter().flatten()),
        lines,
    ))
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
        "policy": receipt.policy,
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
        RequestKind::Erase | RequestKind::Expire | RequestKind::Review | RequestKind::Feedback => {
            return None;
        }
    };
    if let Some(question) = prompt[field].as_str() {
        return Some(question.to_owned());
    }
    let asked =
        prompt["messages"].as_array()?.iter().rev().find(|message| message["role"] == "user");
    asked.and_then(|message| message["content"].as_str()).map(str::to_owned)
}
