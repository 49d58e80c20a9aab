//! tokenizer.json, through the `tokenizers` crate.

use super::charsmap::Charsmap;
use super::framing::{Framed, PairFrame};
use super::pieces::{Pieces, Writing};
use super::splitter::{Entry, Splitter};
use super::{Encoder, Place, Tokenizer, post_processor, word_piece};
use crate::checkpoint::read_text;
use crate::error::{Error, Result};
use allod_weights::digest_bytes;
use base64::Engine;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::Path;
use tokenizers::models::ModelWrapper;
use tokenizers::normalizers::Precompiled;

/// The largest published tokenizer.json has some 35 MB.
const FILE_BYTES: u64 = 256 << 20;
/// Ids may leave gaps, but not more of them than this times the number of tokens.
const SPARSENESS: usize = 4;

/// The crate's tokenizer, told not to recognise special tokens.
pub(super) struct Library {
    start: tokenizers::Tokenizer,
    /// For text after a special token, where that is encoded differently.
    after_special: Option<tokenizers::Tokenizer>,
}

impl Library {
    pub fn encode(&self, text: &str, place: Place) -> Result<Vec<u32>> {
        let library = match &self.after_special {
            Some(library) if place == Place::AfterSpecial => library,
            _ => &self.start,
        };
        let encoding = library.encode_fast(text, false);
        let encoding = encoding.map_err(|error| Error::Text(error.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }
}

/// An entry of `added_tokens`.
#[derive(Deserialize)]
struct Added {
    id: u32,
    content: String,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    #[serde(default)]
    special: bool,
}

pub(super) fn read(path: &Path) -> Result<Tokenizer> {
    let bad = |what: String| Error::Tokenizer { file: path.to_path_buf(), what };
    let text = read_text(path, FILE_BYTES)?;
    let json = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
    parse(json, digest_bytes(text.as_bytes())).map_err(bad)
}

/// The tokenizer that a tokenizer.json describes; `digest` is that of what it was read from.
pub(super) fn parse(mut json: Value, digest: String) -> std::result::Result<Tokenizer, String> {
    if !json.is_object() {
        return Err("it is no JSON object".to_string());
    }
    let added: Vec<Added> = match json.get("added_tokens") {
        None | Some(Value::Null) => Vec::new(),
        Some(list) => Deserialize::deserialize(list).map_err(|error| error.to_string())?,
    };
    let special_texts: HashSet<&str> =
        added.iter().filter(|token| token.special).map(|token| token.content.as_str()).collect();
    drop_merges_into(&mut json, &special_texts);
    check_charsmaps(&json["normalizer"])?;
    let (writing, strips_first_space) = writing(&json["decoder"])?;
    let whole = library(&json)?;
    let unknown = unknown(&json["model"], &whole);
    let hidden = hide_pieces(&mut json, &special_texts, unknown);
    let start = if hidden { library(&json)? } else { whole.clone() };
    let after_special = never_prepend(&mut json).then(|| library(&json)).transpose()?;
    let special = added.iter().filter(|token| token.special);
    let entries = special.clone().map(|token| Entry {
        text: token.content.clone(),
        id: token.id,
        takes_space_before: token.lstrip,
        takes_space_after: token.rstrip,
    });
    let (begin, end) = frame(&whole)?;
    Ok(Tokenizer {
        specials: Splitter::new(entries),
        special_ids: special.map(|token| token.id).collect(),
        pieces: pieces(&whole, &added, writing)?,
        unknown,
        begin,
        end,
        pair: pair_frame(&whole)?,
        strips_first_space,
        digest,
        encoder: Encoder::Library(Box::new(Library { start, after_special })),
    })
}

fn library(json: &Value) -> std::result::Result<tokenizers::Tokenizer, String> {
    let mut library = tokenizers::Tokenizer::from_bytes(json.to_string().as_bytes())
        .map_err(|error| error.to_string())?;
    post_processor::check(library.get_post_processor())?;
    forget_words(&mut library);
    library.set_encode_special_tokens(true);
    library.with_truncation(None).map_err(|error| error.to_string())?;
    library.with_padding(None);
    Ok(library)
}

/// The crate would keep ten thousand words for every thread that ever encoded a text: more than all
/// else that a server with many threads holds, and little beside what the model takes for a word.
fn forget_words(library: &mut tokenizers::Tokenizer) {
    if let ModelWrapper::BPE(pairs) = library.get_model() {
        let mut pairs = pairs.clone();
        pairs.resize_cache(0);
        library.with_model(pairs);
    }
}

/// Some vocabularies merge plain text into their special tokens; those merges are taken out.
fn drop_merges_into(json: &mut Value, special: &HashSet<&str>) {
    let joined = |merge: &Value| match merge {
        Value::String(merge) => merge.replacen(' ', "", 1),
        Value::Array(sides) => sides.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    };
    if let Some(merges) = json.pointer_mut("/model/merges").and_then(Value::as_array_mut) {
        merges.retain(|merge| !special.contains(joined(merge).as_str()));
    }
}

/// Unigram vocabularies hold their special tokens as pieces, which text could spell: `<s>` is HTML.
/// They keep their ids under names that no text has, and text is read as other pieces. Returns
/// whether there were any.
fn hide_pieces(json: &mut Value, special: &HashSet<&str>, unknown: Option<u32>) -> bool {
    let Some(pieces) = json.pointer_mut("/model/vocab").and_then(Value::as_array_mut) else {
        return false;
    };
    let mut found = false;
    for (id, piece) in pieces.iter_mut().enumerate() {
        let text = piece.get(0).and_then(Value::as_str).filter(|text| special.contains(text));
        if let Some(text) = text.filter(|_| unknown.is_none_or(|unknown| unknown as usize != id)) {
            piece[0] = format!("\u{10ffff}{text}\u{10ffff}").into();
            found = true;
        }
    }
    if found && let Some(added) = json["added_tokens"].as_array_mut() {
        added.retain(|token| !token["content"].as_str().is_some_and(|text| special.contains(text)));
    }
    found
}

/// Rewrites every pre-tokenizer that puts a space before the first piece only, so that it never
/// does; returns whether there was one.
fn never_prepend(json: &mut Value) -> bool {
    let mut found = false;
    let mut open = vec![&mut json["pre_tokenizer"]];
    while let Some(step) = open.pop() {
        if step["type"] == "Metaspace" && step["prepend_scheme"] == "first" {
            step["prepend_scheme"] = json!("never");
            found = true;
        }
        if let Some(steps) = step.get_mut("pretokenizers").and_then(Value::as_array_mut) {
            open.extend(steps);
        }
    }
    found
}

/// How tokens are written, and whether decoding drops a space before the first, from the decoder.
fn writing(decoder: &Value) -> std::result::Result<(Writing, bool), String> {
    let steps = match decoder["type"].as_str() {
        Some("Sequence") => decoder["decoders"].as_array().map_or(&[][..], Vec::as_slice),
        _ => std::slice::from_ref(decoder),
    };
    let has = |name: &str| steps.iter().find(|step| step["type"] == name);
    if let Some(step) = has("WordPiece") {
        if step["prefix"] != word_piece::PREFIX || step["cleanup"] == false {
            return Err("a WordPiece decoder other than BERT's".to_string());
        }
        return Ok((Writing::WordPiece, true));
    }
    if has("ByteLevel").is_some() {
        return Ok((Writing::ByteLevel, false));
    }
    if let Some(step) = has("Metaspace") {
        return Ok((Writing::Sentence, step["prepend_scheme"] != "never"));
    }
    if has("ByteFallback").is_some() || has("Replace").is_some() {
        let strips = has("Strip").is_some_and(|step| step["start"].as_u64() > Some(0));
        return Ok((Writing::Sentence, strips));
    }
    let kind = decoder["type"].as_str().unwrap_or("none");
    Err(format!("the decoder `{kind}`; ByteLevel, Metaspace, ByteFallback and WordPiece are read"))
}

fn pieces(
    library: &tokenizers::Tokenizer,
    added: &[Added],
    writing: Writing,
) -> std::result::Result<Pieces, String> {
    let vocabulary = library.get_vocab(true);
    let largest = vocabulary.values().max().copied().unwrap_or(0) as usize;
    if largest > SPARSENESS * (vocabulary.len() + 1024) {
        return Err(format!("id {largest} in a vocabulary of {} tokens", vocabulary.len()));
    }
    let mut texts: Vec<Option<Vec<u8>>> = vec![None; largest + 1];
    for (text, id) in &vocabulary {
        texts[*id as usize] = Some(writing.bytes(text));
    }
    for token in added {
        let found = library.token_to_id(&token.content);
        if found != Some(token.id) {
            return Err(format!("`{}` has id {} but is given {found:?}", token.content, token.id));
        }
        texts[token.id as usize] = Some(token.content.clone().into_bytes());
    }
    let mut pieces = Pieces::default();
    texts.iter().for_each(|text| pieces.push(text.as_deref().unwrap_or_default()));
    Ok(pieces)
}

/// The token for what is unknown, named by its text or (Unigram) by its id.
fn unknown(model: &Value, library: &tokenizers::Tokenizer) -> Option<u32> {
    let by_text = model["unk_token"].as_str().and_then(|text| library.token_to_id(text));
    by_text.or_else(|| model["unk_id"].as_u64().and_then(|id| u32::try_from(id).ok()))
}

/// What the post-processor puts before a text, and after it.
fn frame(library: &tokenizers::Tokenizer) -> std::result::Result<(Vec<u32>, Vec<u32>), String> {
    let ids = |add_special_tokens| match library.encode_fast("a", add_special_tokens) {
        Ok(encoding) => Ok(encoding.get_ids().to_vec()),
        Err(error) => Err(error.to_string()),
    };
    let (plain, whole) = (ids(false)?, ids(true)?);
    let at = whole.windows(plain.len().max(1)).position(|window| window == plain);
    Ok(match at {
        Some(at) => (whole[..at].to_vec(), whole[at + plain.len()..].to_vec()),
        None => (Vec::new(), Vec::new()),
    })
}

/// What the post-processor puts around two texts; none where that is not to be seen.
fn pair_frame(library: &tokenizers::Tokenizer) -> std::result::Result<Option<PairFrame>, String> {
    let plain = library.encode_fast("a", false).map_err(|error| error.to_string())?;
    let (plain, length) = (plain.get_ids(), plain.get_ids().len());
    let whole = library.encode_fast(("a", "a"), true).map_err(|error| error.to_string())?;
    let ids = whole.get_ids();
    let all: Vec<Framed> = ids.iter().copied().zip(whole.get_type_ids().iter().copied()).collect();
    let find = |from: usize| {
        let starts = from..(ids.len() + 1).saturating_sub(length);
        starts.into_iter().find(|start| length > 0 && ids[*start..*start + length] == *plain)
    };
    let Some(first) = find(0) else { return Ok(None) };
    let Some(second) = find(first + length) else { return Ok(None) };
    Ok(Some(PairFrame {
        begin: all[..first].to_vec(),
        between: all[first + length..second].to_vec(),
        end: all[second + length..].to_vec(),
        segments: [all[first].1, all[second].1],
    }))
}

/// The crate does not check precompiled character maps; a damaged or missing one is refused here.
fn check_charsmaps(normalizer: &Value) -> std::result::Result<(), String> {
    let mut open = vec![normalizer];
    while let Some(step) = open.pop() {
        if let Some(blob) = step["precompiled_charsmap"].as_str() {
            let blob = base64::engine::general_purpose::STANDARD.decode(blob);
            Charsmap::new(&blob.map_err(|error| error.to_string())?)?;
        }
        if step["type"] == "Precompiled" {
            // What the crate does too, but it panics where that fails.
            let read: serde_json::Result<Precompiled> = serde_json::from_str(&step.to_string());
            read.map_err(|error| format!("its normaliser `Precompiled`: {error}"))?;
        }
        open.extend(step["normalizers"].as_array().into_iter().flatten());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn normalisers_without_their_map_are_refused() {
        let nested = |step: Value| json!({"type": "Sequence", "normalizers": [step]});
        for map in [json!(null), json!(7), json!("AAAA"), json!("?")] {
            let step = json!({"type": "Precompiled", "precompiled_charsmap": map});
            assert!(check_charsmaps(&nested(step)).is_err(), "{map}");
        }
        assert!(check_charsmaps(&nested(json!({"type": "Precompiled"}))).is_err());
        assert!(check_charsmaps(&nested(json!({"type": "NFC"}))).is_ok());
    }
}
