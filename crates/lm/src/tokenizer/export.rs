//! The vocabulary of a model folder as the keys of a GGUF file (ggml `docs/gguf.md`): what `gguf`
//! reads, the other way round.
//!
//! What is made is read back and has to give the same tokens for texts of many kinds as the
//! folder's own vocabulary: what GGUF cannot say is refused, not approximated.

use super::pieces::Writing;
use super::score_bpe::TokenKind;
use super::{Tokenizer, folder, gguf, pre_tokenizer, sentencepiece};
use crate::checkpoint::read_object;
use crate::error::{Error, Result};
use allod_weights::Metadata;
use base64::Engine;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::path::Path;

pub(super) const PREFIX: &str = "tokenizer.ggml.";
const FILE_BYTES: u64 = 256 << 20;
/// The names that special tokens have in tokenizer_config.json, and the keys of their ids.
const NAMED: [(&str, &str); 7] = [
    ("bos_token", "bos_token_id"),
    ("eos_token", "eos_token_id"),
    ("unk_token", "unknown_token_id"),
    ("sep_token", "seperator_token_id"),
    ("pad_token", "padding_token_id"),
    ("cls_token", "cls_token_id"),
    ("mask_token", "mask_token_id"),
];
/// Texts that vocabularies cut in different ways.
const SAMPLES: [&str; 9] = [
    "Hello, World! It's 3.14 o'clock; they'll've 12345 & don't I'M YOU'RE",
    "  two spaces   three\ttab\n\nlines\r\n   trailing  ",
    "Grüße aus Zürich, à bientôt, ¿qué tal?, České Budějovice, Žižkov, İstanbul",
    "Привет, мир! Καλημέρα κόσμε. שלום עולם مرحبا بالعالم नमस्ते दुनिया สวัสดีชาวโลก",
    "你好，世界！こんにちは世界。안녕하세요 세계 ２０２５年",
    "🚀 😶‍🌫️ 👩🏽‍💻 e\u{301} ﬁ Å ½ ™ \u{200b}x\u{fe0f}",
    "fn main() { let x: Vec<u8> = vec![0x1F; 1_000]; } // if (a != b) && !c\n\t\treturn;",
    "HTTPServer camelCase snake_case ALLCAPS iPhone15Pro v2.0.1-beta+exp.sha",
    "<s> [INST] <|im_start|> {{x}} </s> https://example.org/a?b=c&d=%20#e a@b.ch",
];

/// A vocabulary on its way into keys.
struct Listing {
    /// The kind, as `tokenizer.ggml.model` names it.
    model: &'static str,
    texts: Vec<String>,
    kinds: Vec<TokenKind>,
    scores: Option<Vec<f32>>,
    /// What only this kind has.
    keys: Metadata,
}

/// The keys of the vocabulary in `folder`, with as many tokens as the model has `rows` of
/// embeddings; none if the folder has no vocabulary.
///
/// # Errors
/// A vocabulary that cannot be read, or that GGUF cannot express.
pub(crate) fn to_gguf(folder: &Path, rows: usize) -> Result<Option<Metadata>> {
    if !folder::has_vocabulary(folder) {
        return Ok(None);
    }
    let bad = |what: String| Error::Tokenizer { file: folder.to_path_buf(), what };
    let tokenizer = Tokenizer::from_folder(folder)?;
    let mut listing = listing(folder, &tokenizer)?;
    listing.resize(rows);
    let mut metadata = listing.keys();
    frame(&tokenizer, listing.model, &mut metadata).map_err(bad)?;
    name_specials(folder, &tokenizer, rows, &mut metadata)?;
    let count = tokenizer.vocabulary().min(rows) as u32;
    check(folder, &tokenizer, &gguf::read(folder, &metadata)?, 0..count)?;
    Ok(Some(metadata))
}

