//! `GET /api/status`: what this server is, and who the caller is to it.

use allod_answer::Desk;
use axum::extract::State;
use axum::{Extension, Json};
use serde_json::{Value, json};

use crate::identity::{Identity, Subject};
use crate::problem::Problem;
use crate::state::Shared;

/// `GET /api/status`
#[utoipa::path(get, path = "/api/status", tag = "console",
    responses((status = 200, description = "Model, policy, counts of what the caller may read, \
               and who the caller is", body = serde_json::Value)))]
pub(crate) async fn status(
    State(state): State<Shared>,
    Extension(identity): Extension<Identity>,
) -> Result<Json<Value>, Problem> {
    let address = if state.is_local() { "loopback" } else { "network" };
    let examples = state.options.examples.clone();
    let mut status = state.read(move |desk| about(desk, &identity)).await?;
    status["address"] = json!(address);
    status["examples"] = json!(examples);
    Ok(Json(status))
}

fn about(desk: &Desk, identity: &Identity) -> Result<Value, Problem> {
    let clearance = &identity.caller.clearance;
    let counts = desk.library().counts()?;
    let readable = || counts.compartments.iter().filter(|c| clearance.permits(c.label.as_deref()));
    let ledger = desk.ledger();
    Ok(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "model": desk.generator().map(|model| model.name()),
        "policy": {"name": desk.policy().name, "digest": desk.policy().digest()},
        "documents": readable().map(|c| c.documents).sum::<usize>(),
        "passages": readable().map(|c| c.passages).sum::<usize>(),
        "receipts": ledger.refresh()?.size,
        "confinement": desk.confinement(),
        "ledger": {"origin": ledger.origin(), "vkey": ledger.vkey()},
        "caller": {
            "tenant": identity.caller.tenant,
            "subject": identity.caller.subject,
            "role": identity.role.name(),
            "may": identity.role.rights(),
            "labels": clearance.labels,
            "signed_in": identity.subject == Subject::Issuer,
        },
    }))
}
