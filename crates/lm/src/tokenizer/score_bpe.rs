//! The `llama` vocabulary: characters merged pair by pair, the best score first.
//!
//! SentencePiece's BPE has no list of merges: of all neighbours whose join is a token, the one
//! with the highest score is joined, the leftmost of equals. What stays unknown becomes bytes.

use super::normaliser::pieces;
use super::pieces::byte_token;
use super::splitter::{Entry, Fragment, Splitter};
use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

/// What a token is, in the numbering of `tokenizer.ggml.token_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    Normal,
    Unknown,
    Control,
    UserDefined,
    Unused,
    Byte,
}

/// A token as the file lists it.
pub(super) struct Listed<'a> {
    pub text: &'a str,
    pub score: f32,
    pub kind: TokenKind,
}

/// Encodes text by scores.
pub(super) struct ScoreBpe {
    ids: HashMap<String, u32>,
    scores: Vec<f32>,
    bytes: HashMap<u8, u32>,
    unknown: Option<u32>,
    space_before: bool,
    user_defined: Splitter,
}

impl ScoreBpe {
    /// `space_before`: whether every text begins with a space that it does not have.
    pub fn new(tokens: &[Listed], unknown: Option<u32>, space_before: bool) -> ScoreBpe {
        let (mut ids, mut bytes, mut user_defined) = (HashMap::new(), HashMap::new(), Vec::new());
        for (token, id) in tokens.iter().zip(0..) {
            match token.kind {
                TokenKind::Normal | TokenKind::Unused => {
                    _ = ids.entry(token.text.to_string()).or_insert(id)
                }
                TokenKind::Byte => _ = byte_token(token.text).map(|byte| bytes.insert(byte, id)),
                TokenKind::UserDefined => user_defined.push(Entry::plain(token.text, id)),
                TokenKind::Control | TokenKind::Unknown => {}
            }
        }
        let scores = tokens.iter().map(|token| token.score).collect();
        let user_defined = Splitter::new(user_defined);
        ScoreBpe { ids, scores, bytes, unknown, space_before, user_defined }
    }

    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        for fragment in self.user_defined.split(text) {
            match fragment {
                Fragment::Token(id) => ids.push(id),
                Fragment::Text(text) => self.encode_plain(text, &mut ids),
            }
        }
        ids
    }

    /// The tokens of a text that a [`super::normaliser::Normaliser`] made.
    pub fn encode_normal(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        pieces(text, &self.user_defined, &mut ids, |text, ids| self.merge(text, ids));
        ids
    }

    /// The texts that a user defined.
    pub fn user_defined(&self) -> &Splitter {
        &self.user_defined
    }

    fn encode_plain(&self, text: &str, ids: &mut Vec<u32>) {
        let prefix = if self.space_before { "▁" } else { "" };
        self.merge(&format!("{prefix}{}", text.replace(' ', "▁")), ids);
    }

    fn merge(&self, text: &str, ids: &mut Vec<u32>) {
        let mut after_unknown = false;
        for symbol in Merge::new(self, text).run() {
            after_unknown = self.put(symbol, after_unknown, ids);
        }
    }

    /// Puts a symbol's tokens; says whether it was unknown. Where there are no tokens for bytes, a
    /// run of unknown symbols gives one token.
    fn put(&self, symbol: &str, after_unknown: bool, ids: &mut Vec<u32>) -> bool {
        match self.ids.get(symbol) {
            Some(id) => ids.push(*id),
            None if self.bytes.is_empty() => ids.extend(self.unknown.filter(|_| !after_unknown)),
            None => {
                let byte = |byte| self.bytes.get(&byte).copied().or(self.unknown);
                ids.extend(symbol.bytes().filter_map(byte));
            }
        }
        !self.ids.contains_key(symbol)
    }
}

/// A stretch of text between its neighbours.
#[derive(Clone, Copy)]
struct Symbol {
    start: usize,
    end: usize,
    before: Option<usize>,
    after: Option<usize>,
}

/// Two neighbours whose join is a token.
#[derive(PartialEq)]
struct Pair {
    score: f32,
    left: usize,
    right: usize,
    /// End of the join: tells whether the two are still what they were.
    end: usize,
}

