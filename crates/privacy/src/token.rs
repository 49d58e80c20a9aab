//! Tokens: words, numbers and marks of a folded text.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::fold::Folded;

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
#[derive(Debug, Clone)]
pub(crate) struct Token {
    /// First letter.
    pub(crate) start: usize,
    /// Letter after the last.
    pub(crate) end: usize,
    /// What it is made of.
    pub(crate) class: TokenClass,
    /// In lower case.
    pub(crate) word: String,
    /// In lower case, without accents: as the lists of names have it.
    pub(crate) plain: String,
    /// How it looks: `Xx`, `XX`, `x`, `d`.
    pub(crate) shape: u32,
}

/// Longest word; a longer one is parted, so that each token is bounded.
const WORD_MAX: usize = 64;

/// Parts a text into tokens.
pub(crate) fn tokens(text: &Folded) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut place = 0;
    while place < text.len() {
        let char = text.at(place);
        let end = match char {
            '\n' | '\r' => end_of(text, place, char::is_whitespace),
            char if char.is_whitespace() => {
                place += 1;
                continue;
            }
            char if char.is_alphanumeric() => end_of(text, place, char::is_alphanumeric),
            _ => place + 1,
        };
        tokens.push(token(text, place..end));
        place = end;
    }
    tokens
}

fn end_of(text: &Folded, start: usize, belongs: fn(char) -> bool) -> usize {
    let most = (start + WORD_MAX).min(text.len());
    (start..most).find(|place| !belongs(text.at(*place))).unwrap_or(most)
}

fn token(text: &Folded, range: Range<usize>) -> Token {
    let (start, end) = (range.start, range.end);
    let original = text.text(range);
    let class = class(&original);
    let word = match class {
        TokenClass::Lines => "\n".repeat(original.matches('\n').count().clamp(1, 2)),
        _ => original.to_lowercase(),
    };
    let plain = plain(&word);
    Token { start, end, class, shape: shape(&original, class), word, plain }
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
fn shape(text: &str, class: TokenClass) -> u32 {
    let upper = text.chars().filter(|char| char.is_uppercase()).count();
    let length = text.chars().count();
    let first = text.chars().next().is_some_and(char::is_uppercase);
    let length_class = length.min(6) as u32;
    match class {
        TokenClass::Word if upper == length && length == 1 => 1,
        TokenClass::Word if upper == length => 2,
        TokenClass::Word if first && upper == 1 => 3,
        TokenClass::Word if first => 4,
        TokenClass::Word if upper > 0 => 5,
        TokenClass::Word => 6 + u32::from(length > 3),
        TokenClass::Number => 10 + length_class,
        TokenClass::Mixed if first => 20,
        TokenClass::Mixed => 21 + u32::from(text.starts_with(|char: char| char.is_ascii_digit())),
        TokenClass::Mark => 30,
        TokenClass::Lines => 40,
    }
}
