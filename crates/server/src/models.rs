//! `GET /v1/models`

use axum::Json;
use axum::extract::{self, Path};
use serde_json::{Value, json};

use allod_answer::Generator;
use allod_engine::AdapterIdentity;

use crate::DOCUMENTS_MODEL;
use crate::problem::Problem;
use crate::state::{Shared, State};

/// The names that a request may give as its model.
pub(crate) fn known(state: &State) -> Vec<String> {
    let desk = &state.desk;
    let readers = desk.embedder().map(|reader| reader.name().to_owned());
    let readers = readers.into_iter().chain(desk.reranker().map(|reader| reader.name().to_owned()));
    writers(state).into_iter().chain(readers).collect()
}

/// Those that answer: the documents, the model, and the model with an adapter.
fn writers(state: &State) -> Vec<String> {
    let mut names = vec![DOCUMENTS_MODEL.to_owned()];
    names.extend(state.desk.generator().map(|model| model.name()));
    names.extend(adapters(state).into_iter().map(|adapter| adapter.name));
    names
}

/// The adapters that a request can name as its model.
fn adapters(state: &State) -> Vec<AdapterIdentity> {
    state.desk.generator().map(Generator::adapters).unwrap_or_default()
}

/// The adapter of that name, unless it is another model's.
pub(crate) fn adapter(state: &State, name: &str) -> Option<String> {
    let found = adapters(state).into_iter().find(|adapter| adapter.name == name)?;
    Some(found.name)
}

/// Whether a name means the loaded model, with or without an adapter.
pub(crate) fn is_writer(state: &State, name: &str) -> bool {
    name != DOCUMENTS_MODEL && writers(state).iter().any(|writer| writer == name)
}

/// Refuses a model that does not write.
pub(crate) fn check_writes(state: &State, name: &str) -> Result<(), Problem> {
    check(name, &writers(state))
}

/// Refuses a model that makes no vectors.
pub(crate) fn check_embeds(state: &State, name: &str) -> Result<(), Problem> {
    match state.desk.embedder() {
        Some(reader) => check(name, &[reader.name().to_owned()]),
        None => Err(no_model("no model for vectors is loaded: start with --embedder MODEL")),
    }
}

/// Refuses a model that ranks no documents.
pub(crate) fn check_ranks(state: &State, name: &str) -> Result<(), Problem> {
    match state.desk.reranker() {
        Some(reader) => check(name, &[reader.name().to_owned()]),
        None => Err(no_model("no model for ranking is loaded: start with --reranker MODEL")),
    }
}

fn check(name: &str, known: &[String]) -> Result<(), Problem> {
    match known.iter().any(|known| known == name) {
        true => Ok(()),
        false => Err(Problem::unknown_model(name, known)),
    }
}

/// There is no model for this.
pub(crate) fn no_model(message: &str) -> Problem {
    Problem::from(allod_answer::Error::NoModel(message.into()))
}

/// The longest answer that the policy allows.
pub(crate) fn answer_tokens_max(state: &State) -> usize {
    state.desk.policy().limits.answer_tokens_max as usize
}

/// `GET /v1/models`
#[utoipa::path(get, path = "/v1/models", tag = "openai",
    responses((status = 200, description = "The models", body = serde_json::Value)))]
pub(crate) async fn list(extract::State(state): extract::State<Shared>) -> Json<Value> {
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
    extract::State(state): extract::State<Shared>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    let known = known(&state);
    match known.contains(&name) {
        true => Ok(Json(entry(&state, &name))),
        false => Err(Problem::unknown_model(&name, &known)),
    }
}

/// A model as lists show it; with the model that it is an adapter of.
pub(crate) fn entry(state: &State, name: &str) -> Value {
    let mut entry =
        json!({"id": name, "object": "model", "created": state.started, "owned_by": "allod"});
    if let Some(adapter) = adapters(state).into_iter().find(|adapter| adapter.name == name) {
        entry["parent"] = json!(state.desk.generator().map(Generator::name));
        entry["digest"] = json!(adapter.digest);
    }
    entry
}
