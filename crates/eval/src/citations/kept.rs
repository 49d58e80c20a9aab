//! Claims that stay true: a sentence quoted, shortened or said in other words.

use allod_corpus::Language;

use super::altered::{find, replace};
use super::forms::day;
use super::random::Random;
use super::rules::{Rules, rules};

/// The ways in which a claim is said again.
pub(super) const KINDS: [&str; 10] = [
    "quoted",
    "shortened",
    "synonyms",
    "order",
    "passive",
    "digits",
    "dates",
    "framed",
    "reworded",
    "mixed",
];

/// The sentence said again in one way; `None` where it gives no occasion.
pub(super) fn keep(
    sentence: &str,
    kind: &str,
    words: &[String],
    language: Language,
    random: &mut Random,
) -> Option<String> {
    let rules = rules(language);
    match kind {
        "quoted" => Some(sentence.to_owned()),
        "shortened" => shortened(sentence, rules),
        "synonyms" => synonyms(sentence, rules, 3, random),
        "order" => order(sentence, rules),
        "passive" => passive(sentence, rules),
        "digits" => digits(sentence, rules),
        "dates" => dates(sentence, rules),
        "framed" => framed(sentence, rules, random),
        "reworded" => reworded(sentence, rules, words, random),
        "mixed" => mixed(sentence, rules, words, random),
        _ => None,
    }
}

/// A clause between commas left out that only describes, or an aside in brackets.
fn shortened(sentence: &str, rules: &Rules) -> Option<String> {
    if let (Some(open), Some(close)) = (sentence.find(" ("), sentence.find(')'))
        && open < close
    {
        return Some(replace(sentence, open, close + 1 - open, ""));
    }
    for word in &rules.relatives {
        let mark = format!(", {} ", word.replace('_', " "));
        let Some(at) = sentence.find(&mark) else { continue };
        let rest = &sentence[at + 2..];
        match rest.find(',') {
            Some(end) if rest[end..].len() > 12 => {
                return Some(format!("{}{}", &sentence[..at], &rest[end + 1..]));
            }
            None if at > 40 => return Some(format!("{}.", &sentence[..at])),
            _ => {}
        }
    }
    None
}

/// Up to so many phrases for others of the same meaning.
fn synonyms(sentence: &str, rules: &Rules, most: usize, random: &mut Random) -> Option<String> {
    let mut said = sentence.to_owned();
    let first = random.below(rules.synonyms.len());
    let mut count = 0;
    for step in 0..rules.synonyms.len() {
        let pair = &rules.synonyms[(first + step) % rules.synonyms.len()];
        if let (true, Some(at)) = (count < most, find(&said, pair[0])) {
            said = replace(&said, at, pair[0].len(), pair[1]);
            count += 1;
        }
    }
    (count > 0).then_some(said)
}

/// The condition before the rule put after it.
fn order(sentence: &str, rules: &Rules) -> Option<String> {
    let (before, after) = sentence.split_once(", ")?;
    let first = before.split(' ').next()?.to_lowercase();
    let conditional = rules.conditions.contains(&first.as_str());
    let whole = sentence.strip_suffix('.')?;
    if conditional && !after.contains(',') {
        let rest = after.trim_end_matches('.').trim_start_matches("so ");
        return Some(format!("{}, {}.", capital(rest), lower(before)));
    }
    let word = after.split(' ').next()?;
    if rules.conditions.contains(&word) && !after.contains(',') {
        let condition = &whole[before.len() + 2..];
        return Some(format!("{}, {}.", capital(condition), lower(before)));
    }
    None
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

fn lower(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_lowercase().chain(rest).collect())
}

/// `X regulates Y.` as `Y is regulated by X.`
fn passive(sentence: &str, rules: &Rules) -> Option<String> {
    let whole = sentence.strip_suffix('.')?;
    for pair in &rules.passives {
        let Some(at) = find(whole, pair[0]) else { continue };
        let (subject, object) = (whole[..at].trim(), whole[at + pair[0].len()..].trim());
        let plain = !whole.contains(',') && (1..=5).contains(&subject.split(' ').count());
        if plain && (1..=14).contains(&object.split(' ').count()) {
            let done = pair[1].replace("{}", &lower(subject));
            return Some(format!("{} {done}.", capital(object)));
        }
    }
    None
}

