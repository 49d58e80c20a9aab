//! Identifiers with a checksum, and those of the United States that have none.

use crate::checksum;
use crate::context::Surroundings;
use crate::finding::{Finding, How};
use crate::fold::{ALIKE, ALNUM, DIGIT, Folded, NUMERIC};
use crate::kind::Kind;
use crate::series::{Series, ends_before, joined, look_alike};

/// Finds identifiers: at each place where one could begin, each kind is tried, and each looks at a
/// bounded number of letters. So the time is linear in the text.
pub(crate) fn find(text: &Folded) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut place = 0;
    let mut digit = 0;
    while let Some(next) = next(text, place, &mut digit) {
        place = next;
        let identifier = match !continues(text, place) {
            true => at(text, place),
            false if text.is(place, DIGIT) => None,
            // An account or a tax code may stand at the end of a word: `IBANCH93…`.
            false if text.is(place + 2, DIGIT) => iban(text, place),
            false if text.is(place + 6, DIGIT) => tax_code(text, place),
            false => None,
        };
        match identifier {
            Some((series, kind, score, how)) => {
                let range = text.bytes(series.start..series.end);
                found.push(Finding { range, kind, score, how });
                place = series.end;
            }
            None => place += 1,
        }
    }
    found
}

/// How far after a letter within a word a digit must stand for something to begin there.
const DIGITS_AFTER: [usize; 2] = [2, 6];

/// The next place where anything may begin, as far as a look at a few letters says: nothing does
/// with what is neither letter nor digit, nor within a number, and little within a word. `digit` is
/// a place up to which no digit follows.
fn next(text: &Folded, from: usize, digit: &mut usize) -> Option<usize> {
    let traits = text.traits();
    let mut before = text.traits_before(from);
    (from..traits.len()).find(|place| {
        let (now, last) = (traits[*place], before);
        before = now;
        if now & ALIKE == 0 || last & ALNUM == 0 || now & DIGIT != 0 {
            return now & ALIKE != 0 && now & last & DIGIT == 0;
        }
        if *digit < *place {
            let rest = &traits[*place..];
            let next = rest.iter().position(|traits| traits & DIGIT != 0);
            *digit = next.map_or(usize::MAX, |next| place + next);
        }
        *digit <= place + DIGITS_AFTER[1]
            && DIGITS_AFTER.iter().any(|after| text.is(place + after, DIGIT))
    })
}

/// Whether a place is within a number, or within a word with digits.
fn continues(text: &Folded, place: usize) -> bool {
    match text.is(place, DIGIT) {
        true => text.is_after(place, DIGIT) || !ends_before(text, place),
        false => text.is_after(place, ALNUM),
    }
}

type Found = (Series, Kind, f32, How);

fn at(text: &Folded, place: usize) -> Option<Found> {
    match text.is(place, DIGIT) {
        true => ahv(text, place)
            .or_else(|| nir(text, place))
            .or_else(|| nir_with_key(text, place))
            .or_else(|| card(text, place))
            .or_else(|| tax_id(text, place))
            .or_else(|| ssn(text, place))
            .or_else(|| id_card(text, place)),
        false => {
            let may = forms_of_letters(text, place);
            let try_form = |form: u8, find: fn(&Folded, usize) -> Option<Found>| {
                (may & form != 0).then(|| find(text, place)).flatten()
            };
            try_form(IBAN, iban)
                .or_else(|| try_form(TAX_CODE, tax_code))
                .or_else(|| try_form(ID_CARD, id_card))
        }
    }
}

/// What may begin with a letter: bits.
const IBAN: u8 = 1;
const TAX_CODE: u8 = 1 << 1;
const ID_CARD: u8 = 1 << 2;

/// All of them are longer.
const FORM_LETTERS: usize = 9;

/// Which of them a letter of ASCII fits into, by its number.
const FORMS: [[u8; 128]; FORM_LETTERS] = {
    let mut all = [[0; 128]; FORM_LETTERS];
    let mut index = 0;
    while index < FORM_LETTERS {
        let mut letter = 0;
        while letter < 128 {
            let (iban, tax_code, id_card) = (
                is_iban_head(index, letter),
                is_of_tax_code(index, letter),
                is_of_id_card(index, letter),
            );
            all[index][letter as usize] = if iban { IBAN } else { 0 }
                | if tax_code { TAX_CODE } else { 0 }
                | if id_card { ID_CARD } else { 0 };
            letter += 1;
        }
        index += 1;
    }
    all
};

