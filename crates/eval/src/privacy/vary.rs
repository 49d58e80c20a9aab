//! More examples to learn on: the same sentences with other values, and plain text without any.

use std::collections::BTreeMap;

use allod_privacy::{Example, Kind};

use super::random::Random;

/// Puts other values into examples, so many times each: values of the same kind and look from
/// `from`.
#[must_use]
pub fn vary(examples: &[Example], from: &[Example], times: usize, seed: u64) -> Vec<Example> {
    let mut pool: BTreeMap<(Kind, Look), Vec<&str>> = BTreeMap::new();
    for example in from {
        for (range, kind) in &example.spans {
            let value = &example.text[range.clone()];
            pool.entry((*kind, look(value))).or_default().push(value);
        }
    }
    let mut random = Random(seed);
    let all = (0..times).flat_map(|_| examples);
    all.map(|example| replaced(example, &pool, &mut random)).collect()
}

/// Whether a value has a space, a line end, a capital, and nothing but digits.
type Look = [bool; 4];

fn look(value: &str) -> Look {
    [
        value.contains(' '),
        value.contains('\n'),
        value.chars().any(char::is_uppercase),
        value.chars().all(char::is_numeric),
    ]
}

fn replaced(
    example: &Example,
    pool: &BTreeMap<(Kind, Look), Vec<&str>>,
    random: &mut Random,
) -> Example {
    let (mut text, mut spans, mut at) = (String::new(), Vec::new(), 0);
    for (range, kind) in &example.spans {
        text.push_str(&example.text[at..range.start]);
        let own = &example.text[range.clone()];
        let value = pool.get(&(*kind, look(own))).map_or(own, |values| random.pick(values));
        spans.push((text.len()..text.len() + value.len(), *kind));
        text.push_str(value);
        at = range.end;
    }
    text.push_str(&example.text[at..]);
    Example { text, spans }
}

/// Every so many-th example in small letters, and as many in capitals, as people write in a chat or
/// on a parcel.
#[must_use]
pub fn recased(examples: &[Example], one_in: usize) -> Vec<Example> {
    let some = |skipped: usize| examples.iter().skip(skipped).step_by(one_in.max(1));
    let small = some(0).map(|one| mapped(one, str::to_lowercase));
    small.chain(some(one_in / 2).map(|one| mapped(one, str::to_uppercase))).collect()
}

fn mapped(example: &Example, of: impl Fn(&str) -> String) -> Example {
    let (mut text, mut spans, mut at) = (String::new(), Vec::new(), 0);
    for (range, kind) in &example.spans {
        text.push_str(&of(&example.text[at..range.start]));
        let from = text.len();
        text.push_str(&of(&example.text[range.clone()]));
        spans.push((from..text.len(), *kind));
        at = range.end;
    }
    text.push_str(&of(&example.text[at..]));
    Example { text, spans }
}

/// Words of lines that name a country or a day: those are no plain text.
const NAMING: [&str; 34] = [
    "schweiz",
    "suisse",
    "svizz",
    "svizra",
    "switzerland",
    "swiss",
    "united states",
    "europ",
    "janu",
    "febr",
    "märz",
    "april",
    "juni",
    "juli",
    "august",
    "septem",
    "oktob",
    "novem",
    "dezem",
    "janvier",
    "févr",
    "avril",
    "juin",
    "juillet",
    "août",
    "octob",
    "décem",
    "genna",
    "maggi",
    "giugn",
    "lugli",
    "agost",
    "settem",
    "ottob",
];

/// So many lines of a text of laws or questions, evenly from all of it, as examples without any
/// personal data. Lines that are short or name countries, days or years are left out.
#[must_use]
pub fn plain_lines(text: &str, most: usize) -> Vec<Example> {
    let marks = |c: char| matches!(c, '"' | '#' | '*' | ' ');
    let fits = |line: &&str| {
        let lower = line.to_lowercase();
        (25..400).contains(&line.chars().count())
            && !NAMING.iter().any(|word| lower.contains(word))
            && !["18", "19", "20", "http", "@"].iter().any(|word| lower.contains(word))
    };
    let lines: Vec<&str> = text.lines().map(|line| line.trim_matches(marks)).filter(fits).collect();
    let step = (lines.len() / most.max(1)).max(1);
    let chosen = lines.into_iter().step_by(step).take(most);
    chosen.map(|line| Example { text: line.to_owned(), spans: Vec::new() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_value_of_the_same_look_takes_the_place() {
        let example =
            |text: &str, range| Example { text: text.into(), spans: vec![(range, Kind::Person)] };
        let from = [example("Zoë", 0..4)];
        let varied = vary(&[example("Hi Anna!", 3..7), example("Hi eva k!", 3..8)], &from, 1, 1);
        assert_eq!(varied, [example("Hi Zoë!", 3..7), example("Hi eva k!", 3..8)]);
    }

    #[test]
    fn small_letters_and_capitals_keep_the_spans() {
        let example = Example { text: "Für Zoë.".into(), spans: vec![(5..9, Kind::Person)] };
        let made = recased(&[example.clone(), example], 2);
        assert_eq!(made.len(), 2);
        assert_eq!((&*made[0].text, &made[0].text[5..9]), ("für zoë.", "zoë"));
        assert_eq!((&*made[1].text, &made[1].text[5..9]), ("FÜR ZOË.", "ZOË"));
    }

    #[test]
    fn plain_lines_name_nothing() {
        let text = "too short\nThe fee is paid before the permit is issued.\n\
                    The law of Switzerland says so, as everyone knows.\n";
        let lines = plain_lines(text, 5);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].text.starts_with("The fee"));
    }
}
