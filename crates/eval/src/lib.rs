//! `allod-eval`: a *task* (questions with known answers) and its *result*.
//!
//! A question names the passages that answer it, or says that nothing may be answered. The result
//! counts what an instance did with them, so that "it answers well" is a number.

mod beir;
pub mod citations;
mod question;
mod result;
mod retrieval;

pub use beir::{BeirError, BeirPassage, BeirQuery, BeirSet};
pub use question::{Error, Gold, Question, Why, read_questions};
pub use result::{Scores, Verdict, judge};
pub use retrieval::{RetrievalScores, index, measure};
