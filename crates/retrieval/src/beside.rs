//! What stands beside a quoted passage and is needed to read it: the paragraph that it refers to,
//! and the definition of a word that it uses, both from the same version of the same document.

use crate::analysis::{Word, is_stop_word, is_weak_word, words};
use crate::compartment::{Loaded, PassageEntry, entry, failed};
use crate::error::Result;
use crate::evidence::Evidence;
use crate::validity::Amendments;
use allod_corpus::{ByteRange, Language};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tantivy::collector::DocSetCollector;
use tantivy::query::TermQuery;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocAddress, Term};

/// So many passages are brought along at most.
const BROUGHT_MAX: usize = 2;
/// A document of more passages is not looked through.
const PASSAGES_MAX: usize = 4000;
/// A term stands within so many words of the beginning of the line that defines it.
const DEFINED_WITHIN: usize = 4;
/// A shorter word is no term.
const TERM_LETTERS: usize = 4;
/// A number of a paragraph belongs to an article that is named at most so many words before it.
const ARTICLE_BEFORE: usize = 3;

/// Why a passage stands beside another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Beside {
    /// The quoted passage refers to it.
    Referred,
    /// It defines a word of the quoted passage.
    Defines,
}

/// Beginnings of headings under which words are defined; folded.
const DEFINITIONS: &[&str] =
    &["begriff", "definition", "definizion", "definiziun", "noziun", "notion", "interpretation"];

/// A line that defines has a word that says so within so many words, or a colon within so many
/// bytes after the term.
const DEFINING_WITHIN: usize = 14;
const NAME_BYTES: usize = 70;

/// Beginnings of words that say that something is defined; folded.
const DEFINING: &[&str] = &[
    "bedeut",
    "gelten",
    "gilt",
    "versteh",
    "verstand",
    "bezeichn",
    "entend",
    "design",
    "signifi",
    "considere",
    "intend",
    "intes",
    "termin",
    "means",
    "mean",
    "refers",
    "defined",
    "chapesch",
    "valan",
    "muntan",
];

/// Beginnings of words for an act and its parts: `this regulation …` defines nothing.
const NO_TERMS: &[&str] = &[
    "gesetz",
    "bundesgesetz",
    "verordnung",
    "reglement",
    "erlass",
    "loi",
    "ordonnance",
    "reglement",
    "legge",
    "ordinanza",
    "regolamento",
    "lescha",
    "ordinaziun",
    "reglament",
    "regulation",
    "ordinance",
    "artikel",
    "article",
    "articolo",
    "artitgel",
    "absatz",
    "alinea",
    "capoverso",
    "paragraph",
    "present",
    "vorliegend",
    "sinne",
    "sens",
    "sensi",
];

/// Phrases that mean the paragraph before the one they stand in; folded words.
const PRECEDING: &[&str] = &[
    "vorstehenden absatz",
    "vorhergehenden absatz",
    "vorangehenden absatz",
    "alinea precedent",
    "paragraphe precedent",
    "capoverso precedente",
    "paragrafo precedente",
    "alinea precedenta",
    "preceding paragraph",
    "previous paragraph",
    "preceding subsection",
    "previous subsection",
];

/// Words for paragraphs before the number of the first, beside those that the analysis knows.
const SEVERAL: &[&str] = &[
    "absatze",
    "absatzen",
    "alineas",
    "paragraphes",
    "capoversi",
    "paragraphs",
    "subsection",
    "subsections",
];

/// And the one after it.
const FOLLOWING: &[&str] = &[
    "folgenden absatz",
    "nachstehenden absatz",
    "nachfolgenden absatz",
    "alinea suivant",
    "paragraphe suivant",
    "capoverso seguente",
    "paragrafo seguente",
    "alinea suandanta",
    "following paragraph",
    "next paragraph",
    "following subsection",
];

