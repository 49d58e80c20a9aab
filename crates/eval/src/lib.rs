//! `allod-eval`: a *task* (questions with known answers) and its *result*.
//!
//! A question names the passages that answer it, or says that nothing may be answered. The result
//! counts what an instance did with them, so that "it answers well" is a number.

mod question;
mod result;

pub use question::{Error, Gold, Question, Why, read_questions};
pub use result::{Scores, Verdict, judge};
