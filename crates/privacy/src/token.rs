//! Tokens: words, numbers and marks of a folded text.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::fold::{ALNUM, Folded, SPACE};
use crate::gazetteer::fnv;
use crate::usual::{self, UNUSUAL, UsualNumber};

/// What a token is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenClass {
    /// Letters.
    Word,
    /// Digits.
    Number,
    /// Letters and digits.
    Mixed,
    /// One other mark.
    Mark,
    /// One or more line ends.
    Lines,
}

/// A token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token<'a> {
    /// First letter.
    pub(crate) start: usize,
    /// Letter after the last.
    pub(crate) end: usize,
    /// What it is made of.
    pub(crate) class: TokenClass,
    /// In lower case.
    pub(crate) word: &'a str,
    /// In lower case, without accents: as the lists of names have it.
    pub(crate) plain: &'a str,
    /// The hash of `word`.
    pub(crate) word_hash: u64,
    /// The hash of `plain`.
    pub(crate) plain_hash: u64,
    /// How it looks: `Xx`, `XX`, `x`, `d`.
    pub(crate) shape: u32,
    /// Which of the words it is that most texts have.
    pub(crate) usual: UsualNumber,
}

/// The letters of all tokens of a text in lower case, one after the other, so that a token costs
/// no memory of its own.
pub(crate) struct Words {
    text: String,
    places: Vec<Place>,
}

/// Where a token stands, in the text and in the letters.
struct Place {
    start: usize,
    end: usize,
    class: TokenClass,
    shape: u32,
    word: Range<usize>,
    plain: Range<usize>,
}

/// Longest word; a longer one is parted, so that each token is bounded.
const WORD_MAX: usize = 64;

impl Words {
    /// Parts a text.
    pub(crate) fn of(text: &Folded) -> Words {
        let mut words = Words { text: String::with_capacity(text.len()), places: Vec::new() };
        words.places.reserve(text.len() / 4);
        let mut place = 0;
        while place < text.len() {
            let end = match text.at(place) {
                '\n' | '\r' => end_of(text, place, SPACE),
                _ if text.is(place, SPACE) => {
                    place += 1;
                    continue;
                }
                _ if text.is(place, ALNUM) => end_of(text, place, ALNUM),
                _ => place + 1,
            };
            words.add(text, place..end);
            place = end;
        }
        words
    }

