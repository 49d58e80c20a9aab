//! `POST /v1/messages` and `POST /v1/messages/count_tokens`: Anthropic's interface.

use allod_answer::Choices;
use allod_engine::Prompt;
use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::blocks;
use crate::body::Body;
use crate::drawing::Drawing;
use crate::fields::Fields;
use crate::format;
use crate::identity::Identity;
use crate::message_form::MessageForm;
use crate::parameters;
use crate::problem::Problem;
use crate::speaking::{self, Speaking};
use crate::state::{Shared, State as ServerState};
use crate::tools::{self, ANTHROPIC_FIELDS};
use crate::turn::{self, Delivery, Turn};
use crate::{DOCUMENTS_MODEL, models, subject, thinking};

/// What both addresses take.
const COUNTED: [&str; 6] =
    ["model", "messages", "system", "thinking", "output_config", "output_format"];

/// What else a message takes.
const HONOURED: [&str; 8] =
    ["max_tokens", "metadata", "stop_sequences", "stream", "temperature", "top_k", "top_p", "seed"];

/// Anthropic's interface says no number; this many is more than anyone means.
const STOPS_MAX: usize = 64;

/// What a message may ask for; every other field is refused by its name.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the request; `read` reads it")]
pub(crate) struct MessageRequest {
    /// `allod/documents` for cited answers from the documents, or the loaded model's name.
    model: String,
    /// At most so many tokens; the policy's limit holds as well.
    max_tokens: u64,
    /// Messages with `role` (user, assistant) and `content`: a text, or a list of blocks of the
    /// types text, thinking, tool_use and tool_result.
    messages: Vec<Value>,
    /// What stands before the conversation: a text or a list of text blocks.
    system: Option<Value>,
    /// Texts that end the answer, up to 64.
    stop_sequences: Option<Vec<String>>,
    /// Whether to send server-sent events.
    stream: Option<bool>,
    /// 0 (the default) to 1.
    temperature: Option<f64>,
    /// 0 is off.
    top_k: Option<u64>,
    /// 1 is off.
    top_p: Option<f64>,
    /// The seed of a draw; random, and in the receipt, when absent.
    seed: Option<i64>,
    /// Functions that the model may ask the caller to run: `name`, `description`, `input_schema`.
    tools: Option<Vec<Value>>,
    /// `auto` (when absent), `any`, `tool` with a name, or `none`.
    tool_choice: Option<Value>,
    /// Whether the model is to think before it answers, where its chat template knows.
    thinking: Option<Value>,
    /// `format`: `json_schema` with a `schema` that the answer keeps to.
    output_config: Option<Value>,
    /// The same under its older name.
    output_format: Option<Value>,
    /// `user_id` names the person on whose behalf it is asked, as `x-allod-subject` does.
    metadata: Option<Value>,
}

/// A conversation whose tokens are to be counted.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the request; `conversation` reads it")]
pub(crate) struct CountRequest {
    /// The loaded model's name.
    model: String,
    /// Messages as in `/v1/messages`.
    messages: Vec<Value>,
    /// What stands before the conversation.
    system: Option<Value>,
    /// Tools as in `/v1/messages`.
    tools: Option<Vec<Value>>,
    /// And the rest that changes what the model reads.
    tool_choice: Option<Value>,
    thinking: Option<Value>,
}

/// `POST /v1/messages`
#[utoipa::path(post, path = "/v1/messages", tag = "anthropic", request_body = MessageRequest,
    responses(
        (status = 200, description = "A message, or its events if `stream` is true; the field \
            `allod` holds outcome, citations and receipt", body = serde_json::Value),
        (status = 400, description = "A field is wrong or not supported; the message names it"),
        (status = 404, description = "No such model"),
        (status = 429, description = "Too many of your own requests wait; see `retry-after`"),
        (status = 503, description = "Too many requests wait; see `retry-after`"),
    ))]
pub(crate) async fn create(
    State(state): State<Shared>,
    Extension(identity): Extension<Identity>,
    Body(fields): Body<Map<String, Value>>,
) -> Result<Response, Problem> {
    let turn = read(&fields)?;
    models::check_writes(&state, &turn.model)?;
    let mut tokens = 0;
    if turn.delivery == Delivery::Stream && turn.model != DOCUMENTS_MODEL {
        // The first event of a stream says how long the prompt is.
        let (mut prompt, speaking) = (turn.prompt.clone(), turn.speaking.clone());
        let count = move |state: &ServerState| {
            speaking::prepare(state, &mut prompt, &speaking)?;
            Ok(count(state, &prompt).unwrap_or(0))
        };
        tokens = state.read_with(count).await?;
    }
    let form = MessageForm::new(&turn.model, tokens);
    let identity = subject::on_behalf_of(&state, identity, &fields).await?;
    turn::respond(&state, identity, turn, Box::new(form)).await
}

/// `POST /v1/messages/count_tokens`
#[utoipa::path(post, path = "/v1/messages/count_tokens", tag = "anthropic",
    request_body = CountRequest,
    responses((status = 200, description = "`input_tokens`", body = serde_json::Value),
              (status = 404, description = "No such model")))]
pub(crate) async fn count_tokens(
    State(state): State<Shared>,
    Body(fields): Body<Map<String, Value>>,
) -> Result<Json<Value>, Problem> {
    let fields = Fields(&fields);
    fields.only(&[&COUNTED[..], &ANTHROPIC_FIELDS].concat(), asks_for_nothing)?;
    let model = fields.required_text("model")?;
    models::check_writes(&state, &model)?;
    if model == DOCUMENTS_MODEL {
        let message = format!("what {DOCUMENTS_MODEL} reads depends on what it finds");
        return Err(Problem::field("model", message));
    }
    let mut prompt = parameters::conversation(blocks::read(&fields)?);
    let speaking = speaking(&fields)?;
    let count = move |state: &ServerState| {
        speaking::prepare(state, &mut prompt, &speaking)?;
        count(state, &prompt)
    };
    let tokens = state.read_with(count).await?;
    Ok(Json(json!({"input_tokens": tokens})))
}

