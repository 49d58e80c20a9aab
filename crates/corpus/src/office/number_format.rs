//! Number formats of spreadsheets (ECMA-376 part 1, 18.8.30), as far as they say what is shown:
//! decimals, percent, currencies and other words beside the number, dates and times.
//!
//! Signs that group digits depend on the reader's country and are left out. Dates in the order of
//! the reader's country ("short date") are shown as 2026-01-31. Negative numbers have a minus,
//! also where the sheet shows them in brackets or in red.

use super::date_format::{DateFormat, is_field};

/// Digits that a number without a format shows.
const GENERAL_DIGITS: i32 = 11;

/// Sections that say how numbers are shown, and the one for texts after them.
const NUMBER_SECTIONS: usize = 3;

/// The day that dates are counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Epoch {
    /// Day 1 is 1900-01-01, and 1900 is held to be a leap year.
    Of1900,
    /// Day 0 is 1904-01-01.
    Of1904,
}

/// How a number is shown: sections for positive and negative numbers and for zero, or each for
/// numbers of which a condition holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NumberFormat {
    sections: Vec<Section>,
    /// Whether a text in such a cell is not shown: ";;;".
    pub hides_texts: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Section {
    condition: Option<Condition>,
    body: Body,
}

/// "[>=1000]".
#[derive(Debug, Clone, PartialEq)]
struct Condition {
    sign: String,
    than: f64,
}

#[derive(Debug, Clone, PartialEq)]
enum Body {
    /// As many digits as there are, between words.
    General(String, String),
    Number(Digits),
    Date(DateFormat),
    /// These words, whatever the number; none hide it.
    Words(String),
}

/// A number between words.
#[derive(Debug, Clone, Default, PartialEq)]
struct Digits {
    before: String,
    /// The places of the digits before the point, and words between them: "000 00 00".
    places: Vec<Place>,
    after: String,
    least_decimals: usize,
    most_decimals: usize,
    percent: bool,
    thousands: i32,
}

#[derive(Debug, Clone, PartialEq)]
enum Place {
    /// A digit, or a zero where there is none.
    Zero,
    /// A digit, if there is one.
    Digit,
    Word(String),
}

/// A sign of a format code, or text that stands for itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Sign {
    Bare(char),
    Literal(String),
    /// `[h]`, `[mm]`: all hours or minutes, and how many letters.
    Elapsed(char, usize),
}

impl NumberFormat {
    /// The format with this number in files that do not define it (18.8.30).
    pub(crate) fn built_in(id: u32) -> NumberFormat {
        NumberFormat::parse(match id {
            1 | 3 | 37 | 38 => "0",
            2 | 4 | 39 | 40 => "0.00",
            9 => "0%",
            10 => "0.00%",
            14 | 15 | 16 | 17 | 27..=31 | 34..=36 | 50..=54 | 57 | 58 => "yyyy-mm-dd",
            18 | 20 | 32 | 55 => "hh:mm",
            19 | 21 | 33 | 56 => "hh:mm:ss",
            22 => "yyyy-mm-dd hh:mm",
            45 => "mm:ss",
            46 => "[h]:mm:ss",
            47 => "mm:ss.0",
            _ => "General",
        })
    }

    /// Reads a format code.
    pub(crate) fn parse(code: &str) -> NumberFormat {
        let mut codes = sections(code);
        let hides_texts = codes.len() > NUMBER_SECTIONS && codes[NUMBER_SECTIONS].is_empty();
        codes.truncate(NUMBER_SECTIONS);
        // "0;" says nothing about negative numbers, "0;;" that they are not shown; "@" is for
        // texts.
        let is_open = codes.len() < NUMBER_SECTIONS && codes.last().is_some_and(|c| c.is_empty());
        if is_open || codes.len() > 1 && codes.last().is_some_and(|last| last.contains('@')) {
            codes.pop();
        }
        NumberFormat { sections: codes.into_iter().map(Section::parse).collect(), hides_texts }
    }

    /// A number as it is shown.
    pub(crate) fn show(&self, number: f64, epoch: Epoch) -> String {
        let Some(at) = self.section(number) else { return general(number) };
        let (section, first) = (&self.sections[at], &self.sections[0]);
        let has_conditions = self.sections.iter().any(|section| section.condition.is_some());
        match &section.body {
            _ if at == 0 || has_conditions => section.show(number, epoch),
            // Signs, brackets and colours say that a number is negative; a dash stands for zero.
            Body::Number(_) | Body::General(..) if !section.has_own_words(first) => {
                first.show(number, epoch)
            }
            Body::Words(words) if at == 2 && !words.is_empty() && !has_letters(words) => {
                first.show(number, epoch)
            }
            _ => section.show(number.abs(), epoch),
        }
    }

