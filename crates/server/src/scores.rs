//! How likely tokens were, in the words of each interface.

use allod_engine::{ChosenToken, Vocabulary};
use serde_json::{Map, Value, json};

/// A token of an answer and the likeliest ones at its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scored {
    chosen: Token,
    top: Vec<Token>,
}

/// What a token spells and how likely it was.
#[derive(Clone, Debug, PartialEq)]
struct Token {
    bytes: Vec<u8>,
    /// Natural logarithm of its probability.
    logprob: f32,
}

impl Token {
    fn new(vocabulary: &Vocabulary, id: u32, logprob: f32) -> Token {
        Token { bytes: vocabulary.bytes(id).to_vec(), logprob }
    }

    /// What it spells; a part of a character is shown as U+FFFD.
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    fn json(&self) -> Value {
        json!({"token": self.text(), "logprob": shown(self.logprob), "bytes": self.bytes})
    }
}

/// JSON has no number for a probability of 0; as vLLM does, we say a very small one.
fn shown(logprob: f32) -> f32 {
    logprob.max(-9999.0)
}

impl Scored {
    /// What the model says of a token; nothing where it was not asked.
    pub(crate) fn of(vocabulary: &Vocabulary, token: &ChosenToken) -> Option<Scored> {
        let chosen = Token::new(vocabulary, token.token, token.logprob?);
        let top = token.top.iter().map(|(id, logprob)| Token::new(vocabulary, *id, *logprob));
        Some(Scored { chosen, top: top.collect() })
    }

    /// As chat completions and responses have it.
    pub(crate) fn json(&self) -> Value {
        let mut token = self.chosen.json();
        token["top_logprobs"] = self.top.iter().map(Token::json).collect();
        token
    }
}

/// The field `logprobs` of a choice of a chat completion.
pub(crate) fn of_chat(scores: Option<&[Scored]>) -> Value {
    match scores {
        None => Value::Null,
        Some(scores) => json!({"content": list(scores), "refusal": null}),
    }
}

/// A list of tokens.
pub(crate) fn list(scores: &[Scored]) -> Value {
    scores.iter().map(Scored::json).collect()
}

/// The field `logprobs` of a choice of a text completion: four lists. `before` is where the first
/// token's text begins, in characters.
pub(crate) fn of_text(scores: Option<&[Scored]>, before: usize) -> Value {
    let Some(scores) = scores else { return Value::Null };
    let mut offset = before;
    let offsets = scores.iter().map(|scored| {
        let begins = offset;
        offset += scored.chosen.text().chars().count();
        begins
    });
    let offsets: Vec<usize> = offsets.collect();
    // The chosen token is always among them, whether or not it is one of the likeliest.
    let top = scores.iter().map(|scored| {
        let all = scored.top.iter().chain([&scored.chosen]);
        Value::Object(
            all.map(|token| (token.text(), json!(shown(token.logprob)))).collect::<Map<_, _>>(),
        )
    });
    json!({
        "tokens": scores.iter().map(|scored| scored.chosen.text()).collect::<Vec<String>>(),
        "token_logprobs": scores.iter().map(|s| shown(s.chosen.logprob)).collect::<Vec<f32>>(),
        "top_logprobs": top.collect::<Vec<Value>>(),
        "text_offset": offsets,
    })
}

/// Characters of the texts of these tokens.
pub(crate) fn characters(scores: &[Scored]) -> usize {
    scores.iter().map(|scored| scored.chosen.text().chars().count()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &[u8], logprob: f32) -> Token {
        Token { bytes: text.to_vec(), logprob }
    }

    fn scores() -> Vec<Scored> {
        vec![
            Scored { chosen: token(b"gr", -0.5), top: vec![token(b"gr", -0.5), token(b"k", -2.0)] },
            Scored { chosen: token(b"\xC3", f32::NEG_INFINITY), top: vec![token(b"e", -0.25)] },
        ]
    }

    #[test]
    fn a_chat_names_tokens_and_bytes() {
        let told = of_chat(Some(&scores()));
        let first = &told["content"][0];
        assert_eq!((&first["token"], &first["logprob"]), (&json!("gr"), &json!(-0.5)));
        assert_eq!(first["top_logprobs"][1]["token"], "k");
        let part = &told["content"][1];
        assert_eq!((&part["token"], &part["bytes"]), (&json!("\u{FFFD}"), &json!([0xC3])));
        assert_eq!(part["logprob"], -9999.0);
        assert_eq!(of_chat(None), Value::Null);
    }

    #[test]
    fn a_text_has_four_lists_of_one_length() {
        let told = of_text(Some(&scores()), 3);
        assert_eq!(told["tokens"], json!(["gr", "\u{FFFD}"]));
        assert_eq!(told["text_offset"], json!([3, 5]));
        assert_eq!(told["top_logprobs"][1], json!({"e": -0.25, "\u{FFFD}": -9999.0}));
        assert_eq!(told["token_logprobs"].as_array().unwrap().len(), 2);
        assert_eq!(characters(&scores()), 3);
    }
}
