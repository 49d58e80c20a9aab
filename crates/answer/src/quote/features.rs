//! What tells whether a sentence answers a question.
//!
//! Each feature is a number of the question, the sentence and what else was found; none is a word
//! of either. Names are fixed: a calibration says by which features it was fitted.

use allod_corpus::{ByteRange, Language};
use allod_retrieval::analysis::{Word, is_stop_word, words};
use allod_retrieval::{Concept, EvidenceSet, Question};

use super::asked::Asked;
use super::expected::Expected;
use super::opposites::{denies, opposed, singles_out};
use super::order::order;
use super::slots::{Kind, Slots, kinds, slots};
use super::span::{Span, Wanted, is_date, spans};
use super::value::pointed;
use super::whole::cell;
use super::{Candidate, strengths};
use crate::support::quantity::quantities;

/// From this strength on a word is taken as found.
const FOUND: f64 = 0.5;
/// A word that shares so much of its beginning may be of the same family (`leader`, `led`).
const FAMILY_SHARE: f64 = 0.6;
const FAMILY_LETTERS: usize = 4;

/// The names of all features, in order.
pub(super) const NAMES: [&str; 119] = [
    "coverage",
    "text_coverage",
    "window_coverage",
    "rarest",
    "rarest_two",
    "unknown",
    "known_coverage",
    "mass",
    "margin",
    "document_margin",
    "brevity",
    "nearness",
    "nearness_lead",
    "passage_rank",
    "passage_score",
    "passage_coverage",
    "named",
    "asks_who",
    "asks_when",
    "asks_where",
    "asks_how_many",
    "asks_why",
    "asks_how",
    "asks_which",
    "asks_what",
    "asks_yes_no",
    "asks_other",
    "question_words",
    "question_terms",
    "question_weight",
    "question_names",
    "question_numbers",
    "question_denies",
    "question_singles",
    "own_coverage",
    "joined_coverage",
    "passage_text_coverage",
    "elsewhere_coverage",
    "missing_own_heaviest",
    "missing_own_second",
    "missing_own_count",
    "missing_own_weight",
    "missing_joined_heaviest",
    "missing_joined_count",
    "missing_passage_heaviest",
    "missing_passage_second",
    "missing_passage_count",
    "missing_passage_weight",
    "astray_heaviest",
    "astray_count",
    "beside_heaviest",
    "beside_count",
    "unknown_heaviest",
    "unknown_count",
    "lost_heaviest",
    "names_own",
    "name_missing_own",
    "name_missing_joined",
    "name_missing_passage",
    "number_missing_own",
    "number_missing_passage",
    "plain_missing_own",
    "plain_missing_passage",
    "least_own",
    "least_passage",
    "same_order",
    "same_distance",
    "matched_window",
    "matched_places",
    "sentence_words",
    "sentence_matched",
    "longest_run",
    "denial_differs",
    "sentence_denies",
    "opposed",
    "singling_missing",
    "family_coverage",
    "strange_heaviest",
    "focus_asked",
    "focus_own",
    "focus_passage",
    "small_words_missing",
    "score",
    "score_lead",
    "score_lead_inside",
    "score_lead_outside",
    "own_lead",
    "close_rivals",
    "kind_asked",
    "kind_held",
    "span_score",
    "span_lead",
    "span_kind",
    "span_distance",
    "span_words",
    "strange_names",
    "strange_numbers",
    "strange_plain",
    "strange_types",
    "strange_all",
    "replaced_name",
    "replaced_plain",
    "kept_pairs",
    "broken_pairs",
    "familiar",
    "nothing_strange",
    "dates",
    "numbers",
    "new_names",
    "meant",
    "in_order",
    "in_order_weight",
    "telling_in_order",
    "denied_asked_only",
    "denied_said_only",
    "same_form",
    "other_form",
    "replaced_type",
    "replaced_sum",
];

