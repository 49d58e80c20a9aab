//! Words that turn a sentence round, words that say the same, and words that exclude each other,
//! for each language in a file of its own.

use std::collections::HashMap;
use std::sync::LazyLock;

use allod_corpus::Language;
use allod_retrieval::analysis::{fold, stem};

/// What a word does to the sentence that it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Tag {
    Negation,
    /// Denies the one thing that follows: `without`.
    Without,
    /// Looks like a negation and is none: `not only`.
    NotNegation,
    /// Denies by its meaning: `forbidden`.
    Denial,
    /// Says of what is said beside it that it does not hold: `it is wrong that`.
    Untrue,
    Must,
    May,
    Should,
    /// Frees from a duty: `need not`.
    Exempt,
    All,
    Some,
    Only,
    Condition,
    /// Says that a condition does not matter: `even if`.
    Concession,
    Exception,
    Passive,
    Least,
    Most,
    More,
    Less,
    Before,
    After,
    Latest,
    Earliest,
    Until,
    From,
    Within,
    About,
}

const TAGS: &[(&str, Tag)] = &[
    ("negation", Tag::Negation),
    ("without", Tag::Without),
    ("not_negation", Tag::NotNegation),
    ("denial", Tag::Denial),
    ("must", Tag::Must),
    ("may", Tag::May),
    ("should", Tag::Should),
    ("exempt", Tag::Exempt),
    ("all", Tag::All),
    ("some", Tag::Some),
    ("only", Tag::Only),
    ("condition", Tag::Condition),
    ("concession", Tag::Concession),
    ("untrue", Tag::Untrue),
    ("exception", Tag::Exception),
    ("passive", Tag::Passive),
    ("least", Tag::Least),
    ("most", Tag::Most),
    ("more", Tag::More),
    ("less", Tag::Less),
    ("before", Tag::Before),
    ("after", Tag::After),
    ("latest", Tag::Latest),
    ("earliest", Tag::Earliest),
    ("until", Tag::Until),
    ("from", Tag::From),
    ("within", Tag::Within),
    ("about", Tag::About),
];

/// The columns of a language in tables that have one for each: all where it is none of the five.
pub(super) fn columns(language: Language) -> std::ops::Range<usize> {
    match Language::ALL.iter().position(|known| *known == language) {
        Some(at) => at..at + 1,
        None => 0..Language::ALL.len(),
    }
}

/// A phrase after its first word, and what it stands for.
type Phrases<T> = HashMap<String, Vec<(Vec<String>, T)>>;

/// The words of one language.
pub(super) struct Lexicon {
    tags: Phrases<Tag>,
    parties: Phrases<u16>,
    synonyms: HashMap<String, Vec<u16>>,
    opposites: HashMap<String, Vec<(u16, u8)>>,
    common: HashMap<String, ()>,
}

static LEXICONS: LazyLock<[Lexicon; 5]> = LazyLock::new(|| {
    let files = [
        include_str!("words/de.txt"),
        include_str!("words/fr.txt"),
        include_str!("words/it.txt"),
        include_str!("words/rm.txt"),
        include_str!("words/en.txt"),
    ];
    let mut languages = Language::ALL.into_iter();
    files.map(|file| Lexicon::read(file, languages.next().expect("five files, five languages")))
});

impl Lexicon {
    /// The words of a language; English where it is none of the five.
    pub(super) fn of(language: Language) -> &'static Lexicon {
        &LEXICONS[columns(language).last().unwrap_or(4)]
    }

    fn read(file: &str, language: Language) -> Lexicon {
        let mut lexicon = Lexicon {
            tags: HashMap::new(),
            parties: HashMap::new(),
            synonyms: HashMap::new(),
            opposites: HashMap::new(),
            common: HashMap::new(),
        };
        for (number, line) in file.lines().enumerate() {
            let Some((name, words)) = line.split_once(": ") else { continue };
            lexicon.read_line(name, words, number as u16, language);
        }
        lexicon
    }

    fn read_line(&mut self, name: &str, words: &str, line: u16, language: Language) {
        match name {
            "synonyms" => {
                for key in words.split(' ').flat_map(|word| keys(word, language)) {
                    self.synonyms.entry(key).or_default().push(line);
                }
            }
            "parties" => words.split(' ').for_each(|word| phrase(&mut self.parties, word, line)),
            "opposites" | "exclusive" => {
                for (side, option) in words.split(" | ").enumerate() {
                    for word in option.split(' ') {
                        self.opposites.entry(folded(word)).or_default().push((line, side as u8));
                    }
                }
            }
            "common" => self.common.extend(words.split(' ').map(|word| (folded(word), ()))),
            tag => {
                if let Some((_, tag)) = TAGS.iter().find(|(name, _)| *name == tag) {
                    words.split(' ').for_each(|word| phrase(&mut self.tags, word, *tag));
                }
            }
        }
    }

    /// The tags of phrases that begin at a word, with their lengths in words.
    pub(super) fn tags<'a>(&'a self, words: &'a [&str]) -> impl Iterator<Item = (usize, Tag)> + 'a {
        matches(&self.tags, words)
    }

    /// The party that is named from a word on, and by how many words: the longest name counts.
    pub(super) fn party(&self, words: &[&str]) -> Option<(usize, u16)> {
        matches(&self.parties, words).max_by_key(|(length, _)| *length)
    }

    /// The groups of words of one meaning that a word belongs to.
    pub(super) fn meanings(&self, folded: &str, stem: &str) -> Vec<u16> {
        let known = self.synonyms.get(folded).or_else(|| self.synonyms.get(stem));
        known.cloned().unwrap_or_default()
    }

    /// The sides of opposites that a word stands on.
    pub(super) fn sides(&self, folded: &str) -> &[(u16, u8)] {
        self.opposites.get(folded).map_or(&[], Vec::as_slice)
    }

    /// Whether a word stands in so many texts of law that it says little of what one is about.
    pub(super) fn is_common(&self, folded: &str) -> bool {
        self.common.contains_key(folded)
    }
}

fn matches<'a, T: Copy>(
    phrases: &'a Phrases<T>,
    words: &'a [&str],
) -> impl Iterator<Item = (usize, T)> + 'a {
    let first = words.first().and_then(|word| phrases.get(*word)).map_or(&[][..], Vec::as_slice);
    first.iter().filter_map(move |(rest, value)| {
        let same = |(at, word): (usize, &String)| words.get(at + 1) == Some(&word.as_str());
        rest.iter().enumerate().all(same).then_some((rest.len() + 1, *value))
    })
}

fn phrase<T>(phrases: &mut Phrases<T>, words: &str, value: T) {
    let mut words = words.split('_').map(folded);
    let first = words.next().expect("splitting gives at least one part");
    phrases.entry(first).or_default().push((words.collect(), value));
}

fn folded(word: &str) -> String {
    fold(&word.to_lowercase())
}

/// A word as it stands and its stem.
fn keys(word: &str, language: Language) -> Vec<String> {
    let lower = word.to_lowercase();
    let folded = fold(&lower);
    let stem = stem(&lower, &folded, language);
    if stem == folded { vec![folded] } else { vec![folded, stem] }
}
