//! A question, weighed and expanded: what to look for, and how much each find counts.

mod dialect;
mod expand;
mod range;

use crate::act::{Named, nominative};
use crate::analysis::{self, Word};
use crate::vocabulary::Vocabularies;
use allod_corpus::Language;
use foldhash::HashMap;
use range::Amount;

/// A passage is taken as one of at least so many, so that a handful of documents does not make
/// every word look common.
const PASSAGES_AT_LEAST: u64 = 400;
/// How much a weak word (`kostet`, `need`) counts beside one of the subject.
const WEAK_SHARE: f64 = 0.35;
/// A word that no passage has is as often another way to say it as another thing to ask for.
const UNKNOWN_SHARE: f64 = 0.9;
/// A number in a question is often a case (`65'000 Franken`) that falls under a rule without it.
const NUMBER_SHARE: f64 = 0.5;
/// A form that counts at least so much surely means the word.
const SURE_FORM: f64 = 0.65;
/// A compound whose parts all stand in a passage, but not the compound itself.
const PARTS_STRENGTH: f64 = 0.9;
/// A number that falls in a range of the passage.
const RANGE_STRENGTH: f64 = 0.9;
/// A compound's first part has so many letters at least, and by so many it is known again.
const SHORTEST_FIRST_PART: usize = 3;
const FIRST_LETTERS: usize = 5;
/// How much a word of the name of an act counts that it has in another language.
const ACT_STRENGTH: f64 = 0.9;
/// How much a word counts that is found in a document of another language.
const FOREIGN_STRENGTH: f64 = 0.6;

/// One thing that the question asks about: a word with the forms that stand for it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Concept {
    /// The question's word, folded.
    pub word: String,
    /// How much it tells, 0 to 1: high for rare words, low for common and weak ones.
    pub weight: f64,
    /// Whether the word itself stands in any passage that the caller may see.
    pub known: bool,
    /// Whether it is a weak word, that says more about the kind of answer than about the subject.
    pub weak: bool,
    /// Stems of the question's language that stand for it, and how well (0 to 1).
    pub(crate) forms: Vec<(String, f64)>,
    /// Parts of a compound, two or none: their share of the whole and their forms.
    pub(crate) parts: Vec<Part>,
    /// The last part of a German compound that passages have as a word of its own: the *Rat* of
    /// *Nationalrat*.
    pub(crate) head: Option<String>,
}

/// Part of a compound.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Part {
    pub(crate) share: f64,
    pub(crate) forms: Vec<(String, f64)>,
}

/// A question as it is searched.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Question {
    /// Its language, given or detected.
    pub language: Option<Language>,
    /// What it asks about, in order.
    pub concepts: Vec<Concept>,
    by_stem: HashMap<String, Vec<Target>>,
    by_folded: HashMap<String, Vec<Target>>,
    /// The concepts that are compounds of two parts.
    compounds: Vec<usize>,
    /// Its numbers: the concept that each is, and what is counted.
    numbers: Vec<(usize, Amount)>,
    /// Acts that it names by another name than their title's.
    pub(crate) acts: Vec<Named>,
}

/// What a word of a passage stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Target {
    concept: usize,
    part: Option<usize>,
    strength: f64,
}

/// A word of a passage that stands for a concept of the question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Which word of the passage.
    pub word: usize,
    /// Which concept of the question.
    pub concept: usize,
    /// How well it stands for it, 0 to 1.
    pub strength: f64,
    part: Option<usize>,
}

impl Question {
    /// A question without a corpus: every word of the subject counts the same.
    #[must_use]
    pub fn plain(text: &str, language: Language) -> Question {
        let concepts = content_words(text, language)
            .into_iter()
            .map(|word| {
                let weak = analysis::is_weak_word(&word.folded, language);
                Concept {
                    weight: if weak { WEAK_SHARE } else { 1.0 },
                    known: true,
                    weak,
                    forms: vec![(word.stem, 1.0)],
                    parts: Vec::new(),
                    head: None,
                    word: word.folded,
                }
            })
            .collect();
        Question::assemble(text, language, concepts)
    }

    /// A question over the words of the passages that the caller may see.
    pub(crate) fn new(text: &str, language: Option<Language>, known: &Vocabularies) -> Question {
        let language = language.unwrap_or_else(|| guess_language(text, known));
        let mut concepts: Vec<Concept> = content_words(text, language)
            .into_iter()
            .map(|word| concept(word, language, known))
            .collect();
        if concepts.iter().all(|c| c.weak) {
            concepts.iter_mut().for_each(|c| c.weight /= WEAK_SHARE);
        }
        Question::assemble(text, language, concepts)
    }

