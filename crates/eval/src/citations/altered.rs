//! Claims that are no longer true: one thing of a sentence is altered.

use allod_corpus::Language;

use super::random::Random;
use super::rules::{Rules, rules};

/// The ways in which a claim is altered.
pub(super) const KINDS: [&str; 16] = [
    "number",
    "amount",
    "percent",
    "date",
    "unit",
    "negation",
    "party",
    "name",
    "modality",
    "reference",
    "quantifier",
    "comparison",
    "roles",
    "opposite",
    "condition",
    "splice",
];

/// The sentence altered in one way; `None` where it holds nothing of the kind.
pub(super) fn alter(
    sentence: &str,
    other: &str,
    kind: &str,
    language: Language,
    random: &mut Random,
) -> Option<String> {
    let rules = rules(language);
    let altered = match kind {
        "number" => number(sentence, rules, random),
        "amount" => figure(sentence, random, |before, after| {
            money(before.trim_end()) || money_begins(after.trim_start())
        }),
        "percent" => figure(sentence, random, |_, after| {
            let after = after.trim_start().to_lowercase();
            ["%", "prozent", "pour cent", "pourcent", "percento", "per cent", "pertschient"]
                .iter()
                .any(|sign| after.starts_with(sign))
        }),
        "date" => date(sentence, rules, random),
        "unit" => unit(sentence, rules, random),
        "negation" => negation(sentence, rules, random),
        "party" => swap(sentence, &rules.parties, random),
        "name" => swap(sentence, &rules.names, random),
        // Outside German, `may not` and `must not` forbid alike.
        "modality" if language != Language::De && denies(sentence, rules) => None,
        "modality" => swap(sentence, &rules.modals, random),
        "reference" => reference(sentence, random),
        "quantifier" => first_of(sentence, &rules.quantifiers, random),
        "comparison" => swap(sentence, &rules.comparisons, random),
        "roles" => roles(sentence, rules),
        "opposite" => swap(sentence, &rules.opposites, random),
        "condition" => condition(sentence, rules),
        "splice" => splice(sentence, other),
        _ => None,
    }?;
    (altered != sentence).then_some(altered)
}

fn denies(sentence: &str, rules: &Rules) -> bool {
    let words = rules.unnegations.iter().map(|pair| pair[0]);
    words
        .chain(["Nagin", "nagin", "No", "neither", "né", "ni", "aucun"])
        .any(|word| find(sentence, word).is_some())
}

/// Where a phrase stands as whole words.
pub(super) fn find(text: &str, phrase: &str) -> Option<usize> {
    let is_word = |c: char| c.is_alphanumeric();
    text.match_indices(phrase).map(|(at, _)| at).find(|at| {
        let before = text[..*at].chars().next_back();
        let after = text[at + phrase.len()..].chars().next();
        let open = phrase.ends_with(['’', '\'']);
        !before.is_some_and(is_word) && (open || !after.is_some_and(is_word))
    })
}

pub(super) fn replace(text: &str, at: usize, length: usize, by: &str) -> String {
    let replaced = format!("{}{by}{}", &text[..at], &text[at + length..]);
    replaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// One member of a group for another that the sentence does not hold.
pub(super) fn swap(sentence: &str, groups: &[Vec<&str>], random: &mut Random) -> Option<String> {
    let mut found = Vec::new();
    for group in groups {
        for phrase in group {
            if let Some(at) = find(sentence, phrase) {
                found.push((at, *phrase, group));
            }
        }
    }
    let (at, phrase, group) = random.pick(&found)?;
    let same = |other: &&&str| other.to_lowercase() == phrase.to_lowercase();
    let others: Vec<&&str> =
        group.iter().filter(|o| !same(o) && find(sentence, o).is_none()).collect();
    Some(replace(sentence, *at, phrase.len(), random.pick(&others)?))
}

/// The first member of a group for the second.
fn first_of(sentence: &str, groups: &[Vec<&str>], random: &mut Random) -> Option<String> {
    let found: Vec<(usize, &Vec<&str>)> =
        groups.iter().filter_map(|group| Some((find(sentence, group[0])?, group))).collect();
    let (at, group) = random.pick(&found)?;
    Some(replace(sentence, *at, group[0].len(), group[1]))
}

/// Runs of digits: where they begin and end.
fn figures(sentence: &str) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (at, character) in sentence.char_indices() {
        let inner = matches!(character, '.' | ',' | '\'' | '’')
            && sentence[at + character.len_utf8()..].starts_with(|c: char| c.is_ascii_digit());
        match found.last_mut() {
            Some((_, end)) if *end == at && (character.is_ascii_digit() || inner) => {
                *end = at + character.len_utf8();
            }
            _ if character.is_ascii_digit() => found.push((at, at + 1)),
            _ => {}
        }
    }
    found
}

