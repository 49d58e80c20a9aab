//! The bytes that each token stands for.

use super::word_piece;

/// Bytes by token id, in one allocation.
#[derive(Default)]
pub(super) struct Pieces {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Pieces {
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.ends.push(self.bytes.len());
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of `id`; none for ids outside the vocabulary.
    pub fn bytes(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let Some(end) = self.ends.get(id) else {
            return &[];
        };
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.bytes[start..*end]
    }
}

/// How a vocabulary writes bytes as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writing {
    /// `▁` is a space and `<0xNN>` a byte (SentencePiece).
    Sentence,
    /// Each byte is a printable character (GPT-2).
    ByteLevel,
    /// `##` goes on a word, all else begins one (BERT).
    WordPiece,
}

impl Writing {
    /// The bytes that a token's text stands for.
    pub fn bytes(self, text: &str) -> Vec<u8> {
        match self {
            Writing::Sentence => match byte_token(text) {
                Some(byte) => vec![byte],
                None => text.replace('▁', " ").into_bytes(),
            },
            Writing::ByteLevel => {
                let bytes: Option<Vec<u8>> = text.chars().map(byte_of_char).collect();
                bytes.unwrap_or_else(|| text.as_bytes().to_vec())
            }
            Writing::WordPiece => word_piece::text(text).into_bytes(),
        }
    }
}

/// The byte that `<0xNN>` names.
pub(super) fn byte_token(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    if digits.len() != 2 { None } else { u8::from_str_radix(digits, 16).ok() }
}

/// The byte that a character of GPT-2's alphabet stands for: printable Latin-1 stands for itself,
/// the 68 other bytes follow from U+0100 on in their order.
pub(super) fn byte_of_char(character: char) -> Option<u8> {
    let code = character as u32;
    match code {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => Some(code as u8),
        0x100..=0x120 => Some((code - 0x100) as u8),
        0x121..=0x142 => Some((code - 0x121 + 0x7f) as u8),
        0x143 => Some(0xad),
        _ => None,
    }
}

/// The character of GPT-2's alphabet for a byte: the inverse of [`byte_of_char`].
pub(super) fn char_of_byte(byte: u8) -> char {
    let code = match byte {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => u32::from(byte),
        0x00..=0x20 => 0x100 + u32::from(byte),
        0x7f..=0xa0 => 0x121 + u32::from(byte) - 0x7f,
        0xad => 0x143,
    };
    char::from_u32(code).expect("the alphabet ends before the surrogates")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_covers_every_byte_once() {
        let mut found: Vec<u8> = ('\0'..'\u{200}').filter_map(byte_of_char).collect();
        found.sort_unstable();
        assert_eq!(found, (0..=255).collect::<Vec<u8>>());
        assert!((0..=255).all(|byte| byte_of_char(char_of_byte(byte)) == Some(byte)));
        assert_eq!(byte_of_char('Ġ'), Some(b' '));
        assert_eq!(byte_of_char('Ċ'), Some(b'\n'));
    }

    #[test]
    fn pieces_are_bytes() {
        assert_eq!(Writing::Sentence.bytes("▁a▁"), b" a ");
        assert_eq!(Writing::Sentence.bytes("<0xC3>"), [0xc3]);
        assert_eq!(Writing::Sentence.bytes("<0xZZ>"), b"<0xZZ>");
        assert_eq!(Writing::ByteLevel.bytes("ĠÃ¤"), " ä".as_bytes());
        assert_eq!(Writing::ByteLevel.bytes("a b"), b"a b");
    }
}
