//! What persons decide on the review queue, and its receipts.
//!
//! A decision holds as soon as the store has it, and is then signed into the log. A process that
//! dies in between leaves it without a receipt; the next one that holds the log writes it, and so
//! it does for decisions that were made while another process held the log.

use std::sync::PoisonError;

use allod_ledger::receipt::{Outcome, Receipt, RequestKind};
use allod_store::{Resolution, ReviewRow, Verdict};
use serde_json::{Value, json};

use crate::ask::Caller;
use crate::desk::Desk;
use crate::error::Error;
use crate::record::{Keeper, append, blank, new_id, request};

impl Desk {
    /// Decides an open entry of the queue as a person says, or takes it as what the first of two
    /// says. The receipt of a decision is durable when this returns.
    ///
    /// # Errors
    /// When there is no such entry, somebody has decided, or the store or the log cannot be
    /// written.
    pub fn decide(&self, id: &str, said: Resolution) -> Result<ReviewRow, Error> {
        let said = Resolution { log_size: self.ledger.checkpoint().size, ..said };
        let row = self.store.resolve_review(id, &said, self.policy.logging.reviewers)?;
        self.sign_decisions()?;
        Ok(self.store.review(id)?.unwrap_or(row))
    }

    /// Writes the receipts of decisions that have none.
    ///
    /// # Errors
    /// When the store or the log cannot be written.
    pub fn sign_decisions(&self) -> Result<(), Error> {
        let _alone = self.signing.lock().unwrap_or_else(PoisonError::into_inner);
        for review in self.store.unsigned_decisions()? {
            let Some(decided) = &review.resolution else { continue };
            let index = match self.signed(&review.id, decided.log_size)? {
                Some(index) => index,
                None => self.sign(&review, decided)?,
            };
            self.store.link_decision(&review.id, index)?;
        }
        Ok(())
    }

