//! `POST /v1/responses`: OpenAI's newer interface. Nothing is kept between requests, so what would
//! need that is refused by its name.

use allod_engine::{Message, Prompt};
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::body::Body;
use crate::choices::{self, RESPONSE_FIELDS};
use crate::conversation::{self, Manner};
use crate::drawing::{DRAWING_FIELDS, Drawing};
use crate::fields::Fields;
use crate::identity::Identity;
use crate::problem::Problem;
use crate::response_form::ResponseForm;
use crate::state::Shared;
use crate::turn::{self, Delivery, Turn};

const ITEMS: Manner = Manner {
    list: "input",
    roles: &["system", "developer", "user", "assistant"],
    parts: &["input_text", "output_text", "text"],
    // An item that a client echoes from an earlier response has an id and a status.
    idle: &["type", "id", "status", "annotations", "logprobs"],
};

const HONOURED: [&str; 9] = [
    "model",
    "input",
    "instructions",
    "max_output_tokens",
    "metadata",
    "stop",
    "stream",
    "user",
    "safety_identifier",
];

/// As OpenAI's interface has it.
const METADATA_MAX: usize = 16;

/// What a response may ask for; every other field is refused by its name.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the request; `read` reads it")]
pub(crate) struct ResponseRequest {
    /// `allod/documents` for cited answers from the documents, or the loaded model's name.
    model: String,
    /// A text, or a list of messages.
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
    /// Accepted and without effect: who asks is decided by the key.
    user: Option<String>,
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
    fields.only(&honoured, asks_for_nothing)?;
    check_metadata(fields.get("metadata"))?;
    let mut messages = input(fields.get("input"))?;
    if let Some(instructions) = fields.text("instructions")? {
        messages.insert(0, Message { role: "system".into(), content: instructions });
    }
    Ok(Turn {
        model: fields.required_text("model")?,
        prompt: Prompt::Chat(messages),
        drawing: Drawing::read(&fields, 2.0)?,
        max_tokens: fields.tokens("max_output_tokens", 1)?,
        stop: fields.stops("stop")?,
        choices: choices::of_response(&fields)?,
        delivery: if fields.boolean("stream")? { Delivery::Stream } else { Delivery::Whole },
        names: ["max_output_tokens", "stop", "include"],
    })
}

fn input(value: Option<&Value>) -> Result<Vec<Message>, Problem> {
    match value {
        Some(Value::String(text)) => {
            Ok(vec![Message { role: "user".into(), content: text.clone() }])
        }
        Some(Value::Array(items)) => {
            let other = |item: &Value| {
                item.get("type").and_then(Value::as_str).filter(|kind| *kind != "message").is_some()
            };
            if let Some(at) = items.iter().position(other) {
                let message = "only messages are taken; leave this item out";
                return Err(Problem::field(format!("input[{at}].type"), message));
            }
            conversation::read(ITEMS, value)
        }
        _ => Err(Problem::field("input", "`input` must be a text or a list of messages")),
    }
}

fn check_metadata(value: Option<&Value>) -> Result<(), Problem> {
    let wrong = || {
        let message = format!("`metadata` must hold up to {METADATA_MAX} texts by name");
        Problem::field("metadata", message)
    };
    let Some(value) = value else { return Ok(()) };
    let pairs = value.as_object().ok_or_else(wrong)?;
    let fits = pairs.len() <= METADATA_MAX && pairs.values().all(Value::is_string);
    if fits { Ok(()) } else { Err(wrong()) }
}

/// Whether a value asks for what happens anyway.
fn asks_for_nothing(name: &str, value: &Value) -> bool {
    match name {
        "store" | "background" => *value == false,
        "tools" => *value == json!([]),
        "tool_choice" => *value == "none" || *value == "auto",
        "parallel_tool_calls" => value.is_boolean(),
        "text" => *value == json!({}) || *value == json!({"format": {"type": "text"}}),
        "truncation" => *value == "disabled",
        "service_tier" => *value == "auto" || *value == "default",
        "stream_options" => *value == json!({"include_obfuscation": false}),
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
            ("tools", json!([{"type": "web_search"}])),
            ("text", json!({"format": {"type": "json_object"}})),
            ("reasoning", json!({"effort": "high"})),
            ("truncation", json!("auto")),
            ("conversation", json!("c")),
            ("metadata", json!({"a": 1})),
            ("input", json!(7)),
            ("max_output_tokens", json!(0)),
        ] {
            let body = turn(json!({name: value})).expect_err(name).body();
            assert_eq!(body["error"]["param"], name);
        }
        let call = json!({"input": [{"type": "function_call_output", "output": "x"}]});
        assert_eq!(turn(call).expect_err("a call").body()["error"]["param"], "input[0].type");
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
        let Prompt::Chat(messages) = turn.prompt else { panic!("no conversation") };
        let told: Vec<(&str, &str)> =
            messages.iter().map(|m| (m.role.as_str(), m.content.as_str())).collect();
        let expected = [("system", "Be kind."), ("user", "a"), ("assistant", "b"), ("user", "c")];
        assert_eq!(told, expected);
    }
}
