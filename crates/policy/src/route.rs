//! Whether an escalated question goes to an approved server or to the review queue: from the policy
//! and recorded facts alone. Closed when in doubt.

use crate::approved::{ApprovedUpstream, EscalationReason};
use crate::facts::Facts;
use crate::policy::Settings;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of a request to an approved server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteFacts {
    /// The server's name in the policy.
    pub upstream: String,
    /// Personal data that was hidden in what it gets: how often, by kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hidden: BTreeMap<String, u64>,
    /// Kinds of personal data that hold the request back.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub blocked: BTreeSet<String>,
    /// Whether it is left alone, having failed too often.
    #[serde(default)]
    pub breaker_open: bool,
    /// Tokens that were spent on it this day before.
    #[serde(default)]
    pub spent_tokens: u64,
    /// Cost that was spent on it this day before, in millionths of the currency.
    #[serde(default)]
    pub spent_cost: u64,
    /// Tokens that the request is taken to need at most.
    #[serde(default)]
    pub asked_tokens: u64,
    /// What these cost, in millionths of the currency.
    #[serde(default)]
    pub asked_cost: u64,
    /// Each time that it was asked, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<AttemptFacts>,
    /// Tokens of the prompt, as the server counted them.
    #[serde(default)]
    pub prompt_tokens: u64,
    /// Tokens of the answer, as the server counted them.
    #[serde(default)]
    pub completion_tokens: u64,
    /// What was spent, in millionths of the currency.
    #[serde(default)]
    pub cost: u64,
}

/// One time that a server was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptFacts {
    /// How it ended.
    pub end: AttemptEnd,
    /// How long was waited before it, in milliseconds: with jitter, so it is recorded.
    pub waited_ms: u64,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptEnd {
    /// With an answer.
    Answered,
    /// No connection came about.
    NoConnection,
    /// It was turned away for now (429, 503).
    TurnedAway,
    /// It was not asked: the request is one that it cannot take.
    Unfit,
    /// Anything else: it may have been worked on, so it is not asked again.
    Failed,
}

impl RouteFacts {
    /// Whether the server gave an answer.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.attempts.last().is_some_and(|last| last.end == AttemptEnd::Answered)
    }
}

/// Why a question that was to go to a server does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The rule's id.
    pub id: &'static str,
    /// Why, in words.
    pub because: String,
}

/// The server that all these reasons send a question to; `None` for the review queue. Reasons that
/// send it to different places send it to a person.
pub(crate) fn destination<'a>(
    settings: &'a Settings,
    reasons: &[Option<EscalationReason>],
) -> Option<&'a ApprovedUpstream> {
    let mut places = reasons.iter().map(|reason| settings.destination((*reason)?));
    let first = places.next()??;
    places.all(|place| place.is_some_and(|place| place.name == first.name)).then_some(first)
}

/// Why a question may not be, or was not, answered by a server; `None` if nothing stands against
/// it.
pub(crate) fn held(upstream: &ApprovedUpstream, facts: &Facts, route: &RouteFacts) -> Option<Held> {
    let evidence = facts.evidence.as_ref();
    let name = &upstream.name;
    let because = |id, because: String| Some(Held { id, because });
    let labels = evidence.map_or(&[][..], |evidence| &evidence.labels);
    if let Some(label) = labels.iter().find(|one| !upstream.data_class_max.labels.contains(*one)) {
        let what = format!("a document labelled `{label}` may not go to the upstream `{name}`");
        return because("upstreams.label", what);
    }
    if evidence.is_some_and(|evidence| evidence.passages == 0) {
        let what = format!("there is no evidence that the upstream `{name}` could answer from");
        return because("upstreams.no_evidence", what);
    }
    if let Some(held) = withheld(upstream, route) {
        return Some(held);
    }
    if !route.attempts.is_empty() && !route.is_answered() {
        return because("upstreams.failed", format!("the upstream `{name}` gave no answer"));
    }
    let unsupported = |answer: &crate::facts::AnswerFacts| {
        answer.sentences == 0 || evidence.is_some() && answer.supported == 0
    };
    if facts.answer.as_ref().is_some_and(unsupported) {
        let what = format!("what the upstream `{name}` wrote is not supported by the documents");
        return because("upstreams.unsupported", what);
    }
    None
}

/// Why nothing may be sent to a server, whatever the request; `None` if something may.
#[must_use]
pub fn withheld(upstream: &ApprovedUpstream, route: &RouteFacts) -> Option<Held> {
    let name = &upstream.name;
    let because = |id, because: String| Some(Held { id, because });
    if let Some(kind) = route.blocked.first() {
        let what = format!("personal data ({kind}) may not go to the upstream `{name}`");
        return because("upstreams.personal_data", what);
    }
    if let Some(what) = overspent(upstream, route) {
        return because("upstreams.budget", what);
    }
    if route.breaker_open {
        let what = format!("the upstream `{name}` failed too often and is left alone for now");
        return because("upstreams.breaker", what);
    }
    None
}

/// What would be spent beyond the day's budget, in words.
fn overspent(upstream: &ApprovedUpstream, route: &RouteFacts) -> Option<String> {
    let (budget, name) = (&upstream.budget, &upstream.name);
    let over = |limit: Option<u64>, spent: u64, asked: u64| {
        limit.is_some_and(|limit| spent.saturating_add(asked) > limit)
    };
    if over(budget.tokens_per_day, route.spent_tokens, route.asked_tokens) {
        return Some(format!("the day's budget of tokens for the upstream `{name}` is used up"));
    }
    over(budget.cost_per_day, route.spent_cost, route.asked_cost)
        .then(|| format!("the day's budget for the upstream `{name}` is used up"))
}

#[cfg(test)]
mod tests;
