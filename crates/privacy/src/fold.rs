//! Text as a reader sees it: full-width digits are digits, an entity is its letter, what has no
//! width is gone. Every letter knows which bytes of the original it stands for.

use std::ops::Range;

use crate::series::{is_gap, look_alike};
use crate::wrapping::wrapped;

/// A letter with its place in the original.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Letter {
    /// The letter as it is read.
    pub(crate) char: char,
    /// Its first byte.
    pub(crate) start: usize,
    /// Its bytes.
    pub(crate) bytes: u32,
}

/// A folded text.
#[derive(Debug, Default)]
pub(crate) struct Folded {
    /// The letters in order.
    pub(crate) letters: Vec<Letter>,
    /// Of each letter, what it is: bits.
    traits: Vec<u8>,
}

/// A letter or digit.
pub(crate) const ALNUM: u8 = 1;
/// A digit of ASCII.
pub(crate) const DIGIT: u8 = 1 << 1;
/// A digit or number of any script.
pub(crate) const NUMERIC: u8 = 1 << 2;
/// What has no ink.
pub(crate) const SPACE: u8 = 1 << 3;
/// A small letter.
pub(crate) const SMALL: u8 = 1 << 4;
/// A letter or digit of ASCII, or what looks like one.
pub(crate) const ALIKE: u8 = 1 << 5;
/// What people put between the digits of a number.
pub(crate) const GAP: u8 = 1 << 6;

/// A mark with which an address or a telephone number may begin, or that stands in its middle.
pub(crate) const OPENS: u8 = 1 << 7;

/// The traits of the letters of ASCII.
const ASCII: [u8; 128] = {
    let mut all = [0; 128];
    let mut code = 0;
    while code < 128 {
        let byte = code as u8;
        if byte.is_ascii_alphanumeric() {
            all[code] |= ALNUM | ALIKE;
        }
        if byte.is_ascii_digit() {
            all[code] |= DIGIT | NUMERIC;
        }
        if byte.is_ascii_lowercase() {
            all[code] |= SMALL;
        }
        if matches!(byte, 9..=13 | b' ') {
            all[code] |= SPACE;
        }
        if is_gap(byte as char) {
            all[code] |= GAP;
        }
        if matches!(byte, b'@' | b'(' | b'[' | b'{' | b':' | b'+') {
            all[code] |= OPENS;
        }
        code += 1;
    }
    all
};

fn traits_of(char: char) -> u8 {
    if let Some(known) = ASCII.get(char as usize) {
        return *known;
    }
    let has = |is: bool, bit: u8| if is { bit } else { 0 };
    has(char.is_alphanumeric(), ALNUM)
        | has(char.is_numeric(), NUMERIC)
        | has(char.is_whitespace(), SPACE)
        | has(char.is_lowercase(), SMALL)
        | has(look_alike(char).is_some(), ALIKE)
        | has(is_gap(char), GAP)
}

impl Folded {
    pub(crate) fn new(text: &str) -> Folded {
        let mut folded = Folded {
            letters: Vec::with_capacity(text.len()),
            traits: Vec::with_capacity(text.len()),
        };
        // The last letter that is no backslash.
        let (mut at, mut last) = (0, ' ');
        while at < text.len() {
            let count = folded.plain(&text.as_bytes()[at..], at);
            if count > 0 {
                at += count;
                last = folded.before(folded.len());
            }
            at += folded.other(text, at, last);
            if folded.before(folded.len()) != '\\' {
                last = folded.before(folded.len());
            }
        }
        folded
    }

    /// Takes the letters of ASCII that stand for themselves from the beginning of `bytes`, which
    /// is the place `from` of the text; says how many.
    fn plain(&mut self, bytes: &[u8], from: usize) -> usize {
        let is_plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\n') && !is_special(*byte);
        let count = bytes.iter().position(|byte| !is_plain(byte)).unwrap_or(bytes.len());
        let plain = &bytes[..count];
        self.traits.extend(plain.iter().map(|byte| ASCII[usize::from(*byte & 0x7f)]));
        let letter = |(index, byte): (usize, &u8)| Letter {
            char: char::from(*byte),
            start: from + index,
            bytes: 1,
        };
        self.letters.extend(plain.iter().enumerate().map(letter));
        count
    }

