//! The parameters of a chat completion: each is honoured or refused by its name, never ignored.

use allod_engine::{Message, Sampling};
use serde_json::{Map, Value, json};

use crate::problem::Problem;

/// Messages, stops and their lengths stay within the body's limit; their number within these.
const MESSAGES_MAX: usize = 1_000;
const STOPS_MAX: usize = 4;

/// What is honoured.
const HONOURED: [&str; 15] = [
    "model",
    "messages",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "seed",
    "stop",
    "n",
    "user",
];

/// What a chat completion asks for.
#[derive(Debug)]
pub(crate) struct Parameters {
    pub(crate) model: String,
    pub(crate) messages: Vec<Message>,
    pub(crate) delivery: Delivery,
    pub(crate) max_tokens: Option<usize>,
    pub(crate) stop: Vec<String>,
    drawing: Drawing,
}

/// How the answer is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// In one piece.
    Whole,
    /// As server-sent events.
    Stream {
        /// Whether the last event before the end counts tokens.
        usage: bool,
    },
}

/// How tokens are to be drawn, as far as the request says.
#[derive(Debug, Default)]
struct Drawing {
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<u64>,
    min_p: Option<f64>,
    repetition_penalty: Option<f64>,
    seed: Option<u64>,
}

impl Parameters {
    /// Reads a request's fields.
    pub(crate) fn read(fields: &Map<String, Value>) -> Result<Parameters, Problem> {
        fields.iter().try_for_each(|(name, value)| known(name, value))?;
        let fields = Fields(fields);
        if fields.whole("n", 1, 1)?.is_none() && fields.get("n").is_some() {
            return Err(Problem::field("n", "`n` must be 1: one answer per request"));
        }
        let longest = fields.whole("max_completion_tokens", 1, u64::MAX)?;
        let longest = longest.or(fields.whole("max_tokens", 1, u64::MAX)?);
        Ok(Parameters {
            model: fields.required_text("model")?,
            messages: messages(fields.get("messages"))?,
            delivery: delivery(&fields)?,
            max_tokens: longest.map(|tokens| usize::try_from(tokens).unwrap_or(usize::MAX)),
            stop: stop(fields.get("stop"))?,
            drawing: Drawing::read(&fields)?,
        })
    }

    /// The last message of the user: the question, when the documents are asked.
    pub(crate) fn question(&self) -> Result<String, Problem> {
        let asked = self.messages.iter().rev().find(|message| message.role == "user");
        asked
            .map(|message| message.content.clone())
            .ok_or_else(|| Problem::field("messages", "there is no message with the role `user`"))
    }

    /// The sampling of a chat: greedy, unless the request draws. A draw without a seed gets a
    /// random one, which the receipt holds.
    pub(crate) fn sampling(&self) -> Sampling {
        let (asked, standard) = (&self.drawing, Sampling::default());
        let narrow = |given: Option<f64>, standard: f32| given.map_or(standard, |x| x as f32);
        let temperature = narrow(asked.temperature, standard.temperature);
        let draws = temperature > 0.0;
        let random = || if draws { getrandom::u64().unwrap_or_default() } else { standard.seed };
        Sampling {
            temperature,
            top_p: narrow(asked.top_p, standard.top_p),
            top_k: asked.top_k.map_or(standard.top_k, |k| k as usize),
            min_p: narrow(asked.min_p, standard.min_p),
            repetition_penalty: narrow(asked.repetition_penalty, standard.repetition_penalty),
            seed: asked.seed.unwrap_or_else(random),
            ..standard
        }
    }

    /// Answers from the documents are quoted or drawn greedily and end where the evidence does, so
    /// only what asks for just that is taken.
    pub(crate) fn check_for_documents(&self, answer_tokens_max: usize) -> Result<(), Problem> {
        let asked = &self.drawing;
        let refused = [
            ("temperature", asked.temperature.is_some_and(|t| t != 0.0)),
            ("top_p", asked.top_p.is_some_and(|p| p != 1.0)),
            ("top_k", asked.top_k.is_some_and(|k| k > 1)),
            ("min_p", asked.min_p.is_some_and(|p| p != 0.0)),
            ("repetition_penalty", asked.repetition_penalty.is_some_and(|p| p != 1.0)),
            ("stop", !self.stop.is_empty()),
        ];
        if let Some((name, _)) = refused.iter().find(|(_, refused)| *refused) {
            return Err(Problem::field(
                *name,
                format!(
                    "`{name}` cannot be set for {}: its answers are never drawn at random or cut; \
                 leave it out",
                    crate::DOCUMENTS_MODEL
                ),
            ));
        }
        if self.max_tokens.is_some_and(|tokens| tokens < answer_tokens_max) {
            return Err(Problem::field(
                "max_tokens",
                format!(
                    "an answer of {} cannot be cut below the policy's limit of {answer_tokens_max} \
                 tokens; leave `max_tokens` out",
                    crate::DOCUMENTS_MODEL
                ),
            ));
        }
        Ok(())
    }
}