fn listing(folder: &Path, tokenizer: &Tokenizer) -> Result<Listing> {
    let bad = |what: String| Error::Tokenizer { file: folder.to_path_buf(), what };
    let Some(json) = folder::json(folder)? else {
        return match folder::sentencepiece_model(folder)? {
            Some(model) => Ok(Listing::of_pieces(&model)),
            None => Err(bad("GGUF files are not made from it; give a tokenizer.json".into())),
        };
    };
    let listing = match json["model"]["type"].as_str() {
        Some("WordPiece") => Listing::of_words(&json),
        Some("Unigram") => Listing::of_unigram(&json, tokenizer),
        _ if json["model"]["byte_fallback"] == true => {
            let model = folder::sentencepiece_model(folder)?;
            Listing::of_merged_pieces(&json, model.as_ref(), tokenizer)
        }
        _ => Listing::of_bytes(&json),
    };
    listing.map_err(bad)
}

impl Listing {
    /// The tokens of tokenizer.json by id, with those that are added.
    fn of_json(
        model: &'static str,
        json: &Value,
        tokens: impl Iterator<Item = (String, u64)>,
    ) -> std::result::Result<Listing, String> {
        let mut listing = Listing {
            model,
            texts: Vec::new(),
            kinds: Vec::new(),
            scores: None,
            keys: Metadata::default(),
        };
        for (text, id) in tokens {
            listing.put(id, text, TokenKind::Normal)?;
        }
        let added = json["added_tokens"].as_array().map_or(&[][..], Vec::as_slice);
        for token in added {
            let (Some(id), Some(text)) = (token["id"].as_u64(), token["content"].as_str()) else {
                return Err("an added token has no id or no text".to_string());
            };
            let special = token["special"] == true;
            let kind = if special { TokenKind::Control } else { TokenKind::UserDefined };
            listing.put(id, text.to_string(), kind)?;
        }
        Ok(listing)
    }

    /// Puts a token at its id; ids that are left out name nothing.
    fn put(&mut self, id: u64, text: String, kind: TokenKind) -> std::result::Result<(), String> {
        /// More than any vocabulary has.
        const IDS: u64 = 1 << 24;
        if id >= IDS {
            return Err(format!("the token `{text}` has id {id}"));
        }
        let id = id as usize;
        if id >= self.texts.len() {
            self.resize(id + 1);
        }
        (self.texts[id], self.kinds[id]) = (text, kind);
        Ok(())
    }

    /// Cuts the list, or fills it up with tokens that are never used.
    fn resize(&mut self, count: usize) {
        self.texts.truncate(count);
        self.texts.extend((self.texts.len()..count).map(|id| format!("[PAD{id}]")));
        self.kinds.resize(count, TokenKind::Unused);
        self.scores.iter_mut().for_each(|scores| scores.resize(count, 0.0));
    }

    fn of_vocabulary(model: &'static str, json: &Value) -> std::result::Result<Listing, String> {
        let tokens = json["model"]["vocab"].as_object().ok_or("it has no `vocab`")?;
        let tokens = tokens.iter().filter_map(|(text, id)| Some((text.clone(), id.as_u64()?)));
        Listing::of_json(model, json, tokens)
    }

    /// Bytes merged by rank.
    fn of_bytes(json: &Value) -> std::result::Result<Listing, String> {
        let mut listing = Listing::of_vocabulary("gpt2", json)?;
        let pre = pre_tokenizer::name_of(json)?;
        listing.keys.insert(format!("{PREFIX}pre"), pre);
        listing.keys.insert(format!("{PREFIX}merges"), merges(json));
        Ok(listing)
    }

    /// WordPiece: the beginnings of words are marked, not what goes on them.
    fn of_words(json: &Value) -> std::result::Result<Listing, String> {
        let mut listing = Listing::of_vocabulary("bert", json)?;
        let plain = listing.texts.iter_mut().zip(&listing.kinds);
        for (text, _) in plain.filter(|(_, kind)| **kind == TokenKind::Normal) {
            *text = match text.strip_prefix(super::word_piece::PREFIX) {
                Some(rest) => rest.to_string(),
                None => format!("▁{text}"),
            };
        }
        Ok(listing)
    }