    /// Takes the letter at a place, whatever it is, and says how many bytes it has; none at the
    /// end. `last` is the last letter before that is no backslash.
    fn other(&mut self, text: &str, at: usize, last: char) -> usize {
        let Some(first) = text[at..].chars().next() else { return 0 };
        let (char, bytes) = match first {
            '&' | '%' | '\\' | '\u{1b}' => {
                let in_number = last.is_ascii_digit() || last.is_ascii_uppercase();
                wrapped(&text[at..], in_number).unwrap_or((first, first.len_utf8()))
            }
            other => (other, other.len_utf8()),
        };
        // A digit with an accent is a digit.
        let on_digit = is_accent(char)
            && self.letters.last().is_some_and(|last: &Letter| last.char.is_ascii_digit());
        if let Some(char) = read(char).filter(|_| !on_digit) {
            self.letters.push(Letter { char, start: at, bytes: bytes as u32 });
            self.traits.push(traits_of(char));
        }
        bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.letters.len()
    }

    /// The letter at a place; a space beyond the ends.
    pub(crate) fn at(&self, place: usize) -> char {
        self.letters.get(place).map_or(' ', |letter| letter.char)
    }

    /// Whether the letter at a place has one of these traits; beyond the ends it is a space.
    pub(crate) fn is(&self, place: usize, traits: u8) -> bool {
        self.traits.get(place).copied().unwrap_or(ASCII[b' ' as usize]) & traits != 0
    }

    /// The traits of the letter before a place; before the text stands a blank.
    pub(crate) fn traits_before(&self, place: usize) -> u8 {
        place.checked_sub(1).and_then(|before| self.traits.get(before)).copied().unwrap_or(SPACE)
    }

    /// The traits of all letters.
    pub(crate) fn traits(&self) -> &[u8] {
        &self.traits
    }

    /// The first place from one on for which something holds, by the traits of its letter and those
    /// of the one before.
    #[inline(always)]
    pub(crate) fn find(&self, from: usize, holds: impl Fn(u8, u8) -> bool) -> Option<usize> {
        let mut before = self.traits_before(from);
        let found = self.traits[from.min(self.len())..].iter().position(|now| {
            let holds = holds(*now, before);
            before = *now;
            holds
        });
        found.map(|at| from + at)
    }

    /// Whether the letter before a place has one of these traits.
    pub(crate) fn is_after(&self, place: usize, traits: u8) -> bool {
        self.is(place.wrapping_sub(1), traits)
    }

    /// The letter before a place; a space at the beginning.
    pub(crate) fn before(&self, place: usize) -> char {
        place.checked_sub(1).map_or(' ', |place| self.at(place))
    }

    /// The bytes of the original that letters stand for.
    pub(crate) fn bytes(&self, letters: Range<usize>) -> Range<usize> {
        if letters.is_empty() {
            let start = self.letters.get(letters.start).map_or(0, |letter| letter.start);
            return start..start;
        }
        let last = self.letters[letters.end - 1];
        self.letters[letters.start].start..last.start + last.bytes as usize
    }

    /// Letters as text.
    pub(crate) fn text(&self, letters: Range<usize>) -> String {
        self.letters[letters].iter().map(|letter| letter.char).collect()
    }
}

/// Whether a wrapping may begin with it.
const fn is_special(byte: u8) -> bool {
    matches!(byte, b'&' | b'%' | b'\\')
}

/// Whether a mark stands over, under or around the letter before it.
fn is_accent(char: char) -> bool {
    matches!(char as u32, 0x300..=0x36f | 0x20d0..=0x20f0)
}

/// A letter as it is read; `None` for what is not seen.
fn read(char: char) -> Option<char> {
    if char.is_ascii() {
        return Some(char).filter(|char| !char.is_ascii_control() || char.is_ascii_whitespace());
    }
    let code = char as u32;
    Some(match code {
        // Tags are not shown, but a model reads them.
        0xe0020..=0xe007e => char::from_u32(code - 0xe0000).unwrap_or(char),
        0x80..=0x84 | 0x86..=0x9f => return None,
        0xad | 0x34f | 0x61c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180e => return None,
        // Lines through and under letters.
        0x305 | 0x332 | 0x333 | 0x335..=0x338 | 0x33f | 0x20d2 | 0x20d3 | 0x20e5 => return None,
        0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f | 0x20e3 | 0xfeff => return None,
        0xfe00..=0xfe0f | 0xe0000..=0xe01ef => return None,
        0xa0 | 0x1680 | 0x2000..=0x200a | 0x202f | 0x205f | 0x3000 => ' ',
        0x2800 | 0x3164 => ' ',
        0x85 | 0x2028 | 0x2029 => '\n',
        0x58a | 0x5be | 0x2010..=0x2015 | 0x2043 | 0x2212 | 0x2796 | 0xfe58 | 0xfe63 => '-',
        0x2018..=0x201b | 0x2032 | 0x2b9 | 0x2bc => '\'',
        0x66b | 0x2024 | 0x3002 | 0xff61 => '.',
        0x66c => ',',
        0x2027 | 0x2219 | 0x22c5 => '·',
        0x2044 | 0x2215 => '/',
        0x301c => '~',
        0xff01..=0xff5e => char::from_u32(code - 0xfee0).unwrap_or(char),
        _ => digit(code).unwrap_or(char),
    })
}

