//! Telephone numbers, as they are written in Switzerland, Germany, France, Italy, Austria, Britain
//! and the United States, and any with a country code.

use crate::context::Surroundings;
use crate::finding::{Finding, How};
use crate::fold::{DIGIT, Folded, OPENS};
use crate::kind::Kind;
use crate::series::{ends_after, ends_before};

const DIGITS_MAX: usize = 18;
/// It is one more that says that there are more.
const DIGITS_ROOM: usize = DIGITS_MAX + 1;

const WORDS: &[&str] = &[
    "tel",
    "phone",
    "mobil",
    "fax",
    "call",
    "handy",
    "natel",
    "rufnummer",
    "ruf ",
    "cell",
    "portable",
    "numéro",
    "numero de tel",
    "chiam",
    "chiama",
    "cellulare",
    "recapito",
    "joindre",
    "appel",
    "erreichbar",
    "anruf",
    "rufen",
    "sms",
    "whatsapp",
    "desk",
    "office",
    "clom",
    "telefonin",
    "reach",
    "answering",
    "messages to",
];

/// A run of digits with what is put between them.
struct Run {
    start: usize,
    end: usize,
    digits: Few<DIGITS_ROOM>,
    /// Digits of each group.
    groups: Few<DIGITS_ROOM>,
    /// Whether it begins with `+`, or with `(`.
    plus: bool,
    bracket: bool,
    extension: bool,
}

/// A few small numbers, without memory of their own: few runs of digits are telephone numbers.
struct Few<const MOST: usize> {
    all: [u8; MOST],
    count: usize,
}

impl<const MOST: usize> Few<MOST> {
    const NONE: Few<MOST> = Few { all: [0; MOST], count: 0 };

    fn push(&mut self, one: u8) {
        self.all[self.count] = one;
        self.count += 1;
    }

    fn len(&self) -> usize {
        self.count
    }
}

impl<const MOST: usize> std::ops::Deref for Few<MOST> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.all[..self.count]
    }
}

/// Finds telephone numbers.
pub(crate) fn find(text: &Folded) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut place = 0;
    let may_begin = |now: u8, before: u8| now & OPENS != 0 || now & DIGIT > before & DIGIT;
    while let Some(next) = text.find(place, may_begin) {
        place = next;
        let Some(run) = run(text, place) else {
            place += 1;
            continue;
        };
        if let Some((score, how)) = judge(text, &run) {
            let range = text.bytes(run.start..run.end);
            found.push(Finding { range, kind: Kind::Phone, score, how });
        }
        place = run.end.max(place + 1);
    }
    found
}

fn run(text: &Folded, start: usize) -> Option<Run> {
    let first = text.at(start);
    let begins = match first {
        _ if text.is(start, DIGIT) => true,
        '+' => text.at(start + 1).is_ascii_digit() || text.at(start + 1) == '(',
        '(' => text.at(start + 1).is_ascii_digit() || text.at(start + 1) == '+',
        _ => false,
    };
    if !begins || text.is_after(start, DIGIT) || !ends_before(text, start) {
        return None;
    }
    let mut run = Run {
        start,
        end: start,
        digits: Few::NONE,
        groups: Few::NONE,
        plus: first == '+' || first == '(' && text.at(start + 1) == '+',
        bracket: first == '(',
        extension: false,
    };
    let mut place = start;
    let mut gap = 1;
    while place < text.len() && run.digits.len() <= DIGITS_MAX {
        let char = text.at(place);
        if char.is_ascii_digit() {
            if gap > 0 {
                run.groups.push(0);
            }
            run.groups.all[run.groups.count - 1] += 1;
            run.digits.push(char as u8);
            (gap, run.end) = (0, place + 1);
        } else if matches!(char, ' ' | '-' | '.' | '/' | '(' | ')' | '+') && gap < 3 {
            gap += 1;
        } else {
            break;
        }
        place += 1;
    }
    if run.digits.len() < 5 {
        return None;
    }
    take_extension(text, &mut run);
    Some(run)
}

