//! The decision: a pure function of policy and facts.
//!
//! Every rule whose facts are known is asked, and the most severe outcome wins: refuse, then
//! human review, then escalate, then answer. A later stage knows more facts and asks more rules
//! but none less, so its outcome is never milder than that of an earlier stage.

use crate::facts::{AnswerFacts, EvidenceFacts, Facts, RequestFacts, recorded};
use crate::policy::{Citations, HumanReview, Policy, Settings, Trigger};
use crate::rule::{Consequence, Rule, Signal};
use serde::{Deserialize, Serialize};

/// What becomes of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is answered; at an early stage: it may go on.
    Answered,
    /// It is not answered.
    Refused,
    /// A person or an approved stronger model takes it over.
    Escalated,
    /// A person must approve the answer first.
    HumanReview,
}

impl Outcome {
    /// Rank by which outcomes win over each other.
    pub fn severity(self) -> u8 {
        match self {
            Outcome::Answered => 0,
            Outcome::Escalated => 1,
            Outcome::HumanReview => 2,
            Outcome::Refused => 3,
        }
    }

    /// The word for it in receipts and replies.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Answered => "answered",
            Outcome::Refused => "refused",
            Outcome::Escalated => "escalated",
            Outcome::HumanReview => "human_review",
        }
    }
}

/// How much was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The question alone.
    Request,
    /// The evidence too.
    Evidence,
    /// The answer too.
    Answer,
}

/// A rule that fired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fired {
    /// Its id, the same in every language and version.
    pub id: String,
    /// Why it fired, in plain English.
    pub because: String,
}

/// The decision at a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What becomes of the question.
    pub outcome: Outcome,
    /// Every rule that fired, the most severe first: the first one decided. Empty if answered.
    pub rules: Vec<Fired>,
    /// How much was known.
    pub stage: Stage,
}

/// A rule that fired, with what it asks for.
struct Finding {
    outcome: Outcome,
    fired: Fired,
}

fn finding(outcome: Outcome, id: &str, because: String) -> Finding {
    let id = id.to_owned();
    Finding { outcome, fired: Fired { id, because } }
}

/// Decides what becomes of a question, from the policy and the facts known so far.
pub fn decide(policy: &Policy, facts: &Facts) -> Decision {
    let mut findings = request_findings(policy, &facts.request);
    if let Some(evidence) = &facts.evidence {
        findings.extend(confidence_finding(policy, evidence));
    }
    if let Some(answer) = &facts.answer {
        findings.extend(answer_findings(policy, facts, answer));
    }
    let own = policy.rules.iter().filter(|rule| fires(rule, facts));
    findings.extend(own.map(own_finding));
    // Stable: rules of one severity stay in the order in which they were asked.
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.outcome.severity()));
    Decision {
        outcome: findings.first().map_or(Outcome::Answered, |first| first.outcome),
        rules: findings.into_iter().map(|finding| finding.fired).collect(),
        stage: stage(facts),
    }
}

fn stage(facts: &Facts) -> Stage {
    match (&facts.evidence, &facts.answer) {
        (_, Some(_)) => Stage::Answer,
        (Some(_), None) => Stage::Evidence,
        (None, None) => Stage::Request,
    }
}

/// Where the policy sends a trigger; refusing wins.
fn route(policy: &Settings, trigger: Trigger) -> Option<Outcome> {
    let routing = &policy.routing;
    if routing.refuse_on.contains(&trigger) {
        Some(Outcome::Refused)
    } else {
        routing.escalate_on.contains(&trigger).then_some(Outcome::Escalated)
    }
}

fn request_findings(policy: &Settings, request: &RequestFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let limit = policy.limits.question_chars_max;
    if request.question_chars > limit {
        let length = request.question_chars;
        findings.push(finding(
            Outcome::Refused,
            "limits.question_chars",
            format!("the question has {length} characters; the policy allows {limit}"),
        ));
    }
    if !request.adverse_action.is_empty()
        && policy.logging.human_review == HumanReview::RequiredForAdverseActions
    {
        findings.push(finding(
            Outcome::HumanReview,
            "human_review.adverse_request",
            "the question asks for an act against a person, and the policy wants a person to \
             review those"
                .to_owned(),
        ));
    }
    findings.extend(routed_findings(policy, request));
    findings
}

/// The triggers that the question alone shows.
fn routed_findings(policy: &Settings, request: &RequestFacts) -> Vec<Finding> {
    let seen = [
        (Trigger::ComplexReasoning, !request.complex_reasoning.is_empty()),
        (Trigger::RegulatedDecision, !request.regulated_decision.is_empty()),
        (Trigger::AdverseAction, !request.adverse_action.is_empty()),
        (Trigger::UserRequest, request.user_wants_person),
    ];
    seen.into_iter()
        .filter(|(_, present)| *present)
        .filter_map(|(trigger, _)| {
            let outcome = route(policy, trigger)?;
            let id = format!("routing.{}", trigger.word());
            Some(finding(outcome, &id, reason(trigger).to_owned()))
        })
        .collect()
}

