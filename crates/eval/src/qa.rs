//! Asking a desk the questions of a SQuAD file, and what its answers are worth.

use std::path::Path;
use std::time::Instant;

use allod_answer::{Ask, Caller, Citation, Desk, Outcome, Reply};
use allod_retrieval::{Clearance, IngestOptions, Silent};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::labelled::Labelled;
use crate::reliability::calibration_error;
use crate::squad::{Squad, SquadQuestion};
use crate::squad_corpus::{Paragraphs, article_of, write_articles};
use crate::words::{f1, holds, ratio, same};

/// The day on which the questions are asked: the articles have no dates of their own.
const TODAY: Date = jiff::civil::date(2026, 1, 1);

/// What failed while asking.
#[derive(Debug, thiserror::Error)]
pub enum QaError {
    /// The articles could not be written where they are read from.
    #[error("the articles cannot be written to a scratch folder: {0}")]
    Scratch(#[from] std::io::Error),
    /// The desk failed.
    #[error(transparent)]
    Desk(#[from] allod_answer::Error),
    /// The library failed.
    #[error(transparent)]
    Library(#[from] allod_retrieval::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] allod_store::Error),
}

/// A SQuAD file whose articles a desk has read.
pub struct Examination<'a> {
    desk: &'a Desk,
    squad: &'a Squad,
    paragraphs: Paragraphs,
}

/// One answer beside what is known.
#[derive(Clone, Debug, PartialEq)]
struct Marks {
    answered: bool,
    right: bool,
    cited: usize,
    /// Citations that hold a gold answer and lie in its paragraph.
    cited_gold: usize,
    /// Citations that lie in the paragraph.
    cited_paragraph: usize,
    exact: bool,
    f1: f64,
}

/// What a desk's answers to a SQuAD file are worth.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QaReport {
    /// Questions asked.
    pub questions: usize,
    /// Those that the articles answer.
    pub answerable: usize,
    /// Those that were answered.
    pub answered: usize,
    /// Answered ones whose best quote holds a gold answer and lies in its paragraph.
    pub right: usize,
    /// Answered ones that are not right: as a share of the answered ones.
    pub error_rate: f64,
    /// Answered ones, as a share of all.
    pub coverage: f64,
    /// Exact short answers, over all questions; a refusal of an unanswerable one counts as exact.
    pub exact: f64,
    /// Words shared with the gold answer, over all questions; likewise.
    pub f1: f64,
    /// The same over the answerable questions that were answered.
    pub exact_answered: f64,
    /// Likewise.
    pub f1_answered: f64,
    /// Citations that hold a gold answer in its paragraph, as a share of all given.
    pub citation_precision: f64,
    /// Answerable questions with such a citation, as a share of all answerable.
    pub citation_recall: f64,
    /// Citations that lie in the question's paragraph, as a share of all given.
    pub paragraph_precision: f64,
    /// Refused ones of the answerable.
    pub refused_answerable: f64,
    /// Refused ones of the unanswerable.
    pub refused_unanswerable: f64,
    /// How far the stated probabilities are from the shares that are right, over all questions for
    /// which something was found, in ten parts of one size (expected calibration error).
    pub calibration_error: f64,
    /// Questions a second, receipts included.
    pub questions_per_second: f64,
    /// Paragraphs that the parser changed, so that no citation of them counts.
    pub paragraphs_lost: usize,
    /// The digest of the calibration in use.
    pub calibration: String,
}

impl<'a> Examination<'a> {
    /// Lets the desk read the articles.
    ///
    /// # Errors
    /// When they cannot be written or read.
    pub fn new(desk: &'a Desk, squad: &'a Squad, scratch: &Path) -> Result<Self, QaError> {
        write_articles(squad, scratch)?;
        desk.library().ingest(&[scratch.to_owned()], &IngestOptions::default(), &Silent)?;
        let mut paragraphs = Paragraphs::default();
        for row in desk.store().documents()? {
            let article = article_of(&row.path).filter(|at| *at < squad.articles.len());
            let (Some(at), Some(digest)) = (article, row.digest) else { continue };
            if let Some(version) = desk.store().version(&digest, None)? {
                paragraphs.note(&digest, at, &version.text, &squad.articles[at]);
            }
        }
        Ok(Examination { desk, squad, paragraphs })
    }

    /// Asks every question; every answer has its receipt.
    ///
    /// # Errors
    /// When the desk fails.
    pub fn report(&self) -> Result<QaReport, QaError> {
        let started = Instant::now();
        let mut tally = Tally::default();
        for (place, question) in self.questions() {
            let reply = self.desk.ask(&ask(question))?;
            let marks = self.marks(place, question, &reply);
            let found = reply.calibrated.as_ref().map(|facts| facts.probability);
            tally.count(question, &marks, found);
            if found.is_some() && !marks.answered {
                let looked = self.labelled(place, question)?;
                tally.would_be(looked.is_some_and(|labelled| labelled.right));
            }
        }
        let mut report = tally.report();
        report.questions_per_second = ratio_f(report.questions, started.elapsed().as_secs_f64());
        report.paragraphs_lost = self.paragraphs.lost();
        report.calibration = self.desk.calibrated().digest().to_owned();
        Ok(report)
    }

    /// What each question's best quote is worth, answered or not; nothing is recorded.
    ///
    /// # Errors
    /// When the desk fails.
    pub fn label(&self, progress: &mut dyn FnMut()) -> Result<Vec<Labelled>, QaError> {
        let mut all = Vec::new();
        for (place, question) in self.questions() {
            all.extend(self.labelled(place, question)?);
            progress();
        }
        Ok(all)
    }

