//! SentencePiece's `.model` files (`sentencepiece_model.proto`): Unigram and BPE vocabularies.

use super::charsmap::Charsmap;
use super::normaliser::Normaliser;
use super::pieces::{Pieces, Writing};
use super::protobuf::{Damaged, Field, Fields};
use super::score_bpe::{Listed, ScoreBpe, TokenKind};
use super::splitter::{Entry, Splitter};
use super::unigram::Unigram;
use super::{Encoder, Place, Tokenizer};
use crate::error::{Error, Result};
use allod_weights::digest_bytes;
use std::path::Path;

/// The largest published model has some 5 MB.
const FILE_BYTES: u64 = 64 << 20;
/// More pieces than any vocabulary has.
const PIECES: usize = 1 << 22;

/// A piece of the vocabulary.
pub(super) struct Piece {
    pub text: String,
    pub score: f32,
    pub kind: TokenKind,
}

/// What a file says.
pub(super) struct Model {
    pub pieces: Vec<Piece>,
    pub merges: bool,
    byte_fallback: bool,
    space_as_suffix: bool,
    pub charsmap: Vec<u8>,
    pub space_before: bool,
    pub collapses: bool,
    escapes: bool,
    denormalises: bool,
    /// Ids of the begin-of-text and the end-of-text token; -1 is none.
    pub begin: i64,
    pub end: i64,
    digest: String,
}

/// BPE by score over text that is normalised first.
pub(super) struct NormalScore {
    normaliser: Normaliser,
    score: ScoreBpe,
}

impl NormalScore {
    pub fn encode(&self, text: &str, place: Place) -> Vec<u32> {
        let text = self.normaliser.apply(text, place, self.score.user_defined());
        self.score.encode_normal(&text)
    }
}

