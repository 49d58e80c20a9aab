//! What one caller may see of the records.
//!
//! A record that names a document which the caller may not read is as absent to the caller as the
//! document itself: its path, its title and its words would tell of it.

use std::collections::HashMap;

use allod_answer::{Citation, Desk};
use allod_ledger::Receipt;
use allod_store::ReviewRow;
use serde::Deserialize;

use crate::identity::Identity;
use crate::problem::Problem;

/// The sight of one caller, for the time of one request.
pub(crate) struct Sight<'a> {
    desk: &'a Desk,
    identity: &'a Identity,
    /// By path and digest: whether the caller may read that version.
    readable: HashMap<(String, String), bool>,
}

/// As much of a draft as says what it rests on.
#[derive(Deserialize)]
struct Draft {
    #[serde(default)]
    citations: Vec<Citation>,
}

impl<'a> Sight<'a> {
    pub(crate) fn new(desk: &'a Desk, identity: &'a Identity) -> Sight<'a> {
        Sight { desk, identity, readable: HashMap::new() }
    }

    /// Whether the caller may see this receipt.
    pub(crate) fn receipt(&mut self, receipt: &Receipt) -> Result<bool, Problem> {
        if !self.identity.sees_tenant(&receipt.request.tenant) {
            return Ok(false);
        }
        for place in receipt.evidence.iter().chain(&receipt.citations) {
            if !self.version(&place.path, &place.digest)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The receipt at `index`, if there is one that the caller may see.
    pub(crate) fn receipt_at(&mut self, index: u64) -> Result<Receipt, Problem> {
        let receipt = self.desk.ledger().read(index)?;
        match self.receipt(&receipt)? {
            true => Ok(receipt),
            false => Err(Problem::absent("receipt")),
        }
    }

    /// Whether the caller may see this entry of the review queue.
    pub(crate) fn review(&mut self, review: &ReviewRow) -> Result<bool, Problem> {
        let subject = subject_of(review);
        let own = subject.as_deref().is_some_and(|subject| self.identity.sees_words_of(subject));
        if !own || !self.identity.sees_tenant(&review.tenant) {
            return Ok(false);
        }
        if let Some(index) = review.receipt_index {
            return self.receipt(&self.desk.ledger().read(index)?);
        }
        for citation in citations_of(review) {
            if !self.version(&citation.path, &citation.digest)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the caller may read the version of that digest at that path. One that is not
    /// stored cannot be shown to be readable.
    fn version(&mut self, path: &str, digest: &str) -> Result<bool, Problem> {
        let key = (path.to_owned(), digest.to_owned());
        if let Some(readable) = self.readable.get(&key) {
            return Ok(*readable);
        }
        let version = self.desk.store().version(digest, Some(path))?;
        let clearance = &self.identity.caller.clearance;
        let readable = version.is_some_and(|version| clearance.permits(version.label.as_deref()));
        self.readable.insert(key, readable);
        Ok(readable)
    }
}

/// Who asked what is in the queue.
fn subject_of(review: &ReviewRow) -> Option<String> {
    let request: serde_json::Value = serde_json::from_str(&review.request_json).ok()?;
    request["subject"].as_str().map(str::to_owned)
}

fn citations_of(review: &ReviewRow) -> Vec<Citation> {
    let draft = review.draft_json.as_deref().and_then(|draft| serde_json::from_str(draft).ok());
    draft.map_or_else(Vec::new, |draft: Draft| draft.citations)
}