    fn questions(&self) -> impl Iterator<Item = ((usize, usize), &'a SquadQuestion)> {
        let squad: &'a Squad = self.squad;
        squad.articles.iter().enumerate().flat_map(|(article, content)| {
            content.paragraphs.iter().enumerate().flat_map(move |(at, paragraph)| {
                paragraph.questions.iter().map(move |question| ((article, at), question))
            })
        })
    }

    fn labelled(
        &self,
        place: (usize, usize),
        question: &SquadQuestion,
    ) -> Result<Option<Labelled>, QaError> {
        let look = self.desk.look(&ask(question))?;
        let Some(best) = look.citations.iter().max_by(|a, b| a.score.total_cmp(&b.score)) else {
            return Ok(None);
        };
        Ok(Some(Labelled {
            question: question.question.clone(),
            part: place.0,
            answerable: question.is_answerable(),
            right: self.is_right(place, question, best),
            plain: look.confidence,
            features: look.features,
        }))
    }

    fn is_right(
        &self,
        place: (usize, usize),
        question: &SquadQuestion,
        citation: &Citation,
    ) -> bool {
        question.is_answerable()
            && self.lies_in(citation, place)
            && question.answers.iter().any(|gold| holds(&citation.quote, &gold.text))
    }

    fn lies_in(&self, citation: &Citation, place: (usize, usize)) -> bool {
        self.paragraphs.lies_in(&citation.digest, (citation.start, citation.end), place)
    }

    fn marks(&self, place: (usize, usize), question: &SquadQuestion, reply: &Reply) -> Marks {
        let right = |citation: &&Citation| self.is_right(place, question, citation);
        let best = reply.citations.iter().max_by(|a, b| a.score.total_cmp(&b.score));
        let short = best.map_or("", short_answer);
        let golds = || question.answers.iter().map(|gold| gold.text.as_str());
        Marks {
            answered: reply.outcome == Outcome::Answered,
            right: best.is_some_and(|best| right(&best)),
            cited: reply.citations.len(),
            cited_gold: reply.citations.iter().filter(right).count(),
            cited_paragraph: reply.citations.iter().filter(|c| self.lies_in(c, place)).count(),
            exact: golds().any(|gold| same(short, gold)),
            f1: golds().map(|gold| f1(short, gold)).fold(0.0, f64::max),
        }
    }
}

/// The words of a citation that answer, or all of it.
fn short_answer(citation: &Citation) -> &str {
    let inside = citation.answer.and_then(|(start, end)| {
        citation.quote.get(start.checked_sub(citation.start)?..end.checked_sub(citation.start)?)
    });
    inside.unwrap_or(&citation.quote)
}

fn ask(question: &SquadQuestion) -> Ask {
    Ask {
        question: question.question.clone(),
        caller: Caller::operator(Clearance::default()),
        on: Some(TODAY),
        language: None,
    }
}

fn ratio_f(count: usize, seconds: f64) -> f64 {
    count as f64 / seconds.max(1e-9)
}

/// Counts over the questions.
#[derive(Default)]
struct Tally {
    report: QaReport,
    exact: f64,
    f1: f64,
    exact_answered: f64,
    f1_answered: f64,
    answerable_answered: usize,
    cited: usize,
    cited_gold: usize,
    cited_paragraph: usize,
    recalled: usize,
    /// Stated probabilities, and whether the best quote is right.
    stated: Vec<(f64, bool)>,
}

impl Tally {
    fn count(&mut self, question: &SquadQuestion, marks: &Marks, probability: Option<f64>) {
        let answerable = question.is_answerable();
        self.report.questions += 1;
        self.report.answerable += usize::from(answerable);
        self.report.answered += usize::from(marks.answered);
        self.report.right += usize::from(marks.right);
        self.stated.extend(probability.map(|probability| (probability, marks.right)));
        if !marks.answered {
            let rightly = f64::from(!answerable);
            self.exact += rightly;
            self.f1 += rightly;
            return;
        }
        self.cited += marks.cited;
        self.cited_gold += marks.cited_gold;
        self.cited_paragraph += marks.cited_paragraph;
        if answerable {
            self.answerable_answered += 1;
            self.recalled += usize::from(marks.cited_gold > 0);
            self.exact_answered += f64::from(marks.exact);
            self.f1_answered += marks.f1;
            self.exact += f64::from(marks.exact);
            self.f1 += marks.f1;
        }
    }

    /// What a refused question's best quote would have been worth.
    fn would_be(&mut self, right: bool) {
        if let Some(last) = self.stated.last_mut() {
            last.1 = right;
        }
    }

    fn report(self) -> QaReport {
        let report = self.report;
        let (all, answerable, answered) = (report.questions, report.answerable, report.answered);
        let unanswerable = all - answerable;
        let share = |sum: f64, of: usize| if of == 0 { 0.0 } else { sum / of as f64 };
        QaReport {
            error_rate: ratio(answered - report.right, answered),
            coverage: ratio(answered, all),
            exact: share(self.exact, all),
            f1: share(self.f1, all),
            exact_answered: share(self.exact_answered, self.answerable_answered),
            f1_answered: share(self.f1_answered, self.answerable_answered),
            citation_precision: ratio(self.cited_gold, self.cited),
            citation_recall: ratio(self.recalled, answerable),
            paragraph_precision: ratio(self.cited_paragraph, self.cited),
            refused_answerable: ratio(answerable - self.answerable_answered, answerable),
            refused_unanswerable: ratio(
                unanswerable - (answered - self.answerable_answered),
                unanswerable,
            ),
            calibration_error: calibration_error(&self.stated),
            ..report
        }
    }
}

#[cfg(test)]
mod tests;
