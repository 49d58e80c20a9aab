//! A series: the letters and digits of an identifier, whatever people put between them.

use std::ops::Range;

use crate::fold::{ALIKE, ALNUM, Folded, GAP, NUMERIC, SPACE};

/// Longest identifier: an IBAN may have 34.
pub(crate) const SERIES_MAX: usize = 34;

/// Most letters between two of a series.
const GAP_MAX: usize = 4;

/// Letters and digits of an identifier.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    letters: [u8; SERIES_MAX],
    length: usize,
    /// Bit k: something stands before letter k.
    gaps: u64,
    /// Where it begins.
    pub(crate) start: usize,
    /// The place after the last.
    pub(crate) end: usize,
}

impl Series {
    /// The `length` letters and digits from a place on, if there are so many with little between
    /// them.
    pub(crate) fn read(text: &Folded, start: usize, length: usize) -> Option<Series> {
        Series::read_if(text, start, length, |_, _| true)
    }

    /// As [`Series::read`], if each letter is allowed at its number; it ends at the first that is
    /// not.
    pub(crate) fn read_if(
        text: &Folded,
        start: usize,
        length: usize,
        allowed: impl Fn(usize, u8) -> bool,
    ) -> Option<Series> {
        let mut series = Series { letters: [0; SERIES_MAX], length, gaps: 0, start, end: start };
        let mut place = start;
        for index in 0..length {
            let next = joined(text, place)?;
            if next != place {
                series.gaps |= u64::from(index > 0) << index;
            }
            let letter = look_alike(text.at(next)).unwrap_or_default();
            if !allowed(index, letter) {
                return None;
            }
            series.letters[index] = letter;
            place = next + 1;
        }
        series.end = place;
        Some(series)
    }

    pub(crate) fn letters(&self) -> &[u8] {
        &self.letters[..self.length]
    }

    /// Whether nothing stands between.
    pub(crate) fn is_whole(&self) -> bool {
        self.gaps == 0
    }

    /// Whether something stands exactly before these.
    pub(crate) fn is_grouped(&self, starts: &[usize]) -> bool {
        self.gaps == starts.iter().fold(0, |gaps, start| gaps | 1 << start)
    }

    /// Whether something stands before each.
    pub(crate) fn is_spread(&self) -> bool {
        self.gaps == ((1 << self.length) - 1) & !1
    }

    /// Whether something stands before every so many: groups of one size, the last may be shorter.
    pub(crate) fn is_even(&self) -> bool {
        let sizes = 1..=self.length.div_ceil(2);
        sizes.into_iter().any(|size| {
            let starts = (size..self.length).step_by(size);
            self.gaps == starts.fold(0, |gaps, start| gaps | 1 << start)
        })
    }

    /// Whether no digit goes on before or after it, and no word with digits of its own.
    pub(crate) fn is_apart(&self, text: &Folded) -> bool {
        ends_before(text, self.start) && ends_after(text, self.end)
    }

    /// Whether the text is nothing else, or what stands in quotation marks: it needs no word that
    /// says what it is.
    pub(crate) fn is_all(&self, text: &Folded) -> bool {
        if is_quoted(text, self.start, self.end) {
            return true;
        }
        // A long text is something else; looking through it each time would not be linear.
        let rest = self.start + text.len() - self.end;
        rest <= TAG_MAX && is_bare(text, 0..self.start) && is_bare(text, self.end..text.len())
    }

    /// Whether digits stand beside it with a space or hyphen between.
    pub(crate) fn is_alone(&self, text: &Folded) -> bool {
        let thin = |char: char| matches!(char, ' ' | '-');
        let after = thin(text.at(self.end)) && text.at(self.end + 1).is_ascii_digit();
        let before = thin(text.before(self.start))
            && text.before(self.start.saturating_sub(1)).is_ascii_digit();
        !after && !before
    }
}

/// The next letter or digit from a place on.
pub(crate) fn joined(text: &Folded, place: usize) -> Option<usize> {
    let mut next = place;
    for _ in 0..=GAP_MAX {
        if text.is(next, ALIKE) {
            return Some(next);
        }
        next = match text.at(next) {
            _ if next >= text.len() => return None,
            '<' => after_tag(text, next)?,
            _ if text.is(next, SPACE) => after_blanks(text, next),
            _ if text.is(next, GAP) => next + 1,
            _ => return None,
        };
    }
    None
}

/// Most blanks and line ends that count as one.
const BLANKS_MAX: usize = 24;

/// The place after blanks and line ends: a line that goes on is often indented.
fn after_blanks(text: &Folded, place: usize) -> usize {
    let most = (place + BLANKS_MAX).min(text.len());
    (place + 1..most).find(|at| !text.is(*at, SPACE)).unwrap_or(most)
}

/// Longest tag of HTML that is passed over between the digits of a number.
const TAG_MAX: usize = 80;

