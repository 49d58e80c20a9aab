//! Text to tokens and back.
//!
//! Vocabularies are read from Hugging Face's tokenizer.json (through the `tokenizers` crate), from
//! GGUF files (`llama`: pairs merged by score, `gpt2`: bytes merged by rank, `bert`: WordPiece,
//! `t5`: Unigram), from SentencePiece models and from tekken.json. Special tokens are split off
//! here, not by the crate: text that a person wrote never becomes one, even where it spells one.

mod byte_level;
mod charsmap;
mod detokenizer;
mod export;
mod folder;
mod framing;
mod gguf;
mod huggingface;
mod normaliser;
mod pieces;
mod post_processor;
mod pre_tokenizer;
mod protobuf;
mod restore;
mod score_bpe;
mod sentencepiece;
mod splitter;
mod tekken;
mod unigram;
mod word_encoder;
mod word_piece;

use crate::error::{Error, Result};
use crate::template::Rendered;
use allod_weights::{Metadata, TensorFile};
pub use detokenizer::Detokenizer;
pub(crate) use export::{lacks_bytes, to_gguf};
pub(crate) use folder::files_read;
pub use framing::Pair;
use framing::PairFrame;
use pieces::Pieces;
pub(crate) use restore::to_folder;
use score_bpe::ScoreBpe;
use splitter::{Fragment, Splitter};
use std::collections::HashSet;
use std::path::Path;
use word_encoder::WordEncoder;

/// Turns text into the tokens of one vocabulary and back.
pub struct Tokenizer {
    encoder: Encoder,
    pieces: Pieces,
    specials: Splitter,
    special_ids: HashSet<u32>,
    /// Stands for characters that the vocabulary lacks; the only special token that text makes.
    unknown: Option<u32>,
    begin: Vec<u32>,
    end: Vec<u32>,
    /// What stands around two texts, where the vocabulary says it.
    pair: Option<PairFrame>,
    strips_first_space: bool,
    digest: String,
}

/// What encodes text that holds no special tokens.
enum Encoder {
    Score(ScoreBpe),
    Normal(Box<sentencepiece::NormalScore>),
    Unigram(Box<unigram::Unigram>),
    Words(Box<WordEncoder>),
    Library(Box<huggingface::Library>),
}

/// Where a piece of text stands, which decides about a space put before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    AfterSpecial,
}

impl Tokenizer {
    /// Reads the vocabulary of whatever is at `path`: a model folder, a GGUF file, a
    /// tokenizer.json, or a SentencePiece model.
    ///
    /// # Errors
    /// If there is none, or it is damaged or of a kind that is not read.
    pub fn open(path: &Path) -> Result<Tokenizer> {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match extension.as_str() {
            _ if path.is_dir() => Tokenizer::from_folder(path),
            "json" => Tokenizer::from_json(path),
            "model" => Tokenizer::from_sentencepiece(path),
            _ => Tokenizer::from_gguf(path, TensorFile::open(path)?.metadata()),
        }
    }

    /// Reads the tokenizer.json at `path`.
    ///
    /// # Errors
    /// If it is damaged or of a kind that is not read.
    pub fn from_json(path: &Path) -> Result<Tokenizer> {
        huggingface::read(path)
    }

    /// Reads the vocabulary in a GGUF file's metadata; `path` is for errors.
    ///
    /// # Errors
    /// If there is none, or it is damaged or of a kind that is not read.
    pub fn from_gguf(path: &Path, metadata: &Metadata) -> Result<Tokenizer> {
        gguf::read(path, metadata)
    }

    /// Reads the vocabulary of a model folder: tokenizer.json, vocab.json with merges.txt (of
    /// classes whose cutting into words is known), a SentencePiece tokenizer.model, or tekken.json.
    ///
    /// # Errors
    /// If there is none, or it is damaged or of a kind that is not read.
    pub fn from_folder(folder: &Path) -> Result<Tokenizer> {
        folder::read(folder)
    }

    /// Reads the SentencePiece model at `path` by itself: nothing stands before or after a text.
    ///
    /// # Errors
    /// If it is damaged or asks for what is not done here.
    pub fn from_sentencepiece(path: &Path) -> Result<Tokenizer> {
        let model = sentencepiece::read(path)?;
        model.tokenizer(Vec::new(), Vec::new()).map_err(|what| sentencepiece::bad(path, what))
    }

    /// SHA-256 of what the vocabulary was read from: the file itself; or the `tokenizer.ggml` keys
    /// of a GGUF file, a line `KEY<tab>JSON` for each in order of key; or, where several files make
    /// one vocabulary, a line `NAME<tab>DIGEST` for each.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// How many ids there are, counting from 0 to the largest.
    pub fn vocabulary(&self) -> usize {
        self.pieces.len()
    }

