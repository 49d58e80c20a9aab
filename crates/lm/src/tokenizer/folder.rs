//! The vocabulary of a model folder, whichever of the usual files holds it.

use super::score_bpe::TokenKind;
use super::sentencepiece::{self, Model, Piece, bad};
use super::{Tokenizer, huggingface, pre_tokenizer, tekken};
use crate::checkpoint::{read_object, read_text};
use crate::error::{Error, Result};
use allod_weights::digest_bytes;
use serde_json::{Map, Value, json};
use std::path::Path;

/// The largest published file has some 10 MB.
const FILE_BYTES: u64 = 256 << 20;
const ABOUT: &str = "tokenizer_config.json";
/// Ids beyond the vocabulary that added tokens may have, at most.
const ADDED: usize = 1 << 16;

/// Reads tokenizer.json, vocab.json with merges.txt, tokenizer.model or tekken.json.
pub(super) fn read(folder: &Path) -> Result<Tokenizer> {
    let has = |name: &str| folder.join(name).is_file();
    if has("tokenizer.json") {
        return huggingface::read(&folder.join("tokenizer.json"));
    }
    if has("vocab.json") && has("merges.txt") {
        return read_merges(folder);
    }
    if has("tokenizer.model") {
        return read_sentencepiece(folder);
    }
    if has("tekken.json") {
        return tekken::read(&folder.join("tekken.json"));
    }
    Err(Error::Incomplete {
        folder: folder.to_path_buf(),
        missing: "a vocabulary".to_string(),
        needed: "tokenizer.json, vocab.json with merges.txt, tokenizer.model or tekken.json",
    })
}

/// The files, but for tokenizer_config.json, that [`read`] reads.
pub(crate) fn files_read(folder: &Path) -> Vec<&'static str> {
    let has = |name: &str| folder.join(name).is_file();
    let merges = || has("vocab.json") && has("merges.txt");
    match () {
        () if has("tokenizer.json") => vec!["tokenizer.json"],
        () if merges() => vec!["vocab.json", "merges.txt"],
        () if has("tokenizer.model") => vec!["tokenizer.model"],
        () => vec!["tekken.json"],
    }
}

fn about(folder: &Path) -> Result<Map<String, Value>> {
    let path = folder.join(ABOUT);
    if path.is_file() { read_object(&path, FILE_BYTES) } else { Ok(Map::new()) }
}

/// The class without the mark of its fast form, which reads the same.
fn class(about: &Map<String, Value>) -> Option<&str> {
    let name = about.get("tokenizer_class")?.as_str()?;
    Some(name.strip_suffix("Fast").unwrap_or(name))
}

/// Whether the folder holds a vocabulary of any kind.
pub(super) fn has_vocabulary(folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).is_file();
    ["tokenizer.json", "vocab.json", "tokenizer.model", "tekken.json"].into_iter().any(has)
}

/// The tokenizer.json of a folder, or what vocab.json and merges.txt stand for; none where it has
/// neither.
pub(super) fn json(folder: &Path) -> Result<Option<Value>> {
    let path = folder.join("tokenizer.json");
    if path.is_file() {
        return read_object(&path, FILE_BYTES).map(|json| Some(Value::Object(json)));
    }
    let has = |name: &str| folder.join(name).is_file();
    match has("vocab.json") && has("merges.txt") {
        true => merges_json(folder).map(Some),
        false => Ok(None),
    }
}

/// The SentencePiece model of a folder with the tokens that its settings add, if it has one.
pub(super) fn sentencepiece_model(folder: &Path) -> Result<Option<Model>> {
    let path = folder.join("tokenizer.model");
    if !path.is_file() {
        return Ok(None);
    }
    let mut model = sentencepiece::read(&path)?;
    add(&mut model, &about(folder)?).map_err(|what| bad(&path, what))?;
    Ok(Some(model))
}

fn read_merges(folder: &Path) -> Result<Tokenizer> {
    let digest = digest_of(folder, &["vocab.json", "merges.txt", ABOUT])?;
    let json = merges_json(folder)?;
    huggingface::parse(json, digest).map_err(|what| bad(&folder.join("vocab.json"), what))
}

