//! The vocabulary of a GGUF file as the files of a model folder: what `export` does, the other way
//! round, and checked in the same way.

use super::export::{PREFIX, check};
use super::{Tokenizer, pre_tokenizer, protobuf, word_piece};
use crate::error::{Error, Result};
use allod_weights::{Metadata, Number};
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::path::Path;

/// Keys of ids, with the names that special tokens have in tokenizer_config.json.
const NAMED: [(&str, &str); 7] = [
    ("bos_token_id", "bos_token"),
    ("eos_token_id", "eos_token"),
    ("unknown_token_id", "unk_token"),
    ("seperator_token_id", "sep_token"),
    ("padding_token_id", "pad_token"),
    ("cls_token_id", "cls_token"),
    ("mask_token_id", "mask_token"),
];

/// The listed tokens of a GGUF file.
struct Listed<'a> {
    metadata: &'a Metadata,
    texts: &'a [String],
    kinds: Vec<i64>,
}

/// Types of tokens, as `tokenizer.ggml.token_type` numbers them.
const UNKNOWN: i64 = 2;
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;
const UNUSED: i64 = 5;

/// Writes the vocabulary in `metadata` into `folder`: tokenizer.json or tokenizer.model, and
/// tokenizer_config.json with the chat template. Nothing is written if there is no vocabulary.
///
/// # Errors
/// A vocabulary that cannot be read, or of a kind that the files cannot express.
pub(crate) fn to_folder(source: &Path, metadata: &Metadata, folder: &Path) -> Result<()> {
    let bad = |what: String| Error::Tokenizer { file: source.to_path_buf(), what };
    let model = metadata.text(&format!("{PREFIX}model"));
    let Some(texts) = metadata.texts(&format!("{PREFIX}tokens")) else { return Ok(()) };
    let tokenizer = Tokenizer::from_gguf(source, metadata)?;
    let array = metadata.array(&format!("{PREFIX}token_type"));
    let kind = |number: Number| number.as_f64().unwrap_or(1.0) as i64;
    let kinds = array.map_or_else(|| vec![1; texts.len()], |a| a.numbers().map(kind).collect());
    let mut listed = Listed { metadata, texts, kinds };
    // What is special whatever its listed type.
    for id in (0..texts.len()).filter(|id| tokenizer.is_special(*id as u32)) {
        if listed.kinds[id] != UNKNOWN {
            listed.kinds[id] = CONTROL;
        }
    }
    let (name, bytes, class) = match model {
        Some("gpt2") => ("tokenizer.json", listed.of_bytes(&tokenizer), "PreTrainedTokenizerFast"),
        Some("bert") => ("tokenizer.json", listed.of_words(&tokenizer), "BertTokenizerFast"),
        Some("llama") => ("tokenizer.model", listed.of_pieces(2), "LlamaTokenizer"),
        Some("t5") => ("tokenizer.model", listed.of_pieces(1), "T5Tokenizer"),
        other => ("", Err(format!("the vocabulary kind {other:?} in a folder")), ""),
    };
    put(folder, name, &bytes.map_err(bad)?)?;
    let about = listed.about(&tokenizer, class);
    put(folder, "tokenizer_config.json", &pretty(&about))?;
    let used = (0..texts.len()).filter(|id| listed.kinds[*id] != UNUSED).map(|id| id as u32);
    check(source, &tokenizer, &Tokenizer::from_folder(folder)?, used)
}

