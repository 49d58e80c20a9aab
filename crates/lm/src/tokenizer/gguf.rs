//! The vocabularies in GGUF metadata (ggml `docs/gguf.md`, keys `tokenizer.ggml.*`).

use super::charsmap::Charsmap;
use super::normaliser::Normaliser;
use super::pieces::{Pieces, Writing};
use super::pre_tokenizer;
use super::score_bpe::{Listed, ScoreBpe, TokenKind};
use super::splitter::{Entry, Splitter};
use super::unigram::Unigram;
use super::{Encoder, Tokenizer, byte_level, word_piece};
use crate::error::{Error, Result};
use allod_weights::{Array, Metadata, Number, Value, digest_bytes};
use serde::{Serialize, Serializer};
use std::panic::resume_unwind;
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
    "cls_token_id",
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
    let writing = match model {
        "llama" | "t5" => Writing::Sentence,
        "gpt2" => Writing::ByteLevel,
        "bert" => Writing::WordPiece,
        other => {
            let known = "`llama`, `gpt2`, `bert` and `t5` are read";
            return Err(keys.bad(format!("the vocabulary kind `{other}`; {known}")));
        }
    };
    let encoder = || match model {
        "gpt2" => keys.byte_encoder(texts, &kinds),
        "bert" => Ok((keys.word_encoder(texts, &kinds)?, true)),
        "t5" => Ok((keys.unigram_encoder(texts, &kinds)?, false)),
        _ => Ok((keys.score_encoder(texts, &kinds)?, true)),
    };
    // A large vocabulary takes a good part of what a start takes.
    let rest = || (pieces(texts, &kinds, writing), digest(metadata));
    let (encoder, (pieces, digest)) = beside(encoder, &rest);
    let (encoder, begins) = encoder?;
    let strips_first_space = match &encoder {
        Encoder::Score(_) | Encoder::Unigram(_) => keys.space_before(),
        _ => writing == Writing::WordPiece,
    };
    let special = |id: &u32| is_special(kinds[*id as usize]);
    let special_ids: Vec<u32> = (0..texts.len() as u32).filter(special).collect();
    let entries = special_ids.iter().map(|id| Entry::plain(&texts[*id as usize], *id));
    let specials = Splitter::new(entries);
    Ok(Tokenizer {
        pieces,
        specials,
        special_ids: special_ids.into_iter().collect(),
        unknown: keys.id("unknown_token_id"),
        begin: keys.begin(begins, texts.len())?,
        end: keys.end(model, texts.len())?,
        pair: None,
        strips_first_space,
        digest,
        encoder,
    })
}

/// Both results, `other` of a thread of its own if there can be one: those that the program shares
/// have the weights to pack.
fn beside<A, B: Send>(one: impl FnOnce() -> A, other: &(impl Fn() -> B + Sync)) -> (A, B) {
    std::thread::scope(|scope| {
        let name = "allod-words".to_owned();
        let thread = std::thread::Builder::new().name(name).spawn_scoped(scope, other).ok();
        let one = one();
        let joined = thread.map(|thread| thread.join().unwrap_or_else(|why| resume_unwind(why)));
        (one, joined.unwrap_or_else(other))
    })
}

fn is_special(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::Control | TokenKind::Unknown)
}

