//! How one family of interfaces writes a turn: whole, or as server-sent events.

use serde_json::Value;

use crate::problem::Problem;
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

/// Writes one turn.
pub(crate) trait Form: Send + 'static {
    /// The whole response.
    fn whole(&self, finished: &Finished) -> Value;

    /// What comes before the text of a stream.
    fn opening(&mut self) -> Vec<Event>;

    /// A piece of the text.
    fn piece(&mut self, text: &str) -> Vec<Event>;

    /// What comes after the text; the turn's receipt is durable.
    fn closing(&mut self, finished: &Finished) -> Vec<Event>;

    /// What ends a stream that was begun and cannot be finished.
    fn failure(&mut self, problem: &Problem) -> Vec<Event>;
}
