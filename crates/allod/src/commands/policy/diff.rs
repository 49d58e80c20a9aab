//! `allod policy diff`

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use allod_answer::{Deriver, GoesOn, Under, read_policy};
use allod_policy::Policy;
use serde_json::{Value, json};

use super::super::replay::Recorded;
use crate::Ending;
use crate::folder::Place;
use crate::output::Output;

/// So many receipts are named for each kind of change.
const EXAMPLES_MAX: usize = 5;

/// Two policies, and the requests that they are compared on.
pub struct Diff<'a> {
    pub old: &'a str,
    pub new: &'a str,
    pub since: Option<jiff::civil::Date>,
    pub words: bool,
}

/// Requests that the two policies decide differently, in the same way.
#[derive(Default)]
struct Change {
    count: usize,
    examples: Vec<Example>,
}

struct Example {
    receipt: u64,
    question: Option<String>,
}

/// What came of all requests.
#[derive(Default)]
struct Tally {
    requests: usize,
    /// From what to what, with the rule that decides then.
    changes: BTreeMap<(String, String), Change>,
    wordless: usize,
}

impl Diff<'_> {
    /// Decides recorded requests under both policies and shows what changes.
    pub fn run(&self, place: &Place, output: &Output) -> anyhow::Result<Ending> {
        let mut deriver = Deriver::new(allod_answer::open_store(&place.data)?);
        let old = named(self.old, place, &mut deriver)?;
        let new = named(self.new, place, &mut deriver)?;
        let recorded = Recorded::open(place, self.since)?;
        let mut tally = Tally::default();
        for receipt in recorded.receipts() {
            let (index, receipt) = receipt?;
            if let Some(recalled) = deriver.recall(&receipt)? {
                let before = deriver.under(&old, &receipt, &recalled);
                let after = deriver.under(&new, &receipt, &recalled);
                tally.count(index, &before, &after, self.words);
            }
        }
        let value = tally.value(&old, &new);
        output.print(&value, |_| tally.text())?;
        Ok(Ending::Done)
    }
}

/// A policy by its file, or by the digest that receipts name.
fn named(given: &str, place: &Place, deriver: &mut Deriver) -> anyhow::Result<Arc<Policy>> {
    match given.starts_with("sha256:") {
        true => Ok(deriver.policy(given)?),
        false => Ok(Arc::new(read_policy(&place.data, Some(Path::new(given)))?)),
    }
}

/// The outcome, and which rule decided it.
fn end(under: &Under) -> String {
    let outcome = under.brief.outcome;
    match (&under.goes_on, under.brief.rules.first()) {
        (Some(GoesOn::Documents), _) => "goes on to the documents".to_owned(),
        (Some(GoesOn::Upstream(name)), _) => format!("goes on to the upstream `{name}`"),
        (None, Some(rule)) => format!("{outcome} ({rule})"),
        (None, None) => outcome.to_owned(),
    }
}

impl Tally {
    fn count(&mut self, receipt: u64, before: &Under, after: &Under, words: bool) {
        self.requests += 1;
        self.wordless += usize::from(after.question.is_none());
        let (from, to) = (end(before), end(after));
        if from == to {
            return;
        }
        let change = self.changes.entry((from, to)).or_default();
        change.count += 1;
        if change.examples.len() < EXAMPLES_MAX {
            let question = after.question.clone().filter(|_| words);
            change.examples.push(Example { receipt, question });
        }
    }

    fn changed(&self) -> usize {
        self.changes.values().map(|change| change.count).sum()
    }

    fn value(&self, old: &Policy, new: &Policy) -> Value {
        let example = |example: &Example| match &example.question {
            Some(question) => json!({"receipt": example.receipt, "question": question}),
            None => json!({"receipt": example.receipt}),
        };
        let change = |((from, to), change): (&(String, String), &Change)| {
            let examples: Value = change.examples.iter().map(example).collect();
            json!({"from": from, "to": to, "count": change.count, "examples": examples})
        };
        json!({
            "old": old.digest(),
            "new": new.digest(),
            "requests": self.requests,
            "changed": self.changed(),
            "changes": self.changes.iter().map(change).collect::<Value>(),
            "without_words": self.wordless,
        })
    }

    fn text(&self) -> String {
        let mut text = format!("{} of {} requests change\n", self.changed(), self.requests);
        for ((from, to), change) in &self.changes {
            let receipts: Vec<String> =
                change.examples.iter().map(|one| one.receipt.to_string()).collect();
            text += &format!(
                "  {:>6}  {from} → {to}; receipts {}\n",
                change.count,
                receipts.join(", ")
            );
            for example in &change.examples {
                if let Some(question) = &example.question {
                    text += &format!("          {}: {question}\n", example.receipt);
                }
            }
        }
        if self.wordless > 0 {
            text += &format!(
                "the words of {} requests are not kept: what the policies look for in words was \
                 taken as it was recorded\n",
                self.wordless
            );
        }
        text
    }
}
