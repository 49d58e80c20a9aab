//! What people say of an answer: good or bad, why, and how it should have been.
//!
//! It is a receipt of its own, which names the one it speaks of. The words are sealed under the key
//! of who asked, as the answer is, so an erasure takes both.

use std::collections::HashMap;

use allod_ledger::Receipt;
use allod_ledger::receipt::{Outcome, RequestKind};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ask::Caller;
use crate::desk::Desk;
use crate::error::Error;
use crate::record::{Keeper, append, blank, new_id, request};
use crate::reply::ReceiptRef;

/// Good or bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thumb {
    /// The answer helped.
    Up,
    /// It did not, or is wrong.
    Down,
}

/// What somebody says of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    /// Good or bad.
    pub verdict: Thumb,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How the answer should have been.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correction: Option<String>,
}

/// An answer and what was said of it last, as a line to tune with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FeedbackRecord {
    /// The receipt of the answer.
    pub receipt: u64,
    /// The receipt of the feedback.
    pub feedback_receipt: u64,
    /// When it was said (RFC 3339).
    pub time: String,
    /// Whose request it was.
    pub tenant: String,
    /// The pseudonym of who asked.
    pub subject: String,
    /// Who said it.
    pub by: Value,
    /// What was asked; absent when it is not kept.
    pub question: Option<String>,
    /// What was answered; absent when it is not kept.
    pub answer: Option<String>,
    /// Good or bad.
    pub verdict: Value,
    /// Why.
    pub reason: Option<String>,
    /// How the answer should have been.
    pub correction: Option<String>,
    /// The model that answered.
    pub model: Option<String>,
    /// The digest of the policy that was in force.
    pub policy: String,
}

/// Whether people may say something of what this receipt records.
#[must_use]
pub fn is_answer(receipt: &Receipt) -> bool {
    use RequestKind::{Ask, Chat, Generate, Work};
    matches!(receipt.request.kind, Ask | Chat | Generate | Work)
}

impl Desk {
    /// Records what somebody says of the answer at `index`. Its receipt is durable when this
    /// returns; of several the last counts.
    ///
    /// # Errors
    /// [`Error::Limit`] when the receipt records no answer, and when the store or the log fails.
    pub fn give_feedback(
        &self,
        index: u64,
        by: &str,
        feedback: &Feedback,
    ) -> Result<ReceiptRef, Error> {
        let of = self.ledger.read(index)?;
        if !is_answer(&of) {
            let what = "records no answer; feedback goes to the receipt of an answer";
            return Err(Error::Limit(format!("receipt {index} {what}")));
        }
        let (tenant, subject) = (of.request.tenant.clone(), of.request.subject.clone());
        let caller = Caller { tenant, subject, ..Caller::default() };
        let words = json!(feedback).to_string();
        let keeper = Keeper { desk: self, caller: &caller };
        let (words, rows) = keeper.words(&words, None, None)?;
        let receipt = Receipt {
            request: request(&new_id(), RequestKind::Feedback, &caller),
            facts: json!({"feedback": {
                "receipt": index,
                "verdict": feedback.verdict,
                "by": by,
                "corrected": feedback.correction.is_some(),
            }}),
            outcome: Outcome::Answered,
            ..blank(&self.policy, words)
        };
        append(self, rows, receipt)
    }

    /// What was said of the answers of a tenant, or of all; oldest first, of each answer the last
    /// that each person said.
    ///
    /// # Errors
    /// When the store or the log cannot be read.
    pub fn feedback(&self, tenant: Option<&str>) -> Result<Vec<FeedbackRecord>, Error> {
        // By the answer and who spoke of it, the place of what was said last.
        let mut last: HashMap<(u64, String), u64> = HashMap::new();
        for index in 0..self.ledger.checkpoint().size {
            let entry = self.ledger.entry(index)?;
            if !may_be_feedback(&entry) {
                continue;
            }
            let receipt = Receipt::from_entry(&entry)?;
            let is_meant = tenant.is_none_or(|tenant| receipt.request.tenant == tenant);
            if receipt.request.kind != RequestKind::Feedback || !is_meant {
                continue;
            }
            if let Some(of) = answer_of(&receipt) {
                last.insert((of, receipt.facts["feedback"]["by"].to_string()), index);
            }
        }
        let mut places: Vec<u64> = last.into_values().collect();
        places.sort_unstable();
        let records = places.into_iter().map(|index| {
            let receipt = self.ledger.read(index)?;
            self.feedback_record(index, &receipt)
        });
        records.filter_map(Result::transpose).collect()
    }

