//! What tokens spell, apart from the tokenizer that makes them.

use allod_lm::Tokenizer;
use std::collections::BTreeSet;

/// What stands around the tokens of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Nothing.
    Bare,
    /// What the vocabulary puts before and after a whole text.
    Whole,
}

/// What each token spells. It can be handed to another process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vocabulary {
    /// The bytes of all tokens, one after the other.
    bytes: Vec<u8>,
    /// Where the bytes of each end.
    ends: Vec<u32>,
    special: BTreeSet<u32>,
}

impl Vocabulary {
    /// What the tokens of a tokenizer spell.
    pub fn of(tokenizer: &Tokenizer) -> Vocabulary {
        let mut vocabulary = Vocabulary::default();
        for id in 0..u32::try_from(tokenizer.vocabulary()).unwrap_or(u32::MAX) {
            vocabulary.bytes.extend_from_slice(tokenizer.token_bytes(id));
            vocabulary.ends.push(u32::try_from(vocabulary.bytes.len()).unwrap_or(u32::MAX));
            if tokenizer.is_special(id) {
                vocabulary.special.insert(id);
            }
        }
        vocabulary
    }

    /// Its parts: all bytes, where those of each token end, and the special tokens.
    pub fn parts(&self) -> (&[u8], &[u32], &BTreeSet<u32>) {
        (&self.bytes, &self.ends, &self.special)
    }

    /// The vocabulary of these parts; `None` where they do not fit together.
    pub fn of_parts(bytes: Vec<u8>, ends: Vec<u32>, special: BTreeSet<u32>) -> Option<Vocabulary> {
        let last = ends.last().copied().unwrap_or(0) as usize;
        let known = |id: &u32| (*id as usize) < ends.len();
        let fits = ends.is_sorted() && last == bytes.len() && special.iter().all(known);
        fits.then_some(Vocabulary { bytes, ends, special })
    }

    /// How many tokens there are, counting from 0.
    pub fn tokens(&self) -> usize {
        self.ends.len()
    }

    /// The bytes that a token spells, special ones too; not always UTF-8, and empty for ids that
    /// the vocabulary does not have.
    pub fn bytes(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let Some(end) = self.ends.get(id) else { return &[] };
        let start = id.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start as usize..*end as usize]
    }

    /// What a token spells, special ones too; lossy where it is not UTF-8.
    pub fn text(&self, id: u32) -> String {
        String::from_utf8_lossy(self.bytes(id)).into_owned()
    }

    /// Whether it is a special token.
    pub fn is_special(&self, id: u32) -> bool {
        self.special.contains(&id)
    }
}

/// The text of tokens, special ones as they are spelled.
pub(crate) fn spelled(tokenizer: &Tokenizer, tokens: &[u32]) -> String {
    let mut text = String::new();
    let mut at = 0;
    while at < tokens.len() {
        let run = tokens[at..].iter().take_while(|id| !tokenizer.is_special(**id)).count();
        let mut detokenizer = tokenizer.detokenizer(&tokens[..at]);
        text.extend(tokens[at..at + run].iter().map(|id| detokenizer.push(*id)));
        text += &detokenizer.finish();
        at += run;
        if let Some(special) = tokens.get(at) {
            text += &tokenizer.token_text(*special);
            at += 1;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fit_together_or_make_none() {
        let of = |ends: &[u32], special: &[u32]| {
            let special = special.iter().copied().collect();
            Vocabulary::of_parts(b"abc".to_vec(), ends.to_vec(), special)
        };
        let vocabulary = of(&[1, 1, 3], &[1]).unwrap();
        let spelled: Vec<&[u8]> = (0..4).map(|id| vocabulary.bytes(id)).collect();
        assert_eq!(spelled, [&b"a"[..], b"", b"bc", b""]);
        assert!(vocabulary.is_special(1) && !vocabulary.is_special(2));
        assert_eq!(of(&[2, 1, 3], &[]), None);
        assert_eq!(of(&[1, 4], &[]), None);
        assert_eq!(of(&[1, 2], &[]), None);
        assert_eq!(of(&[3], &[1]), None);
    }
}