    fn of_unigram(json: &Value, tokenizer: &Tokenizer) -> std::result::Result<Listing, String> {
        let pieces = json["model"]["vocab"].as_array().ok_or("it has no `vocab`")?;
        let text = |piece: &Value| piece[0].as_str().map(str::to_string);
        let tokens = pieces.iter().zip(0_u64..);
        let tokens = tokens.filter_map(|(piece, id)| Some((text(piece)?, id)));
        let mut listing = Listing::of_json("t5", json, tokens)?;
        let score = |piece: &Value| piece[1].as_f64().unwrap_or(0.0) as f32;
        listing.scores = Some(pieces.iter().map(score).collect());
        listing.mark_unknown(tokenizer);
        let same = |one: &str, two: &str| tokens_of(tokenizer, one) == tokens_of(tokenizer, two);
        listing.spaces(tokenizer);
        listing.keys.insert(format!("{PREFIX}remove_extra_whitespaces"), same("a  b", "a b"));
        if let Some(blob) = charsmap(&json["normalizer"])? {
            listing.keys.insert(format!("{PREFIX}precompiled_charsmap"), blob);
        }
        Ok(listing)
    }

    /// Pieces merged by rank, bytes where there is no piece. The score of a token is the rank of
    /// the first merge that gives it, unless the folder has the model that says it.
    fn of_merged_pieces(
        json: &Value,
        model: Option<&sentencepiece::Model>,
        tokenizer: &Tokenizer,
    ) -> std::result::Result<Listing, String> {
        let mut listing = Listing::of_vocabulary("llama", json)?;
        let mut ranks: HashMap<String, usize> = HashMap::new();
        for (rank, merge) in merges(json).into_iter().enumerate() {
            ranks.entry(merge.replacen(' ', "", 1)).or_insert(rank);
        }
        let last = ranks.len();
        let score = |text: &String| -(*ranks.get(text).unwrap_or(&last) as f32);
        let mut scores: Vec<f32> = listing.texts.iter().map(score).collect();
        for (score, piece) in scores.iter_mut().zip(model.iter().flat_map(|model| &model.pieces)) {
            *score = piece.score;
        }
        listing.scores = Some(scores);
        for (text, kind) in listing.texts.iter().zip(&mut listing.kinds) {
            let is_byte = text.starts_with("<0x") && Writing::Sentence.bytes(text).len() == 1;
            if is_byte && *kind == TokenKind::Normal {
                *kind = TokenKind::Byte;
            }
        }
        listing.mark_unknown(tokenizer);
        listing.spaces(tokenizer);
        Ok(listing)
    }

    /// A SentencePiece model.
    fn of_pieces(model: &sentencepiece::Model) -> Listing {
        let mut keys = Metadata::default();
        keys.insert(format!("{PREFIX}add_space_prefix"), model.space_before);
        keys.insert(format!("{PREFIX}remove_extra_whitespaces"), model.collapses);
        if !model.charsmap.is_empty() {
            keys.insert(format!("{PREFIX}precompiled_charsmap"), model.charsmap.clone());
        }
        let pieces = || model.pieces.iter();
        Listing {
            model: if model.merges { "llama" } else { "t5" },
            texts: pieces().map(|piece| piece.text.clone()).collect(),
            kinds: pieces().map(|piece| piece.kind).collect(),
            scores: Some(pieces().map(|piece| piece.score).collect()),
            keys,
        }
    }

    fn mark_unknown(&mut self, tokenizer: &Tokenizer) {
        if let Some(kind) = tokenizer.unknown.and_then(|id| self.kinds.get_mut(id as usize)) {
            *kind = TokenKind::Unknown;
        }
    }

