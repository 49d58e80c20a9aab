//! The JSON of Anthropic's messages, whole and as events.

use allod_answer::Outcome;
use serde_json::{Value, json};

use crate::envelope::new_id;
use crate::family;
use crate::form::{Event, Form, Part};
use crate::problem::Problem;
use crate::turn::Finished;

/// A message with one block of text.
pub(crate) struct MessageForm {
    id: String,
    model: String,
    /// Tokens of the prompt, as far as they are known before the end.
    input_tokens: usize,
}

impl MessageForm {
    /// A message of `model`; `input_tokens` is what the first event of a stream says.
    pub(crate) fn new(model: &str, input_tokens: usize) -> MessageForm {
        MessageForm { id: format!("msg_{}", new_id()), model: model.to_owned(), input_tokens }
    }

    fn message(&self, content: Value, end: End, usage: Value) -> Value {
        json!({
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": end.reason,
            "stop_sequence": end.sequence,
            "usage": usage,
        })
    }
}

/// Why a message ends, in the words of this interface.
#[derive(Default)]
struct End {
    reason: Option<&'static str>,
    sequence: Option<String>,
}

impl End {
    fn of(finished: &Finished) -> End {
        let choice = finished.first();
        let reason = match &choice.stopped_by {
            Some(_) => "stop_sequence",
            None if choice.is_cut() => "max_tokens",
            None if finished.outcome == Outcome::Refused => "refusal",
            None => "end_turn",
        };
        End { reason: Some(reason), sequence: choice.stopped_by.clone() }
    }
}

impl Form for MessageForm {
    fn whole(&self, finished: &Finished) -> Value {
        let content = json!([{"type": "text", "text": finished.first().text}]);
        let usage = usage(finished);
        let mut message = self.message(content, End::of(finished), usage);
        message["allod"] = finished.extension.clone();
        message
    }

    fn opening(&mut self) -> Vec<Event> {
        let usage = counts(self.input_tokens as u64, 0, 0);
        let message = self.message(json!([]), End::default(), usage);
        let block = json!({"type": "text", "text": ""});
        vec![
            Event::named("message_start", json!({"message": message})),
            Event::named("content_block_start", json!({"index": 0, "content_block": block})),
        ]
    }

    fn part(&mut self, part: &Part) -> Vec<Event> {
        let delta = json!({"type": "text_delta", "text": part.text});
        vec![Event::named("content_block_delta", json!({"index": 0, "delta": delta}))]
    }

    fn closing(&mut self, finished: &Finished) -> Vec<Event> {
        let End { reason, sequence } = End::of(finished);
        let delta = json!({"stop_reason": reason, "stop_sequence": sequence});
        let usage = usage(finished);
        let last = json!({"delta": delta, "usage": usage, "allod": finished.extension});
        vec![
            Event::named("content_block_stop", json!({"index": 0})),
            Event::named("message_delta", last),
            Event::named("message_stop", json!({})),
        ]
    }

    fn failure(&mut self, problem: &Problem) -> Vec<Event> {
        vec![Event::named("error", family::anthropic(problem, None))]
    }
}

/// This interface counts what did not have to be read again apart from what was read.
fn usage(finished: &Finished) -> Value {
    let tokens = finished.tokens;
    counts(tokens.prompt.saturating_sub(finished.cached), finished.cached, tokens.completion)
}

fn counts(input: u64, cached: u64, output: u64) -> Value {
    json!({
        "input_tokens": input,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": output,
    })
}
