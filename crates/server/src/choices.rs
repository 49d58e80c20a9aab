//! How many answers a request asks for, and what it wants to know of their tokens.

use allod_answer::Choices;
use allod_engine::{CHOICES_MAX, TOP_LOGPROBS_MAX};
use serde_json::Value;

use crate::fields::Fields;
use crate::problem::Problem;
use crate::turn::Delivery;

/// What chat completions take for this.
pub(crate) const CHAT_FIELDS: [&str; 4] = ["n", "best_of", "logprobs", "top_logprobs"];
/// And text completions.
pub(crate) const TEXT_FIELDS: [&str; 3] = ["n", "best_of", "logprobs"];
/// And responses.
pub(crate) const RESPONSE_FIELDS: [&str; 2] = ["include", "top_logprobs"];

/// What a response includes if it is asked for log probabilities.
const INCLUDED: &str = "message.output_text.logprobs";

/// Reads `n`, `best_of`, `logprobs` (a boolean) and `top_logprobs`.
pub(crate) fn of_chat(fields: &Fields, delivery: Delivery) -> Result<Choices, Problem> {
    let top = top(fields)?;
    let top_logprobs = match (fields.boolean("logprobs")?, top) {
        (true, top) => Some(top.unwrap_or(0)),
        (false, None | Some(0)) => None,
        (false, Some(_)) => {
            let message = "`top_logprobs` needs `logprobs: true`";
            return Err(Problem::field("top_logprobs", message));
        }
    };
    Ok(Choices { top_logprobs, ..counts(fields, delivery)? })
}

/// Reads `n`, `best_of` and `logprobs`, a number.
pub(crate) fn of_text(fields: &Fields, delivery: Delivery) -> Result<Choices, Problem> {
    let logprobs = match fields.get("logprobs") {
        Some(Value::Bool(false)) => None,
        _ => fields.whole("logprobs", 0, TOP_LOGPROBS_MAX as u64)?,
    };
    let top_logprobs = logprobs.map(|count| count as usize);
    Ok(Choices { top_logprobs, ..counts(fields, delivery)? })
}

/// Reads `include` and `top_logprobs`.
pub(crate) fn of_response(fields: &Fields) -> Result<Choices, Problem> {
    let top = top(fields)?;
    let wrong = || Problem::field("include", format!("`include` may hold `{INCLUDED}` only"));
    let included = match fields.get("include") {
        None => false,
        Some(value) => {
            let names = value.as_array().ok_or_else(wrong)?;
            if names.iter().any(|name| *name != INCLUDED) {
                return Err(wrong());
            }
            !names.is_empty()
        }
    };
    let top_logprobs = match (included, top) {
        (true, top) => Some(top.unwrap_or(0)),
        (false, None | Some(0)) => None,
        (false, Some(_)) => {
            let message = format!("`top_logprobs` needs `{INCLUDED}` in `include`");
            return Err(Problem::field("top_logprobs", message));
        }
    };
    Ok(Choices { top_logprobs, ..Choices::default() })
}

fn top(fields: &Fields) -> Result<Option<usize>, Problem> {
    let top = fields.whole("top_logprobs", 0, TOP_LOGPROBS_MAX as u64)?;
    Ok(top.map(|count| count as usize))
}

fn counts(fields: &Fields, delivery: Delivery) -> Result<Choices, Problem> {
    let most = CHOICES_MAX as u64;
    let n = fields.whole("n", 1, most)?.unwrap_or(1);
    let best_of = fields.whole("best_of", n, most)?.unwrap_or(n);
    if best_of > n && delivery == Delivery::Stream {
        let message = "which answers are the best is known at the end: leave `best_of` out, or \
                       do not stream";
        return Err(Problem::field("best_of", message));
    }
    Ok(Choices { n: n as usize, best_of: best_of as usize, top_logprobs: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    type Read = fn(&Fields, Delivery) -> Result<Choices, Problem>;

    fn read(how: Read, fields: Value) -> Result<Choices, Problem> {
        how(&Fields(fields.as_object().unwrap()), Delivery::Stream)
    }

    fn read_response(fields: Value) -> Result<Choices, Problem> {
        of_response(&Fields(fields.as_object().unwrap()))
    }

    #[test]
    fn each_interface_asks_in_its_own_words() {
        let tops = |top_logprobs| Choices { best_of: 1, top_logprobs, ..Choices::default() };
        assert_eq!(read(of_chat, json!({})).unwrap(), tops(None));
        assert_eq!(read(of_chat, json!({"logprobs": true})).unwrap(), tops(Some(0)));
        let both = json!({"logprobs": true, "top_logprobs": 20, "n": 3});
        let expected = Choices { n: 3, best_of: 3, top_logprobs: Some(20) };
        assert_eq!(read(of_chat, both).unwrap(), expected);
        assert_eq!(read(of_text, json!({"logprobs": 0})).unwrap(), tops(Some(0)));
        assert_eq!(read(of_text, json!({"logprobs": 2})).unwrap(), tops(Some(2)));
        assert_eq!(read(of_text, json!({"logprobs": false})).unwrap(), tops(None));
        let asked = json!({"include": [INCLUDED], "top_logprobs": 2});
        assert_eq!(read_response(asked).unwrap().top_logprobs, Some(2));
        assert_eq!(read_response(json!({"include": []})).unwrap().top_logprobs, None);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (how, fields, param) in [
            (of_chat as Read, json!({"n": 0}), "n"),
            (of_chat, json!({"n": 129}), "n"),
            (of_chat, json!({"n": 3, "best_of": 2}), "best_of"),
            (of_chat, json!({"n": 1, "best_of": 2}), "best_of"),
            (of_chat, json!({"top_logprobs": 2}), "top_logprobs"),
            (of_chat, json!({"logprobs": true, "top_logprobs": 21}), "top_logprobs"),
            (of_chat, json!({"logprobs": 2}), "logprobs"),
            (of_text, json!({"logprobs": 21}), "logprobs"),
            (of_text, json!({"logprobs": true}), "logprobs"),
        ] {
            let body = read(how, fields.clone()).expect_err(&fields.to_string()).body();
            assert_eq!(body["error"]["param"], param, "{fields}");
        }
        for (fields, param) in [
            (json!({"include": ["reasoning.encrypted_content"]}), "include"),
            (json!({"include": "x"}), "include"),
            (json!({"top_logprobs": 2}), "top_logprobs"),
        ] {
            let body = read_response(fields.clone()).expect_err(&fields.to_string()).body();
            assert_eq!(body["error"]["param"], param, "{fields}");
        }
    }
}
