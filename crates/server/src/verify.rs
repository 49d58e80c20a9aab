//! Proofs that a receipt is in the log, and checks of them.

use allod_answer::Desk;
use allod_ledger::{Proven, check_proof};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use serde_json::{Value, json};

use crate::identity::Identity;
use crate::problem::Problem;
use crate::receipts::entry_text;
use crate::sight::Sight;
use crate::state::Shared;

/// `GET /api/receipts/{index}/verify`
#[utoipa::path(get, path = "/api/receipts/{index}/verify", tag = "console",
    params(("index" = u64, Path, description = "The receipt's index in the log, from 0")),
    responses((status = 200, description = "The check's result, with all that is needed to check \
               it elsewhere: entry, proof (C2SP tlog-proof) and verifier key",
               body = serde_json::Value),
              (status = 404, description = "No such receipt, or not for this caller")))]
pub(crate) async fn verify(
    State(state): State<Shared>,
    Extension(identity): Extension<Identity>,
    Path(index): Path<u64>,
) -> Result<Json<Value>, Problem> {
    let checked = state.read(move |desk| {
        Sight::new(desk, &identity).receipt_at(index)?;
        checked(desk, index)
    });
    checked.await.map(Json)
}

fn checked(desk: &Desk, index: u64) -> Result<Value, Problem> {
    let entry = entry_text(desk, index)?;
    let vkey = desk.ledger().vkey();
    let proof = desk.ledger().prove(index);
    let result = proof.as_deref().map_err(ToString::to_string).and_then(|proof| {
        check_proof(proof, &vkey, entry.as_bytes()).map_err(|error| error.to_string())
    });
    let leaf = allod_ledger::Hash::leaf(entry.as_bytes()).to_string();
    let mut shown = json!({
        "index": index,
        "leaf": leaf,
        "entry": entry,
        "proof": proof.as_deref().ok(),
        "vkey": vkey,
    });
    match result {
        Ok(Proven { checkpoint, .. }) => {
            shown["verified"] = json!(true);
            shown["origin"] = json!(checkpoint.origin);
            shown["size"] = json!(checkpoint.size);
            shown["root"] = json!(checkpoint.root.to_string());
        }
        Err(fault) => {
            tracing::error!(index, fault, "a receipt does not verify");
            shown["verified"] = json!(false);
            shown["fault"] = json!(fault);
        }
    }
    Ok(shown)
}

/// `GET /api/receipts/{index}/proof`
#[utoipa::path(get, path = "/api/receipts/{index}/proof", tag = "console",
    params(("index" = u64, Path, description = "The receipt's index in the log, from 0")),
    responses((status = 200, description = "The proof (C2SP tlog-proof)", body = String),
              (status = 404, description = "No such receipt, or not for this caller")))]
pub(crate) async fn proof(
    State(state): State<Shared>,
    Extension(identity): Extension<Identity>,
    Path(index): Path<u64>,
) -> Result<impl IntoResponse, Problem> {
    let proof = state.read(move |desk| {
        Sight::new(desk, &identity).receipt_at(index)?;
        Ok(desk.ledger().prove(index)?)
    });
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], proof.await?))
}

/// `GET /api/ledger/verify`
#[utoipa::path(get, path = "/api/ledger/verify", tag = "console",
    responses((status = 200, description = "Whether every byte of the log is as it was signed, and \
               if not, what is wrong and where", body = serde_json::Value),
              (status = 403, description = "For auditors and operators only")))]
pub(crate) async fn verify_log(State(state): State<Shared>) -> Result<Json<Value>, Problem> {
    state.read(|desk| Ok(checked_log(desk))).await.map(Json)
}

fn checked_log(desk: &Desk) -> Value {
    match allod_ledger::verify(desk.ledger().dir()) {
        Ok(verified) => json!({
            "verified": true,
            "size": verified.size,
            "root": verified.root.to_string(),
            "dated_back": verified.dated_back,
            "origin": verified.origin,
        }),
        Err(fault) => json!({"verified": false, "fault": fault.to_string()}),
    }
}