/// What is needed beside a passage: of the same document, in force on the day, at most two.
/// `quoted` is the part of the passage's text that is quoted.
pub(crate) fn beside(
    compartment: &Loaded,
    amendments: &Amendments,
    on: Date,
    evidence: &Evidence,
    quoted: &str,
) -> Result<Vec<Evidence>> {
    let said = words(quoted, evidence.language);
    let wanted = Wanted::of(&said, evidence);
    let passages = of_document(compartment, evidence)?;
    let in_force =
        |p: &&PassageEntry| amendments.in_force(p, on) && p.start != evidence.range.start;
    let others: Vec<&PassageEntry> = passages.iter().filter(in_force).collect();
    let mut found: Vec<(&PassageEntry, Beside)> = Vec::new();
    found.extend(wanted.referred(&passages, &others).map(|p| (p, Beside::Referred)));
    let defining = others.iter().filter(|p| defines(p, &said));
    for passage in defining {
        if !found.iter().any(|(known, _)| known.start == passage.start) {
            found.push((passage, Beside::Defines));
        }
    }
    found.truncate(BROUGHT_MAX);
    Ok(found.into_iter().map(|(passage, why)| brought(passage, why, evidence)).collect())
}

/// The passages of the same version, in the order of the text.
fn of_document(compartment: &Loaded, evidence: &Evidence) -> Result<Vec<PassageEntry>> {
    let fields = compartment.fields;
    let path = Term::from_field_text(fields.path, &evidence.path);
    let query = TermQuery::new(path, IndexRecordOption::Basic);
    let read = || -> tantivy::Result<Vec<PassageEntry>> {
        let found = compartment.searcher.search(&query, &DocSetCollector)?;
        if found.len() > PASSAGES_MAX {
            return Ok(Vec::new());
        }
        let mut order: Vec<DocAddress> = found.into_iter().collect();
        order.sort_unstable();
        let mut passages = Vec::with_capacity(order.len());
        for address in order {
            let document = compartment.searcher.doc(address)?;
            let passage: Option<PassageEntry> = entry(&document, fields);
            passages.extend(passage.filter(|p| p.digest == evidence.digest));
        }
        passages.sort_by_key(|passage| passage.start);
        Ok(passages)
    };
    read().map_err(|source| failed(&compartment.folder, source))
}

/// What a text refers to.
struct Wanted {
    /// The article of the passage, as `art_7`.
    article: Option<String>,
    /// Paragraphs of it that are named.
    paragraphs: Vec<String>,
    /// -1 for the passage before, 1 for the one after.
    step: Option<isize>,
    start: usize,
}

impl Wanted {
    fn of(said: &[Word], evidence: &Evidence) -> Wanted {
        let own = places(&evidence.place, evidence.language);
        let article = own.iter().find(|place| place.starts_with("art_")).cloned();
        let is_own = |word: &str| own.iter().any(|place| place == word);
        // `Art. 5 Abs. 1` is a paragraph of another article.
        let elsewhere = |at: usize| {
            let before = &said[at.saturating_sub(ARTICLE_BEFORE)..at];
            before.iter().any(|word| word.folded.starts_with("art_") && !is_own(&word.folded))
        };
        let named = said.iter().enumerate().filter(|(at, word)| {
            word.folded.starts_with("abs_") && !is_own(&word.folded) && !elsewhere(*at)
        });
        let mut paragraphs: Vec<String> = named.map(|(_, word)| word.folded.clone()).collect();
        let several = said
            .windows(2)
            .filter(|pair| SEVERAL.contains(&pair[0].folded.as_str()) && pair[1].is_number());
        paragraphs.extend(several.map(|pair| format!("abs_{}", pair[1].folded)));
        paragraphs.dedup();
        let folded: Vec<&str> = said.iter().map(|word| word.folded.as_str()).collect();
        let text = format!(" {} ", folded.join(" "));
        let has = |list: &[&str]| list.iter().any(|phrase| text.contains(&format!(" {phrase} ")));
        let step = if has(PRECEDING) { Some(-1) } else { has(FOLLOWING).then_some(1) };
        Wanted { article, paragraphs, step, start: evidence.range.start }
    }

