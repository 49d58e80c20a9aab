//! Decisions made again from the facts that receipts record, under the policy that they name or
//! another one. No words are needed for the first, and no model for either.

use std::sync::Arc;

use allod_engine::Prompt;
use allod_ledger::receipt::{Outcome as Recorded, Receipt, RequestKind};
use allod_policy::{
    Decision, Facts, Outcome, Policy, RequestFacts, RouteFacts, WorkFacts, decide, destination,
    observe, office_of,
};
use allod_store::Store;
use serde::Serialize;
use serde_json::Value;

use crate::chat::allowed;
use crate::error::Error;
use crate::kept;
use crate::named::Named;
use crate::record;
use crate::replay::Stop;

/// What the policy decides on a request of this kind, when all that will be known is known.
#[must_use]
pub fn derive(policy: &Policy, kind: RequestKind, facts: &Facts) -> Decision {
    let decision = decide(policy, facts);
    match kind {
        RequestKind::Chat | RequestKind::Generate => allowed(policy, decision, facts),
        _ => Decision { outcome: given(decision.outcome, facts), ..decision },
    }
}

/// An answer without a supported sentence is none, whatever the policy says.
pub(crate) fn given(outcome: Outcome, facts: &Facts) -> Outcome {
    // To say which office a request belongs to is all that is asked then.
    let routed = facts.request.work.as_ref().is_some_and(|work| work.office.is_some());
    let silent = facts.answer.as_ref().is_none_or(|answer| answer.supported == 0);
    let empty = silent && !routed;
    match outcome {
        Outcome::Answered if empty => Outcome::Refused,
        outcome => outcome,
    }
}

/// The work under another policy, which may have other offices.
fn under_work(policy: &Policy, work: WorkFacts, question: &str) -> WorkFacts {
    let office = work.office.as_ref().and_then(|_| office_of(policy, question));
    WorkFacts { office, ..work }
}

/// A decision without its reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Brief {
    /// The outcome's word.
    pub outcome: &'static str,
    /// The rules that fired, the one that decided first.
    pub rules: Vec<String>,
}

/// A recorded decision, made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rederived {
    /// As it was.
    Same,
    /// Another one.
    Differs {
        /// What the receipt says.
        recorded: Brief,
        /// What policy and facts give.
        derived: Brief,
    },
    /// There was nothing to decide: texts were turned into vectors or scores.
    Nothing,
    /// It cannot be made again, and why.
    Impossible(String),
}

/// What another policy makes of a recorded request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Under {
    /// The decision.
    pub brief: Brief,
    /// Where it would go on, if it does not end where the recorded request ended: what would then
    /// be found or written, and so the end, is not known.
    pub goes_on: Option<GoesOn>,
    /// The question, if it is kept; without it the policy's own words are not looked for.
    pub question: Option<String>,
}

/// Where a request goes on that ended before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GoesOn {
    /// The documents are searched, and an answer is written.
    Documents,
    /// The upstream of this name is asked.
    Upstream(String),
}

/// What is known of a recorded request.
#[derive(Clone, Debug)]
pub struct Recalled {
    facts: Facts,
    question: Option<String>,
}

/// Makes recorded decisions again.
pub struct Deriver {
    store: Arc<dyn Store>,
    named: Named,
}

