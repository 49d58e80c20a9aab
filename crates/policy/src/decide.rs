//! The decision: a pure function of policy and facts.
//!
//! Every rule whose facts are known is asked, and the weightiest finding wins: forbidden, then
//! human review, then escalate, then "nothing to answer with", then answer. A later stage knows
//! more facts and asks more rules but none less, and a refusal is never taken back, so its outcome
//! is never milder than that of an earlier stage.
//!
//! One thing makes an outcome milder: where the policy sends escalated questions to an approved
//! server, and nothing known of the request stands against it, that server answers instead of a
//! person.
//!
//! There are two kinds of refusal. One forbids: no person's time is spent on it. The other says
//! that the documents give no answer, which is no reason to withhold a question from the person
//! whom it asks for or whom the policy wants to decide it.

use crate::approved::{ApprovedUpstream, EscalationReason};
use crate::facts::{
    AnswerFacts, CalibrationFacts, EvidenceFacts, Facts, RequestFacts, WorkFacts, recorded,
};
use crate::office::RoutedBy;
use crate::policy::{Citations, HumanReview, Policy, Settings, Trigger};
use crate::route;
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
    /// Every rule that fired, the most severe first: the first one decided. Empty if answered,
    /// unless an approved server answers what was escalated.
    pub rules: Vec<Fired>,
    /// How much was known.
    pub stage: Stage,
}

/// A rule that fired, with what it asks for.
struct Finding {
    outcome: Outcome,
    /// Whether it says that there is nothing to answer with.
    empty_handed: bool,
    /// What it is for the policy's `routing.escalate_to`.
    reason: Option<EscalationReason>,
    fired: Fired,
}

impl Finding {
    /// Rank by which findings win over each other.
    fn weight(&self) -> u8 {
        match self.outcome {
            Outcome::Answered => 0,
            Outcome::Refused if self.empty_handed => 1,
            Outcome::Escalated => 2,
            Outcome::HumanReview => 3,
            Outcome::Refused => 4,
        }
    }
}

fn finding(outcome: Outcome, id: &str, because: String) -> Finding {
    let id = id.to_owned();
    Finding { outcome, empty_handed: false, reason: None, fired: Fired { id, because } }
}

fn empty_handed(outcome: Outcome, id: &str, because: &str) -> Finding {
    Finding { empty_handed: true, ..finding(outcome, id, because.to_owned()) }
}

/// Decides what becomes of a question, from the policy and the facts known so far.
pub fn decide(policy: &Policy, facts: &Facts) -> Decision {
    let mut findings = all_findings(policy, facts);
    // Stable: rules of one weight stay in the order in which they were asked.
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.weight()));
    Decision {
        outcome: findings.first().map_or(Outcome::Answered, |first| first.outcome),
        rules: findings.into_iter().map(|finding| finding.fired).collect(),
        stage: stage(facts),
    }
}

fn all_findings(policy: &Policy, facts: &Facts) -> Vec<Finding> {
    let mut findings = request_findings(policy, &facts.request);
    let nothing = nothing_to_say(policy, facts);
    if let Some(answer) = &facts.answer {
        // An answer that cannot be given needs no citation and no review.
        if nothing.iter().all(|finding| finding.outcome != Outcome::Refused) {
            findings.extend(answer_findings(policy, facts, answer));
        }
        findings.extend(memory_finding(policy, facts));
    }
    findings.extend(nothing);
    let own = policy.rules.iter().filter(|rule| fires(policy, rule, facts));
    findings.extend(own.map(own_finding));
    route_findings(policy, facts, &mut findings);
    findings
}

/// Where every reason for an escalation sends the question to one approved server, that server may
/// answer it, if nothing that is known of the request stands against it.
fn route_findings(policy: &Settings, facts: &Facts, findings: &mut Vec<Finding>) {
    let escalated = || findings.iter().filter(|finding| finding.outcome == Outcome::Escalated);
    let reasons: Vec<_> = escalated().map(|finding| finding.reason).collect();
    let Some(upstream) = route::destination(policy, &reasons) else { return };
    let name = &upstream.name;
    let Some(route) = facts.route.as_ref().filter(|route| route.upstream == *name) else { return };
    if let Some(held) = route::held(upstream, facts, route) {
        findings.push(finding(Outcome::Escalated, held.id, held.because));
        return;
    }
    if findings.iter().any(|finding| finding.outcome == Outcome::Refused && finding.empty_handed) {
        let because = format!("the documents hold too little for the upstream `{name}` too");
        findings.push(finding(Outcome::Escalated, "upstreams.no_evidence", because));
        return;
    }
    for finding in findings.iter_mut().filter(|one| one.outcome == Outcome::Escalated) {
        finding.outcome = Outcome::Answered;
        finding.fired.because += &format!("; the upstream `{name}` answers it");
    }
}