/// Which of them the first letters from a place on may be. Nearly every word ends here, and is
/// gone through once.
fn forms_of_letters(text: &Folded, place: usize) -> u8 {
    let (mut may, mut at) = (IBAN | TAX_CODE | ID_CARD, place);
    for forms in &FORMS {
        let next = match text.is(at, ALIKE) {
            true => at,
            false => match joined(text, at) {
                Some(next) => next,
                None => return 0,
            },
        };
        let letter = match text.at(next) {
            char if char.is_ascii() => char as u8,
            char => look_alike(char).unwrap_or_default(),
        };
        may &= forms[usize::from(letter & 0x7f)];
        if may == 0 {
            break;
        }
        at = next + 1;
    }
    may
}

fn checked(series: Series, kind: Kind) -> Found {
    (series, kind, 1.0, How::Checksum)
}

fn ahv(text: &Folded, place: usize) -> Option<Found> {
    if text.at(place) != '7' {
        return None;
    }
    let series = Series::read_if(text, place, 13, |_, letter| letter.is_ascii_digit())?;
    let letters = series.letters();
    let right = letters.starts_with(b"756") && checksum::ean13(letters);
    (right && series.is_apart(text)).then(|| checked(series, Kind::Ahv))
}

fn nir(text: &Folded, place: usize) -> Option<Found> {
    if !matches!(text.at(place), '1'..='4' | '7' | '8') {
        return None;
    }
    let series = Series::read_if(text, place, 15, |index, letter| {
        letter.is_ascii_digit() || index == 6 && matches!(letter.to_ascii_uppercase(), b'A' | b'B')
    })?;
    let letters = series.letters();
    let two =
        |from: usize| u32::from(letters[from] - b'0') * 10 + u32::from(letters[from + 1] - b'0');
    let month = |month: u32| matches!(month, 1..=12 | 20..=42 | 50..=99);
    let right = month(two(3)) && checksum::nir(letters);
    let is_card = || card(text, place).is_some() && card_context(text, &series);
    (right && !is_card() && series.is_apart(text)).then(|| checked(series, Kind::FrenchNir))
}

/// What may stand before the key of a French number.
const KEY_WORDS: [&str; 4] = ["clé", "cle", "clef", "key"];

/// A French number whose key a word goes before: `… 084 clé 36`.
fn nir_with_key(text: &Folded, place: usize) -> Option<Found> {
    if !matches!(text.at(place), '1'..='4' | '7' | '8') {
        return None;
    }
    let mut series = Series::read_if(text, place, 13, |index, letter| {
        letter.is_ascii_digit() || index == 6 && matches!(letter.to_ascii_uppercase(), b'A' | b'B')
    })?;
    let near = |from: usize, most: usize, is: bool| {
        (from..=from + most).find(|at| text.is(*at, ALNUM) == is)
    };
    let word = near(series.end, 3, true)?;
    let end = near(word, 4, false)?;
    let named = KEY_WORDS.contains(&text.text(word..end).to_lowercase().as_str());
    let digit = near(end, 3, true)?;
    let key = Series::read_if(text, digit, 2, |_, letter| letter.is_ascii_digit())?;
    let right = named && key.is_apart(text) && key.is_whole();
    let all = [series.letters(), key.letters()].concat();
    series.end = key.end;
    (right && checksum::nir(&all)).then(|| checked(series, Kind::FrenchNir))
}

const CARD_WORDS: &[&str] = &[
    "card",
    "visa",
    "mastercard",
    "amex",
    "maestro",
    "credit",
    "kreditk",
    "karte",
    "debit",
    "cc ",
    "carte",
    "carta",
    "cartan",
    "bancomat",
    "kartennummer",
    "charta",
    "cb ",
];

