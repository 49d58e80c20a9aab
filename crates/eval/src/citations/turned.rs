//! Claims that are no longer true by alterations of another kind: figures written out, bounds and
//! exceptions, parties in each other's place, denials and duties in other words.

use allod_corpus::Language;

use super::altered::{find, replace, swap};
use super::forms::{self, Day};
use super::random::Random;
use super::rules::{Rules, rules};

/// The ways in which a claim is turned.
pub(super) const KINDS: [&str; 11] = [
    "word figure",
    "ordinal",
    "fraction",
    "measure",
    "bound",
    "day",
    "swapped",
    "exception",
    "every",
    "denial",
    "duty",
];

/// An exception is left out only of a sentence that says something without it.
const LEAST_REST_BYTES: usize = 30;

/// The sentence turned in one way; `None` where it holds nothing of the kind.
pub(super) fn turn(
    sentence: &str,
    kind: &str,
    language: Language,
    random: &mut Random,
) -> Option<String> {
    let rules = rules(language);
    let turned = match kind {
        "word figure" => word_figure(sentence, rules, random),
        "ordinal" => swap(sentence, &rules.ordinals, random),
        "fraction" => swap(sentence, &rules.fractions, random),
        "measure" => measure(sentence, rules, random),
        "day" => day(sentence, rules, random),
        "swapped" => swapped(sentence, rules),
        "exception" => exception(sentence, rules),
        "denial" if random.once_in(2) => never(sentence, rules, random),
        kind => directed(sentence, kind, rules, random),
    }?;
    (turned != sentence).then_some(turned)
}

/// One phrase of a rule for what it is turned into.
fn directed(sentence: &str, kind: &str, rules: &Rules, random: &mut Random) -> Option<String> {
    let of_kind = rules.turns.iter().filter(|turn| turn.kind == kind);
    let found: Vec<(usize, &super::rules::Turn)> =
        of_kind.filter_map(|turn| Some((find(sentence, turn.from)?, turn))).collect();
    let (at, turn) = random.pick(&found)?;
    Some(replace(sentence, *at, turn.from.len(), turn.to))
}

/// A figure in digits for another one in words, or the reverse.
fn word_figure(sentence: &str, rules: &Rules, random: &mut Random) -> Option<String> {
    let mut found = Vec::new();
    for (word, digits) in &rules.numbers {
        found.extend(find(sentence, word).map(|at| (at, word.len(), *digits, true)));
        let counted = forms::counts(sentence, digits, rules);
        found.extend(counted.map(|at| (at, digits.len(), *digits, false)));
    }
    let (at, length, digits, in_words) = *random.pick(&found)?;
    let others: Vec<&(&str, &str)> =
        rules.numbers.iter().filter(|(_, other)| *other != digits).collect();
    let (word, other) = random.pick(&others)?;
    Some(replace(sentence, at, length, if in_words { other } else { word }))
}

/// Another unit behind a figure.
fn measure(sentence: &str, rules: &Rules, random: &mut Random) -> Option<String> {
    let counted: Vec<Vec<&str>> = rules
        .measures
        .iter()
        .filter(|group| {
            find(sentence, group[0]).is_some_and(|at| {
                let last = sentence[..at].trim_end().rsplit(' ').next().unwrap_or_default();
                let next = sentence[at + group[0].len()..].trim_start();
                let is_word = rules.numbers.iter().any(|(word, _)| *word == last);
                let is_code = group[0].chars().all(char::is_uppercase);
                is_word
                    || last.ends_with(|c: char| c.is_ascii_digit())
                    || is_code && next.starts_with(|c: char| c.is_ascii_digit())
            })
        })
        .cloned()
        .collect();
    let group = random.pick(&counted)?;
    let at = find(sentence, group[0])?;
    Some(replace(sentence, at, group[0].len(), group[1 + random.below(group.len() - 1)]))
}

/// A date in another form, and another day, month or year.
fn day(sentence: &str, rules: &Rules, random: &mut Random) -> Option<String> {
    let (range, day) = forms::day(sentence, rules)?;
    let other = match random.below(3) {
        0 => Day { day: day.day % 28 + 1, ..day },
        1 => Day { month: day.month % 12 + 1, ..day },
        _ => Day { year: day.year + 1, ..day },
    };
    Some(replace(sentence, range.start, range.len(), &other.written(random.below(3))))
}

/// Two parties of the sentence in each other's place, each in the form that its place asks for.
fn swapped(sentence: &str, rules: &Rules) -> Option<String> {
    let phrases = rules.parties.iter().enumerate();
    let mut found: Vec<(usize, &str, usize)> = phrases
        .flat_map(|(group, phrases)| phrases.iter().map(move |phrase| (group, *phrase)))
        .filter_map(|(group, phrase)| Some((find(sentence, phrase)?, phrase, group)))
        .collect();
    found.sort_unstable();
    found.dedup_by(|a, b| a.0 == b.0);
    let [(a, one, first), (b, other, second)] = found[..] else { return None };
    let between = sentence.get(a + one.len()..b)?;
    let joins = sentence.split(' ').any(|word| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        rules.together.contains(&word.as_str())
    });
    if joins || between.trim().len() < 4 || stem(one) == stem(other) {
        return None;
    }
    let form = |group: usize, of: &str| {
        rules.parties[group].iter().copied().find(|phrase| stem(phrase) == stem(of))
    };
    let later = replace(sentence, b, other.len(), form(second, one)?);
    Some(replace(&later, a, one.len(), form(first, other)?))
}

/// The first letters of the last word of a party: the same in all its cases.
fn stem(party: &str) -> String {
    let last = party.rsplit([' ', '’', '\'']).next().unwrap_or(party);
    last.to_lowercase().chars().take(5).collect()
}

/// What is excepted left out, up to the next comma or the end.
fn exception(sentence: &str, rules: &Rules) -> Option<String> {
    let places = rules.exceptions.iter().filter_map(|word| find(sentence, word));
    let at = places.min().filter(|at| *at > LEAST_REST_BYTES)?;
    let before = sentence[..at].trim_end_matches([',', ' ', '(', '–']);
    let rest = &sentence[at..];
    let end = rest.find([',', ';', '.']).unwrap_or(rest.len());
    let after = rest[end..].trim_start_matches(',').trim();
    let is_end = after.len() < 3;
    Some(if is_end { format!("{before}.") } else { format!("{before} {after}") })
}

/// A verb denied by other words than `not`.
fn never(sentence: &str, rules: &Rules, random: &mut Random) -> Option<String> {
    let denies = rules.unnegations.iter().any(|pair| find(sentence, pair[0]).is_some());
    if denies {
        return None;
    }
    let verbs: Vec<(usize, &str)> =
        rules.finite.iter().filter_map(|verb| Some((find(sentence, verb)?, *verb))).collect();
    let (at, verb) = random.pick(&verbs)?;
    let denied = random.pick(&rules.nevers)?.replace("{}", verb);
    let elided = denied.replace("ne e", "n’e").replace("ne a", "n’a");
    Some(replace(sentence, *at, verb.len(), &elided))
}
