//! An answer before the policy has seen it: sentences with the places that they rest on.

use allod_corpus::{ByteRange, Language};
use allod_engine::Generated;
use allod_policy::{AnswerFacts, DisputeFacts};
use allod_retrieval::Evidence;
use jiff::civil::Date;

use crate::grounded::{Checked, Claim, Place, hold};
use crate::quote::{Dispute, Quoted};
use crate::reply::{Citation, Mode, Tokens};
use crate::support::Verdict;
use crate::wording::{fill, wording};

/// An answer that nobody has seen yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// The sentences, each with its citation numbers; empty when nothing is supported.
    pub text: String,
    /// The places cited, numbered from 1 in order of first use.
    pub citations: Vec<Citation>,
    /// The check of each sentence that was written, those that were cut too.
    pub checks: Vec<Checked>,
    /// How it was made.
    pub mode: Mode,
    /// What the model read and wrote.
    pub tokens: Tokens,
    /// Places cited that do not agree.
    pub disputes: Vec<DisputeFacts>,
}

impl Draft {
    /// A draft of sentences quoted word for word. They support themselves.
    #[must_use]
    pub fn quoted(quotes: &[Quoted], evidence: &[Evidence]) -> Draft {
        let claims = quotes.iter().map(|quote| quoted_claim(quote, evidence)).collect();
        let checks = quotes.iter().map(word_for_word).collect();
        let mut draft = numbered(claims, checks, evidence, Mode::Quote, Tokens::default());
        for quote in quotes {
            let place = (quote.range.start, quote.range.end);
            let cited = draft.citations.iter_mut().find(|c| (c.start, c.end) == place);
            if let (Some(citation), Some(answer)) = (cited, quote.answer) {
                citation.answer = Some((answer.start, answer.end));
            }
        }
        draft
    }

    /// A draft of what a model wrote, held against the evidence.
    #[must_use]
    pub fn written(
        generated: &Generated,
        evidence: &[Evidence],
        language: Language,
        mode: Mode,
    ) -> Draft {
        let held = hold(&generated.text, evidence, language);
        let tokens = Tokens {
            prompt: generated.prompt_tokens as u64,
            completion: generated.completion_tokens as u64,
        };
        numbered(held.claims, held.checks, evidence, mode, tokens)
    }

    /// The draft with a source that answers otherwise: both places are cited, and it is said that
    /// they do not agree. `on` is the day on which both are in force.
    #[must_use]
    pub(crate) fn with_dispute(
        mut self,
        dispute: &Dispute,
        evidence: &[Evidence],
        language: Language,
        on: Date,
    ) -> Draft {
        if self.text.is_empty() {
            return self;
        }
        let one = self.cited_place(&dispute.quoted, evidence);
        let other = self.cited_place(&dispute.other, evidence);
        let (first, second) = (format!("[{one}]"), format!("[{other}]"));
        let day = on.to_string();
        let said = [("first", first.as_str()), ("second", &second), ("date", &day)];
        self.text.push('\n');
        self.text.push_str(&fill(wording(language).dispute, &said));
        let about = dispute.matter.word().into();
        self.disputes.push(DisputeFacts { citation: one, other, about });
        self
    }

    /// The number of a quoted place; it is quoted now if it was not yet.
    fn cited_place(&mut self, quote: &Quoted, evidence: &[Evidence]) -> u32 {
        let claim = quoted_claim(quote, evidence);
        let citation = cite(&claim.places[0], &evidence[quote.evidence]);
        let holds = |c: &Citation| {
            let inside = c.start <= citation.start && citation.end <= c.end;
            (&c.path, &c.digest) == (&citation.path, &citation.digest) && inside
        };
        let at = self.citations.iter().position(holds).unwrap_or_else(|| {
            let number = self.citations.len() + 1;
            self.text.push_str(&format!("\n{} [{number}]", claim.text));
            self.checks.push(word_for_word(quote));
            self.citations.push(citation);
            number - 1
        });
        at as u32 + 1
    }

    /// What the policy needs to know of it.
    #[must_use]
    pub fn facts(&self) -> AnswerFacts {
        let supported = self.checks.iter().filter(|check| check.verdict == Verdict::Supported);
        AnswerFacts {
            mode: self.mode.name().into(),
            sentences: self.checks.len() as u32,
            supported: supported.count() as u32,
            cited: !self.citations.is_empty(),
            adverse_action: allod_policy::adverse_in_answer(&self.text),
            disputes: self.disputes.clone(),
        }
    }
}

/// What is quoted supports itself.
fn word_for_word(quote: &Quoted) -> Checked {
    Checked { verdict: Verdict::Supported, score: quote.score, because: Vec::new() }
}

fn quoted_claim(quote: &Quoted, evidence: &[Evidence]) -> Claim {
    let place = Place { evidence: quote.evidence, range: quote.range, score: quote.score };
    Claim { text: quote.text(evidence), places: vec![place] }
}

/// Numbers the places in order of first use and writes the numbers after each sentence.
fn numbered(
    claims: Vec<Claim>,
    checks: Vec<Checked>,
    evidence: &[Evidence],
    mode: Mode,
    tokens: Tokens,
) -> Draft {
    let mut citations: Vec<Citation> = Vec::new();
    let mut parts: Vec<String> = Vec::new();
    for claim in &claims {
        let mut part = claim.text.clone();
        for place in &claim.places {
            let citation = cite(place, &evidence[place.evidence]);
            let same = |other: &Citation| same_place(other, &citation);
            let number = citations.iter().position(same).unwrap_or_else(|| {
                citations.push(citation);
                citations.len() - 1
            });
            part.push_str(&format!(" [{}]", number + 1));
        }
        parts.push(part);
    }
    let separator = if mode == Mode::Quote { "\n" } else { " " };
    let (text, disputes) = (parts.join(separator), Vec::new());
    Draft { text, citations, checks, mode, tokens, disputes }
}

fn same_place(one: &Citation, other: &Citation) -> bool {
    (&one.path, &one.digest, one.start, one.end)
        == (&other.path, &other.digest, other.start, other.end)
}

/// A whole passage, cited.
pub(crate) fn whole(item: &Evidence) -> Citation {
    cite(&Place { evidence: 0, range: item.range, score: item.score }, item)
}

fn cite(place: &Place, item: &Evidence) -> Citation {
    let ByteRange { start, end } = place.range;
    let (from, to) = (start - item.range.start, end - item.range.start);
    Citation {
        path: item.path.clone(),
        title: item.title.clone(),
        place: item.place.clone(),
        digest: item.digest.to_string(),
        start,
        end,
        quote: item.text[from..to].into(),
        answer: None,
        score: place.score,
        passage: (item.range.start, item.range.end),
        page: None,
        rects: Vec::new(),
        label: item.label.clone(),
    }
}