    /// The receipt of a decision, if one was written before a process died.
    fn signed(&self, id: &str, from: u64) -> Result<Option<u64>, Error> {
        for index in from..self.ledger.checkpoint().size {
            let receipt = self.ledger.read(index)?;
            let is_of_review = receipt.request.kind == RequestKind::Review;
            if is_of_review && receipt.review.as_deref() == Some(id) {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    fn sign(&self, review: &ReviewRow, decided: &Resolution) -> Result<u64, Error> {
        let (tenant, subject) = (review.tenant.clone(), review.subject.clone());
        let caller = Caller { tenant, subject, ..Caller::default() };
        let given = given(review, decided);
        let note = json!({ "note": decided.note }).to_string();
        let keeper = Keeper { desk: self, caller: &caller };
        let (words, rows) = keeper.words(&note, given.as_deref(), None)?;
        let receipt = Receipt {
            request: request(&new_id(), RequestKind::Review, &caller),
            review: Some(review.id.clone()),
            facts: facts(review, decided),
            outcome: if given.is_some() { Outcome::Answered } else { Outcome::Refused },
            ..blank(&self.policy, words)
        };
        Ok(append(self, rows, receipt)?.index)
    }
}

/// The answer that goes out.
fn given(review: &ReviewRow, decided: &Resolution) -> Option<String> {
    match decided.verdict {
        Verdict::Amend => decided.answer.clone(),
        Verdict::Reject => None,
        Verdict::Approve => {
            let draft: Value = serde_json::from_str(review.draft_json.as_deref()?).ok()?;
            draft["answer"].as_str().map(str::to_owned)
        }
    }
}

fn facts(review: &ReviewRow, decided: &Resolution) -> Value {
    json!({"decision": {
        "verdict": decided.verdict,
        "by": decided.by,
        "seconded_by": decided.seconded_by,
        "at": decided.at,
        "receipt": review.receipt_index,
    }})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::DeskOptions;
    use allod_store::{NewReview, ReviewKind, ReviewState};
    use std::path::Path;

    fn desk(folder: &Path, policy: &str) -> Desk {
        std::fs::write(folder.join("allod.yaml"), policy).unwrap();
        Desk::open(folder, &DeskOptions::default()).unwrap()
    }

    fn said(verdict: Verdict, by: &str) -> Resolution {
        Resolution {
            verdict,
            by: by.into(),
            note: format!("{by} has looked"),
            answer: None,
            at: "2026-11-22T09:00:00Z".into(),
            seconded_by: None,
            receipt_index: None,
            log_size: 0,
        }
    }

    fn queued(desk: &Desk) -> String {
        let review = NewReview {
            kind: ReviewKind::HumanReview,
            tenant: "t".into(),
            subject: "anna".into(),
            reasons: vec!["it acts against a person".into()],
            receipt_index: None,
            request_json: json!({"question": "Why?"}).to_string(),
            draft_json: Some(json!({"answer": "Because.", "citations": []}).to_string()),
        };
        desk.store().enqueue_review(&review).unwrap().id
    }

    #[test]
    fn a_decision_is_in_the_log_with_its_words_under_the_askers_key() {
        let folder = tempfile::tempdir().unwrap();
        let desk = desk(folder.path(), "name: t");
        let id = queued(&desk);
        let row = desk.decide(&id, said(Verdict::Approve, "eva")).unwrap();
        let index = row.resolution.unwrap().receipt_index.unwrap();
        let receipt = desk.ledger().read(index).unwrap();
        assert_eq!(receipt.request.kind, RequestKind::Review);
        assert_eq!((receipt.review, receipt.outcome), (Some(id.clone()), Outcome::Answered));
        assert_eq!(receipt.facts["decision"]["by"], "eva");
        let answer = desk.store().payload(&receipt.answer_commitment.unwrap()).unwrap().unwrap();
        assert_eq!((answer.content.as_str(), answer.subject.as_str()), ("Because.", "anna"));
        assert!(desk.decide(&id, said(Verdict::Reject, "urs")).is_err(), "it was decided");
        desk.sign_decisions().unwrap();
        assert_eq!(desk.ledger().checkpoint().size, index + 1, "one receipt for one decision");
    }

    #[test]
    fn two_persons_have_to_say_the_same_where_the_policy_wants_it() {
        let folder = tempfile::tempdir().unwrap();
        let desk = desk(folder.path(), "logging: {reviewers: 2}");
        let id = queued(&desk);
        let states = [
            (Verdict::Approve, "eva"),
            (Verdict::Approve, "eva"),
            (Verdict::Reject, "urs"),
            (Verdict::Approve, "eva"),
        ]
        .map(|(verdict, by)| desk.decide(&id, said(verdict, by)).unwrap().state);
        assert_eq!(states, [ReviewState::Open; 4]);
        assert_eq!(desk.ledger().checkpoint().size, 0, "nothing is decided");
        let row = desk.decide(&id, said(Verdict::Approve, "lea")).unwrap();
        let decided = row.resolution.unwrap();
        assert_eq!(row.state, ReviewState::Resolved);
        assert_eq!((decided.by.as_str(), decided.seconded_by.as_deref()), ("eva", Some("lea")));
        assert_eq!(decided.note, "eva has looked\nlea has looked");
        let receipt = desk.ledger().read(decided.receipt_index.unwrap()).unwrap();
        assert_eq!(receipt.facts["decision"]["seconded_by"], "lea");
    }

    /// A process that died after the store had it, and one that died before it was noted.
    #[test]
    fn what_a_process_left_unsigned_is_signed_once_by_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let ids = {
            let desk = desk(folder.path(), "name: t");
            let ids = [queued(&desk), queued(&desk)];
            for id in &ids {
                desk.store().resolve_review(id, &said(Verdict::Reject, "eva"), 1).unwrap();
            }
            let row = desk.store().review(&ids[1]).unwrap().unwrap();
            desk.sign(&row, row.resolution.as_ref().unwrap()).unwrap();
            ids
        };
        let desk = desk(folder.path(), "name: t");
        assert_eq!(desk.ledger().checkpoint().size, 2);
        for id in ids {
            let row = desk.store().review(&id).unwrap().unwrap();
            let index = row.resolution.unwrap().receipt_index.unwrap();
            let receipt = desk.ledger().read(index).unwrap();
            assert_eq!((receipt.review, receipt.outcome), (Some(id), Outcome::Refused));
        }
    }
}