fn pieces(texts: &[String], kinds: &[TokenKind], writing: Writing) -> Pieces {
    let mut pieces = Pieces::default();
    for (text, kind) in texts.iter().zip(kinds) {
        match kind {
            TokenKind::Normal | TokenKind::Byte if writing == Writing::WordPiece => {
                pieces.push(&writing.bytes(&word_piece::from_gguf(text)));
            }
            TokenKind::Normal | TokenKind::Unused | TokenKind::Byte => {
                pieces.push(&writing.bytes(text));
            }
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

    /// The tokens with their scores.
    fn listed<'t>(&self, texts: &'t [String], kinds: &[TokenKind]) -> Result<Vec<Listed<'t>>> {
        let scores = self.numbers("scores", texts.len())?;
        let scores = scores.ok_or_else(|| self.bad("`tokenizer.ggml.scores` is missing"))?;
        let scored = texts.iter().zip(scores).zip(kinds);
        let listed =
            scored.map(|((text, score), kind)| Listed { text, score: score as f32, kind: *kind });
        Ok(listed.collect())
    }

    fn unknown(&self, count: usize) -> Option<u32> {
        self.id("unknown_token_id").filter(|id| (*id as usize) < count)
    }

    fn score_encoder(&self, texts: &[String], kinds: &[TokenKind]) -> Result<Encoder> {
        let listed = self.listed(texts, kinds)?;
        let unknown = self.unknown(texts.len());
        Ok(Encoder::Score(ScoreBpe::new(&listed, unknown, self.space_before())))
    }

    fn unigram_encoder(&self, texts: &[String], kinds: &[TokenKind]) -> Result<Encoder> {
        let listed = self.listed(texts, kinds)?;
        let charsmap = self.metadata.array(&format!("{PREFIX}precompiled_charsmap"));
        let byte = |number: Number| number.as_f64().map(|number| number as i64 as u8);
        let blob: Vec<u8> =
            charsmap.map_or_else(Vec::new, |a| a.numbers().filter_map(byte).collect());
        let charsmap = Some(blob).filter(|blob| !blob.is_empty());
        let charsmap = charsmap.map(|blob| Charsmap::new(&blob)).transpose();
        let normaliser = Normaliser {
            charsmap: charsmap.map_err(|what| self.bad(what))?,
            space_before: self.space_before(),
            collapses: self.truth("remove_extra_whitespaces").unwrap_or(true),
        };
        let unigram = Unigram::new(&listed, self.unknown(texts.len()), normaliser);
        Ok(Encoder::Unigram(Box::new(unigram.map_err(|what| self.bad(what))?)))
    }

    fn word_encoder(&self, texts: &[String], kinds: &[TokenKind]) -> Result<Encoder> {
        let unknown = self.unknown(texts.len());
        let unknown = unknown.ok_or_else(|| self.bad("`unknown_token_id` is missing"))?;
        let listed = || texts.iter().zip(kinds).zip(0_u32..);
        let plain = |kind| matches!(kind, TokenKind::Normal | TokenKind::Unused);
        let usable = listed().filter(|((_, kind), id)| plain(**kind) || *id == unknown);
        let written = usable.map(|((text, _), id)| match id == unknown {
            true => (text.clone(), id),
            false => (word_piece::from_gguf(text), id),
        });
        let defined = listed().filter(|((_, kind), _)| **kind == TokenKind::UserDefined);
        let defined = Splitter::new(defined.map(|((text, _), id)| Entry::plain(text, id)));
        let lower_case = word_piece::is_lower_case(texts);
        let unknown = texts[unknown as usize].clone();
        let encoder = word_piece::encoder(written.collect(), unknown, lower_case, defined)
            .map_err(|what| self.bad(what))?;
        Ok(Encoder::Words(Box::new(encoder)))
    }

    fn byte_encoder(&self, texts: &[String], kinds: &[TokenKind]) -> Result<(Encoder, bool)> {
        let name = self.text("pre").unwrap_or("default");
        let pre_tokenizer = pre_tokenizer::by_name(name).ok_or_else(|| {
            let known = pre_tokenizer::NAMES;
            self.bad(format!("the pre-tokenizer `{name}` is not known; known are {known}"))
        })?;
        let merges = self.metadata.texts("tokenizer.ggml.merges");
        let merges = merges.ok_or_else(|| self.bad("`tokenizer.ggml.merges` is missing"))?;
        let listed = || texts.iter().zip(kinds).zip(0_u32..);
        let plain = |kind| matches!(kind, TokenKind::Normal | TokenKind::Unused);
        let mergeable = listed().filter(|((_, kind), _)| plain(**kind));
        let mergeable = mergeable.map(|((text, _), id)| (text.clone(), id)).collect();
        let defined = listed().filter(|((_, kind), _)| **kind == TokenKind::UserDefined);
        let defined = Splitter::new(defined.map(|((text, _), id)| Entry::plain(text, id)));
        let encoder = byte_level::encoder(mergeable, merges, &pre_tokenizer, defined)
            .map_err(|what| self.bad(what))?;
        Ok((Encoder::Words(Box::new(encoder)), pre_tokenizer.begins))
    }

    /// The begin-of-text token, if texts begin with one.
    fn begin(&self, default: bool, count: usize) -> Result<Vec<u32>> {
        if !self.truth("add_bos_token").unwrap_or(default) {
            return Ok(Vec::new());
        }
        let id = self.id("bos_token_id").or_else(|| self.id("cls_token_id"));
        self.frame("bos_token_id", id, count)
    }

    /// What stands after a whole text: end-of-text for `t5`, the separator for `bert`.
    fn end(&self, model: &str, count: usize) -> Result<Vec<u32>> {
        if self.truth("add_eos_token").unwrap_or(model == "t5") {
            return self.frame("eos_token_id", self.id("eos_token_id"), count);
        }
        if self.truth("add_sep_token").unwrap_or(model == "bert") {
            return self.frame("seperator_token_id", self.id("seperator_token_id"), count);
        }
        Ok(Vec::new())
    }

    fn frame(&self, key: &str, id: Option<u32>, count: usize) -> Result<Vec<u32>> {
        match id {
            Some(id) if (id as usize) < count => Ok(vec![id]),
            Some(id) => Err(self.bad(format!("`{key}` is {id} of {count} tokens"))),
            None => Err(self.bad(format!("texts are framed by a token, but `{key}` is missing"))),
        }
    }
}

/// See [`Tokenizer::digest`].
fn digest(metadata: &Metadata) -> String {
    let mut lines = Vec::new();
    for (key, value) in metadata.iter().filter(|(key, _)| key.starts_with(PREFIX)) {
        lines.extend_from_slice(key.as_bytes());
        lines.push(b'\t');
        serde_json::to_writer(&mut lines, &Json(value)).expect("metadata is plain data");
        lines.push(b'\n');
    }
    digest_bytes(&lines)
}

/// Metadata as JSON shows it.
struct Json<T>(T);

impl Serialize for Json<&Value> {
    fn serialize<S: Serializer>(&self, out: S) -> std::result::Result<S::Ok, S::Error> {
        match self.0 {
            Value::Number(number) => Json(*number).serialize(out),
            Value::Text(text) => out.serialize_str(text),
            Value::Array(array) => Json(array).serialize(out),
        }
    }
}

impl Serialize for Json<&Array> {
    fn serialize<S: Serializer>(&self, out: S) -> std::result::Result<S::Ok, S::Error> {
        match self.0 {
            Array::Numbers(..) => out.collect_seq(self.0.numbers().map(Json)),
            Array::Texts(texts) => out.collect_seq(texts),
            Array::Nested(lists) => out.collect_seq(lists.iter().map(Json)),
        }
    }
}

impl Serialize for Json<Number> {
    fn serialize<S: Serializer>(&self, out: S) -> std::result::Result<S::Ok, S::Error> {
        match self.0 {
            Number::Unsigned(value) => out.serialize_u64(value),
            Number::Signed(value) => out.serialize_i64(value),
            Number::Float(value) => out.serialize_f64(value),
            Number::Bool(value) => out.serialize_bool(value),
        }
    }
}