fn pretty(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

fn put(folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let path = folder.join(name);
    std::fs::write(&path, bytes).map_err(|source| Error::Io { file: path, source })
}

impl Listed<'_> {
    fn id(&self, key: &str) -> Option<u64> {
        self.metadata.number(&format!("{PREFIX}{key}"))?.as_u64()
    }

    fn text(&self, id: u64) -> Option<&str> {
        self.texts.get(usize::try_from(id).ok()?).map(String::as_str)
    }

    /// tokenizer_config.json: the special tokens' names, the frame, the template.
    fn about(&self, tokenizer: &Tokenizer, class: &str) -> Value {
        let mut about = Map::new();
        about.insert("tokenizer_class".into(), class.into());
        about.insert("add_bos_token".into(), (!tokenizer.begin.is_empty()).into());
        about.insert("add_eos_token".into(), (!tokenizer.end.is_empty()).into());
        about.insert("clean_up_tokenization_spaces".into(), false.into());
        for (key, name) in NAMED {
            if let Some(text) = self.id(key).and_then(|id| self.text(id)) {
                about.insert(name.into(), text.into());
            }
        }
        if let Some(template) = self.metadata.text("tokenizer.chat_template") {
            about.insert("chat_template".into(), template.into());
        }
        Value::Object(about)
    }

    /// Control and user-defined tokens, as tokenizer.json lists what it adds.
    fn added(&self) -> Vec<Value> {
        let listed = self.texts.iter().zip(&self.kinds).enumerate();
        let own = listed.filter(|(_, (_, kind))| [UNKNOWN, CONTROL, USER_DEFINED].contains(kind));
        own.map(|(id, (text, kind))| {
            json!({
                "id": id, "content": text, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": *kind != USER_DEFINED,
            })
        })
        .collect()
    }

    /// How many tokens the model itself has to list: those that are added after them get the ids
    /// that follow, without a gap.
    fn before_added(&self) -> usize {
        let end = self.kinds.iter().rposition(|kind| *kind != UNUSED).map_or(0, |last| last + 1);
        let added = |kind: &i64| [CONTROL, UNKNOWN, USER_DEFINED].contains(kind);
        self.kinds[..end].iter().rposition(|kind| !added(kind)).map_or(0, |last| last + 1)
    }

    /// What puts tokens before and after a text.
    fn frame(&self, tokenizer: &Tokenizer) -> Value {
        let tokens = || tokenizer.begin.iter().chain(&tokenizer.end);
        if tokens().next().is_none() {
            return Value::Null;
        }
        let text = |id: &u32| self.text(u64::from(*id)).unwrap_or_default();
        let special = |id: &u32| json!({"SpecialToken": {"id": text(id), "type_id": 0}});
        let part = |name: &str| {
            let own = json!({"Sequence": {"id": name, "type_id": 0}});
            let begin = tokenizer.begin.iter().map(special);
            begin.chain([own]).chain(tokenizer.end.iter().map(special)).collect::<Vec<_>>()
        };
        let named = |id: &u32| {
            (text(id).to_string(), json!({"id": text(id), "ids": [id], "tokens": [text(id)]}))
        };
        let special: Map<String, Value> = tokens().map(named).collect();
        let pair = [part("A"), part("B")].concat();
        json!({
            "type": "TemplateProcessing", "single": part("A"),
            "pair": pair, "special_tokens": special,
        })
    }

    /// Bytes merged by rank.
    fn of_bytes(&self, tokenizer: &Tokenizer) -> std::result::Result<Vec<u8>, String> {
        let name = self.metadata.text(&format!("{PREFIX}pre")).unwrap_or("default");
        let cut = pre_tokenizer::by_name(name).ok_or_else(|| format!("`{name}`"))?;
        let merges = self.metadata.texts(&format!("{PREFIX}merges")).unwrap_or_default();
        let plain =
            |id: &usize| ![CONTROL, UNKNOWN, USER_DEFINED, UNUSED].contains(&self.kinds[*id]);
        let mergeable: HashSet<&str> =
            (0..self.texts.len()).filter(plain).map(|id| self.texts[id].as_str()).collect();
        let known = |merge: &&String| mergeable.contains(merge.replacen(' ', "", 1).as_str());
        let listed = self.texts[..self.before_added()].iter().enumerate();
        let vocabulary: Map<String, Value> =
            listed.map(|(id, text)| (text.clone(), id.into())).collect();
        let json = json!({
            "version": "1.0",
            "added_tokens": self.added(),
            "normalizer": cut.composes.then(|| json!({"type": "NFC"})),
            "pre_tokenizer": cut.build()?,
            "post_processor": self.frame(tokenizer),
            "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false,
                        "use_regex": false},
            "model": {"type": "BPE", "ignore_merges": cut.whole_words,
                      "merges": merges.iter().filter(known).collect::<Vec<_>>(),
                      "vocab": vocabulary},
        });
        Ok(pretty(&json))
    }

    /// WordPiece.
    fn of_words(&self, tokenizer: &Tokenizer) -> std::result::Result<Vec<u8>, String> {
        let unknown = self.id("unknown_token_id").and_then(|id| self.text(id));
        let unknown = unknown.ok_or("`unknown_token_id` is missing")?;
        let written = |(id, text): (usize, &String)| {
            let plain = ![CONTROL, UNKNOWN].contains(&self.kinds[id]);
            let text = if plain { word_piece::from_gguf(text) } else { text.clone() };
            (text, Value::from(id))
        };
        let vocabulary: Map<String, Value> = self.texts.iter().enumerate().map(written).collect();
        let json = json!({
            "version": "1.0",
            "added_tokens": self.added(),
            "normalizer": {"type": "BertNormalizer", "clean_text": true, "strip_accents": null,
                           "handle_chinese_chars": true,
                           "lowercase": word_piece::is_lower_case(self.texts)},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": self.frame(tokenizer),
            "decoder": {"type": "WordPiece", "prefix": word_piece::PREFIX, "cleanup": true},
            "model": {"type": "WordPiece", "unk_token": unknown, "max_input_chars_per_word": 100,
                      "continuing_subword_prefix": word_piece::PREFIX, "vocab": vocabulary},
        });
        Ok(pretty(&json))
    }

    /// A SentencePiece model of `kind` (1: Unigram, 2: BPE).
    fn of_pieces(&self, kind: u64) -> std::result::Result<Vec<u8>, String> {
        let scores = self.metadata.array(&format!("{PREFIX}scores")).ok_or("it has no scores")?;
        let scores = scores.numbers().map(|score| score.as_f64().unwrap_or(0.0) as f32);
        let mut file = protobuf::Writer::default();
        for ((text, score), kind) in self.texts.iter().zip(scores).zip(&self.kinds) {
            let mut piece = protobuf::Writer::default();
            piece.bytes(1, text.as_bytes());
            piece.fixed32(2, score.to_bits());
            piece.varint(3, *kind as u64);
            file.bytes(1, &piece.finish());
        }
        let truth = |key: &str, usual| {
            u64::from(self.metadata.truth(&format!("{PREFIX}{key}")).unwrap_or(usual))
        };
        let bytes = self.kinds.iter().filter(|kind| **kind == 6).count();
        let mut trainer = protobuf::Writer::default();
        trainer.varint(3, kind);
        trainer.varint(35, u64::from(bytes == 256));
        for (field, key) in [(40, "unknown"), (41, "bos"), (42, "eos"), (43, "padding")] {
            // Without one it is −1, in ten bytes.
            trainer.varint(field, self.id(&format!("{key}_token_id")).unwrap_or(u64::MAX));
        }
        file.bytes(2, &trainer.finish());
        let mut normaliser = protobuf::Writer::default();
        if let Some(blob) = self.metadata.array(&format!("{PREFIX}precompiled_charsmap")) {
            let byte = |number: Number| number.as_f64().unwrap_or(0.0) as i64 as u8;
            normaliser.bytes(2, &blob.numbers().map(byte).collect::<Vec<u8>>());
        }
        normaliser.varint(3, truth("add_space_prefix", true));
        normaliser.varint(4, truth("remove_extra_whitespaces", kind == 1));
        normaliser.varint(5, 1);
        file.bytes(3, &normaliser.finish());
        Ok(file.finish())
    }
}