    /// The tokens.
    pub(crate) fn tokens(&self) -> Vec<Token<'_>> {
        let mut tokens = self.bare_tokens();
        for token in &mut tokens {
            token.usual = usual::number(token.word, token.word_hash);
        }
        tokens
    }

    /// The tokens, without which of the usual words they are.
    pub(crate) fn bare_tokens(&self) -> Vec<Token<'_>> {
        self.places.iter().map(|place| self.token(place)).collect()
    }

    fn token(&self, place: &Place) -> Token<'_> {
        let (word, plain) = (&self.text[place.word.clone()], &self.text[place.plain.clone()]);
        let word_hash = fnv(word);
        let plain_hash = if place.word == place.plain { word_hash } else { fnv(plain) };
        let Place { start, end, class, shape, .. } = *place;
        let usual = UNUSUAL;
        Token { start, end, class, word, plain, word_hash, plain_hash, shape, usual }
    }

    fn add(&mut self, text: &Folded, letters: Range<usize>) {
        let (start, end) = (letters.start, letters.end);
        let from = self.text.len();
        let ascii = self.add_ascii(text, letters.clone());
        let look = match ascii.or_else(|| self.add_simple(text, letters.clone())) {
            Some(look) => look,
            None => {
                self.text.truncate(from);
                self.add_any(&text.text(letters))
            }
        };
        let Look { class, shape, word_end } = look;
        let (word, plain) = match word_end {
            Some(end) => (from..end, end..self.text.len()),
            None => (from..self.text.len(), from..self.text.len()),
        };
        self.places.push(Place { start, end, class, shape, word, plain });
    }

    /// Adds a token of letters of ASCII; `None` when there is another letter.
    fn add_ascii(&mut self, text: &Folded, letters: Range<usize>) -> Option<Look> {
        let all = &text.letters[letters.clone()];
        let first = all.first()?.char;
        if all.len() > WORD_MAX || matches!(first, '\n' | '\r') {
            return None;
        }
        let (mut small, mut above) = ([0; WORD_MAX], 0);
        let mut counts = Counts { letters: all.len(), ..Counts::default() };
        for (letter, small) in all.iter().zip(&mut small) {
            let byte = letter.char as u8;
            above |= letter.char as u32;
            counts.digits += usize::from(byte.is_ascii_digit());
            counts.upper += usize::from(byte.is_ascii_uppercase());
            *small = byte.to_ascii_lowercase();
        }
        let is_ascii = above < 0x80;
        let small = std::str::from_utf8(&small[..all.len()]).ok().filter(|_| is_ascii)?;
        self.text.push_str(small);
        let class = simple_class(text.is(letters.start, ALNUM), &counts);
        Some(Look { class, shape: shape(first, &counts, class), word_end: None })
    }

    /// Adds a token of letters of ASCII and Latin-1, for which small tables do. `None` when there
    /// is another letter; then some letters may have been added.
    fn add_simple(&mut self, text: &Folded, letters: Range<usize>) -> Option<Look> {
        let (first, from) = (text.at(letters.start), self.text.len());
        if matches!(first, '\n' | '\r') {
            return None;
        }
        let mut counts = Counts { letters: letters.len(), ..Counts::default() };
        let mut is_ascii = true;
        for place in letters.clone() {
            let char = text.at(place);
            counts.digits += usize::from(char.is_ascii_digit());
            counts.upper += usize::from(is_upper(char));
            is_ascii &= char.is_ascii();
            self.text.push(lower(char)?);
        }
        let word_end = self.text.len();
        if !is_ascii {
            let mut place = from;
            while let Some(char) = self.text[place..word_end].chars().next() {
                self.text.push_str(without_accent(char)?);
                if char.is_ascii() {
                    self.text.push(char);
                }
                place += char.len_utf8();
            }
        }
        let class = simple_class(text.is(letters.start, ALNUM), &counts);
        let shape = shape(first, &counts, class);
        Some(Look { class, shape, word_end: (!is_ascii).then_some(word_end) })
    }

    /// Adds any token.
    fn add_any(&mut self, original: &str) -> Look {
        let class = class(original);
        let word = match class {
            TokenClass::Lines => "\n".repeat(original.matches('\n').count().clamp(1, 2)),
            _ => original.to_lowercase(),
        };
        let counts = Counts {
            letters: original.chars().count(),
            digits: 0,
            upper: original.chars().filter(|char| char.is_uppercase()).count(),
        };
        self.text.push_str(&word);
        let word_end = self.text.len();
        self.text.push_str(&plain(&word));
        let first = original.chars().next().unwrap_or(' ');
        Look { class, shape: shape(first, &counts, class), word_end: Some(word_end) }
    }
}

/// How a token looks, and where its word ends if its plain form is another one.
struct Look {
    class: TokenClass,
    shape: u32,
    word_end: Option<usize>,
}

/// Letters of a token.
#[derive(Default)]
struct Counts {
    letters: usize,
    digits: usize,
    upper: usize,
}

fn simple_class(is_alphanumeric: bool, counts: &Counts) -> TokenClass {
    match (is_alphanumeric, counts.digits) {
        (false, _) => TokenClass::Mark,
        (true, 0) => TokenClass::Word,
        (true, digits) if digits == counts.letters => TokenClass::Number,
        (true, _) => TokenClass::Mixed,
    }
}

fn end_of(text: &Folded, start: usize, belongs: u8) -> usize {
    let most = (start + WORD_MAX).min(text.len());
    (start..most).find(|place| !text.is(*place, belongs)).unwrap_or(most)
}

/// Whether a letter of ASCII or Latin-1 is a capital.
fn is_upper(char: char) -> bool {
    char.is_ascii_uppercase() || matches!(char, 'À'..='Ö' | 'Ø'..='Þ')
}

/// A letter of ASCII or Latin-1 in lower case; `None` for others.
fn lower(char: char) -> Option<char> {
    match char {
        '\0'..='\x7f' => Some(char.to_ascii_lowercase()),
        'À'..='Ö' | 'Ø'..='Þ' => char::from_u32(char as u32 + 0x20),
        'ß'..='ö' | 'ø'..='ÿ' => Some(char),
        _ => None,
    }
}

