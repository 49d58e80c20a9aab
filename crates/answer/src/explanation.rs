//! Why a question would be answered, refused or handed on.

use allod_policy::{Decision, Facts};
use serde::Serialize;

use crate::reply::Citation;

/// What would happen to a question, and why.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The decision, with the rules that fired.
    pub decision: Decision,
    /// The facts that it rests on.
    pub facts: Facts,
    /// The places that the answer would cite.
    pub citations: Vec<Citation>,
    /// The approved server that it would go to, unless the day's budget, the server's state or
    /// personal data stand against it; nothing is sent to find out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// The policy's digest.
    pub policy: String,
}

/// What would be quoted in answer to a question, whether the policy lets it be given or not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Look {
    /// The places that would be cited.
    pub citations: Vec<Citation>,
    /// The confidence without a calibration.
    pub confidence: f64,
    /// What a calibration judges the best quote by: names and values.
    pub features: Vec<(&'static str, f64)>,
}