    fn feedback_record(
        &self,
        index: u64,
        receipt: &Receipt,
    ) -> Result<Option<FeedbackRecord>, Error> {
        let said = &receipt.facts["feedback"];
        let Some(number) = answer_of(receipt) else { return Ok(None) };
        let of = self.ledger.read(number)?;
        let words = |commitment: Option<&String>| -> Result<Option<String>, Error> {
            let Some(commitment) = commitment else { return Ok(None) };
            Ok(self.store.payload(commitment)?.map(|payload| payload.content))
        };
        let given = words(Some(&receipt.prompt_commitment))?;
        let given: Option<Feedback> = given.and_then(|given| serde_json::from_str(&given).ok());
        let prompt = words(Some(&of.prompt_commitment))?;
        Ok(Some(FeedbackRecord {
            receipt: number,
            feedback_receipt: index,
            time: receipt.time.to_string(),
            tenant: receipt.request.tenant.clone(),
            subject: receipt.request.subject.clone(),
            by: said["by"].clone(),
            question: prompt.and_then(|prompt| asked_in(&prompt)),
            answer: words(of.answer_commitment.as_ref())?,
            verdict: said["verdict"].clone(),
            reason: given.as_ref().and_then(|given| given.reason.clone()),
            correction: given.and_then(|given| given.correction),
            model: of.model.map(|model| model.name),
            policy: of.policy.digest,
        }))
    }
}

/// The answer that a receipt of feedback speaks of.
fn answer_of(feedback: &Receipt) -> Option<u64> {
    feedback.facts["feedback"]["receipt"].as_u64()
}

/// Whether an entry may be a receipt of feedback: canonical JSON writes its kind in one way only.
/// Nearly all others need not be taken apart to see that they are none.
fn may_be_feedback(entry: &[u8]) -> bool {
    std::str::from_utf8(entry).is_ok_and(|text| text.contains(r#""kind":"feedback""#))
}

/// The question in a recorded prompt.
fn asked_in(prompt: &str) -> Option<String> {
    let prompt: Value = serde_json::from_str(prompt).ok()?;
    let text = ["question", "prompt"].into_iter().find_map(|field| prompt[field].as_str());
    if let Some(text) = text {
        return Some(text.to_owned());
    }
    let messages = prompt["messages"].as_array()?;
    let asked = messages.iter().rev().find(|message| message["role"] == "user")?;
    asked["content"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::Ask;
    use crate::desk::DeskOptions;

    fn ask_as(desk: &Desk, tenant: &str, subject: &str) -> u64 {
        let caller = Caller { tenant: tenant.into(), subject: subject.into(), ..Caller::default() };
        let question = "Was kostet ein Parkplatz?".into();
        desk.ask(&Ask { question, caller, on: None, language: None }).unwrap().receipt.index
    }

    fn down(correction: &str) -> Feedback {
        let correction = Some(correction.to_owned());
        Feedback { verdict: Thumb::Down, reason: Some("too short".into()), correction }
    }

    #[test]
    fn feedback_is_signed_sealed_under_the_askers_key_and_exported_once() {
        let folder = tempfile::tempdir().unwrap();
        let desk = Desk::open(folder.path(), &DeskOptions::default()).unwrap();
        let (anna, bea) = (ask_as(&desk, "t", "anna"), ask_as(&desk, "u", "bea"));
        let up = Feedback { verdict: Thumb::Up, reason: None, correction: None };
        desk.give_feedback(anna, "anna", &up).unwrap();
        let given = desk.give_feedback(anna, "anna", &down("Zwei Franken.")).unwrap();
        desk.give_feedback(bea, "bea", &up).unwrap();
        let receipt = desk.ledger().read(given.index).unwrap();
        assert_eq!(receipt.request.kind, RequestKind::Feedback);
        assert_eq!(receipt.facts["feedback"]["receipt"], anna);
        let words = desk.store().payload(&receipt.prompt_commitment).unwrap().unwrap();
        assert_eq!((words.tenant.as_str(), words.subject.as_str()), ("t", "anna"));
        let records = desk.feedback(None).unwrap();
        assert_eq!(records.len(), 2, "of what one person says of one answer the last counts");
        let of_anna = desk.feedback(Some("t")).unwrap();
        assert_eq!(of_anna, records[..1]);
        assert_eq!(of_anna[0].question.as_deref(), Some("Was kostet ein Parkplatz?"));
        assert_eq!(of_anna[0].correction.as_deref(), Some("Zwei Franken."));
        assert_eq!(of_anna[0].verdict, "down");
        assert!(desk.give_feedback(given.index, "anna", &up).is_err(), "it is no answer");
        desk.give_feedback(anna, "eva", &up).unwrap();
        let places: Vec<(u64, u64)> =
            desk.feedback(None).unwrap().iter().map(|r| (r.receipt, r.feedback_receipt)).collect();
        let first = given.index;
        assert_eq!(places, [(anna, first), (bea, first + 1), (anna, first + 2)], "oldest first");
        assert!(allod_ledger::verify(&folder.path().join("ledger")).is_ok());
    }

    #[test]
    fn an_erasure_takes_the_words_of_feedback() {
        let folder = tempfile::tempdir().unwrap();
        let desk = Desk::open(folder.path(), &DeskOptions::default()).unwrap();
        let anna = ask_as(&desk, "t", "anna");
        desk.give_feedback(anna, "eva", &down("Blumenkohl")).unwrap();
        assert_eq!(desk.feedback(None).unwrap()[0].correction.as_deref(), Some("Blumenkohl"));
        desk.erase("t", "anna").unwrap().unwrap();
        let left = &desk.feedback(None).unwrap()[0];
        assert_eq!((&left.question, &left.correction, &left.reason), (&None, &None, &None));
    }
}