/// The place after a tag of HTML.
fn after_tag(text: &Folded, place: usize) -> Option<usize> {
    let first = text.at(place + 1);
    let to = (place + TAG_MAX).min(text.len());
    let end = (place..to).find(|at| text.at(*at) == '>')?;
    (first.is_ascii_alphabetic() || matches!(first, '/' | '!')).then_some(end + 1)
}

/// Most tags of HTML that are passed over on each side of a number in quotation marks.
const TAGS_MAX: usize = 4;

/// Whether what stands between is in quotation marks, alone or within tags of HTML.
fn is_quoted(text: &Folded, start: usize, end: usize) -> bool {
    let (mut first, mut after) = (start, end);
    for _ in 0..TAGS_MAX {
        first = before_tag(text, first).unwrap_or(first);
        after = (text.at(after) == '<').then(|| after_tag(text, after)).flatten().unwrap_or(after);
    }
    let mut before = text.letters[..first].iter().rev().map(|letter| letter.char);
    let opened = before.find(|char| *char != '\\') == Some('"');
    opened && matches!(text.at(after), '"' | '\\')
}

/// Where a tag of HTML begins that ends right before a place.
fn before_tag(text: &Folded, place: usize) -> Option<usize> {
    let open = |at: &usize| text.at(*at) == '<';
    let start = (place.saturating_sub(TAG_MAX)..place).rev().find(open)?;
    (after_tag(text, start)? == place).then_some(start)
}

/// Whether there is neither a letter nor a digit, tags of HTML apart.
fn is_bare(text: &Folded, letters: Range<usize>) -> bool {
    let mut place = letters.start;
    while place < letters.end {
        let char = text.at(place);
        match (char == '<').then(|| after_tag(text, place)).flatten() {
            Some(next) => place = next,
            None if char.is_alphanumeric() => return false,
            None => place += 1,
        }
    }
    true
}

/// The letter or digit of ASCII that a letter looks like: itself, or for capitals of Greek and
/// Cyrillic that of Latin.
pub(crate) fn look_alike(char: char) -> Option<u8> {
    if char.is_ascii() {
        return char.is_ascii_alphanumeric().then_some(char as u8);
    }
    Some(match char {
        'А' | 'Α' => b'A',
        'В' | 'Β' => b'B',
        'С' => b'C',
        'Е' | 'Ε' => b'E',
        'Н' | 'Η' => b'H',
        'І' | 'Ι' => b'I',
        'Ј' => b'J',
        'К' | 'Κ' => b'K',
        'М' | 'Μ' => b'M',
        'Ν' => b'N',
        'О' | 'Ο' => b'O',
        'Р' | 'Ρ' => b'P',
        'Ѕ' => b'S',
        'Т' | 'Τ' => b'T',
        'Х' | 'Χ' => b'X',
        'Ү' | 'Υ' => b'Y',
        'Ζ' => b'Z',
        _ => return None,
    })
}

/// What people put between the digits of a number.
pub(crate) const fn is_gap(char: char) -> bool {
    matches!(
        char,
        ' ' | '\t'
            | '\n'
            | '\r'
            | '-'
            | '.'
            | '/'
            | '_'
            | ','
            | '\''
            | '('
            | ')'
            | '·'
            | ':'
            | '|'
            | '*'
            | '•'
            | '\\'
            | '~'
            | '+'
            | ';'
            | '='
            | '"'
            | '`'
            | '#'
            | '>'
            | '['
            | ']'
            | '…'
    )
}

/// How far a word is followed to see whether it has digits.
const WORD_LOOK: usize = 16;

/// Whether no number reaches a place from the left: `no4111` is a word and a number, `a1f4111` is
/// one name.
pub(crate) fn ends_before(text: &Folded, place: usize) -> bool {
    let from = place.saturating_sub(WORD_LOOK);
    let word = (from..place).rev().take_while(|at| text.is(*at, ALNUM));
    !word.into_iter().any(|at| text.is(at, NUMERIC))
}

/// Whether no number goes on at a place.
pub(crate) fn ends_after(text: &Folded, place: usize) -> bool {
    let to = (place + WORD_LOOK).min(text.len());
    let word = (place..to).take_while(|at| text.is(*at, ALNUM));
    !word.into_iter().any(|at| text.is(at, NUMERIC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_does_not_count() {
        let text = Folded::new("756.92 17\n0769-85");
        let series = Series::read(&text, 0, 13).unwrap();
        assert_eq!(series.letters(), b"7569217076985");
        assert_eq!(series.end, text.len());
        assert!(series.is_apart(&text) && !series.is_whole());
        assert!(Series::read(&text, 0, 14).is_none());
        assert!(Series::read(&Folded::new("12 & 34"), 0, 4).is_none());
        for parted in ["12\n> 34", "12\n        34", "12\", \"34", "12=\n34", "12<!-- x -->34"] {
            assert!(Series::read(&Folded::new(parted), 0, 4).is_some(), "{parted}");
        }
    }

    #[test]
    fn a_word_with_digits_is_not_parted() {
        let text = Folded::new("a1f4111 no4111");
        assert!(!ends_before(&text, 3));
        assert!(ends_before(&text, 10));
    }
}