    fn assemble(text: &str, language: Language, concepts: Vec<Concept>) -> Question {
        let mut by_stem: HashMap<String, Vec<Target>> = HashMap::default();
        let mut by_folded: HashMap<String, Vec<Target>> = HashMap::default();
        for (at, concept) in concepts.iter().enumerate() {
            for (form, strength) in &concept.forms {
                let target = Target { concept: at, part: None, strength: *strength };
                by_stem.entry(form.clone()).or_default().push(target);
            }
            for (number, part) in concept.parts.iter().enumerate() {
                for (form, strength) in &part.forms {
                    let target = Target { concept: at, part: Some(number), strength: *strength };
                    by_stem.entry(form.clone()).or_default().push(target);
                }
            }
            let target = Target { concept: at, part: None, strength: FOREIGN_STRENGTH };
            by_folded.entry(concept.word.clone()).or_default().push(target);
        }
        let numbers = range::amounts(&analysis::words(text, language))
            .into_iter()
            .filter_map(|(word, amount)| {
                Some((concepts.iter().position(|concept| concept.word == word)?, amount))
            })
            .collect();
        let compounds =
            concepts.iter().enumerate().filter(|(_, c)| !c.parts.is_empty()).map(|(at, _)| at);
        let compounds = compounds.collect();
        let (acts, language) = (Named::all(text), Some(language));
        let mut question =
            Question { language, concepts, by_stem, by_folded, compounds, numbers, acts };
        question.link_acts();
        question
    }

    /// Where the question names a place in an act, the names of the act in other languages stand
    /// for the name that it uses.
    fn link_acts(&mut self) {
        if !self.concepts.iter().any(|concept| concept.word.starts_with("art_")) {
            return;
        }
        let named: Vec<Vec<&str>> = self.acts.iter().map(|act| act.words()).collect();
        for words in named {
            let own = |concept: &Concept| words.contains(&nominative(&concept.word));
            let at: Vec<usize> =
                (0..self.concepts.len()).filter(|at| own(&self.concepts[*at])).collect();
            for concept in at {
                words.iter().for_each(|word| self.link((*word).to_owned(), concept, ACT_STRENGTH));
            }
        }
    }

    /// Lets a folded word of another language stand for a concept, as well as `strength` says.
    pub(crate) fn link(&mut self, word: String, concept: usize, strength: f64) {
        let targets = self.by_folded.entry(word).or_default();
        match targets.iter_mut().find(|target| target.concept == concept) {
            Some(target) => target.strength = target.strength.max(strength),
            None => targets.push(Target { concept, part: None, strength }),
        }
    }

    /// Which words of a text in `language` stand for which concepts.
    #[must_use]
    pub fn hits(&self, words: &[Word], language: Language) -> Vec<Hit> {
        let own = self.language == Some(language);
        let mut hits = Vec::new();
        for (at, word) in words.iter().enumerate() {
            // The zone A is no `a`.
            if word.folded.len() < 2 && !word.is_number() && !word.capital {
                continue;
            }
            let targets =
                if own { self.by_stem.get(&word.stem) } else { self.by_folded.get(&word.folded) };
            for target in targets.into_iter().flatten() {
                // A number is the same in every language.
                let strength = if word.is_number() && !own { 1.0 } else { target.strength };
                let Target { concept, part, .. } = *target;
                hits.push(Hit { word: at, concept, part, strength });
            }
        }
        for (concept, amount) in &self.numbers {
            if let Some(word) = range::containing(words, amount) {
                hits.push(Hit { word, concept: *concept, part: None, strength: RANGE_STRENGTH });
            }
        }
        hits.sort_by_key(|hit| hit.word);
        hits
    }

    /// The concepts in whose place words of a text stand that are another thing of the same sort:
    /// a *Bundesrat* where the *Nationalrat* is asked about. Only of German compounds.
    #[must_use]
    pub fn other_things(&self, words: &[Word], language: Language) -> Vec<usize> {
        if language != Language::De || self.language != Some(language) {
            return Vec::new();
        }
        let is_other = |concept: &Concept| {
            let Some(head) = &concept.head else { return false };
            let first = concept.word.get(..FIRST_LETTERS).unwrap_or(&concept.word);
            let means = |word: &Word| concept.forms.iter().any(|(form, _)| *form == word.stem);
            let first_part = concept.parts.first();
            let has_first = |word: &Word| {
                let forms = first_part.map_or(&[][..], |part| &part.forms);
                word.folded.contains(first)
                    || forms.iter().any(|(form, _)| word.stem.contains(form))
            };
            let other = |word: &&Word| {
                word.stem.len() >= head.len() + SHORTEST_FIRST_PART
                    && word.stem.ends_with(head.as_str())
                    && !means(word)
                    && !concept.word.ends_with(&word.folded)
            };
            words.iter().any(|word| other(&word)) && !words.iter().any(has_first)
        };
        let concepts = self.concepts.iter().enumerate();
        concepts.filter(|(_, concept)| is_other(concept)).map(|(at, _)| at).collect()
    }