    /// The passages that are meant: paragraphs of the same article, and the neighbour.
    fn referred<'a>(
        &self,
        all: &'a [PassageEntry],
        others: &[&'a PassageEntry],
    ) -> impl Iterator<Item = &'a PassageEntry> + use<'a> {
        let at_place = |passage: &PassageEntry, paragraph: &String| {
            let own = places(&passage.place, passage.language);
            self.article.as_ref().is_some_and(|article| own.contains(article))
                && own.contains(paragraph)
        };
        let mut found: Vec<&PassageEntry> = Vec::new();
        for paragraph in &self.paragraphs {
            found.extend(others.iter().find(|passage| at_place(passage, paragraph)));
        }
        let at = all.iter().position(|passage| passage.start == self.start);
        let neighbour = at.zip(self.step).and_then(|(at, step)| at.checked_add_signed(step));
        let neighbour = neighbour.and_then(|at| all.get(at));
        let allowed = |p: &&PassageEntry| others.iter().any(|other| other.start == p.start);
        found.extend(neighbour.filter(allowed));
        found.into_iter()
    }
}

/// The articles and paragraphs that a place names.
fn places(place: &str, language: Language) -> Vec<String> {
    let references = words(place, language).into_iter().filter(|word| word.folded.contains('_'));
    references.map(|word| word.folded).collect()
}

/// Whether a passage stands under a heading of definitions and defines a word of the text: the word
/// stands at the beginning of one of its lines.
fn defines(passage: &PassageEntry, said: &[Word]) -> bool {
    let headed = passage.heading_path.iter().chain([&passage.place]).any(|heading| {
        let headed = words(heading, Language::Other).into_iter();
        headed.into_iter().any(|word| DEFINITIONS.iter().any(|d| word.folded.starts_with(d)))
    });
    headed && passage.text.lines().any(|line| defines_one(line, passage.language, said))
}

fn defines_one(text: &str, language: Language, said: &[Word]) -> bool {
    let line = words(text, language);
    let begins =
        |word: &Word, list: &[&str]| list.iter().any(|start| word.folded.starts_with(start));
    let content = |word: &&Word| {
        let little = is_stop_word(&word.folded, language) || is_weak_word(&word.folded, language);
        let is_term = word.folded.len() >= TERM_LETTERS && !word.is_number() && !little;
        is_term && !begins(word, NO_TERMS) && !begins(word, DEFINING)
    };
    // Only the first word that says something is the term.
    let Some(term) = line.iter().take(DEFINED_WITHIN).find(content) else { return false };
    let said_so = || line.iter().take(DEFINING_WITHIN).any(|word| begins(word, DEFINING));
    let after = text.get(term.range.end..).unwrap_or_default();
    let colon = after.split_once(':').is_some_and(|(name, _)| name.len() <= NAME_BYTES);
    (colon || said_so()) && said.iter().any(|word| word.stem == term.stem)
}

fn brought(passage: &PassageEntry, why: Beside, of: &Evidence) -> Evidence {
    let attempts = passage.attempts().into_owned();
    Evidence {
        path: passage.path.clone(),
        title: passage.title.clone(),
        digest: passage.digest.clone(),
        range: ByteRange { start: passage.start, end: passage.end },
        text: passage.text.clone(),
        place: passage.place.clone(),
        heading_path: passage.heading_path.clone(),
        introduction: passage.introduction.clone(),
        language: passage.language,
        score: 0.0,
        coverage: 0.0,
        matched_terms: Vec::new(),
        valid_from: passage.valid_from,
        valid_until: passage.valid_until,
        label: of.label.clone(),
        suspicious: !attempts.is_empty(),
        attempts,
        named: false,
        beside: Some(why),
        copies: Vec::new(),
        question: Arc::clone(&of.question),
    }
}