/// `x123`, ` ext. 12`.
fn take_extension(text: &Folded, run: &mut Run) {
    let rest: String = (run.end..run.end + 6).map(|at| text.at(at).to_ascii_lowercase()).collect();
    let trimmed = rest.trim_start_matches(' ');
    let word = ["ext. ", "ext.", "ext ", "x"].into_iter().find(|word| trimmed.starts_with(word));
    let Some(word) = word else { return };
    let from = run.end + (rest.len() - trimmed.len()) + word.len();
    let digits = (from..from + 6).take_while(|at| text.at(*at).is_ascii_digit()).count();
    if digits > 0 {
        (run.end, run.extension) = (from + digits, true);
    }
}

fn judge(text: &Folded, run: &Run) -> Option<(f32, How)> {
    if run.digits.len() > 15 + 2 || !ends_after(text, run.end) {
        return None;
    }
    if international(run) {
        return Some((0.93, How::Pattern));
    }
    let named = || Surroundings::of(text, run.start, run.end).beside(WORDS);
    match national(run) {
        true => Some((if named() { 0.92 } else { 0.75 }, How::Pattern)),
        false if plausible(run) && named() => Some((0.7, How::Context)),
        false => None,
    }
}

/// Country calling codes of one and two digits, and the first two digits of those with three
/// (ITU-T E.164).
fn international(run: &Run) -> bool {
    let number = match (run.plus, run.digits.strip_prefix(b"00")) {
        (true, _) => &*run.digits,
        (false, Some(rest)) => rest,
        (false, None) => return false,
    };
    let zone = number.first().copied().unwrap_or(b'0');
    zone != b'0'
        && (8..=15).contains(&number.len())
        && (run.plus
            || run.groups.len() > 1
            || ["41", "49", "33", "39", "43", "423"]
                .iter()
                .any(|code| number.starts_with(code.as_bytes())))
}

fn national(run: &Run) -> bool {
    let (digits, groups) = (&*run.digits, &*run.groups);
    let first = digits[0];
    let swiss = first == b'0'
        && digits.len() == 10
        && digits[1] != b'0'
        && matches!(groups, [3, 3, 2, 2] | [10] | [3, 7] | [3, 3, 4]);
    let french = first == b'0' && digits.len() == 10 && matches!(groups, [2, 2, 2, 2, 2]);
    let german = first == b'0'
        && (7..=13).contains(&digits.len())
        && (2..=5).contains(&groups.len())
        && (3..=6).contains(&groups[0]);
    let italian = matches!(groups, [3, 7] | [3, 3, 4] | [3, 3, 2, 2] | [10])
        && digits.len() == 10
        && first == b'3';
    let british = first == b'0' && digits.len() == 11 && matches!(groups[0], 3..=5);
    let american = matches!(groups, [3, 3, 4] | [1, 3, 3, 4] | [3, 7])
        && matches!(digits[digits.len() - 10], b'2'..=b'9');
    swiss
        || french
        || german
        || italian
        || british
        || american
        || run.extension
        || run.bracket && digits.len() >= 7
}

/// Whether it could be a number that someone is called by.
fn plausible(run: &Run) -> bool {
    (6..=15).contains(&run.digits.len()) && run.groups.iter().all(|group| *group >= 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let folded = Folded::new(text);
        find(&folded).into_iter().map(|one| &text[one.range]).collect()
    }

    #[test]
    fn numbers_of_each_country_are_found() {
        for number in [
            "+41 44 668 18 00",
            "044 668 18 00",
            "079/123 45 67",
            "+41 (0)71 526 99 04",
            "0049 30 901820",
            "030 / 901 820",
            "(089) 123456",
            "01 42 68 53 00",
            "+39 06 6982 1234",
            "333 123 4567",
            "(415) 555-0132",
            "345-899-3560x4587",
            "415.555.0132 ext. 12",
        ] {
            assert_eq!(found(&format!("so {number}, bitte")), [number]);
        }
    }

    #[test]
    fn other_numbers_are_not() {
        for text in ["12.10.2024", "Art. 335", "CHF 12 500.00", "2024-10-12", "8001", "1 000 000"] {
            assert!(found(text).is_empty(), "{text}");
        }
        assert_eq!(found("Tel. 434 14 55"), ["434 14 55"]);
    }
}