impl Eq for Pair {}

impl Ord for Pair {
    fn cmp(&self, other: &Pair) -> Ordering {
        self.score.total_cmp(&other.score).then(other.left.cmp(&self.left))
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Pair) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The merging of one text.
struct Merge<'a> {
    vocabulary: &'a ScoreBpe,
    text: &'a str,
    symbols: Vec<Symbol>,
    pairs: BinaryHeap<Pair>,
}

impl<'a> Merge<'a> {
    fn new(vocabulary: &'a ScoreBpe, text: &'a str) -> Merge<'a> {
        let starts = text.char_indices().enumerate();
        let count = text.chars().count();
        let symbols = starts.map(|(index, (start, character))| Symbol {
            start,
            end: start + character.len_utf8(),
            before: index.checked_sub(1),
            after: (index + 1 < count).then_some(index + 1),
        });
        let symbols = symbols.collect();
        let mut merge = Merge { vocabulary, text, symbols, pairs: BinaryHeap::new() };
        (1..count).for_each(|right| merge.propose(right - 1, right));
        merge
    }

    fn propose(&mut self, left: usize, right: usize) {
        let (start, end) = (self.symbols[left].start, self.symbols[right].end);
        if let Some(id) = self.vocabulary.ids.get(&self.text[start..end]) {
            let score = self.vocabulary.scores[*id as usize];
            self.pairs.push(Pair { score, left, right, end });
        }
    }

    /// A pair is stale if one side was merged away (empty) or has grown since.
    fn is_stale(&self, pair: &Pair) -> bool {
        let (left, right) = (self.symbols[pair.left], self.symbols[pair.right]);
        left.start == left.end || left.after != Some(pair.right) || right.end != pair.end
    }

    fn run(mut self) -> Vec<&'a str> {
        while let Some(pair) = self.pairs.pop() {
            if self.is_stale(&pair) {
                continue;
            }
            let after = self.symbols[pair.right].after;
            self.symbols[pair.right].start = pair.end;
            self.symbols[pair.left].end = pair.end;
            self.symbols[pair.left].after = after;
            if let Some(after) = after {
                self.symbols[after].before = Some(pair.left);
                self.propose(pair.left, after);
            }
            if let Some(before) = self.symbols[pair.left].before {
                self.propose(before, pair.left);
            }
        }
        let left = self.symbols.iter().filter(|symbol| symbol.start < symbol.end);
        left.map(|symbol| &self.text[symbol.start..symbol.end]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabulary(tokens: &[(&str, f32)]) -> ScoreBpe {
        let kind = |text: &str| match text {
            "<s>" => TokenKind::Control,
            "<u>" => TokenKind::UserDefined,
            text if text.starts_with("<0x") => TokenKind::Byte,
            _ => TokenKind::Normal,
        };
        let listed: Vec<Listed> = tokens
            .iter()
            .map(|(text, score)| Listed { text, score: *score, kind: kind(text) })
            .collect();
        ScoreBpe::new(&listed, None, false)
    }

    #[test]
    fn the_best_score_is_merged_first() {
        let tokens =
            [("a", 0.0), ("b", 0.0), ("c", 0.0), ("ab", -2.0), ("bc", -1.0), ("abc", -9.0)];
        assert_eq!(vocabulary(&tokens).encode("abc"), [5]);
        assert_eq!(vocabulary(&tokens[..5]).encode("abc"), [0, 4]);
        let left_first = [("a", 0.0), ("aa", -1.0)];
        assert_eq!(vocabulary(&left_first).encode("aaa"), [1, 0]);
    }

    #[test]
    fn unknown_characters_become_bytes_and_controls_stay_text() {
        let tokens = [("<", 0.0), ("s", 0.0), (">", 0.0), ("<s", -1.0), ("<s>", -1.0)];
        let bytes = [("<0xC3>", 0.0), ("<0xA9>", 0.0), ("<u>", 0.0)];
        let vocabulary = vocabulary(&[tokens.as_slice(), bytes.as_slice()].concat());
        assert_eq!(vocabulary.encode("<s>é<u>"), [3, 2, 5, 6, 7]);
    }
}
