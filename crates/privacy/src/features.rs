//! What the tagger sees of a token: numbers for the words, looks and lists around it.

use std::ops::Range;

use crate::gazetteer::{self, Known, fnv, fnv_on};
use crate::kept::Again;
use crate::kind::Kind;
use crate::token::{Token, TokenClass};

/// The number of a feature.
pub(crate) type Feature = u32;

/// Most features of a token.
pub(crate) const FEATURES_MAX: usize = 80;

/// A token as the tagger sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    seen_near((tokens, found), std::slice::from_ref(&(0..tokens.len())), None).0
}

/// How many tokens before and after one the tagger looks at.
pub(crate) const BESIDE: usize = 3;

/// As [`seen`], for some of the tokens and those beside them; of the others nothing is seen. Also
/// the lists that each stands in, if it was looked at. What was seen `before` is not looked for.
pub(crate) fn seen_near(
    (tokens, found): (&[Token], &[Option<Kind>]),
    wanted: &[Range<usize>],
    before: Option<&Again<'_>>,
) -> (Vec<Seen>, Vec<Option<Known>>) {
    let all_known = known_near(tokens, wanted, before);
    let has_case = tokens.iter().any(|token| matches!(token.shape, 2..=5));
    let mut lines = Lines::default();
    let mut all = Vec::with_capacity(tokens.len());
    for (index, token) in tokens.iter().enumerate() {
        let (label, place) = lines.step(tokens, index);
        let Some(known) = all_known[index] else {
            all.push(OUTSIDE);
            continue;
        };
        let taken = found[index];
        let word = match taken {
            Some(kind) => mix(7, fnv(kind.word()) as u32),
            None => token.word_hash as u32,
        };
        let shape = token.shape + if has_case { 0 } else { 50 };
        let (suffixes, prefixes) = match before.and_then(|before| before.seen(index)) {
            Some(seen) => (seen.suffixes, seen.prefixes),
            None => (endings(token.word), beginnings(token.word)),
        };
        all.push(Seen {
            word,
            plain: token.plain_hash as u32,
            shape: taken.map_or(shape, |kind| 100 + kind as u32),
            known: if taken.is_some() { 0 } else { known },
            suffixes,
            prefixes,
            label,
            place,
            is_line_end: tokens.get(index + 1).is_none_or(|next| next.class == TokenClass::Lines),
        });
    }
    (all, all_known)
}

/// What tokens are known as, where that is wanted or beside it.
fn known_near(
    tokens: &[Token],
    wanted: &[Range<usize>],
    before: Option<&Again<'_>>,
) -> Vec<Option<Known>> {
    let mut all = vec![None; tokens.len()];
    for range in wanted {
        let mut from = range.start.saturating_sub(BESIDE);
        let mut to = (range.end + BESIDE).min(tokens.len());
        if let Some(before) = before {
            let same = |index: usize| before.known(index);
            (from..to).for_each(|index| all[index] = same(index).or(all[index]));
            let new = |index: &usize| same(*index).is_none();
            let Some(first) = (from..to).find(new) else { continue };
            to = (first..to).rfind(new).map_or(first, |last| last + 1);
            from = first;
        }
        let first = from.saturating_sub(gazetteer::REACH);
        let last = (to + gazetteer::REACH).min(tokens.len());
        let known = gazetteer::known(&tokens[first..last]);
        let known = known[from - first..to - first].iter().map(|known| Some(*known));
        all[from..to].iter_mut().zip(known).for_each(|(one, known)| *one = known);
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
            self.label = tokens[index - 1].word_hash as u32;
        }
        let within = (index - self.first).min(3) as u32;
        (self.label, within * 4 + self.number)
    }
}

/// The hashes of the last 2, 3 and 4 letters.
fn endings(word: &str) -> [u32; 3] {
    let mut from = word.len();
    let mut more = || {
        from = from.saturating_sub(1);
        while !word.is_char_boundary(from) {
            from -= 1;
        }
        from
    };
    more();
    [more(), more(), more()].map(|from| fnv(&word[from..]) as u32)
}

/// The hashes of the first 2 and 3 letters.
fn beginnings(word: &str) -> [u32; 2] {
    let letters = |count: usize| match word.is_ascii() {
        true => count.min(word.len()),
        false => word.char_indices().nth(count).map_or(word.len(), |(at, _)| at),
    };
    let (two, three) = (letters(2), letters(3));
    let hash = fnv(&word[..two]);
    [hash as u32, fnv_on(hash, &word[two..three]) as u32]
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
    /// All is shown, but nothing is said of lists that the token does not stand in. What those
    /// count is [`absent`], the same for every token.
    Present,
    /// Not the word, nor how it begins and ends.
    NoWord,
    /// Nor which lists it stands in.
    LooksOnly,
}

/// The value of what is not there.
const ABSENT: u32 = u32::MAX;

/// How many lists of words there are, and the number of the feature before the first of them.
pub(crate) const LISTS: u32 = 14;
const BEFORE_LISTS: u32 = 10;

/// The features of standing in none of the lists.
pub(crate) fn absent() -> [Feature; LISTS as usize] {
    std::array::from_fn(|list| mix(BEFORE_LISTS + 1 + list as u32, ABSENT))
}