impl Deriver {
    /// From the policies, and where it is asked for the words, of a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Deriver {
        Deriver { named: Named::new(Arc::clone(&store)), store }
    }

    /// The policy of this digest.
    ///
    /// # Errors
    /// [`Error::Limit`] saying why it cannot be had.
    pub fn policy(&mut self, digest: &str) -> Result<Arc<Policy>, Error> {
        self.named.policy(digest).map_err(|stop| match stop {
            Stop::Impossible(reason) => Error::Limit(reason),
            Stop::Differs(difference) => Error::Limit(difference.to_string()),
            Stop::Failed(error) => error,
        })
    }

    /// Makes the decision of a receipt again: from its facts, under the policy that it names.
    ///
    /// # Errors
    /// When the store fails.
    pub fn rederive(&mut self, receipt: &Receipt) -> Result<Rederived, Error> {
        if !is_decided(receipt.request.kind) {
            return Ok(Rederived::Nothing);
        }
        let policy = match self.named.policy(&receipt.policy.digest) {
            Ok(policy) => policy,
            Err(Stop::Impossible(reason)) => return Ok(Rederived::Impossible(reason)),
            Err(Stop::Differs(changed)) => return Ok(Rederived::Impossible(changed.to_string())),
            Err(Stop::Failed(error)) => return Err(error),
        };
        let Some(facts) = facts(receipt) else {
            return Ok(Rederived::Impossible("its facts are of another version".into()));
        };
        let derived = brief(&derive(&policy, receipt.request.kind, &facts));
        let recorded = Brief {
            outcome: word(receipt.outcome),
            rules: receipt.rules.iter().map(|rule| rule.id.clone()).collect(),
        };
        Ok(match derived == recorded {
            true => Rederived::Same,
            false => Rederived::Differs { recorded, derived },
        })
    }

    /// What is to be known of a recorded request before policies decide it; `None` where there was
    /// nothing to decide, or its facts are of another version. Its words are opened once, for
    /// however many policies.
    ///
    /// # Errors
    /// When the store fails.
    pub fn recall(&self, receipt: &Receipt) -> Result<Option<Recalled>, Error> {
        if !is_decided(receipt.request.kind) {
            return Ok(None);
        }
        let Some(facts) = facts(receipt) else { return Ok(None) };
        Ok(Some(Recalled { facts, question: self.question(receipt)? }))
    }

    /// What a policy makes of a recorded request, of which `recalled` is known.
    pub fn under(&mut self, policy: &Policy, receipt: &Receipt, recalled: &Recalled) -> Under {
        let kind = receipt.request.kind;
        let Recalled { mut facts, question } = recalled.clone();
        if let Some(question) = &question {
            let work = facts.request.work.take().map(|work| under_work(policy, work, question));
            let seen = observe(policy, question, &facts.request.language);
            let complexity = facts.request.complexity.or(seen.complexity);
            facts.request = RequestFacts { work, complexity, ..seen };
        }
        self.calibrate(policy, receipt, &mut facts);
        let decision = decide(policy, &facts);
        let unknown = kind == RequestKind::Ask && facts.answer.is_none();
        // What was not looked for, or not written, would now be.
        let searched = facts.evidence.as_ref();
        let written = decision.outcome == Outcome::Answered
            && unknown
            && searched.is_none_or(|evidence| evidence.passages > 0);
        let goes_on = match written {
            true => Some(GoesOn::Documents),
            false => sent_to(policy, kind, &facts).map(GoesOn::Upstream),
        };
        let decision = if written { decision } else { derive(policy, kind, &facts) };
        Under { brief: brief(&decision), goes_on, question }
    }

    /// The score that an answer must have depends on the policy.
    fn calibrate(&mut self, policy: &Policy, receipt: &Receipt, facts: &mut Facts) {
        let judged = facts.evidence.as_mut().and_then(|evidence| evidence.calibrated.as_mut());
        let Some(judged) = judged else { return };
        let calibrated = self.named.calibrated(receipt).ok();
        let least = |rate| calibrated.as_ref().and_then(|c| c.calibration().least_score(rate));
        // Without the calibration no score is proven to be enough.
        judged.least_score = policy.answers.max_error.and_then(least);
        *judged = judged.clone().recorded();
    }

    /// What was asked, if it is kept.
    fn question(&self, receipt: &Receipt) -> Result<Option<String>, Error> {
        let Some(row) = self.store.payload(&receipt.prompt_commitment)? else { return Ok(None) };
        let Ok(kept) = serde_json::from_str::<Value>(&row.content) else { return Ok(None) };
        if matches!(receipt.request.kind, RequestKind::Ask | RequestKind::Work) {
            return Ok(kept["question"].as_str().map(str::to_owned));
        }
        Ok(match kept::prompt_of(&kept) {
            Some(Prompt::Text(text)) => Some(text),
            Some(prompt) => prompt.asked().map(|asked| asked.trim().to_owned()),
            None => None,
        })
    }
}

/// The upstream that a policy sends an escalated request to, where the record does not say what
/// became of it there.
fn sent_to(policy: &Policy, kind: RequestKind, facts: &Facts) -> Option<String> {
    let asked = Facts { answer: None, ..facts.clone() };
    let name = destination(policy, &asked)?.name.clone();
    let known = facts.route.as_ref().is_some_and(|route| route.upstream == name);
    let route = RouteFacts { upstream: name.clone(), ..RouteFacts::default() };
    let planned = Facts { route: Some(route), ..asked };
    let free = match kind {
        // What is written there is not known yet, and so nothing is given.
        RequestKind::Ask => decide(policy, &planned),
        _ => derive(policy, kind, &planned),
    };
    (!known && free.outcome == Outcome::Answered).then_some(name)
}

fn facts(receipt: &Receipt) -> Option<Facts> {
    serde_json::from_value(receipt.facts.clone()).ok()
}

fn brief(decision: &Decision) -> Brief {
    Brief {
        outcome: word(record::outcome(decision.outcome)),
        rules: decision.rules.iter().map(|rule| rule.id.clone()).collect(),
    }
}

fn word(outcome: Recorded) -> &'static str {
    match outcome {
        Recorded::Answered => Outcome::Answered.word(),
        Recorded::Refused => Outcome::Refused.word(),
        Recorded::Escalated => Outcome::Escalated.word(),
        Recorded::HumanReview => Outcome::HumanReview.word(),
    }
}

/// Whether a policy decided on requests of a kind.
fn is_decided(kind: RequestKind) -> bool {
    matches!(kind, RequestKind::Ask | RequestKind::Chat | RequestKind::Generate)
}