/// A question beside all that was found for it.
pub(super) struct Asking<'a> {
    question: &'a Question,
    pub(super) language: Language,
    /// All its words.
    pub(super) words: Vec<Word>,
    pub(super) asked: Asked,
    kinds: Vec<Kind>,
    focus: Option<String>,
    expected: Option<Expected>,
    found: &'a EvidenceSet,
    /// How well each concept stands in each piece of evidence.
    passages: Vec<Vec<f64>>,
}

/// A named list of numbers.
#[derive(Default)]
struct Named(Vec<(&'static str, f64)>);

impl Named {
    fn put(&mut self, name: &'static str, value: f64) {
        self.0.push((name, if value.is_finite() { value } else { 0.0 }));
    }

    fn flag(&mut self, name: &'static str, value: bool) {
        self.put(name, f64::from(value));
    }
}

impl<'a> Asking<'a> {
    /// Looks at a question and at all that was found.
    pub(super) fn new(
        text: &str,
        language: Language,
        question: &'a Question,
        found: &'a EvidenceSet,
        focus: Option<String>,
    ) -> Asking<'a> {
        let plain: Vec<Word> =
            words(text, language).into_iter().filter(|w| !w.folded.contains('_')).collect();
        let passages = found.evidence.iter().map(|e| strengths(question, &e.text, e.language));
        let passages = passages.collect();
        let asked = Asked::of(&plain, language);
        let kinds = kinds(text, &plain, asked, language);
        let expected = Expected::of(text, language);
        Asking { question, language, words: plain, asked, kinds, focus, expected, found, passages }
    }

    /// The words of a candidate that answer; none where the question asks for no such words.
    pub(super) fn short_answer(&self, candidate: &Candidate) -> Option<Span> {
        let passage = &self.found.evidence[candidate.evidence];
        let text = candidate.unit.text(&passage.text);
        let terms = self.weighed();
        let wanted = Wanted { asked: self.asked, terms: &terms, focus: self.focus.as_deref() };
        spans(&wanted, text, passage.language).into_iter().next()
    }

    /// The words of a candidate to point at: a row's cell, else its short answer. A question that
    /// is answered by yes or no has none: the whole sentence decides it.
    pub(super) fn answer(&self, candidate: &Candidate, short: Option<Span>) -> Option<ByteRange> {
        if self.asked == Asked::YesNo {
            return None;
        }
        let passage = &self.found.evidence[candidate.evidence];
        let text = candidate.unit.text(&passage.text);
        let expected = self.expected.as_ref();
        let cell = cell(text, &self.weighed(), expected, passage.language);
        let chosen = short.map(|span| span.range);
        cell.or_else(|| pointed(text, passage.language, expected, chosen))
    }

    /// Stems of the words that tell, with their weights.
    fn weighed(&self) -> Vec<(String, f64)> {
        let weigh = |concept: &Concept| {
            let word = self.words.iter().find(|word| word.folded == concept.word)?;
            Some((word.stem.clone(), concept.weight))
        };
        self.question.concepts.iter().filter_map(weigh).collect()
    }

    /// The features of a candidate; `rivals` are the other candidates, `span` its best short
    /// answer.
    pub(super) fn features(
        &self,
        candidate: &Candidate,
        rivals: &[Candidate],
        span: Option<&Span>,
    ) -> Vec<(&'static str, f64)> {
        let mut named = Named::default();
        let terms = self.terms(candidate);
        let text = candidate.unit.text(&self.found.evidence[candidate.evidence].text);
        let sentence = words(text, self.found.evidence[candidate.evidence].language);
        self.of_search(&mut named, candidate);
        self.of_question(&mut named, &terms);
        of_coverage(&mut named, &terms);
        self.of_order(&mut named, &terms, &sentence);
        self.of_sense(&mut named, &terms, &sentence);
        self.of_rivals(&mut named, candidate, rivals);
        of_span(&mut named, candidate, span);
        let slots = slots(&self.words, &self.kinds, &sentence, self.language);
        of_slots(&mut named, &slots);
        self.of_kinds(&mut named, text, &sentence);
        self.of_turns(&mut named, &terms, &sentence, &slots);
        named.0
    }

    fn of_search(&self, named: &mut Named, candidate: &Candidate) {
        // They come first.
        for (name, value) in NAMES.into_iter().zip(self.found.signals.values()) {
            named.put(name, value);
        }
        let best = self.found.evidence.first().map_or(1.0, |e| e.score.max(f64::MIN_POSITIVE));
        let own = &self.found.evidence[candidate.evidence];
        named.put("passage_rank", candidate.evidence as f64);
        named.put("passage_score", own.score / best);
        named.put("passage_coverage", own.coverage);
        named.flag("named", own.named);
    }

    fn of_question(&self, named: &mut Named, terms: &[Term]) {
        let kinds = [
            "asks_who",
            "asks_when",
            "asks_where",
            "asks_how_many",
            "asks_why",
            "asks_how",
            "asks_which",
            "asks_what",
            "asks_yes_no",
            "asks_other",
        ];
        for (name, asked) in kinds.into_iter().zip(Asked::ALL) {
            named.flag(name, self.asked == asked);
        }
        named.put("question_words", self.words.len() as f64);
        named.put("question_terms", terms.len() as f64);
        named.put("question_weight", terms.iter().map(|term| term.weight).sum());
        named.put("question_names", terms.iter().filter(|term| term.name).count() as f64);
        named.put("question_numbers", terms.iter().filter(|term| term.number).count() as f64);
        let denies = |word: &&Word| denies(&word.folded, self.language);
        named.put("question_denies", self.words.iter().filter(denies).count() as f64);
        let singles = |word: &&Word| singles_out(&word.folded, self.language);
        named.put("question_singles", self.words.iter().filter(singles).count() as f64);
    }

    /// Whether matched words stand in the same order and as close as in the question.
    fn of_order(&self, named: &mut Named, terms: &[Term], sentence: &[Word]) {
        let places: Vec<(usize, usize)> =
            terms.iter().filter_map(|term| Some((term.place?, term.first_in(sentence)?))).collect();
        let (mut same, mut pairs, mut near, mut next) = (0, 0, 0, 0);
        for (at, one) in places.iter().enumerate() {
            for other in &places[at + 1..] {
                pairs += 1;
                same += usize::from((one.0 < other.0) == (one.1 < other.1));
            }
            if let Some(other) = places.get(at + 1) {
                next += 1;
                let (asked, said) = (one.0.abs_diff(other.0), one.1.abs_diff(other.1));
                near += usize::from(said <= asked + 1);
            }
        }
        let share = |part: usize, whole: usize| {
            if whole == 0 { 0.5 } else { part as f64 / whole as f64 }
        };
        named.put("same_order", share(same, pairs));
        named.put("same_distance", share(near, next));
        let first = places.iter().map(|place| place.1).min().unwrap_or(0);
        let last = places.iter().map(|place| place.1).max().unwrap_or(0);
        named.put("matched_window", (last - first) as f64);
        named.put("matched_places", places.len() as f64);
        named.put("sentence_words", sentence.len() as f64);
        named.put("sentence_matched", share(places.len(), sentence.len()));
        named.put("longest_run", self.longest_run(sentence));
    }

    /// The longest run of the question's words that stands in the sentence as it is.
    fn longest_run(&self, sentence: &[Word]) -> f64 {
        let mut longest = 0;
        let mut row = vec![0_usize; sentence.len() + 1];
        for word in &self.words {
            for at in (0..sentence.len()).rev() {
                row[at + 1] = if sentence[at].stem == word.stem { row[at] + 1 } else { 0 };
                longest = longest.max(row[at + 1]);
            }
        }
        longest as f64
    }

    /// Negations, opposites and words that single out, on one side and not on the other.
    fn of_sense(&self, named: &mut Named, terms: &[Term], sentence: &[Word]) {
        let language = self.language;
        let stands = |folded: &str| sentence.iter().any(|word| word.folded == folded);
        let denied = |words: &[Word]| words.iter().any(|word| denies(&word.folded, language));
        let (asked, said) = (denied(&self.words), denied(sentence));
        named.flag("denial_differs", asked != said);
        named.flag("sentence_denies", said);
        let turned = |word: &&Word| {
            !stands(&word.folded)
                && sentence.iter().any(|other| opposed(&word.folded, &other.folded, language))
        };
        named.put("opposed", self.words.iter().filter(turned).count() as f64);
        let singled = self.words.iter().filter(|word| singles_out(&word.folded, language));
        let missing = singled.filter(|word| !stands(&word.folded)).count();
        named.put("singling_missing", missing as f64);
        let family: f64 = terms.iter().map(|term| term.weight * term.family(sentence)).sum();
        let total: f64 = terms.iter().map(|term| term.weight).sum();
        named.put("family_coverage", family / total.max(f64::MIN_POSITIVE));
        let strange = terms.iter().filter(|term| term.family(sentence) < FOUND);
        named.put("strange_heaviest", strange.map(|term| term.weight).fold(0.0, f64::max));
        let focus = self.focus.as_ref().and_then(|f| terms.iter().find(|term| term.folded == *f));
        named.flag("focus_asked", focus.is_some());
        named.put("focus_own", focus.map_or(0.5, |term| term.own));
        named.put("focus_passage", focus.map_or(0.5, |term| term.passage));
        let dropped = self.words.iter().filter(|word| {
            is_stop_word(&word.folded, language) && !sentence.iter().any(|w| w.stem == word.stem)
        });
        named.put("small_words_missing", dropped.count() as f64);
    }

    /// How many things of the kind asked for the sentence has: one alone is surely meant.
    fn of_kinds(&self, named: &mut Named, text: &str, sentence: &[Word]) {
        let found = quantities(text, self.language);
        let dates = found.iter().filter(|quantity| is_date(quantity)).count();
        let asked = |word: &Word| self.words.iter().any(|own| own.stem == word.stem);
        let new = sentence.iter().skip(1).filter(|word| word.capital && !asked(word)).count();
        named.put("dates", dates as f64);
        named.put("numbers", found.len() as f64);
        named.put("new_names", new as f64);
        let count = match self.asked {
            Asked::When => dates,
            Asked::HowMany => found.len() - dates,
            Asked::Who | Asked::Where => new,
            _ => return named.put("meant", 0.5),
        };
        let meant = match count {
            0 => 0.0,
            1 => 1.0,
            more => 0.5 + 0.5 / more as f64,
        };
        named.put("meant", meant);
    }

    /// What tells a question that was turned away from the sentence: order, denial on one side,
    /// other forms, other words in the place of its own.
    fn of_turns(&self, named: &mut Named, terms: &[Term], sentence: &[Word], slots: &Slots) {
        let weigh = |word: &Word| {
            let term = terms.iter().find(|term| term.folded == word.folded);
            term.map(|term| term.weight)
        };
        let weights: Vec<Option<f64>> = self.words.iter().map(weigh).collect();
        let order = order(&self.words, &self.kinds, &weights, sentence);
        named.put("in_order", order.words);
        named.put("in_order_weight", order.weight);
        named.put("telling_in_order", order.telling);
        let denied = |words: &[Word]| words.iter().any(|w| denies(&w.folded, self.language));
        let (asked, said) = (denied(&self.words), denied(sentence));
        named.flag("denied_asked_only", asked && !said);
        named.flag("denied_said_only", said && !asked);
        named.put("same_form", slots.same_form);
        named.put("other_form", slots.other_form);
        named.put("replaced_type", slots.replaced_type);
        named.put("replaced_sum", slots.replaced_sum);
    }

    fn of_rivals(&self, named: &mut Named, candidate: &Candidate, rivals: &[Candidate]) {
        let others = || rivals.iter().filter(|rival| !same_unit(rival, candidate));
        let best = |of: &dyn Fn(&Candidate) -> f64, same: Option<bool>| {
            let inside = |rival: &&Candidate| {
                same.is_none_or(|same| (rival.evidence == candidate.evidence) == same)
            };
            others().filter(inside).map(of).fold(0.0, f64::max)
        };
        named.put("score", candidate.score);
        named.put("score_lead", candidate.score - best(&|c| c.score, None));
        named.put("score_lead_inside", candidate.score - best(&|c| c.score, Some(true)));
        named.put("score_lead_outside", candidate.score - best(&|c| c.score, Some(false)));
        let own = best(&|c| c.own_coverage, None);
        named.put("own_lead", candidate.own_coverage - own);
        let close = others().filter(|rival| rival.score > candidate.score - 0.05).count();
        named.put("close_rivals", close as f64);
    }

    /// The question's concepts and how each is matched.
    fn terms(&self, candidate: &Candidate) -> Vec<Term> {
        let other = |at: usize| {
            let others = self.passages.iter().enumerate();
            let others = others.filter(|(passage, _)| *passage != candidate.evidence);
            others.map(|(_, strengths)| strengths[at]).fold(0.0, f64::max)
        };
        let concepts = self.question.concepts.iter().enumerate();
        concepts
            .map(|(at, concept)| {
                let place = self.words.iter().position(|word| word.folded == concept.word);
                let word = place.map(|place| &self.words[place]);
                Term {
                    folded: concept.word.clone(),
                    stem: word.map_or_else(|| concept.word.clone(), |word| word.stem.clone()),
                    weight: concept.weight,
                    known: concept.known,
                    name: word.is_some_and(|word| word.capital) && place != Some(0),
                    number: concept.word.starts_with(|c: char| c.is_ascii_digit()),
                    place,
                    own: candidate.own[at],
                    joined: candidate.joined[at],
                    passage: self.passages[candidate.evidence][at],
                    elsewhere: other(at),
                }
            })
            .collect()
    }
}

fn same_unit(one: &Candidate, other: &Candidate) -> bool {
    one.evidence == other.evidence && one.unit.range == other.unit.range
}

/// A concept of the question beside a sentence.
struct Term {
    folded: String,
    stem: String,
    weight: f64,
    known: bool,
    /// Whether it is written as a name is.
    name: bool,
    number: bool,
    /// Where in the question it stands.
    place: Option<usize>,
    /// How well the sentence matches it,
    own: f64,
    /// with what stands above and beside it,
    joined: f64,
    /// the passage,
    passage: f64,
    /// and the other passages.
    elsewhere: f64,
}

impl Term {
    fn first_in(&self, sentence: &[Word]) -> Option<usize> {
        let same = |word: &Word| word.stem == self.stem || word.folded == self.folded;
        sentence.iter().position(same)
    }

    /// How well the sentence matches it, words of the same family counted.
    fn family(&self, sentence: &[Word]) -> f64 {
        let share = |word: &Word| {
            let common = self.folded.chars().zip(word.folded.chars()).take_while(|(a, b)| a == b);
            let (common, longer) = (common.count(), self.folded.len().max(word.folded.len()));
            let share = common as f64 / longer.max(1) as f64;
            if common >= FAMILY_LETTERS && share >= FAMILY_SHARE { share } else { 0.0 }
        };
        sentence.iter().map(share).fold(self.own, f64::max)
    }
}

/// The question's words one by one.
fn of_slots(named: &mut Named, slots: &Slots) {
    named.put("strange_names", slots.strange_names);
    named.put("strange_numbers", slots.strange_numbers);
    named.put("strange_plain", slots.strange_plain);
    named.put("strange_types", slots.strange_types);
    let strange = slots.strange_names + slots.strange_numbers + slots.strange_plain;
    named.put("strange_all", strange);
    named.put("replaced_name", slots.replaced_name);
    named.put("replaced_plain", slots.replaced_plain);
    named.put("kept_pairs", slots.kept_pairs);
    named.put("broken_pairs", slots.broken_pairs);
    named.put("familiar", slots.familiar);
    let whole = strange + slots.replaced_name + slots.replaced_plain == 0.0;
    named.flag("nothing_strange", whole);
}

/// What of the question is found, and what is not.
fn of_coverage(named: &mut Named, terms: &[Term]) {
    let total: f64 = terms.iter().map(|t| t.weight).sum::<f64>().max(f64::MIN_POSITIVE);
    let covered = |of: &dyn Fn(&Term) -> f64| {
        terms.iter().map(|term| term.weight * of(term)).sum::<f64>() / total
    };
    named.put("own_coverage", covered(&|t| t.own));
    named.put("joined_coverage", covered(&|t| t.joined));
    named.put("passage_text_coverage", covered(&|t| t.passage));
    named.put("elsewhere_coverage", covered(&|t| t.elsewhere));
    let missing = |is: &dyn Fn(&Term) -> bool| {
        let mut weights: Vec<f64> = terms.iter().filter(|t| is(t)).map(|t| t.weight).collect();
        weights.sort_by(|a, b| b.total_cmp(a));
        weights
    };
    let at = |weights: &[f64], place: usize| weights.get(place).copied().unwrap_or(0.0);
    let own = missing(&|t| t.own < FOUND);
    named.put("missing_own_heaviest", at(&own, 0));
    named.put("missing_own_second", at(&own, 1));
    named.put("missing_own_count", own.len() as f64);
    named.put("missing_own_weight", own.iter().sum());
    let joined = missing(&|t| t.joined < FOUND);
    named.put("missing_joined_heaviest", at(&joined, 0));
    named.put("missing_joined_count", joined.len() as f64);
    let passage = missing(&|t| t.passage < FOUND);
    named.put("missing_passage_heaviest", at(&passage, 0));
    named.put("missing_passage_second", at(&passage, 1));
    named.put("missing_passage_count", passage.len() as f64);
    named.put("missing_passage_weight", passage.iter().sum());
    let astray = missing(&|t| t.passage < FOUND && t.elsewhere >= FOUND);
    named.put("astray_heaviest", at(&astray, 0));
    named.put("astray_count", astray.len() as f64);
    let inside = missing(&|t| t.own < FOUND && t.passage >= FOUND);
    named.put("beside_heaviest", at(&inside, 0));
    named.put("beside_count", inside.len() as f64);
    let unknown = missing(&|t| !t.known);
    named.put("unknown_heaviest", at(&unknown, 0));
    named.put("unknown_count", unknown.len() as f64);
    let lost = missing(&|t| t.passage < FOUND && t.elsewhere < FOUND && t.known);
    named.put("lost_heaviest", at(&lost, 0));
    let names = terms.iter().filter(|t| t.name).count().max(1) as f64;
    named
        .put("names_own", terms.iter().filter(|t| t.name && t.own >= FOUND).count() as f64 / names);
    named.put("name_missing_own", at(&missing(&|t| t.name && t.own < FOUND), 0));
    named.put("name_missing_joined", at(&missing(&|t| t.name && t.joined < FOUND), 0));
    named.put("name_missing_passage", at(&missing(&|t| t.name && t.passage < FOUND), 0));
    named.put("number_missing_own", at(&missing(&|t| t.number && t.own < FOUND), 0));
    named.put("number_missing_passage", at(&missing(&|t| t.number && t.passage < FOUND), 0));
    let plain = missing(&|t| !t.name && !t.number && t.own < FOUND);
    named.put("plain_missing_own", at(&plain, 0));
    let plain = missing(&|t| !t.name && !t.number && t.passage < FOUND);
    named.put("plain_missing_passage", at(&plain, 0));
    let least = |of: &dyn Fn(&Term) -> f64| terms.iter().map(of).fold(1.0, f64::min);
    named.put("least_own", least(&|t| t.own));
    named.put("least_passage", least(&|t| t.passage));
}

fn of_span(named: &mut Named, candidate: &Candidate, span: Option<&Span>) {
    named.flag("kind_asked", candidate.holds_expected.is_some());
    named.put("kind_held", candidate.holds_expected.unwrap_or(0.5));
    named.put("span_score", span.map_or(0.0, |span| span.score));
    named.put("span_lead", span.map_or(0.0, |span| span.lead));
    named.put("span_kind", span.map_or(0.0, |span| span.kind));
    named.put("span_distance", span.map_or(20.0, |span| span.distance));
    named.put("span_words", span.map_or(0.0, |span| span.words as f64));
}
