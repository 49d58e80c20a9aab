//! Number formats of spreadsheets (ECMA-376 part 1, 18.8.30), as far as they say what is shown:
//! decimals, percent, currencies and other words beside the number, dates and times.
//!
//! Signs that group digits depend on the reader's country and are left out. Dates in the order of
//! the reader's country ("short date") are shown as 2026-01-31.

use jiff::ToSpan;
use jiff::civil::{Date, date};

/// Digits that a number without a format shows.
const GENERAL_DIGITS: i32 = 11;

/// Numbers beyond this are not dates.
const LAST_DAY: f64 = 2_958_466.0;

/// The day that dates are counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Epoch {
    /// Day 1 is 1900-01-01, and 1900 is held to be a leap year.
    Of1900,
    /// Day 0 is 1904-01-01.
    Of1904,
}

/// How a number is shown.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum NumberFormat {
    General,
    Number(Digits),
    Date(Vec<Part>),
}

/// A number between words.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Digits {
    before: String,
    after: String,
    least_decimals: usize,
    most_decimals: usize,
    percent: bool,
    thousands: i32,
}

/// A part of a date or time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    /// `y`, `m`, `d`, `h`, `s`, `M` for minutes, `H` for all hours, and how many letters.
    Field(char, usize),
    Half,
    /// Tenths and smaller parts of a second, so many.
    Fraction,
    Literal(String),
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

    /// Reads a format code; of its sections only the first, which is for positive numbers.
    pub(crate) fn parse(code: &str) -> NumberFormat {
        let signs = signs(code);
        let has = |wanted: &str| {
            signs.iter().any(|sign| match sign {
                Sign::Bare(c) => wanted.contains(*c),
                Sign::Literal(_) => false,
            })
        };
        if code.to_ascii_lowercase().contains("general")
            || has("@E")
            || code.contains("?/")
            || code.contains("#/")
        {
            return NumberFormat::General;
        }
        match () {
            _ if has("ydhsHMS") || has("m") => NumberFormat::Date(date_parts(&signs)),
            _ if has("0#?") => NumberFormat::Number(digits(&signs)),
            _ => NumberFormat::General,
        }
    }

    /// A number as it is shown.
    pub(crate) fn show(&self, number: f64, epoch: Epoch) -> String {
        match self {
            NumberFormat::General => general(number),
            NumberFormat::Number(digits) => digits.show(number),
            NumberFormat::Date(parts) => {
                show_date(parts, number, epoch).unwrap_or_else(|| general(number))
            }
        }
    }
}

/// A sign of a format code, or text that stands for itself.
#[derive(Debug, Clone, PartialEq)]
enum Sign {
    Bare(char),
    Literal(String),
}

/// The signs of the first section. `[h]` becomes `H`; other brackets are colours, conditions and
/// currencies.
fn signs(code: &str) -> Vec<Sign> {
    let mut found = Vec::new();
    let mut characters = code.chars();
    while let Some(character) = characters.next() {
        match character {
            ';' => break,
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
                found.extend(bracket(&inside));
            }
            character => found.push(Sign::Bare(character)),
        }
    }
    found
}

fn bracket(inside: &str) -> Option<Sign> {
    let lower = inside.to_ascii_lowercase();
    let is_elapsed = !lower.is_empty()
        && ["h", "m", "s"].iter().any(|unit| lower.trim_matches(|c| unit.contains(c)).is_empty());
    if is_elapsed {
        return lower.chars().next().map(|unit| Sign::Bare(unit.to_ascii_uppercase()));
    }
    let currency = inside.strip_prefix('$')?.split('-').next()?;
    (!currency.is_empty()).then(|| Sign::Literal(currency.to_owned()))
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
            Sign::Bare('0' | '#' | '?') => {
                (begun, found.thousands) = (true, 0);
            }
            Sign::Bare('.') => (begun, in_decimals) = (true, true),
            Sign::Bare(',') if begun => found.thousands += 1,
            Sign::Bare(',') => {}
            Sign::Bare('%') => {
                found.percent = true;
                found.word("%", begun);
            }
            Sign::Bare(character) => found.word(character.encode_utf8(&mut [0; 4]), begun),
            Sign::Literal(text) => found.word(text, begun),
        }
    }
    found
}

