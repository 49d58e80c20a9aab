//! Unigram vocabularies: of all ways to cut a text into pieces, the one with the best sum of
//! scores.
//!
//! Kudo, "Subword Regularization" (2018), section 3.2; the constants are SentencePiece's.

use super::Place;
use super::normaliser::{Normaliser, pieces};
use super::pieces::byte_token;
use super::score_bpe::{Listed, TokenKind};
use super::splitter::{Entry, Splitter};
use std::collections::HashMap;

/// How much worse than the worst piece an unknown character scores.
const UNKNOWN_PENALTY: f32 = 10.0;
/// A piece of more bytes than this is not looked for.
const PIECE_BYTES: usize = 4096;

/// Encodes text by scores of whole pieces.
pub(super) struct Unigram {
    trie: Trie,
    bytes: HashMap<u8, u32>,
    unknown: Option<u32>,
    unknown_score: f32,
    normaliser: Normaliser,
    user_defined: Splitter,
}

/// Pieces by their bytes.
#[derive(Default)]
struct Trie {
    /// Node and byte to node; node 0 is the root.
    children: HashMap<(u32, u8), u32>,
    /// By node: the piece that ends there and its score.
    ends: Vec<Option<(u32, f32)>>,
}

impl Trie {
    fn insert(&mut self, text: &str, id: u32, score: f32) {
        if self.ends.is_empty() {
            self.ends.push(None);
        }
        let mut node = 0;
        for byte in text.bytes() {
            let next = self.ends.len() as u32;
            let child = *self.children.entry((node, byte)).or_insert(next);
            if child == next {
                self.ends.push(None);
            }
            node = child;
        }
        let end = &mut self.ends[node as usize];
        if node != 0 && end.is_none() {
            *end = Some((id, score));
        }
    }

    /// Each piece that `bytes` begins with: its length, id and score.
    fn prefixes<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = (usize, u32, f32)> + 'a {
        let step = |node: &mut u32, byte: &u8| {
            *node = *self.children.get(&(*node, *byte))?;
            Some(*node)
        };
        let nodes = bytes.iter().scan(0, step);
        nodes.enumerate().filter_map(|(index, node)| {
            self.ends[node as usize].map(|(id, score)| (index + 1, id, score))
        })
    }
}

/// The best way to a place in the text.
#[derive(Clone, Copy)]
struct Best {
    score: f32,
    start: usize,
    /// The piece; none for an unknown character.
    id: Option<u32>,
}

impl Unigram {
    /// Special and unused tokens in `tokens` are never made from text.
    pub fn new(
        tokens: &[Listed],
        unknown: Option<u32>,
        normaliser: Normaliser,
    ) -> Result<Unigram, String> {
        let (mut trie, mut bytes, mut user_defined) = (Trie::default(), HashMap::new(), Vec::new());
        let mut worst = f32::INFINITY;
        for (token, id) in tokens.iter().zip(0..) {
            match token.kind {
                TokenKind::Normal if !token.score.is_finite() => {
                    return Err(format!("the score of token {id} is no number"));
                }
                TokenKind::Normal if token.text.len() <= PIECE_BYTES => {
                    worst = worst.min(token.score);
                    trie.insert(token.text, id, token.score);
                }
                TokenKind::Byte => _ = byte_token(token.text).map(|byte| bytes.insert(byte, id)),
                TokenKind::UserDefined => user_defined.push(Entry::plain(token.text, id)),
                _ => {}
            }
        }
        let worst = if worst.is_finite() { worst } else { 0.0 };
        let user_defined = Splitter::new(user_defined);
        let unknown_score = worst - UNKNOWN_PENALTY;
        Ok(Unigram { trie, bytes, unknown, unknown_score, normaliser, user_defined })
    }

    pub fn encode(&self, text: &str, place: Place) -> Vec<u32> {
        let text = self.normaliser.apply(text, place, &self.user_defined);
        let mut ids = Vec::new();
        pieces(&text, &self.user_defined, &mut ids, |text, ids| self.put(text, ids));
        ids
    }

    /// For each place in the text the best piece that ends there (Viterbi).
    fn best(&self, text: &str) -> Vec<Best> {
        let none = Best { score: f32::NEG_INFINITY, start: 0, id: None };
        let mut best = vec![none; text.len() + 1];
        best[0].score = 0.0;
        for (start, character) in text.char_indices() {
            let (until, length) = (best[start].score, character.len_utf8());
            let mut single = false;
            for (piece, id, score) in self.trie.prefixes(&text.as_bytes()[start..]) {
                let end = &mut best[start + piece];
                if until + score > end.score {
                    *end = Best { score: until + score, start, id: Some(id) };
                }
                single |= piece == length;
            }
            let end = &mut best[start + length];
            if !single && until + self.unknown_score > end.score {
                *end = Best { score: until + self.unknown_score, start, id: None };
            }
        }
        best
    }

    fn put(&self, text: &str, ids: &mut Vec<u32>) {
        let best = self.best(text);
        let (mut end, mut path) = (text.len(), Vec::new());
        while end > 0 {
            let Best { start, id, .. } = best[end];
            path.push((start, end, id));
            end = start;
        }
        let mut after_unknown = false;
        for (start, end, id) in path.into_iter().rev() {
            match id {
                Some(id) => ids.push(id),
                None if self.bytes.is_empty() => {
                    ids.extend(self.unknown.filter(|_| !after_unknown));
                }
                None => {
                    let byte = |byte: &u8| self.bytes.get(byte).copied().or(self.unknown);
                    ids.extend(text.as_bytes()[start..end].iter().filter_map(byte));
                }
            }
            after_unknown = id.is_none();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unigram(tokens: &[(&str, f32, TokenKind)]) -> Unigram {
        let listed: Vec<Listed> = tokens
            .iter()
            .map(|(text, score, kind)| Listed { text, score: *score, kind: *kind })
            .collect();
        let normaliser = Normaliser { charsmap: None, space_before: true, collapses: false };
        Unigram::new(&listed, Some(0), normaliser).unwrap()
    }

    #[test]
    fn the_best_sum_wins_and_unknown_characters_are_one() {
        use TokenKind::{Byte, Control, Normal, Unknown, Unused};
        let tokens = [
            ("<unk>", 0.0, Unknown),
            ("▁", -2.0, Normal),
            ("a", -2.0, Normal),
            ("b", -2.0, Normal),
            ("ab", -3.0, Normal),
            ("▁a", -2.5, Normal),
            ("<s>", 0.0, Control),
            ("ba", 0.0, Unused),
        ];
        let encoder = unigram(&tokens);
        assert_eq!(encoder.encode("ab", Place::Start), [5, 3]);
        assert_eq!(encoder.encode("ab", Place::AfterSpecial), [4]);
        assert_eq!(encoder.encode("baéüa", Place::AfterSpecial), [3, 2, 0, 2]);
        assert_eq!(encoder.encode("<s>", Place::AfterSpecial), [0]);
        let bytes = [tokens.as_slice(), &[("<0xC3>", 0.0, Byte), ("<0xA9>", 0.0, Byte)]].concat();
        assert_eq!(unigram(&bytes).encode("é", Place::AfterSpecial), [8, 9]);
        assert_eq!(encoder.encode("", Place::Start), [0_u32; 0]);
    }

    #[test]
    fn scores_must_be_numbers() {
        let listed = [Listed { text: "a", score: f32::NAN, kind: TokenKind::Normal }];
        let normaliser = Normaliser { charsmap: None, space_before: true, collapses: false };
        assert!(Unigram::new(&listed, None, normaliser).is_err());
    }
}
