//! The parameters of a chat completion: each is honoured or refused by its name, never ignored.

use allod_engine::{Prompt, TemplateInput};
use serde_json::{Map, Value, json};

use crate::choices::{self, CHAT_FIELDS};
use crate::conversation::{self, Calls, Manner};
use crate::drawing::{DRAWING_FIELDS, Drawing};
use crate::fields::Fields;
use crate::format::{self, GUIDED_FIELDS};
use crate::problem::Problem;
use crate::speaking::Speaking;
use crate::thinking;
use crate::tools::{self, Dress, OPENAI_FIELDS};
use crate::turn::{Delivery, Turn};

/// Messages as chat completions write them.
pub(crate) const MESSAGES: Manner = Manner {
    list: "messages",
    roles: &["system", "developer", "user", "assistant", "tool"],
    parts: &["text"],
    idle: &[],
    calls: Calls::Held,
};

/// What is honoured, besides how tokens are drawn.
const HONOURED: [&str; 10] = [
    "model",
    "messages",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "user",
    "safety_identifier",
    "response_format",
];

/// As OpenAI's interface has it.
pub(crate) const STOPS_MAX: usize = 4;

/// Reads a chat completion's fields: the turn, and whether a stream is to count tokens.
pub(crate) fn read(fields: &Map<String, Value>) -> Result<(Turn, bool), Problem> {
    let fields = Fields(fields);
    let honoured = [&HONOURED[..], &DRAWING_FIELDS, &CHAT_FIELDS].concat();
    let more = [&OPENAI_FIELDS[..], &GUIDED_FIELDS, &thinking::CHAT_FIELDS].concat();
    let honoured = [honoured, more].concat();
    fields.only(&honoured, asks_for_nothing)?;
    let longest = fields.tokens("max_completion_tokens", 1)?;
    let (delivery, counts) = delivery(&fields)?;
    let turn = Turn {
        model: fields.required_text("model")?,
        prompt: conversation(conversation::read(MESSAGES, fields.get("messages"))?),
        speaking: speaking(&fields)?,
        drawing: Drawing::read(&fields, 2.0)?,
        max_tokens: longest.or(fields.tokens("max_tokens", 1)?),
        stop: fields.stops("stop", STOPS_MAX)?,
        choices: choices::of_chat(&fields, delivery)?,
        delivery,
        names: ["max_tokens", "stop", "logprobs"],
    };
    Ok((turn, counts))
}

/// A conversation that a model goes on.
pub(crate) fn conversation(messages: Vec<Value>) -> Prompt {
    Prompt::Conversation(TemplateInput { messages, ..TemplateInput::new(&[]) })
}

/// What the model may say beside plain text.
fn speaking(fields: &Fields) -> Result<Speaking, Problem> {
    let mut speaking = Speaking::default();
    tools::openai(fields, Dress::Wrapped, &mut speaking)?;
    format::read(fields, Some("response_format"), &mut speaking)?;
    thinking::of_chat(fields, &mut speaking)?;
    Ok(speaking)
}

/// Whether a value asks for what happens anyway.
pub(crate) fn asks_for_nothing(name: &str, value: &Value) -> bool {
    match name {
        "store" | "use_beam_search" | "ignore_eos" | "include_stop_str_in_output" => {
            *value == false
        }
        "skip_special_tokens" | "add_generation_prompt" => *value == true,
        "service_tier" => *value == "auto" || *value == "default",
        "modalities" => *value == json!(["text"]),
        "verbosity" => *value == "medium",
        "length_penalty" => value.as_f64() == Some(1.0),
        "min_tokens" | "priority" => *value == 0,
        "stop_token_ids" => *value == json!([]),
        "metadata" => *value == json!({}),
        // A hint on what to keep computed; it changes no answer.
        "prompt_cache_key" => value.is_string(),
        _ => false,
    }
}