fn count(state: &ServerState, prompt: &Prompt) -> Result<usize, Problem> {
    let generator = state.desk.generator();
    let generator = generator.ok_or_else(|| models::no_model("no model is loaded"))?;
    Ok(generator.tokens(prompt)?.len())
}

fn read(fields: &Map<String, Value>) -> Result<Turn, Problem> {
    let fields = Fields(fields);
    fields.only(&[&COUNTED[..], &HONOURED, &ANTHROPIC_FIELDS].concat(), asks_for_nothing)?;
    check_metadata(fields.get("metadata"))?;
    let max_tokens = fields.tokens("max_tokens", 1)?;
    if max_tokens.is_none() {
        return Err(Problem::field("max_tokens", "`max_tokens` is missing"));
    }
    if fields.get("stop_sequences").is_some_and(|stops| !stops.is_array()) {
        return Err(Problem::field("stop_sequences", "`stop_sequences` must be a list of texts"));
    }
    Ok(Turn {
        model: fields.required_text("model")?,
        prompt: parameters::conversation(blocks::read(&fields)?),
        speaking: speaking(&fields)?,
        drawing: Drawing::read(&fields, 1.0)?,
        max_tokens,
        stop: fields.stops("stop_sequences", STOPS_MAX)?,
        delivery: if fields.boolean("stream")? { Delivery::Stream } else { Delivery::Whole },
        choices: Choices::default(),
        names: ["max_tokens", "stop_sequences", "logprobs"],
    })
}

/// What the model may say beside plain text.
fn speaking(fields: &Fields) -> Result<Speaking, Problem> {
    let mut speaking = Speaking::default();
    tools::anthropic(fields, &mut speaking)?;
    format::of_message(fields, &mut speaking)?;
    thinking::of_message(fields, &mut speaking)?;
    Ok(speaking)
}

fn check_metadata(value: Option<&Value>) -> Result<(), Problem> {
    let Some(value) = value else { return Ok(()) };
    let named =
        |name: &String, value: &Value| name == "user_id" && (value.is_string() || value.is_null());
    match value.as_object() {
        Some(pairs) if pairs.iter().all(|(name, value)| named(name, value)) => Ok(()),
        _ => Err(Problem::field("metadata", "`metadata` may hold `user_id` only")),
    }
}

/// Whether a value asks for what happens anyway.
fn asks_for_nothing(name: &str, value: &Value) -> bool {
    match name {
        "service_tier" => *value == "auto" || *value == "standard_only",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(extra: Value) -> Result<Turn, Problem> {
        let mut fields = json!({
            "model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Q"}],
        });
        let fields = fields.as_object_mut().unwrap();
        fields.extend(extra.as_object().unwrap().clone());
        read(fields)
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        for (name, value) in [
            ("max_tokens", json!(null)),
            ("temperature", json!(1.5)),
            ("tool_choice", json!({"type": "any"})),
            ("thinking", json!({"type": "enabled", "budget_tokens": 1024})),
            ("stop_sequences", json!("x")),
            ("metadata", json!({"trace": "x"})),
            ("mcp_servers", json!([{}])),
            ("system", json!(7)),
            ("messages", json!([])),
            (
                "messages",
                json!([{"role": "user", "content": "a"},
                                {"role": "assistant", "content": "b"}]),
            ),
        ] {
            let body = turn(json!({name: value})).expect_err(name).body();
            assert_eq!(body["error"]["param"], name);
        }
        let image = json!({"messages": [{"role": "user", "content": [{"type": "image"}]}]});
        let body = turn(image).expect_err("an image").body();
        assert_eq!(body["error"]["param"], "messages[0].content");
    }

    #[test]
    fn neighbours_of_one_role_are_one_turn() {
        let turn = turn(json!({
            "system": [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}],
            "messages": [
                {"role": "user", "content": "a"},
                {"role": "user", "content": [{"type": "text", "text": "b"}]},
                {"role": "assistant", "content": "c"},
                {"role": "user", "content": "d"},
            ],
        }))
        .unwrap();
        let messages = turn.prompt.messages().unwrap();
        let told: Vec<&str> = messages.iter().map(|m| m["content"].as_str().unwrap()).collect();
        assert_eq!(told, ["S", "a\nb", "c", "d"]);
        assert_eq!(messages[0]["role"], "system");
    }

    #[test]
    fn blocks_are_texts_calls_and_results() {
        let turn = turn(json!({"messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "so", "signature": ""},
                {"type": "text", "text": "b"},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"x": 1}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "7", "is_error": true},
                {"type": "text", "text": "c"},
            ]},
        ]}))
        .unwrap();
        let messages = turn.prompt.messages().unwrap();
        assert_eq!(messages[1]["content"], "b");
        assert_eq!(messages[1]["reasoning_content"], "so");
        assert_eq!(messages[1]["tool_calls"][0]["function"]["arguments"], "{\"x\":1}");
        assert_eq!(
            messages[2],
            json!({"role": "tool", "tool_call_id": "t1", "name": "f",
                                       "content": "Error: 7"})
        );
        assert_eq!(messages[3], json!({"role": "user", "content": "c"}));
    }
}
