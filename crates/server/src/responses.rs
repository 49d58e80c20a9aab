//! `POST /v1/responses`: OpenAI's newer interface. Nothing is kept between requests, so what would
//! need that is refused by its name.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::body::Body;
use crate::choices::{self, RESPONSE_FIELDS};
use crate::conversation;
use crate::drawing::{DRAWING_FIELDS, Drawing};
use crate::fields::Fields;
use crate::format::{self, GUIDED_FIELDS};
use crate::identity::Identity;
use crate::parameters::{self, STOPS_MAX};
use crate::problem::Problem;
use crate::response_form::ResponseForm;
use crate::speaking::Speaking;
use crate::state::Shared;
use crate::tools::{self, Dress, OPENAI_FIELDS};
use crate::turn::{self, Delivery, Turn};
use crate::{items, subject, thinking};

const HONOURED: [&str; 11] = [
    "model",
    "input",
    "instructions",
    "max_output_tokens",
    "metadata",
    "stop",
    "stream",
    "user",
    "safety_identifier",
    "text",
    "reasoning",
];

/// As OpenAI's interface has it.
const METADATA_MAX: usize = 16;
const METADATA_NAME_MAX: usize = 64;
const METADATA_TEXT_MAX: usize = 512;

/// What a response may ask for; every other field is refused by its name.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the request; `read` reads it")]
pub(crate) struct ResponseRequest {
    /// `allod/documents` for cited answers from the documents, or the loaded model's name.
    model: String,
    /// A text, or a list of items: messages, function calls, their outputs, reasoning.
    input: Value,
    /// A system message before all others.
    instructions: Option<String>,
    /// At most so many tokens; the policy's limit holds as well.
    max_output_tokens: Option<u64>,
    /// `message.output_text.logprobs`, or nothing.
    include: Option<Vec<String>>,
    /// With it: how many of the likeliest tokens to tell at each place, up to 20.
    top_logprobs: Option<u64>,
    /// Up to 16 texts by name, which the response repeats.
    metadata: Option<Value>,
    /// Whether to send server-sent events.
    stream: Option<bool>,
    /// Must be false or absent: responses are not kept.
    store: Option<bool>,
    /// 0 (the default) takes the most likely token.
    temperature: Option<f64>,
    /// 1 is off.
    top_p: Option<f64>,
    /// Functions that the model may ask the caller to run, as this interface writes them.
    tools: Option<Vec<Value>>,
    /// `none`, `auto` (when absent), `required`, or a function by its name.
    tool_choice: Option<Value>,
    /// Whether there may be several calls; true when absent.
    parallel_tool_calls: Option<bool>,
    /// `format`: `text`, `json_object`, or `json_schema` with a schema.
    text: Option<Value>,
    /// `effort`, where the model's chat template knows.
    reasoning: Option<Value>,
    /// vLLM's: one of `json`, `regex`, `choice` and `grammar` (Lark, or GBNF) that the answer keeps
    /// to.
    structured_outputs: Option<Value>,
    /// vLLM's older names for the same.
    guided_json: Option<Value>,
    guided_regex: Option<String>,
    guided_choice: Option<Vec<String>>,
    guided_grammar: Option<String>,
    /// The person on whose behalf it is asked, as `x-allod-subject` names one: their words can be
    /// exported and erased. What they may do is decided by the key.
    user: Option<String>,
    /// The same under its newer name.
    safety_identifier: Option<String>,
}

