//! Holding what was made again against what was recorded, in the order in which an answer is made:
//! what is named first is where it went wrong, not what followed from it.

use allod_ledger::Receipt;
use serde_json::{Value, json};

use super::difference::Difference;
use super::{Stop, unknown_form};
use crate::output::{Output, Written};

/// What was made again.
pub(super) struct Again {
    pub(super) prompt: Value,
    pub(super) answer: Option<String>,
    pub(super) output: Option<Output>,
    pub(super) receipt: Receipt,
}

/// What comes before the words, and what comes after, of a receipt's members.
const BEFORE: [&str; 7] =
    ["policy", "index", "evidence", "model", "numerics", "sampling", "limits"];
const AFTER: [&str; 8] =
    ["facts", "citations", "checks", "rules", "outcome", "mode", "confidence", "tokens"];
/// What the policy looks at before an answer is written.
const FACTS_BEFORE: [&str; 2] = ["request", "evidence"];

/// Compares everything.
pub(super) fn compare(
    receipt: &Receipt,
    prompt: &Value,
    answer: Option<&str>,
    output: Option<&Output>,
    again: &Again,
) -> Result<(), Stop> {
    let recorded = value(receipt)?;
    let mut replayed = value(&unnamed(&again.receipt, receipt))?;
    as_known(&recorded, &mut replayed);
    let member = |name: &&str| Difference::between(name, &recorded[*name], &replayed[*name]);
    let fact = |name: &&str| {
        let (one, other) = (&recorded["facts"][*name], &replayed["facts"][*name]);
        Difference::between(&format!("facts.{name}"), one, other)
    };
    let cancelled = output.is_some_and(Output::is_cancelled);
    let found = BEFORE
        .iter()
        .find_map(member)
        .or_else(|| FACTS_BEFORE.iter().find_map(fact))
        .or_else(|| {
            Difference::between("prompt", prompt, &again.prompt).map(Difference::without_words)
        })
        .or_else(|| outputs(output, again.output.as_ref()))
        .or_else(|| texts(answer, again.answer.as_deref(), cancelled))
        .or_else(|| AFTER.iter().find_map(member));
    found.map_or(Ok(()), |difference| Err(Stop::differs(difference)))
}

/// Facts that were not looked at when the receipt was written are not compared.
fn as_known(recorded: &Value, replayed: &mut Value) {
    if recorded["facts"]["request"].get("complexity").is_none()
        && let Some(request) = replayed["facts"]["request"].as_object_mut()
    {
        request.remove("complexity");
    }
}

/// The receipt as it stands in the log.
fn value(receipt: &Receipt) -> Result<Value, Stop> {
    let entry = receipt.to_entry().map_err(crate::error::Error::from)?;
    serde_json::from_slice(&entry).map_err(|_| unknown_form())
}

/// A file may be called otherwise: what it holds is compared by digest.
fn unnamed(again: &Receipt, receipt: &Receipt) -> Receipt {
    let mut again = Receipt {
        time: receipt.time,
        request: receipt.request.clone(),
        software: receipt.software.clone(),
        ..again.clone()
    };
    if let (Some(own), Some(recorded)) = (&mut again.model, &receipt.model) {
        own.name = recorded.name.clone();
        if recorded.files.is_none() {
            // Receipts of older versions do not name them.
            own.files = None;
        }
    }
    again
}

fn outputs(recorded: Option<&Output>, replayed: Option<&Output>) -> Option<Difference> {
    let none: &[Written] = &[];
    let (one, other) = (
        recorded.map_or(none, |output| &output.choices),
        replayed.map_or(none, |output| &output.choices),
    );
    if one.len() != other.len() {
        return Difference::between("answers written", &json!(one.len()), &json!(other.len()));
    }
    let pairs = one.iter().zip(other).enumerate();
    pairs.into_iter().find_map(|(choice, (one, other))| written(choice, one, other))
}

fn written(choice: usize, one: &Written, other: &Written) -> Option<Difference> {
    let of = match choice {
        0 => String::new(),
        choice => format!(" of answer {choice}"),
    };
    let token = |at: usize| {
        let (a, b) = (json!(one.tokens.get(at)), json!(other.tokens.get(at)));
        let scores = (json!(one.score(at)), json!(other.score(at)));
        Difference::between(&format!("token {at}{of}"), &a, &b).or_else(|| {
            Difference::between(&format!("score of token {at}{of}"), &scores.0, &scores.1)
        })
    };
    let ends = || match one.finish == "cancelled" {
        true => None,
        false => Difference::between(
            &format!("why it ended{of}"),
            &json!(one.finish),
            &json!(other.finish),
        ),
    };
    (0..one.tokens.len().max(other.tokens.len())).find_map(token).or_else(ends)
}

/// Words are not told, only where they begin to differ. Where the caller ended it, text that was
/// held back is missing.
fn texts(recorded: Option<&str>, replayed: Option<&str>, cancelled: bool) -> Option<Difference> {
    let (one, other) = (recorded.unwrap_or_default(), replayed.unwrap_or_default());
    if one == other || cancelled && other.starts_with(one) {
        return None;
    }
    let same = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    Some(Difference::named(format!("the answer, from byte {same} on")))
}
