//! `GET /v1/models`

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use crate::DOCUMENTS_MODEL;
use crate::problem::Problem;
use crate::state::Shared;

/// The names that a request may give as its model.
pub(crate) fn known(state: &Shared) -> Vec<String> {
    let mut names = vec![DOCUMENTS_MODEL.to_owned()];
    names.extend(state.desk.generator().map(|model| model.name()));
    names
}

/// The longest answer that the policy allows.
pub(crate) fn answer_tokens_max(state: &Shared) -> usize {
    state.desk.policy().limits.answer_tokens_max as usize
}

/// `GET /v1/models`
#[utoipa::path(get, path = "/v1/models", tag = "openai",
    responses((status = 200, description = "The models", body = serde_json::Value)))]
pub(crate) async fn list(State(state): State<Shared>) -> Json<Value> {
    let names = known(&state);
    let data: Vec<Value> = names.iter().map(|name| entry(&state, name)).collect();
    Json(json!({"object": "list", "data": data}))
}

/// `GET /v1/models/{model}`
#[utoipa::path(get, path = "/v1/models/{model}", tag = "openai",
    params(("model" = String, Path, description = "The model's name")),
    responses((status = 200, description = "The model", body = serde_json::Value),
              (status = 404, description = "No such model")))]
pub(crate) async fn one(
    State(state): State<Shared>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    let known = known(&state);
    match known.contains(&name) {
        true => Ok(Json(entry(&state, &name))),
        false => Err(Problem::unknown_model(&name, &known)),
    }
}

fn entry(state: &Shared, name: &str) -> Value {
    json!({"id": name, "object": "model", "created": state.started, "owned_by": "allod"})
}
