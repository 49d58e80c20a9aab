//! A text as the check sees it: words with their weight and clause, and what turns them round.

use allod_corpus::{ByteRange, Language, sentences};
use allod_retrieval::analysis::{Word, is_stop_word, words};

use super::lexicon::{Lexicon, Tag};
use super::quantity::{Quantity, Unit, Value, quantities, unit_of_word};

/// The name of a column is no longer than this.
const HEADER_BYTES: usize = 60;
/// `que` belongs to a `ne` that stands so many words before it at most.
const RESTRICTED_WORDS: usize = 7;
/// A part of a claim with fewer words is not checked by itself.
const LEAST_PART_WORDS: usize = 4;

/// A word with what the lexicon knows of it.
pub(super) struct Token {
    pub(super) word: Word,
    /// How much it says of what the text is about; 0 for a function word.
    pub(super) weight: f64,
    /// The sentence, list item or line that it stands in.
    pub(super) segment: usize,
    /// The part between commas that it stands in.
    pub(super) clause: usize,
    /// The party that it names.
    pub(super) party: Option<u16>,
    pub(super) meanings: Vec<u16>,
    pub(super) sides: &'static [(u16, u8)],
}

impl Token {
    pub(super) fn is_content(&self) -> bool {
        self.weight > 0.0
    }
}

/// A phrase that turns round what stands near it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) at: usize,
    pub(super) length: usize,
    pub(super) tag: Tag,
}

/// A text as the check sees it.
pub(super) struct Text<'a> {
    pub(super) raw: &'a str,
    pub(super) language: Language,
    pub(super) tokens: Vec<Token>,
    pub(super) marks: Vec<Mark>,
    pub(super) quantities: Vec<Quantity>,
    pub(super) references: Vec<Reference>,
}

/// An article or paragraph that a text names.
pub(super) struct Reference {
    /// Such as `art_12`.
    pub(super) name: String,
    /// The sentence, list item or line that names it.
    pub(super) segment: usize,
}

impl<'a> Text<'a> {
    pub(super) fn new(raw: &'a str, language: Language) -> Text<'a> {
        let lexicon = Lexicon::of(language);
        let (references, words): (Vec<Word>, Vec<Word>) =
            words(raw, language).into_iter().partition(|word| word.folded.contains('_'));
        let mut marks = marks(&words, lexicon);
        if language == Language::Fr {
            marks.extend(restrictions(&words));
        }
        let parties = parties(&words, lexicon);
        let segments = segments(raw, language);
        let segment_of = |start: usize| segments.partition_point(|end| *end <= start);
        let reference =
            |word: Word| Reference { segment: segment_of(word.range.start), name: word.folded };
        let mut text = Text {
            raw,
            language,
            tokens: Vec::with_capacity(words.len()),
            quantities: quantities(raw, language),
            references: references.into_iter().map(reference).collect(),
            marks,
        };
        let mut clause = 0;
        for (at, word) in words.into_iter().enumerate() {
            let segment = segment_of(word.range.start);
            if at > 0 && text.parts(at - 1, word.range.start, segment, at) {
                clause += 1;
            }
            let weight = text.weight(&word, at, parties[at], lexicon);
            let (meanings, sides) =
                (lexicon.meanings(&word.folded, &word.stem), lexicon.sides(&word.folded));
            let party = parties[at];
            text.tokens.push(Token { word, weight, segment, clause, party, meanings, sides });
        }
        text
    }

    /// Whether a clause ends between a word and the next one.
    fn parts(&self, before: usize, next: usize, segment: usize, at: usize) -> bool {
        let token = &self.tokens[before];
        let between = &self.raw[token.word.range.end.min(next)..next];
        let subordinate = |mark: &Mark| mark.at == at && mark.tag == Tag::Condition;
        token.segment != segment
            || between.contains([',', ';', ':', '(', ')', '–', '—'])
            || self.marks.iter().any(subordinate)
    }

    fn weight(&self, word: &Word, at: usize, party: Option<u16>, lexicon: &Lexicon) -> f64 {
        let marked = |mark: &Mark| (mark.at..mark.at + mark.length).contains(&at);
        let empty = word.is_number()
            || word.folded.len() < 2
            || is_stop_word(&word.folded, self.language)
            || unit_of_word(&word.folded).is_some()
            || (party.is_none() && self.marks.iter().any(marked));
        if empty {
            return 0.0;
        }
        let length = 0.5 + (word.folded.len() as f64).min(12.0) / 24.0;
        if lexicon.is_common(&word.folded) { 0.5 * length } else { length }
    }

    pub(super) fn content(&self) -> impl Iterator<Item = (usize, &Token)> {
        self.tokens.iter().enumerate().filter(|(_, token)| token.is_content())
    }

    pub(super) fn shown(&self, at: usize) -> &'a str {
        &self.raw[self.tokens[at].word.range.clone()]
    }

