//! `allod policy`

mod diff;
mod replay;
mod test;

use std::path::Path;

use allod_answer::{Ask, Explanation, read_policy};
use allod_policy::Policy;
use serde_json::json;

use super::question;
use crate::Ending;
use crate::folder::Place;
use crate::output::Output;
use crate::replay_arguments::PolicyCommand;

/// Checks a policy, or says what it decides.
pub fn run(command: &PolicyCommand, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    match command {
        PolicyCommand::Check { file } => check(file.as_deref(), place, output),
        PolicyCommand::Explain { question: text, caller } => {
            explain(&question(text, caller)?, place, output)
        }
        PolicyCommand::Replay { since } => replay::run(*since, place, output),
        PolicyCommand::Test { file } => test::run(file, place, output),
        PolicyCommand::Diff { old, new, since, words } => {
            diff::Diff { old, new, since: *since, words: *words }.run(place, output)
        }
    }
}

fn check(file: Option<&Path>, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    let policy = match read_policy(&place.data, file.or(place.policy.as_deref())) {
        Ok(policy) => policy,
        Err(allod_answer::Error::Policy { path, mistakes }) => {
            let value = json!({"valid": false, "file": path, "mistakes": mistakes.0});
            output.print(&value, |_| format!("{}:\n{mistakes}", path.display()))?;
            return Ok(Ending::Failed);
        }
        Err(error) => return Err(error.into()),
    };
    let value = json!({"valid": true, "name": policy.name, "digest": policy.digest()});
    output.print(&value, |_| valid(&policy))?;
    Ok(Ending::Done)
}

fn valid(policy: &Policy) -> String {
    format!("the policy `{}` is valid ({})", policy.name, policy.digest())
}

/// Searches and decides as `ask` would with quotes; a model is not needed for it and not run.
fn explain(ask: &Ask, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    let desk = place.desk_without_model()?;
    let explanation = desk.explain(ask)?;
    output.print(&explanation, text)?;
    Ok(Ending::Done)
}

fn text(explanation: &Explanation) -> String {
    let decision = &explanation.decision;
    let mut text = format!("outcome: {}\n", decision.outcome.word());
    text.push_str("rules that fired:\n");
    if decision.rules.is_empty() {
        text.push_str("  none\n");
    }
    for rule in &decision.rules {
        text.push_str(&format!("  {}: {}\n", rule.id, rule.because));
    }
    if let Some(evidence) = &explanation.facts.evidence {
        text.push_str(&format!(
            "evidence: {} passages of {} documents, confidence {:.2}\n",
            evidence.passages, evidence.documents, evidence.confidence
        ));
    }
    for citation in &explanation.citations {
        text.push_str(&format!("  would cite {} {}\n", citation.path, citation.place));
    }
    text.push_str(&format!("policy: {}\n", explanation.policy));
    text
}
