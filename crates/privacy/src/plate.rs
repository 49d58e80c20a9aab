//! Plates of vehicles: Swiss cantons, German districts, and the series of France and Italy.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::context::Surroundings;
use crate::finding::{Finding, How};
use crate::fold::{Folded, SMALL};
use crate::kind::Kind;
use crate::token::{Token, TokenClass};

const CANTONS: &[&str] = &[
    "ag", "ai", "ar", "be", "bl", "bs", "fr", "ge", "gl", "gr", "ju", "lu", "ne", "nw", "ow", "sg",
    "sh", "so", "sz", "tg", "ti", "ur", "vd", "vs", "zg", "zh", "fl",
];

const WORDS: &[&str] = &[
    "plate",
    "kennzeichen",
    "kontrollschild",
    "nummernschild",
    "autonummer",
    "schild",
    "plaque",
    "immatric",
    "targa",
    "targhe",
    "numer d",
    "auto",
    "car ",
    "wagen",
    "fahrzeug",
    "véhicule",
    "veicolo",
    "voiture",
    "macchina",
    "registration",
    "vehicle",
    "numra",
    "parcheggi",
    "parkiert",
];

/// German districts, as the Federal Motor Transport Authority publishes them.
const DISTRICTS: &str = include_str!("words/german_districts.txt");

static DISTRICT_CODES: LazyLock<HashSet<&str>> =
    LazyLock::new(|| DISTRICTS.split_whitespace().collect());

/// Austrian districts.
const AUSTRIAN: &str = "a am ba b bb bh bl bm bn br bz d dl do e ef eu fb fe ff fk fr g gb gd gf \
    gm gr gs gu ha hb he hf hl ho i il im je jo ju k kb kf ki kl ko kr ks ku l la lb le lf li ll \
    ln lz ma md me mi mt mu mz n nd nk op ow p pe pl pt ra re ri ro s sb sd se sk sl so sp sr st \
    sv sw sz ta tu uu vb vi vk vl vo w wb we wl wn wo wt wu wy wz ze zt zw";

static AUSTRIAN_CODES: LazyLock<HashSet<&str>> =
    LazyLock::new(|| AUSTRIAN.split_whitespace().collect());

/// Finds plates.
pub(crate) fn find(text: &Folded, tokens: &[Token]) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let is_word = matches!(token.class, TokenClass::Word | TokenClass::Mixed);
        if !is_word || !is_upper(text, token) {
            continue;
        }
        let rest = &tokens[index..];
        let shown = swiss(text, rest).or_else(|| german(text, rest)).or_else(|| series(text, rest));
        let shown = shown.or_else(|| austrian(text, rest));
        if let Some((count, sure)) = shown {
            let (start, end) = (token.start, rest[count - 1].end);
            let named = || Surroundings::of(text, start, end).beside(WORDS);
            let (score, how) = match (sure, named()) {
                (_, true) => (0.9, How::Context),
                (true, false) => (0.8, How::Pattern),
                (false, false) => continue,
            };
            let range = text.bytes(start..end);
            found.push(Finding { range, kind: Kind::LicencePlate, score, how });
        }
    }
    found
}

/// How many tokens, and whether the form is enough; the first is known to be in capitals.
type Shown = (usize, bool);

fn is_upper(text: &Folded, token: &Token) -> bool {
    (token.start..token.end).all(|place| !text.is(place, SMALL))
}

fn between(tokens: &[Token], at: usize) -> bool {
    tokens.get(at).is_some_and(|token| matches!(token.word, "-" | "." | "·" | "•" | "*"))
}

/// `ZH 123456`, `ZH·123 456`, `ZH123456`.
fn swiss(text: &Folded, tokens: &[Token]) -> Option<Shown> {
    let first = &tokens[0];
    let canton = CANTONS.iter().find(|canton| first.word.starts_with(**canton))?;
    let ends = |count: usize| {
        let end = tokens[count - 1].end;
        !text.at(end).is_alphanumeric()
    };
    let glued = &first.word[canton.len()..];
    if (4..=6).contains(&glued.len()) && glued.bytes().all(|byte| byte.is_ascii_digit()) {
        return ends(1).then_some((1, glued.len() >= 5));
    }
    if !glued.is_empty() {
        return None;
    }
    let mut at = 1 + usize::from(between(tokens, 1));
    let mut digits = 0;
    while let Some(token) = tokens.get(at).filter(|token| token.class == TokenClass::Number) {
        if token.start > tokens[at - 1].end + 1 || digits + token.word.len() > 6 {
            break;
        }
        digits += token.word.len();
        at += 1;
    }
    (digits >= 2 && ends(at)).then_some((at, digits >= 5))
}

