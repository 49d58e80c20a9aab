//! Questions with known answers, one JSON object a line.

use serde::{Deserialize, Serialize};

/// A question and what is known about its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// A name of its own.
    pub id: String,
    /// The language it is asked in, two letters.
    pub language: String,
    /// The question.
    pub question: String,
    /// Whether the documents that anyone may read, as they are in force, answer it.
    pub answerable: bool,
    /// Places that answer it; any of them will do. Empty when it is not answerable.
    #[serde(default)]
    pub gold: Vec<Gold>,
    /// Why it is not answerable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// The document that only a cleared caller may read, when that one answers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restricted_path: Option<String>,
    /// The document that is no longer in force, when that one answers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_path: Option<String>,
}

/// A place that answers a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gold {
    /// The document's path below the ingested folder.
    pub path: String,
    /// The deciding words, as they stand in the canonical text.
    pub quote: String,
}

/// Why a question has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// No document says it.
    Absent,
    /// Only a document that the caller may not read says it.
    Restricted,
    /// Only a text that is no longer in force says it.
    Repealed,
}

/// A line that is no question.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The line is not the JSON of a question.
    #[error("line {line}: {source}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The question contradicts itself.
    #[error("line {line}, question {id}: {reason}")]
    Question {
        /// The line, from 1.
        line: usize,
        /// The question's name.
        id: String,
        /// What contradicts what.
        reason: &'static str,
    },
}

/// Reads questions, one JSON object a line; empty lines are skipped.
///
/// # Errors
/// [`Error`] with the line of the first mistake.
pub fn read_questions(text: &str) -> Result<Vec<Question>, Error> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(index, line)| read_question(index + 1, line)).collect()
}

fn read_question(line: usize, text: &str) -> Result<Question, Error> {
    let question: Question =
        serde_json::from_str(text).map_err(|source| Error::Line { line, source })?;
    let reason = match (question.answerable, question.gold.is_empty(), question.why) {
        (true, true, _) => "it is answerable, but no gold place is given",
        (true, _, Some(_)) => "it is answerable, but a reason why not is given",
        (false, false, _) => "it is not answerable, but a gold place is given",
        (false, _, None) => "it is not answerable, but `why` is missing",
        _ => return Ok(question),
    };
    Err(Error::Question { line, id: question.id, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_name_their_line() {
        let good = r#"{"id":"a","language":"de","question":"?","answerable":false,"why":"absent"}"#;
        assert_eq!(read_questions(good).unwrap().len(), 1);
        let second = format!("{good}\n\n{{\"id\":1}}\n");
        let error = read_questions(&second).unwrap_err().to_string();
        assert!(error.starts_with("line 3"), "{error}");
    }

    #[test]
    fn a_question_must_not_contradict_itself() {
        let text = r#"{"id":"a","language":"de","question":"?","answerable":true}"#;
        let error = read_questions(text).unwrap_err().to_string();
        assert!(error.contains("no gold place"), "{error}");
    }
}
