//! Text to tokens and back.
//!
//! Three kinds of vocabulary are read: Hugging Face's tokenizer.json (through the `tokenizers`
//! crate), and the two that GGUF files carry, `llama` (pairs merged by score) and `gpt2` (bytes
//! merged by rank). Special tokens are split off here, not by the crate: text that a person wrote
//! never becomes one, even where it spells one.

mod byte_level;
mod detokenizer;
mod gguf;
mod huggingface;
mod pieces;
mod pre_tokenizer;
mod score_bpe;
mod splitter;

use crate::error::{Error, Result};
use crate::template::Rendered;
use allod_weights::Metadata;
pub use detokenizer::Detokenizer;
use pieces::Pieces;
use score_bpe::ScoreBpe;
use splitter::{Fragment, Splitter};
use std::collections::HashSet;
use std::path::Path;

/// Turns text into the tokens of one vocabulary and back.
pub struct Tokenizer {
    encoder: Encoder,
    pieces: Pieces,
    specials: Splitter,
    special_ids: HashSet<u32>,
    /// Stands for characters that the vocabulary lacks; the only special token that text makes.
    unknown: Option<u32>,
    begin: Vec<u32>,
    strips_first_space: bool,
    digest: String,
}

/// What encodes text that holds no special tokens.
enum Encoder {
    Score(ScoreBpe),
    Bytes(Box<byte_level::ByteLevelBpe>),
    Library(Box<huggingface::Library>),
}

/// Where a piece of text stands, which decides about a space put before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    AfterSpecial,
}

impl Tokenizer {
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

    /// SHA-256 of what the vocabulary was read from: tokenizer.json itself, or the `tokenizer.ggml`
    /// keys of a GGUF file, a line `KEY<tab>JSON` for each in order of key.
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
            Encoder::Bytes(encoder) => encoder.encode(text)?,
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
