//! Text as a reader sees it: full-width digits are digits, an entity is its letter, what has no
//! width is gone. Every letter knows which bytes of the original it stands for.

use std::ops::Range;

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
}

impl Folded {
    pub(crate) fn new(text: &str) -> Folded {
        let mut letters: Vec<Letter> = Vec::with_capacity(text.len());
        let mut at = 0;
        while let Some(first) = text[at..].chars().next() {
            let (char, bytes) = match first {
                '&' | '%' | '\\' | '\u{1b}' => {
                    let mut before = letters.iter().rev().map(|letter| letter.char);
                    let last = before.find(|char| *char != '\\').unwrap_or(' ');
                    let in_number = last.is_ascii_digit() || last.is_ascii_uppercase();
                    wrapped(&text[at..], in_number).unwrap_or((first, first.len_utf8()))
                }
                other => (other, other.len_utf8()),
            };
            // A digit with an accent is a digit.
            let on_digit = is_accent(char)
                && letters.last().is_some_and(|last: &Letter| last.char.is_ascii_digit());
            if let Some(char) = read(char).filter(|_| !on_digit) {
                letters.push(Letter { char, start: at, bytes: bytes as u32 });
            }
            at += bytes;
        }
        Folded { letters }
    }

    pub(crate) fn len(&self) -> usize {
        self.letters.len()
    }

    /// The letter at a place; a space beyond the ends.
    pub(crate) fn at(&self, place: usize) -> char {
        self.letters.get(place).map_or(' ', |letter| letter.char)
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
        0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f | 0x20e3 | 0xfeff => return None,
        0xfe00..=0xfe0f | 0xe0000..=0xe01ef => return None,
        0xa0 | 0x1680 | 0x2000..=0x200a | 0x202f | 0x205f | 0x3000 => ' ',
        0x85 | 0x2028 | 0x2029 => '\n',
        0x2010..=0x2015 | 0x2043 | 0x2212 | 0x2796 | 0xfe58 | 0xfe63 => '-',
        0x2018..=0x201b | 0x2032 | 0x2b9 | 0x2bc => '\'',
        0x2024 | 0x3002 | 0xff61 => '.',
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
        assert_eq!(all("٧٥٦ \u{1d7d5} ①1\u{fe0f}\u{20e3} –"), "756 7 11 -");
    }

    #[test]
    fn a_letter_knows_its_bytes() {
        let text = "ä&#55;\u{200b}５z";
        let folded = Folded::new(text);
        assert_eq!(&text[folded.bytes(1..3)], "&#55;\u{200b}５");
        assert_eq!(folded.bytes(2..2).len(), 0);
    }
}
