//! Lists of names and words that say what others beside them are.
//!
//! Given names, family names, towns and ordinary words stand in Bloom filters (Bloom, 1970):
//! `names.bin` holds no names, and answers "is it one?" wrongly for fewer than two words in a
//! hundred. The short lists are plain text in `words/`.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use crate::token::{Token, TokenClass, plain};
use crate::usual;

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

/// The words of the short lists, by their hashes.
static WORDS: LazyLock<HashMap<u64, (String, Known), Hashed>> = LazyLock::new(|| {
    let mut words: HashMap<u64, (String, Known), Hashed> = HashMap::default();
    for (known, list) in LISTS {
        for word in list.lines().flat_map(|line| line.split(',')).map(str::trim) {
            if !word.is_empty() {
                let word = plain(word);
                words.entry(fnv(&word)).or_insert_with(|| (word, 0)).1 |= known;
            }
        }
    }
    words
});

/// The words of the list of common ones.
pub(crate) fn common_words() -> impl Iterator<Item = &'static str> {
    let lists = LISTS.iter().filter(|(known, _)| *known == COMMON);
    let words = lists.flat_map(|(_, list)| list.lines()).flat_map(|line| line.split(','));
    words.map(str::trim).filter(|word| !word.is_empty())
}

/// Bits by hash: a word that has not its bit set stands in no short list. Most words end here.
static LISTED: LazyLock<[u64; LISTED_WORDS]> = LazyLock::new(|| {
    let mut bits = [0; LISTED_WORDS];
    for hash in WORDS.keys() {
        bits[listed_bit(*hash).0] |= listed_bit(*hash).1;
    }
    bits
});

const LISTED_WORDS: usize = 1 << 10;

fn listed_bit(hash: u64) -> (usize, u64) {
    ((hash >> 32) as usize % LISTED_WORDS, 1 << (hash >> 58))
}

/// The hashes of words that begin a name of more than one word in the short lists.
static FIRST_WORDS: LazyLock<HashSet<u64, Hashed>> = LazyLock::new(|| {
    let first = |(word, _): &(String, Known)| word.split_once(' ').map(|(first, _)| fnv(first));
    WORDS.values().filter_map(first).collect()
});

/// For keys that are hashes already.
type Hashed = BuildHasherDefault<Itself>;

#[derive(Default)]
struct Itself(u64);

impl Hasher for Itself {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash_on(hash, *byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// The lists in which a word of this hash stands.
fn listed<'a>(hash: u64, words: impl Iterator<Item = &'a str>) -> Known {
    let (word, bit) = listed_bit(hash);
    if LISTED[word] & bit == 0 {
        return 0;
    }
    match WORDS.get(&hash) {
        Some((word, known)) if word.split(' ').eq(words) => *known,
        _ => 0,
    }
}

static FILTERS: LazyLock<[(Known, Bloom); 4]> = LazyLock::new(|| {
    let mut rest = NAMES.strip_prefix(HEAD).expect("a test reads the lists of names");
    [GIVEN, FAMILY, TOWN, ORDINARY].map(|known| {
        let (filter, after) = Bloom::read(rest).expect("a test reads the lists of names");
        rest = after;
        (known, filter)
    })
});

/// No filter has fewer hashes.
const BITS_TOGETHER: u32 = 4;

/// A Bloom filter over words.
struct Bloom {
    bits: u32,
    /// 2⁶⁴ over `bits`, rounded up: with it a remainder takes no division (Lemire, 2019).
    inverse: u64,
    hashes: u32,
    bytes: &'static [u8],
}

impl Bloom {
    fn read(bytes: &'static [u8]) -> Option<(Bloom, &'static [u8])> {
        let (head, rest) = bytes.split_at_checked(8)?;
        let bits = u32::from_le_bytes(head[..4].try_into().ok()?);
        let hashes = u32::from_le_bytes(head[4..].try_into().ok()?);
        if hashes < BITS_TOGETHER {
            return None;
        }
        let (bytes, rest) = rest.split_at_checked(bits as usize / 8)?;
        let inverse = u64::MAX.checked_div(u64::from(bits))?.wrapping_add(1);
        Some((Bloom { bits, inverse, hashes, bytes }, rest))
    }