    /// Which section holds for a number: the first one whose condition, or the sign that its place
    /// stands for, the number has.
    fn section(&self, number: f64) -> Option<usize> {
        let count = self.sections.len();
        let holds = |(at, section): &(usize, &Section)| match &section.condition {
            Some(condition) => condition.holds(number),
            None if *at + 1 == count => true,
            None if *at == 0 && count == 2 => number >= 0.0,
            None if *at == 0 => number > 0.0,
            None => number < 0.0,
        };
        self.sections.iter().enumerate().find(holds).map(|(at, _)| at)
    }
}

impl Section {
    fn parse(code: &str) -> Section {
        let (signs, condition, locale) = signs(code);
        let has =
            |is: &dyn Fn(char) -> bool| signs.iter().any(|s| matches!(s, Sign::Bare(c) if is(*c)));
        let is_elapsed = signs.iter().any(|sign| matches!(sign, Sign::Elapsed(..)));
        let is_fraction = code.contains("?/") || code.contains("#/");
        let body = match () {
            _ if has(&|c| c == GENERAL) => {
                let at = signs.iter().position(|sign| *sign == Sign::Bare(GENERAL)).unwrap_or(0);
                Body::General(words(&signs[..at]), words(&signs[at + 1..]))
            }
            _ if has(&|c| "@E".contains(c)) || is_fraction => {
                Body::General(String::new(), String::new())
            }
            _ if is_elapsed || has(&is_field) => Body::Date(DateFormat::of(&signs, locale)),
            _ if has(&|c| "0#?".contains(c)) => Body::Number(digits(&signs)),
            _ => Body::Words(words(&signs)),
        };
        Section { condition, body }
    }

    fn show(&self, number: f64, epoch: Epoch) -> String {
        match &self.body {
            Body::General(before, after) => {
                format!("{before}{}{after}", general(number)).trim().to_owned()
            }
            Body::Number(digits) => digits.show(number),
            Body::Date(date) => date.show(number, epoch).unwrap_or_else(|| general(number)),
            Body::Words(words) => words.trim().to_owned(),
        }
    }

    /// Whether its words say something that those of `other` do not.
    fn has_own_words(&self, other: &Section) -> bool {
        let letters = |section: &Section| -> String {
            let (before, after) = match &section.body {
                Body::General(before, after) => (before.as_str(), after.as_str()),
                Body::Number(digits) => (digits.before.as_str(), digits.after.as_str()),
                _ => ("", ""),
            };
            let all = before.chars().chain([' ']).chain(after.chars());
            all.filter(|c| c.is_alphabetic()).collect()
        };
        let own = letters(self);
        !own.is_empty() && own != letters(other)
    }
}

impl Condition {
    fn parse(inside: &str) -> Option<Condition> {
        let digits = inside.trim_start_matches(['<', '>', '=']);
        let sign = &inside[..inside.len() - digits.len()];
        let than = digits.trim().parse().ok()?;
        (!sign.is_empty()).then(|| Condition { sign: sign.to_owned(), than })
    }

    fn holds(&self, number: f64) -> bool {
        match self.sign.as_str() {
            "<" => number < self.than,
            "<=" => number <= self.than,
            ">" => number > self.than,
            ">=" => number >= self.than,
            "<>" => number != self.than,
            _ => number == self.than,
        }
    }
}

fn has_letters(text: &str) -> bool {
    text.contains(char::is_alphabetic)
}

