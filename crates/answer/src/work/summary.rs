//! Summing up a document in its own sentences, each cited. Where there is a model, it writes from
//! these sentences, and what it writes is held against them.

use std::collections::{BTreeMap, BTreeSet};

use allod_corpus::{Block, BlockKind, ByteRange, Digest, Language, sentences};
use allod_policy::{EvidenceFacts, ToolName, decide};
use allod_retrieval::Evidence;
use allod_retrieval::analysis::{is_stop_word, words};
use serde_json::json;

use super::Work;
use super::lookup::{self, Opened};
use super::origin::{Origin, Told};
use super::toolbox::Toolbox;
use crate::case::Case;
use crate::draft::Draft;
use crate::error::Error;
use crate::quote::Quoted;

/// One sentence in so many, within these bounds.
const ONE_IN: usize = 8;
const SENTENCES_MIN: usize = 3;
const SENTENCES_MAX: usize = 8;
/// Shorter sentences say little, longer ones are no summary.
const SENTENCE_BYTES: std::ops::RangeInclusive<usize> = 25..=600;
/// What the first sentence of a paragraph is worth beside the others.
const FIRST: f64 = 1.25;
/// What a row of a table or an item of a list is worth beside a sentence.
const ITEM: f64 = 0.5;
/// What a sentence with a number is worth beside others.
const NUMBER: f64 = 1.15;
/// How much of a sentence's worth goes where another says all of its words.
const REPEATED: f64 = 0.8;

pub(super) fn run(case: &mut Case, toolbox: &mut Toolbox, work: &Work) -> Result<(), Error> {
    let named = work.document.as_deref().expect("the work was checked to name a document");
    let told = Told::by_asker(work, named).expect("the asker named the document");
    let mut opened = None;
    let called =
        toolbox.call_by(ToolName::Read, [("document".to_owned(), told)].into(), |t, _| {
            Ok(lookup::open(t, named.trim())?.map(|document| {
                let version = &document.version;
                let value = json!({"digest": version.digest, "bytes": document.text.len()});
                let whole = Origin::Document {
                    digest: version.digest.clone(),
                    start: 0,
                    end: document.text.len(),
                };
                opened = Some(document);
                (value, vec![whole])
            }))
        })?;
    let (Some(_), Some(opened)) = (case.needs(ToolName::Read, called), opened) else {
        return Ok(());
    };
    case.sum_up(&opened)
}

impl Case<'_> {
    fn sum_up(&mut self, opened: &Opened) -> Result<(), Error> {
        self.language = opened.language();
        let evidence = [whole(opened)];
        let chosen = chosen(opened);
        let quotes: Vec<Quoted> = chosen
            .iter()
            .map(|(range, score)| Quoted {
                evidence: 0,
                range: *range,
                score: *score,
                answer: None,
            })
            .collect();
        let labels = evidence.iter().filter_map(|item| item.label.clone()).collect();
        let facts = EvidenceFacts { labels, ..EvidenceFacts::new(1.0, 1, 1, 1.0) };
        self.facts.evidence = Some(facts);
        self.decision = decide(self.means.policy, &self.facts);
        let parts: Vec<Evidence> =
            chosen.iter().map(|(range, score)| part(&evidence[0], *range, *score)).collect();
        let draft = match self.means.generator {
            Some(generator) if self.decision.outcome == allod_policy::Outcome::Answered => {
                let wrote = self.write(generator, &parts)?;
                self.prompt = Some(wrote.request);
                self.written = Some(wrote.written);
                self.facts.server = wrote.server;
                wrote.draft
            }
            _ => Draft::quoted(&quotes, &evidence),
        };
        // What a model wrote and nothing bears out gives way to the sentences themselves.
        let draft = match draft.text.is_empty() {
            true => Draft::quoted(&quotes, &evidence),
            false => draft,
        };
        self.facts.answer = Some(draft.facts());
        self.decision = decide(self.means.policy, &self.facts);
        self.draft = Some(draft);
        self.summed_up = Some(evidence.into());
        Ok(())
    }
}

/// The document as one passage.
fn whole(opened: &Opened) -> Evidence {
    let version = &opened.version;
    Evidence {
        path: version.path.clone(),
        title: version.title.clone(),
        digest: Digest::of(version.text.as_bytes()).to_string(),
        range: ByteRange::new(0, opened.text.len()),
        text: opened.text.clone(),
        place: String::new(),
        heading_path: Vec::new(),
        introduction: None,
        language: opened.language(),
        score: 1.0,
        coverage: 1.0,
        matched_terms: Vec::new(),
        valid_from: None,
        valid_until: None,
        label: version.label.clone(),
        suspicious: !opened.attempts.is_empty(),
        attempts: opened.attempts.clone(),
        named: false,
        beside: None,
        copies: Vec::new(),
        question: Default::default(),
    }
}