/// Payment cards: the length and first digits of an issuer, Luhn's sum, and a look of one number.
fn card(text: &Folded, place: usize) -> Option<Found> {
    let digits = |_, letter: u8| letter.is_ascii_digit();
    Series::read_if(text, place, 12, digits)?;
    (12..=19).rev().find_map(|length| {
        let series = Series::read_if(text, place, length, digits)?;
        let right = checksum::luhn(series.letters()) && series.is_apart(text);
        let issued = right && (is_issued(series.letters()) || card_context(text, &series));
        let shape = issued && (has_card_shape(&series) || series.is_alone(text));
        let sure = shape && (has_card_shape(&series) || card_context(text, &series));
        match (shape, sure) {
            (true, true) => Some(checked(series, Kind::CreditCard)),
            (true, false) => Some((series, Kind::CreditCard, 0.8, How::Checksum)),
            _ => None,
        }
    })
}

fn card_context(text: &Folded, series: &Series) -> bool {
    Surroundings::of(text, series.start, series.end).beside(CARD_WORDS)
}

fn has_card_shape(series: &Series) -> bool {
    series.is_whole()
        || series.is_spread()
        || series.is_grouped(&[4, 8, 12])
        || series.is_grouped(&[4, 10])
        || series.is_grouped(&[4, 8, 12, 16])
        || series.is_grouped(&[4, 8])
}

/// Ranges of the issuers' numbers with their lengths, as ISO/IEC 7812 registers them to the
/// networks.
fn is_issued(digits: &[u8]) -> bool {
    let first = |count: usize| {
        digits[..count].iter().fold(0_u32, |sum, digit| sum * 10 + u32::from(digit - b'0'))
    };
    let length = digits.len();
    match (first(1), first(2), first(4)) {
        (4, ..) => matches!(length, 13 | 16 | 19),
        (_, 51..=55, _) | (_, _, 2221..=2720) => length == 16,
        (_, 34 | 37, _) => length == 15,
        (_, 30 | 36 | 38 | 39, _) => (14..=19).contains(&length),
        (_, 35, _) => (16..=19).contains(&length),
        (_, _, 1800 | 2131) => length == 15,
        (_, 60 | 62 | 64 | 65 | 81, _) => (16..=19).contains(&length) || first(2) == 60,
        (_, 50 | 56..=69, _) => (12..=19).contains(&length),
        _ => false,
    }
}

/// Whether a letter fits at its number among the first of an account; later ones all do.
const fn is_iban_head(index: usize, letter: u8) -> bool {
    match index {
        1 => letter.is_ascii_alphabetic(),
        2 | 3 => letter.is_ascii_digit(),
        _ => true,
    }
}

fn iban(text: &Folded, place: usize) -> Option<Found> {
    let head = Series::read_if(text, place, 4, is_iban_head)?;
    let small = head.letters()[..2].iter().any(u8::is_ascii_lowercase);
    if small && head.is_grouped(&[2]) {
        // `no. 75…` is a word and a number.
        return None;
    }
    let head = head.letters();
    let country = [head[0].to_ascii_uppercase(), head[1].to_ascii_uppercase()];
    let length = IBAN_LENGTHS.iter().find(|(code, _)| **code == country)?.1;
    let series = Series::read(text, place, length)?;
    let ends = !text.at(series.end).is_ascii_alphanumeric();
    let right = checksum::iban(series.letters());
    // What goes on as one word is kept too if nothing is put between: `IBANCH93…` has a head.
    (right && (ends || series.is_apart(text))).then(|| checked(series, Kind::Iban))
}

/// Lengths by country, from the IBAN registry (SWIFT, release 99).
const IBAN_LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

const TAX_ID_WORDS: &[&str] = &[
    "steuer",
    "idnr",
    "id-nr",
    "identifikationsn",
    "tin",
    "tax",
    "stid",
    "fiscal",
    "fisc",
    "taglia",
    "fiscale",
    "codice",
    "numero",
];

