//! How one family of interfaces writes a turn: whole, or as server-sent events.

use serde_json::Value;

use crate::problem::Problem;
use crate::scores::Scored;
use crate::turn::Finished;

/// One server-sent event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    /// The event's name, where the interface names events.
    pub(crate) name: Option<&'static str>,
    /// Its data.
    pub(crate) data: String,
}

impl Event {
    /// An event without a name.
    pub(crate) fn data(value: &Value) -> Event {
        Event { name: None, data: value.to_string() }
    }

    /// An event that bears its name in the field `type` too.
    pub(crate) fn named(name: &'static str, mut value: Value) -> Event {
        value["type"] = name.into();
        Event { name: Some(name), data: value.to_string() }
    }

    /// The end of a stream of OpenAI's completions.
    pub(crate) fn done() -> Event {
        Event { name: None, data: "[DONE]".into() }
    }
}

/// A part of one of the answers, as the model writes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Part<'a> {
    /// Which answer: from 0 on.
    pub(crate) choice: usize,
    /// What of the answer it is.
    pub(crate) kind: Kind,
    /// Text that is certain to stay; the tool's name, where a call begins.
    pub(crate) text: &'a str,
    /// What is told of the tokens that it is made of, where that was asked for. Tokens whose text
    /// a stop text took away come with the last part.
    pub(crate) scores: Option<Vec<Scored>>,
}

/// What a part of an answer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The answer's text.
    #[default]
    Text,
    /// What the model thinks before it answers.
    Reasoning,
    /// A call of a tool begins.
    Call,
    /// The arguments of the call that was begun last.
    Arguments,
}

/// Writes one turn.
pub(crate) trait Form: Send + 'static {
    /// The whole response.
    fn whole(&self, finished: &Finished) -> Value;

    /// What comes before the text of a stream.
    fn opening(&mut self) -> Vec<Event>;

    /// A part of one of the answers.
    fn part(&mut self, part: &Part) -> Vec<Event>;

    /// What comes after all text; the turn's receipt is durable.
    fn closing(&mut self, finished: &Finished) -> Vec<Event>;

    /// What ends a stream that was begun and cannot be finished.
    fn failure(&mut self, problem: &Problem) -> Vec<Event>;
}
