//! The JSON of OpenAI's responses, whole and as events.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::envelope::new_id;
use crate::form::{Event, Form, Kind, Part};
use crate::problem::Problem;
use crate::scores;
use crate::turn::{Choice, Finished, Turn};

/// A response: items of reasoning, text and calls.
pub(crate) struct ResponseForm {
    /// The response as it is before there is any text.
    begun: Value,
    /// What the identifiers of the items are made of.
    id: String,
    /// The items of a stream that are done.
    done: Vec<Value>,
    /// The one that is open.
    open: Option<Open>,
    sequence: u64,
}

/// An item that is being written.
struct Open {
    kind: Kind,
    /// The tool's name, of a call.
    name: String,
    text: String,
    /// How likely its tokens were.
    logprobs: Vec<Value>,
}

impl ResponseForm {
    /// A response to these fields.
    pub(crate) fn new(fields: &Map<String, Value>, turn: &Turn) -> ResponseForm {
        let given = |name: &str| fields.get(name).cloned().unwrap_or(Value::Null);
        let or = |name: &str, standard: Value| match given(name) {
            Value::Null => standard,
            value => value,
        };
        let id = new_id();
        let begun = json!({
            "id": format!("resp_{id}"),
            "object": "response",
            "created_at": Timestamp::now().as_second(),
            "status": "in_progress",
            "background": false,
            "error": null,
            "incomplete_details": null,
            "instructions": given("instructions"),
            "max_output_tokens": given("max_output_tokens"),
            "metadata": or("metadata", json!({})),
            "model": turn.model,
            "output": [],
            "parallel_tool_calls": or("parallel_tool_calls", json!(true)),
            "previous_response_id": null,
            "reasoning": {"effort": given("reasoning")["effort"], "summary": null},
            "store": false,
            "temperature": or("temperature", json!(0)),
            "text": {"format": match &given("text")["format"] {
                Value::Null => json!({"type": "text"}),
                format => format.clone(),
            }},
            "tool_choice": or("tool_choice", json!("auto")),
            "tools": or("tools", json!([])),
            "top_logprobs": turn.choices.top_logprobs.unwrap_or(0),
            "top_p": or("top_p", json!(1)),
            "truncation": "disabled",
            "usage": null,
            "user": given("user"),
        });
        ResponseForm { begun, id, done: Vec::new(), open: None, sequence: 0 }
    }

    fn event(&mut self, name: &'static str, mut value: Value) -> Event {
        value["sequence_number"] = self.sequence.into();
        self.sequence += 1;
        Event::named(name, value)
    }

    /// An event about the item that is open.
    fn about(&mut self, name: &'static str, mut value: Value) -> Event {
        let index = self.done.len();
        let kind = self.open.as_ref().map_or(Kind::Text, |open| open.kind);
        value["item_id"] = json!(self.item_id(kind, index));
        value["output_index"] = json!(index);
        if kind != Kind::Call {
            value["content_index"] = json!(0);
        }
        self.event(name, value)
    }

    /// The same in a stream and in one piece.
    fn item_id(&self, kind: Kind, index: usize) -> String {
        let prefix = match kind {
            Kind::Text => "msg",
            Kind::Reasoning => "rs",
            Kind::Call | Kind::Arguments => "fc",
        };
        format!("{prefix}_{}{index:02}", self.id)
    }

    fn item(&self, index: usize, status: &str, open: &Open) -> Value {
        let id = self.item_id(open.kind, index);
        match open.kind {
            Kind::Text => json!({"id": id, "type": "message", "status": status,
                "role": "assistant", "content": [content(open)]}),
            Kind::Reasoning => json!({"id": id, "type": "reasoning", "status": status,
                "summary": [], "content": [content(open)]}),
            Kind::Call | Kind::Arguments => json!({"id": id, "type": "function_call",
                "status": status, "call_id": format!("call_{}{index:02}", self.id),
                "name": open.name, "arguments": open.text}),
        }
    }

    /// The items of an answer that is there as a whole.
    fn items(&self, choice: &Choice) -> Vec<Value> {
        let mut opens = Vec::new();
        let open = |kind, name: &str, text: &str| {
            let (name, text) = (name.to_owned(), text.to_owned());
            Open { kind, name, text, logprobs: Vec::new() }
        };
        if !choice.reasoning.is_empty() {
            opens.push(open(Kind::Reasoning, "", &choice.reasoning));
        }
        if !choice.text.is_empty() || (choice.calls.is_empty() && opens.is_empty()) {
            let mut text = open(Kind::Text, "", &choice.text);
            text.logprobs = choice.scores.iter().flatten().map(scores::Scored::json).collect();
            opens.push(text);
        }
        let calls = choice.calls.iter();
        opens.extend(calls.map(|call| open(Kind::Call, &call.name, &call.arguments)));
        // What was cut off is the last.
        let last = opens.len() - 1;
        let status = |at| if at == last { status(choice) } else { "completed" };
        opens.iter().enumerate().map(|(at, open)| self.item(at, status(at), open)).collect()
    }