impl Drawing {
    fn read(fields: &Fields) -> Result<Drawing, Problem> {
        Ok(Drawing {
            temperature: fields.number("temperature", 0.0, 2.0)?,
            top_p: fields.number("top_p", f64::MIN_POSITIVE, 1.0)?,
            top_k: fields.whole("top_k", 0, 1 << 20)?,
            min_p: fields.number("min_p", 0.0, 1.0)?,
            repetition_penalty: fields.number("repetition_penalty", 0.01, 10.0)?,
            seed: seed(fields.get("seed"))?,
        })
    }
}

/// Whether a field may be there. A null asks for nothing. The values below ask for what happens
/// anyway.
fn known(name: &str, value: &Value) -> Result<(), Problem> {
    let harmless = match name {
        "frequency_penalty" | "presence_penalty" => value.as_f64() == Some(0.0),
        "logprobs" | "store" => *value == Value::Bool(false),
        "logit_bias" => *value == json!({}),
        "response_format" => *value == json!({"type": "text"}),
        "tools" => *value == json!([]),
        "tool_choice" => *value == "none",
        "service_tier" => *value == "auto" || *value == "default",
        _ => HONOURED.contains(&name),
    };
    if harmless || value.is_null() {
        return Ok(());
    }
    let shown: String = name.chars().take(60).collect();
    let message = format!("`{shown}` is not supported here with this value; leave it out");
    Err(Problem::field(shown, message))
}

fn delivery(fields: &Fields) -> Result<Delivery, Problem> {
    let options = fields.get("stream_options");
    if !fields.boolean("stream")? {
        return match options {
            None => Ok(Delivery::Whole),
            Some(_) => {
                Err(Problem::field("stream_options", "`stream_options` is only for `stream: true`"))
            }
        };
    }
    let Some(options) = options else { return Ok(Delivery::Stream { usage: false }) };
    let wrong = || Problem::field("stream_options", "it may hold only `include_usage`, a boolean");
    let options = options.as_object().ok_or_else(wrong)?;
    match (options.len(), options.get("include_usage")) {
        (0, _) => Ok(Delivery::Stream { usage: false }),
        (1, Some(Value::Bool(usage))) => Ok(Delivery::Stream { usage: *usage }),
        _ => Err(wrong()),
    }
}

fn messages(value: Option<&Value>) -> Result<Vec<Message>, Problem> {
    let given = value.and_then(Value::as_array).filter(|messages| !messages.is_empty());
    let wrong = || Problem::field("messages", "`messages` must be a list of one message or more");
    let given = given.ok_or_else(wrong)?;
    if given.len() > MESSAGES_MAX {
        let message = format!("there are {} messages, at most {MESSAGES_MAX} go", given.len());
        return Err(Problem::field("messages", message));
    }
    given.iter().enumerate().map(|(at, message)| read_message(at, message)).collect()
}

fn read_message(at: usize, value: &Value) -> Result<Message, Problem> {
    let place = |field: &str| format!("messages[{at}]{field}");
    let object = value.as_object();
    let object = object.ok_or_else(|| Problem::field(place(""), "a message is an object"))?;
    // What a client echoes from an earlier answer may hold empty fields.
    let surplus = object.iter().find(|(name, value)| {
        !matches!(name.as_str(), "role" | "content") && !value.is_null() && **value != json!([])
    });
    if let Some((name, _)) = surplus {
        let message = "a message may hold `role` and `content` only";
        return Err(Problem::field(place(&format!(".{name}")), message));
    }
    let role = match object.get("role").and_then(Value::as_str) {
        Some("system" | "developer") => "system",
        Some("user") => "user",
        Some("assistant") => "assistant",
        _ => {
            let message = "the role must be system, developer, user or assistant";
            return Err(Problem::field(place(".role"), message));
        }
    };
    let content = object.get("content").and_then(text_of).ok_or_else(|| {
        let message = "the content must be a text, or a list of parts {\"type\": \"text\"}";
        Problem::field(place(".content"), message)
    })?;
    Ok(Message { role: role.into(), content })
}