/// Reads the file at `path`.
pub(super) fn read(path: &Path) -> Result<Model> {
    let failed = |source| Error::Io { file: path.to_path_buf(), source };
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > FILE_BYTES {
        return Err(bad(path, format!("it has {length} bytes; {FILE_BYTES} at most")));
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    Model::parse(&bytes).map_err(|what| bad(path, what))
}

pub(super) fn bad(path: &Path, what: String) -> Error {
    Error::Tokenizer { file: path.to_path_buf(), what }
}

fn damaged(damaged: Damaged) -> String {
    format!("it is no SentencePiece model: {} at byte {} of a part", damaged.what, damaged.at)
}

impl Model {
    fn parse(bytes: &[u8]) -> std::result::Result<Model, String> {
        let mut model = Model {
            pieces: Vec::new(),
            merges: false,
            byte_fallback: false,
            space_as_suffix: false,
            charsmap: Vec::new(),
            space_before: true,
            collapses: true,
            escapes: true,
            denormalises: false,
            begin: 1,
            end: 2,
            digest: digest_bytes(bytes),
        };
        for field in Fields::new(bytes) {
            match field.map_err(damaged)? {
                (1, Field::Bytes(_)) if model.pieces.len() == PIECES => {
                    return Err(format!("it has more than {PIECES} pieces"));
                }
                (1, Field::Bytes(part)) => model.pieces.push(piece(part)?),
                (2, Field::Bytes(part)) => model.trainer(part)?,
                (3, Field::Bytes(part)) => model.normaliser(part)?,
                (5, Field::Bytes(part)) => model.denormaliser(part)?,
                _ => {}
            }
        }
        model.check()?;
        Ok(model)
    }

    /// `TrainerSpec`.
    fn trainer(&mut self, part: &[u8]) -> std::result::Result<(), String> {
        for field in Fields::new(part) {
            match field.map_err(damaged)? {
                (3, Field::Varint(1)) => self.merges = false,
                (3, Field::Varint(2)) => self.merges = true,
                (3, Field::Varint(kind)) => {
                    let name = ["?", "?", "?", "word", "char"].get(kind as usize).unwrap_or(&"?");
                    return Err(format!("model type {kind} ({name}); unigram and bpe are read"));
                }
                (24, Field::Varint(value)) => self.space_as_suffix = value != 0,
                (35, Field::Varint(value)) => self.byte_fallback = value != 0,
                (41, Field::Varint(id)) => self.begin = i64::from(id as i32),
                (42, Field::Varint(id)) => self.end = i64::from(id as i32),
                _ => {}
            }
        }
        Ok(())
    }

    /// `NormalizerSpec`.
    fn normaliser(&mut self, part: &[u8]) -> std::result::Result<(), String> {
        for field in Fields::new(part) {
            match field.map_err(damaged)? {
                (2, Field::Bytes(blob)) => self.charsmap = blob.to_vec(),
                (3, Field::Varint(value)) => self.space_before = value != 0,
                (4, Field::Varint(value)) => self.collapses = value != 0,
                (5, Field::Varint(value)) => self.escapes = value != 0,
                _ => {}
            }
        }
        Ok(())
    }

    fn denormaliser(&mut self, part: &[u8]) -> std::result::Result<(), String> {
        for field in Fields::new(part) {
            if let (2, Field::Bytes(blob)) = field.map_err(damaged)? {
                self.denormalises |= !blob.is_empty();
            }
        }
        Ok(())
    }

    /// Options that would give other tokens are refused by name.
    fn check(&self) -> std::result::Result<(), String> {
        let unused = self.pieces.iter().any(|piece| piece.kind == TokenKind::Unused);
        let refused = [
            (self.space_as_suffix, "treat_whitespace_as_suffix"),
            (!self.escapes, "escape_whitespaces = false"),
            (self.denormalises, "a denormalizer"),
            (self.merges && unused, "unused pieces in a bpe model"),
        ];
        if let Some((_, name)) = refused.iter().find(|(asked, _)| *asked) {
            return Err(format!("it asks for {name}, which is not done here"));
        }
        if self.pieces.is_empty() {
            return Err("it has no pieces".to_string());
        }
        let bytes = self.pieces.iter().filter(|piece| piece.kind == TokenKind::Byte).count();
        if self.byte_fallback && bytes != 256 {
            return Err(format!("it falls back to bytes, but has {bytes} of the 256"));
        }
        Ok(())
    }

    fn normal(&self) -> std::result::Result<Normaliser, String> {
        let charsmap = Some(&self.charsmap).filter(|blob| !blob.is_empty());
        let charsmap = charsmap.map(|blob| Charsmap::new(blob)).transpose()?;
        Ok(Normaliser { charsmap, space_before: self.space_before, collapses: self.collapses })
    }

    fn encoder(&self, unknown: Option<u32>) -> std::result::Result<Encoder, String> {
        let listed: Vec<Listed> = self
            .pieces
            .iter()
            // Without the fallback bytes are never used, whatever the vocabulary lists.
            .map(|piece| match piece.kind {
                TokenKind::Byte if !self.byte_fallback => (TokenKind::Control, piece),
                kind => (kind, piece),
            })
            .map(|(kind, piece)| Listed { text: &piece.text, score: piece.score, kind })
            .collect();
        let normaliser = self.normal()?;
        if self.merges {
            let score = ScoreBpe::new(&listed, unknown, false);
            return Ok(Encoder::Normal(Box::new(NormalScore { normaliser, score })));
        }
        Unigram::new(&listed, unknown, normaliser)
            .map(|unigram| Encoder::Unigram(Box::new(unigram)))
    }

    /// The tokenizer; `begin` and `end` stand around every text.
    pub fn tokenizer(
        self,
        begin: Vec<u32>,
        end: Vec<u32>,
    ) -> std::result::Result<Tokenizer, String> {
        let special = |kind| matches!(kind, TokenKind::Control | TokenKind::Unknown);
        let found = || self.pieces.iter().zip(0_u32..).filter(|(piece, _)| special(piece.kind));
        let unknown = self.pieces.iter().position(|piece| piece.kind == TokenKind::Unknown);
        let unknown = unknown.map(|id| id as u32);
        let mut pieces = Pieces::default();
        for piece in &self.pieces {
            match piece.kind {
                TokenKind::Control | TokenKind::Unknown => pieces.push(piece.text.as_bytes()),
                _ => pieces.push(&Writing::Sentence.bytes(&piece.text)),
            }
        }
        Ok(Tokenizer {
            encoder: self.encoder(unknown)?,
            pieces,
            specials: Splitter::new(found().map(|(piece, id)| Entry::plain(&piece.text, id))),
            special_ids: found().map(|(_, id)| id).collect(),
            unknown,
            begin,
            end,
            pair: None,
            strips_first_space: self.space_before || self.collapses,
            digest: self.digest,
        })
    }
}

/// `SentencePiece`.
fn piece(part: &[u8]) -> std::result::Result<Piece, String> {
    let mut piece = Piece { text: String::new(), score: 0.0, kind: TokenKind::Normal };
    for field in Fields::new(part) {
        match field.map_err(damaged)? {
            (1, Field::Bytes(text)) => {
                let text = std::str::from_utf8(text).map_err(|_| "a piece is not UTF-8")?;
                piece.text = text.to_string();
            }
            (2, Field::Fixed32(bits)) => piece.score = f32::from_bits(bits),
            (3, Field::Varint(kind)) => {
                piece.kind = match kind {
                    1 => TokenKind::Normal,
                    2 => TokenKind::Unknown,
                    3 => TokenKind::Control,
                    4 => TokenKind::UserDefined,
                    5 => TokenKind::Unused,
                    6 => TokenKind::Byte,
                    other => return Err(format!("a piece has the unknown type {other}")),
                }
            }
            _ => {}
        }
    }
    if piece.text.is_empty() { Err("a piece has no text".to_string()) } else { Ok(piece) }
}