    /// The tokens of a text as it stands: nothing before it, special tokens not recognised.
    ///
    /// # Errors
    /// If the vocabulary can read a part of it only as a special token.
    pub fn encode_text(&self, text: &str) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        self.encode_literal(text, Place::Start, &mut ids)?;
        Ok(ids)
    }

    /// The tokens of a text that begins a sequence: what the vocabulary puts before every text (a
    /// begin-of-text token, mostly), then the text as it stands.
    ///
    /// # Errors
    /// As [`Tokenizer::encode_text`].
    pub fn encode_prompt(&self, text: &str) -> Result<Vec<u32>> {
        let mut ids = self.begin.clone();
        self.encode_literal(text, Place::Start, &mut ids)?;
        Ok(ids)
    }

    /// The tokens of a whole text, framed as the vocabulary asks: for encoders a token before it
    /// and one after it.
    ///
    /// # Errors
    /// As [`Tokenizer::encode_text`].
    pub fn encode_whole(&self, text: &str) -> Result<Vec<u32>> {
        let mut ids = self.encode_prompt(text)?;
        ids.extend(&self.end);
        Ok(ids)
    }

    /// What the vocabulary puts before a whole text, and after it.
    pub fn frame(&self) -> (&[u32], &[u32]) {
        (&self.begin, &self.end)
    }

    /// The tokens of a text in which special tokens are recognised: only for text that the caller
    /// wrote, never for what someone else did.
    ///
    /// # Errors
    /// As [`Tokenizer::encode_text`].
    pub fn encode_with_specials(&self, text: &str) -> Result<Vec<u32>> {
        self.encode_rendered(&Rendered::trusted(text))
    }

    /// The tokens of what a chat template rendered: special tokens that the template wrote are
    /// recognised, those that messages spell are text.
    ///
    /// # Errors
    /// As [`Tokenizer::encode_text`].
    pub fn encode_rendered(&self, rendered: &Rendered) -> Result<Vec<u32>> {
        let (mut ids, mut place) = (Vec::new(), Place::Start);
        for fragment in self.specials.split(&rendered.text) {
            match fragment {
                Fragment::Token(id) => ids.push(id),
                Fragment::Text(text) => {
                    self.encode_literal(&rendered.without_guard(text), place, &mut ids)?;
                }
            }
            place = Place::AfterSpecial;
        }
        Ok(ids)
    }

    fn encode_literal(&self, text: &str, place: Place, ids: &mut Vec<u32>) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let found = match &self.encoder {
            Encoder::Score(encoder) => encoder.encode(text),
            Encoder::Normal(encoder) => encoder.encode(text, place),
            Encoder::Unigram(encoder) => encoder.encode(text, place),
            Encoder::Words(encoder) => encoder.encode(text)?,
            Encoder::Library(encoder) => encoder.encode(text, place)?,
        };
        let forged = |id: &&u32| self.special_ids.contains(id) && self.unknown != Some(**id);
        if let Some(id) = found.iter().find(forged) {
            let name = self.token_text(*id);
            let what = format!("the vocabulary reads a part of it only as special token `{name}`");
            return Err(Error::Text(what));
        }
        ids.extend(found);
        Ok(())
    }

    /// The text of tokens; special ones give none. Bytes that are no UTF-8 become U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut detokenizer = self.detokenizer(&[]);
        let mut text: String = ids.iter().map(|id| detokenizer.push(*id)).collect();
        text += &detokenizer.finish();
        text
    }

    /// Turns the tokens that follow `prompt` into text, piece by piece.
    pub fn detokenizer(&self, prompt: &[u32]) -> Detokenizer<'_> {
        let at_start = prompt.iter().all(|id| self.special_ids.contains(id));
        Detokenizer::new(self, at_start && self.strips_first_space)
    }

    /// Turns tokens into text from within a text: a first space stays.
    pub fn detokenizer_within(&self) -> Detokenizer<'_> {
        Detokenizer::new(self, false)
    }

    /// The bytes that a single token spells, special ones too; not always UTF-8, and empty for ids
    /// that the vocabulary does not have.
    pub fn token_bytes(&self, id: u32) -> &[u8] {
        self.pieces.bytes(id)
    }

    /// What a single token spells, special ones too; lossy where it is not UTF-8.
    pub fn token_text(&self, id: u32) -> String {
        String::from_utf8_lossy(self.pieces.bytes(id)).into_owned()
    }

    /// Whether `id` is a special token.
    pub fn is_special(&self, id: u32) -> bool {
        self.special_ids.contains(&id)
    }

    /// The special tokens' texts.
    pub fn special_texts(&self) -> impl Iterator<Item = &str> {
        self.specials.texts()
    }

    /// The id of the special token with this text.
    pub fn special_id(&self, text: &str) -> Option<u32> {
        self.specials.id(text)
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = out.debug_struct("Tokenizer");
        out.field("vocabulary", &self.vocabulary()).field("digest", &self.digest).finish()
    }
}
