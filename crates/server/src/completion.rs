//! The JSON of OpenAI's completions, of chats and of plain texts, whole and in chunks.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::envelope::new_id;
use crate::form::{Event, Form};
use crate::problem::Problem;
use crate::turn::Finished;

/// What all chunks of one completion share.
#[derive(Clone, Debug)]
struct Heading {
    id: String,
    created: i64,
    model: String,
}

impl Heading {
    fn new(prefix: &str, model: &str) -> Heading {
        let created = Timestamp::now().as_second();
        Heading { id: format!("{prefix}-{}", new_id()), created, model: model.to_owned() }
    }

    fn around(&self, object: &str, choices: Value) -> Value {
        json!({
            "id": self.id,
            "object": object,
            "created": self.created,
            "model": self.model,
            "choices": choices,
        })
    }
}

/// A chat completion.
pub(crate) struct ChatForm {
    heading: Heading,
    counts: bool,
}

impl ChatForm {
    /// `counts` adds a chunk with the numbers of tokens to a stream.
    pub(crate) fn new(model: &str, counts: bool) -> ChatForm {
        ChatForm { heading: Heading::new("chatcmpl", model), counts }
    }

    fn chunk(&self, delta: Value, finish_reason: Option<&str>) -> Value {
        let choice = json!({
            "index": 0,
            "delta": delta,
            "logprobs": null,
            "finish_reason": finish_reason,
        });
        let chunk = self.heading.around("chat.completion.chunk", json!([choice]));
        uncounted(chunk, self.counts)
    }
}

impl Form for ChatForm {
    fn whole(&self, finished: &Finished) -> Value {
        let choice = json!({
            "index": 0,
            "message": {"role": "assistant", "content": finished.text, "refusal": null},
            "logprobs": null,
            "finish_reason": finished.reason(),
        });
        counted(self.heading.around("chat.completion", json!([choice])), finished)
    }

    fn opening(&mut self) -> Vec<Event> {
        vec![Event::data(&self.chunk(json!({"role": "assistant", "content": ""}), None))]
    }

    fn piece(&mut self, text: &str) -> Vec<Event> {
        vec![Event::data(&self.chunk(json!({"content": text}), None))]
    }

    fn closing(&mut self, finished: &Finished) -> Vec<Event> {
        let last = self.chunk(json!({}), Some(finished.reason()));
        ending(last, finished, self.counts)
    }

    fn failure(&mut self, problem: &Problem) -> Vec<Event> {
        vec![Event::data(&problem.body())]
    }
}

/// A text that goes on from a prompt.
pub(crate) struct TextForm {
    heading: Heading,
    counts: bool,
    /// The prompt, where it is to stand before what the model writes.
    echo: String,
}

impl TextForm {
    /// As [`ChatForm::new`]; `echo` comes before the text.
    pub(crate) fn new(model: &str, counts: bool, echo: String) -> TextForm {
        TextForm { heading: Heading::new("cmpl", model), counts, echo }
    }

    fn chunk(&self, text: &str, finish_reason: Option<&str>) -> Value {
        let choice = json!({
            "index": 0,
            "text": text,
            "logprobs": null,
            "finish_reason": finish_reason,
        });
        uncounted(self.heading.around("text_completion", json!([choice])), self.counts)
    }
}

impl Form for TextForm {
    fn whole(&self, finished: &Finished) -> Value {
        let choice = json!({
            "index": 0,
            "text": format!("{}{}", self.echo, finished.text),
            "logprobs": null,
            "finish_reason": finished.reason(),
        });
        counted(self.heading.around("text_completion", json!([choice])), finished)
    }

    fn opening(&mut self) -> Vec<Event> {
        vec![Event::data(&self.chunk(&self.echo, None))]
    }

    fn piece(&mut self, text: &str) -> Vec<Event> {
        vec![Event::data(&self.chunk(text, None))]
    }

    fn closing(&mut self, finished: &Finished) -> Vec<Event> {
        let last = self.chunk("", Some(finished.reason()));
        ending(last, finished, self.counts)
    }

    fn failure(&mut self, problem: &Problem) -> Vec<Event> {
        vec![Event::data(&problem.body())]
    }
}

/// A chunk of a stream that counts tokens at its end says that it does not count them.
fn uncounted(mut chunk: Value, counts: bool) -> Value {
    if counts {
        chunk["usage"] = Value::Null;
    }
    chunk
}

fn counted(mut completion: Value, finished: &Finished) -> Value {
    completion["usage"] = usage(finished);
    completion["allod"] = finished.extension.clone();
    completion
}

/// The last chunk with a choice, the count if it is asked for, and the end.
fn ending(mut last: Value, finished: &Finished, counts: bool) -> Vec<Event> {
    let mut count = last.clone();
    last["allod"] = finished.extension.clone();
    let mut events = vec![Event::data(&last)];
    if counts {
        count["choices"] = json!([]);
        count["usage"] = usage(finished);
        events.push(Event::data(&count));
    }
    events.push(Event::done());
    events
}

fn usage(finished: &Finished) -> Value {
    let tokens = finished.tokens;
    json!({
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.completion,
        "total_tokens": tokens.prompt + tokens.completion,
        "prompt_tokens_details": {"cached_tokens": finished.cached},
    })
}
