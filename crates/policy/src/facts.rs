//! What a decision rests on. Facts go into the receipt whole, so they hold no words of the
//! question: signals are named by the pattern that matched.

use serde::{Deserialize, Serialize};

use crate::office::OfficeFacts;
use crate::route::RouteFacts;
use crate::tools::{ToolName, WorkName};

/// All facts known at a stage: the later ones are `None` until they are known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// About the question.
    pub request: RequestFacts,
    /// About what retrieval found; `None` before retrieval and for plain generation.
    #[serde(default)]
    pub evidence: Option<EvidenceFacts>,
    /// About the answer; `None` before there is one.
    #[serde(default)]
    pub answer: Option<AnswerFacts>,
    /// About the approved server that it went to, or was to go to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<RouteFacts>,
    /// About the server that runs the policy's model, where it wrote: what it took. It decides
    /// nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<RouteFacts>,
}

/// What the question itself shows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestFacts {
    /// Length of the question in characters.
    pub question_chars: u32,
    /// Language code.
    pub language: String,
    /// Patterns that say: needs reasoning over several rules.
    pub complex_reasoning: Vec<String>,
    /// How much it looks like a question that takes several steps, in thousandths, by
    /// [`crate::Complexity`]; not recorded before there was a classifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complexity: Option<u16>,
    /// Patterns that say: asks to decide a person's case.
    pub regulated_decision: Vec<String>,
    /// Patterns that say: asks for an act against a person.
    pub adverse_action: Vec<String>,
    /// Asks about a rule, right, duty, fee or deadline.
    pub policy_question: bool,
    /// Asks to be put through to a person.
    pub user_wants_person: bool,
    /// Ids of the policy's own rules whose words stand in the question.
    #[serde(default)]
    pub matched_rules: Vec<String>,
    /// The work that is asked for; `None` for a plain question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<WorkFacts>,
}

/// What work is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkFacts {
    /// Which.
    pub name: WorkName,
    /// Whether what comes of it speaks for the office to a person, whatever it says.
    pub affects_person: bool,
    /// The office that the request goes to, where that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub office: Option<OfficeFacts>,
    /// Whether a tool handed it over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub handed_over: bool,
    /// Tools that it cannot do without and that the policy does not grant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<ToolName>,
    /// Tools that it cannot do without and that could not do what was asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<ToolName>,
}

impl WorkFacts {
    /// Work of which only the name is known.
    #[must_use]
    pub fn of(name: WorkName) -> WorkFacts {
        WorkFacts {
            name,
            affects_person: name.affects_person(),
            office: None,
            handed_over: false,
            refused: Vec::new(),
            failed: Vec::new(),
        }
    }
}

/// What retrieval found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EvidenceFacts {
    /// How sure retrieval is that the passages answer: 0 to 1.
    pub confidence: f64,
    /// Number of passages.
    pub passages: u32,
    /// Number of documents that they come from.
    pub documents: u32,
    /// Score of the best passage.
    pub best_score: f64,
    /// Access labels of those documents, each once.
    #[serde(default)]
    pub labels: Vec<String>,
    /// What the calibration says of the answer; not recorded before there were calibrations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibrated: Option<CalibrationFacts>,
}

/// What the calibration says of the answer that the evidence holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CalibrationFacts {
    /// The answer's score.
    pub score: f64,
    /// The probability that it is right.
    pub probability: f64,
    /// The least score that keeps to the policy's `answers.max_error`; `None` where the policy has
    /// none, or the calibration cannot prove any score to keep to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_score: Option<f64>,
    /// The digest of the calibration.
    pub calibration: String,
    /// Whether it is the one that comes with the program.
    pub built_in: bool,
}

impl CalibrationFacts {
    /// The same, with numbers as the receipt records them.
    #[must_use]
    pub fn recorded(self) -> CalibrationFacts {
        CalibrationFacts {
            score: recorded(self.score),
            probability: recorded(self.probability),
            least_score: self.least_score.map(recorded),
            ..self
        }
    }
}

impl EvidenceFacts {
    /// Facts with numbers as the receipt records them (six decimals; what is no number is 0), so
    /// that the decision can be repeated from the receipt.
    pub fn new(confidence: f64, passages: u32, documents: u32, best_score: f64) -> EvidenceFacts {
        EvidenceFacts {
            confidence: recorded(confidence),
            passages,
            documents,
            best_score: recorded(best_score),
            labels: Vec::new(),
            calibrated: None,
        }
    }
}

/// A number as the receipt records it.
pub(crate) fn recorded(number: f64) -> f64 {
    let rounded = (number * 1e6).round() / 1e6;
    if rounded.is_finite() { rounded } else { 0.0 }
}

/// What is about to be said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerFacts {
    /// How it was made: `quote`, `generate`, `upstream`, `none`.
    pub mode: String,
    /// Sentences that were written.
    pub sentences: u32,
    /// Sentences that their citation supports; only these are given out.
    pub supported: u32,
    /// Whether every sentence that is given out has a citation.
    pub cited: bool,
    /// Patterns that say: announces an act against a person.
    pub adverse_action: Vec<String>,
    /// Sources that are cited and do not agree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disputes: Vec<DisputeFacts>,
}

/// Two sources that answer differently; both are in force and may be read by who asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisputeFacts {
    /// The number of the one citation, from 1.
    pub citation: u32,
    /// The number of the other one.
    pub other: u32,
    /// What they do not agree in: `figure` or `duty`.
    pub about: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_what_the_receipt_will_say() {
        let facts = EvidenceFacts::new(0.123_456_789, 3, 2, f64::NAN);
        assert_eq!(facts.confidence, 0.123_457);
        assert_eq!(facts.best_score, 0.0);
        let json = serde_json::to_string(&facts).unwrap();
        assert_eq!(serde_json::from_str::<EvidenceFacts>(&json).unwrap(), facts);
        assert_eq!(EvidenceFacts::new(f64::MAX, 0, 0, f64::INFINITY).confidence, 0.0);
    }
}
