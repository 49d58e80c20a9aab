//! `POST /v1/chat/completions`: the documents under one model name, the model itself under its own.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::body::Body;
use crate::completion::ChatForm;
use crate::identity::Identity;
use crate::problem::Problem;
use crate::state::Shared;
use crate::{parameters, subject, turn};

/// What a chat completion may ask for; every other field is refused by its name.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the request; `Parameters` reads it")]
pub(crate) struct ChatCompletionRequest {
    /// `allod/documents` for cited answers from the documents, or the loaded model's name.
    model: String,
    /// Messages with `role` (system, developer, user, assistant, tool) and `content` (a text or a
    /// list of text parts), `tool_calls` and `tool_call_id`. `allod/documents` reads the last user
    /// message only.
    messages: Vec<Value>,
    /// Whether to send server-sent events.
    stream: Option<bool>,
    /// `{"include_usage": true}` counts tokens in the last event.
    stream_options: Option<Value>,
    /// At most so many tokens; the policy's limit holds as well.
    max_tokens: Option<u64>,
    /// The same under its newer name.
    max_completion_tokens: Option<u64>,
    /// 0 (the default) takes the most likely token.
    temperature: Option<f64>,
    /// 1 is off.
    top_p: Option<f64>,
    /// 0 is off.
    top_k: Option<u64>,
    /// 0 is off.
    min_p: Option<f64>,
    /// 1 is off.
    repetition_penalty: Option<f64>,
    /// The seed of a draw; random, and in the receipt, when absent.
    seed: Option<i64>,
    /// A text or up to four that end the answer.
    stop: Option<Value>,
    /// How many answers to give back; the policy's limit holds as well.
    n: Option<u64>,
    /// How many to write, of which the likeliest are given back; `n` when absent.
    best_of: Option<u64>,
    /// Whether to tell how likely each token was.
    logprobs: Option<bool>,
    /// And of how many of the likeliest at each place: up to 20.
    top_logprobs: Option<u64>,
    /// Functions that the model may ask the caller to run, as this interface writes them.
    tools: Option<Vec<Value>>,
    /// `none`, `auto` (when absent), `required`, or a function by its name.
    tool_choice: Option<Value>,
    /// Whether there may be several calls; true when absent.
    parallel_tool_calls: Option<bool>,
    /// `text`, `json_object`, or `json_schema` with a schema.
    response_format: Option<Value>,
    /// vLLM's: one of `json`, `regex`, `choice` and `grammar` (Lark, or GBNF) that the answer keeps
    /// to.
    structured_outputs: Option<Value>,
    /// vLLM's older names for the same.
    guided_json: Option<Value>,
    guided_regex: Option<String>,
    guided_choice: Option<Vec<String>>,
    guided_grammar: Option<String>,
    /// How much the model is to think before it answers, where its chat template knows.
    reasoning_effort: Option<String>,
    /// Variables that the model's chat template reads, such as `enable_thinking`.
    chat_template_kwargs: Option<Value>,
    /// The person on whose behalf it is asked, as `x-allod-subject` names one: their words can be
    /// exported and erased. What they may do is decided by the key.
    user: Option<String>,
}

/// `POST /v1/chat/completions`
#[utoipa::path(post, path = "/v1/chat/completions", tag = "openai",
    request_body = ChatCompletionRequest,
    responses(
        (status = 200, description = "A chat completion, or events if `stream` is true; the field \
            `allod` holds outcome, citations and receipt", body = serde_json::Value),
        (status = 400, description = "A field is wrong or not supported; `param` names it"),
        (status = 404, description = "No such model"),
        (status = 429, description = "Too many of your own requests wait; see `retry-after`"),
        (status = 503, description = "Too many requests wait; see `retry-after`"),
    ))]
pub(crate) async fn create(
    State(state): State<Shared>,
    Extension(identity): Extension<Identity>,
    Body(fields): Body<Map<String, Value>>,
) -> Result<Response, Problem> {
    let (turn, counts) = parameters::read(&fields)?;
    let form = ChatForm::new(&turn.model, counts);
    let identity = subject::on_behalf_of(&state, identity, &fields).await?;
    turn::respond(&state, identity, turn, Box::new(form)).await
}
