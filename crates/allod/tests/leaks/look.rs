//! A look for what was planted in what came out: written apart from the recognisers, so that what
//! they do not see is seen here.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization as _;

/// What is looked for, by the first letters.
#[derive(Default)]
pub struct Planted {
    by_head: HashMap<Vec<u8>, Vec<(usize, Vec<u8>)>>,
}

const HEAD: usize = 8;

impl Planted {
    pub fn add(&mut self, number: usize, plain: &str) {
        let plain = plain.to_ascii_lowercase().into_bytes();
        self.by_head.entry(plain[..HEAD].to_vec()).or_default().push((number, plain));
    }

    /// The numbers of what stands in a text, however it is written.
    pub fn within(&self, text: &str) -> Vec<usize> {
        let letters = letters(text);
        let mut found = Vec::new();
        for (at, head) in letters.windows(HEAD).enumerate() {
            let Some(known) = self.by_head.get(head) else { continue };
            let here = known.iter().filter(|(_, plain)| letters[at..].starts_with(plain));
            found.extend(here.map(|(number, _)| *number));
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// The letters and digits of a text once all that wraps them is taken off, in lower case.
fn letters(text: &str) -> Vec<u8> {
    let mut text = text.to_owned();
    for _ in 0..3 {
        text = unwrapped(&text);
    }
    let seen = text.nfkd().filter_map(|char| {
        let code = char as u32;
        let char =
            char::from_u32(code.wrapping_sub(0xe0000)).filter(char::is_ascii).unwrap_or(char);
        let char = match char {
            'А' => 'a',
            'С' => 'c',
            'Н' => 'h',
            'Е' => 'e',
            'Т' => 't',
            'М' => 'm',
            other => other,
        };
        let digit = [0x660, 0x6f0, 0x966].iter().find_map(|zero| code.checked_sub(*zero));
        match digit.filter(|value| *value < 10) {
            Some(value) => char::from_digit(value, 10),
            None => Some(char.to_ascii_lowercase()).filter(char::is_ascii_alphanumeric),
        }
    });
    seen.map(|char| char as u8).collect()
}

/// One layer of entities, percents, escapes and tags less.
fn unwrapped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (char, length) = wrapped(rest).unwrap_or((Some(first), first.len_utf8()));
        out.extend(char);
        rest = &rest[length..];
    }
    out
}

/// What the text begins with, if that is a letter in a wrapping or something that is not shown.
fn wrapped(text: &str) -> Option<(Option<char>, usize)> {
    let code =
        |digits: &str| u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).map(Some);
    let until = |mark: char, most: usize| text.find(mark).filter(|end| *end <= most);
    match text.as_bytes()[0] {
        b'&' => {
            let end = until(';', 12)?;
            let name = &text[1..end];
            let char = match name.strip_prefix('#') {
                Some(number) => match number.strip_prefix('x') {
                    Some(digits) => code(digits)?,
                    None => Some(char::from_u32(number.parse().ok()?)?),
                },
                None if name == "amp" => Some('&'),
                None if name == "nbsp" => None,
                None => return None,
            };
            Some((char, end + 1))
        }
        b'%' => Some((code(text.get(1..3)?)?, 3)),
        b'\\' if text.starts_with("\\u") => Some((code(text.get(2..6)?)?, 6)),
        b'\\' if text.starts_with("\\x") => Some((code(text.get(2..4)?)?, 4)),
        b'\\' if text.starts_with("\\n") => Some((None, 2)),
        b'<' => Some((None, until('>', 8)? + 1)),
        0x1b => Some((None, until('m', 8)? + 1)),
        _ => None,
    }
}
