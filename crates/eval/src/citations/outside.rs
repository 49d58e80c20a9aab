//! Claims of a third kind, as a stranger to the check would alter them or say them again: another
//! party of the same sort, a condition turned round or left out, other prefixes and currencies, a
//! figure from elsewhere in the text, two sentences made one, and rows of tables.

use allod_corpus::Language;

use super::altered::{alter, find, replace};
use super::random::{Random, hash};
use super::rules::{Rules, rules};
use super::source::Passage;

/// The ways in which a claim is altered.
pub(super) const ALTERED: [&str; 11] = [
    "sibling",
    "reversed",
    "prefix",
    "currency",
    "years",
    "hedged",
    "narrowed",
    "frame denied",
    "leading condition",
    "borrowed figure",
    "merged",
];

/// The ways in which it stays true.
pub(super) const KEPT: [&str; 4] = ["frame kept", "joined", "listed", "set otherwise"];

/// What one of two sentences that are made one is altered in.
const MERGED: [&str; 6] = ["number", "negation", "party", "modality", "unit", "date"];

/// A rest that is shorter says nothing.
const LEAST_REST_BYTES: usize = 30;

/// The sentence altered in one way, with what it cites; `None` where it gives no occasion.
pub(super) fn alter_outside(
    passage: &Passage,
    next: Option<&Passage>,
    kind: &str,
    random: &mut Random,
) -> Option<String> {
    let rules = rules(passage.language);
    let sentence = &passage.sentence;
    let altered = match kind {
        "frame denied" => Some(random.pick(&frames(rules, kind))?.replace("{}", sentence)),
        "leading condition" => leading_condition(sentence, rules),
        "borrowed figure" => borrowed(sentence, &passage.article, rules),
        "merged" => {
            let next = &next?.sentence;
            let kinds = MERGED.iter().filter_map(|kind| {
                let wrong = alter(next, sentence, kind, passage.language, random)?;
                (wrong != *next).then_some(wrong)
            });
            let wrong: Vec<String> = kinds.collect();
            Some(joined(sentence, random.pick(&wrong)?))
        }
        kind => directed(sentence, kind, rules, random),
    }?;
    (altered != *sentence).then_some(altered)
}

/// The sentence said again in one way; `None` where it gives no occasion.
pub(super) fn keep_outside(
    passage: &Passage,
    next: Option<&Passage>,
    kind: &str,
    random: &mut Random,
) -> Option<String> {
    let rules = rules(passage.language);
    let sentence = &passage.sentence;
    let kept = match kind {
        "frame kept" => Some(random.pick(&frames(rules, kind))?.replace("{}", sentence)),
        "joined" => Some(joined(sentence, &next?.sentence)),
        "listed" => listed(sentence, rules),
        _ => set_otherwise(sentence),
    }?;
    (kept != *sentence).then_some(kept)
}

fn frames(rules: &Rules, kind: &str) -> Vec<&'static str> {
    rules.frames.iter().filter(|(name, _)| *name == kind).map(|(_, frame)| *frame).collect()
}

fn directed(sentence: &str, kind: &str, rules: &Rules, random: &mut Random) -> Option<String> {
    let of_kind = rules.turns.iter().filter(|turn| turn.kind == kind);
    let free = |turn: &&super::rules::Turn| find(sentence, turn.to).is_none();
    let found: Vec<(usize, &super::rules::Turn)> =
        of_kind.filter(free).filter_map(|turn| Some((find(sentence, turn.from)?, turn))).collect();
    let (at, turn) = random.pick(&found)?;
    Some(replace(sentence, *at, turn.from.len(), turn.to))
}

/// The condition that a sentence begins with left out.
fn leading_condition(sentence: &str, rules: &Rules) -> Option<String> {
    let (before, after) = sentence.split_once(", ")?;
    let first = before.split([' ', '’']).next()?.to_lowercase();
    let is_condition = rules.conditions.contains(&first.as_str());
    let rest = after.trim_start_matches("so ");
    let mut letters = rest.chars();
    let first: String = letters.next()?.to_uppercase().collect();
    (is_condition && rest.len() > LEAST_REST_BYTES).then(|| format!("{first}{}", letters.as_str()))
}

/// A figure of the sentence for one that stands elsewhere in its article.
fn borrowed(sentence: &str, article: &str, rules: &Rules) -> Option<String> {
    let counted = |text: &str, digits: &str| {
        let at = find(text, digits)?;
        let month = |name: &&&str| text[at + digits.len()..].trim_start().starts_with(**name);
        let is_date = rules.months.iter().any(|name| month(&name));
        let before = text[..at].trim_end().rsplit(' ').next().unwrap_or_default();
        let place = before.ends_with('.') || before.to_lowercase().contains("ar");
        let after = text[at + digits.len()..].strip_prefix(' ')?;
        (!is_date && !place && after.starts_with(char::is_alphabetic)).then_some(at)
    };
    let digits = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
        words.filter(|word| word.len() < 4).map(str::to_owned).collect()
    };
    let rest = article.replace(sentence, " ");
    let mine = digits(sentence).into_iter().find(|own| counted(sentence, own).is_some())?;
    let other = digits(&rest)
        .into_iter()
        .find(|other| counted(&rest, other).is_some() && find(sentence, other).is_none())?;
    let at = counted(sentence, &mine)?;
    Some(replace(sentence, at, mine.len(), &other))
}

