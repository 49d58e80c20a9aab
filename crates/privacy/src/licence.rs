//! Numbers of driver's licences, known by the words before them only.

use crate::finding::{Finding, How};
use crate::fold::Folded;
use crate::kind::Kind;
use crate::token::{Token, TokenClass};

/// Tokens between the words and the number.
const NEAR: usize = 6;

const LICENCE: &[&str] = &[
    "license",
    "licence",
    "führerschein",
    "fuehrerschein",
    "führerausweis",
    "permis",
    "patente",
    "führerscheinnummer",
    "führerausweisnummer",
    "permiss",
];
const DRIVER: &[&str] = &["driver", "drivers", "driving", "conduire", "guida", "ir", "manischar"];

/// Finds them: letters and digits, with hyphens between, after the words.
pub(crate) fn find(text: &Folded, tokens: &[Token]) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        // Hardly any word begins like one of them.
        let may_be = matches!(token.word.as_bytes().first(), Some(b'l' | b'f' | b'p'));
        if !may_be || !LICENCE.contains(&token.word) {
            continue;
        }
        let from = index.saturating_sub(3);
        let beside = &tokens[from..(index + 3).min(tokens.len())];
        let german = token.word.starts_with('f');
        if !german && !beside.iter().any(|word| DRIVER.contains(&word.word)) {
            continue;
        }
        if let Some((start, end)) = number(&tokens[index + 1..], text) {
            let range = text.bytes(start..end);
            found.push(Finding { range, kind: Kind::DriverLicence, score: 0.9, how: How::Context });
        }
    }
    found
}

fn number(after: &[Token], text: &Folded) -> Option<(usize, usize)> {
    let near = &after[..after.len().min(NEAR)];
    let has_digits = |token: &Token| matches!(token.class, TokenClass::Number | TokenClass::Mixed);
    let first = near.iter().position(has_digits)?;
    let mut end = first;
    while let Some([hyphen, next]) = after.get(end + 1..end + 3) {
        let joined = hyphen.start == after[end].end && next.start == hyphen.end;
        if !joined || hyphen.word != "-" || !has_digits(next) {
            break;
        }
        end += 2;
    }
    let (start, end) = (after[first].start, after[end].end);
    let digits = (start..end).filter(|place| text.at(*place).is_ascii_digit()).count();
    ((4..=20).contains(&(end - start)) && digits >= 3).then_some((start, end))
}