/// vocab.json and merges.txt, put together as the tokenizer.json that the class stands for.
fn merges_json(folder: &Path) -> Result<Value> {
    let path = folder.join("vocab.json");
    let about = about(folder)?;
    let name = match class(&about) {
        Some("Qwen2Tokenizer") => "qwen2",
        Some("GPT2Tokenizer") => "gpt-2",
        other => {
            let name = other.unwrap_or("none");
            let what = "`tokenizer_class` must be Qwen2Tokenizer or GPT2Tokenizer here";
            return Err(bad(&path, format!("{what}, not `{name}`; give a tokenizer.json")));
        }
    };
    if about.get("add_prefix_space").and_then(Value::as_bool) == Some(true) {
        return Err(bad(&path, "`add_prefix_space` is not done here".to_string()));
    }
    let vocabulary = read_object(&path, FILE_BYTES)?;
    let merges = read_text(&folder.join("merges.txt"), FILE_BYTES)?;
    let merges: Vec<&str> =
        merges.lines().filter(|line| !line.is_empty() && !line.starts_with("#version")).collect();
    let cut = pre_tokenizer::by_name(name).expect("the names above are known");
    Ok(json!({
        "version": "1.0",
        "added_tokens": added_tokens(&about),
        "normalizer": cut.composes.then(|| json!({"type": "NFC"})),
        "pre_tokenizer": cut.build().map_err(|what| bad(&path, what))?,
        "post_processor": null,
        "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false,
                    "use_regex": false},
        "model": {"type": "BPE", "vocab": vocabulary, "merges": merges},
    }))
}

/// `added_tokens_decoder`, an object by id, as the list that tokenizer.json has.
fn added_tokens(about: &Map<String, Value>) -> Vec<Value> {
    let Some(tokens) = about.get("added_tokens_decoder").and_then(Value::as_object) else {
        return Vec::new();
    };
    let entry = |(id, token): (&String, &Value)| {
        let id: u32 = id.parse().ok()?;
        let mut token = token.as_object()?.clone();
        token.insert("id".to_string(), id.into());
        Some((id, Value::Object(token)))
    };
    let mut entries: Vec<(u32, Value)> = tokens.iter().filter_map(entry).collect();
    entries.sort_by_key(|(id, _)| *id);
    entries.into_iter().map(|(_, token)| token).collect()
}

/// SHA-256 of a line `NAME<tab>sha256:<hex>` for each file that is there.
fn digest_of(folder: &Path, names: &[&str]) -> Result<String> {
    let mut lines = String::new();
    for name in names.iter().filter(|name| folder.join(name).is_file()) {
        let text = read_text(&folder.join(name), FILE_BYTES)?;
        lines += &format!("{name}\t{}\n", digest_bytes(text.as_bytes()));
    }
    Ok(digest_bytes(lines.as_bytes()))
}

fn read_sentencepiece(folder: &Path) -> Result<Tokenizer> {
    let path = folder.join("tokenizer.model");
    let about = about(folder)?;
    let mut model = sentencepiece::read(&path)?;
    // Classes that number the pieces in another way, XLM-RoBERTa's above all, must not pass.
    let (begins, ends) = match class(&about) {
        Some("LlamaTokenizer" | "GemmaTokenizer" | "CodeLlamaTokenizer") => (true, false),
        Some("T5Tokenizer") => (false, true),
        None => (false, false),
        Some(other) => {
            let what = format!("`tokenizer_class` `{other}` over a SentencePiece model");
            return Err(bad(&path, format!("{what} is not read; give a tokenizer.json")));
        }
    };
    add(&mut model, &about).map_err(|what| bad(&path, what))?;
    let truth = |key: &str, default| about.get(key).and_then(Value::as_bool).unwrap_or(default);
    let frame = |wanted: bool, id: i64| {
        u32::try_from(id).ok().filter(|id| wanted && (*id as usize) < model.pieces.len())
    };
    let begin = frame(truth("add_bos_token", begins), model.begin);
    let end = frame(truth("add_eos_token", ends), model.end);
    model
        .tokenizer(begin.into_iter().collect(), end.into_iter().collect())
        .map_err(|what| bad(&path, what))
}

/// Adds the tokens that the configuration adds to the model's own.
fn add(model: &mut Model, about: &Map<String, Value>) -> std::result::Result<(), String> {
    for token in added_tokens(about) {
        let id = token["id"].as_u64().unwrap_or_default() as usize;
        let text = token["content"].as_str().unwrap_or_default().to_string();
        let special = token["special"] == true;
        if id >= model.pieces.len() + ADDED || text.is_empty() {
            return Err(format!("the added token `{text}` has id {id}"));
        }
        while model.pieces.len() <= id {
            let text = format!("<unused {}>", model.pieces.len());
            model.pieces.push(Piece { text, score: 0.0, kind: TokenKind::Control });
        }
        let piece = &mut model.pieces[id];
        piece.kind = match piece.kind {
            TokenKind::Unknown => TokenKind::Unknown,
            _ if special => TokenKind::Control,
            TokenKind::Control => TokenKind::UserDefined,
            kind => kind,
        };
        piece.text = text;
    }
    Ok(())
}
