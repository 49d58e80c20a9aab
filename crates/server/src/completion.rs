//! The JSON of OpenAI's completions, of chats and of plain texts, whole and in chunks.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::envelope::new_id;
use crate::form::{Event, Form, Kind, Part};
use crate::problem::Problem;
use crate::speaking::Call;
use crate::turn::{Choice, Finished};
use crate::{conversation, scores};

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
    /// The answers that have begun.
    begun: BTreeSet<usize>,
    /// How many calls of each answer have begun.
    calls: BTreeMap<usize, usize>,
}

impl ChatForm {
    /// `counts` adds a chunk with the numbers of tokens to a stream.
    pub(crate) fn new(model: &str, counts: bool) -> ChatForm {
        let heading = Heading::new("chatcmpl", model);
        ChatForm { heading, counts, begun: BTreeSet::new(), calls: BTreeMap::new() }
    }

    fn chunk(&self, choice: Value) -> Value {
        uncounted(self.heading.around("chat.completion.chunk", json!([choice])), self.counts)
    }

    /// The first chunk of an answer, unless it has begun.
    fn begin(&mut self, index: usize) -> Option<Event> {
        let delta = json!({"role": "assistant", "content": ""});
        let begins = self.begun.insert(index);
        begins.then(|| Event::data(&self.chunk(chat_delta(index, delta, Value::Null, None))))
    }
}

impl ChatForm {
    /// The same in a stream and in one piece.
    fn call_id(&self, choice: usize, call: usize) -> String {
        let id = self.heading.id.trim_start_matches("chatcmpl-");
        format!("call_{id}{choice:02}{call:02}")
    }

    fn message(&self, index: usize, choice: &Choice) -> Value {
        let call = |(number, call): (usize, &Call)| {
            conversation::call(&self.call_id(index, number), &call.name, &call.arguments)
        };
        let silent = choice.text.is_empty() && !choice.calls.is_empty();
        let content = (!silent).then_some(&choice.text);
        let mut message = json!({"role": "assistant", "content": content, "refusal": null});
        if !choice.reasoning.is_empty() {
            message["reasoning_content"] = json!(choice.reasoning);
        }
        if !choice.calls.is_empty() {
            message["tool_calls"] = choice.calls.iter().enumerate().map(call).collect();
        }
        message
    }

    /// What a part adds to its answer.
    fn delta(&mut self, part: &Part) -> Value {
        let begun = self.calls.entry(part.choice).or_default();
        match part.kind {
            Kind::Text => json!({"content": part.text}),
            Kind::Reasoning => json!({"reasoning_content": part.text}),
            Kind::Call => {
                let number = *begun;
                *begun += 1;
                let mut call =
                    conversation::call(&self.call_id(part.choice, number), part.text, "");
                call["index"] = json!(number);
                json!({"tool_calls": [call]})
            }
            Kind::Arguments => {
                let function = json!({"arguments": part.text});
                json!({"tool_calls": [{"index": begun.saturating_sub(1), "function": function}]})
            }
        }
    }
}

impl Form for ChatForm {
    fn whole(&self, finished: &Finished) -> Value {
        let choice = |(index, choice): (usize, &Choice)| {
            json!({
                "index": index,
                "message": self.message(index, choice),
                "logprobs": scores::of_chat(choice.scores.as_deref()),
                "finish_reason": choice.reason(),
            })
        };
        let choices = finished.choices.iter().enumerate().map(choice).collect();
        counted(self.heading.around("chat.completion", choices), finished)
    }

    fn opening(&mut self) -> Vec<Event> {
        self.begin(0).into_iter().collect()
    }

    fn part(&mut self, part: &Part) -> Vec<Event> {
        let mut events: Vec<Event> = self.begin(part.choice).into_iter().collect();
        let logprobs = scores::of_chat(part.scores.as_deref());
        let delta = self.delta(part);
        let choice = chat_delta(part.choice, delta, logprobs, None);
        events.push(Event::data(&self.chunk(choice)));
        events
    }

    fn closing(&mut self, finished: &Finished) -> Vec<Event> {
        let mut events: Vec<Event> =
            (0..finished.choices.len()).filter_map(|index| self.begin(index)).collect();
        let last = |(index, choice): (usize, &Choice)| {
            self.chunk(chat_delta(index, json!({}), Value::Null, Some(choice.reason())))
        };
        let chunks = finished.choices.iter().enumerate().map(last).collect();
        events.extend(ending(chunks, finished, self.counts));
        events
    }

