//! The forms that stand for a word of the question: itself, synonyms, compounds that hold it, its
//! own parts, words of the same family, and, for a word that no passage has, likely misspellings.
//! All are words of the passages that the caller may see.

use super::{Part, dialect, term};
use crate::analysis::{Word, stem};
use crate::thesaurus;
use crate::vocabulary::Vocabularies;
use allod_corpus::Language;
use std::collections::BTreeMap;

/// How well each kind of form stands for the word.
const SYNONYM: f64 = 0.65;
/// A synonym that is far more frequent than a word that the passages have themselves is a wider
/// word: a hall is a room, but not every room is the hall.
const WIDER: f64 = 0.45;
const COMPOUND_WITH: f64 = 0.75;
const LONGER_FORM: f64 = 0.7;
const FAMILY: f64 = 0.5;
const VERB_FORM: f64 = 0.85;
const MISSPELLING: f64 = 0.7;
/// So many words of each kind at most.
const FORMS_PER_KIND: usize = 12;
/// A shorter stem begins or ends too many words that have nothing to do with it.
const SHORTEST_PART: usize = 4;
/// A shorter word is not taken apart.
const SHORTEST_COMPOUND: usize = 8;

/// A shorter end is an ending.
const SHORTEST_HEAD: usize = 3;

type Forms = Vec<(String, f64)>;

/// The forms of a word and, if it is a German compound, of its parts.
pub(super) fn forms(word: &Word, language: Language, known: &Vocabularies) -> (Forms, Vec<Part>) {
    if word.is_number() || word.folded.contains('_') {
        return (vec![(word.stem.clone(), 1.0)], Vec::new());
    }
    let mut forms = Collected::default();
    forms.add(&word.stem, 1.0);
    let own = count(&word.stem, language, known);
    for synonym in thesaurus::synonyms(&word.stem, language) {
        let wider = own > 0 && count(synonym, language, known) > 4 * own + 4;
        forms.add(synonym, if wider { WIDER } else { SYNONYM });
    }
    add_longer(&mut forms, &word.stem, language, known);
    add_family(&mut forms, &word.stem, language, known);
    if language == Language::De {
        for infinitive in german_infinitives(&word.folded) {
            let root = stem(&infinitive, &infinitive, language);
            forms.add(&root, VERB_FORM);
            add_longer(&mut forms, &root, language, known);
            for synonym in thesaurus::synonyms(&root, language) {
                forms.add(synonym, SYNONYM);
            }
        }
    }
    let parts = compound_parts(word, language, known);
    let unknown = forms.0.keys().all(|form| known.count(&term(form, language)) == 0);
    if unknown && parts.is_empty() && word.stem.len() > SHORTEST_PART {
        for (found, _) in known.one_edit_away(&term(&word.stem, language), 3) {
            forms.add(bare(&found), MISSPELLING);
        }
        if language == Language::De {
            add_written(&mut forms, word, known);
        }
    }
    (forms.0.into_iter().collect(), parts)
}

/// Forms with the best strength of each; ordered, so that results never depend on hashing.
#[derive(Default)]
struct Collected(BTreeMap<String, f64>);

impl Collected {
    fn add(&mut self, form: &str, strength: f64) {
        let best = self.0.entry(form.to_owned()).or_insert(strength);
        *best = best.max(strength);
    }
}

/// What a word of Swiss German is in the German of the passages.
fn add_written(forms: &mut Collected, word: &Word, known: &Vocabularies) {
    let language = Language::De;
    for spelling in dialect::spellings(&word.folded) {
        let written = stem(&spelling, &spelling, language);
        let is_known = |stem: &str| count(stem, language, known) > 0;
        if is_known(&written) {
            forms.add(&written, MISSPELLING);
        }
        let synonyms = thesaurus::synonyms(&written, language).filter(|other| is_known(other));
        synonyms.for_each(|other| forms.add(other, MISSPELLING * SYNONYM));
    }
}

fn bare(term: &str) -> &str {
    term.split_once('|').map_or(term, |(_, stem)| stem)
}

/// Longer words that begin with the stem and, in German, compounds that end with it.
fn add_longer(forms: &mut Collected, stem: &str, language: Language, known: &Vocabularies) {
    if stem.len() < SHORTEST_PART {
        return;
    }
    let german = language == Language::De;
    let whole = term(stem, language);
    for (found, _) in known.beginning_with(&whole, FORMS_PER_KIND) {
        let longer = bare(&found).len() - stem.len();
        match longer {
            0 => {}
            1..=3 => forms.add(bare(&found), LONGER_FORM),
            _ if german => forms.add(bare(&found), COMPOUND_WITH),
            _ => forms.add(bare(&found), FAMILY),
        }
    }
    if german {
        for (found, _) in known.ending_like(&whole, FORMS_PER_KIND) {
            forms.add(bare(&found), COMPOUND_WITH);
        }
    }
}

/// Words that share most of their beginning: `inscrire` and `inscription`.
fn add_family(forms: &mut Collected, stem: &str, language: Language, known: &Vocabularies) {
    let shared = (stem.len() * 7).div_ceil(10).max(5);
    if stem.len() <= shared || !stem.is_char_boundary(shared) {
        return;
    }
    let start = term(&stem[..shared], language);
    for (found, _) in known.beginning_with(&start, FORMS_PER_KIND) {
        if bare(&found).len() <= stem.len() + 4 {
            forms.add(bare(&found), FAMILY);
        }
    }
}