/// The approved server that an escalated question is to go to, if it may; `None` for the review
/// queue, and where nothing is escalated.
#[must_use]
pub fn destination<'a>(policy: &'a Policy, facts: &Facts) -> Option<&'a ApprovedUpstream> {
    // Without facts of a route nothing is settled, so what escalates still does.
    let asked = Facts { route: None, ..facts.clone() };
    let findings = all_findings(policy, &asked);
    let heaviest = findings.iter().map(Finding::weight).max();
    let escalated = || findings.iter().filter(|finding| finding.outcome == Outcome::Escalated);
    if heaviest != escalated().map(Finding::weight).max() {
        return None;
    }
    let reasons: Vec<_> = escalated().map(|finding| finding.reason).collect();
    route::destination(policy, &reasons)
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
    findings.extend(work_finding(request));
    findings.extend(request.work.iter().flat_map(tool_findings));
    findings.extend(routed_findings(policy, request));
    findings
}

/// Work that decides on a person ends with a person, whatever the policy says of other answers.
fn work_finding(request: &RequestFacts) -> Option<Finding> {
    let work = request.work.as_ref()?;
    let decides = work.office.as_ref().is_some_and(|office| office.decides_on_persons);
    let asked = !request.regulated_decision.is_empty() || !request.adverse_action.is_empty();
    let because = match (work.affects_person, decides, asked) {
        (true, ..) => "letters and forms go to a person first",
        (_, true, _) => "the office that the request goes to decides on persons",
        (.., true) => "the request asks to decide on a person",
        _ => return None,
    };
    Some(finding(Outcome::HumanReview, "work.affects_person", because.to_owned()))
}

/// What the calls of tools ask for.
fn tool_findings(work: &WorkFacts) -> Vec<Finding> {
    let refused = work.refused.iter().map(|tool| {
        let because = format!("the policy does not grant the tool `{}`", tool.word());
        finding(Outcome::Refused, "tools.not_granted", because)
    });
    let failed = work.failed.iter().map(|tool| {
        let because = format!("the tool `{}` could not do what was asked", tool.word());
        finding(Outcome::Refused, "work.failed", because)
    });
    let handed_over = work.handed_over.then(|| {
        finding(Outcome::Escalated, "work.handed_over", "the request was handed over".to_owned())
    });
    let nowhere = work.office.as_ref().is_some_and(|office| office.by == RoutedBy::Nothing);
    let nowhere = nowhere.then(|| {
        let because = "no office is sure enough to be the one for the request";
        finding(Outcome::Escalated, "work.no_office", because.to_owned())
    });
    refused.chain(failed).chain(handed_over).chain(nowhere).collect()
}

