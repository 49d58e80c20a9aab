//! What the tagger sees of a token: numbers for the words, looks and lists around it.

use std::ops::Range;

use crate::gazetteer::{self, Known, fnv, fnv_on};
use crate::kept::Again;
use crate::kind::Kind;
use crate::token::{Token, TokenClass};
use crate::usual::{self, SHAPES, Usual, UsualNumber};

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
    /// What it looks like, if that is one of the looks that most texts have.
    look: Look,
}

/// The number of a [`Seen`] in [`looks`], as far as that is of the token alone.
pub(crate) type Look = u16;

/// None of them.
pub(crate) const NO_LOOK: Look = Look::MAX;

/// Tokens whose sums are worked out once: none at all, beyond the ends of a text, and those of
/// [`usual`] in each of their shapes.
pub(crate) fn looks() -> Vec<Seen> {
    let of = |usual: &Usual, shape: u32| Seen {
        word: usual.word_hash as u32,
        plain: usual.plain_hash as u32,
        shape,
        known: usual.known,
        suffixes: usual.suffixes,
        prefixes: usual.prefixes,
        ..OUTSIDE
    };
    let shapes = |usual: &'static Usual| usual.shapes.map(|shape| of(usual, shape));
    std::iter::once(OUTSIDE).chain(usual::all().iter().flat_map(shapes)).collect()
}

