//! What is asked: short and long, greedy and drawn, to a schema, from the documents.

use serde_json::{Value, json};

const QUESTIONS: [&str; 4] = [
    "What does a stall cost at the market?",
    "Wie viel beträgt die Hundesteuer?",
    "Wer hat den Mond entdeckt?",
    "When does the market open?",
];
const STORY: &str = "Once upon a time, there was a little girl who lived by the sea. ";

/// A request: where it goes, and what it says.
pub struct Request {
    pub path: &'static str,
    pub body: Value,
}

/// Where a schema stands among the shapes.
const SCHEMA: usize = 4;

/// What is asked of a model. One that has no tokens for braces is not asked for an object.
pub fn request(number: usize, model: &str) -> Request {
    let shape = match number % SHAPES.len() {
        SCHEMA if model.starts_with("stories656k") => 0,
        shape => shape,
    };
    SHAPES[shape](number)
}

/// The shapes of requests, one after the other.
pub const SHAPES: [fn(usize) -> Request; 11] = [
    |_| chat(STORY, json!({"temperature": 0})),
    |number| chat("Tell me of the sea.", json!({"temperature": 0.9, "seed": number, "top_p": 0.9})),
    |number| chat(&STORY.repeat(3), json!({"temperature": 1.3, "seed": number, "min_p": 0.05})),
    |number| text(&STORY[..1 + number % STORY.len()], json!({"temperature": 0})),
    |_| {
        let schema = json!({"type": "object", "additionalProperties": false,
            "properties": {"fee": {"type": "integer", "maximum": 999}, "paid": {"type": "boolean"}},
            "required": ["fee", "paid"]});
        let form = json!({"name": "fee", "strict": true, "schema": schema});
        let form = json!({"type": "json_schema", "json_schema": form});
        chat("Once upon a time, as JSON:", json!({"temperature": 0, "response_format": form}))
    },
    |number| ask(number),
    |number| chat(&STORY.repeat(4), json!({"temperature": 0.7, "seed": number, "n": 2})),
    |number| {
        let drawn = json!({"temperature": 1, "seed": number, "top_k": 20, "stop": ["e", "\n"]});
        text(&STORY.repeat(2), drawn)
    },
    |number| {
        let drawn = json!({"temperature": 0.8, "seed": number, "frequency_penalty": 0.6,
                           "presence_penalty": 0.3, "logit_bias": {"7": 1.25, "30": -4}});
        chat("Abc abc abc, said the girl.", drawn)
    },
    |number| text(STORY, json!({"temperature": 1, "seed": number, "best_of": 3, "n": 1})),
    |_| chat(&STORY.repeat(4), json!({"temperature": 0, "logprobs": true, "top_logprobs": 3})),
];

/// All requests of a number but those that every conversation begins with the same words.
fn chat(user: &str, drawn: Value) -> Request {
    let messages = json!([{"role": "system", "content": "You tell stories of the sea."},
                          {"role": "user", "content": user}]);
    asked("/v1/chat/completions", json!({"messages": messages}), drawn)
}

fn text(prompt: &str, drawn: Value) -> Request {
    asked("/v1/completions", json!({"prompt": prompt}), drawn)
}

fn asked(path: &'static str, mut body: Value, drawn: Value) -> Request {
    let fields = body.as_object_mut().unwrap();
    fields.extend(drawn.as_object().unwrap().clone());
    fields.insert("max_tokens".into(), json!(40));
    Request { path, body }
}

fn ask(number: usize) -> Request {
    Request { path: "/api/ask", body: json!({"question": QUESTIONS[number % QUESTIONS.len()]}) }
}