/// A figure whose surroundings are as wanted, with other digits.
fn figure(
    sentence: &str,
    random: &mut Random,
    fits: impl Fn(&str, &str) -> bool,
) -> Option<String> {
    let fitting: Vec<(usize, usize)> = figures(sentence)
        .into_iter()
        .filter(|(start, end)| fits(&sentence[..*start], &sentence[*end..]))
        .collect();
    let (start, end) = *random.pick(&fitting)?;
    Some(replace(sentence, start, end - start, &other_figure(&sentence[start..end], random)))
}

fn other_figure(figure: &str, random: &mut Random) -> String {
    let digits: Vec<usize> =
        figure.char_indices().filter(|(_, c)| c.is_ascii_digit()).map(|(at, _)| at).collect();
    let at = digits[random.below(digits.len().min(2))];
    let old = figure.as_bytes()[at] - b'0';
    let mut new = 1 + random.below(9) as u8;
    if new == old {
        new = if old == 9 { 8 } else { old + 1 };
    }
    format!("{}{new}{}", &figure[..at], &figure[at + 1..])
}

fn money(before: &str) -> bool {
    ["CHF", "Fr.", "EUR", "Franken", "€"].iter().any(|sign| before.ends_with(sign))
}

fn money_begins(after: &str) -> bool {
    ["CHF", "Franken", "francs", "franchi", "EUR", "Euro", "euro", "€", "million", "Million"]
        .iter()
        .any(|sign| after.starts_with(sign))
}

const PLACES: [&str; 14] = [
    "Art.", "Artikel", "Artikeln", "Article", "Articles", "article", "articles", "art.",
    "articolo", "articoli", "artitgel", "§", "Abs.", "Absatz",
];

fn is_place(before: &str) -> bool {
    let before = before.trim_end();
    let more = ["al.", "alinéa", "cpv.", "capoverso", "paragraph", "paragraphe", "paragraphs"];
    PLACES.iter().chain(&more).any(|place| before.ends_with(place))
}

/// A number that is neither a place nor part of a date, or one in words.
fn number(sentence: &str, rules: &Rules, random: &mut Random) -> Option<String> {
    let plain = |before: &str, after: &str| {
        let month = |word: &&&str| after.trim_start_matches(['.', ' ']).starts_with(**word);
        let year = before.ends_with(|c: char| c.is_alphabetic() || c == ' ')
            && rules.months.iter().any(|month| before.trim_end().ends_with(month));
        !is_place(before)
            && !rules.months.iter().any(|word| month(&word))
            && !year
            && !after.starts_with(|c: char| c.is_alphabetic() || c == '/')
            && !before.ends_with(['/', '-'])
    };
    let in_words: Vec<(usize, &str)> =
        rules.numbers.iter().filter_map(|(word, _)| Some((find(sentence, word)?, *word))).collect();
    if let Some((at, word)) = random.pick(&in_words)
        && random.once_in(2)
    {
        let others: Vec<&str> =
            rules.numbers.iter().map(|(other, _)| *other).filter(|other| other != word).collect();
        return Some(replace(sentence, *at, word.len(), random.pick(&others)?));
    }
    figure(sentence, random, plain)
}

/// A month for another, or a year for the next.
fn date(sentence: &str, rules: &Rules, random: &mut Random) -> Option<String> {
    let months: Vec<(usize, &str)> = rules
        .months
        .iter()
        .filter_map(|month| Some((find(sentence, month)?, *month)))
        .filter(|(at, _)| {
            sentence[..*at].trim_end().ends_with(|c: char| c.is_ascii_digit() || c == '.')
        })
        .collect();
    if let Some((at, month)) = random.pick(&months) {
        let others: Vec<&&str> = rules.months.iter().filter(|other| *other != month).collect();
        return Some(replace(sentence, *at, month.len(), random.pick(&others)?));
    }
    figure(sentence, random, |before, after| {
        before.ends_with(' ')
            && !is_place(before)
            && is_year(&sentence[before.len()..sentence.len() - after.len()])
    })
}