/// `B-MW 1234`, `M AB 123E`, `HH-AB1234`.
fn german(text: &Folded, tokens: &[Token]) -> Option<Shown> {
    let first = &tokens[0];
    let district = first.class == TokenClass::Word
        && first.end - first.start <= 3
        && DISTRICT_CODES.contains(first.word);
    if !district {
        return None;
    }
    let hyphen = between(tokens, 1);
    let letters = tokens.get(1 + usize::from(hyphen))?;
    let mut count = 2 + usize::from(hyphen);
    let alphas = letters.word.bytes().take_while(u8::is_ascii_alphabetic).count();
    let mut tail = &letters.word[alphas.min(letters.word.len())..];
    if !(1..=2).contains(&alphas) || !is_upper(text, letters) {
        return None;
    }
    if tail.is_empty() {
        count += usize::from(between(tokens, count));
        tail = tokens.get(count)?.word;
        count += 1;
    }
    let digits = tail.trim_end_matches(['e', 'h']);
    let sound = (1..=4).contains(&digits.len())
        && tail.len() <= digits.len() + 1
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    sound.then_some((count, hyphen && digits.len() >= 2))
}

/// `W-12345 A`, `GU 123 AB`, with words beside it only.
fn austrian(text: &Folded, tokens: &[Token]) -> Option<Shown> {
    let first = &tokens[0];
    if first.end - first.start > 2 || !AUSTRIAN_CODES.contains(first.word) {
        return None;
    }
    let mut count = 1 + usize::from(between(tokens, 1));
    let rest = tokens.get(count)?;
    let digits = rest.word.bytes().take_while(u8::is_ascii_digit).count();
    let mut tail = &rest.word[digits..];
    count += 1;
    if tail.is_empty() {
        let last = tokens.get(count).filter(|last| last.start == rest.end + 1)?;
        tail = is_upper(text, last).then_some(last.word)?;
        count += 1;
    }
    let sound =
        (1..=3).contains(&tail.len()) && tail.bytes().all(|byte| byte.is_ascii_alphabetic());
    ((1..=5).contains(&digits) && sound).then_some((count, false))
}

/// `AB-123-CD` (France), `AB 123 CD`, `AB123CD` (Italy).
fn series(text: &Folded, tokens: &[Token]) -> Option<Shown> {
    let first = &tokens[0];
    if first.word.len() > 7 {
        return None;
    }
    let mut joined = String::new();
    let mut hyphens = 0;
    for (index, token) in tokens.iter().take(5).enumerate() {
        if between(tokens, index) {
            hyphens += 1;
            continue;
        }
        if !token.word.is_ascii() || !is_upper(text, token) {
            return None;
        }
        joined.push_str(token.word);
        if joined.len() >= 7 {
            let bytes = joined.as_bytes();
            let formed = bytes.len() == 7
                && bytes[..2].iter().chain(&bytes[5..]).all(u8::is_ascii_alphabetic)
                && bytes[2..5].iter().all(u8::is_ascii_digit);
            return formed.then_some((index + 1, hyphens == 2 || hyphens == 0));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Words;

    fn found(text: &str) -> Vec<&str> {
        let folded = Folded::new(text);
        let words = Words::of(&folded);
        find(&folded, &words.tokens()).into_iter().map(|one| &text[one.range]).collect()
    }

    #[test]
    fn plates_of_four_countries_are_found() {
        for plate in [
            "ZH 123456",
            "GR·12 345",
            "VD123456",
            "B-MW 1234",
            "HH-AB 12E",
            "AB-123-CD",
            "FG 456 HJ",
            "FG456HJ",
        ] {
            assert_eq!(found(&format!("mit {plate} da")), [plate]);
        }
        assert_eq!(found("Kontrollschild SO 912"), ["SO 912"]);
        assert_eq!(found("Kennzeichen W-12345 A"), ["W-12345 A"]);
        assert_eq!(found("das Auto GU 123 AB steht"), ["GU 123 AB"]);
        assert!(found("im Wagen B 204 sind Plätze").is_empty());
        assert!(found("Art. 5 Abs. 2 OR, SO 912, im Jahr 2024, A 12").is_empty());
    }
}