impl Digits {
    fn word(&mut self, text: &str, is_after: bool) {
        let place = if is_after { &mut self.after } else { &mut self.before };
        place.push_str(text);
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

fn date_parts(signs: &[Sign]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut index = 0;
    while let Some(sign) = signs.get(index) {
        let run = signs[index..].iter().take_while(|next| *next == sign).count();
        match sign {
            Sign::Literal(text) => literal(&mut parts, text),
            Sign::Bare('A' | 'a') => {
                parts.push(Part::Half);
                let half = |sign: &Sign| {
                    matches!(sign, Sign::Bare('A' | 'a' | 'M' | 'm' | 'P' | 'p' | '/'))
                };
                index += signs[index..].iter().take_while(|sign| half(sign)).count();
                continue;
            }
            Sign::Bare('0') => parts.push(Part::Fraction),
            Sign::Bare(letter @ ('y' | 'm' | 'd' | 'h' | 's' | 'H' | 'M' | 'S' | 'Y' | 'D')) => {
                let letter =
                    if "YD".contains(*letter) { letter.to_ascii_lowercase() } else { *letter };
                parts.push(Part::Field(letter, run));
            }
            Sign::Bare(character) => literal(&mut parts, &character.to_string().repeat(run)),
        }
        index += if matches!(sign, Sign::Literal(_)) { 1 } else { run };
    }
    minutes(&mut parts);
    parts
}

fn literal(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        Some(Part::Literal(before)) => before.push_str(text),
        _ => parts.push(Part::Literal(text.to_owned())),
    }
}

/// `m` after hours or before seconds means minutes.
fn minutes(parts: &mut [Part]) {
    let fields: Vec<(usize, char)> = parts
        .iter()
        .enumerate()
        .filter_map(|(index, part)| match part {
            Part::Field(letter, _) => Some((index, *letter)),
            _ => None,
        })
        .collect();
    for (at, (index, letter)) in fields.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| fields[before].1);
        let after = fields.get(at + 1).map(|(_, letter)| *letter);
        let is_minutes = matches!(before, Some('h' | 'H')) || matches!(after, Some('s' | 'S'));
        if *letter == 'm'
            && is_minutes
            && let Part::Field(letter, _) = &mut parts[*index]
        {
            *letter = 'M';
        }
    }
}

fn show_date(parts: &[Part], number: f64, epoch: Epoch) -> Option<String> {
    if !(0.0..LAST_DAY).contains(&number) {
        return None;
    }
    // Times are kept to the millisecond: 0.1 + 0.2 must not show as a second less.
    let milliseconds = (number * 86_400_000.0).round() as i64;
    let (days, rest) = (milliseconds / 86_400_000, milliseconds % 86_400_000);
    let day = day(days, epoch)?;
    let seconds = rest / 1000;
    let has_half = parts.contains(&Part::Half);
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Literal(literal) => text.push_str(literal),
            Part::Half => text.push_str(if seconds < 43_200 { "AM" } else { "PM" }),
            Part::Fraction => text.push_str(&format!("{}", rest % 1000 / 100)),
            Part::Field('H', _) => text.push_str(&(milliseconds / 3_600_000).to_string()),
            Part::Field('S', _) => text.push_str(&(milliseconds / 1000).to_string()),
            Part::Field(letter, count) => {
                text.push_str(&field(*letter, *count, day, seconds, has_half));
            }
        }
    }
    Some(text.trim().to_owned())
}

fn field(letter: char, count: usize, day: Date, seconds: i64, has_half: bool) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    const DAYS: [&str; 7] =
        ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    let two = |number: i64| if count >= 2 { format!("{number:02}") } else { number.to_string() };
    let hours = seconds / 3600;
    match letter {
        'y' if count <= 2 => format!("{:02}", day.year().rem_euclid(100)),
        'y' => day.year().to_string(),
        'm' | 'd' if count >= 3 => {
            let name = match letter {
                'm' => MONTHS[(day.month() - 1) as usize],
                _ => DAYS[day.weekday().to_monday_zero_offset() as usize],
            };
            if count == 3 { name[..3].to_owned() } else { name.to_owned() }
        }
        'm' => two(day.month().into()),
        'd' => two(day.day().into()),
        'h' if has_half => two((hours + 11) % 12 + 1),
        'h' => two(hours),
        'M' => two(seconds / 60 % 60),
        _ => two(seconds % 60),
    }
}

fn day(days: i64, epoch: Epoch) -> Option<Date> {
    let first = match epoch {
        Epoch::Of1904 => date(1904, 1, 1),
        Epoch::Of1900 if days < 60 => date(1899, 12, 31),
        Epoch::Of1900 => date(1899, 12, 30),
    };
    first.checked_add(days.days()).ok()
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
        ] {
            assert_eq!(show(code, number), shown, "{code}");
        }
    }

    #[test]
    fn dates_are_shown_as_in_the_sheet() {
        for (code, number, shown) in [
            ("dd.mm.yyyy", 46_023.0, "01.01.2026"),
            ("d. mmmm yyyy", 46_054.0, "1. February 2026"),
            ("yyyy\\-mm\\-dd\\ hh:mm", 46_023.75, "2026-01-01 18:00"),
            ("h:mm AM/PM", 0.75, "6:00 PM"),
            ("[h]:mm", 1.5, "36:00"),
            ("mm:ss", 0.000_694_444_4, "01:00"),
            ("dd.mm.yy", -1.0, "-1"),
        ] {
            assert_eq!(show(code, number), shown, "{code}");
        }
        assert_eq!(NumberFormat::built_in(14).show(59.0, Epoch::Of1900), "1900-02-28");
        assert_eq!(NumberFormat::built_in(14).show(61.0, Epoch::Of1900), "1900-03-01");
        assert_eq!(NumberFormat::built_in(14).show(0.0, Epoch::Of1904), "1904-01-01");
    }
}
