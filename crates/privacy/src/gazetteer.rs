//! Lists of names and words that say what others beside them are.
//!
//! Given names, family names, towns and ordinary words stand in Bloom filters (Bloom, 1970):
//! `names.bin` holds no names, and answers "is it one?" wrongly for fewer than two words in a
//! hundred. The short lists are plain text in `words/`.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::token::{Token, TokenClass, plain};

/// What a token is known as: bits.
pub(crate) type Known = u32;

pub(crate) const GIVEN: Known = 1;
pub(crate) const FAMILY: Known = 1 << 1;
pub(crate) const TOWN: Known = 1 << 2;
pub(crate) const COUNTRY: Known = 1 << 3;
pub(crate) const NATIONALITY: Known = 1 << 4;
pub(crate) const FORM: Known = 1 << 5;
pub(crate) const STREET: Known = 1 << 6;
pub(crate) const DAY: Known = 1 << 7;
pub(crate) const TITLE: Known = 1 << 8;
pub(crate) const JOB: Known = 1 << 9;
pub(crate) const COMMON: Known = 1 << 10;
/// Within the name of a town of more words, after the first.
pub(crate) const TOWN_GOES_ON: Known = 1 << 11;
pub(crate) const FLAT: Known = 1 << 12;
/// A word that stands in laws, guides and questions, where hardly anyone is named.
pub(crate) const ORDINARY: Known = 1 << 13;

const LISTS: [(Known, &str); 9] = [
    (COUNTRY, include_str!("words/countries.txt")),
    (NATIONALITY, include_str!("words/nationalities.txt")),
    (FORM, include_str!("words/legal_forms.txt")),
    (STREET, include_str!("words/streets.txt")),
    (DAY, include_str!("words/days.txt")),
    (TITLE, include_str!("words/titles.txt")),
    (JOB, include_str!("words/jobs.txt")),
    (COMMON, include_str!("words/common.txt")),
    (FLAT, include_str!("words/flats.txt")),
];

const NAMES: &[u8] = include_bytes!("names.bin");
const HEAD: &[u8] = b"names-1\n";

static WORDS: LazyLock<HashMap<String, Known>> = LazyLock::new(|| {
    let mut words = HashMap::new();
    for (known, list) in LISTS {
        for word in list.lines().flat_map(|line| line.split(',')).map(str::trim) {
            if !word.is_empty() {
                *words.entry(plain(word)).or_insert(0) |= known;
            }
        }
    }
    words
});

static FILTERS: LazyLock<Vec<(Known, Bloom)>> = LazyLock::new(|| {
    let mut rest = NAMES.strip_prefix(HEAD).expect("a test reads the lists of names");
    [GIVEN, FAMILY, TOWN, ORDINARY]
        .into_iter()
        .map(|known| {
            let (filter, after) = Bloom::read(rest).expect("a test reads the lists of names");
            rest = after;
            (known, filter)
        })
        .collect()
});

/// A Bloom filter over words.
struct Bloom {
    bits: u32,
    hashes: u32,
    bytes: &'static [u8],
}

impl Bloom {
    fn read(bytes: &'static [u8]) -> Option<(Bloom, &'static [u8])> {
        let (head, rest) = bytes.split_at_checked(8)?;
        let bits = u32::from_le_bytes(head[..4].try_into().ok()?);
        let hashes = u32::from_le_bytes(head[4..].try_into().ok()?);
        let (bytes, rest) = rest.split_at_checked(bits as usize / 8)?;
        Some((Bloom { bits, hashes, bytes }, rest))
    }

    fn holds(&self, word: &str) -> bool {
        let hash = fnv(word);
        let (first, step) = (hash as u32, (hash >> 32) as u32 | 1);
        (0..self.hashes).all(|index| {
            let bit = first.wrapping_add(index.wrapping_mul(step)) % self.bits;
            self.bytes[bit as usize / 8] & 1 << (bit % 8) != 0
        })
    }
}

/// FNV-1a of 64 bits.
pub(crate) fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// Words of a name that stands in a list as more than one.
const WORDS_MAX: usize = 4;

/// What each token is known as.
pub(crate) fn known(tokens: &[Token]) -> Vec<Known> {
    let mut known: Vec<Known> = tokens.iter().map(single).collect();
    for index in 0..tokens.len() {
        let mut name = tokens[index].plain.clone();
        if tokens[index].class != TokenClass::Word {
            continue;
        }
        let mut words = 1;
        for next in index + 1..(index + 2 * WORDS_MAX).min(tokens.len()) {
            match tokens[next].class {
                TokenClass::Word if words < WORDS_MAX => {
                    name.push(' ');
                    name.push_str(&tokens[next].plain);
                    words += 1;
                }
                TokenClass::Mark if matches!(tokens[next].word.as_str(), "-" | "'" | ".") => {
                    continue;
                }
                _ => break,
            }
            if FILTERS[2].1.holds(&name) {
                mark(&mut known[index..=next], TOWN);
            }
            if let Some(list) = WORDS.get(&name) {
                mark(&mut known[index..=next], *list);
            }
        }
    }
    known
}

fn mark(known: &mut [Known], list: Known) {
    for (index, one) in known.iter_mut().enumerate() {
        *one |= list | if index > 0 && list == TOWN { TOWN_GOES_ON } else { 0 };
    }
}

fn single(token: &Token) -> Known {
    if token.class != TokenClass::Word {
        return WORDS.get(&token.plain).copied().unwrap_or(0);
    }
    let listed = WORDS.get(&token.plain).copied().unwrap_or(0);
    let plural = || {
        let singular = token.plain.strip_suffix('s')?;
        WORDS.get(singular).map(|known| known & NATIONALITY)
    };
    let street = if STREET_ENDINGS.iter().any(|ending| is_street(&token.plain, ending)) {
        STREET
    } else {
        0
    };
    let names = FILTERS.iter().filter(|(_, filter)| filter.holds(&token.plain));
    names.map(|(known, _)| known).sum::<Known>() | listed | street | plural().unwrap_or(0)
}

/// Endings of words that name a street, in German, Dutch and the languages of the north.
const STREET_ENDINGS: [&str; 24] = [
    "strasse", "straße", "str", "gasse", "weg", "platz", "allee", "ring", "gatan", "gata", "vej",
    "veien", "vegen", "gade", "straat", "laan", "katu", "tie", "vagen", "utca", "ufer", "gässli",
    "halde", "rain",
];

fn is_street(word: &str, ending: &str) -> bool {
    word.len() > ending.len() + 2 && word.ends_with(ending)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::Folded;
    use crate::token::tokens;

    #[test]
    fn names_are_known_and_other_words_are_not() {
        let of = |text: &str| known(&tokens(&Folded::new(text)));
        assert!(of("Anna")[0] & GIVEN != 0);
        assert!(of("Müller")[0] & FAMILY != 0);
        assert!(of("GENÈVE")[0] & TOWN != 0);
        assert!(of("La Chaux-de-Fonds")[5] & TOWN_GOES_ON != 0);
        assert!(of("Bahnhofstrasse")[0] & STREET != 0);
        let few = ["xqzt", "wobbleflank", "zzyzxq", "qwrtzp", "bcdfgh", "mnbvcx", "plokij"];
        let known_few = few.iter().filter(|word| of(word)[0] & (GIVEN | FAMILY) != 0).count();
        assert!(known_few <= 1, "{known_few}");
    }
}
