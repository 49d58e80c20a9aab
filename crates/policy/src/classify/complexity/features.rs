//! What of a question the classifier looks at: how long it is, how it is built, and how many words
//! of some kinds stand in it. None of it depends on knowing the language.

use std::sync::LazyLock;

use crate::classify::tokens::Token;

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
    whole: Vec<String>,
    beginnings: Vec<String>,
}

static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| kinds(include_str!("words.txt")));

fn kinds(text: &str) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with("//")) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            kinds.push(Kind { name: name.to_owned(), whole: Vec::new(), beginnings: Vec::new() });
            continue;
        }
        let Some(kind) = kinds.last_mut() else { continue };
        for word in line.split_whitespace() {
            match word.strip_suffix('*') {
                Some(beginning) => kind.beginnings.push(beginning.to_owned()),
                None => kind.whole.push(word.to_owned()),
            }
        }
    }
    kinds
}

impl Kind {
    fn has(&self, word: &str) -> bool {
        self.whole.iter().any(|whole| whole == word)
            || self.beginnings.iter().any(|beginning| word.starts_with(beginning.as_str()))
    }
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
pub(super) fn features(question: &str, tokens: &[Token], patterns: usize) -> Vec<bool> {
    let counts = form(question, tokens);
    let mut all = Vec::new();
    for (group, count) in FORM.iter().zip(counts) {
        all.extend(group.steps.iter().map(|step| count >= *step));
    }
    for kind in KINDS.iter() {
        let count = tokens.iter().filter(|token| kind.has(&token.text)).count();
        all.extend(WORD_STEPS.iter().map(|step| count >= *step));
    }
    all.extend(PATTERN_STEPS.iter().map(|step| patterns >= *step));
    let lookup = KINDS.iter().find(|kind| kind.name == "lookup");
    all.push(tokens.first().zip(lookup).is_some_and(|(first, kind)| kind.has(&first.text)));
    all
}

/// The counts of [`FORM`].
fn form(question: &str, tokens: &[Token]) -> [usize; FORM.len()] {
    let chars = |wanted: &[char]| question.chars().filter(|c| wanted.contains(c)).count();
    let is_number = |token: &&Token| token.text.starts_with(|c: char| c.is_ascii_digit());
    [
        tokens.len(),
        tokens.iter().filter(|token| token.starts).count(),
        chars(&[',', ';', ':', '–', '—']),
        chars(&['?', '？']),
        tokens.iter().filter(is_number).count(),
        chars(&['%', '+', '*', '/', '=', '<', '>', '{', '}', '(', ')', '[', ']', '_', '\\']),
        question.trim().matches('\n').count(),
        tokens.iter().filter(|token| token.text.chars().count() >= LONG_LETTERS).count(),
    ]
}