    /// Whether a space is put before a text.
    fn spaces(&mut self, tokenizer: &Tokenizer) {
        let first = tokens_of(tokenizer, "a").and_then(|ids| ids.first().copied());
        let before = first.is_some_and(|id| tokenizer.pieces.bytes(id).starts_with(b" "));
        self.keys.insert(format!("{PREFIX}add_space_prefix"), before);
    }

    fn keys(&mut self) -> Metadata {
        let mut keys = std::mem::take(&mut self.keys);
        let kind = |kind: &TokenKind| match kind {
            TokenKind::Normal => 1,
            TokenKind::Unknown => 2,
            TokenKind::Control => 3,
            TokenKind::UserDefined => 4,
            TokenKind::Unused => 5,
            TokenKind::Byte => 6,
        };
        let kinds: Vec<i32> = self.kinds.iter().map(kind).collect();
        keys.insert(format!("{PREFIX}model"), self.model);
        keys.insert(format!("{PREFIX}token_type"), kinds);
        keys.insert(format!("{PREFIX}tokens"), std::mem::take(&mut self.texts));
        if keys.get(&format!("{PREFIX}pre")).is_none() {
            keys.insert(format!("{PREFIX}pre"), "default");
        }
        if let Some(scores) = self.scores.take() {
            keys.insert(format!("{PREFIX}scores"), scores);
        }
        keys
    }
}

