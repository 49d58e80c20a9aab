//! The review queue: requests that a person must look at.

use serde::{Deserialize, Serialize};

/// Why an entry is in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewKind {
    /// The policy hands the question over to a person or a stronger model.
    Escalated,
    /// There is a draft, which a person must approve first.
    HumanReview,
}

/// Whether an entry still waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewState {
    /// Nobody has decided yet.
    Open,
    /// Somebody has decided.
    Resolved,
}

/// What the reviewer decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The draft goes out as it is.
    Approve,
    /// Another answer goes out.
    Amend,
    /// Nothing goes out.
    Reject,
}

/// The end of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// What was decided.
    pub verdict: Verdict,
    /// By whom.
    pub by: String,
    /// Why.
    pub note: String,
    /// The answer given, if it is not the draft.
    pub answer: Option<String>,
    /// When (RFC 3339).
    pub at: String,
    /// Who else decided the same, where two have to.
    #[serde(default)]
    pub seconded_by: Option<String>,
    /// Leaf index of the receipt of the decision, once there is one.
    #[serde(default)]
    pub receipt_index: Option<u64>,
    /// Entries of the log when it was decided: its receipt is none of them.
    #[serde(default)]
    pub log_size: u64,
}

impl Resolution {
    /// Whether both give the same out.
    fn agrees_with(&self, other: &Resolution) -> bool {
        self.verdict == other.verdict && self.answer == other.answer
    }

    /// What becomes of an open entry, on which `earlier` was perhaps said before, when this is
    /// said and so many persons have to say the same. What one of two says stands there until
    /// another says the same, or something else.
    pub(crate) fn after(
        self,
        earlier: Option<Resolution>,
        persons: u32,
    ) -> (ReviewState, Resolution) {
        let Some(earlier) = earlier.filter(|_| persons > 1) else {
            let state = if persons > 1 { ReviewState::Open } else { ReviewState::Resolved };
            return (state, self);
        };
        if earlier.by == self.by || !earlier.agrees_with(&self) {
            return (ReviewState::Open, self);
        }
        let notes = [earlier.note, self.note].into_iter().filter(|note| !note.is_empty());
        let note = notes.collect::<Vec<_>>().join("\n");
        let (by, seconded_by) = (earlier.by, Some(self.by));
        (ReviewState::Resolved, Resolution { by, seconded_by, note, ..self })
    }
}

/// What is put into the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewReview {
    /// Why it is in the queue.
    pub kind: ReviewKind,
    /// Whose request it is.
    pub tenant: String,
    /// The data subject: the pseudonym of who asked.
    pub subject: String,
    /// Reasons in plain words.
    pub reasons: Vec<String>,
    /// Leaf index of the receipt, if it is already written.
    pub receipt_index: Option<u64>,
    /// The request, as JSON.
    pub request_json: String,
    /// The draft, as JSON, if there is one.
    pub draft_json: Option<String>,
}

/// An entry of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewRow {
    /// Its id.
    pub id: String,
    /// When it was queued (RFC 3339).
    pub created_at: String,
    /// Why it is in the queue.
    pub kind: ReviewKind,
    /// Whose request it is.
    pub tenant: String,
    /// The data subject: the pseudonym of who asked.
    pub subject: String,
    /// Reasons in plain words.
    pub reasons: Vec<String>,
    /// Leaf index of the receipt.
    pub receipt_index: Option<u64>,
    /// The request, as JSON.
    pub request_json: String,
    /// The draft, as JSON.
    pub draft_json: Option<String>,
    /// Whether it still waits.
    pub state: ReviewState,
    /// How it ended; while it is open, what one of two persons has said.
    pub resolution: Option<Resolution>,
}
