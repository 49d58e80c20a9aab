//! An operator's own questions, labelled by asking the operator's own desk.

use allod_answer::{Ask, Caller, Desk};
use allod_retrieval::Clearance;
use jiff::civil::Date;

use crate::labelled::Labelled;
use crate::qa::QaError;
use crate::question::Question;
use crate::result::holds_gold;

/// Asks every question as a caller without clearance, on a day; nothing is recorded. Questions for
/// which nothing is found are left out: they are refused at any score.
///
/// # Errors
/// When the desk fails.
pub fn label_questions(
    desk: &Desk,
    questions: &[Question],
    on: Option<Date>,
) -> Result<Vec<Labelled>, QaError> {
    let mut labelled = Vec::new();
    for question in questions {
        let caller = Caller::operator(Clearance::default());
        let ask = Ask { question: question.question.clone(), caller, on, language: None };
        let look = desk.look(&ask)?;
        let best = look.citations.iter().max_by(|a, b| a.score.total_cmp(&b.score));
        let Some(best) = best else { continue };
        let mut text_of = |digest: &str| {
            desk.store().version(digest, None).ok().flatten().map(|version| version.text)
        };
        labelled.push(Labelled {
            question: question.question.clone(),
            part: 0,
            answerable: question.answerable,
            right: question.answerable && holds_gold(question, best, &mut text_of),
            plain: look.confidence,
            features: look.features,
        });
    }
    Ok(labelled)
}
