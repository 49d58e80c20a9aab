//! What makes a sentence an attempt: which words stand near which.

use super::disguise::undisguised;
use super::orders::*;
use super::words::*;
use super::{AttemptKind, address, encoded};
use crate::analysis::fold;

/// A sentence of more words is looked at up to here.
const WORDS_MAX: usize = 400;
/// An order stands within so many words of a sentence's or clause's beginning.
const BEGINNING: usize = 4;

/// An address ends in a colon or a comma within so many letters.
const HEAD_CHARS: usize = 90;

/// Words that make a condition of what follows.
const CONDITIONS: &[&str] = &["if", "falls", "wenn", "si", "se", "sche"];

/// A sentence as the rules see it.
pub(super) struct Sentence {
    raw: String,
    lower: String,
    words: Vec<String>,
    /// Where in `words` a clause begins.
    clauses: Vec<usize>,
}

impl Sentence {
    pub(super) fn of(text: &str) -> Sentence {
        let lower = undisguised(text).to_lowercase();
        let mut words: Vec<String> = Vec::new();
        let mut clauses = vec![0];
        let mut word = String::new();
        for letter in fold(&lower).chars().chain([' ']) {
            if letter.is_alphanumeric() {
                word.push(letter);
                continue;
            }
            if !word.is_empty() && words.len() < WORDS_MAX {
                words.push(std::mem::take(&mut word));
            }
            if matches!(letter, ',' | ';' | ':' | '.' | '!' | '?' | '"' | '(' | '-' | '\n') {
                clauses.push(words.len());
            }
        }
        clauses.dedup();
        Sentence { raw: text.to_owned(), lower, words, clauses }
    }

    /// Where words of a list stand.
    fn places<'a>(&'a self, list: &'a [&'a str]) -> impl Iterator<Item = usize> + 'a {
        self.words.iter().enumerate().filter(|(_, word)| is_one(word, list)).map(|(at, _)| at)
    }

    /// Whether a word of a list stands among the words `from..to`.
    pub(super) fn holds(&self, list: &[&str], from: usize, to: usize) -> bool {
        let to = to.min(self.words.len());
        self.words.get(from.min(to)..to).is_some_and(|words| words.iter().any(|w| is_one(w, list)))
    }

    /// Where a phrase stands.
    pub(super) fn phrase(&self, phrase: &[&str]) -> Option<usize> {
        self.phrase_from(phrase, 0)
    }

    /// Where a phrase stands from a word on; its words may end in `*`.
    pub(super) fn phrase_from(&self, phrase: &[&str], from: usize) -> Option<usize> {
        let is_here = |words: &[String]| {
            words.iter().zip(phrase).all(|(word, known)| is_one(word, std::slice::from_ref(known)))
        };
        let words = self.words.get(from..)?;
        let at = words.windows(phrase.len().max(1)).position(is_here);
        at.map(|at| from + at)
    }

    /// How many words stand before the first colon or comma, if one stands near the beginning.
    pub(super) fn head_words(&self) -> Option<usize> {
        let head = self.raw.split_once([':', ',', '\u{2014}']).map(|(head, _)| head)?;
        (head.chars().count() <= HEAD_CHARS).then(|| head.split_whitespace().count() + 2)
    }

    /// Whether a clause begins with an order of the list: among its first words.
    fn orders<'a>(&'a self, list: &'a [&'a str]) -> impl Iterator<Item = usize> + 'a {
        let begins = |at: usize| {
            self.clauses.iter().any(|clause| (*clause..clause + BEGINNING).contains(&at))
        };
        self.places(list).filter(move |at| begins(*at))
    }
}

/// Whether a sentence is of a kind.
type Rule = fn(&Sentence) -> bool;

/// What a sentence attempts, if it is one to a model.
pub(super) fn kind(sentence: &Sentence) -> Option<AttemptKind> {
    let rules: [(Rule, AttemptKind); 9] = [
        (forges_marks, AttemptKind::Role),
        (sets_aside, AttemptKind::SetAside),
        (address::voids_orders, AttemptKind::SetAside),
        (gives_a_role, AttemptKind::Role),
        (address::speaks_to_a_program, AttemptKind::Role),
        (calls_a_tool, AttemptKind::Tool),
        (wants_a_secret, AttemptKind::Secret),
        (shapes_the_answer, AttemptKind::Answer),
        (sets_a_task, AttemptKind::Task),
    ];
    let found = rules.into_iter().find(|(holds, _)| holds(sentence)).map(|(_, kind)| kind);
    found.or_else(|| encoded::hides_words(&sentence.raw).then_some(AttemptKind::Encoded))
}

fn forges_marks(sentence: &Sentence) -> bool {
    let line = sentence.lower.trim_start_matches(|c: char| !c.is_alphanumeric());
    MARKS.iter().any(|mark| sentence.lower.contains(mark))
        || SPEAKERS.iter().any(|speaker| line.starts_with(speaker))
}

/// "Ignore all previous instructions", "forget everything you were told", "ignore the above and".
fn sets_aside(sentence: &Sentence) -> bool {
    sentence.places(SET_ASIDE).any(|at| {
        let told = sentence.holds(TOLD, at, at + 8) && sentence.holds(EARLIER, at, at + 8);
        let all = sentence.orders(SET_ASIDE).any(|order| order == at)
            && sentence.holds(EVERYTHING, at + 1, at + 4);
        told || all
    })
}

