//! What is asked: a fixed mixture of kinds, drawn by each client from numbers of its own.

use std::ops::Range;

use allod_engine::Random;
use anyhow::Context;
use serde_json::{Value, json};

use super::server::Target;
use crate::arguments::BenchServeArguments;

/// Kinds of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A short conversation.
    Short,
    /// A long document and a question.
    Long,
    /// A conversation whose client goes away after a few tokens.
    Cancelled,
    /// An answer that keeps to a JSON schema.
    Schema,
    /// A call of a tool.
    Tool,
}

impl Kind {
    /// All kinds and how many of a hundred requests are of each.
    pub const SHARES: [(Kind, usize); 5] = [
        (Kind::Short, 55),
        (Kind::Long, 5),
        (Kind::Cancelled, 15),
        (Kind::Schema, 15),
        (Kind::Tool, 10),
    ];

    /// The kind's name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Short => "short",
            Kind::Long => "long",
            Kind::Cancelled => "cancelled",
            Kind::Schema => "schema",
            Kind::Tool => "tool",
        }
    }
}

/// Words that no rule of a policy looks for.
const WORDS: [&str; 24] = [
    "river", "stone", "cloud", "green", "window", "garden", "paper", "silver", "morning", "bridge",
    "forest", "music", "kettle", "lantern", "meadow", "copper", "harbour", "violet", "thunder",
    "pebble", "orchard", "feather", "marble", "willow",
];

/// Clients that go away do so after this many pieces at most.
const PIECES_MAX: u64 = 6;

/// A request to be sent.
pub struct Request {
    /// What kind it is.
    pub kind: Kind,
    /// Its body.
    pub body: Value,
    /// Tokens of its prompt, about.
    pub prompt_tokens: u64,
    /// After so many pieces of text the client goes away.
    pub leaves_after: Option<u64>,
}

/// Words of all but long prompts.
const SHORT_WORDS: Range<usize> = 4..32;

/// What can be asked of a server.
pub struct Traffic {
    model: String,
    adapters: Vec<String>,
    /// Tokens of a word, on average.
    tokens_per_word: f64,
    /// Tokens of a long prompt.
    pub long_tokens: usize,
    /// Tokens that an answer has at most.
    answer_tokens: usize,
    /// Kinds that the server does not know, with its reason.
    pub unknown: Vec<(Kind, String)>,
}

impl Traffic {
    /// Asks the server what it is and what it takes.
    pub fn probe(target: &Target, arguments: &BenchServeArguments) -> anyhow::Result<Traffic> {
        let models = target.get("/v1/models")?;
        let data = models["data"].as_array().context("the server lists no models")?;
        let ids = data.iter().filter(|one| one["parent"].is_null());
        let ids: Vec<&str> = ids.filter_map(|one| one["id"].as_str()).collect();
        let named = arguments.ask.as_deref();
        let model = named.or_else(|| ids.into_iter().find(|id| *id != "allod/documents"));
        let model = model.context("the server has no model that writes: start it with --model")?;
        let adapters = data.iter().filter(|one| one["parent"] == model);
        let adapters = adapters.filter_map(|one| one["id"].as_str()).map(str::to_owned).collect();
        let sample = WORDS.join(" ");
        let counted =
            target.post("/tokenize", &json!({"model": model, "prompt": format!(" {sample}")}));
        let (tokens_per_word, context) = match counted {
            Ok(counted) => (
                counted["count"].as_f64().unwrap_or(36.0) / WORDS.len() as f64,
                counted["max_model_len"].as_u64().unwrap_or(4096) as usize,
            ),
            Err(_) => (1.5, 4096),
        };
        // The template's own words need a little room.
        let room = context.saturating_sub(arguments.answer_tokens + 64);
        let mut traffic = Traffic {
            model: model.to_owned(),
            adapters,
            tokens_per_word,
            long_tokens: arguments.long_tokens.min(room),
            answer_tokens: arguments.answer_tokens,
            unknown: Vec::new(),
        };
        for kind in [Kind::Schema, Kind::Tool] {
            let mut body = traffic.body(kind, &mut Random::new(1), SHORT_WORDS.end);
            // Whole, so that a refusal is one whenever it comes.
            body["stream"] = json!(false);
            body["stream_options"] = Value::Null;
            if let Err(error) = target.post("/v1/chat/completions", &body) {
                traffic.unknown.push((kind, error.to_string()));
            }
        }
        Ok(traffic)
    }