fn reason(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::ComplexReasoning => "the question needs reasoning over several rules or cases",
        Trigger::LowRetrievalConfidence => "the documents do not answer the question surely enough",
        Trigger::RegulatedDecision => "the question asks to decide a person's own case",
        Trigger::UserRequest => "the question asks for a person",
        Trigger::AdverseAction => "the question asks for an act against a person",
    }
}

/// Too little evidence is refused unless the policy escalates it.
fn confidence_finding(policy: &Settings, evidence: &EvidenceFacts) -> Option<Finding> {
    let minimum = policy.retrieval.minimum_confidence;
    let outcome = route(policy, Trigger::LowRetrievalConfidence).unwrap_or(Outcome::Refused);
    // What the receipt will say, so that the recorded facts give the same decision.
    let confidence = recorded(evidence.confidence);
    if evidence.passages == 0 {
        let because = "no document that the caller may read bears on the question".to_owned();
        return Some(finding(outcome, "retrieval.nothing_found", because));
    }
    // A confidence that is no number is not enough either.
    (confidence < minimum || evidence.confidence.is_nan()).then(|| {
        let because = format!(
            "retrieval is sure to {confidence}, which is less than the policy's minimum {minimum}"
        );
        finding(outcome, "retrieval.low_confidence", because)
    })
}

fn answer_findings(policy: &Settings, facts: &Facts, answer: &AnswerFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut refuse = |fires: bool, id: &str, because: &str| {
        if fires {
            findings.push(finding(Outcome::Refused, id, because.to_owned()));
        }
    };
    let grounded = facts.evidence.is_some();
    refuse(
        !grounded && facts.request.policy_question && policy.retrieval.required_for_policy_answers,
        "retrieval.required",
        "the question is about a rule, and the policy answers those from documents only",
    );
    refuse(answer.sentences == 0, "answer.empty", "nothing was found to say");
    refuse(
        grounded && answer.sentences > 0 && answer.supported == 0,
        "answer.unsupported",
        "no sentence of the answer is supported by the passage that it cites",
    );
    let must_cite = policy.logging.citations == Citations::Required
        || grounded && policy.retrieval.cite_source_documents;
    refuse(
        must_cite && !answer.cited,
        "answer.uncited",
        "the answer has a sentence without a citation, and the policy requires citations",
    );
    findings.extend(review_finding(policy, answer));
    findings
}

fn review_finding(policy: &Settings, answer: &AnswerFacts) -> Option<Finding> {
    let review =
        |id: &str, because: &str| Some(finding(Outcome::HumanReview, id, because.to_owned()));
    match policy.logging.human_review {
        HumanReview::RequiredForAll => {
            review("human_review.all", "the policy wants a person to review every answer")
        }
        HumanReview::RequiredForAdverseActions if !answer.adverse_action.is_empty() => review(
            "human_review.adverse_answer",
            "the answer announces an act against a person, and the policy wants a person to \
             review those",
        ),
        _ => None,
    }
}

/// Whether every condition of the policy's own rule holds. What is not known yet does not hold.
fn fires(rule: &Rule, facts: &Facts) -> bool {
    let when = &rule.when;
    let request = &facts.request;
    let labels = facts.evidence.as_ref().map_or(&[][..], |evidence| &evidence.labels);
    let any = |wanted: &[String], found: &[String]| {
        wanted.is_empty() || wanted.iter().any(|value| found.contains(value))
    };
    any(&when.language, std::slice::from_ref(&request.language))
        && any(&when.label, labels)
        && (when.contains_any.is_empty() || request.matched_rules.contains(&rule.id))
        && (when.signal.is_empty() || when.signal.iter().any(|signal| shows(request, *signal)))
}

fn shows(request: &RequestFacts, signal: Signal) -> bool {
    match signal {
        Signal::ComplexReasoning => !request.complex_reasoning.is_empty(),
        Signal::RegulatedDecision => !request.regulated_decision.is_empty(),
        Signal::AdverseAction => !request.adverse_action.is_empty(),
        Signal::PolicyQuestion => request.policy_question,
        Signal::UserRequest => request.user_wants_person,
    }
}

fn own_finding(rule: &Rule) -> Finding {
    let outcome = match rule.then {
        Consequence::Refuse => Outcome::Refused,
        Consequence::Escalate => Outcome::Escalated,
        Consequence::HumanReview => Outcome::HumanReview,
    };
    finding(outcome, &format!("rules.{}", rule.id), rule.because.clone())
}

#[cfg(test)]
mod tests;