/// Merges as texts, parted by a space.
fn merges(json: &Value) -> Vec<String> {
    let merge = |merge: &Value| match merge {
        Value::String(merge) => Some(merge.clone()),
        Value::Array(sides) => {
            Some(sides.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "))
        }
        _ => None,
    };
    json["model"]["merges"].as_array().into_iter().flatten().filter_map(merge).collect()
}

/// The precompiled character map of a normaliser, if it has one.
fn charsmap(normalizer: &Value) -> std::result::Result<Option<Vec<u8>>, String> {
    let mut open = vec![normalizer];
    while let Some(step) = open.pop() {
        if let Some(blob) = step["precompiled_charsmap"].as_str() {
            let blob = base64::engine::general_purpose::STANDARD.decode(blob);
            return blob.map(Some).map_err(|error| error.to_string());
        }
        open.extend(step["normalizers"].as_array().into_iter().flatten());
    }
    Ok(None)
}

fn tokens_of(tokenizer: &Tokenizer, text: &str) -> Option<Vec<u32>> {
    tokenizer.encode_text(text).ok()
}

/// What stands before and after every text.
fn frame(
    tokenizer: &Tokenizer,
    model: &str,
    metadata: &mut Metadata,
) -> std::result::Result<(), String> {
    let (begin, end) = (&tokenizer.begin, &tokenizer.end);
    if begin.len() > 1 || end.len() > 1 {
        return Err("GGUF files frame a text with one token at most on each side".to_string());
    }
    let mut put = |key: &str, value: allod_weights::Value| {
        metadata.insert(format!("{PREFIX}{key}"), value);
    };
    put("add_bos_token", (!begin.is_empty()).into());
    begin.iter().for_each(|id| put("bos_token_id", (*id).into()));
    let (adds, id) = match model {
        "bert" => ("add_sep_token", "seperator_token_id"),
        _ => ("add_eos_token", "eos_token_id"),
    };
    put(adds, (!end.is_empty()).into());
    end.iter().for_each(|found| put(id, (*found).into()));
    Ok(())
}

/// The ids of special tokens, by the names that the folder gives them, and those that end a text.
fn name_specials(
    folder: &Path,
    tokenizer: &Tokenizer,
    rows: usize,
    metadata: &mut Metadata,
) -> Result<()> {
    let read = |name: &str| match folder.join(name) {
        path if path.is_file() => read_object(&path, FILE_BYTES),
        _ => Ok(Map::new()),
    };
    let config = read("config.json")?;
    let sources = [read("tokenizer_config.json")?, read("special_tokens_map.json")?];
    let mut put = |key: &str, id: u32| {
        let key = format!("{PREFIX}{key}");
        if (id as usize) < rows && metadata.get(&key).is_none() {
            metadata.insert(key, id);
        }
    };
    let id_of = |token: &Value| {
        let text = token.as_str().or_else(|| token["content"].as_str())?;
        tokenizer.special_id(text)
    };
    for (name, key) in NAMED {
        let named = sources.iter().find_map(|source| source.get(name).and_then(id_of));
        let number = || config.get(&name.replace("_token", "_token_id"))?.as_u64();
        let id = named.or_else(|| number().and_then(|id| u32::try_from(id).ok()));
        id.into_iter().for_each(|id| put(key, id));
    }
    tokenizer.unknown.into_iter().for_each(|id| put("unknown_token_id", id));
    let generation = read("generation_config.json")?;
    let ends = generation.get("eos_token_id").or_else(|| config.get("eos_token_id"));
    let ends: Vec<u32> = crate::model::ids(ends).into_iter().collect();
    let eos = metadata.number(&format!("{PREFIX}eos_token_id")).and_then(|id| id.as_u64());
    let mut others = ends.into_iter().filter(|id| Some(u64::from(*id)) != eos);
    for key in ["eos_token_id", "eot_token_id", "eom_token_id"] {
        let key = format!("{PREFIX}{key}");
        if metadata.get(&key).is_none()
            && let Some(id) = others.find(|id| (*id as usize) < rows)
        {
            metadata.insert(key, id);
        }
    }
    Ok(())
}

/// Whether `found`, made of `wanted`, gives the same, and has the same
/// `tokens_that_matter`; `path` is for errors.
pub(super) fn check(
    path: &Path,
    wanted: &Tokenizer,
    found: &Tokenizer,
    mut tokens_that_matter: impl Iterator<Item = u32>,
) -> Result<()> {
    let bad = |what: String| Error::Tokenizer { file: path.to_path_buf(), what };
    for sample in SAMPLES {
        // A text that the vocabulary cannot read at all may be refused by both.
        let tokens = |tokenizer: &Tokenizer| tokenizer.encode_whole(sample).ok();
        let (wanted, found) = (tokens(wanted), tokens(found));
        if wanted != found {
            let what = "its tokens cannot be said in the other kind of file: the text";
            return Err(bad(format!("{what} {sample:?} becomes {found:?}, not {wanted:?}")));
        }
    }
    let differs = |id: &u32| wanted.pieces.bytes(*id) != found.pieces.bytes(*id);
    match tokens_that_matter.find(differs) {
        Some(id) => {
            let (wanted, found) = (wanted.token_text(id), found.token_text(id));
            Err(bad(format!("token {id} is {wanted:?} and would become {found:?}")))
        }
        None => Ok(()),
    }
}

/// The steps of a pre-tokenizer, without what does not matter for where text is cut.
pub(super) fn steps(step: &Value) -> Vec<Value> {
    match step["type"].as_str() {
        Some("Sequence") => {
            step["pretokenizers"].as_array().into_iter().flatten().flat_map(steps).collect()
        }
        Some("ByteLevel") => {
            vec![json!(["ByteLevel", step["add_prefix_space"], step["use_regex"] != false])]
        }
        Some("Split") => {
            vec![json!(["Split", step["pattern"], step["behavior"], step["invert"]])]
        }
        Some("Digits") => vec![json!(["Digits", step["individual_digits"]])],
        Some("Punctuation") => vec![json!(["Punctuation", step["behavior"]])],
        _ => vec![step.clone()],
    }
}
/// Whether it is a vocabulary of pieces without those for single bytes.
pub(crate) fn lacks_bytes(metadata: &Metadata) -> bool {
    let tokens = metadata.texts("tokenizer.ggml.tokens").unwrap_or_default();
    metadata.text("tokenizer.ggml.model") == Some("llama")
        && !tokens.iter().any(|token| token == "<0x00>")
}
