//! What the tagger sees of a token: numbers for the words, looks and lists around it.

use crate::gazetteer::{self, Known, fnv};
use crate::kind::Kind;
use crate::token::{Token, TokenClass};

/// The number of a feature.
pub(crate) type Feature = u32;

/// Most features of a token.
pub(crate) const FEATURES_MAX: usize = 80;

/// A token as the tagger sees it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    word: u32,
    plain: u32,
    shape: u32,
    /// The lists that it stands in.
    pub(crate) known: Known,
    suffixes: [u32; 3],
    prefixes: [u32; 2],
    /// The first word of its line, if a colon ends it (`Name: …`).
    label: u32,
    /// Tokens before it in its line, up to 3, and lines before it, up to 2.
    place: u32,
    is_line_end: bool,
}

/// Everything that the tagger sees of a text. `found` says which tokens a recogniser has taken for
/// what; those are one word to the tagger.
pub(crate) fn seen(tokens: &[Token], found: &[Option<Kind>]) -> Vec<Seen> {
    let known = gazetteer::known(tokens);
    let has_case = tokens.iter().any(|token| matches!(token.shape, 2..=5));
    let mut lines = Lines::default();
    let mut all = Vec::with_capacity(tokens.len());
    for (index, token) in tokens.iter().enumerate() {
        let (label, place) = lines.step(tokens, index);
        let taken = found[index];
        let word = match taken {
            Some(kind) => mix(7, fnv(kind.word()) as u32),
            None => fnv(&token.word) as u32,
        };
        let shape = token.shape + if has_case { 0 } else { 50 };
        all.push(Seen {
            word,
            plain: fnv(&token.plain) as u32,
            shape: taken.map_or(shape, |kind| 100 + kind as u32),
            known: if taken.is_some() { 0 } else { known[index] },
            suffixes: [ending(&token.word, 2), ending(&token.word, 3), ending(&token.word, 4)],
            prefixes: [beginning(&token.word, 2), beginning(&token.word, 3)],
            label,
            place,
            is_line_end: tokens.get(index + 1).is_none_or(|next| next.class == TokenClass::Lines),
        });
    }
    all
}

/// Where in its lines a token stands.
#[derive(Default)]
struct Lines {
    first: usize,
    number: u32,
    label: u32,
}

impl Lines {
    fn step(&mut self, tokens: &[Token], index: usize) -> (u32, u32) {
        if index > 0 && tokens[index - 1].class == TokenClass::Lines {
            (self.first, self.label) = (index, 0);
            self.number = (self.number + 1).min(3);
        }
        if tokens[index].word == ":" && index > self.first && index - self.first <= 3 {
            self.label = fnv(&tokens[index - 1].word) as u32;
        }
        let within = (index - self.first).min(3) as u32;
        (self.label, within * 4 + self.number)
    }
}

fn ending(word: &str, letters: usize) -> u32 {
    let from = word.char_indices().rev().nth(letters - 1).map_or(0, |(at, _)| at);
    fnv(&word[from..]) as u32
}

fn beginning(word: &str, letters: usize) -> u32 {
    let to = word.char_indices().nth(letters).map_or(word.len(), |(at, _)| at);
    fnv(&word[..to]) as u32
}

fn mix(kind: u32, value: u32) -> u32 {
    let mixed = (value ^ kind.wrapping_mul(0x9e37_79b9)).wrapping_mul(0x85eb_ca6b);
    (mixed ^ mixed >> 15).wrapping_mul(0xc2b2_ae35)
}

/// A token beyond the ends of the text.
const OUTSIDE: Seen = Seen {
    word: 1,
    plain: 1,
    shape: 99,
    known: 0,
    suffixes: [0; 3],
    prefixes: [0; 2],
    label: 0,
    place: 0,
    is_line_end: true,
};

/// Whether a token's own letters are shown. While training they are sometimes hidden, so that the
/// tagger learns to go by looks and surroundings too, as it must for names that it never saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// All is shown.
    Full,
    /// Not the word, nor how it begins and ends.
    NoWord,
    /// Nor which lists it stands in.
    LooksOnly,
}

/// The features of a token, without those that need the label before it.
pub(crate) fn features(seen: &[Seen], index: usize, sight: Sight, out: &mut Vec<Feature>) {
    out.clear();
    let at = |offset: isize| -> &Seen {
        index.checked_add_signed(offset).and_then(|place| seen.get(place)).unwrap_or(&OUTSIDE)
    };
    let mut number = 0;
    let mut add = |value: u32| {
        number += 1;
        out.push(mix(number, value));
    };
    let this = at(0);
    let known = if sight == Sight::LooksOnly { 0 } else { this.known };
    add(0);
    match sight {
        Sight::Full => {
            add(this.word);
            add(mix(this.suffixes[0], this.shape));
            add(this.suffixes[1]);
            add(this.suffixes[2]);
            add(this.prefixes[0]);
            add(this.prefixes[1]);
            add(this.plain);
        }
        _ => (0..7).for_each(|_| add(u32::MAX)),
    }
    beside(&at, this, known, &mut add);
    joined(&at, this, known, &mut add);
    if sight == Sight::Full {
        add(mix(at(-1).word, this.word));
        add(mix(this.word, at(1).word));
    }
}

/// What stands around it, one by one.
fn beside<'a>(
    at: &impl Fn(isize) -> &'a Seen,
    this: &Seen,
    known: Known,
    add: &mut impl FnMut(u32),
) {
    add(this.shape);
    add(known);
    for bit in 0..14 {
        let has = known & 1 << bit;
        add(if has == 0 { u32::MAX } else { mix(has, this.shape) });
    }
    for offset in [-3, -2, -1, 1, 2, 3] {
        add(at(offset).word);
    }
    for offset in [-2, -1, 1, 2] {
        add(mix(at(offset).known, at(offset).shape));
    }
    add(at(-1).suffixes[1]);
    add(at(1).suffixes[1]);
    add(mix(this.label, this.shape));
    add(mix(this.place, this.shape));
    add(mix(u32::from(this.is_line_end), mix(this.place, known)));
}

/// Pairs and triples.
fn joined<'a>(
    at: &impl Fn(isize) -> &'a Seen,
    this: &Seen,
    known: Known,
    add: &mut impl FnMut(u32),
) {
    let (before, after) = (at(-1), at(1));
    add(mix(before.word, this.shape));
    add(mix(before.word, known));
    add(mix(after.word, this.shape));
    add(mix(after.word, known));
    add(mix(before.shape, mix(this.shape, after.shape)));
    add(mix(mix(at(-2).shape, before.shape), this.shape));
    add(mix(this.shape, mix(after.shape, at(2).shape)));
    add(mix(before.known, known));
    add(mix(known, after.known));
    add(mix(before.known, mix(known, after.known)));
    add(mix(mix(at(-2).word, before.word), this.shape));
    add(mix(after.word, mix(at(2).word, this.shape)));
    add(mix(before.word, mix(after.word, this.shape)));
    add(mix(mix(at(-3).word, at(-2).word), mix(before.word, this.shape)));
    add(mix(mix(at(-2).known, before.known), mix(known, this.shape)));
    add(mix(mix(at(2).known, after.known), mix(known, this.shape)));
    add(mix(this.label, known));
    let starts = matches!(before.shape, 30 | 40 | 80 | 90 | 99);
    add(mix(u32::from(starts), mix(this.shape, known)));
}