/// The features of one token, as they are made: each has a number of its own.
struct Names {
    all: [Feature; FEATURES_MAX],
    count: usize,
    number: u32,
    is_absence_said: bool,
}

impl Names {
    #[inline(always)]
    fn add(&mut self, value: u32) {
        self.number += 1;
        self.all[self.count] = mix(self.number, value);
        self.count += 1;
    }

    #[inline(always)]
    fn add_absence(&mut self) {
        match self.is_absence_said {
            true => self.add(ABSENT),
            false => self.number += 1,
        }
    }
}

/// The features of a token, without those that need the label before it.
pub(crate) fn features(seen: &[Seen], index: usize, sight: Sight, out: &mut Vec<Feature>) {
    out.clear();
    let at = |offset: isize| -> &Seen {
        index.checked_add_signed(offset).and_then(|place| seen.get(place)).unwrap_or(&OUTSIDE)
    };
    let is_absence_said = sight != Sight::Present;
    let mut names = Names { all: [0; FEATURES_MAX], count: 0, number: 0, is_absence_said };
    let this = at(0);
    let is_shown = matches!(sight, Sight::Full | Sight::Present);
    let known = if sight == Sight::LooksOnly { 0 } else { this.known };
    names.add(0);
    match is_shown {
        true => {
            names.add(this.word);
            names.add(mix(this.suffixes[0], this.shape));
            names.add(this.suffixes[1]);
            names.add(this.suffixes[2]);
            names.add(this.prefixes[0]);
            names.add(this.prefixes[1]);
            names.add(this.plain);
        }
        false => (0..7).for_each(|_| names.add(ABSENT)),
    }
    beside(&at, this, known, &mut names);
    joined(&at, this, known, &mut names);
    if is_shown {
        names.add(mix(at(-1).word, this.word));
        names.add(mix(this.word, at(1).word));
    }
    out.extend_from_slice(&names.all[..names.count]);
}

/// What stands around it, one by one.
#[inline(always)]
fn beside<'a>(at: &impl Fn(isize) -> &'a Seen, this: &Seen, known: Known, names: &mut Names) {
    names.add(this.shape);
    names.add(known);
    for bit in 0..LISTS {
        match known & 1 << bit {
            0 => names.add_absence(),
            has => names.add(mix(has, this.shape)),
        }
    }
    for offset in [-3, -2, -1, 1, 2, 3] {
        names.add(at(offset).word);
    }
    for offset in [-2, -1, 1, 2] {
        names.add(mix(at(offset).known, at(offset).shape));
    }
    names.add(at(-1).suffixes[1]);
    names.add(at(1).suffixes[1]);
    names.add(mix(this.label, this.shape));
    names.add(mix(this.place, this.shape));
    names.add(mix(u32::from(this.is_line_end), mix(this.place, known)));
}

/// Pairs and triples.
#[inline(always)]
fn joined<'a>(at: &impl Fn(isize) -> &'a Seen, this: &Seen, known: Known, names: &mut Names) {
    let (before, after) = (at(-1), at(1));
    names.add(mix(before.word, this.shape));
    names.add(mix(before.word, known));
    names.add(mix(after.word, this.shape));
    names.add(mix(after.word, known));
    names.add(mix(before.shape, mix(this.shape, after.shape)));
    names.add(mix(mix(at(-2).shape, before.shape), this.shape));
    names.add(mix(this.shape, mix(after.shape, at(2).shape)));
    names.add(mix(before.known, known));
    names.add(mix(known, after.known));
    names.add(mix(before.known, mix(known, after.known)));
    names.add(mix(mix(at(-2).word, before.word), this.shape));
    names.add(mix(after.word, mix(at(2).word, this.shape)));
    names.add(mix(before.word, mix(after.word, this.shape)));
    names.add(mix(mix(at(-3).word, at(-2).word), mix(before.word, this.shape)));
    names.add(mix(mix(at(-2).known, before.known), mix(known, this.shape)));
    names.add(mix(mix(at(2).known, after.known), mix(known, this.shape)));
    names.add(mix(this.label, known));
    let starts = matches!(before.shape, 30 | 40 | 80 | 90 | 99);
    names.add(mix(u32::from(starts), mix(this.shape, known)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_what_was_said_to_be() {
        let mut all = Vec::new();
        features(&[OUTSIDE], 0, Sight::Full, &mut all);
        let mut present = Vec::new();
        features(&[OUTSIDE], 0, Sight::Present, &mut present);
        let (before, lists) = (BEFORE_LISTS as usize, LISTS as usize);
        assert_eq!(all[before..before + lists], absent());
        all.drain(before..before + lists);
        assert_eq!(all, present);
        assert!(present.len() + lists <= FEATURES_MAX);
        let known = Seen { known: 1 << 3, ..OUTSIDE };
        features(std::slice::from_ref(&known), 0, Sight::Full, &mut all);
        features(&[known], 0, Sight::Present, &mut present);
        assert_eq!(all.len(), present.len() + lists - 1);
        assert!(all.iter().filter(|name| !present.contains(name)).all(|n| absent().contains(n)));
    }
}
