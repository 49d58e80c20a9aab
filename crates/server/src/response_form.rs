//! The JSON of OpenAI's responses, whole and as events.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::envelope::new_id;
use crate::form::{Event, Form, Part};
use crate::problem::Problem;
use crate::scores::{self, Scored};
use crate::turn::{Choice, Finished, Turn};

/// A response with one message of one text.
pub(crate) struct ResponseForm {
    /// The response as it is before there is any text.
    begun: Value,
    message: String,
    written: String,
    sequence: u64,
}

impl ResponseForm {
    /// A response to these fields.
    pub(crate) fn new(fields: &Map<String, Value>, turn: &Turn) -> ResponseForm {
        let given = |name: &str| fields.get(name).cloned().unwrap_or(Value::Null);
        let or = |name: &str, standard: Value| match given(name) {
            Value::Null => standard,
            value => value,
        };
        let begun = json!({
            "id": format!("resp_{}", new_id()),
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
            "parallel_tool_calls": or("parallel_tool_calls", json!(false)),
            "previous_response_id": null,
            "reasoning": {"effort": null, "summary": null},
            "store": false,
            "temperature": or("temperature", json!(0)),
            "text": {"format": {"type": "text"}},
            "tool_choice": or("tool_choice", json!("none")),
            "tools": [],
            "top_logprobs": turn.choices.top_logprobs.unwrap_or(0),
            "top_p": or("top_p", json!(1)),
            "truncation": "disabled",
            "usage": null,
            "user": given("user"),
        });
        let message = format!("msg_{}", new_id());
        ResponseForm { begun, message, written: String::new(), sequence: 0 }
    }

    fn event(&mut self, name: &'static str, mut value: Value) -> Event {
        value["sequence_number"] = self.sequence.into();
        self.sequence += 1;
        Event::named(name, value)
    }

    /// An event about the one text of the one message.
    fn about_text(&mut self, name: &'static str, mut value: Value) -> Event {
        value["item_id"] = json!(self.message);
        value["output_index"] = json!(0);
        value["content_index"] = json!(0);
        self.event(name, value)
    }

    fn item(&self, status: &str, content: Value) -> Value {
        json!({
            "id": self.message,
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": content,
        })
    }
}

impl Form for ResponseForm {
    fn whole(&self, finished: &Finished) -> Value {
        let mut response = self.begun.clone();
        let choice = finished.first();
        let status = status(choice);
        response["status"] = json!(status);
        if choice.is_cut() {
            response["incomplete_details"] = json!({"reason": "max_output_tokens"});
        }
        response["output"] = json!([self.item(status, json!([content_of(choice)]))]);
        let tokens = finished.tokens;
        response["usage"] = json!({
            "input_tokens": tokens.prompt,
            "input_tokens_details": {"cached_tokens": finished.cached},
            "output_tokens": tokens.completion,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": tokens.prompt + tokens.completion,
        });
        response["allod"] = finished.extension.clone();
        response
    }

    fn opening(&mut self) -> Vec<Event> {
        let (begun, item) = (self.begun.clone(), self.item("in_progress", json!([])));
        vec![
            self.event("response.created", json!({"response": begun})),
            self.event("response.in_progress", json!({"response": begun})),
            self.event("response.output_item.added", json!({"output_index": 0, "item": item})),
            self.about_text("response.content_part.added", json!({"part": content("", &[])})),
        ]
    }

    fn part(&mut self, part: &Part) -> Vec<Event> {
        self.written.push_str(part.text);
        let scores = part.scores.as_deref().unwrap_or_default();
        let delta = json!({"delta": part.text, "logprobs": scores::list(scores)});
        vec![self.about_text("response.output_text.delta", delta)]
    }

    fn closing(&mut self, finished: &Finished) -> Vec<Event> {
        let choice = finished.first();
        let content = content_of(choice);
        let item = self.item(status(choice), json!([content]));
        let done = json!({"text": choice.text, "logprobs": content["logprobs"]});
        let last = match choice.is_cut() {
            true => "response.incomplete",
            false => "response.completed",
        };
        let response = self.whole(finished);
        vec![
            self.about_text("response.output_text.done", done),
            self.about_text("response.content_part.done", json!({"part": content})),
            self.event("response.output_item.done", json!({"output_index": 0, "item": item})),
            self.event(last, json!({"response": response})),
        ]
    }

    fn failure(&mut self, problem: &Problem) -> Vec<Event> {
        let mut response = self.begun.clone();
        response["status"] = json!("failed");
        response["error"] = json!({"code": problem.code(), "message": problem.message()});
        response["output"] = json!([self.item("incomplete", json!([content(&self.written, &[])]))]);
        vec![self.event("response.failed", json!({"response": response}))]
    }
}

fn status(choice: &Choice) -> &'static str {
    if choice.is_cut() { "incomplete" } else { "completed" }
}

fn content_of(choice: &Choice) -> Value {
    content(&choice.text, choice.scores.as_deref().unwrap_or_default())
}

fn content(text: &str, scores: &[Scored]) -> Value {
    let logprobs = scores::list(scores);
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs})
}
