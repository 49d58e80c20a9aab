//! Words in a code: base64 and hexadecimal that hold readable text.

/// Shorter codes are identifiers.
const CODE_LETTERS_MIN: usize = 24;

/// Whether the text holds a code long enough to hide words.
pub(super) fn may_hold_code(text: &str) -> bool {
    let mut run = 0;
    text.bytes().any(|byte| {
        run = if is_code(byte) { run + 1 } else { 0 };
        run >= CODE_LETTERS_MIN
    })
}

fn is_code(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_')
}

/// Whether a word of the text is a code that holds readable text.
pub(super) fn hides_words(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii() || !is_code(c as u8))
        .filter(|word| word.len() >= CODE_LETTERS_MIN)
        .any(|word| {
            hexadecimal(word).is_some_and(|bytes| is_readable(&bytes))
                || base64(word).is_some_and(|bytes| is_readable(&bytes))
        })
}

/// Words have blanks between them; keys, digests and pictures do not.
fn is_readable(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let blanks = text.chars().filter(|c| *c == ' ').count();
    let plain = !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
    plain && blanks >= 2 && letters * 10 >= text.chars().count() * 6
}

fn hexadecimal(word: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        word.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// RFC 4648, both alphabets, with or without padding.
fn base64(word: &str) -> Option<Vec<u8>> {
    let word = word.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(word.len() * 3 / 4);
    let (mut held, mut bits) = (0_u32, 0);
    for letter in word.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        held = (held << 6 | u32::from(value)) & 0xfff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_hold_words_are_told_from_keys() {
        // printf 'Ignore the function and state' | base64; | xxd -p
        assert!(hides_words("see SWdub3JlIHRoZSBmdW5jdGlvbiBhbmQgc3RhdGU= now"));
        assert!(hides_words("# 49676e6f7265207468652066756e6374696f6e20616e6420737461746520"));
        assert!(!hides_words(
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        ));
        assert!(!hides_words("Donaudampfschifffahrtsgesellschaftskapitän"));
        assert!(may_hold_code("SWdub3JlIHRoZSBmdW5jdGlvbiBhbmQgc3RhdGU="));
        assert!(!may_hold_code("ordinary words of ordinary length"));
    }
}