    /// How well each concept is matched by these hits, 0 to 1.
    #[must_use]
    pub fn strengths<'a>(&self, hits: impl IntoIterator<Item = &'a Hit>) -> Vec<f64> {
        let mut whole = Vec::new();
        self.strengths_into(hits, &mut whole);
        whole
    }

    /// [`Question::strengths`] into a vector that can be used again.
    pub(crate) fn strengths_into<'a>(
        &self,
        hits: impl IntoIterator<Item = &'a Hit>,
        whole: &mut Vec<f64>,
    ) {
        whole.clear();
        whole.resize(self.concepts.len() + 2 * self.compounds.len(), 0.0);
        for hit in hits {
            let at = hit.part.map_or(hit.concept, |part| self.part_at(hit.concept, part));
            whole[at] = whole[at].max(hit.strength);
        }
        for (number, concept) in self.compounds.iter().enumerate() {
            let first = self.concepts.len() + 2 * number;
            let parts = self.concepts[*concept].parts.iter().zip(&whole[first..first + 2]);
            let sum: f64 = parts.map(|(part, strength)| strength * part.share).sum();
            whole[*concept] = whole[*concept].max(sum * PARTS_STRENGTH);
        }
        whole.truncate(self.concepts.len());
    }

    /// Where the strength of a part of a compound is kept: after those of the concepts.
    fn part_at(&self, concept: usize, part: usize) -> usize {
        let compound = self.compounds.partition_point(|compound| *compound < concept);
        self.concepts.len() + 2 * compound + part
    }

    /// Which share of the question's weight these strengths cover, 0 to 1.
    #[must_use]
    pub fn coverage(&self, strengths: &[f64]) -> f64 {
        let total: f64 = self.concepts.iter().map(|c| c.weight).sum();
        if total <= 0.0 {
            return 0.0;
        }
        let covered: f64 = self.concepts.iter().zip(strengths).map(|(c, s)| c.weight * s).sum();
        covered / total
    }
}

/// The words that are no stop words, each once.
fn content_words(text: &str, language: Language) -> Vec<Word> {
    let mut content: Vec<Word> = Vec::new();
    let mut asking = false;
    for word in analysis::words(text, language) {
        // `wie hoch`, `how much`: the second word says what kind of answer is wanted, and would
        // only match by chance.
        let measure = asking && analysis::is_weak_word(&word.folded, language);
        asking = matches!(word.folded.as_str(), "wie" | "how");
        if measure {
            continue;
        }
        let letter = word.folded.len() < 2 && !word.is_number();
        if letter && is_name(&word, text, language, content.last()) {
            content.push(word);
            continue;
        }
        let repeated = content.iter().any(|w| w.stem == word.stem);
        // The number of `Art. 12` is in the reference already.
        let referred = content.last().is_some_and(|w| {
            w.folded.contains('_') && w.range.end == word.range.end && w.range != word.range
        });
        if referred {
            continue;
        }
        if !letter && !repeated && !analysis::is_stop_word(&word.folded, language) {
            content.push(word);
        }
    }
    content
}

/// Whether a single letter is the name of what stands before it: `zone B`, `Gruppe A`.
fn is_name(letter: &Word, text: &str, language: Language, before: Option<&Word>) -> bool {
    let elided = text[letter.range.end..].starts_with(['\'', '’', '.']);
    let pronoun = language == Language::En && letter.folded == "i";
    let follows = before.is_some_and(|before| {
        !before.is_number() && text[before.range.end..letter.range.start].trim().is_empty()
    });
    letter.capital && follows && !elided && !pronoun
}

fn concept(word: Word, language: Language, known: &Vocabularies) -> Concept {
    let weak = analysis::is_weak_word(&word.folded, language);
    let passages = known.count(&term("", language)).max(1);
    let (forms, parts) = expand::forms(&word, language, known);
    let count = occurrences(&word, &forms, language, known);
    let head = expand::head(&word, language, known);
    let share = match (weak, count) {
        (true, _) => WEAK_SHARE,
        (false, _) if word.is_number() || word.folded.len() < 2 => NUMBER_SHARE,
        (false, 0) => UNKNOWN_SHARE,
        (false, _) => 1.0,
    };
    Concept {
        weight: information(u64::from(count), u64::from(passages)) * share,
        known: count > 0,
        weak,
        forms,
        parts,
        head,
        word: word.folded,
    }
}