    /// The next request of a client.
    pub fn draw(&self, random: &mut Random) -> Request {
        let kind = self.kind(random);
        let words = match kind {
            Kind::Long => self.words_of(self.long_tokens),
            _ => SHORT_WORDS.start + random.next_u64() as usize % SHORT_WORDS.len(),
        };
        let leaves = kind == Kind::Cancelled;
        Request {
            kind,
            body: self.body(kind, random, words),
            prompt_tokens: (words as f64 * self.tokens_per_word) as u64,
            leaves_after: leaves.then(|| random.next_u64() % (PIECES_MAX + 1)),
        }
    }

    fn kind(&self, random: &mut Random) -> Kind {
        let unknown = |kind: Kind| self.unknown.iter().any(|(other, _)| *other == kind);
        let mut mark = (random.next_u64() % 100) as usize;
        for (kind, share) in Kind::SHARES {
            if mark < share {
                return if unknown(kind) { Kind::Short } else { kind };
            }
            mark -= share;
        }
        Kind::Short
    }

    fn words_of(&self, tokens: usize) -> usize {
        // A few less: the words of a draw differ from the sample's.
        (0.97 * tokens as f64 / self.tokens_per_word).max(1.0) as usize
    }

    fn body(&self, kind: Kind, random: &mut Random, words: usize) -> Value {
        let word = |_| WORDS[(random.next_u64() % WORDS.len() as u64) as usize];
        let text: String = (0..words).map(word).collect::<Vec<&str>>().join(" ");
        let adapter = random.next_u64() as usize % (2 * self.adapters.len().max(1));
        let mut body = json!({
            // Half of the requests go to the model itself.
            "model": self.adapters.get(adapter).unwrap_or(&self.model),
            "messages": [{"role": "user", "content": text}],
            "max_tokens": self.answer_tokens,
            "temperature": 1,
            "seed": random.next_u64() >> 1,
            "stream": true,
            "stream_options": {"include_usage": true},
        });
        match kind {
            Kind::Short | Kind::Long | Kind::Cancelled => {}
            Kind::Schema => {
                let schema = json!({"name": "finding", "strict": true, "schema": schema()});
                body["response_format"] = json!({"type": "json_schema", "json_schema": schema});
                body["max_tokens"] = json!(self.answer_tokens.max(200));
            }
            Kind::Tool => {
                let function = json!({"name": "note", "parameters": schema()});
                body["tools"] = json!([{"type": "function", "function": function}]);
                body["tool_choice"] = json!({"type": "function", "function": {"name": "note"}});
                body["max_tokens"] = json!(self.answer_tokens.max(200));
            }
        }
        body
    }
}

/// What constrained answers are.
fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "kind": {"enum": ["river", "forest", "meadow"]},
            "sure": {"type": "boolean"},
            "count": {"type": "integer", "minimum": 0, "maximum": 999},
        },
        "required": ["kind", "sure", "count"],
        "additionalProperties": false,
    })
}

/// Whether a text is what [`schema`] says.
pub fn is_valid(text: &str) -> bool {
    let Ok(value) = serde_json::from_str::<Value>(text) else { return false };
    let fields = value.as_object().map_or(0, |object| object.len());
    let kind =
        value["kind"].as_str().is_some_and(|kind| ["river", "forest", "meadow"].contains(&kind));
    let count = value["count"]
        .as_f64()
        .is_some_and(|count| count.fract() == 0.0 && (0.0..=999.0).contains(&count));
    fields == 3 && kind && count && value["sure"].is_boolean()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_to_the_schema_is_told_from_what_does_not() {
        assert!(is_valid(r#" {"kind": "river", "sure": true, "count": 7}"#));
        for wrong in [
            "",
            r#"{"kind": "lake", "sure": true, "count": 7}"#,
            r#"{"kind": "river", "sure": 1, "count": 7}"#,
            r#"{"kind": "river", "sure": true, "count": 1000}"#,
            r#"{"kind": "river", "sure": true, "count": 1.5}"#,
            r#"{"kind": "river", "sure": true}"#,
            r#"{"kind": "river", "sure": true, "count": 7, "more": 1}"#,
        ] {
            assert!(!is_valid(wrong), "{wrong}");
        }
    }

    #[test]
    fn the_shares_are_of_a_hundred() {
        assert_eq!(Kind::SHARES.iter().map(|(_, share)| share).sum::<usize>(), 100);
    }
}