fn part(whole: &Evidence, range: ByteRange, score: f64) -> Evidence {
    let text = whole.text[range.start..range.end].to_owned();
    Evidence { range, text, score, attempts: Vec::new(), suspicious: false, ..whole.clone() }
}

/// A sentence with its words.
struct Sentence {
    range: ByteRange,
    stems: BTreeSet<String>,
    worth: f64,
}

/// The sentences that say most of what the document speaks of, in its order, with their worth
/// beside the best.
fn chosen(opened: &Opened) -> Vec<(ByteRange, f64)> {
    let all = weighed(opened);
    let wanted = (all.len() / ONE_IN).clamp(SENTENCES_MIN, SENTENCES_MAX);
    let best = all.iter().map(|sentence| sentence.worth).fold(f64::MIN_POSITIVE, f64::max);
    let mut picked: Vec<&Sentence> = Vec::new();
    while picked.len() < wanted {
        let rest = all.iter().filter(|one| !picked.iter().any(|p| p.range == one.range));
        let next = rest.max_by(|a, b| {
            let by = left(a, &picked).total_cmp(&left(b, &picked));
            by.then_with(|| b.range.start.cmp(&a.range.start))
        });
        let Some(next) = next else { break };
        picked.push(next);
    }
    picked.sort_by_key(|sentence| sentence.range.start);
    picked.into_iter().map(|sentence| (sentence.range, sentence.worth / best)).collect()
}

/// What a sentence is worth after those that are picked already.
fn left(sentence: &Sentence, picked: &[&Sentence]) -> f64 {
    let shared = |other: &&&Sentence| {
        let both = sentence.stems.intersection(&other.stems).count();
        both as f64 / sentence.stems.len().max(1) as f64
    };
    let most = picked.iter().map(|other| shared(&other)).fold(0.0, f64::max);
    sentence.worth * (1.0 - REPEATED * most)
}

fn weighed(opened: &Opened) -> Vec<Sentence> {
    let language = opened.language();
    let mut sentences = split(opened, language);
    let mut counts: BTreeMap<String, f64> = BTreeMap::new();
    for stem in sentences.iter().flat_map(|(sentence, _)| &sentence.stems) {
        *counts.entry(stem.clone()).or_insert(0.0) += 1.0;
    }
    for (sentence, factor) in &mut sentences {
        let said: f64 = sentence.stems.iter().map(|stem| (1.0 + counts[stem]).ln()).sum();
        let text = &opened.text[sentence.range.start..sentence.range.end];
        let number = if text.chars().any(|c| c.is_ascii_digit()) { NUMBER } else { 1.0 };
        sentence.worth = number * *factor * said / (sentence.stems.len() as f64 + 4.0).sqrt();
    }
    sentences.into_iter().map(|(sentence, _)| sentence).collect()
}

/// The sentences of the document's running text, and what each is worth for where it stands.
fn split(opened: &Opened, language: Language) -> Vec<(Sentence, f64)> {
    let blocks: Vec<Block> = serde_json::from_str(&opened.version.blocks_json).unwrap_or_default();
    let running = |block: &&Block| {
        !matches!(
            block.kind,
            BlockKind::Title
                | BlockKind::Heading { .. }
                | BlockKind::Article { .. }
                | BlockKind::Code
        )
    };
    let mut found = Vec::new();
    for block in blocks.iter().filter(running) {
        for (index, range) in sentences(&opened.text, block.range, language).into_iter().enumerate()
        {
            let text = &opened.text[range.start..range.end];
            if !SENTENCE_BYTES.contains(&text.len()) || text.ends_with(':') {
                continue;
            }
            let stems = words(text, language).into_iter();
            let stems = stems.filter(|word| !is_stop_word(&word.folded, language));
            let stems = stems.map(|word| word.stem).collect();
            let factor = match block.kind {
                BlockKind::TableRow | BlockKind::ListItem => ITEM,
                _ if index == 0 => FIRST,
                _ => 1.0,
            };
            found.push((Sentence { range, stems, worth: 0.0 }, factor));
        }
    }
    found
}