/// In how many passages the word stands or, if in none, the forms that surely mean it.
fn occurrences(
    word: &Word,
    forms: &[(String, f64)],
    language: Language,
    known: &Vocabularies,
) -> u32 {
    let own = known.count(&term(&word.stem, language));
    if own > 0 {
        return own;
    }
    let sure = forms.iter().filter(|(_, strength)| *strength >= SURE_FORM);
    sure.map(|(form, _)| known.count(&term(form, language))).sum()
}

/// How a stem of a language is written in the index. The empty stem stands in every passage of the
/// language.
pub(crate) fn term(stem: &str, language: Language) -> String {
    format!("{}|{stem}", language.code())
}

/// How much it tells that a word stands in a passage: 1 for a word that stands in none of the
/// others, 0 for one that stands in all.
fn information(count: u64, passages: u64) -> f64 {
    let all = passages.max(PASSAGES_AT_LEAST) as f64 + 1.0;
    ((all / (count as f64 + 0.5)).ln() / (all / 0.5).ln()).clamp(0.05, 1.0)
}

/// The language of a short text: the detector's word, and what the text shares with the stop words
/// and the passages of each language.
fn guess_language(text: &str, known: &Vocabularies) -> Language {
    let detected = Language::detect(text);
    let score = |language: Language| -> f64 {
        let own = analysis::words(text, language)
            .iter()
            .filter(|w| w.folded.len() > 1 && !w.is_number())
            .filter(|w| {
                analysis::is_stop_word(&w.folded, language)
                    || known.count(&term(&w.stem, language)) > 0
            })
            .count();
        let named = names_places_in(language, text);
        own as f64 + if language == detected { 1.5 } else { 0.0 } + if named { 2.0 } else { 0.0 }
    };
    let best = Language::ALL
        .into_iter()
        .map(|l| (l, score(l)))
        .reduce(|a, b| if b.1 > a.1 { b } else { a });
    best.filter(|(_, score)| *score > 0.0).map_or(detected, |(language, _)| language)
}