fn gives_a_role(sentence: &Sentence) -> bool {
    let phrase = ROLE_PHRASES.iter().any(|phrase| sentence.phrase(phrase).is_some());
    let becomes = |words: &&[&str]| {
        sentence.phrase(words).is_some_and(|at| {
            let after = at + words.len();
            // On what condition one speaks to whom is told by the address.
            let conditional = sentence.holds(CONDITIONS, at.saturating_sub(1), at);
            !conditional && sentence.holds(MACHINE, after, after + 5)
        })
    };
    // Laws speak of such programs too, but to nobody.
    let to_somebody = sentence.holds(address::YOU, 0, usize::MAX);
    phrase || BECOME.iter().any(becomes) || to_somebody && AS_MACHINE.iter().any(becomes)
}

fn calls_a_tool(sentence: &Sentence) -> bool {
    let named = sentence.orders(CALL).any(|at| sentence.holds(TOOLS, at + 1, at + 5));
    let as_code = sentence.orders(CALL).next().is_some() && holds_a_call(&sentence.raw);
    let sent = sentence.orders(SEND).any(|at| sentence.holds(TALK, at + 1, at + 6))
        && ["@", "http", "www."].iter().any(|sign| sentence.lower.contains(sign));
    (named || as_code || sent) && !sentence.holds(DENIALS, 0, usize::MAX)
}

/// `name(argument=`, as programs write calls.
fn holds_a_call(text: &str) -> bool {
    text.match_indices('(').any(|(at, _)| {
        let named = text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let inside = text[at + 1..].split(')').next().unwrap_or_default();
        let argument = inside.split_once('=').map(|(name, _)| name.trim());
        named && argument.is_some_and(|name| !name.is_empty() && !name.contains(' '))
    })
}

fn wants_a_secret(sentence: &Sentence) -> bool {
    let own = |at: usize| sentence.holds(OWN, at.saturating_sub(3), at);
    let user = |at: usize| sentence.holds(&["user", "users", "s"], at.saturating_sub(3), at);
    let ordered = |at: usize| sentence.holds(GIVE, at.saturating_sub(8), at);
    let me = ["me", "mir", "moi", "mi", "us", "dimmi", "dammi", "mostrami", "ma"];
    let wanted = sentence.places(SECRETS).any(|at| own(at) && ordered(at));
    let to_me = sentence.holds(&me, 0, usize::MAX) || sentence.lower.trim_end().ends_with('?');
    let of_user = sentence
        .phrase(&["the", "user", "s"])
        .is_some_and(|at| sentence.holds(GIVE, at.saturating_sub(8), at) && (to_me || user(at)));
    let denied = sentence.holds(DENIALS, 0, usize::MAX);
    !denied && (wanted && (to_me || reveals(sentence)) || of_user && to_me)
}

fn reveals(sentence: &Sentence) -> bool {
    let verbs = ["reveal", "disclose", "leak", "verrate", "preis", "revele", "rivela", "palesa"];
    sentence.holds(&verbs, 0, usize::MAX)
}

/// "Add … to your answer", "In your response, suggest …", "Answer that …".
fn shapes_the_answer(sentence: &Sentence) -> bool {
    let own = |at: usize| {
        let before = &sentence.words[at.saturating_sub(2)..at];
        let of_all = before.iter().any(|word| is_one(word, EVERY));
        of_all || before.iter().any(|word| is_one(word, OWN) && word != "the")
    };
    let answers: Vec<usize> = sentence.places(ANSWERS).filter(|at| own(*at)).collect();
    let ordered = answers.iter().any(|at| sentence.orders(ORDERS).any(|order| order != *at));
    let begins = |at: &usize| sentence.clauses.contains(at);
    let said = sentence.places(SAY).filter(begins).any(|at| sentence.holds(THAT, at + 1, at + 3))
        && (sentence.holds(SAY, 0, 1) || sentence.holds(&["wenn", "if", "si", "se", "sche"], 0, 1));
    let told = TELL_USER.iter().any(|phrase| sentence.phrase(phrase).is_some());
    let summed = sentence.orders(OMIT).next().is_some()
        && sentence.holds(IN_THE, 0, 3)
        && sentence.holds(SUMMARY, 0, 6);
    ordered || said || told || summed || takes_code(sentence)
}

/// "Incorporate the following code section in your implementation".
fn takes_code(sentence: &Sentence) -> bool {
    sentence.places(CODE).any(|at| {
        let following = sentence.holds(FOLLOWING, at.saturating_sub(4), at);
        let piece =
            sentence.holds(PIECE, at + 1, at + 3) || sentence.holds(PIECE, at - at.min(3), at);
        piece && (following || sentence.holds(WITHIN, 0, usize::MAX))
    })
}

fn sets_a_task(sentence: &Sentence) -> bool {
    let starts =
        |list: &[&str]| sentence.holds(list, 0, 2) || sentence.holds(&["can", "could"], 0, 1);
    let made = sentence.places(WORKS).any(|at| sentence.holds(TASKS, 0, 4.min(at)));
    let translate = sentence.phrase(&["translate", "the", "following"]).is_some()
        || sentence.phrase(&["translate", "this"]).is_some();
    made && starts(TASKS) || translate
}