    /// The word that begins at or after a byte.
    pub(super) fn token_at(&self, byte: usize) -> usize {
        self.tokens.partition_point(|token| token.word.range.end <= byte)
    }

    /// The tags of a clause, those of phrases that lie in it.
    pub(super) fn tags_of(&self, clause: usize) -> impl Iterator<Item = &Mark> {
        self.marks
            .iter()
            .filter(move |mark| self.tokens.get(mark.at).is_some_and(|t| t.clause == clause))
    }

    pub(super) fn has(&self, clause: usize, tag: Tag) -> bool {
        self.tags_of(clause).any(|mark| mark.tag == tag)
    }

    /// Whether a clause denies: two words that deny cancel out, as in `not forbidden`.
    pub(super) fn denies(&self, clause: usize) -> bool {
        let freed = self.tags_of(clause).any(|m| m.tag == Tag::Exempt && m.length == 1);
        let denials = [Tag::Negation, Tag::Without, Tag::Denial]
            .into_iter()
            .filter(|tag| self.has(clause, *tag))
            .count();
        (denials + usize::from(freed)) % 2 == 1
    }

    /// Whether a phrase with one of these tags holds a word.
    pub(super) fn is_tagged(&self, at: usize, tags: &[Tag]) -> bool {
        let holds = |mark: &&Mark| (mark.at..mark.at + mark.length).contains(&at);
        self.marks.iter().filter(holds).any(|mark| tags.contains(&mark.tag))
    }

    /// Whether a clause ends or another figure stands between two words.
    pub(super) fn crosses(&self, from: usize, to: usize) -> bool {
        let (Some(first), Some(last)) = (self.tokens.get(from), self.tokens.get(to)) else {
            return true;
        };
        let figure = |token: &Token| token.word.is_number();
        first.clause != last.clause || self.tokens[from..to].iter().any(figure)
    }

    /// The quantities that count something: places in an act are references, and numbers that
    /// begin a paragraph count nothing.
    pub(super) fn figures(&self) -> impl Iterator<Item = &Quantity> {
        self.quantities.iter().filter(|quantity| match quantity.value {
            Value::Number { unit: Some(Unit::Article | Unit::Paragraph), .. } => false,
            Value::Number { unit: None, value } => {
                value >= 100 * 10_000 || !self.is_label(quantity.start())
            }
            _ => true,
        })
    }

    /// Whether a number begins a sentence or follows the end of one: `2 The council …`.
    fn is_label(&self, start: usize) -> bool {
        let before = self.raw[..start].trim_end_matches([' ', '(', '^']);
        let digits = self.raw[start..].trim_start_matches(|c: char| c.is_ascii_digit());
        let ends = before.is_empty() || before.ends_with(['.', ';', ':', '\n']);
        let rest = digits.trim_start_matches([')', '.']);
        ends && rest.starts_with(' ') && rest.trim_start().starts_with(char::is_uppercase)
    }
}