/// Whether the text names a place in an act as only this language does.
fn names_places_in(language: Language, text: &str) -> bool {
    // The sign stands in German acts; others write `art.`.
    if language == Language::De && text.contains('§') {
        return true;
    }
    // `Art 30(1)` is how English names a paragraph.
    let bracketed =
        |three: &[u8]| three[0].is_ascii_digit() && three[1] == b'(' && three[2].is_ascii_digit();
    if language == Language::En && text.as_bytes().windows(3).any(bracketed) {
        return true;
    }
    let own: &[&str] = match language {
        Language::De => &["abs", "absatz", "artikel"],
        Language::Fr => &["al", "alinea"],
        Language::It => &["cpv", "capoverso", "articolo"],
        Language::Rm => &["artitgel"],
        _ => return false,
    };
    let folded = analysis::words(text, language);
    let word = |word: &&str| folded.iter().any(|w| w.folded == **word);
    text.contains(|c: char| c.is_ascii_digit()) && own.iter().any(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::Vocabulary;
    use std::sync::Arc;

    fn known(counts: &[(&str, u32)]) -> Vocabularies {
        let counts = counts.iter().map(|(t, n)| ((*t).to_owned(), *n)).collect();
        Vocabularies { each: vec![Arc::new(Vocabulary::new(counts))] }
    }

    fn coverage(question: &Question, text: &str, language: Language) -> f64 {
        let hits = question.hits(&analysis::words(text, language), language);
        question.coverage(&question.strengths(&hits))
    }

    #[test]
    fn places_tell_the_language() {
        let known = known(&[("de|", 1000), ("en|", 1000), ("en|was", 50), ("en|in", 50)]);
        for (text, language) in [
            ("GDPR Art 30(1)(b)", Language::En),
            ("Was steht in § 5 UrhG?", Language::De),
            ("art. 6 al. 1 LPD", Language::Fr),
        ] {
            assert_eq!(Question::new(text, None, &known).language, Some(language), "{text}");
        }
    }

    #[test]
    fn another_thing_of_the_same_sort_is_known() {
        let known = known(&[("de|", 1000), ("de|rat", 30), ("de|bundesrat", 9), ("de|steu", 20)]);
        let question = Question::new("Wie viele Mitglieder hat der Nationalrat?", None, &known);
        let others = |text: &str| {
            let words = analysis::words(text, Language::De);
            let found = question.other_things(&words, Language::De);
            found.into_iter().map(|at| question.concepts[at].word.clone()).collect::<Vec<_>>()
        };
        assert_eq!(others("Der Bundesrat hat sieben Mitglieder."), ["nationalrat"]);
        assert!(others("Der Nationalrat hat 200 Mitglieder, der Ständerat 46.").is_empty());
        assert!(others("Der Rat hat 200 Mitglieder.").is_empty());
    }

    #[test]
    fn a_letter_after_a_noun_is_a_name() {
        let known = known(&[("fr|", 1000), ("fr|zon", 30), ("de|", 1000)]);
        let question = Question::new("Combien coûte la vignette en zone A ?", None, &known);
        assert!(question.concepts.iter().any(|concept| concept.word == "a"));
        let row = |text: &str| coverage(&question, text, Language::Fr);
        assert!(row("Zone: A; Prix: 20 fr.") > row("Zone: B; Prix: à 20 fr."));
        let plain = Question::new("A quelle heure ? J'ai un chien", Some(Language::Fr), &known);
        assert!(plain.concepts.iter().all(|concept| concept.word.len() > 1));
    }

    #[test]
    fn rare_words_tell_more_than_common_and_weak_ones() {
        let known = known(&[("de|", 1000), ("de|hund", 3), ("de|gemeind", 700)]);
        let question = Question::new("Was kostet ein Hund in der Gemeinde?", None, &known);
        let weight = |w: &str| question.concepts.iter().find(|c| c.word == w).unwrap().weight;
        assert!(weight("hund") > 0.5 && weight("gemeinde") < 0.1 && weight("kostet") < 0.4);
    }

    #[test]
    fn compounds_match_their_parts_and_back() {
        let known = known(&[
            ("de|", 1000),
            ("de|hund", 9),
            ("de|steu", 9),
            ("de|hundesteu", 2),
            ("de|abfallgebuhr", 3),
            ("de|abfall", 4),
            ("de|gebuhr", 40),
        ]);
        let question = Question::new("Hundesteuer", Some(Language::De), &known);
        assert_eq!(coverage(&question, "Die Hundesteuer beträgt CHF 5.", Language::De), 1.0);
        let parts = coverage(&question, "Die Steuer für Hunde", Language::De);
        let half = coverage(&question, "Die Steuer für Autos", Language::De);
        assert!(parts > 0.8 && half > 0.1 && half < 0.6, "{parts} {half}");
        let question = Question::new("Gebühren für Abfall", Some(Language::De), &known);
        assert!(coverage(&question, "Abfallgebühren", Language::De) > 0.6);
    }

    #[test]
    fn a_part_that_no_passage_has_is_known_by_its_synonyms() {
        let known = known(&[("de|", 1000), ("de|abfall", 9), ("de|sack", 9)]);
        for text in ["Was kostet ein Kehrichtsack?", "Was kosten 3 Kehrichtsäcke?"] {
            let question = Question::new(text, Some(Language::De), &known);
            let both = coverage(&question, "Abfall: Sack 35 Liter", Language::De);
            let one = coverage(&question, "Abfall: Container", Language::De);
            assert!(both > 0.35 && both > one + 0.1, "{text}: {both} {one}");
        }
    }

    #[test]
    fn a_typing_error_is_forgiven() {
        let known = known(&[("de|", 1000), ("de|friedhof", 9)]);
        let question = Question::new("Friehdof", Some(Language::De), &known);
        assert!(coverage(&question, "Auf dem Friedhof", Language::De) > 0.5);
    }

    #[test]
    fn other_languages_match_by_the_word_itself() {
        let question = Question::plain("Caduff 2026", Language::De);
        let found = coverage(&question, "La présidente Caduff, en 2026", Language::Fr);
        assert!(found > 0.5 && found < 1.0);
    }

    #[test]
    fn the_language_of_a_reference_is_that_of_its_words() {
        let known = known(&[("de|", 50), ("fr|", 50), ("it|", 50)]);
        for (text, language) in [
            ("art. 28 cpv. 1 OCSP", Language::It),
            ("art. 28 al. 1 OCSP", Language::Fr),
            ("Art. 28 Abs. 1 OCSP", Language::De),
        ] {
            assert_eq!(Question::new(text, None, &known).language, Some(language), "{text}");
        }
    }

    #[test]
    fn the_language_of_key_words_is_that_of_the_passages() {
        let known = known(&[("rm|", 50), ("rm|taglia", 2), ("rm|chaun", 3), ("de|", 50)]);
        let question = Question::new("taglia chauns", None, &known);
        assert_eq!(question.language, Some(Language::Rm));
    }
}