fn tax_id(text: &Folded, place: usize) -> Option<Found> {
    let series = Series::read_if(text, place, 11, |_, letter| letter.is_ascii_digit())?;
    let right = checksum::tax_id_digits(series.letters()) && checksum::mod_11_10(series.letters());
    if !right || !series.is_apart(text) {
        return None;
    }
    let named = || Surroundings::of(text, series.start, series.end).beside(TAX_ID_WORDS);
    let shaped = series.is_whole() || series.is_grouped(&[2, 5, 8]) || series.is_even();
    match shaped || series.is_all(text) || series.is_alone(text) && named() {
        true => Some(checked(series, Kind::GermanTaxId)),
        false => None,
    }
}

const ID_CARD_WORDS: &[&str] = &[
    "ausweis",
    "personalausweis",
    "pass",
    "reisepass",
    "perso",
    "identit",
    "id card",
    "id-karte",
    "carte",
    "carta",
    "document",
    "dokument",
    "legitim",
];

const fn is_of_id_card(index: usize, letter: u8) -> bool {
    match letter.to_ascii_uppercase() {
        b'0'..=b'9' => index > 0,
        b'C' | b'F'..=b'H' | b'J'..=b'N' | b'P' | b'R' | b'T' | b'V'..=b'Z' => true,
        _ => false,
    }
}

/// A German identity card or passport: nine of digits and certain letters, then a check digit.
fn id_card(text: &Folded, place: usize) -> Option<Found> {
    let series = Series::read_if(text, place, 10, is_of_id_card)?;
    let digits = series.letters().iter().filter(|letter| letter.is_ascii_digit()).count();
    let right = digits > 0 && checksum::seven_three_one(series.letters());
    if !right || text.at(series.end).is_alphanumeric() {
        return None;
    }
    let named = series.is_all(text)
        || Surroundings::of(text, series.start, series.end).beside(ID_CARD_WORDS);
    let upper = series.letters().iter().all(|letter| !letter.is_ascii_lowercase());
    let shaped = series.is_whole() || series.is_even() && digits >= 5;
    match (named, shaped && upper && digits >= 3) {
        (true, _) if digits >= 3 || upper => Some(checked(series, Kind::GermanIdCard)),
        (false, true) => Some((series, Kind::GermanIdCard, 0.8, How::Checksum)),
        _ => None,
    }
}

const fn is_of_tax_code(index: usize, letter: u8) -> bool {
    let letter = letter.to_ascii_uppercase();
    match index {
        8 => matches!(letter, b'A'..=b'E' | b'H' | b'L' | b'M' | b'P' | b'R'..=b'T'),
        6 | 7 | 9 | 10 | 12 | 13 | 14 => {
            matches!(letter, b'0'..=b'9' | b'L'..=b'N' | b'P'..=b'V')
        }
        _ => letter.is_ascii_alphabetic(),
    }
}

/// Six letters, then year, month and day, then a letter and three digits for the place of birth,
/// then a check letter. Where two people would have one code, letters take the place of digits
/// (omocodia).
fn tax_code(text: &Folded, place: usize) -> Option<Found> {
    let series = Series::read_if(text, place, 16, is_of_tax_code)?;
    let upper: Vec<u8> = series.letters().iter().map(u8::to_ascii_uppercase).collect();
    let goes_on = text.is(series.end, NUMERIC);
    let right = checksum::tax_code(&upper) && !goes_on;
    right.then(|| checked(series, Kind::ItalianTaxCode))
}

const SSN_WORDS: &[&str] = &["ssn", "social security", "soc sec", "social-security", "ss#"];

fn ssn(text: &Folded, place: usize) -> Option<Found> {
    let series = Series::read_if(text, place, 9, |_, letter| letter.is_ascii_digit())?;
    let letters = series.letters();
    let issued = !matches!(&letters[..3], b"000" | b"666")
        && &letters[3..5] != b"00"
        && &letters[5..] != b"0000";
    if !issued || !series.is_apart(text) {
        return None;
    }
    let between = |at: usize| text.at(series.start + at);
    let hyphens = series.is_grouped(&[3, 5]) && between(3) == '-' && between(6) == '-';
    let named = Surroundings::of(text, series.start, series.end).beside(SSN_WORDS);
    match (named, hyphens && series.is_alone(text)) {
        (true, _) => Some((series, Kind::UsSsn, 0.95, How::Context)),
        (false, true) => Some((series, Kind::UsSsn, 0.9, How::Pattern)),
        (false, false) => None,
    }
}