/// The phrases of a text: a longer one hides those that lie in it.
fn marks(words: &[Word], lexicon: &Lexicon) -> Vec<Mark> {
    let folded: Vec<&str> = words.iter().map(|word| word.folded.as_str()).collect();
    let mut found: Vec<Mark> = Vec::new();
    for at in 0..folded.len() {
        let tags = lexicon.tags(&folded[at..]);
        found.extend(tags.map(|(length, tag)| Mark { at, length, tag }));
    }
    let longer = |one: &Mark, other: &Mark| {
        one.length > other.length
            && one.at <= other.at
            && other.at + other.length <= one.at + one.length
    };
    let hidden = |mark: &Mark| found.iter().any(|other| longer(other, mark) && hides(other, mark));
    found.iter().filter(|mark| !hidden(mark)).copied().collect()
}

/// French `ne … que` is `only`.
fn restrictions(words: &[Word]) -> Vec<Mark> {
    let is = |at: usize, any: &[&str]| any.contains(&words[at].folded.as_str());
    let denies = ["pas", "jamais", "aucun", "aucune", "rien", "plus", "nul", "guere", "personne"];
    let begins = (0..words.len()).filter(|at| is(*at, &["ne", "n"]));
    begins
        .filter_map(|at| {
            let mut rest = at + 1..words.len().min(at + 1 + RESTRICTED_WORDS);
            let end = rest.find(|at| is(*at, &["que", "qu"]) || is(*at, &denies))?;
            is(end, &["que", "qu"]).then_some(Mark { at: end, length: 1, tag: Tag::Only })
        })
        .collect()
}

/// `must not` is a duty and a negation; `not only` is no negation.
fn hides(longer: &Mark, shorter: &Mark) -> bool {
    longer.tag != Tag::Exempt || shorter.tag != Tag::Negation
}

fn parties(words: &[Word], lexicon: &Lexicon) -> Vec<Option<u16>> {
    let folded: Vec<&str> = words.iter().map(|word| word.folded.as_str()).collect();
    let mut parties = vec![None; words.len()];
    let mut at = 0;
    while at < words.len() {
        match lexicon.party(&folded[at..]) {
            Some((length, party)) => {
                parties[at..at + length].fill(Some(party));
                at += length;
            }
            None => at += 1,
        }
    }
    parties
}

/// Where the sentences and list items of a text end, in bytes. A row of a table is one.
fn segments(raw: &str, language: Language) -> Vec<usize> {
    let whole = ByteRange::new(0, raw.len());
    let rows = rows(raw);
    let in_row = |at: &usize| rows.iter().any(|row| row.start < *at && *at < row.end);
    let mut ends: Vec<usize> =
        sentences(raw, whole, language).into_iter().map(|range| range.end).collect();
    ends.extend(raw.match_indices([';', '\n']).map(|(at, _)| at));
    ends.retain(|at| !in_row(at));
    ends.sort_unstable();
    ends.dedup();
    ends
}

/// The lines that are rows of a table: `Fee: 20; Time: 3 days`.
fn rows(raw: &str) -> Vec<std::ops::Range<usize>> {
    let mut start = 0;
    let mut rows = Vec::new();
    for line in raw.split('\n') {
        let cells = line.split("; ");
        let named = |cell: &str| {
            let name = cell.split_once(": ").map(|(name, _)| name);
            name.is_some_and(|name| !name.is_empty() && name.len() <= HEADER_BYTES)
        };
        let count = cells.clone().count();
        if count > 1 && cells.filter(|cell| named(cell)).count() == count {
            rows.push(start..start + line.len());
        }
        start += line.len() + 1;
    }
    rows
}

/// The parts of a claim that each say something: its sentences and what stands between semicolons.
pub(super) fn parts(claim: &str, language: Language) -> Vec<&str> {
    let mut parts: Vec<&str> = Vec::new();
    let mut start = 0;
    for end in segments(claim, language).into_iter().chain([claim.len()]) {
        let part = claim[start.min(end)..end].trim_matches([' ', ';', '\n']);
        if part.split_whitespace().count() >= LEAST_PART_WORDS {
            parts.push(part);
            start = end;
        }
    }
    // A short rest belongs to what stands before it.
    let rest = claim[start..].trim_matches([' ', ';', '\n']);
    if parts.is_empty() || rest.chars().any(char::is_alphanumeric) { vec![claim] } else { parts }
}