/// A text, or the texts of a list of text parts, a line each.
fn text_of(content: &Value) -> Option<String> {
    if let Some(text) = content.as_str() {
        return Some(text.to_owned());
    }
    let part = |part: &Value| match part["type"].as_str() {
        Some("text") => part["text"].as_str().map(str::to_owned),
        _ => None,
    };
    let parts: Option<Vec<String>> = content.as_array()?.iter().map(part).collect();
    parts.map(|parts| parts.join("\n"))
}

fn stop(value: Option<&Value>) -> Result<Vec<String>, Problem> {
    let wrong = || {
        Problem::field("stop", format!("`stop` must be a text or up to {STOPS_MAX}, none empty"))
    };
    let texts: Option<Vec<String>> = match value {
        None => Some(Vec::new()),
        Some(Value::String(text)) => Some(vec![text.clone()]),
        Some(Value::Array(texts)) => {
            texts.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        }
        Some(_) => None,
    };
    let fits =
        |texts: &Vec<String>| texts.len() <= STOPS_MAX && texts.iter().all(|text| !text.is_empty());
    texts.filter(fits).ok_or_else(wrong)
}

/// A seed may be any integer of 64 bits; a negative one stands for its bits.
fn seed(value: Option<&Value>) -> Result<Option<u64>, Problem> {
    let Some(value) = value else { return Ok(None) };
    let bits = value.as_u64().or_else(|| value.as_i64().map(i64::cast_unsigned));
    bits.map(Some).ok_or_else(|| Problem::field("seed", "`seed` must be an integer of 64 bits"))
}