    /// Opens an item for a part, unless one of its kind is open.
    fn open_for(&mut self, part: &Part, events: &mut Vec<Event>) {
        let kind = if part.kind == Kind::Arguments { Kind::Call } else { part.kind };
        let goes_on = self.open.as_ref().is_some_and(|open| open.kind == kind);
        if goes_on && part.kind != Kind::Call {
            return;
        }
        self.close("completed", events);
        let name = if kind == Kind::Call { part.text.to_owned() } else { String::new() };
        let open = Open { kind, name, text: String::new(), logprobs: Vec::new() };
        let mut item = self.item(self.done.len(), "in_progress", &open);
        if kind != Kind::Call {
            item["content"] = json!([]);
        }
        let added = json!({"output_index": self.done.len(), "item": item});
        events.push(self.event("response.output_item.added", added));
        let part = content(&open);
        self.open = Some(open);
        if kind != Kind::Call {
            events.push(self.about("response.content_part.added", json!({"part": part})));
        }
    }

    fn close(&mut self, status: &str, events: &mut Vec<Event>) {
        let Some(open) = &self.open else { return };
        let (item, part) = (self.item(self.done.len(), status, open), content(open));
        let (kind, text) = (open.kind, open.text.clone());
        let (name, value) = match kind {
            Kind::Text => {
                ("response.output_text.done", json!({"text": text, "logprobs": part["logprobs"]}))
            }
            Kind::Reasoning => ("response.reasoning_text.done", json!({"text": text})),
            Kind::Call | Kind::Arguments => (
                "response.function_call_arguments.done",
                json!({"name": open.name, "arguments": text}),
            ),
        };
        events.push(self.about(name, value));
        if kind != Kind::Call {
            events.push(self.about("response.content_part.done", json!({"part": part})));
        }
        let done = json!({"output_index": self.done.len(), "item": item});
        events.push(self.event("response.output_item.done", done));
        self.done.push(item);
        self.open = None;
    }
}

impl Form for ResponseForm {
    fn whole(&self, finished: &Finished) -> Value {
        let mut response = self.begun.clone();
        let choice = finished.first();
        response["status"] = json!(status(choice));
        if choice.is_cut() {
            response["incomplete_details"] = json!({"reason": "max_output_tokens"});
        }
        response["output"] = self.items(choice).into();
        let tokens = finished.tokens;
        response["usage"] = json!({
            "input_tokens": tokens.prompt,
            "input_tokens_details": {"cached_tokens": finished.cached},
            "output_tokens": tokens.completion,
            "output_tokens_details": {"reasoning_tokens": finished.reasoning_tokens},
            "total_tokens": tokens.prompt + tokens.completion,
        });
        response["allod"] = finished.extension.clone();
        response
    }

    fn opening(&mut self) -> Vec<Event> {
        let begun = self.begun.clone();
        vec![
            self.event("response.created", json!({"response": begun})),
            self.event("response.in_progress", json!({"response": begun})),
        ]
    }

    fn part(&mut self, part: &Part) -> Vec<Event> {
        let mut events = Vec::new();
        self.open_for(part, &mut events);
        if part.kind == Kind::Call {
            return events;
        }
        let logprobs: Vec<Value> = part.scores.iter().flatten().map(scores::Scored::json).collect();
        if let Some(open) = &mut self.open {
            open.text.push_str(part.text);
            open.logprobs.extend(logprobs.iter().cloned());
        }
        events.push(match part.kind {
            Kind::Text => {
                let delta = json!({"delta": part.text, "logprobs": logprobs});
                self.about("response.output_text.delta", delta)
            }
            Kind::Reasoning => {
                self.about("response.reasoning_text.delta", json!({"delta": part.text}))
            }
            Kind::Call | Kind::Arguments => {
                self.about("response.function_call_arguments.delta", json!({"delta": part.text}))
            }
        });
        events
    }

    fn closing(&mut self, finished: &Finished) -> Vec<Event> {
        let choice = finished.first();
        let mut events = Vec::new();
        if self.open.is_none() && self.done.is_empty() {
            self.open_for(&Part::default(), &mut events);
        }
        self.close(status(choice), &mut events);
        let last = match choice.is_cut() {
            true => "response.incomplete",
            false => "response.completed",
        };
        let response = self.whole(finished);
        events.push(self.event(last, json!({"response": response})));
        events
    }

    fn failure(&mut self, problem: &Problem) -> Vec<Event> {
        let mut response = self.begun.clone();
        response["status"] = json!("failed");
        response["error"] = json!({"code": problem.code(), "message": problem.message()});
        let mut output = self.done.clone();
        output.extend(self.open.as_ref().map(|open| self.item(output.len(), "incomplete", open)));
        response["output"] = output.into();
        vec![self.event("response.failed", json!({"response": response}))]
    }
}

fn status(choice: &Choice) -> &'static str {
    if choice.is_cut() { "incomplete" } else { "completed" }
}

fn content(open: &Open) -> Value {
    match open.kind {
        Kind::Reasoning => json!({"type": "reasoning_text", "text": open.text}),
        _ => json!({"type": "output_text", "text": open.text, "annotations": [],
                    "logprobs": open.logprobs}),
    }
}
