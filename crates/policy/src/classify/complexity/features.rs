//! What of a question the classifier looks at: how long it is, how it is built, and how many words
//! of some kinds stand in it. None of it depends on knowing the language.

use std::sync::LazyLock;

use crate::classify::lexicon::Reading;
use crate::classify::pattern::Word;

/// A count, and the values from which on each says something more.
struct Group {
    name: &'static str,
    steps: &'static [usize],
}

const FORM: [Group; 8] = [
    Group { name: "words", steps: &[4, 6, 8, 11, 14, 18, 24, 32, 45, 70] },
    Group { name: "sentences", steps: &[2, 3, 4, 6] },
    Group { name: "clauses", steps: &[1, 2, 3, 5, 8] },
    Group { name: "questions", steps: &[1, 2, 3] },
    Group { name: "numbers", steps: &[1, 2, 3, 5] },
    Group { name: "symbols", steps: &[1, 3, 8] },
    Group { name: "lines", steps: &[1, 3, 8] },
    Group { name: "long_words", steps: &[1, 3, 6] },
];

/// From which count on words of a kind say something more.
const WORD_STEPS: &[usize] = &[1, 2, 4];
const PATTERN_STEPS: &[usize] = &[1, 2];
const LONG_LETTERS: usize = 10;

/// Words of one kind.
struct Kind {
    name: String,
    words: Vec<Word>,
}

static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| kinds(include_str!("words.txt")));

fn kinds(text: &str) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with("//")) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            kinds.push(Kind { name: name.to_owned(), words: Vec::new() });
            continue;
        }
        let Some(kind) = kinds.last_mut() else { continue };
        for word in line.split_whitespace() {
            kind.words.push(match word.strip_suffix('*') {
                Some(beginning) => Word::Beginning(beginning.to_owned()),
                None => Word::Whole(word.to_owned()),
            });
        }
    }
    kinds
}

/// The words of each kind, for the tree that all words are looked up in.
pub(in crate::classify) fn kinds_of_words() -> impl Iterator<Item = Vec<Word>> {
    KINDS.iter().map(|kind| kind.words.clone())
}

/// The names of all features, in their order.
pub(super) fn names() -> Vec<String> {
    let form = FORM.iter().map(|group| (group.name.to_owned(), group.steps));
    let words = KINDS.iter().map(|kind| (kind.name.clone(), WORD_STEPS));
    let pattern = [("pattern".to_owned(), PATTERN_STEPS)];
    let steps = form.chain(words).chain(pattern);
    let named = steps.flat_map(|(name, steps)| steps.iter().map(move |at| format!("{name}_{at}")));
    named.chain(["begins_lookup".to_owned()]).collect()
}

/// Which features a question has, in the order of [`names`]. `patterns` is how many patterns of
/// `complex_reasoning` were found in it.
pub(super) fn features(question: &str, reading: &Reading, patterns: usize) -> Vec<bool> {
    let counts = form(question, reading);
    let mut all = Vec::new();
    for (group, count) in FORM.iter().zip(counts) {
        all.extend(group.steps.iter().map(|step| count >= *step));
    }
    let mut begins_lookup = false;
    for (kind, (count, is_first)) in KINDS.iter().zip(reading.counts()) {
        all.extend(WORD_STEPS.iter().map(|step| count >= *step));
        begins_lookup |= is_first && kind.name == "lookup";
    }
    all.extend(PATTERN_STEPS.iter().map(|step| patterns >= *step));
    all.push(begins_lookup);
    all
}

/// The counts of [`FORM`].
fn form(question: &str, reading: &Reading) -> [usize; FORM.len()] {
    let (mut clauses, mut questions, mut symbols) = (0, 0, 0);
    for (at, byte) in question.bytes().enumerate() {
        // Bytes of letters that are no ASCII begin with another one.
        match byte {
            b'a'..=b'z' | b' ' => {}
            b',' | b';' | b':' => clauses += 1,
            b'?' => questions += 1,
            b'%' | b'+' | b'*' | b'/' | b'=' | b'<' | b'>' | b'{' | b'}' => symbols += 1,
            b'(' | b')' | b'[' | b']' | b'_' | b'\\' => symbols += 1,
            0xe2 => clauses += usize::from(question[at..].starts_with(['–', '—'])),
            0xef => questions += usize::from(question[at..].starts_with('？')),
            _ => {}
        }
    }
    let (mut numbers, mut long_words) = (0, 0);
    for token in reading.tokens.iter() {
        numbers += usize::from(token.text.starts_with(|c: char| c.is_ascii_digit()));
        let may_be_long = token.text.len() >= LONG_LETTERS;
        long_words += usize::from(may_be_long && token.text.chars().count() >= LONG_LETTERS);
    }
    let lines = question.trim().matches('\n').count();
    let (words, sentences) = (reading.tokens.len(), reading.sentences());
    [words, sentences, clauses, questions, numbers, symbols, lines, long_words]
}
