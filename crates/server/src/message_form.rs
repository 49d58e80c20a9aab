//! The JSON of Anthropic's messages, whole and as events.

use allod_answer::Outcome;
use serde_json::{Value, json};

use crate::envelope::new_id;
use crate::family;
use crate::form::{Event, Form, Kind, Part};
use crate::problem::Problem;
use crate::turn::{Choice, Finished};

/// A message: blocks of reasoning, text and calls.
pub(crate) struct MessageForm {
    id: String,
    model: String,
    /// Tokens of the prompt, as far as they are known before the end.
    input_tokens: usize,
    /// The kind of the block that is open in a stream.
    open: Option<Kind>,
    /// How many blocks a stream has begun, and how many of them are calls.
    begun: usize,
    calls: usize,
}

impl MessageForm {
    /// A message of `model`; `input_tokens` is what the first event of a stream says.
    pub(crate) fn new(model: &str, input_tokens: usize) -> MessageForm {
        let (id, model) = (format!("msg_{}", new_id()), model.to_owned());
        MessageForm { id, model, input_tokens, open: None, begun: 0, calls: 0 }
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

    /// The same in a stream and in one piece.
    fn call(&self, number: usize, name: &str, input: Value) -> Value {
        let id = self.id.trim_start_matches("msg_");
        json!({"type": "tool_use", "id": format!("toolu_{id}{number:02}"), "name": name,
               "input": input})
    }

    fn content(&self, choice: &Choice) -> Value {
        let mut blocks = Vec::new();
        if !choice.reasoning.is_empty() {
            blocks.push(thinking(&choice.reasoning));
        }
        if !choice.text.is_empty() || (choice.calls.is_empty() && blocks.is_empty()) {
            blocks.push(json!({"type": "text", "text": choice.text}));
        }
        for (number, call) in choice.calls.iter().enumerate() {
            // Arguments that were cut off are no JSON: the reason for the end says so.
            let input = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
            blocks.push(self.call(number, &call.name, input));
        }
        blocks.into()
    }

    /// Opens a block for a part, unless one of its kind is open.
    fn open_for(&mut self, part: &Part, events: &mut Vec<Event>) {
        let kind = if part.kind == Kind::Arguments { Kind::Call } else { part.kind };
        if self.open == Some(kind) && part.kind != Kind::Call {
            return;
        }
        self.close(events);
        let block = match kind {
            Kind::Reasoning => thinking(""),
            Kind::Text => json!({"type": "text", "text": ""}),
            Kind::Call | Kind::Arguments => {
                self.calls += 1;
                self.call(self.calls - 1, part.text, json!({}))
            }
        };
        let start = json!({"index": self.begun, "content_block": block});
        events.push(Event::named("content_block_start", start));
        self.open = Some(kind);
        self.begun += 1;
    }

    fn close(&mut self, events: &mut Vec<Event>) {
        if self.open.take().is_some() {
            events.push(Event::named("content_block_stop", json!({"index": self.begun - 1})));
        }
    }
}

/// There is no signature: reasoning that comes back is taken as it is.
fn thinking(text: &str) -> Value {
    json!({"type": "thinking", "thinking": text, "signature": ""})
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
            None if !choice.calls.is_empty() => "tool_use",
            None => "end_turn",
        };
        End { reason: Some(reason), sequence: choice.stopped_by.clone() }
    }
}

impl Form for MessageForm {
    fn whole(&self, finished: &Finished) -> Value {
        let content = self.content(finished.first());
        let usage = usage(finished);
        let mut message = self.message(content, End::of(finished), usage);
        message["allod"] = finished.extension.clone();
        message
    }

    fn opening(&mut self) -> Vec<Event> {
        let usage = counts(self.input_tokens as u64, 0, 0);
        let message = self.message(json!([]), End::default(), usage);
        vec![Event::named("message_start", json!({"message": message}))]
    }

    fn part(&mut self, part: &Part) -> Vec<Event> {
        let mut events = Vec::new();
        self.open_for(part, &mut events);
        let delta = match part.kind {
            Kind::Text => json!({"type": "text_delta", "text": part.text}),
            Kind::Reasoning => json!({"type": "thinking_delta", "thinking": part.text}),
            Kind::Arguments => json!({"type": "input_json_delta", "partial_json": part.text}),
            Kind::Call => return events,
        };
        let delta = json!({"index": self.begun - 1, "delta": delta});
        events.push(Event::named("content_block_delta", delta));
        events
    }

    fn closing(&mut self, finished: &Finished) -> Vec<Event> {
        let mut events = Vec::new();
        if self.begun == 0 {
            self.open_for(&Part::default(), &mut events);
        }
        self.close(&mut events);
        let End { reason, sequence } = End::of(finished);
        let delta = json!({"stop_reason": reason, "stop_sequence": sequence});
        let usage = usage(finished);
        let last = json!({"delta": delta, "usage": usage, "allod": finished.extension});
        events.push(Event::named("message_delta", last));
        events.push(Event::named("message_stop", json!({})));
        events
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