/// The value of a digit that is not one of ASCII, by the beginnings of the decimal digits of
/// Unicode 16 that are in use, and of digits in circles and brackets.
fn digit(code: u32) -> Option<char> {
    const ZEROS: [u32; 24] = [
        0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50,
        0xed0, 0xf20, 0x1040, 0x17e0, 0x1810, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1fbf0,
    ];
    const ONES: [u32; 5] = [0x2460, 0x2474, 0x2488, 0x2776, 0x2780];
    let value = match code {
        0x2070 => 0,
        0xb9 => 1,
        0xb2 | 0xb3 => code - 0xb0,
        0x2074..=0x2079 => code - 0x2070,
        0x2080..=0x2089 => code - 0x2080,
        0x24ea | 0x24ff => 0,
        _ => {
            let zero = ZEROS.iter().find(|zero| (**zero..**zero + 10).contains(&code));
            let one = ONES.iter().find(|one| (**one..**one + 9).contains(&code));
            zero.map(|zero| code - zero).or(one.map(|one| code - one + 1))?
        }
    };
    char::from_digit(value, 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reader_sees_is_what_is_read() {
        let all = |text: &str| {
            let folded = Folded::new(text);
            folded.text(0..folded.len())
        };
        assert_eq!(all("７５６．１２"), "756.12");
        assert_eq!(all("7\u{200b}5\u{ad}6"), "756");
        assert_eq!(all("&#55;&#x35;6&nbsp;1 &amp; &unknown; &"), "756 1 & &unknown; &");
        assert_eq!(all("&amp;#55;%35%EF%BC%96 50 % 7%202 a%20b"), "756 50 % 7 2 a%20b");
        assert_eq!(all("\\u0037\\x35\\u{36} 7\\n2 C:\\new \\ud835\\udfd5"), "756 7\n2 C:\\new 7");
        assert_eq!(all("\u{1b}[3mid\u{1b}[0m=\u{1b}[0m75\u{1}6 7\u{301}5\u{301}"), "id=756 75");
        assert_eq!(all("75\\u001b[1m6 RS\\nSM SERVER\\new"), "756 RS\nSM SERVER\\new");
        assert_eq!(all("\u{e0037}\u{e0035}"), "75");
        assert_eq!(all("7\u{332}5\u{332}a\u{336}\u{3164}b 7⁄5∙6"), "75a b 7/5·6");
        assert_eq!(all("&#55&#x35;&#546 \\U00000037 %u0037 R&#68"), "75Ȣ 7 7 RD");
        assert_eq!(all("٧٥٦ \u{1d7d5} ①1\u{fe0f}\u{20e3} –"), "756 7 11 -");
    }

    #[test]
    fn traits_are_those_of_unicode() {
        for char in ('\0'..'\u{250}').chain('Α'..'Џ').chain(['٧', '½', '²', '\u{3000}', 'Ⓐ'])
        {
            let traits = traits_of(char);
            assert_eq!(traits & ALNUM != 0, char.is_alphanumeric(), "{char:?}");
            assert_eq!(traits & DIGIT != 0, char.is_ascii_digit(), "{char:?}");
            assert_eq!(traits & NUMERIC != 0, char.is_numeric(), "{char:?}");
            assert_eq!(traits & SPACE != 0, char.is_whitespace(), "{char:?}");
            assert_eq!(traits & SMALL != 0, char.is_lowercase(), "{char:?}");
            assert_eq!(traits & ALIKE != 0, look_alike(char).is_some(), "{char:?}");
            assert_eq!(traits & GAP != 0, is_gap(char), "{char:?}");
            assert_eq!(traits & OPENS != 0, "@([{:+".contains(char), "{char:?}");
        }
    }

    #[test]
    fn a_letter_knows_its_bytes() {
        let text = "ä&#55;\u{200b}５z";
        let folded = Folded::new(text);
        assert_eq!(&text[folded.bytes(1..3)], "&#55;\u{200b}５");
        assert_eq!(folded.bytes(2..2).len(), 0);
    }
}