/// `POST /v1/responses`
#[utoipa::path(post, path = "/v1/responses", tag = "openai", request_body = ResponseRequest,
    responses(
        (status = 200, description = "A response, or its events if `stream` is true; the field \
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
    let turn = read(&fields)?;
    let form = ResponseForm::new(&fields, &turn);
    let identity = subject::on_behalf_of(&state, identity, &fields).await?;
    turn::respond(&state, identity, turn, Box::new(form)).await
}

fn read(fields: &Map<String, Value>) -> Result<Turn, Problem> {
    let fields = Fields(fields);
    if fields.get("previous_response_id").is_some() {
        let message = "responses are not kept here; send the whole conversation in `input`";
        return Err(Problem::field("previous_response_id", message));
    }
    if fields.boolean("store")? {
        return Err(Problem::field("store", "responses are not kept here; leave `store` out"));
    }
    let honoured = [&HONOURED[..], &DRAWING_FIELDS, &RESPONSE_FIELDS].concat();
    let honoured = [&honoured[..], &OPENAI_FIELDS, &GUIDED_FIELDS].concat();
    fields.only(&honoured, asks_for_nothing)?;
    check_metadata(fields.get("metadata"))?;
    let mut messages = items::read(fields.get("input"))?;
    if let Some(instructions) = fields.text("instructions")? {
        messages.insert(0, conversation::message("system", instructions));
    }
    Ok(Turn {
        model: fields.required_text("model")?,
        prompt: parameters::conversation(messages),
        speaking: speaking(&fields)?,
        drawing: Drawing::read(&fields, 2.0)?,
        max_tokens: fields.tokens("max_output_tokens", 1)?,
        stop: fields.stops("stop", STOPS_MAX)?,
        choices: choices::of_response(&fields)?,
        delivery: if fields.boolean("stream")? { Delivery::Stream } else { Delivery::Whole },
        names: ["max_output_tokens", "stop", "include"],
    })
}

/// What the model may say beside plain text.
fn speaking(fields: &Fields) -> Result<Speaking, Problem> {
    let mut speaking = Speaking::default();
    tools::openai(fields, Dress::Bare, &mut speaking)?;
    format::read(fields, Some("text"), &mut speaking)?;
    thinking::of_response(fields, &mut speaking)?;
    Ok(speaking)
}

fn check_metadata(value: Option<&Value>) -> Result<(), Problem> {
    let wrong = || {
        let message = format!(
            "`metadata` must hold up to {METADATA_MAX} texts of up to {METADATA_TEXT_MAX} letters \
             by names of up to {METADATA_NAME_MAX}"
        );
        Problem::field("metadata", message)
    };
    let short = |text: &str, most: usize| text.chars().count() <= most;
    let Some(value) = value else { return Ok(()) };
    let pairs = value.as_object().ok_or_else(wrong)?;
    let fits = pairs.len() <= METADATA_MAX
        && pairs.iter().all(|(name, value)| {
            let text = value.as_str().is_some_and(|text| short(text, METADATA_TEXT_MAX));
            text && short(name, METADATA_NAME_MAX)
        });
    if fits { Ok(()) } else { Err(wrong()) }
}

/// Whether a value asks for what happens anyway.
fn asks_for_nothing(name: &str, value: &Value) -> bool {
    match name {
        "store" | "background" => *value == false,
        "truncation" => *value == "disabled",
        "service_tier" => *value == "auto" || *value == "default",
        "stream_options" => *value == json!({"include_obfuscation": false}),
        // A hint on what to keep computed; it changes no answer.
        "prompt_cache_key" => value.is_string(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(extra: Value) -> Result<Turn, Problem> {
        let mut fields = json!({"model": "m", "input": "Q"});
        let fields = fields.as_object_mut().unwrap();
        fields.extend(extra.as_object().unwrap().clone());
        read(fields)
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        for (name, value) in [
            ("previous_response_id", json!("resp_1")),
            ("store", json!(true)),
            ("background", json!(true)),
            ("tools[0].type", json!([{"type": "web_search"}])),
            ("text", json!({"format": {"type": "xml"}})),
            ("reasoning", json!({"effort": "endless"})),
            ("truncation", json!("auto")),
            ("conversation", json!("c")),
            ("metadata", json!({"a": 1})),
            ("input", json!(7)),
            ("max_output_tokens", json!(0)),
        ] {
            let field = name.split('[').next().unwrap();
            let body = turn(json!({field: value})).expect_err(name).body();
            assert_eq!(body["error"]["param"], name);
        }
        for (item, field) in [
            (json!({"type": "function_call_output", "output": "x"}), "call_id"),
            (
                json!({"type": "function_call_output", "call_id": "c", "output": "x"}),
                "tool_call_id",
            ),
            (json!({"type": "function_call", "call_id": "c", "name": "f"}), "arguments"),
            (json!({"type": "web_search_call"}), "type"),
        ] {
            let body = turn(json!({"input": [item]})).expect_err(field).body();
            assert_eq!(body["error"]["param"], format!("input[0].{field}"));
        }
    }

    #[test]
    fn input_is_a_text_or_messages_after_the_instructions() {
        let turn = turn(json!({
            "instructions": "Be kind.",
            "input": [
                {"role": "user", "content": "a"},
                {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
                 "content": [{"type": "output_text", "text": "b", "annotations": []}]},
                {"role": "user", "content": [{"type": "input_text", "text": "c"}]},
            ],
            "text": {"format": {"type": "text"}}, "tools": [], "store": false,
        }))
        .unwrap();
        let messages = turn.prompt.messages().unwrap();
        let text = |message: &Value, name: &str| message[name].as_str().unwrap().to_owned();
        let told: Vec<(String, String)> =
            messages.iter().map(|m| (text(m, "role"), text(m, "content"))).collect();
        let expected = [("system", "Be kind."), ("user", "a"), ("assistant", "b"), ("user", "c")];
        assert_eq!(told, expected.map(|(role, text)| (role.to_owned(), text.to_owned())));
    }

    #[test]
    fn calls_their_outputs_and_reasoning_are_items() {
        let turn = turn(json!({"input": [
            {"role": "user", "content": "a"},
            {"type": "reasoning", "id": "rs_1", "summary": [],
             "content": [{"type": "reasoning_text", "text": "so"}]},
            {"type": "function_call", "id": "fc_1", "status": "completed", "call_id": "c1",
             "name": "f", "arguments": "{}"},
            {"type": "function_call", "call_id": "c2", "name": "g", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c2", "output": "7"},
        ]}))
        .unwrap();
        let messages = turn.prompt.messages().unwrap();
        assert_eq!(messages.len(), 3);
        assert_eq!(messages[1]["reasoning_content"], "so");
        assert_eq!(messages[1]["tool_calls"].as_array().unwrap().len(), 2);
        assert_eq!(
            messages[2],
            json!({"role": "tool", "tool_call_id": "c2", "content": "7",
                                       "name": "g"})
        );
    }
}