/// How the answer is to be sent, and whether a stream is to count tokens.
pub(crate) fn delivery(fields: &Fields) -> Result<(Delivery, bool), Problem> {
    let options = fields.get("stream_options");
    if !fields.boolean("stream")? {
        return match options {
            None => Ok((Delivery::Whole, false)),
            Some(_) => {
                Err(Problem::field("stream_options", "`stream_options` is only for `stream: true`"))
            }
        };
    }
    let Some(options) = options else { return Ok((Delivery::Stream, false)) };
    let wrong = || Problem::field("stream_options", "it may hold only `include_usage`, a boolean");
    let options = options.as_object().ok_or_else(wrong)?;
    let mut counts = false;
    for (name, value) in options.iter().filter(|(_, value)| !value.is_null()) {
        match (name.as_str(), value) {
            ("include_usage", Value::Bool(wanted)) => counts = *wanted,
            // Nothing is ever added to hide how long a piece is.
            ("include_obfuscation" | "continuous_usage_stats", Value::Bool(false)) => {}
            _ => return Err(wrong()),
        }
    }
    Ok((Delivery::Stream, counts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use allod_engine::Sampling;

    fn turn(extra: Value) -> Result<Turn, Problem> {
        let mut fields = json!({"model": "m", "messages": [{"role": "user", "content": "Q"}]});
        let fields = fields.as_object_mut().unwrap();
        fields.extend(extra.as_object().unwrap().clone());
        read(fields).map(|(turn, _)| turn)
    }

    fn refused_param(extra: Value) -> String {
        let body = turn(extra.clone()).expect_err(&extra.to_string()).body();
        body["error"]["param"].as_str().unwrap().to_owned()
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        for (extra, param) in [
            (json!({"tools": [{"type": "function"}]}), "tools[0].function"),
            (json!({"response_format": {"type": "xml"}}), "response_format"),
            (json!({"frequency_penalty": 2.5}), "frequency_penalty"),
            (json!({"n": 0}), "n"),
            (json!({"temperature": 3}), "temperature"),
            (json!({"temperature": "hot"}), "temperature"),
            (json!({"top_p": 0}), "top_p"),
            (json!({"top_k": -2}), "top_k"),
            (json!({"seed": 1.5}), "seed"),
            (json!({"stop": ["a", ""]}), "stop"),
            (json!({"stop": ["a", "b", "c", "d", "e"]}), "stop"),
            (json!({"max_tokens": 0}), "max_tokens"),
            (json!({"stream": "yes"}), "stream"),
            (json!({"stream_options": {"include_usage": true}}), "stream_options"),
            (json!({"stream": true, "stream_options": {"x": true}}), "stream_options"),
            (json!({"surprise": 1}), "surprise"),
            (json!({"modalities": ["text", "audio"]}), "modalities"),
            (json!({"verbosity": "low"}), "verbosity"),
            (json!({"metadata": {"a": "b"}}), "metadata"),
            (json!({"min_tokens": 3}), "min_tokens"),
            (json!({"stop_token_ids": [5]}), "stop_token_ids"),
            (json!({"skip_special_tokens": false}), "skip_special_tokens"),
            (json!({"prompt_cache_key": 7}), "prompt_cache_key"),
            (json!({"messages": []}), "messages"),
            (json!({"messages": [{"role": "function", "content": "x"}]}), "messages[0].role"),
            (json!({"messages": [{"role": "tool", "content": "x"}]}), "messages[0].tool_call_id"),
            (
                json!({"messages": [{"role": "assistant", "tool_calls": [{"id": 1}]}]}),
                "messages[0].tool_calls",
            ),
            (json!({"messages": [{"role": "user", "content": 1}]}), "messages[0].content"),
            (
                json!({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}),
                "messages[0].content",
            ),
            (
                json!({"messages": [{"role": "user", "content": "x", "name": "y"}]}),
                "messages[0].name",
            ),
        ] {
            assert_eq!(refused_param(extra), param);
        }
    }

    #[test]
    fn a_part_that_is_no_text_is_refused_by_its_type() {
        for kind in ["image_url", "input_audio", "file"] {
            let parts = json!([{"type": "text", "text": "x"}, {"type": kind}]);
            let extra = json!({"messages": [{"role": "user", "content": parts}]});
            let body = turn(extra).expect_err(kind).body();
            let message = body["error"]["message"].as_str().unwrap();
            assert!(message.contains(&format!("\"{kind}\" is not taken")), "{message}");
        }
    }

    #[test]
    fn what_asks_for_nothing_special_is_taken() {
        let extra = json!({
            "n": 1, "user": "someone", "frequency_penalty": 0, "presence_penalty": 0.0,
            "logprobs": false, "logit_bias": {}, "response_format": {"type": "text"}, "tools": [],
            "tool_choice": "none", "store": false, "surprise": null, "temperature": null,
            "modalities": ["text"], "verbosity": "medium", "metadata": {}, "top_k": -1,
            "prompt_cache_key": "k", "safety_identifier": "someone", "min_tokens": 0,
            "ignore_eos": false, "skip_special_tokens": true, "length_penalty": 1.0,
            "stream": true, "stream_options": {"include_obfuscation": false},
        });
        assert_eq!(turn(extra).unwrap().drawing.sampling(), Sampling::default());
    }

    #[test]
    fn messages_may_be_texts_or_text_parts() {
        let turn = turn(json!({"messages": [
            {"role": "developer", "content": "Be kind."},
            {"role": "assistant", "content": "Yes?", "refusal": null, "tool_calls": []},
            {"role": "user", "content": [
                {"type": "text", "text": "a"}, {"type": "text", "text": "b"},
            ]},
        ]}))
        .unwrap();
        let messages = turn.prompt.messages().unwrap();
        assert_eq!(messages[0]["role"], "system");
        assert_eq!(turn.question().unwrap(), "a\nb");
    }

    #[test]
    fn calls_and_their_results_are_part_of_a_conversation() {
        let call = json!({"id": "c1", "type": "function",
                          "function": {"name": "f", "arguments": "{\"a\": 1}"}});
        let turn = turn(json!({"messages": [
            {"role": "user", "content": "Q"},
            {"role": "assistant", "content": null, "tool_calls": [call], "reasoning": "so"},
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "7"}]},
        ]}))
        .unwrap();
        let messages = turn.prompt.messages().unwrap();
        assert_eq!(
            messages[1],
            json!({"role": "assistant", "content": "", "tool_calls": [call],
                                       "reasoning_content": "so"})
        );
        assert_eq!(
            messages[2],
            json!({"role": "tool", "content": "7", "tool_call_id": "c1",
                                       "name": "f"})
        );
    }

    #[test]
    fn the_request_sets_the_sampling() {
        let turn = turn(json!({
            "temperature": 0.5, "top_p": 0.9, "top_k": 40, "min_p": 0.1,
            "repetition_penalty": 1.5, "seed": -1, "max_tokens": 9, "max_completion_tokens": 7,
        }))
        .unwrap();
        let sampling = turn.drawing.sampling();
        assert_eq!((sampling.temperature, sampling.top_k), (0.5, 40));
        assert_eq!((sampling.top_p, sampling.min_p), (0.9, 0.1));
        assert_eq!((sampling.repetition_penalty, sampling.seed), (1.5, u64::MAX));
        assert_eq!(turn.max_tokens, Some(7));
    }

    #[test]
    fn a_draw_without_a_seed_gets_a_random_one() {
        let seed = || turn(json!({"temperature": 1})).unwrap().drawing.sampling().seed;
        assert_ne!(seed(), seed());
        let greedy = turn(json!({"temperature": 0})).unwrap().drawing.sampling();
        assert_eq!(greedy.seed, Sampling::default().seed);
    }

    #[test]
    fn the_documents_take_nothing_that_would_change_or_cut_an_answer() {
        let check = |extra| turn(extra).unwrap().check_for_documents(512);
        for plain in [
            json!({"temperature": 0, "top_p": 1, "top_k": 1, "seed": 3, "max_tokens": 512}),
            json!({"repetition_penalty": 1, "min_p": 0, "top_k": 0}),
        ] {
            check(plain).unwrap();
        }
        for drawn in [
            json!({"temperature": 0.7}),
            json!({"top_p": 0.9}),
            json!({"top_k": 40}),
            json!({"stop": "x"}),
            json!({"max_tokens": 5}),
            json!({"repetition_penalty": 1.1}),
            json!({"n": 2}),
            json!({"best_of": 2}),
            json!({"logprobs": true}),
        ] {
            assert!(check(drawn.clone()).is_err(), "{drawn}");
        }
    }
}
