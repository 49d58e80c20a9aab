//! Claims that stay true in other forms: dates and figures written otherwise, the first of two
//! clauses, a list in another order, the same limit or duty in other words.

use std::ops::Range;

use allod_corpus::Language;

use super::altered::{find, replace};
use super::random::Random;
use super::rules::{Rules, rules};

/// The ways in which a claim is put in another form.
pub(super) const KINDS: [&str; 5] = ["day form", "figure form", "clause", "list order", "alike"];

/// A clause that stands alone is not shorter.
const LEAST_CLAUSE_BYTES: usize = 25;

/// A date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) day: u32,
    pub(super) month: u32,
    pub(super) year: u32,
}

impl Day {
    /// In one of three forms of figures.
    pub(super) fn written(self, form: usize) -> String {
        let Day { day, month, year } = self;
        match form {
            0 => format!("{year}-{month:02}-{day:02}"),
            1 => format!("{day}.{month}.{year}"),
            _ => format!("{day:02}.{month:02}.{year}"),
        }
    }
}

/// The sentence in another form; `None` where it gives no occasion.
pub(super) fn form(
    sentence: &str,
    kind: &str,
    language: Language,
    random: &mut Random,
) -> Option<String> {
    let rules = rules(language);
    let formed = match kind {
        "day form" => {
            let (range, day) = day(sentence, rules)?;
            Some(replace(sentence, range.start, range.len(), &day.written(random.below(2))))
        }
        "figure form" => figure(sentence, rules, random),
        "clause" => clause(sentence, rules),
        "list order" => list(sentence, rules),
        _ => alike(sentence, rules, random),
    }?;
    (formed != sentence).then_some(formed)
}

/// The first date with the month by name.
pub(super) fn day(sentence: &str, rules: &Rules) -> Option<(Range<usize>, Day)> {
    for (index, month) in rules.months.iter().enumerate() {
        let Some(at) = find(sentence, month) else { continue };
        let before = sentence[..at].trim_end_matches("da ").trim_end();
        let day_end = before.strip_suffix('.').unwrap_or(before);
        let digits = day_end.bytes().rev().take_while(u8::is_ascii_digit).count();
        let after = sentence[at + month.len()..].strip_prefix(' ').unwrap_or_default();
        let year: String = after.chars().take_while(char::is_ascii_digit).collect();
        if (1..=2).contains(&digits) && year.len() == 4 {
            let start = day_end.len() - digits;
            let end = at + month.len() + 1 + year.len();
            let day = day_end[start..].parse().ok()?;
            let found = Day { day, month: index as u32 + 1, year: year.parse().ok()? };
            return Some((start..end, found));
        }
    }
    None
}

/// Where digits count something: a word stands before and after, and neither is a place or month.
pub(super) fn counts(sentence: &str, digits: &str, rules: &Rules) -> Option<usize> {
    let at = find(sentence, digits)?;
    let (before, after) = (&sentence[..at], &sentence[at + digits.len()..]);
    let last = before.strip_suffix(' ')?.rsplit(' ').next()?;
    let is_place =
        ["rt.", "tikel", "ticle", "icolo", "tgel", "bs.", "bsatz", "aragraph", "apoverso"]
            .iter()
            .any(|end| last.ends_with(end));
    let is_counted = after.strip_prefix(' ')?.starts_with(char::is_alphabetic);
    let is_date = rules.months.iter().any(|month| after.trim_start().starts_with(month));
    (is_counted && !is_date && !is_place && last.ends_with(char::is_alphabetic)).then_some(at)
}

/// Digits as a word or a word as digits, or thousands set apart in another way.
fn figure(sentence: &str, rules: &Rules, random: &mut Random) -> Option<String> {
    if let Some(grouped) = grouped(sentence) {
        let plain: String =
            sentence[grouped.clone()].chars().filter(char::is_ascii_digit).collect();
        let apart = if random.once_in(2) { plain.clone() } else { set_apart(&plain) };
        return Some(replace(sentence, grouped.start, grouped.len(), &apart));
    }
    let mut found = Vec::new();
    for (word, digits) in &rules.numbers {
        found.extend(find(sentence, word).map(|at| (at, word.len(), *digits)));
        found.extend(counts(sentence, digits, rules).map(|at| (at, digits.len(), *word)));
    }
    let (at, length, by) = *random.pick(&found)?;
    Some(replace(sentence, at, length, by))
}