fn is_year(digits: &str) -> bool {
    digits.len() == 4 && (digits.starts_with("19") || digits.starts_with("20"))
}

/// A unit for another, where a figure stands before it.
fn unit(sentence: &str, rules: &Rules, random: &mut Random) -> Option<String> {
    let counted = |before: &str| {
        let last = before.trim_end().rsplit(' ').next().unwrap_or_default();
        last.ends_with(|c: char| c.is_ascii_digit())
            || rules.numbers.iter().any(|(word, _)| *word == last)
    };
    let mut found = Vec::new();
    for group in &rules.units {
        for word in group {
            if let Some(at) = find(sentence, word).filter(|at| counted(&sentence[..*at])) {
                found.push((at, *word, group));
            }
        }
    }
    let (at, word, group) = random.pick(&found)?;
    let others: Vec<&&str> = group.iter().filter(|other| *other != word).collect();
    Some(replace(sentence, *at, word.len(), random.pick(&others)?))
}

/// A negation taken away or put in.
fn negation(sentence: &str, rules: &Rules, random: &mut Random) -> Option<String> {
    let romance = rules.negation.contains("ne ") || rules.negation.contains("na ");
    for pair in &rules.unnegations {
        if let Some(at) = find(sentence, pair[0]) {
            let by = pair.get(1).copied().unwrap_or_default();
            let without = replace(sentence, at, pair[0].len(), by);
            return if romance { other_half(&without, rules) } else { Some(without) };
        }
    }
    let verbs: Vec<(usize, &str)> =
        rules.finite.iter().filter_map(|verb| Some((find(sentence, verb)?, *verb))).collect();
    let (at, verb) = random.pick(&verbs)?;
    let denied = rules.negation.replace("{}", verb);
    let vowel = verb.starts_with(['e', 'a', 'é', 'o', 'i']);
    let denied = if vowel { denied.replace("ne e", "n’e") } else { denied };
    Some(replace(sentence, *at, verb.len(), &denied))
}

/// `ne … pas` and `na … betg` have two parts.
fn other_half(sentence: &str, rules: &Rules) -> Option<String> {
    let halves: &[&str] = if rules.negation.contains("betg") { &["na", "n'"] } else { &["pas"] };
    let half = halves.iter().find_map(|half| Some((find(sentence, half)?, half.len())));
    half.map(|(at, length)| replace(sentence, at, length, ""))
}

/// The number of an article for another one.
fn reference(sentence: &str, random: &mut Random) -> Option<String> {
    figure(sentence, random, |before, _| is_place(before))
}

/// Two parties of the sentence in each other's place.
fn roles(sentence: &str, rules: &Rules) -> Option<String> {
    for group in &rules.parties {
        let mut found: Vec<(usize, &str)> =
            group.iter().filter_map(|party| Some((find(sentence, party)?, *party))).collect();
        found.sort_unstable();
        found.dedup();
        if let [(a, one), (b, other)] = found[..]
            && a + one.len() <= b
            && sentence[a + one.len()..b].trim().chars().count() > 8
        {
            let later = replace(sentence, b, other.len(), one);
            return Some(replace(&later, a, one.len(), other));
        }
    }
    None
}

/// The condition at the end or the beginning left out.
fn condition(sentence: &str, rules: &Rules) -> Option<String> {
    for word in &rules.conditions {
        let mark = format!(", {word} ");
        if let Some(at) = sentence.find(&mark) {
            let rest = &sentence[at + mark.len()..];
            if !rest.contains(',') && at > 30 {
                return Some(format!("{}.", &sentence[..at]));
            }
        }
    }
    None
}

/// The beginning of one sentence with the end of another.
fn splice(sentence: &str, other: &str) -> Option<String> {
    let middle = |text: &str| {
        let half = text.floor_char_boundary(text.len() / 2);
        text[half..].find(' ').map(|at| half + at)
    };
    let (a, b) = (middle(sentence)?, middle(other)?);
    (sentence != other).then(|| format!("{}{}", &sentence[..a], &other[b..]))
}
