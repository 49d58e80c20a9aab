//! The servers that escalated questions may go to, and what may go there.

use crate::choice::choice;
use crate::policy::{Personal, PersonalKind, Settings, Trigger};
use std::collections::{BTreeMap, BTreeSet};

choice! {
    /// Why a question leaves the ordinary path, as `routing.escalate_to` names it.
    EscalationReason {
        /// Needs reasoning over several rules.
        ComplexReasoning => "complex_reasoning",
        /// Retrieval is less sure than the policy wants.
        LowRetrievalConfidence => "low_retrieval_confidence",
        /// Asks to decide a person's case.
        RegulatedDecision => "regulated_decision",
        /// Asks for a person.
        UserRequest => "user_request",
        /// Asks for an act against a person.
        AdverseAction => "adverse_action",
        /// A rule of the policy's own escalates it.
        Policy => "policy",
    }
}

impl EscalationReason {
    /// The trigger that it stands for, if it does.
    pub(crate) fn trigger(self) -> Option<Trigger> {
        Some(match self {
            EscalationReason::ComplexReasoning => Trigger::ComplexReasoning,
            EscalationReason::LowRetrievalConfidence => Trigger::LowRetrievalConfidence,
            EscalationReason::RegulatedDecision => Trigger::RegulatedDecision,
            EscalationReason::UserRequest => Trigger::UserRequest,
            EscalationReason::AdverseAction => Trigger::AdverseAction,
            EscalationReason::Policy => return None,
        })
    }

    pub(crate) fn of(trigger: Trigger) -> EscalationReason {
        match trigger {
            Trigger::ComplexReasoning => EscalationReason::ComplexReasoning,
            Trigger::LowRetrievalConfidence => EscalationReason::LowRetrievalConfidence,
            Trigger::RegulatedDecision => EscalationReason::RegulatedDecision,
            Trigger::UserRequest => EscalationReason::UserRequest,
            Trigger::AdverseAction => EscalationReason::AdverseAction,
        }
    }
}

/// What may go to a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataClass {
    /// Labels of documents that may; a document without a label may always.
    pub labels: BTreeSet<String>,
    /// Kinds of personal data that may as they are; the others are hidden, or held back.
    pub personal: BTreeSet<PersonalKind>,
}

/// What may be spent on a server in a day, which begins at midnight UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Budget {
    /// Tokens read and written; without end if `None`.
    pub tokens_per_day: Option<u64>,
    /// Cost in millionths of the currency; without end if `None`.
    pub cost_per_day: Option<u64>,
    /// Price of a million tokens of prompts, in millionths of the currency.
    pub prompt_price: u64,
    /// Price of a million tokens of answers, in millionths of the currency.
    pub completion_price: u64,
    /// What the prices are in.
    pub currency: Option<String>,
}

impl Budget {
    /// What so many tokens cost, in millionths of the currency; a part of one counts as a whole.
    #[must_use]
    pub fn cost(&self, prompt_tokens: u64, completion_tokens: u64) -> u64 {
        let price = |tokens: u64, price: u64| u128::from(tokens) * u128::from(price);
        let sum = price(prompt_tokens, self.prompt_price)
            + price(completion_tokens, self.completion_price);
        u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

/// When a server that fails is left alone, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// Failures in a row.
    pub failures: u32,
    /// How long, in milliseconds.
    pub pause_ms: u64,
}

/// The name of the server that runs the model, which no other may have.
pub const MAIN_UPSTREAM: &str = "upstream";

/// A server that runs the model, or that escalated questions may go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovedUpstream {
    /// Its name in the policy.
    pub name: String,
    /// Base address of its OpenAI interface.
    pub url: String,
    /// The model, as the server knows it.
    pub model: String,
    /// Name of the environment variable that holds its key.
    pub api_key_env: Option<String>,
    /// Region where it stands.
    pub region: Option<String>,
    /// What may go there.
    pub data_class_max: DataClass,
    /// What becomes of personal data that may not; `privacy.upstream` if that is stricter.
    pub privacy: Personal,
    /// What may be spent on it.
    pub budget: Budget,
    /// How long to wait for an answer, all attempts together.
    pub timeout_ms: u64,
    /// How often a request is tried again.
    pub retries: u32,
    /// When it is left alone.
    pub breaker: Breaker,
}

/// Where questions of each reason go; those that are not named go to the review queue.
pub type Destinations = BTreeMap<EscalationReason, String>;

impl Settings {
    /// The approved server of this name.
    #[must_use]
    pub fn approved(&self, name: &str) -> Option<&ApprovedUpstream> {
        self.upstreams.iter().find(|upstream| upstream.name == name)
    }

    /// The approved server that a reason sends questions to; `None` for the review queue.
    #[must_use]
    pub fn destination(&self, reason: EscalationReason) -> Option<&ApprovedUpstream> {
        self.approved(self.routing.escalate_to.get(&reason)?)
    }

    /// What becomes of personal data in requests to an approved server: the stricter of what the
    /// policy says of all servers and of this one.
    #[must_use]
    pub fn personal_at(&self, upstream: &ApprovedUpstream) -> Personal {
        let strictness = |personal: Personal| match personal {
            Personal::Keep => 0,
            Personal::Pseudonymise => 1,
            Personal::Redact => 2,
            Personal::Block => 3,
        };
        let (all, own) = (self.privacy.upstream, upstream.privacy);
        if strictness(all) > strictness(own) { all } else { own }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_millionth_counts_whole() {
        let budget =
            Budget { prompt_price: 500_000, completion_price: 1_500_000, ..Budget::default() };
        // Half a unit for a million, one and a half for a million.
        assert_eq!(budget.cost(1_000_000, 1_000_000), 2_000_000);
        assert_eq!(budget.cost(1, 0), 1);
        assert_eq!(budget.cost(0, 0), 0);
        assert_eq!(budget.cost(u64::MAX, u64::MAX), u64::MAX);
    }

    #[test]
    fn every_trigger_is_a_reason() {
        for (word, reason) in <EscalationReason as crate::choice::Choice>::ALL {
            let Some(trigger) = reason.trigger() else { continue };
            assert_eq!((trigger.word(), EscalationReason::of(trigger)), (*word, *reason));
        }
    }
}