/// `10 000`, `10'000`: where its digits stand.
fn grouped(sentence: &str) -> Option<Range<usize>> {
    let bytes = sentence.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    sentence.match_indices([' ', '\'', '’', '\u{a0}']).find_map(|(at, sign)| {
        let after = at + sign.len();
        let three = (after..after + 3).all(is_digit) && !is_digit(after + 3);
        let digits = bytes[..at].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let start = at - digits;
        let alone = start == 0 || bytes[start - 1] == b' ' && !is_digit(start.saturating_sub(2));
        let rest = sentence.get(after + 3..).unwrap_or_default();
        let more = rest.starts_with([' ', '\'', '’', '\u{a0}'])
            && rest.chars().nth(1).is_some_and(|c| c.is_ascii_digit());
        let is_whole = three && alone && !more && (1..=3).contains(&digits);
        is_whole.then_some(start..after + 3)
    })
}

fn set_apart(digits: &str) -> String {
    let (thousands, rest) = digits.split_at(digits.len() - 3);
    format!("{thousands}'{rest}")
}

/// The first of two clauses that `and` joins, where both have a verb and there is no condition.
fn clause(sentence: &str, rules: &Rules) -> Option<String> {
    let has_verb = |text: &str| rules.finite.iter().any(|verb| find(text, verb).is_some());
    let words = || sentence.split([' ', ',']).map(str::to_lowercase);
    let depends = words().any(|word| rules.conditions.contains(&word.as_str()))
        || rules.exceptions.iter().any(|word| find(sentence, word).is_some());
    if depends {
        return None;
    }
    let cut = sentence.split_once("; ").or_else(|| {
        rules.conjunctions.iter().find_map(|word| sentence.split_once(&format!(", {word} ")))
    });
    let (first, second) = cut?;
    let stands = first.len() >= LEAST_CLAUSE_BYTES && has_verb(first) && has_verb(second);
    (stands && !first.contains([':', '('])).then(|| format!("{first}."))
}

/// `a, b and c` as `c, a and b`, where each is one word.
fn list(sentence: &str, rules: &Rules) -> Option<String> {
    let words: Vec<&str> = sentence.split(' ').collect();
    let is_word = |word: &str| word.len() > 3 && word.chars().all(char::is_alphabetic);
    for (at, part) in words.windows(4).enumerate() {
        let [a, b, joint, c] = part else { continue };
        let last = c.trim_end_matches(['.', ',', ';']);
        let first = a.strip_suffix(',').filter(|a| is_word(a));
        let Some(first) = first.filter(|_| rules.conjunctions.contains(joint)) else { continue };
        let before = words[..at].last().is_some_and(|word| word.ends_with(','));
        if at > 0 && !before && is_word(b) && is_word(last) && !rules.finite.contains(&last) {
            let end = &c[last.len()..];
            let said = format!("{last}, {first} {joint} {b}{end}");
            let (head, tail) = (words[..at].join(" "), words[at + 4..].join(" "));
            return Some(format!("{head} {said} {tail}").trim().to_owned());
        }
    }
    None
}

/// A limit, a duty or a denial in other words of the same meaning.
fn alike(sentence: &str, rules: &Rules, random: &mut Random) -> Option<String> {
    let found: Vec<(usize, &super::rules::Turn)> =
        rules.alikes.iter().filter_map(|turn| Some((find(sentence, turn.from)?, turn))).collect();
    let (at, turn) = random.pick(&found)?;
    Some(replace(sentence, *at, turn.from.len(), turn.to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_in_other_forms() {
        let random = &mut Random::new(1);
        let mut formed = |kind, text: &str| form(text, kind, Language::De, random);
        let said = formed("day form", "Sie gilt ab dem 1. März 2020.").unwrap();
        assert!(["Sie gilt ab dem 2020-03-01.", "Sie gilt ab dem 1.3.2020."].contains(&&*said));
        let said = formed("figure form", "Sie kostet 10 000 Franken.").unwrap();
        assert!(said.contains("10000") || said.contains("10'000"), "{said}");
        let both = "Der Kanton regelt die Aufsicht, und der Bund fördert die Forschung.";
        assert_eq!(formed("clause", both).as_deref(), Some("Der Kanton regelt die Aufsicht."));
        let list = "Er schützt Pflanzen, Tiere und Wälder.";
        assert_eq!(
            formed("list order", list).as_deref(),
            Some("Er schützt Wälder, Pflanzen und Tiere.")
        );
    }
}
