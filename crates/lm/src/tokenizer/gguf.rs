//! The vocabularies in GGUF metadata (ggml `docs/gguf.md`, keys `tokenizer.ggml.*`).

use super::byte_level::ByteLevelBpe;
use super::pieces::{Pieces, Writing};
use super::pre_tokenizer;
use super::score_bpe::{Listed, ScoreBpe, TokenKind};
use super::splitter::{Entry, Splitter};
use super::{Encoder, Tokenizer};
use crate::error::{Error, Result};
use allod_weights::{Array, Metadata, Number, Value, digest_bytes};
use std::path::Path;

const PREFIX: &str = "tokenizer.ggml.";
/// Keys whose tokens are special whatever their listed type: older files list them as normal.
const SPECIAL_KEYS: &[&str] = &[
    "bos_token_id",
    "eos_token_id",
    "eot_token_id",
    "eom_token_id",
    "unknown_token_id",
    "seperator_token_id",
    "padding_token_id",
    "mask_token_id",
];

/// The vocabulary's keys, with errors that name the file.
struct Keys<'a> {
    path: &'a Path,
    metadata: &'a Metadata,
}

pub(super) fn read(path: &Path, metadata: &Metadata) -> Result<Tokenizer> {
    let keys = Keys { path, metadata };
    let model = keys.text("model").ok_or_else(|| keys.bad("`tokenizer.ggml.model` is missing"))?;
    let texts = metadata.texts("tokenizer.ggml.tokens").filter(|texts| !texts.is_empty());
    let texts = texts.ok_or_else(|| keys.bad("`tokenizer.ggml.tokens` is missing"))?;
    let kinds = keys.kinds(texts.len())?;
    let (encoder, writing, begins) = match model {
        "llama" => (keys.score_encoder(texts, &kinds)?, Writing::Sentence, true),
        "gpt2" => keys.byte_encoder(texts, &kinds)?,
        other => {
            let what = format!("the vocabulary kind `{other}`; `llama` and `gpt2` are read");
            return Err(keys.bad(what));
        }
    };
    let special = |id: &u32| is_special(kinds[*id as usize]);
    let special_ids: Vec<u32> = (0..texts.len() as u32).filter(special).collect();
    let entries = special_ids.iter().map(|id| Entry::plain(&texts[*id as usize], *id));
    let specials = Splitter::new(entries);
    Ok(Tokenizer {
        pieces: pieces(texts, &kinds, writing),
        specials,
        special_ids: special_ids.into_iter().collect(),
        unknown: keys.id("unknown_token_id"),
        begin: keys.begin(begins, texts.len())?,
        strips_first_space: matches!(&encoder, Encoder::Score(_)) && keys.space_before(),
        digest: digest(metadata),
        encoder,
    })
}

fn is_special(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::Control | TokenKind::Unknown)
}

fn pieces(texts: &[String], kinds: &[TokenKind], writing: Writing) -> Pieces {
    let mut pieces = Pieces::default();
    for (text, kind) in texts.iter().zip(kinds) {
        match kind {
            TokenKind::Normal | TokenKind::Byte => pieces.push(&writing.bytes(text)),
            _ => pieces.push(text.as_bytes()),
        }
    }
    pieces
}

