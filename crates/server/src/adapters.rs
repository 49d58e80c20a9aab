//! `POST /v1/load_lora_adapter` and `POST /v1/unload_lora_adapter`: adapters of the loaded model,
//! in the shapes of vLLM.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::body::Body;
use crate::models;
use crate::problem::Problem;
use crate::state::{Shared, State as ServerState};

/// An adapter to be loaded.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoadRequest {
    /// The name that requests give as their `model`.
    lora_name: String,
    /// What it is called in the server's folder of adapters: a name, no path. As `lora_name` when
    /// absent.
    lora_path: Option<String>,
}

/// An adapter to be let go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnloadRequest {
    /// The name that it was loaded under.
    lora_name: String,
}

/// `POST /v1/load_lora_adapter`
#[utoipa::path(post, path = "/v1/load_lora_adapter", tag = "vllm", request_body = LoadRequest,
    responses(
        (status = 200, description = "The adapter as `/v1/models` lists it",
         body = serde_json::Value),
        (status = 400, description = "A name is none, or the adapter does not fit the model"),
        (status = 403, description = "For operators only"),
        (status = 404, description = "No such adapter in the server's folder"),
        (status = 409, description = "The name is taken, or too many are loaded"),
    ))]
pub(crate) async fn load(
    State(state): State<Shared>,
    Body(asked): Body<LoadRequest>,
) -> Result<Json<Value>, Problem> {
    let LoadRequest { lora_name, lora_path } = asked;
    let work = move |state: &ServerState| {
        let file = lora_path.as_deref().unwrap_or(&lora_name);
        let adapter = state.desk.load_adapter(&lora_name, file)?;
        tracing::info!(name = adapter.name, digest = adapter.digest, "an adapter was loaded");
        Ok(models::entry(state, &adapter.name))
    };
    state.read_with(work).await.map(Json)
}

/// `POST /v1/unload_lora_adapter`
#[utoipa::path(post, path = "/v1/unload_lora_adapter", tag = "vllm", request_body = UnloadRequest,
    responses(
        (status = 200, description = "It is gone; requests that run with it go on",
         body = serde_json::Value),
        (status = 403, description = "For operators only"),
        (status = 404, description = "No such adapter is loaded"),
    ))]
pub(crate) async fn unload(
    State(state): State<Shared>,
    Body(asked): Body<UnloadRequest>,
) -> Result<Json<Value>, Problem> {
    state.desk.unload_adapter(&asked.lora_name)?;
    tracing::info!(name = asked.lora_name, "an adapter was unloaded");
    Ok(Json(json!({"id": asked.lora_name, "object": "model", "deleted": true})))
}
