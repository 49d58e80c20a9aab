//! Questions that name a place: `§ 5 UrhG`, `Art. 12 Abs. 3 des Baureglements`.

use crate::act::Named;
use crate::analysis::{Word, words};
use crate::compartment::PassageEntry;
use crate::question::{Hit, Question};
use crate::search::Ranked;

/// What a passage at the named place gains over others that only speak of it.
const NAMED: f64 = 4.0;
/// Fewer letters are the first ones of many titles.
const SHORTEST_ABBREVIATION: usize = 3;
/// A document is named if it is named nearly as well as the one that is named best.
const NAMED_AS_WELL: f64 = 0.75;
/// How well a document is named by an abbreviation of its title; a share of the question's words
/// says how well it is named by those.
const ABBREVIATED: f64 = 1.0;
/// And by its own name or number.
const SURELY: f64 = 2.0;
/// A name of the document must be met at least so well.
const NAME_STRENGTH: f64 = 0.6;

/// How well the question names the document of a passage that stands at the place that it names;
/// `None` for one that does not. `strengths` says how well each concept is matched by the passage
/// and what stands above it.
pub(crate) fn names(question: &Question, entry: &PassageEntry, strengths: &[f64]) -> Option<f64> {
    let place = words(&entry.place, entry.language);
    let at = |reference: &str| place.iter().any(|word| word.folded == reference);
    let mut articles = question.concepts.iter().filter(|c| c.word.starts_with("art_")).peekable();
    if articles.peek().is_none() || !articles.all(|c| at(&c.word)) {
        return None;
    }
    let paragraphs: Vec<&str> = references(question, "abs_").collect();
    let numbered = place.iter().any(|word| word.folded.starts_with("abs_"));
    let paragraph = !numbered || paragraphs.is_empty() || paragraphs.iter().any(|p| at(p));
    paragraph.then(|| names_document(question, entry, strengths)).flatten()
}

/// Puts the passages at the named place before others that only speak of it: those of the document
/// that is named best.
pub(crate) fn prefer(ranked: &mut [Ranked], how_well: &[Option<f64>]) {
    let best = how_well.iter().flatten().copied().fold(0.0, f64::max);
    for (one, named) in ranked.iter_mut().zip(how_well) {
        one.named = named.is_some_and(|named| named >= best * NAMED_AS_WELL);
        if one.named {
            one.fit.score *= NAMED;
            one.score = one.fit.score;
        }
    }
}

fn references<'a>(question: &'a Question, kind: &'a str) -> impl Iterator<Item = &'a str> {
    let words = question.concepts.iter().map(|concept| concept.word.as_str());
    words.filter(move |word| word.starts_with(kind))
}

/// How well the question names the document: by the name of its act, or by words of its title or
/// of the name of its file.
fn names_document(question: &Question, entry: &PassageEntry, strengths: &[f64]) -> Option<f64> {
    let file = crate::evidence::file_name(&entry.path);
    if question.acts.iter().any(|act| act.is(&entry.title, file)) {
        return Some(SURELY);
    }
    // One book is not another, however alike their titles are.
    if question.acts.iter().any(|act| matches!(act, Named::Book(_))) {
        return None;
    }
    // Nor is another act that shares words with its name; a file may be called by its name.
    if !question.acts.is_empty() {
        let called = words(file, entry.language);
        let said = |word: &Word| question.concepts.iter().any(|c| c.word == word.folded);
        let own = |word: &Word| {
            said(word) && question.acts.iter().any(|act| act.words().contains(&&*word.folded))
        };
        return called.iter().any(own).then_some(ABBREVIATED);
    }
    let name = crate::evidence::above(&entry.path, std::iter::once(&entry.title));
    let name = words(&name, entry.language);
    let initials = initials(&name);
    let abbreviated = |word: &str| word.len() >= SHORTEST_ABBREVIATION && initials.contains(word);
    if question.concepts.iter().any(|concept| abbreviated(&concept.word)) {
        return Some(ABBREVIATED);
    }
    let hits = question.hits(&name, entry.language);
    let tells = |at: usize| {
        let concept = &question.concepts[at];
        !concept.weak && !concept.word.starts_with(|c: char| c.is_ascii_digit())
    };
    let named = |at: &usize| {
        let met = |hit: &Hit| hit.concept == *at && hit.strength >= NAME_STRENGTH;
        tells(*at) && strengths[*at] > 0.0 && hits.iter().any(met)
    };
    let weigh = |at: usize| question.concepts[at].weight;
    let reference = |at: &usize| question.concepts[*at].word.contains('_');
    let all: f64 = (0..strengths.len()).filter(|at| tells(*at) && !reference(at)).map(weigh).sum();
    let own: f64 = (0..strengths.len()).filter(named).map(weigh).sum();
    (own > 0.0).then(|| (own / all.max(f64::MIN_POSITIVE)).min(ABBREVIATED))
}

/// The first letters of the names in a title: `General Data Protection Regulation` is `gdpr`.
fn initials(title: &[Word]) -> String {
    let names = title.iter().filter(|word| word.capital);
    names.filter_map(|word| word.folded.chars().next()).collect()
}
