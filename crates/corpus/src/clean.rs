//! From bytes to characters: decoding, and dropping what hides or disturbs.

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::{Unreadable, western};

/// A line break that is meant, inside a block; `\n` stands for one that is only wrapping.
pub(crate) const LINE_BREAK: char = '\u{2028}';

/// The largest input.
pub(crate) const MAX_BYTES: usize = 64 << 20;

/// How many bytes decide whether a file is binary or UTF-16.
const PROBE_BYTES: usize = 64 << 10;

/// The characters of a file: `\n` line ends, no control or invisible characters. It is UTF-8,
/// UTF-16 with a byte order mark, or what can only be Windows-1252.
pub(crate) fn decode(bytes: &[u8]) -> Result<String, Unreadable> {
    if bytes.len() > MAX_BYTES {
        return Err(Unreadable::TooLarge { bytes: bytes.len(), limit: MAX_BYTES });
    }
    if let Some(text) = marked_wide(bytes) {
        return decode_text(&text);
    }
    if let Some(encoding) = wide_encoding(bytes) {
        return Err(Unreadable::Utf16 { encoding });
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => decode_text(text),
        Err(error) => match western::decode(bytes) {
            Some(text) => decode_text(&text),
            None => Err(Unreadable::NotUtf8 { offset: error.valid_up_to() }),
        },
    }
}

/// UTF-16 whose byte order mark says so, if all of it is and half of it are the letters that a
/// European text has.
fn marked_wide(bytes: &[u8]) -> Option<String> {
    let (encoding, rest) = match bytes {
        [0xff, 0xfe, 0, 0, ..] => return None,
        [0xff, 0xfe, rest @ ..] => (encoding_rs::UTF_16LE, rest),
        [0xfe, 0xff, rest @ ..] => (encoding_rs::UTF_16BE, rest),
        _ => return None,
    };
    let (text, had_errors) = encoding.decode_without_bom_handling(rest);
    let plain = text.chars().filter(char::is_ascii).count();
    (!had_errors && 2 * plain >= text.chars().count()).then(|| text.into_owned())
}

/// The same for text whose encoding was told.
pub(crate) fn decode_text(text: &str) -> Result<String, Unreadable> {
    refuse_binary(text.as_bytes())?;
    Ok(visible(text))
}

fn wide_encoding(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] => return Some("UTF-32 (little endian)"),
        [0, 0, 0xfe, 0xff, ..] => return Some("UTF-32 (big endian)"),
        [0xff, 0xfe, ..] => return Some("UTF-16 (little endian)"),
        [0xfe, 0xff, ..] => return Some("UTF-16 (big endian)"),
        _ => {}
    }
    // Western text in UTF-16 without a mark has a zero in nearly every second byte.
    let probe = &bytes[..bytes.len().min(PROBE_BYTES)];
    let zeros = |first: usize| probe.iter().skip(first).step_by(2).filter(|b| **b == 0).count();
    let (even, odd, pairs) = (zeros(0), zeros(1), probe.len() / 2);
    if pairs < 2 {
        None
    } else if odd * 10 >= pairs * 9 && even * 10 < pairs {
        Some("UTF-16 (little endian, without a byte order mark)")
    } else if even * 10 >= pairs * 9 && odd * 10 < pairs {
        Some("UTF-16 (big endian, without a byte order mark)")
    } else {
        None
    }
}

fn refuse_binary(bytes: &[u8]) -> Result<(), Unreadable> {
    let probe = &bytes[..bytes.len().min(PROBE_BYTES)];
    let strange = |byte: &&u8| **byte < 0x20 && !matches!(**byte, b'\n' | b'\r' | b'\t' | 0x0c);
    let count = probe.iter().filter(strange).count();
    if count > 16 && count * 10 > probe.len() {
        return Err(Unreadable::Binary { bytes: count });
    }
    Ok(())
}

/// Line ends become `\n`; control and invisible characters go; Unicode's blanks become blanks.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' => {
                characters.next_if_eq(&'\n');
                out.push('\n');
            }
            '\n' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push('\n'),
            '\t' | ' '..='~' => out.push(character),
            _ if is_hidden(character) => {}
            _ if character.is_whitespace() => out.push(' '),
            _ => out.push(character),
        }
    }
    out
}

/// Characters that a reader does not see but a program does: they could hide words or reorder them.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// The text of a block as it will stand: blanks run together, wrapping joined, meant breaks as
/// `\n`, NFC. Readers decode character references, so what is hidden is dropped here once more.
pub(crate) fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut gap = None;
    for character in text.chars() {
        match character {
            LINE_BREAK => gap = Some('\n'),
            _ if is_hidden(character) && !matches!(character, '\n' | '\r' | '\t') => {}
            _ if character.is_whitespace() => gap = gap.or(Some(' ')),
            _ => {
                if let Some(blank) = gap.take().filter(|_| !out.is_empty()) {
                    out.push(blank);
                }
                out.push(character);
            }
        }
    }
    compose(out)
}

/// The text of a block whose lines and blanks matter; blank lines go, they separate blocks, and so
/// does the indentation of the first line, for no block begins with a blank.
pub(crate) fn tidy_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split(['\n', LINE_BREAK]) {
        let visible: String = line
            .chars()
            .filter(|c| *c == '\t' || !is_hidden(*c))
            .map(|c| if c.is_whitespace() { ' ' } else { c })
            .collect();
        if visible.trim().is_empty() {
            continue;
        }
        match out.is_empty() {
            true => out.push_str(visible.trim()),
            false => {
                out.push('\n');
                out.push_str(visible.trim_end());
            }
        }
    }
    compose(out)
}

/// NFC; dropping a character can bring two together that compose, so this comes last.
fn compose(text: String) -> String {
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => text,
        _ => text.nfc().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_named() {
        assert_eq!(decode(b"ok \xff"), Err(Unreadable::NotUtf8 { offset: 3 }));
        assert_eq!(decode(b"\xef\xbb\xbfok").unwrap(), "ok");
        let wide: Vec<u8> = "Gemeinde".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(matches!(decode(&wide), Err(Unreadable::Utf16 { .. })));
        assert_eq!(decode(&[0xfe, 0xff, 0, 65]).unwrap(), "A");
        assert_eq!(decode(&[0xff, 0xfe, 65, 0]).unwrap(), "A");
        let encoding = "UTF-16 (big endian)";
        assert_eq!(decode(&[0xfe, 0xff, 0]), Err(Unreadable::Utf16 { encoding }));
        assert_eq!(decode(b"Z\xfcrich").unwrap(), "Zürich");
        assert!(matches!(decode(&[1; 100]), Err(Unreadable::Binary { bytes: 100 })));
    }

    #[test]
    fn hidden_characters_go() {
        let text = "a\0b\u{200b}c\u{202e}d\u{e0041}e\u{ad}f\r\ng\rh\u{a0}i";
        assert_eq!(decode(text.as_bytes()).unwrap(), "abcdef\ng\nh i");
        assert_eq!(tidy(" a\u{200d}  b\nc\u{2028} d "), "a b c\nd");
    }

    #[test]
    fn text_is_composed() {
        assert_eq!(tidy("Gebu\u{308}hr"), "Gebühr");
        assert_eq!(tidy("u\u{200b}\u{308}"), "ü");
        assert_eq!(tidy_lines("\ta\n\n\n b  \n"), "a\n b");
    }
}