/// What a German participle or infinitive with `zu` may be a form of: `gearbeitet` is `arbeiten`,
/// `abgeholt` and `abzuholen` are `abholen`.
fn german_infinitives(folded: &str) -> Vec<String> {
    let mut found = Vec::new();
    for prefix in SEPARABLE {
        let Some(rest) = folded.strip_prefix(prefix) else { continue };
        let infinitive = rest.strip_prefix("zu").filter(|rest| rest.ends_with("en"));
        let root = infinitive.or(rest.strip_prefix("ge"));
        let Some(root) = root.filter(|root| root.len() > SHORTEST_PART) else { continue };
        let bare = root.strip_suffix("et").or(root.strip_suffix("en")).or(root.strip_suffix('t'));
        found.extend(bare.map(|bare| format!("{prefix}{bare}en")));
    }
    found
}

/// Parts that German verbs begin with and may lose; the empty one for verbs without.
const SEPARABLE: &[&str] = &[
    "", "ab", "an", "auf", "aus", "bei", "ein", "her", "hin", "hinaus", "los", "mit", "nach", "um",
    "vor", "weg", "zu", "zuruck", "zusammen",
];

/// The two parts of a German compound, both of them words of the passages, or none.
fn compound_parts(word: &Word, language: Language, known: &Vocabularies) -> Vec<Part> {
    if language != Language::De || word.folded.len() < SHORTEST_COMPOUND {
        return Vec::new();
    }
    let best = splits(word)
        .filter_map(|(left, right)| {
            let left_count = count_meaning(&left, language, known);
            let right_count = count(&right, language, known);
            let rarer = left_count.min(right_count);
            (rarer > 0).then_some((rarer, left, right, left_count, right_count))
        })
        .max_by_key(|(rarer, left, ..)| (*rarer, left.len()));
    let Some((_, left, right, left_count, right_count)) = best else { return Vec::new() };
    let (left_tells, right_tells) = (tells(left_count), tells(right_count));
    let part = |stem: String, own: f64| {
        let mut forms = Collected::default();
        forms.add(&stem, 1.0);
        for synonym in thesaurus::synonyms(&stem, language) {
            forms.add(synonym, SYNONYM);
        }
        add_longer(&mut forms, &stem, language, known);
        Part { share: own / (left_tells + right_tells), forms: forms.0.into_iter().collect() }
    };
    vec![part(left, left_tells), part(right, right_tells)]
}

/// The longest end of a German compound that is a word of the passages.
pub(super) fn head(word: &Word, language: Language, known: &Vocabularies) -> Option<String> {
    let is_compound = word.capital && word.folded.len() >= SHORTEST_COMPOUND;
    if language != Language::De || !is_compound || word.is_number() {
        return None;
    }
    let stem = &word.stem;
    let cuts = SHORTEST_PART..=stem.len().saturating_sub(SHORTEST_HEAD);
    let ends = cuts.filter_map(|at| stem.get(at..));
    ends.into_iter().find(|end| count(end, language, known) > 0).map(str::to_owned)
}

/// How much a part tells; the rarer one more.
fn tells(count: u32) -> f64 {
    1.0 / (1.0 + f64::from(count)).ln().max(0.7)
}

/// In how many passages a word stands or, if in none, the one of its synonyms that most have: the
/// *Kehricht* of a *Kehrichtsack* is *Abfall*.
fn count_meaning(stem: &str, language: Language, known: &Vocabularies) -> u32 {
    let own = count(stem, language, known);
    let others = thesaurus::synonyms(stem, language).map(|other| count(other, language, known));
    if own > 0 { own } else { others.max().unwrap_or(0) }
}

fn count(stem: &str, language: Language, known: &Vocabularies) -> u32 {
    known.count(&term(stem, language))
}

/// Every way to cut the word in two, the left part with and without a linking element.
fn splits(word: &Word) -> impl Iterator<Item = (String, String)> {
    let folded = &word.folded;
    let last = word.stem.len().saturating_sub(SHORTEST_PART - 1);
    (SHORTEST_PART - 1..=last.max(SHORTEST_PART - 1))
        .filter(|at| folded.is_char_boundary(*at) && word.stem.is_char_boundary(*at))
        .filter(|at| *at < word.stem.len())
        .flat_map(move |at| {
            let right = word.stem[at..].to_owned();
            linked(&folded[..at]).map(move |left| (left, right.clone()))
        })
}

/// The stems that a compound's left part may have: `hunde` is `hund`, `bewilligungs` is `bewillig`.
fn linked(left: &str) -> impl Iterator<Item = String> {
    let bare = ["", "s", "es", "n", "en", "er", "e"].into_iter().filter_map(move |link| {
        left.strip_suffix(link).filter(|rest| rest.len() >= SHORTEST_PART - 1)
    });
    let mut stems: Vec<String> = bare.map(|rest| stem(rest, rest, Language::De)).collect();
    stems.dedup();
    stems.into_iter()
}
