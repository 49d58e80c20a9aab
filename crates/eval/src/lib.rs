//! `allod-eval`: a *task* (questions with known answers) and its *result*.
//!
//! A question names the passages that answer it, or says that nothing may be answered. The result
//! counts what an instance did with them, so that "it answers well" is a number.

mod beir;
mod boost;
mod calibrate;
pub mod citations;
pub mod injection;
mod labelled;
mod own_questions;
pub mod privacy;
mod promise;
mod qa;
mod question;
mod ranking;
mod reliability;
mod result;
mod retrieval;

pub use beir::{BeirError, BeirPassage, BeirQuery, BeirSet};
mod squad;
mod squad_corpus;
mod words;

pub use boost::{BoostOptions, Example, boost};
pub use calibrate::{About, LEARNING_LEAST, calibrate};
pub use labelled::Labelled;
pub use own_questions::label_questions;
pub use promise::{Promise, Split, Trials, promise};
pub use qa::{Examination, QaError, QaReport};
pub use question::{Error, Gold, Question, Why, read_questions};
pub use ranking::{Best, Ranking, ranking};
pub use reliability::calibration_error;
pub use result::{Scores, Verdict, judge};
pub use retrieval::{RetrievalScores, index, measure};
pub use squad::{Article, Marked, NotSquad, Paragraph, Squad, SquadQuestion};