/// The look of a token, of which this is seen.
fn look(number: UsualNumber, shape: u32, known: Known) -> Look {
    let Some(usual) = usual::get(number) else { return NO_LOOK };
    let at = usual.shapes.iter().position(|usual| *usual == shape);
    let at = at.filter(|_| usual.known == known);
    at.map_or(NO_LOOK, |at| (1 + usize::from(number) * SHAPES + at) as Look)
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
        let (suffixes, prefixes) = match usual::get(token.usual) {
            Some(usual) => (usual.suffixes, usual.prefixes),
            None => match before.and_then(|before| before.seen(index)) {
                Some(seen) => (seen.suffixes, seen.prefixes),
                None => (endings(token.word), beginnings(token.word)),
            },
        };
        let look = if taken.is_some() { NO_LOOK } else { look(token.usual, shape, known) };
        all.push(Seen {
            look,
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
        if tokens[index].word == ":"
            && let Some(label) = label_before(&tokens[self.first..index])
        {
            self.label = label.word_hash as u32;
        }
        let within = (index - self.first).min(3) as u32;
        (self.label, within * 4 + self.number)
    }
}

/// The word that names what stands after a colon: close to the beginning of the line, or in
/// quotation marks (`"name": …`).
fn label_before<'a>(line: &'a [Token<'a>]) -> Option<&'a Token<'a>> {
    let last = line.last()?;
    let is_mark = |token: &&Token| token.class == TokenClass::Mark;
    let marks = line.iter().rev().take(MARKS_MAX).take_while(is_mark).count();
    let named = line.len() <= LABEL_MAX + marks || last.word == "\"";
    line.iter().rev().nth(marks).or(Some(last)).filter(|_| named)
}

/// Most words and marks of a label.
const LABEL_MAX: usize = 4;
/// Most marks between a label and its colon, as in `**Name**:`, `Name (…):`.
const MARKS_MAX: usize = 3;

/// The hashes of the last 2, 3 and 4 letters.
pub(crate) fn endings(word: &str) -> [u32; 3] {
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
pub(crate) fn beginnings(word: &str) -> [u32; 2] {
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
    look: 0,
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

/// Takes features as they are made: each has a number of its own.
trait Sink {
    fn take(&mut self, number: u32, value: u32);
}

/// The features of a token that are wanted, one after the other.
pub(crate) struct Names {
    all: [Feature; FEATURES_MAX],
    count: usize,
}

impl Default for Names {
    fn default() -> Names {
        Names { all: [0; FEATURES_MAX], count: 0 }
    }
}

impl Names {
    /// The features.
    pub(crate) fn all(&self) -> &[Feature] {
        &self.all[..self.count]
    }

    pub(crate) fn clear(&mut self) {
        self.count = 0;
    }
}

impl Sink for Names {
    #[inline(always)]
    fn take(&mut self, number: u32, value: u32) {
        if let Some(name) = self.all.get_mut(self.count) {
            *name = mix(number, value);
            self.count += 1;
        }
    }
}

/// The features of a token at their numbers.
struct Numbered([Option<Feature>; FEATURES_MAX]);

impl Sink for Numbered {
    fn take(&mut self, number: u32, value: u32) {
        self.0[number as usize] = Some(mix(number, value));
    }
}

/// The features of a token in the order of their numbers, without those that need the label before
/// it.
pub(crate) fn features(seen: &[Seen], index: usize, sight: Sight, out: &mut Vec<Feature>) {
    let mut numbered = Numbered([None; FEATURES_MAX]);
    let around = Around::of(seen, index);
    own(around.this, sight, &mut numbered);
    for (offset, beside) in around.beside() {
        alone(beside, offset, &mut numbered);
    }
    together(&around, sight, &mut numbered);
    out.clear();
    out.extend(numbered.0.iter().flatten());
}

/// How many places there are that a token says something of by itself: its own, and [`BESIDE`]
/// before and after.
pub(crate) const PLACES: usize = 2 * BESIDE + 1;

/// The features of a token that are not in the sums of [`Look`]s, in which all is shown: what the
/// tokens say together, and what each says alone that has no such sum. Gives the looks of those
/// that have one.
pub(crate) fn without_looks(seen: &[Seen], index: usize, names: &mut Names) -> [Look; PLACES] {
    let around = Around::of(seen, index);
    names.clear();
    together(&around, Sight::Present, names);
    let mut looks = [NO_LOOK; PLACES];
    looks[BESIDE] = if around.this.label == 0 { around.this.look } else { NO_LOOK };
    if looks[BESIDE] == NO_LOOK {
        own(around.this, Sight::Present, names);
    }
    for (offset, beside) in around.beside() {
        looks[BESIDE.wrapping_add_signed(offset)] = beside.look;
        if beside.look == NO_LOOK {
            alone(beside, offset, names);
        }
    }
    looks
}

/// What a token says alone of another, from a place that is counted from [`BESIDE`] before that.
pub(crate) fn of_look(seen: &Seen, place: usize) -> Names {
    let mut names = Names::default();
    match place as isize - BESIDE as isize {
        0 => own(seen, Sight::Present, &mut names),
        offset => alone(seen, offset, &mut names),
    }
    names
}

/// A token and those beside it.
struct Around<'a> {
    this: &'a Seen,
    /// Before it, the nearest first, and after it.
    before: [&'a Seen; BESIDE],
    after: [&'a Seen; BESIDE],
}

impl<'a> Around<'a> {
    #[inline(always)]
    fn of(seen: &'a [Seen], index: usize) -> Around<'a> {
        let at = |place: usize| seen.get(place).unwrap_or(&OUTSIDE);
        Around {
            this: at(index),
            before: std::array::from_fn(|by| at(index.wrapping_sub(by + 1))),
            after: std::array::from_fn(|by| at(index + by + 1)),
        }
    }

    #[inline(always)]
    fn beside(&self) -> [(isize, &'a Seen); 2 * BESIDE] {
        let ([one, two, three], [next, second, third]) = (self.before, self.after);
        [(-3, three), (-2, two), (-1, one), (1, next), (2, second), (3, third)]
    }
}

/// What a token says of itself.
#[inline(always)]
fn own(this: &Seen, sight: Sight, names: &mut impl Sink) {
    let is_shown = matches!(sight, Sight::Full | Sight::Present);
    let known = shown_lists(this, sight);
    names.take(1, 0);
    match is_shown {
        true => {
            names.take(2, this.word);
            names.take(3, mix(this.suffixes[0], this.shape));
            names.take(4, this.suffixes[1]);
            names.take(5, this.suffixes[2]);
            names.take(6, this.prefixes[0]);
            names.take(7, this.prefixes[1]);
            names.take(8, this.plain);
        }
        false => (2..=8).for_each(|number| names.take(number, ABSENT)),
    }
    names.take(9, this.shape);
    names.take(BEFORE_LISTS, known);
    if sight != Sight::Present {
        let missing = (0..LISTS).filter(|list| known & 1 << list == 0);
        missing.for_each(|list| names.take(BEFORE_LISTS + 1 + list, ABSENT));
    }
    for list in bits(known & ((1 << LISTS) - 1)) {
        names.take(BEFORE_LISTS + 1 + list, mix(1 << list, this.shape));
    }
    names.take(37, mix(this.label, this.shape));
    names.take(56, mix(this.label, known));
}

fn shown_lists(this: &Seen, sight: Sight) -> Known {
    if sight == Sight::LooksOnly { 0 } else { this.known }
}

/// The numbers of the bits that are set.
pub(crate) fn bits(mut left: u32) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = (left != 0).then(|| left.trailing_zeros());
        left &= left.wrapping_sub(1);
        bit
    })
}

/// What another token says alone of one that it stands so far from.
#[inline(always)]
fn alone(other: &Seen, offset: isize, names: &mut impl Sink) {
    let lists = || mix(other.known, other.shape);
    match offset {
        -3 => names.take(25, other.word),
        -2 => {
            names.take(26, other.word);
            names.take(31, lists());
        }
        -1 => {
            names.take(27, other.word);
            names.take(32, lists());
            names.take(35, other.suffixes[1]);
        }
        1 => {
            names.take(28, other.word);
            names.take(33, lists());
            names.take(36, other.suffixes[1]);
        }
        2 => {
            names.take(29, other.word);
            names.take(34, lists());
        }
        3 => names.take(30, other.word),
        _ => {}
    }
}

/// What a token says by its place, and pairs and triples.
#[inline(always)]
fn together(around: &Around<'_>, sight: Sight, names: &mut impl Sink) {
    let Around { this, before: [before, second, third], after: [after, next, _] } = around;
    let known = shown_lists(this, sight);
    names.take(38, mix(this.place, this.shape));
    names.take(39, mix(u32::from(this.is_line_end), mix(this.place, known)));
    names.take(40, mix(before.word, this.shape));
    names.take(41, mix(before.word, known));
    names.take(42, mix(after.word, this.shape));
    names.take(43, mix(after.word, known));
    names.take(44, mix(before.shape, mix(this.shape, after.shape)));
    names.take(45, mix(mix(second.shape, before.shape), this.shape));
    names.take(46, mix(this.shape, mix(after.shape, next.shape)));
    names.take(47, mix(before.known, known));
    names.take(48, mix(known, after.known));
    names.take(49, mix(before.known, mix(known, after.known)));
    names.take(50, mix(mix(second.word, before.word), this.shape));
    names.take(51, mix(after.word, mix(next.word, this.shape)));
    names.take(52, mix(before.word, mix(after.word, this.shape)));
    names.take(53, mix(mix(third.word, second.word), mix(before.word, this.shape)));
    names.take(54, mix(mix(second.known, before.known), mix(known, this.shape)));
    names.take(55, mix(mix(next.known, after.known), mix(known, this.shape)));
    let starts = matches!(before.shape, 30 | 40 | 80 | 90 | 99);
    names.take(57, mix(u32::from(starts), mix(this.shape, known)));
    if matches!(sight, Sight::Full | Sight::Present) {
        names.take(58, mix(before.word, this.word));
        names.take(59, mix(this.word, after.word));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::Folded;
    use crate::token::Words;

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

    /// What is added up beforehand and what is not are together all of it.
    #[test]
    fn looks_and_the_rest_are_all_features() {
        let text = "Sie heisst: Ueli Muster, und sie ist\n\nDie the 7. a I 2 ZZZ. e di";
        let folded = Folded::new(text);
        let words = Words::of(&folded);
        let tokens = words.tokens();
        let seen = seen(&tokens, &vec![None; tokens.len()]);
        let looks = looks();
        let (mut with, mut names, mut all) = (0, Names::default(), Vec::new());
        for (index, token) in tokens.iter().enumerate() {
            let mut found: Vec<Feature> = Vec::new();
            for (place, look) in without_looks(&seen, index, &mut names).into_iter().enumerate() {
                if let Some(look) = looks.get(usize::from(look)) {
                    found.extend(of_look(look, place).all());
                    with += 1;
                }
            }
            found.extend(names.all());
            features(&seen, index, Sight::Present, &mut all);
            found.sort_unstable();
            all.sort_unstable();
            assert_eq!(found, all, "{}", token.word);
        }
        assert!(with > 3 * seen.len(), "{with} looks of {} tokens", seen.len());
    }
}