    fn failure(&mut self, problem: &Problem) -> Vec<Event> {
        vec![Event::data(&problem.body())]
    }
}

fn chat_delta(index: usize, delta: Value, logprobs: Value, reason: Option<&str>) -> Value {
    json!({"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason})
}

/// A text that goes on from a prompt.
pub(crate) struct TextForm {
    heading: Heading,
    counts: bool,
    /// The prompt, where it is to stand before what the model writes.
    echo: String,
    /// Characters of each answer whose tokens were told.
    told: BTreeMap<usize, usize>,
}

impl TextForm {
    /// As [`ChatForm::new`]; `echo` comes before the text.
    pub(crate) fn new(model: &str, counts: bool, echo: String) -> TextForm {
        TextForm { heading: Heading::new("cmpl", model), counts, echo, told: BTreeMap::new() }
    }

    fn chunk(&self, choice: Value) -> Value {
        uncounted(self.heading.around("text_completion", json!([choice])), self.counts)
    }

    /// The prompt before an answer, if it is asked for and was not sent.
    fn begin(&mut self, index: usize) -> Option<Event> {
        let begins = self.told.insert(index, self.echo.chars().count()).is_none();
        let chunk = || self.chunk(text_choice(index, &self.echo, Value::Null, None));
        (begins && !self.echo.is_empty()).then(|| Event::data(&chunk()))
    }
}

impl Form for TextForm {
    fn whole(&self, finished: &Finished) -> Value {
        let before = self.echo.chars().count();
        let choice = |(index, choice): (usize, &Choice)| {
            let text = format!("{}{}", self.echo, choice.text);
            let logprobs = scores::of_text(choice.scores.as_deref(), before);
            text_choice(index, &text, logprobs, Some(choice.reason()))
        };
        let choices = finished.choices.iter().enumerate().map(choice).collect();
        counted(self.heading.around("text_completion", choices), finished)
    }

    fn opening(&mut self) -> Vec<Event> {
        let begun = self.begin(0);
        // A stream opens with something, so that the client knows that it is served.
        let first = || Event::data(&self.chunk(text_choice(0, "", Value::Null, None)));
        vec![begun.unwrap_or_else(first)]
    }

    fn part(&mut self, part: &Part) -> Vec<Event> {
        let mut events: Vec<Event> = match self.told.contains_key(&part.choice) {
            true => Vec::new(),
            false => self.begin(part.choice).into_iter().collect(),
        };
        let before = self.told.entry(part.choice).or_default();
        let logprobs = scores::of_text(part.scores.as_deref(), *before);
        *before += part.scores.as_deref().map_or(0, scores::characters);
        let choice = text_choice(part.choice, part.text, logprobs, None);
        events.push(Event::data(&self.chunk(choice)));
        events
    }

    fn closing(&mut self, finished: &Finished) -> Vec<Event> {
        let silent = |index: &usize| !self.told.contains_key(index);
        let silent: Vec<usize> = (0..finished.choices.len()).filter(silent).collect();
        let mut events: Vec<Event> =
            silent.into_iter().filter_map(|index| self.begin(index)).collect();
        let last = |(index, choice): (usize, &Choice)| {
            self.chunk(text_choice(index, "", Value::Null, Some(choice.reason())))
        };
        let chunks = finished.choices.iter().enumerate().map(last).collect();
        events.extend(ending(chunks, finished, self.counts));
        events
    }

    fn failure(&mut self, problem: &Problem) -> Vec<Event> {
        vec![Event::data(&problem.body())]
    }
}

fn text_choice(index: usize, text: &str, logprobs: Value, reason: Option<&str>) -> Value {
    json!({"index": index, "text": text, "logprobs": logprobs, "finish_reason": reason})
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

/// The last chunks with choices, the count if it is asked for, and the end.
fn ending(mut chunks: Vec<Value>, finished: &Finished, counts: bool) -> Vec<Event> {
    let last = chunks.last_mut().expect("there is an answer");
    let mut count = last.clone();
    last["allod"] = finished.extension.clone();
    let mut events: Vec<Event> = chunks.iter().map(Event::data).collect();
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
        "completion_tokens_details": {"reasoning_tokens": finished.reasoning_tokens},
    })
}
