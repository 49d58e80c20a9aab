//! What is written down of a piece of work: commitments to each call's arguments and result.

use allod_ledger::receipt;
use allod_retrieval::Evidence;
use serde_json::{Value, json};

use super::Done;
use super::toolbox::Made;
use crate::error::Error;
use crate::record::Keeper;

/// The work as the receipt has it; the words are kept where the policy lets them be kept.
pub(crate) fn work(keeper: &Keeper, name: &str, done: &Done) -> Result<receipt::Work, Error> {
    let calls: Result<Vec<_>, Error> = done.made.iter().map(|made| call(keeper, made)).collect();
    Ok(receipt::Work { name: name.into(), calls: calls? })
}

fn call(keeper: &Keeper, made: &Made) -> Result<receipt::Call, Error> {
    let words = [("arguments", made.arguments.to_string()), ("result", made.result.to_string())];
    let [arguments_commitment, result_commitment] = keeper.keep_both(&words)?;
    Ok(receipt::Call {
        tool: made.tool.word().into(),
        outcome: made.outcome,
        untrusted: made.untrusted.clone(),
        arguments_commitment,
        result_commitment,
    })
}

/// The calls as a reviewer sees them.
pub(crate) fn shown(done: &Done) -> Value {
    let call = |made: &Made| {
        json!({"tool": made.tool, "outcome": made.outcome, "untrusted": made.untrusted,
               "arguments": made.arguments, "result": made.result})
    };
    done.made.iter().map(call).collect()
}

/// The places of the evidence that speak to a model.
pub(crate) fn attempts(evidence: &[Evidence]) -> Vec<receipt::Attempt> {
    let of = |item: &Evidence| -> Vec<receipt::Attempt> {
        let attempt = |attempt: &allod_retrieval::Attempt| receipt::Attempt {
            digest: item.digest.clone(),
            start: (item.range.start + attempt.range.start) as u64,
            end: (item.range.start + attempt.range.end) as u64,
            kind: attempt.kind.word().into(),
        };
        item.attempts.iter().map(attempt).collect()
    };
    evidence.iter().flat_map(of).collect()
}
