//! `POST /v1/completions`: the model goes on from a text as it stands, without its chat template.

use allod_engine::Prompt;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::body::Body;
use crate::choices::{self, TEXT_FIELDS};
use crate::completion::TextForm;
use crate::drawing::{DRAWING_FIELDS, Drawing};
use crate::fields::Fields;
use crate::format::{self, GUIDED_FIELDS};
use crate::identity::Identity;
use crate::parameters::{STOPS_MAX, asks_for_nothing, delivery};
use crate::problem::Problem;
use crate::speaking::Speaking;
use crate::state::Shared;
use crate::subject;
use crate::tokenize::{prompt_text, token_ids};
use crate::turn::{self, Turn};

/// What is honoured, besides how tokens are drawn.
const HONOURED: [&str; 8] =
    ["model", "prompt", "echo", "stream", "stream_options", "max_tokens", "stop", "user"];

/// As OpenAI's interface has it.
const MAX_TOKENS: usize = 16;

/// What a completion may ask for; every other field is refused by its name.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the request; `read` reads it")]
pub(crate) struct CompletionRequest {
    /// The loaded model's name.
    model: String,
    /// A text, a list of token ids, or a list of one of these.
    prompt: Value,
    /// Whether the prompt comes before what the model writes.
    echo: Option<bool>,
    /// Whether to send server-sent events.
    stream: Option<bool>,
    /// `{"include_usage": true}` counts tokens in the last event.
    stream_options: Option<Value>,
    /// At most so many tokens; 16 when absent. The policy's limit holds as well.
    max_tokens: Option<u64>,
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
    /// How many of the likeliest tokens to tell for each token written, with their log
    /// probabilities: up to 20. Not with `echo`.
    logprobs: Option<u64>,
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
}

/// `POST /v1/completions`
#[utoipa::path(post, path = "/v1/completions", tag = "openai", request_body = CompletionRequest,
    responses(
        (status = 200, description = "A completion, or events if `stream` is true; the field \
            `allod` holds outcome and receipt", body = serde_json::Value),
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
    let (turn, counts, echoes) = read(&fields)?;
    let echo = if echoes { prompt_text(&state, &turn.prompt)? } else { String::new() };
    let form = TextForm::new(&turn.model, counts, echo);
    let identity = subject::on_behalf_of(&state, identity, &fields).await?;
    turn::respond(&state, identity, turn, Box::new(form)).await
}

/// The turn, whether a stream is to count tokens, and whether the prompt is to be repeated.
fn read(fields: &Map<String, Value>) -> Result<(Turn, bool, bool), Problem> {
    let fields = Fields(fields);
    let honoured = [&HONOURED[..], &DRAWING_FIELDS, &TEXT_FIELDS, &GUIDED_FIELDS].concat();
    fields.only(&honoured, asks_for_nothing)?;
    let (delivery, counts) = delivery(&fields)?;
    let echoes = fields.boolean("echo")?;
    let least = if echoes { 0 } else { 1 };
    let choices = choices::of_text(&fields, delivery)?;
    if echoes && choices.top_logprobs.is_some() {
        let message =
            "how likely the prompt's tokens are is not told: leave `logprobs` or `echo` out";
        return Err(Problem::field("logprobs", message));
    }
    let mut speaking = Speaking::default();
    format::read(&fields, None, &mut speaking)?;
    let turn = Turn {
        model: fields.required_text("model")?,
        prompt: prompt(fields.get("prompt"))?,
        drawing: Drawing::read(&fields, 2.0)?,
        max_tokens: Some(fields.tokens("max_tokens", least)?.unwrap_or(MAX_TOKENS)),
        stop: fields.stops("stop", STOPS_MAX)?,
        choices,
        speaking,
        delivery,
        names: ["max_tokens", "stop", "logprobs"],
    };
    Ok((turn, counts, echoes))
}

/// A text, token ids, or a list of one of these.
fn prompt(value: Option<&Value>) -> Result<Prompt, Problem> {
    let one = |value: &Value| match value {
        Value::String(text) => Some(Prompt::Text(text.clone())),
        value => token_ids(value).filter(|ids| !ids.is_empty()).map(Prompt::Tokens),
    };
    let value = value.ok_or_else(|| Problem::field("prompt", "`prompt` is missing"))?;
    let found = one(value).or_else(|| match value.as_array().map(Vec::as_slice) {
        Some([only]) => one(only),
        _ => None,
    });
    found.ok_or_else(|| {
        let message = "`prompt` must be one text or one list of token ids; several prompts go in \
                       a request each";
        Problem::field("prompt", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_prompt_is_one_text_or_one_list_of_tokens() {
        let read = |value: Value| prompt(Some(&value));
        assert_eq!(read(json!("a")).unwrap(), Prompt::Text("a".into()));
        assert_eq!(read(json!(["a"])).unwrap(), Prompt::Text("a".into()));
        assert_eq!(read(json!([1, 2])).unwrap(), Prompt::Tokens(vec![1, 2]));
        assert_eq!(read(json!([[1, 2]])).unwrap(), Prompt::Tokens(vec![1, 2]));
        for wrong in [json!([]), json!(["a", "b"]), json!([[1], [2]]), json!([-1]), json!(7)] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
        assert!(prompt(None).is_err());
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        for (name, value) in [
            ("suffix", json!("x")),
            ("logprobs", json!(21)),
            ("best_of", json!(0)),
            ("n", json!(0)),
            ("max_tokens", json!(0)),
            ("echo", json!("yes")),
            ("logit_bias", json!({"5": 101})),
        ] {
            let fields = json!({"model": "m", "prompt": "a", name: value});
            let body = read(fields.as_object().unwrap()).expect_err(name).body();
            assert_eq!(body["error"]["param"], name);
        }
        let told = json!({"model": "m", "prompt": "a", "echo": true, "logprobs": 1});
        let body = read(told.as_object().unwrap()).expect_err("of the prompt").body();
        assert_eq!(body["error"]["param"], "logprobs");
        let echo = json!({"model": "m", "prompt": "a", "echo": true, "max_tokens": 0, "n": 1});
        assert_eq!(read(echo.as_object().unwrap()).unwrap().0.max_tokens, Some(0));
    }
}