    /// Whether a word of this hash is held. Each bit is one of two, whatever the word: what
    /// branches on it is wrong half the time, so some are looked at together.
    #[inline(always)]
    fn holds(&self, hash: u64) -> bool {
        let (first, step) = (hash as u32, (hash >> 32) as u32 | 1);
        let bit = |index: u32| {
            let bit = self.remainder(first.wrapping_add(index.wrapping_mul(step)));
            self.bytes[bit as usize / 8] >> (bit % 8) & 1
        };
        let together = (0..BITS_TOGETHER).fold(1, |all, index| all & bit(index));
        together != 0 && (BITS_TOGETHER..self.hashes).all(|index| bit(index) != 0)
    }

    fn remainder(&self, number: u32) -> u32 {
        let low = self.inverse.wrapping_mul(u64::from(number));
        ((u128::from(low) * u128::from(self.bits)) >> 64) as u32
    }
}

/// FNV-1a of 64 bits.
pub(crate) fn fnv(text: &str) -> u64 {
    fnv_on(FNV_START, text)
}

/// The hash of nothing.
pub(crate) const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

/// The hash of a text that goes on from one whose hash is known.
pub(crate) fn fnv_on(hash: u64, text: &str) -> u64 {
    text.bytes().fold(hash, hash_on)
}

fn hash_on(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
}

/// Words of a name that stands in a list as more than one.
const WORDS_MAX: usize = 4;

/// How many tokens before and after one have a say in what it is known as.
pub(crate) const REACH: usize = 2 * WORDS_MAX - 1;

/// Whether a word of this hash begins a name of more than one word in the short lists.
pub(crate) fn begins_list(hash: u64) -> bool {
    FIRST_WORDS.contains(&hash)
}

/// Words that may go on to be a name of more words, from one of them on.
#[derive(Clone, Copy)]
struct Row {
    /// The first token; [`NOWHERE`] if there is no row.
    first: usize,
    begins_list: bool,
    /// The hash of its words, with blanks between.
    hash: u64,
}

const NOWHERE: usize = usize::MAX;
const NO_ROW: Row = Row { first: NOWHERE, begins_list: false, hash: 0 };

/// What each token is known as.
pub(crate) fn known(tokens: &[Token]) -> Vec<Known> {
    let mut known: Vec<Known> = tokens.iter().map(single).collect();
    let towns = &FILTERS[2].1;
    // Rows of one word, two and three that the next may go on with. They are hashed side by side.
    let mut rows = [NO_ROW; WORDS_MAX - 1];
    for (index, token) in tokens.iter().enumerate() {
        match token.class {
            TokenClass::Word => {}
            TokenClass::Mark if matches!(token.word, "-" | "'" | ".") => continue,
            _ => {
                rows = [NO_ROW; WORDS_MAX - 1];
                continue;
            }
        }
        let hashes = go_on(rows.map(|row| hash_on(row.hash, b' ')), token.plain);
        for (row, hash) in rows.iter_mut().zip(hashes) {
            row.hash = hash;
            if row.first == NOWHERE || index - row.first > REACH {
                row.first = NOWHERE;
                continue;
            }
            if towns.holds(hash) {
                mark(&mut known[row.first..=index], TOWN);
            }
            if row.begins_list {
                let all = tokens[row.first..=index].iter();
                let words = all.filter(|token| token.class == TokenClass::Word);
                match listed(hash, words.map(|token| token.plain)) {
                    0 => {}
                    list => mark(&mut known[row.first..=index], list),
                }
            }
        }
        let begins_list = match usual::get(token.usual) {
            Some(usual) => usual.begins_list,
            None => begins_list(token.plain_hash),
        };
        rows = [Row { first: index, begins_list, hash: token.plain_hash }, rows[0], rows[1]];
    }
    known
}

fn go_on<const N: usize>(mut hashes: [u64; N], text: &str) -> [u64; N] {
    for byte in text.bytes() {
        hashes = hashes.map(|hash| hash_on(hash, byte));
    }
    hashes
}

fn mark(known: &mut [Known], list: Known) {
    for (index, one) in known.iter_mut().enumerate() {
        *one |= list | if index > 0 && list == TOWN { TOWN_GOES_ON } else { 0 };
    }
}

/// What a token is known as by itself.
pub(crate) fn single(token: &Token) -> Known {
    if let Some(usual) = usual::get(token.usual) {
        return usual.known;
    }
    let (plain, hash) = (token.plain, token.plain_hash);
    let mut known = listed(hash, plain.split(' '));
    if token.class != TokenClass::Word {
        return known;
    }
    if let Some(singular) = plain.strip_suffix('s') {
        known |= listed(fnv(singular), singular.split(' ')) & NATIONALITY;
    }
    if is_street(plain) {
        known |= STREET;
    }
    let held = |(list, filter): &(Known, Bloom)| if filter.holds(hash) { *list } else { 0 };
    FILTERS.iter().fold(known, |known, filter| known | held(filter))
}

/// Whether a word ends as one that names a street, in German, Dutch and the languages of the north.
fn is_street(word: &str) -> bool {
    let endings: &[&str] = match word.as_bytes().last() {
        Some(b'e') => &["strasse", "gasse", "allee", "gade", "tie", "halde"],
        Some(b'n') => &["gatan", "veien", "vegen", "laan", "vagen", "rain"],
        Some(b'r') => &["str", "ufer"],
        Some(b'g') => &["weg", "ring"],
        Some(b'a') => &["gata", "utca"],
        Some(b'z') => &["platz"],
        Some(b'j') => &["vej"],
        Some(b't') => &["straat"],
        Some(b'u') => &["katu"],
        _ => &[],
    };
    endings.iter().any(|ending| word.len() > ending.len() + 2 && word.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::Folded;
    use crate::token::Words;

    #[test]
    fn names_are_known_and_other_words_are_not() {
        let of = |text: &str| known(&Words::of(&Folded::new(text)).tokens());
        assert!(of("Anna")[0] & GIVEN != 0);
        assert!(of("Müller")[0] & FAMILY != 0);
        assert!(of("GENÈVE")[0] & TOWN != 0);
        assert!(of("La Chaux-de-Fonds")[5] & TOWN_GOES_ON != 0);
        assert!(of("Bahnhofstrasse")[0] & STREET != 0);
        let few = ["xqzt", "wobbleflank", "zzyzxq", "qwrtzp", "bcdfgh", "mnbvcx", "plokij"];
        let known_few = few.iter().filter(|word| of(word)[0] & (GIVEN | FAMILY) != 0).count();
        assert!(known_few <= 1, "{known_few}");
    }

    #[test]
    fn no_two_words_of_the_lists_have_one_hash() {
        let lines = LISTS.iter().flat_map(|(_, list)| list.lines());
        let words = lines.flat_map(|line| line.split(',')).map(str::trim);
        let all: std::collections::BTreeSet<String> =
            words.filter(|word| !word.is_empty()).map(plain).collect();
        assert_eq!(all.len(), WORDS.len());
        assert!(all.iter().all(|word| listed(fnv(word), word.split(' ')) != 0));
    }

    #[test]
    fn a_remainder_is_one() {
        for (_, filter) in FILTERS.iter() {
            for number in [0, 1, filter.bits - 1, filter.bits, filter.bits + 1, 0xdead_beef, !0] {
                assert_eq!(filter.remainder(number), number % filter.bits, "{number}");
            }
        }
    }
}