/// A small letter of Latin-1 as [`plain`] has it, nothing for one of ASCII.
fn without_accent(char: char) -> Option<&'static str> {
    Some(match char {
        '\0'..='\x7f' => "",
        'à'..='å' => "a",
        'æ' => "ae",
        'ç' => "c",
        'è'..='ë' => "e",
        'ì'..='ï' => "i",
        'ñ' => "n",
        'ò'..='ö' | 'ø' => "o",
        'ù'..='ü' => "u",
        'ý' | 'ÿ' => "y",
        'þ' => "th",
        'ß' => "ss",
        'ð' => "ð",
        _ => return None,
    })
}

fn class(text: &str) -> TokenClass {
    let first = text.chars().next().unwrap_or(' ');
    if matches!(first, '\n' | '\r') {
        return TokenClass::Lines;
    }
    if !first.is_alphanumeric() {
        return TokenClass::Mark;
    }
    let digits = text.chars().filter(char::is_ascii_digit).count();
    match digits {
        0 => TokenClass::Word,
        digits if digits == text.chars().count() => TokenClass::Number,
        _ => TokenClass::Mixed,
    }
}

/// A word as the lists of names have it: lower case, without accents.
pub(crate) fn plain(word: &str) -> String {
    if word.is_ascii() {
        return word.to_ascii_lowercase();
    }
    let letter = |char: char| match char {
        'ß' => "ss".to_owned(),
        'ø' => "o".to_owned(),
        'ł' => "l".to_owned(),
        'đ' => "d".to_owned(),
        'æ' => "ae".to_owned(),
        'þ' => "th".to_owned(),
        other => other.to_string(),
    };
    word.nfd()
        .filter(|char| !is_combining_mark(*char))
        .flat_map(char::to_lowercase)
        .map(letter)
        .collect()
}

/// A number for how a token looks.
fn shape(first: char, counts: &Counts, class: TokenClass) -> u32 {
    let (upper, length) = (counts.upper, counts.letters);
    let is_title = first.is_uppercase();
    let length_class = length.min(6) as u32;
    match class {
        TokenClass::Word if upper == length && length == 1 => 1,
        TokenClass::Word if upper == length => 2,
        TokenClass::Word if is_title && upper == 1 => 3,
        TokenClass::Word if is_title => 4,
        TokenClass::Word if upper > 0 => 5,
        TokenClass::Word => 6 + u32::from(length > 3),
        TokenClass::Number => 10 + length_class,
        TokenClass::Mixed if is_title => 20,
        TokenClass::Mixed => 21 + u32::from(first.is_ascii_digit()),
        TokenClass::Mark => 30,
        TokenClass::Lines => 40,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_tables_say_what_the_whole_of_unicode_does() {
        for char in ('\u{1}'..'\u{200}').filter(|char| lower(*char).is_some()) {
            assert_eq!(lower(char).unwrap().to_string(), char.to_lowercase().to_string());
            assert_eq!(is_upper(char), char.is_uppercase(), "{char}");
            let small = lower(char).unwrap();
            if let Some(known) = without_accent(small).filter(|_| !small.is_ascii()) {
                assert_eq!(known, plain(&small.to_string()), "{small}");
            }
        }
        assert!(lower('Σ').is_none() && lower('ÿ').is_some() && without_accent('÷').is_none());
    }

    #[test]
    fn tokens_hold_their_words_with_and_without_accents() {
        let folded = Folded::new("Zoë Müller, ŁÓDŹ 12a 007\n\n\nστο ΤΕΛΟΣ");
        let words = Words::of(&folded);
        let all = words.tokens();
        let shown: Vec<(&str, &str)> = all.iter().map(|one| (one.word, one.plain)).collect();
        assert_eq!(
            shown,
            [
                ("zoë", "zoe"),
                ("müller", "muller"),
                (",", ","),
                ("łódź", "lodz"),
                ("12a", "12a"),
                ("007", "007"),
                ("\n\n", "\n\n"),
                ("στο", "στο"),
                ("τελος", "τελος"),
            ]
        );
        let shapes: Vec<u32> = all.iter().map(|one| one.shape).collect();
        assert_eq!(shapes, [3, 3, 30, 2, 22, 13, 40, 6, 2]);
        assert!(all.iter().all(|one| one.plain_hash == fnv(one.plain)));
    }
}