/// Two sentences as one.
fn joined(one: &str, other: &str) -> String {
    format!("{}; {other}", one.trim_end_matches('.'))
}

/// `a, b and c` as `a and b`, where each is one word.
fn listed(sentence: &str, rules: &Rules) -> Option<String> {
    let words: Vec<&str> = sentence.split(' ').collect();
    let is_word = |word: &str| word.len() > 3 && word.chars().all(char::is_alphabetic);
    for (at, part) in words.windows(4).enumerate() {
        let [a, b, joint, c] = part else { continue };
        let first = a.strip_suffix(',').filter(|a| is_word(a));
        let last = c.trim_end_matches(['.', ',', ';']);
        let list = first.is_some() && rules.conjunctions.contains(joint);
        if list && is_word(b) && is_word(last) && !rules.finite.contains(&last) {
            let end = &c[last.len()..];
            let said = format!("{} {joint} {b}{end}", first.unwrap_or_default());
            let (head, tail) = (words[..at].join(" "), words[at + 4..].join(" "));
            return Some(format!("{head} {said} {tail}").trim().to_owned());
        }
    }
    None
}

/// Other apostrophes, dashes and blanks, as programs for text set them.
fn set_otherwise(sentence: &str) -> Option<String> {
    let other: String = sentence
        .chars()
        .map(|c| match c {
            '’' => '\'',
            '\'' => '’',
            '–' => '-',
            '\u{a0}' => ' ',
            other => other,
        })
        .collect();
    (other != sentence).then_some(other)
}

/// A claim about a row of a table: whether it is true, the claim, the rows.
pub(super) struct Row {
    pub(super) supported: bool,
    pub(super) claim: String,
    pub(super) cited: String,
}

/// Claims about the rows of made tables, true and false ones in turn.
pub(super) fn rows(language: Language, most: usize, seed: u64) -> Vec<Row> {
    let rules = rules(language);
    let mut random = Random::new(seed ^ hash(&format!("rows {}", language.code())));
    (0..most * 2).filter_map(|turn| row(rules, turn % 2 == 0, &mut random)).collect()
}

fn row(rules: &Rules, supported: bool, random: &mut Random) -> Option<Row> {
    let [service, fee, time] = rules.table_headers[..] else { return None };
    let count = 3 + random.below(4);
    let first = random.below(rules.table_names.len());
    let names: Vec<&str> =
        (0..count).map(|at| rules.table_names[(first + at) % rules.table_names.len()]).collect();
    let fees: Vec<usize> = (0..count).map(|at| 15 + 20 * at + random.below(19)).collect();
    let times: Vec<usize> = (0..count).map(|at| 2 + 7 * at + random.below(6)).collect();
    let unit = rules.table_unit;
    let lines: Vec<String> = (0..count)
        .map(|at| {
            format!(
                "{service}: {}; {fee}: CHF {}; {time}: {} {unit}",
                names[at], fees[at], times[at]
            )
        })
        .collect();
    let at = random.below(count);
    let value = if supported { at } else { (at + 1 + random.below(count - 1)) % count };
    let says = random.pick(&rules.table_says)?;
    let claim = says
        .replace("{name}", names[at])
        .replace("{fee}", &fees[value].to_string())
        .replace("{time}", &times[value].to_string());
    let alone = random.once_in(2);
    let cited = if alone { lines[at].clone() } else { lines.join("\n") };
    Some(Row { supported, claim, cited })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_said_truly_or_with_the_value_of_another_row() {
        for language in Language::ALL {
            for row in rows(language, 20, 3) {
                let digits: String = row.claim.chars().filter(char::is_ascii_digit).collect();
                let name = rules(language).table_names.iter().find(|n| row.claim.contains(**n));
                let line = row.cited.lines().find(|line| line.contains(*name.unwrap())).unwrap();
                let unit = rules(language).table_unit;
                let held = match row.claim.contains("CHF") {
                    true => line.contains(&format!("CHF {digits};")),
                    false => line.ends_with(&format!(" {digits} {unit}")),
                };
                assert_eq!(held, row.supported, "{} / {}", row.claim, row.cited);
            }
        }
    }

    #[test]
    fn a_leading_condition_is_left_out_and_figures_are_borrowed() {
        let rules = rules(Language::En);
        let text = "If the fee is not paid, the office refuses to hand out the permit.";
        let left = leading_condition(text, rules).unwrap();
        assert_eq!(left, "The office refuses to hand out the permit.");
        let article = "The permit lasts for 5 years. The renewal takes at least 30 days of work.";
        let borrowed = borrowed("The permit lasts for 5 years.", article, rules).unwrap();
        assert_eq!(borrowed, "The permit lasts for 30 years.");
    }
}
