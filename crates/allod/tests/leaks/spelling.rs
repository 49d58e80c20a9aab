//! How people, programs and those who want to get something past a filter write a number.

use crate::chance::Chance;

/// A way to write an identifier.
pub struct Spelling {
    pub name: &'static str,
    pub write: fn(&str, &mut Chance) -> String,
}

/// What has to be found.
pub const FOUND: [Spelling; 39] = [
    Spelling { name: "plain", write: |text, _| text.into() },
    Spelling { name: "spaces", write: |text, _| grouped(text, 4, " ") },
    Spelling { name: "hyphens", write: |text, _| grouped(text, 3, "-") },
    Spelling { name: "dots", write: |text, _| grouped(text, 4, ".") },
    Spelling { name: "slashes", write: |text, _| grouped(text, 4, "/") },
    Spelling { name: "underscores", write: |text, _| grouped(text, 4, "_") },
    Spelling { name: "line ends", write: |text, _| grouped(text, 4, "\n") },
    Spelling { name: "carriage returns", write: |text, _| grouped(text, 4, "\r\n") },
    Spelling { name: "tabs", write: |text, _| grouped(text, 4, "\t") },
    Spelling { name: "no-break spaces", write: |text, _| grouped(text, 4, "\u{a0}") },
    Spelling { name: "narrow spaces", write: |text, _| grouped(text, 4, "\u{202f}") },
    Spelling { name: "thin spaces", write: |text, _| grouped(text, 4, "\u{2009}") },
    Spelling { name: "en dashes", write: |text, _| grouped(text, 4, "\u{2013}") },
    Spelling { name: "middle dots", write: |text, _| grouped(text, 4, "·") },
    Spelling { name: "spread", write: |text, _| grouped(text, 1, " ") },
    Spelling { name: "no width", write: |text, _| grouped(text, 2, "\u{200b}") },
    Spelling { name: "soft hyphens", write: |text, _| grouped(text, 2, "\u{ad}") },
    Spelling { name: "right-to-left marks", write: |text, _| grouped(text, 3, "\u{200f}") },
    Spelling { name: "controls", write: |text, _| grouped(text, 2, "\u{1}") },
    Spelling { name: "colours", write: |text, _| grouped(text, 4, "\u{1b}[1m") },
    Spelling { name: "accents", write: |text, _| accented(text) },
    Spelling { name: "full width", write: |text, _| digits_from(text, 0xff10) },
    Spelling { name: "arabic digits", write: |text, _| digits_from(text, 0x660) },
    Spelling { name: "devanagari digits", write: |text, _| digits_from(text, 0x966) },
    Spelling { name: "bold digits", write: |text, _| digits_from(text, 0x1d7ce) },
    Spelling {
        name: "entities",
        write: |text, _| each(text, |char| format!("&#{};", char as u32)),
    },
    Spelling {
        name: "hexadecimal entities",
        write: |text, _| each(text, |char| format!("&#x{:x};", char as u32)),
    },
    Spelling { name: "nbsp", write: |text, _| grouped(text, 4, "&nbsp;") },
    Spelling {
        name: "entities of entities",
        write: |text, _| each(text, |char| format!("&amp;#{};", char as u32)),
    },
    Spelling {
        name: "percents",
        write: |text, _| each(text, |char| format!("%{:02X}", char as u32)),
    },
    Spelling {
        name: "escapes",
        write: |text, _| each(text, |char| format!("\\u{:04x}", char as u32)),
    },
    Spelling {
        name: "short escapes",
        write: |text, _| each(text, |char| format!("\\x{:02x}", char as u32)),
    },
    Spelling { name: "escaped line ends", write: |text, _| grouped(text, 4, "\\n") },
    Spelling { name: "markdown", write: |text, _| grouped(text, 4, "**") },
    Spelling { name: "tags", write: |text, _| format!("<b>{}</b>", grouped(text, 4, "</b><b>")) },
    Spelling { name: "hidden letters", write: |text, _| hidden(text) },
    Spelling { name: "look-alikes", write: |text, _| look_alikes(text) },
    Spelling {
        name: "an address",
        write: |text, _| format!("https://portal.example/form?id={text}&lang=de"),
    },
    Spelling {
        name: "two at once",
        write: |text, chance| {
            let base = chance.one_of(&[0xff10, 0x6f0, 0x1d7ec]);
            let between = chance.one_of(&["\u{ad}", " ", "\u{2060}", "."]);
            grouped(&digits_from(text, base), 3, between)
        },
    },
];

/// What is known not to be found, to be counted and said.
pub const OPEN: [Spelling; 6] = [
    Spelling { name: "base64", write: |text, _| base64(text) },
    Spelling { name: "hexadecimal", write: |text, _| each(text, |c| format!("{:02x}", c as u32)) },
    Spelling { name: "in words", write: |text, _| each(text, worded) },
    Spelling { name: "backwards", write: |text, _| text.chars().rev().collect() },
    Spelling {
        name: "O for 0, l for 1",
        write: |text, _| text.replace('0', "O").replace('1', "l"),
    },
    Spelling { name: "words between", write: |text, _| grouped(text, 4, " and then ") },
];

fn each(text: &str, write: fn(char) -> String) -> String {
    text.chars().map(write).collect()
}

fn grouped(text: &str, every: usize, between: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let groups = letters.chunks(every).map(|group| group.iter().collect::<String>());
    groups.collect::<Vec<_>>().join(between)
}

fn digits_from(text: &str, zero: u32) -> String {
    let written = |char: char| match char.to_digit(10) {
        Some(digit) => char::from_u32(zero + digit).unwrap(),
        None => char,
    };
    text.chars().map(written).collect()
}

/// An accent over each digit.
fn accented(text: &str) -> String {
    let over = |char: char| match char.is_ascii_digit() {
        true => format!("{char}\u{301}"),
        false => char.to_string(),
    };
    text.chars().map(over).collect()
}

/// Letters of the block of tags, which are not shown and which a model reads.
fn hidden(text: &str) -> String {
    text.chars().map(|char| char::from_u32(0xe0000 + char as u32).unwrap()).collect()
}

/// Capitals of Cyrillic that look like those of Latin.
fn look_alikes(text: &str) -> String {
    let alike = |char| match char {
        'A' => 'А',
        'C' => 'С',
        'H' => 'Н',
        'E' => 'Е',
        'T' => 'Т',
        'M' => 'М',
        other => other,
    };
    text.chars().map(alike).collect()
}

fn worded(char: char) -> String {
    const WORDS: [&str; 10] =
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    match char.to_digit(10) {
        Some(digit) => format!("{} ", WORDS[digit as usize]),
        None => format!("{char} "),
    }
}

fn base64(text: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in text.as_bytes().chunks(3) {
        let bits =
            three.iter().enumerate().fold(0_u32, |b, (i, v)| b | u32::from(*v) << (16 - 8 * i));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= three.len() { char::from(letter) } else { '=' });
        }
    }
    out
}