impl Keys<'_> {
    fn bad(&self, what: impl Into<String>) -> Error {
        Error::Tokenizer { file: self.path.to_path_buf(), what: what.into() }
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.metadata.text(&format!("{PREFIX}{key}"))
    }

    fn truth(&self, key: &str) -> Option<bool> {
        self.metadata.truth(&format!("{PREFIX}{key}"))
    }

    fn id(&self, key: &str) -> Option<u32> {
        let number = self.metadata.number(&format!("{PREFIX}{key}"))?.as_u64()?;
        u32::try_from(number).ok()
    }

    /// A list with a number for each of `count` tokens, if there is one.
    fn numbers(&self, key: &str, count: usize) -> Result<Option<Vec<f64>>> {
        let Some(array) = self.metadata.array(&format!("{PREFIX}{key}")) else {
            return Ok(None);
        };
        let numbers: Vec<f64> = array.numbers().filter_map(Number::as_f64).collect();
        if numbers.len() != count {
            let what = format!("`{PREFIX}{key}` has {} numbers for {count} tokens", numbers.len());
            return Err(self.bad(what));
        }
        Ok(Some(numbers))
    }

    fn kinds(&self, count: usize) -> Result<Vec<TokenKind>> {
        let numbers = self.numbers("token_type", count)?.unwrap_or_else(|| vec![1.0; count]);
        let kind = |number: &f64| match *number as i64 {
            2 => TokenKind::Unknown,
            3 => TokenKind::Control,
            4 => TokenKind::UserDefined,
            6 => TokenKind::Byte,
            _ => TokenKind::Normal,
        };
        let mut kinds: Vec<TokenKind> = numbers.iter().map(kind).collect();
        for id in SPECIAL_KEYS.iter().filter_map(|key| self.id(key)) {
            if let Some(kind) = kinds.get_mut(id as usize).filter(|kind| !is_special(**kind)) {
                *kind = TokenKind::Control;
            }
        }
        Ok(kinds)
    }

    fn space_before(&self) -> bool {
        self.truth("add_space_prefix").unwrap_or(true)
    }

    fn score_encoder(&self, texts: &[String], kinds: &[TokenKind]) -> Result<Encoder> {
        let scores = self.numbers("scores", texts.len())?;
        let scores = scores.ok_or_else(|| self.bad("`tokenizer.ggml.scores` is missing"))?;
        let listed: Vec<Listed> = texts
            .iter()
            .zip(scores)
            .zip(kinds)
            .map(|((text, score), kind)| Listed { text, score: score as f32, kind: *kind })
            .collect();
        let unknown = self.id("unknown_token_id").filter(|id| (*id as usize) < texts.len());
        Ok(Encoder::Score(ScoreBpe::new(&listed, unknown, self.space_before())))
    }

    fn byte_encoder(
        &self,
        texts: &[String],
        kinds: &[TokenKind],
    ) -> Result<(Encoder, Writing, bool)> {
        let name = self.text("pre").unwrap_or("default");
        let pre_tokenizer = pre_tokenizer::by_name(name).ok_or_else(|| {
            let known = pre_tokenizer::NAMES;
            self.bad(format!("the pre-tokenizer `{name}` is not known; known are {known}"))
        })?;
        let merges = self.metadata.texts("tokenizer.ggml.merges");
        let merges = merges.ok_or_else(|| self.bad("`tokenizer.ggml.merges` is missing"))?;
        let listed = || texts.iter().zip(kinds).zip(0_u32..);
        let mergeable = listed().filter(|((_, kind), _)| **kind == TokenKind::Normal);
        let mergeable = mergeable.map(|((text, _), id)| (text.clone(), id)).collect();
        let defined = listed().filter(|((_, kind), _)| **kind == TokenKind::UserDefined);
        let defined = Splitter::new(defined.map(|((text, _), id)| Entry::plain(text, id)));
        let encoder = ByteLevelBpe::new(mergeable, merges, &pre_tokenizer, defined)
            .map_err(|what| self.bad(what))?;
        Ok((Encoder::Bytes(Box::new(encoder)), Writing::ByteLevel, pre_tokenizer.begins))
    }

    /// The begin-of-text token, if texts begin with one.
    fn begin(&self, default: bool, count: usize) -> Result<Vec<u32>> {
        if !self.truth("add_bos_token").unwrap_or(default) {
            return Ok(Vec::new());
        }
        match self.id("bos_token_id") {
            Some(id) if (id as usize) < count => Ok(vec![id]),
            Some(id) => Err(self.bad(format!("`bos_token_id` is {id} of {count} tokens"))),
            None => Err(self.bad("texts begin with a token, but `bos_token_id` is missing")),
        }
    }
}

/// See [`Tokenizer::digest`].
fn digest(metadata: &Metadata) -> String {
    let mut lines = String::new();
    for (key, value) in metadata.iter().filter(|(key, _)| key.starts_with(PREFIX)) {
        lines += &format!("{key}\t{}\n", json(value));
    }
    digest_bytes(lines.as_bytes())
}

fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Number(number) => json_number(*number),
        Value::Text(text) => text.as_str().into(),
        Value::Array(array) => json_array(array),
    }
}

fn json_array(array: &Array) -> serde_json::Value {
    match array {
        Array::Numbers(..) => array.numbers().map(json_number).collect(),
        Array::Texts(texts) => texts.iter().map(String::as_str).collect(),
        Array::Nested(lists) => lists.iter().map(json_array).collect(),
    }
}

fn json_number(number: Number) -> serde_json::Value {
    match number {
        Number::Unsigned(value) => value.into(),
        Number::Signed(value) => value.into(),
        Number::Float(value) => value.into(),
        Number::Bool(value) => value.into(),
    }
}
