//! `allod tokenize`

use std::io::Read;

use allod_lm::Tokenizer;
use anyhow::Context;
use serde_json::{Value, json};

use crate::Ending;
use crate::arguments::TokenizeArguments;
use crate::folder::Place;
use crate::output::Output;

/// Prints the tokens of a text, or the text of tokens.
pub fn run(
    arguments: &TokenizeArguments,
    place: &Place,
    output: &Output,
) -> anyhow::Result<Ending> {
    let tokenizer = Tokenizer::open(&place.model(&arguments.model)?)?;
    match &arguments.decode {
        Some(ids) => decode(&tokenizer, ids, output)?,
        None => encode(&tokenizer, arguments, output)?,
    }
    Ok(Ending::Done)
}

fn decode(tokenizer: &Tokenizer, given: &str, output: &Output) -> anyhow::Result<()> {
    let parted = given.split([',', ' ', '\n', '\t']).filter(|part| !part.is_empty());
    let mut ids = Vec::new();
    for part in parted {
        let id: u32 = part.parse().with_context(|| format!("--decode: `{part}` is no token id"))?;
        let count = tokenizer.vocabulary();
        anyhow::ensure!((id as usize) < count, "--decode: {id}: the vocabulary ends at {count}");
        ids.push(id);
    }
    let text = tokenizer.decode(&ids);
    output.print(&json!({"text": text}), |_| text.clone())
}

fn encode(
    tokenizer: &Tokenizer,
    arguments: &TokenizeArguments,
    output: &Output,
) -> anyhow::Result<()> {
    let text = text(arguments)?;
    let mut ids = match arguments.special {
        true => tokenizer.encode_with_specials(&text)?,
        false => tokenizer.encode_text(&text)?,
    };
    if arguments.whole {
        let (begin, end) = tokenizer.frame();
        ids = [begin, &ids, end].concat();
    }
    let token = |id: &u32| {
        json!({
            "id": id,
            "text": tokenizer.token_text(*id),
            "special": tokenizer.is_special(*id),
        })
    };
    let tokens: Vec<Value> = ids.iter().map(token).collect();
    let line = |id: &u32| format!("{id:>7}  {:?}\n", tokenizer.token_text(*id));
    let value = json!({"count": ids.len(), "ids": ids, "tokens": tokens});
    output.print(&value, |_| match ids.is_empty() {
        true => "no tokens".to_string(),
        false => ids.iter().map(line).collect(),
    })
}

/// What was given, byte for byte; no line break is taken off.
fn text(arguments: &TokenizeArguments) -> anyhow::Result<String> {
    match arguments.text.as_deref() {
        Some("-") | None => {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            read.context("standard input cannot be read as UTF-8")?;
            Ok(text)
        }
        Some(text) => Ok(text.to_string()),
    }
}
