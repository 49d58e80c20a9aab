//! Dates and times of spreadsheets: the part of a number format that says how they are shown.

use jiff::ToSpan;
use jiff::civil::{Date, date};

use super::number_format::{Epoch, Sign};

/// Numbers beyond this are not dates.
const LAST_DAY: f64 = 2_958_466.0;

/// How a date or time is shown.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DateFormat {
    parts: Vec<Part>,
    names: &'static Names,
}

/// A part of a date or time.
#[derive(Debug, Clone, PartialEq)]
enum Part {
    /// `y`, `m`, `d`, `h`, `s`, `M` for minutes, and how many letters.
    Field(char, usize),
    /// All hours, minutes or seconds since the beginning, and how many letters.
    Elapsed(char, usize),
    Half,
    /// Tenths and smaller parts of a second, so many digits.
    Fraction(usize),
    Literal(String),
}

/// The names of months and days in a language.
#[derive(Debug, PartialEq)]
struct Names {
    months: [&'static str; 12],
    days: [&'static str; 7],
    /// Whether three letters tell them apart.
    are_cut: bool,
}

const ENGLISH: Names = Names {
    months: [
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
    ],
    days: ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    are_cut: true,
};
const GERMAN: Names = Names {
    months: [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
    days: ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"],
    are_cut: false,
};
const FRENCH: Names = Names {
    months: [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
    days: ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"],
    are_cut: false,
};
const ITALIAN: Names = Names {
    months: [
        "gennaio",
        "febbraio",
        "marzo",
        "aprile",
        "maggio",
        "giugno",
        "luglio",
        "agosto",
        "settembre",
        "ottobre",
        "novembre",
        "dicembre",
    ],
    days: ["lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato", "domenica"],
    are_cut: false,
};
const ROMANSH: Names = Names {
    months: [
        "schaner",
        "favrer",
        "mars",
        "avrigl",
        "matg",
        "zercladur",
        "fanadur",
        "avust",
        "settember",
        "october",
        "november",
        "december",
    ],
    days: ["glindesdi", "mardi", "mesemna", "gievgia", "venderdi", "sonda", "dumengia"],
    are_cut: false,
};

/// The names for the language that a format names ("[$-807]"), by the lower bits of its number.
fn names(locale: Option<u32>) -> &'static Names {
    match locale.unwrap_or(0) & 0x3ff {
        0x07 => &GERMAN,
        0x0c => &FRENCH,
        0x10 => &ITALIAN,
        0x17 => &ROMANSH,
        _ => &ENGLISH,
    }
}

impl DateFormat {
    /// Reads the signs of a section that has fields of dates.
    pub(super) fn of(signs: &[Sign], locale: Option<u32>) -> DateFormat {
        let mut parts: Vec<Part> = Vec::new();
        let mut index = 0;
        while let Some(sign) = signs.get(index) {
            let run = signs[index..].iter().take_while(|next| *next == sign).count();
            match sign {
                Sign::Literal(text) => literal(&mut parts, text),
                Sign::Elapsed(unit, count) => parts.push(Part::Elapsed(*unit, *count)),
                Sign::Bare('A' | 'a') => {
                    parts.push(Part::Half);
                    let half = |sign: &Sign| {
                        matches!(sign, Sign::Bare('A' | 'a' | 'M' | 'm' | 'P' | 'p' | '/'))
                    };
                    index += signs[index..].iter().take_while(|sign| half(sign)).count();
                    continue;
                }
                Sign::Bare('0') => parts.push(Part::Fraction(run)),
                Sign::Bare(letter) if is_field(*letter) => {
                    parts.push(Part::Field(letter.to_ascii_lowercase(), run));
                }
                Sign::Bare(character) => literal(&mut parts, &character.to_string().repeat(run)),
            }
            index += if matches!(sign, Sign::Bare(_)) { run } else { 1 };
        }
        minutes(&mut parts);
        DateFormat { parts, names: names(locale) }
    }

    /// The number as a date; nothing if it is none.
    pub(super) fn show(&self, number: f64, epoch: Epoch) -> Option<String> {
        if !(0.0..LAST_DAY).contains(&number) {
            return None;
        }
        // Times are kept to the millisecond: 0.1 + 0.2 must not show as a second less.
        let milliseconds = (number * 86_400_000.0).round() as i64;
        let (days, rest) = (milliseconds / 86_400_000, milliseconds % 86_400_000);
        let day = day(days, epoch)?;
        let seconds = rest / 1000;
        let has_half = self.parts.contains(&Part::Half);
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Half => text.push_str(if seconds < 43_200 { "AM" } else { "PM" }),
                Part::Fraction(count) => {
                    text.push_str(&format!("{:03}", rest % 1000)[..(*count).min(3)]);
                }
                Part::Elapsed(unit, count) => {
                    let unit = match unit {
                        'h' => 3_600_000,
                        'm' => 60_000,
                        _ => 1000,
                    };
                    let width = (*count).min(9);
                    text.push_str(&format!("{:0width$}", milliseconds / unit));
                }
                Part::Field(letter, count) => {
                    text.push_str(&self.field(*letter, *count, day, seconds, has_half));
                }
            }
        }
        Some(text.trim().to_owned())
    }

    fn field(&self, letter: char, count: usize, day: Date, seconds: i64, has_half: bool) -> String {
        let two =
            |number: i64| if count >= 2 { format!("{number:02}") } else { number.to_string() };
        let hours = seconds / 3600;
        match letter {
            'y' if count <= 2 => format!("{:02}", day.year().rem_euclid(100)),
            'y' => day.year().to_string(),
            'm' | 'd' if count >= 3 => {
                let name = match letter {
                    'm' => self.names.months[(day.month() - 1) as usize],
                    _ => self.names.days[day.weekday().to_monday_zero_offset() as usize],
                };
                let is_cut = count == 3 && self.names.are_cut;
                if is_cut { name[..3].to_owned() } else { name.to_owned() }
            }
            'm' => two(day.month().into()),
            'd' => two(day.day().into()),
            'h' if has_half => two((hours + 11) % 12 + 1),
            'h' => two(hours),
            'M' => two(seconds / 60 % 60),
            _ => two(seconds % 60),
        }
    }
}

/// Whether a letter of a format code stands for a part of a date or time; codes of some programs
/// have them in capitals.
pub(super) fn is_field(letter: char) -> bool {
    matches!(letter.to_ascii_lowercase(), 'y' | 'm' | 'd' | 'h' | 's')
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
            Part::Field(letter, _) | Part::Elapsed(letter, _) => Some((index, *letter)),
            _ => None,
        })
        .collect();
    for (at, (index, letter)) in fields.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| fields[before].1);
        let after = fields.get(at + 1).map(|(_, letter)| *letter);
        let is_minutes = before == Some('h') || after == Some('s');
        if *letter == 'm'
            && is_minutes
            && let Part::Field(letter, _) = &mut parts[*index]
        {
            *letter = 'M';
        }
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
    use super::super::number_format::{Epoch, NumberFormat};

    fn show(code: &str, number: f64) -> String {
        NumberFormat::parse(code).show(number, Epoch::Of1900)
    }

    #[test]
    fn dates_are_shown_as_in_the_sheet() {
        for (code, number, shown) in [
            ("dd.mm.yyyy", 46_023.0, "01.01.2026"),
            ("d. mmmm yyyy", 46_054.0, "1. February 2026"),
            ("yyyy\\-mm\\-dd\\ hh:mm", 46_023.75, "2026-01-01 18:00"),
            ("h:mm AM/PM", 0.75, "6:00 PM"),
            ("[h]:mm", 1.5, "36:00"),
            ("[hh]:mm", 0.125, "03:00"),
            ("[mm]:ss", 0.125, "180:00"),
            ("mm:ss", 0.000_694_444_4, "01:00"),
            ("ss.000", 0.000_001_5, "00.130"),
            ("dd.mm.yy", -1.0, "-1"),
        ] {
            assert_eq!(show(code, number), shown, "{code}");
        }
        assert_eq!(NumberFormat::built_in(14).show(59.0, Epoch::Of1900), "1900-02-28");
        assert_eq!(NumberFormat::built_in(14).show(61.0, Epoch::Of1900), "1900-03-01");
        assert_eq!(NumberFormat::built_in(14).show(0.0, Epoch::Of1904), "1904-01-01");
    }

    #[test]
    fn letters_of_dates_may_be_capitals() {
        for (code, shown) in [
            ("DD.MM.YYYY", "01.02.2026"),
            ("DD.MM.YYYY\\ HH:MM:SS", "01.02.2026 12:00:00"),
            ("YYYY-MM-DD", "2026-02-01"),
        ] {
            assert_eq!(show(code, 46_054.5), shown, "{code}");
        }
    }

    #[test]
    fn months_and_days_are_in_the_language_that_the_format_names() {
        for (code, shown) in [
            ("[$-807]d. mmmm yyyy;@", "1. März 2026"),
            ("[$-407]dddd", "Sonntag"),
            ("[$-100C]d mmm yyyy", "1 mars 2026"),
            ("[$-810]d mmmm yyyy", "1 marzo 2026"),
            ("[$-417]d mmmm yyyy", "1 mars 2026"),
            ("[$-409]d-mmm-yy", "1-Mar-26"),
        ] {
            assert_eq!(show(code, 46_082.0), shown, "{code}");
        }
    }
}