/// A number in words as digits, or digits as a word.
fn digits(sentence: &str, rules: &Rules) -> Option<String> {
    for (word, digits) in &rules.numbers {
        if let Some(at) = find(sentence, word) {
            return Some(replace(sentence, at, word.len(), digits));
        }
    }
    for (word, digits) in &rules.numbers {
        let Some(at) = find(sentence, digits) else { continue };
        let after = &sentence[at + digits.len()..];
        let before = sentence[..at].trim_end();
        let counts = after.starts_with(' ')
            && before.ends_with(char::is_alphabetic)
            && after[1..].starts_with(char::is_alphabetic)
            && !rules.months.iter().any(|month| after.trim_start().starts_with(month))
            && !["rt", "tikel", "ticle", "icolo", "tgel", "bsatz", "aragraph", "apoverso", "CHF"]
                .iter()
                .any(|end| before.ends_with(end));
        if counts {
            return Some(replace(sentence, at, digits.len(), word));
        }
    }
    None
}

/// A date with the month by name as one in figures.
fn dates(sentence: &str, rules: &Rules) -> Option<String> {
    let (range, day) = day(sentence, rules)?;
    Some(replace(sentence, range.start, range.len(), &day.written(2)))
}

/// A sentence put into a frame as models do.
fn framed(sentence: &str, rules: &Rules, random: &mut Random) -> Option<String> {
    let preface = random.pick(&rules.prefaces)?;
    Some(preface.replace("{}", sentence))
}

/// Some words that decide nothing for words that the check cannot know: what a paraphrase with
/// words outside of every list looks like.
fn reworded(
    sentence: &str,
    rules: &Rules,
    words: &[String],
    random: &mut Random,
) -> Option<String> {
    let tokens: Vec<&str> = sentence.split(' ').collect();
    let share = 5 + random.below(6);
    let mut count = 0;
    let mut said: Vec<String> = Vec::with_capacity(tokens.len());
    for (at, token) in tokens.iter().enumerate() {
        let free = at > 0
            && token.len() > 5
            && token.chars().all(char::is_alphabetic)
            && token.starts_with(char::is_lowercase)
            && !decides(token, rules);
        if free && random.below(share) < 2 {
            said.push(random.pick(words)?.clone());
            count += 1;
        } else {
            said.push((*token).to_owned());
        }
    }
    (count > 0).then(|| said.join(" "))
}

/// Whether a word belongs to a group whose members exclude each other.
fn decides(token: &str, rules: &Rules) -> bool {
    let groups = [
        &rules.parties,
        &rules.names,
        &rules.modals,
        &rules.units,
        &rules.opposites,
        &rules.quantifiers,
        &rules.comparisons,
        &rules.unnegations,
    ];
    groups.into_iter().flatten().flatten().any(|phrase| phrase.split(' ').any(|w| w == token))
        || rules.numbers.iter().any(|(word, _)| *word == token)
        || rules.months.contains(&token)
        || rules.conditions.contains(&token)
}

/// Several of these at once.
fn mixed(sentence: &str, rules: &Rules, words: &[String], random: &mut Random) -> Option<String> {
    let mut said = sentence.to_owned();
    let mut changes = 0;
    for step in 0..5 {
        let changed = match step {
            0 => shortened(&said, rules),
            1 => synonyms(&said, rules, 4, random),
            2 => dates(&said, rules).or_else(|| digits(&said, rules)),
            3 => passive(&said, rules).or_else(|| order(&said, rules)),
            _ => reworded(&said, rules, words, random),
        };
        if let Some(changed) = changed {
            said = changed;
            changes += 1;
        }
    }
    (changes >= 2).then_some(said)
}