/// The sections of a code: `;` stands between them, but not in quotes, brackets or after `\`.
fn sections(code: &str) -> Vec<&str> {
    let (mut found, mut start) = (Vec::new(), 0);
    let mut characters = code.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => drop(characters.by_ref().find(|(_, c)| *c == '"')),
            '[' => drop(characters.by_ref().find(|(_, c)| *c == ']')),
            '\\' | '_' | '*' => drop(characters.next()),
            ';' => {
                found.push(&code[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&code[start..]);
    found
}

/// Stands for the word "General" among the signs.
const GENERAL: char = '\u{0}';

/// The signs of a section, its condition and the language that it names. Other brackets are colours
/// and currencies.
fn signs(code: &str) -> (Vec<Sign>, Option<Condition>, Option<u32>) {
    let mut found = Vec::new();
    let (mut condition, mut locale) = (None, None);
    let mut characters = code.chars();
    loop {
        let rest = characters.as_str();
        if rest.get(..7).is_some_and(|word| word.eq_ignore_ascii_case("general")) {
            found.push(Sign::Bare(GENERAL));
            characters = rest[7..].chars();
            continue;
        }
        let Some(character) = characters.next() else { break };
        match character {
            '"' => {
                found.push(Sign::Literal(characters.by_ref().take_while(|c| *c != '"').collect()))
            }
            '\\' => found.extend(characters.next().map(|c| Sign::Literal(c.to_string()))),
            '_' => {
                characters.next();
                found.push(Sign::Literal(" ".to_owned()));
            }
            '*' => drop(characters.next()),
            '[' => {
                let inside: String = characters.by_ref().take_while(|c| *c != ']').collect();
                condition = condition.or_else(|| Condition::parse(&inside));
                locale = locale.or_else(|| named_locale(&inside));
                found.extend(bracket(&inside));
            }
            GENERAL => {}
            character => found.push(Sign::Bare(character)),
        }
    }
    (found, condition, locale)
}

/// "$CHF-807", "$-407".
fn named_locale(inside: &str) -> Option<u32> {
    let (_, number) = inside.strip_prefix('$')?.rsplit_once('-')?;
    u32::from_str_radix(number.split(',').next()?, 16).ok()
}

fn bracket(inside: &str) -> Option<Sign> {
    let lower = inside.to_ascii_lowercase();
    let unit = lower.chars().next()?;
    if "hms".contains(unit) && lower.chars().all(|c| c == unit) {
        return Some(Sign::Elapsed(unit, lower.len()));
    }
    let currency = inside.strip_prefix('$')?.split('-').next()?;
    (!currency.is_empty()).then(|| Sign::Literal(currency.to_owned()))
}

/// Signs that stand for themselves.
fn words(signs: &[Sign]) -> String {
    let mut text = String::new();
    for sign in signs {
        match sign {
            Sign::Bare(character) => text.push(*character),
            Sign::Literal(literal) => text.push_str(literal),
            Sign::Elapsed(..) => {}
        }
    }
    text
}

fn digits(signs: &[Sign]) -> Digits {
    let mut found = Digits::default();
    let (mut in_decimals, mut begun) = (false, false);
    for sign in signs {
        match sign {
            Sign::Bare('0') if in_decimals => {
                found.least_decimals += 1;
                found.most_decimals += 1;
            }
            Sign::Bare('#' | '?') if in_decimals => found.most_decimals += 1,
            Sign::Bare(place @ ('0' | '#' | '?')) => {
                (begun, found.thousands) = (true, 0);
                found.places.push(if *place == '0' { Place::Zero } else { Place::Digit });
            }
            Sign::Bare('.') => (begun, in_decimals) = (true, true),
            Sign::Bare(',') if begun => found.thousands += 1,
            Sign::Bare(',') | Sign::Elapsed(..) => {}
            Sign::Bare('%') => {
                found.percent = true;
                found.word("%", begun);
            }
            Sign::Bare(character) => {
                found.between(character.encode_utf8(&mut [0; 4]), begun, in_decimals);
            }
            Sign::Literal(text) => found.between(text, begun, in_decimals),
        }
    }
    // What stands after the last digit stands after the number.
    if !in_decimals {
        let last = found.places.iter().rposition(|place| !matches!(place, Place::Word(_)));
        for word in found.places.split_off(last.map_or(0, |last| last + 1)).into_iter().rev() {
            if let Place::Word(word) = word {
                found.after.insert_str(0, &word);
            }
        }
    }
    found
}

impl Digits {
    fn word(&mut self, text: &str, is_after: bool) {
        let place = if is_after { &mut self.after } else { &mut self.before };
        place.push_str(text);
    }

    /// A word before, between or after the digits.
    fn between(&mut self, text: &str, begun: bool, in_decimals: bool) {
        match begun && !in_decimals && self.after.is_empty() {
            true => self.places.push(Place::Word(text.to_owned())),
            false => self.word(text, begun),
        }
    }

    /// Digits in their places; those that are left stand in the first one.
    fn placed(&self, digits: &str) -> String {
        let is_digit = |place: &Place| !matches!(place, Place::Word(_));
        let Some(first) = self.places.iter().position(is_digit) else { return digits.to_owned() };
        let mut left = digits.chars().rev();
        let mut text: Vec<char> = Vec::new();
        for (at, place) in self.places.iter().enumerate().rev() {
            match place {
                Place::Word(word) => text.extend(word.chars().rev()),
                Place::Zero => text.push(left.next().unwrap_or('0')),
                Place::Digit => text.extend(left.next()),
            }
            if at == first {
                text.extend(left.by_ref());
            }
        }
        text.iter().rev().collect()
    }

    fn show(&self, number: f64) -> String {
        let scale = if self.percent { 100.0 } else { 1.0 } / 1000_f64.powi(self.thousands.min(4));
        let decimals = self.most_decimals.min(15);
        // What is stored in binary must not show: 1.005 × 100 is 100.49999999999999.
        let mut text = format!(
            "{decimals_of:.decimals$}",
            decimals_of = round(number.abs() * scale, decimals)
        );
        if let Some(point) = text.find('.') {
            let least = point + 1 + self.least_decimals;
            while text.len() > least && text.ends_with('0') {
                text.pop();
            }
            if text.ends_with('.') {
                text.pop();
            }
        }
        let is_zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
        let sign = if number < 0.0 && !is_zero { "-" } else { "" };
        let point = text.find('.').unwrap_or(text.len());
        let text = self.placed(&text[..point]) + &text[point..];
        format!("{}{sign}{text}{}", self.before, self.after).trim().to_owned()
    }
}

/// Half away from zero, as spreadsheets round, in the decimal digits that are shown elsewhere.
fn round(number: f64, decimals: usize) -> f64 {
    let nudged: f64 = format!("{number:.14e}").parse().unwrap_or(number);
    let scale = 10_f64.powi(decimals as i32);
    let scaled = nudged * scale;
    if scaled.abs() < 1e15 { (scaled + scaled * 1e-15).round() / scale } else { nudged }
}

fn general(number: f64) -> String {
    if !number.is_finite() {
        return String::new();
    }
    let magnitude = if number == 0.0 { 0 } else { number.abs().log10().floor() as i32 };
    if !(-9..20).contains(&magnitude) {
        return format!("{number:e}");
    }
    let decimals = (GENERAL_DIGITS - 1 - magnitude).max(0) as usize;
    let text = format!("{number:.decimals$}");
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(code: &str, number: f64) -> String {
        NumberFormat::parse(code).show(number, Epoch::Of1900)
    }

    #[test]
    fn numbers_are_shown_as_in_the_sheet() {
        for (code, number, shown) in [
            ("General", 0.1 + 0.2, "0.3"),
            ("General", 1234567.0, "1234567"),
            ("General", -0.5, "-0.5"),
            ("General\" kg\"", 2.5, "2.5 kg"),
            ("0", 2.5, "3"),
            ("#,##0.00", 1234.5, "1234.50"),
            ("0.00%", 0.0771, "7.71%"),
            ("0%", 1.005, "101%"),
            ("0.00", 1.005, "1.01"),
            ("#,##0.00\\ \"€\";[Red]-#,##0.00\\ \"€\"", -12.3, "-12.30 €"),
            ("[$CHF-807]\\ #,##0.00", 20.0, "CHF 20.00"),
            ("_-* #,##0.00_-", 3.0, "3.00"),
            ("0.0##", 1.25, "1.25"),
            ("#,##0,", 12_345_678.0, "12346"),
            ("@", 5.0, "5"),
            ("00000", 42.0, "00042"),
            ("000.0", -1.5, "-001.5"),
            ("000\\ 000\\ 00\\ 00", 791_234_567.0, "079 123 45 67"),
            ("000\\.0000\\.0000\\.00", 7_561_234_567_897.0, "756.1234.5678.97"),
            ("#,##0\" Stk.\"", 12.0, "12 Stk."),
            ("0.0\" %\"", 12.5, "12.5 %"),
            ("", 5.0, "5"),
        ] {
            assert_eq!(show(code, number), shown, "{code}");
        }
    }

    #[test]
    fn each_number_is_shown_by_its_section() {
        for (code, number, shown) in [
            ("\"Ja\";;\"Nein\"", 1.0, "Ja"),
            ("\"Ja\";;\"Nein\"", 0.0, "Nein"),
            ("0;-0;;@", 0.0, ""),
            ("0;-0;;@", -3.0, "-3"),
            ("\"Gewinn \"0;\"Verlust \"0", -3.0, "Verlust 3"),
            ("0.00;(0.00)", -3.0, "-3.00"),
            ("0.0;@", -3.0, "-3.0"),
            ("General;[Red](General)", -3.0, "-3"),
            ("_ * #,##0.00_ ;_ * -#,##0.00_ ;_ * \"-\"??_ ;_ @_ ", 0.0, "0.00"),
            ("[=0]?;#,##0.00", 1234.56, "1234.56"),
            ("[>999999]#,,\"M\";[>999]#,\"K\";#", 12.0, "12"),
            ("[>999999]#,,\"M\";[>999]#,\"K\";#", 1_200.0, "1K"),
            ("[<0]\"minus\";0%", 0.5, "50%"),
            ("[>5]0", 3.25, "3.25"),
            ("0\";\";\"x\"", 1.0, "1;"),
            (";;;", 7.0, ""),
        ] {
            assert_eq!(show(code, number), shown, "{code} {number}");
        }
        assert!(NumberFormat::parse(";;;").hides_texts);
        assert!(!NumberFormat::parse("0;-0;;@").hides_texts);
    }
}