/// The triggers that the question alone shows.
fn routed_findings(policy: &Settings, request: &RequestFacts) -> Vec<Finding> {
    let seen = [
        (Trigger::ComplexReasoning, is_complex(policy, request)),
        (Trigger::RegulatedDecision, !request.regulated_decision.is_empty()),
        (Trigger::AdverseAction, !request.adverse_action.is_empty()),
        (Trigger::UserRequest, request.user_wants_person),
    ];
    seen.into_iter()
        .filter(|(_, present)| *present)
        .filter_map(|(trigger, _)| {
            let outcome = route(policy, trigger)?;
            let id = format!("routing.{}", trigger.word());
            let reason_of = Some(EscalationReason::of(trigger));
            Some(Finding { reason: reason_of, ..finding(outcome, &id, reason(trigger).to_owned()) })
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

/// Why there is nothing to answer with, if so.
fn nothing_to_say(policy: &Settings, facts: &Facts) -> Vec<Finding> {
    let evidence = facts.evidence.as_ref();
    let confidence = evidence.and_then(|evidence| confidence_finding(policy, evidence));
    let reason = Some(EscalationReason::LowRetrievalConfidence);
    let confidence = confidence.map(|finding| Finding { reason, ..finding });
    let grounded = evidence.is_some();
    let answer = facts.answer.as_ref().and_then(|answer| empty_finding(answer, grounded));
    confidence.into_iter().chain(answer).collect()
}

/// Too little evidence is refused unless the policy escalates it.
fn confidence_finding(policy: &Settings, evidence: &EvidenceFacts) -> Option<Finding> {
    let minimum = policy.retrieval.minimum_confidence;
    let outcome = route(policy, Trigger::LowRetrievalConfidence).unwrap_or(Outcome::Refused);
    // What the receipt will say, so that the recorded facts give the same decision.
    let confidence = recorded(evidence.confidence);
    if evidence.passages == 0 {
        let because = "no document that the caller may read bears on the question";
        return Some(empty_handed(outcome, "retrieval.nothing_found", because));
    }
    if let Some(max_error) = policy.answers.max_error {
        return error_finding(max_error, evidence, outcome);
    }
    // A confidence that is no number is not enough either.
    (confidence < minimum || evidence.confidence.is_nan()).then(|| {
        let because = format!(
            "retrieval is sure to {confidence}, which is less than the policy's minimum {minimum}"
        );
        empty_handed(outcome, "retrieval.low_confidence", &because)
    })
}

/// An answer whose score does not keep to the rate of wrong answers that the policy allows.
fn error_finding(max_error: f64, evidence: &EvidenceFacts, outcome: Outcome) -> Option<Finding> {
    let because = match &evidence.calibrated {
        Some(CalibrationFacts { score, least_score: Some(least), .. }) if score >= least => {
            return None;
        }
        Some(CalibrationFacts { least_score: None, .. }) => format!(
            "the calibration cannot prove any score to keep to the policy's `max_error` of \
             {max_error}"
        ),
        Some(facts) => format!(
            "the answer is right with a probability of {:.2}, which does not keep to the policy's \
             `max_error` of {max_error}",
            facts.probability
        ),
        None => {
            "the policy sets `max_error`, but the answer was not judged by a calibration".to_owned()
        }
    };
    Some(empty_handed(outcome, "answers.max_error", &because))
}

fn empty_finding(answer: &AnswerFacts, grounded: bool) -> Option<Finding> {
    let refused = |id: &str, because: &str| Some(empty_handed(Outcome::Refused, id, because));
    if answer.sentences == 0 {
        refused("answer.empty", "nothing was found to say")
    } else if grounded && answer.supported == 0 {
        let because = "no sentence of the answer is supported by the passage that it cites";
        refused("answer.unsupported", because)
    } else {
        None
    }
}

/// A model's memory is no source for what a rule says.
fn memory_finding(policy: &Settings, facts: &Facts) -> Option<Finding> {
    let from_memory = facts.evidence.is_none() && facts.request.policy_question;
    (from_memory && policy.retrieval.required_for_policy_answers).then(|| {
        let because = "the question is about a rule, and the policy answers those from documents \
                       only";
        finding(Outcome::Refused, "retrieval.required", because.to_owned())
    })
}

fn answer_findings(policy: &Settings, facts: &Facts, answer: &AnswerFacts) -> Vec<Finding> {
    let grounded = facts.evidence.is_some();
    let must_cite = policy.logging.citations == Citations::Required
        || grounded && policy.retrieval.cite_source_documents;
    let uncited = (must_cite && !answer.cited).then(|| {
        let because =
            "the answer has a sentence without a citation, and the policy requires citations";
        finding(Outcome::Refused, "answer.uncited", because.to_owned())
    });
    uncited.into_iter().chain(review_finding(policy, answer)).collect()
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
fn fires(policy: &Settings, rule: &Rule, facts: &Facts) -> bool {
    let when = &rule.when;
    let request = &facts.request;
    let labels = facts.evidence.as_ref().map_or(&[][..], |evidence| &evidence.labels);
    let any = |wanted: &[String], found: &[String]| {
        wanted.is_empty() || wanted.iter().any(|value| found.contains(value))
    };
    any(&when.language, std::slice::from_ref(&request.language))
        && any(&when.label, labels)
        && (when.contains_any.is_empty() || request.matched_rules.contains(&rule.id))
        && (when.signal.is_empty()
            || when.signal.iter().any(|signal| shows(policy, request, *signal)))
}

/// Whether a question takes several steps: a pattern says so, whatever the classifier says, or the
/// classifier is as sure as the policy wants it.
fn is_complex(policy: &Settings, request: &RequestFacts) -> bool {
    let surely = |score: u16| f64::from(score) / 1000.0 >= policy.routing.minimum_complexity;
    !request.complex_reasoning.is_empty() || request.complexity.is_some_and(surely)
}

fn shows(policy: &Settings, request: &RequestFacts, signal: Signal) -> bool {
    match signal {
        Signal::ComplexReasoning => is_complex(policy, request),
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
    let reason = Some(EscalationReason::Policy);
    Finding { reason, ..finding(outcome, &format!("rules.{}", rule.id), rule.because.clone()) }
}

#[cfg(test)]
mod tests;
