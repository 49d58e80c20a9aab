//! The rules that a policy adds of its own.

use crate::choice::choice;

choice! {
    /// What a rule of the policy can ask for.
    Consequence {
        /// The question is refused.
        Refuse => "refuse",
        /// The question goes to a person or an approved stronger model.
        Escalate => "escalate",
        /// A person must approve the answer.
        HumanReview => "human_review",
    }
}

choice! {
    /// What the classifier can find in a question.
    Signal {
        /// Needs reasoning over several rules.
        ComplexReasoning => "complex_reasoning",
        /// Asks to decide a person's case.
        RegulatedDecision => "regulated_decision",
        /// Asks for an act against a person.
        AdverseAction => "adverse_action",
        /// Asks about a rule, right, duty, fee or deadline.
        PolicyQuestion => "policy_question",
        /// Asks for a person.
        UserRequest => "user_request",
    }
}

/// When a rule fires: every condition that is given must hold, and at least one is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    /// The question is in one of these languages.
    pub language: Vec<String>,
    /// One of these words or phrases stands in the question. A word that ends in `*` stands for
    /// all words that begin so; case and accents do not matter.
    pub contains_any: Vec<String>,
    /// The evidence comes from a document with one of these access labels.
    pub label: Vec<String>,
    /// The classifier found one of these.
    pub signal: Vec<Signal>,
}

/// A rule of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its id; stands in the receipt as `rules.<id>`.
    pub id: String,
    /// When it fires.
    pub when: Condition,
    /// What follows.
    pub then: Consequence,
    /// Why, in plain words.
    pub because: String,
}