/// The fields of a request; one that is null is not there.
struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn required_text(&self, name: &str) -> Result<String, Problem> {
        let text = self.get(name).and_then(Value::as_str);
        let wrong = || Problem::field(name, format!("`{name}` must be a text"));
        text.map(str::to_owned).ok_or_else(wrong)
    }

    fn boolean(&self, name: &str) -> Result<bool, Problem> {
        let Some(value) = self.get(name) else { return Ok(false) };
        let wrong = || Problem::field(name, format!("`{name}` must be true or false"));
        value.as_bool().ok_or_else(wrong)
    }

    fn number(&self, name: &str, least: f64, most: f64) -> Result<Option<f64>, Problem> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = value.as_f64().filter(|number| (least..=most).contains(number));
        let bounds = if least == f64::MIN_POSITIVE { "above 0".into() } else { format!("{least}") };
        let wrong = || format!("`{name}` must be a number from {bounds} to {most}");
        number.map(Some).ok_or_else(|| Problem::field(name, wrong()))
    }

    fn whole(&self, name: &str, least: u64, most: u64) -> Result<Option<u64>, Problem> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = value.as_u64().filter(|number| (least..=most).contains(number));
        let wrong = || match most {
            u64::MAX => format!("`{name}` must be an integer of {least} or more"),
            most if most == least => format!("`{name}` must be {least}"),
            _ => format!("`{name}` must be an integer from {least} to {most}"),
        };
        number.map(Some).ok_or_else(|| Problem::field(name, wrong()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(extra: Value) -> Result<Parameters, Problem> {
        let mut fields = json!({"model": "m", "messages": [{"role": "user", "content": "Q"}]});
        let fields = fields.as_object_mut().unwrap();
        fields.extend(extra.as_object().unwrap().clone());
        Parameters::read(fields)
    }

    fn refused_param(extra: Value) -> String {
        let body = read(extra.clone()).expect_err(&extra.to_string()).body();
        body["error"]["param"].as_str().unwrap().to_owned()
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        for (extra, param) in [
            (json!({"tools": [{"type": "function"}]}), "tools"),
            (json!({"response_format": {"type": "json_object"}}), "response_format"),
            (json!({"frequency_penalty": 0.5}), "frequency_penalty"),
            (json!({"logprobs": true}), "logprobs"),
            (json!({"n": 2}), "n"),
            (json!({"temperature": 3}), "temperature"),
            (json!({"temperature": "hot"}), "temperature"),
            (json!({"top_p": 0}), "top_p"),
            (json!({"top_k": -1}), "top_k"),
            (json!({"seed": 1.5}), "seed"),
            (json!({"stop": ["a", ""]}), "stop"),
            (json!({"stop": ["a", "b", "c", "d", "e"]}), "stop"),
            (json!({"max_tokens": 0}), "max_tokens"),
            (json!({"stream": "yes"}), "stream"),
            (json!({"stream_options": {"include_usage": true}}), "stream_options"),
            (json!({"stream": true, "stream_options": {"x": true}}), "stream_options"),
            (json!({"surprise": 1}), "surprise"),
            (json!({"messages": []}), "messages"),
            (json!({"messages": [{"role": "tool", "content": "x"}]}), "messages[0].role"),
            (json!({"messages": [{"role": "user", "content": 1}]}), "messages[0].content"),
            (
                json!({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}),
                "messages[0].content",
            ),
            (
                json!({"messages": [{"role": "user", "content": "x", "name": "y"}]}),
                "messages[0].name",
            ),
        ] {
            assert_eq!(refused_param(extra), param);
        }
    }

    #[test]
    fn what_asks_for_nothing_special_is_taken() {
        let extra = json!({
            "n": 1, "user": "someone", "frequency_penalty": 0, "presence_penalty": 0.0,
            "logprobs": false, "logit_bias": {}, "response_format": {"type": "text"}, "tools": [],
            "tool_choice": "none", "store": false, "surprise": null, "temperature": null,
        });
        assert_eq!(read(extra).unwrap().sampling(), Sampling::default());
    }

    #[test]
    fn messages_may_be_texts_or_text_parts() {
        let parameters = read(json!({"messages": [
            {"role": "developer", "content": "Be kind."},
            {"role": "assistant", "content": "Yes?", "refusal": null, "tool_calls": []},
            {"role": "user", "content": [
                {"type": "text", "text": "a"}, {"type": "text", "text": "b"},
            ]},
        ]}))
        .unwrap();
        assert_eq!(parameters.messages[0].role, "system");
        assert_eq!(parameters.question().unwrap(), "a\nb");
    }

    #[test]
    fn the_request_sets_the_sampling() {
        let parameters = read(json!({
            "temperature": 0.5, "top_p": 0.9, "top_k": 40, "min_p": 0.1,
            "repetition_penalty": 1.5, "seed": -1, "max_tokens": 9, "max_completion_tokens": 7,
        }))
        .unwrap();
        let sampling = parameters.sampling();
        assert_eq!((sampling.temperature, sampling.top_k), (0.5, 40));
        assert_eq!((sampling.top_p, sampling.min_p), (0.9, 0.1));
        assert_eq!((sampling.repetition_penalty, sampling.seed), (1.5, u64::MAX));
        assert_eq!(parameters.max_tokens, Some(7));
    }

    #[test]
    fn a_draw_without_a_seed_gets_a_random_one() {
        let seed = || read(json!({"temperature": 1})).unwrap().sampling().seed;
        assert_ne!(seed(), seed());
        let greedy = read(json!({"temperature": 0})).unwrap().sampling();
        assert_eq!(greedy.seed, Sampling::default().seed);
    }

    #[test]
    fn the_documents_take_nothing_that_would_change_or_cut_an_answer() {
        let check = |extra| read(extra).unwrap().check_for_documents(512);
        for plain in [
            json!({"temperature": 0, "top_p": 1, "top_k": 1, "seed": 3, "max_tokens": 512}),
            json!({"repetition_penalty": 1, "min_p": 0, "top_k": 0}),
        ] {
            check(plain).unwrap();
        }
        for drawn in [
            json!({"temperature": 0.7}),
            json!({"top_p": 0.9}),
            json!({"top_k": 40}),
            json!({"stop": "x"}),
            json!({"max_tokens": 5}),
            json!({"repetition_penalty": 1.1}),
        ] {
            assert!(check(drawn.clone()).is_err(), "{drawn}");
        }
    }
}
