//! Words, marks and numbers that stand in most texts: what each is by itself is worked out once.

use std::sync::LazyLock;

use crate::features::{beginnings, endings};
use crate::fold::Folded;
use crate::gazetteer::{self, Known};
use crate::token::Words;

/// The place of a word among the usual ones; [`UNUSUAL`] for others.
pub(crate) type UsualNumber = u16;

/// Not one of them.
pub(crate) const UNUSUAL: UsualNumber = UsualNumber::MAX;

/// In small letters, and with the first one a capital.
pub(crate) const SHAPES: usize = 2;

/// Marks, and words that are no words of a language.
const MARKS: &str = ". , : ; - ' \" ( ) / ? ! [ ] & % + * _ @";
const NUMBERS_MAX: u32 = 31;

/// A usual word.
pub(crate) struct Usual {
    word: String,
    pub(crate) word_hash: u64,
    pub(crate) plain_hash: u64,
    /// How it looks.
    pub(crate) shapes: [u32; SHAPES],
    /// The lists that it stands in by itself.
    pub(crate) known: Known,
    /// Whether it begins a name of more words in a short list.
    pub(crate) begins_list: bool,
    pub(crate) suffixes: [u32; 3],
    pub(crate) prefixes: [u32; 2],
}

/// All of them, and where each is found by its hash.
struct Table {
    all: Vec<Usual>,
    slots: Vec<UsualNumber>,
}

static TABLE: LazyLock<Table> = LazyLock::new(Table::new);

/// The usual words.
pub(crate) fn all() -> &'static [Usual] {
    &TABLE.all
}

/// A usual word by its number.
pub(crate) fn get(number: UsualNumber) -> Option<&'static Usual> {
    // The table itself is made of words that are not in it yet.
    if number == UNUSUAL { None } else { TABLE.all.get(usize::from(number)) }
}

/// The number of a word in small letters with this hash.
pub(crate) fn number(word: &str, hash: u64) -> UsualNumber {
    let table = &*TABLE;
    let mut slot = hash as usize;
    loop {
        slot &= table.slots.len() - 1;
        let number = table.slots[slot];
        match table.all.get(usize::from(number)) {
            Some(usual) if usual.word_hash != hash || usual.word != word => slot += 1,
            _ => return number,
        }
    }
}

impl Table {
    fn new() -> Table {
        let numbers = (0..=NUMBERS_MAX).map(|number| number.to_string());
        let words = gazetteer::common_words().chain(MARKS.split(' ')).map(str::to_owned);
        let lines = ["\n", "\n\n"].map(str::to_owned);
        let mut table = Table { all: Vec::new(), slots: Vec::new() };
        for word in words.chain(numbers).chain(lines) {
            if table.all.iter().all(|known| known.word != word) {
                table.all.extend(Usual::of(&word));
            }
        }
        // At most half of them are taken, so that a search ends soon.
        table.slots = vec![UNUSUAL; (2 * table.all.len()).next_power_of_two()];
        for (number, usual) in table.all.iter().enumerate() {
            let mut slot = usual.word_hash as usize & (table.slots.len() - 1);
            while table.slots[slot] != UNUSUAL {
                slot = (slot + 1) & (table.slots.len() - 1);
            }
            table.slots[slot] = number as UsualNumber;
        }
        table
    }
}

impl Usual {
    /// What is known of a word; `None` if it is more than one token.
    fn of(word: &str) -> Option<Usual> {
        let capital: String = match word.chars().next() {
            Some(first) => first.to_uppercase().chain(word.chars().skip(1)).collect(),
            None => return None,
        };
        let look = |typed: &str| {
            let folded = Folded::new(typed);
            let words = Words::of(&folded);
            let tokens = words.bare_tokens();
            let [token] = tokens.as_slice() else { return None };
            let known = gazetteer::single(token);
            (token.word == word).then_some((token.shape, known, token.word_hash, token.plain_hash))
        };
        let (shape, known, word_hash, plain_hash) = look(word)?;
        let (capital, ..) = look(&capital)?;
        Some(Usual {
            word: word.to_owned(),
            word_hash,
            plain_hash,
            shapes: [shape, capital],
            known,
            begins_list: gazetteer::begins_list(plain_hash),
            suffixes: endings(word),
            prefixes: beginnings(word),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_words_are_found_and_others_are_not() {
        assert!(all().len() > 400 && all().len() < 1000, "{}", all().len());
        for (at, usual) in all().iter().enumerate() {
            assert_eq!(usize::from(number(&usual.word, usual.word_hash)), at, "{}", usual.word);
        }
        for word in ["", "kehrichtsack", "32", "the the"] {
            assert_eq!(number(word, gazetteer::fnv(word)), UNUSUAL, "{word}");
        }
        assert_eq!(number("der", gazetteer::fnv("die")), UNUSUAL, "the word counts, not its hash");
    }

    #[test]
    fn what_is_known_of_a_usual_word_is_what_is_found_of_it() {
        for usual in all() {
            let folded = Folded::new(&usual.word);
            let words = Words::of(&folded);
            let known = gazetteer::known(&words.tokens());
            assert_eq!(known, [usual.known], "{}", usual.word);
        }
    }
}
