//! The documents, as far as the caller may read them.

#![allow(unused_qualifications, reason = "utoipa repeats the type of `Query` by its whole path")]

use allod_answer::Desk;
use allod_corpus::Language;
use allod_store::{DocumentRow, DocumentState, VersionRow};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use crate::identity::Identity;
use crate::problem::Problem;
use crate::role::Role;
use crate::state::Shared;

/// A page of the list has this many documents unless asked otherwise, and at most the second.
const PAGE: usize = 200;
const PAGE_MAX: usize = 1_000;

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Part {
    /// The documents after this path.
    after: Option<String>,
    /// How many; at most 1000.
    limit: Option<usize>,
}

/// `GET /api/documents`
#[utoipa::path(get, path = "/api/documents", tag = "console", params(Part),
    responses((status = 200, description = "Documents by path; `next` continues the list",
               body = serde_json::Value)))]
pub(crate) async fn list(
    State(state): State<Shared>,
    Extension(identity): Extension<Identity>,
    Query(part): Query<Part>,
) -> Result<Json<Value>, Problem> {
    state.read(move |desk| page(desk, &identity, &part)).await.map(Json)
}

fn page(desk: &Desk, identity: &Identity, part: &Part) -> Result<Value, Problem> {
    let limit = part.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let after = part.after.as_deref().unwrap_or_default();
    let mut documents = Vec::new();
    let mut next = None;
    for row in desk.store().documents()?.iter().filter(|row| row.path.as_str() > after) {
        if documents.len() == limit {
            next = documents.last().map(|last: &Value| last["path"].clone());
            break;
        }
        documents.extend(entry(desk, identity, row)?);
    }
    Ok(json!({"documents": documents, "next": next}))
}

/// The list's entry of a document; `None` if the caller may not know of it.
fn entry(desk: &Desk, identity: &Identity, row: &DocumentRow) -> Result<Option<Value>, Problem> {
    let permits = |label: &Option<String>| identity.caller.clearance.permits(label.as_deref());
    let digest = row.digest.as_deref();
    let version = digest.map(|digest| desk.store().version(digest, Some(&row.path))).transpose()?;
    let Some(version) = version.flatten() else {
        // Whether a file that nobody could read bears a label is not known.
        let versions = desk.store().versions_of(&row.path)?;
        let seen = identity.role == Role::Operator && versions.iter().all(|v| permits(&v.label));
        let entry = || json!({"path": row.path, "state": row.state, "reason": row.reason});
        return Ok(seen.then(entry));
    };
    if !permits(&version.label) {
        return Ok(None);
    }
    let mut entry = about(&version);
    entry["state"] = json!(row.state);
    entry["reason"] = json!(row.reason);
    Ok(Some(entry))
}

/// `GET /api/documents/{digest}`
#[utoipa::path(get, path = "/api/documents/{digest}", tag = "console",
    params(("digest" = String, Path, description = "The version's digest, `sha256:…`")),
    responses((status = 200, description = "Canonical text, its blocks, places on pages, metadata",
               body = serde_json::Value),
              (status = 404, description = "No such version, or not for this caller")))]
pub(crate) async fn one(
    State(state): State<Shared>,
    Extension(identity): Extension<Identity>,
    Path(digest): Path<String>,
) -> Result<Json<Value>, Problem> {
    let clearance = identity.caller.clearance;
    let shown = state.read(move |desk| {
        let version = desk.library().show(&digest, &clearance)?;
        let version = version.ok_or_else(|| Problem::absent("document"))?;
        whole(desk, &version)
    });
    shown.await.map(Json)
}

fn whole(desk: &Desk, version: &VersionRow) -> Result<Value, Problem> {
    let row = desk.store().document(&version.path)?;
    let is_current = row.is_some_and(|row| {
        row.state == DocumentState::Current && row.digest.as_ref() == Some(&version.digest)
    });
    let mut shown = about(version);
    shown["is_current"] = json!(is_current);
    shown["ingested_at"] = json!(version.ingested_at);
    shown["text"] = json!(version.text);
    let attempts = allod_retrieval::attempts(&version.text, Language::detect(&version.text));
    shown["attempts"] = json!(attempts);
    shown["blocks"] = parsed(&version.blocks_json)?;
    shown["metadata"] = parsed(&version.metadata_json)?;
    shown["pages"] = version.pages_json.as_deref().map(parsed).transpose()?.unwrap_or_default();
    Ok(shown)
}

fn about(version: &VersionRow) -> Value {
    json!({
        "path": version.path,
        "digest": version.digest,
        "title": version.title,
        "language": version.language,
        "label": version.label,
        "valid_from": version.valid_from,
        "valid_until": version.valid_until,
        "bytes": version.text.len(),
    })
}

fn parsed(json: &str) -> Result<Value, Problem> {
    serde_json::from_str(json).map_err(|error| Problem::internal(&error))
}
