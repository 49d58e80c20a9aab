//! Which policies and models were in force when, told from the receipts that the caller may see.

#![allow(unused_qualifications, reason = "utoipa repeats the type of `Query` by its whole path")]

use allod_answer::Desk;
use allod_ledger::Receipt;
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use crate::identity::Identity;
use crate::problem::Problem;
use crate::sight::Sight;
use crate::state::Shared;

/// So many receipts are looked at in one go.
const LOOKED_AT_MAX: u64 = 5_000;

/// Which part of the history.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Part {
    /// What the receipts before this index tell.
    before: Option<u64>,
}

/// Something that receipts name, and the first and last of them.
struct Used {
    what: Value,
    first: Value,
    last: Value,
    receipts: u64,
}

/// `GET /api/history`
#[utoipa::path(get, path = "/api/history", tag = "console", params(Part),
    responses((status = 200, description = "Policies and models, the newest first, each with the \
               first and last receipt that names it; `before` continues",
               body = serde_json::Value),
              (status = 403, description = "For auditors and operators only")))]
pub(crate) async fn list(
    State(state): State<Shared>,
    Extension(identity): Extension<Identity>,
    Query(part): Query<Part>,
) -> Result<Json<Value>, Problem> {
    state.read(move |desk| page(desk, &identity, part.before)).await.map(Json)
}

fn page(desk: &Desk, identity: &Identity, before: Option<u64>) -> Result<Value, Problem> {
    let size = desk.ledger().refresh()?.size;
    let end = before.map_or(size, |before| before.min(size));
    let start = end.saturating_sub(LOOKED_AT_MAX);
    let mut sight = Sight::new(desk, identity);
    let (mut policies, mut models) = (Vec::new(), Vec::new());
    for index in (start..end).rev() {
        let receipt = desk.ledger().read(index)?;
        if !sight.receipt(&receipt)? {
            continue;
        }
        note(&mut policies, json!(receipt.policy), index, &receipt);
        if let Some(model) = &receipt.model {
            note(&mut models, json!(model), index, &receipt);
        }
    }
    Ok(json!({
        "policies": shown(policies),
        "models": shown(models),
        "before": (start > 0).then_some(start),
    }))
}

/// Receipts come newest first.
fn note(list: &mut Vec<Used>, what: Value, index: u64, receipt: &Receipt) {
    let place = json!({"index": index, "time": receipt.time});
    match list.iter_mut().find(|used| used.what == what) {
        Some(used) => {
            used.first = place;
            used.receipts += 1;
        }
        None => list.push(Used { what, first: place.clone(), last: place, receipts: 1 }),
    }
}

fn shown(list: Vec<Used>) -> Vec<Value> {
    let shown = |mut used: Used| {
        used.what["first"] = used.first;
        used.what["last"] = used.last;
        used.what["receipts"] = json!(used.receipts);
        used.what
    };
    list.into_iter().map(shown).collect()
}

/// `GET /api/policies/{digest}`
#[utoipa::path(get, path = "/api/policies/{digest}", tag = "console",
    params(("digest" = String, Path, description = "The policy's digest, as receipts name it")),
    responses((status = 200, description = "The policy's text", body = serde_json::Value),
              (status = 403, description = "For auditors and operators only"),
              (status = 404, description = "No such policy was in force here")))]
pub(crate) async fn policy(
    State(state): State<Shared>,
    Path(digest): Path<String>,
) -> Result<Json<Value>, Problem> {
    let found = state.read(move |desk| {
        let kept = desk.store().artifact(&digest)?.filter(|kept| kept.kind == "policy");
        let kept = kept.ok_or_else(|| Problem::absent("policy"))?;
        Ok(json!({"digest": kept.digest, "text": kept.content, "is_whole": kept.is_whole()}))
    });
    found.await.map(Json)
}
