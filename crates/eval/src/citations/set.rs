//! The cases, made from passages by chance that is always the same.

use std::collections::HashMap;

use allod_corpus::Language;

use super::Case;
use super::random::{Random, hash};
use super::source::Passage;
use super::{altered, forms, kept, outside, turned};

/// Of one document at most so many sentences give cases, so that no long act outweighs the others.
const SENTENCES: usize = 60;

/// The cases of one half of the documents.
pub(super) fn make(passages: &[Passage], most: usize, seed: u64) -> Vec<Case> {
    let mut cases = Vec::new();
    for language in Language::ALL {
        let own: Vec<&Passage> = passages.iter().filter(|p| p.language == language).collect();
        let chosen = chosen(&own, seed);
        let words = words(&own);
        let mut random = Random::new(seed ^ hash(language.code()));
        let mut made: HashMap<&'static str, usize> = HashMap::new();
        for passage in &chosen {
            of_passage(passage, &own, &words, most, &mut made, &mut random, &mut cases);
        }
        cases.extend(of_tables(language, most, seed));
    }
    cases
}

/// Sentences of all documents in turn, those of a document by chance.
fn chosen<'a>(passages: &[&'a Passage], seed: u64) -> Vec<&'a Passage> {
    let key = |p: &Passage| hash(&format!("{seed}{}{}", p.document, p.sentence));
    let mut documents: HashMap<&str, Vec<&'a Passage>> = HashMap::new();
    for &passage in passages {
        documents.entry(&passage.document).or_default().push(passage);
    }
    let mut chosen: Vec<&'a Passage> = Vec::new();
    for sentences in documents.values_mut() {
        sentences.sort_by_key(|p| key(p));
        sentences.dedup_by(|a, b| a.sentence == b.sentence);
        sentences.truncate(SENTENCES);
        chosen.extend(sentences.iter());
    }
    chosen.sort_by_key(|p| (key(p), p.sentence.clone()));
    chosen
}

/// Words of the language that decide nothing, for claims in other words.
fn words(passages: &[&Passage]) -> Vec<String> {
    let mut words: Vec<String> = passages
        .iter()
        .flat_map(|p| p.sentence.split(' '))
        .filter(|word| word.len() > 5 && word.chars().all(char::is_lowercase))
        .map(str::to_owned)
        .collect();
    words.sort_unstable();
    words.dedup();
    words
}

fn of_passage(
    passage: &Passage,
    all: &[&Passage],
    words: &[String],
    most: usize,
    made: &mut HashMap<&'static str, usize>,
    random: &mut Random,
    cases: &mut Vec<Case>,
) {
    let language = passage.language;
    let sentence = &passage.sentence;
    let mut push = |kind: &'static str, supported: bool, claim: String, cited: String| {
        let count = made.entry(kind).or_default();
        if *count < most && claim.len() > 15 {
            *count += 1;
            let document = passage.document.clone();
            let kind = kind.to_owned();
            cases.push(Case { language, document, kind, supported, claim, cited });
        }
    };
    for kind in kept::KINDS {
        if let Some(claim) = kept::keep(sentence, kind, words, language, random) {
            push(kind, true, claim, cited(passage, random));
        }
    }
    let other = random.pick(all).map_or("", |other| other.sentence.as_str());
    for kind in altered::KINDS {
        if let Some(claim) = altered::alter(sentence, other, kind, language, random) {
            let said = kept::keep(&claim, "synonyms", words, language, random);
            let claim = said.filter(|_| random.once_in(2)).unwrap_or(claim);
            if !passage.article.contains(claim.trim_end_matches('.')) {
                push(kind, false, claim, cited(passage, random));
            }
        }
    }
    // Chance of their own, so that the cases above stay what they were.
    let own = &mut Random::new(hash(sentence));
    for kind in forms::KINDS {
        if let Some(claim) = forms::form(sentence, kind, language, own) {
            push(kind, true, claim, cited(passage, own));
        }
    }
    for kind in turned::KINDS {
        let turned = turned::turn(sentence, kind, language, own);
        let stands = |claim: &String| passage.article.contains(claim.trim_end_matches('.'));
        if let Some(claim) = turned.filter(|claim| !stands(claim)) {
            push(kind, false, claim, cited(passage, own));
        }
    }
    let next = all.iter().copied().find(|other| follows(other, passage));
    for kind in outside::KEPT {
        if let Some(claim) = outside::keep_outside(passage, next, kind, own) {
            push(kind, true, claim, whole(passage, kind, own));
        }
    }
    for kind in outside::ALTERED {
        let altered = outside::alter_outside(passage, next, kind, own);
        let stands = |claim: &String| passage.article.contains(claim.trim_end_matches('.'));
        if let Some(claim) = altered.filter(|claim| !stands(claim)) {
            push(kind, false, claim, whole(passage, kind, own));
        }
    }
    if let Some(wrong) = elsewhere(passage, all, random) {
        let said = kept::keep(sentence, "synonyms", words, language, random);
        push("passage", false, said.unwrap_or_else(|| sentence.clone()), wrong);
    }
}

/// Whether a sentence stands later in the same paragraph.
fn follows(other: &Passage, passage: &Passage) -> bool {
    let place = |p: &Passage| passage.paragraph.find(&p.sentence);
    other.document == passage.document
        && other.paragraph == passage.paragraph
        && place(other) > place(passage)
}

/// What is cited; at least the paragraph where the claim is made of more than one sentence.
fn whole(passage: &Passage, kind: &str, random: &mut Random) -> String {
    match kind {
        "borrowed figure" => passage.article.clone(),
        "merged" | "joined" => passage.paragraph.clone(),
        _ => cited(passage, random),
    }
}

/// Claims about rows of tables.
fn of_tables(language: Language, most: usize, seed: u64) -> impl Iterator<Item = Case> {
    outside::rows(language, most, seed).into_iter().map(move |row| Case {
        language,
        document: "tables".into(),
        kind: if row.supported { "row" } else { "row of another" }.into(),
        supported: row.supported,
        claim: row.claim,
        cited: row.cited,
    })
}

/// What is cited: the sentence, its paragraph or its article.
fn cited(passage: &Passage, random: &mut Random) -> String {
    match random.below(3) {
        0 => passage.sentence.clone(),
        1 => passage.paragraph.clone(),
        _ => passage.article.clone(),
    }
}

/// Another article of the same document, or one of another document.
fn elsewhere(passage: &Passage, all: &[&Passage], random: &mut Random) -> Option<String> {
    let far = |other: &&Passage| {
        other.place != passage.place && !other.article.contains(&passage.sentence)
    };
    let same: Vec<&Passage> = all
        .iter()
        .copied()
        .filter(|other| other.document == passage.document && far(other))
        .collect();
    let other = if same.is_empty() { random.pick(all).copied().filter(far) } else { None };
    let chosen = random.pick(&same).copied().or(other)?;
    Some(if random.once_in(2) { chosen.article.clone() } else { chosen.paragraph.clone() })
}
