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
    /// The policy's digest.
    pub policy: String,
}
