//! Forgetting: the words of a data subject destroyed, words deleted that were kept long enough, and
//! all that is kept of someone given to them.
//!
//! An erasure is begun in the store before anything happens, and ended there after all has
//! happened. A process that dies in between leaves it begun, and the next start of the desk goes
//! on: each step looks first whether it was done.

use allod_ledger::receipt::{Receipt, RequestKind};
use allod_ledger::{Hash, commit, new_salt};
use allod_policy::Retention;
use allod_store::{ErasureRow, Expired, Expiry, PayloadRow, ReviewRow};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use crate::ask::Caller;
use crate::desk::Desk;
use crate::error::Error;
use crate::record::{Words, append, blank, new_id, request};
use crate::reply::ReceiptRef;

/// What an erasure did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Erased {
    /// The tenant.
    pub tenant: String,
    /// The subject's pseudonym.
    pub subject: String,
    /// Prompts and answers that are gone.
    pub payloads: u64,
    /// Entries of the review queue that are gone.
    pub reviews: u64,
    /// The receipt that records it.
    pub receipt: ReceiptRef,
}

/// All that is kept of a data subject (GDPR, Article 15).
#[derive(Clone, Debug, Serialize)]
pub struct SubjectExport {
    /// The tenant.
    pub tenant: String,
    /// The pseudonym that records name the subject by.
    pub subject: String,
    /// Prompts and answers, oldest first.
    pub payloads: Vec<PayloadRow>,
    /// Entries of the review queue, with what was decided and why.
    pub reviews: Vec<ReviewRow>,
    /// Receipts, each with its index in the log.
    pub receipts: Vec<(u64, Receipt)>,
}

impl Desk {
    /// The pseudonyms that a name may stand for: itself, and what the tenant's programs' users of
    /// that name are called here.
    ///
    /// # Errors
    /// When the store fails.
    pub fn subjects_named(&self, tenant: &str, name: &str) -> Result<[String; 2], Error> {
        Ok([name.to_owned(), self.store.pseudonym(tenant, name)?])
    }

    /// Destroys the key of a subject and all its words, and appends a receipt of it. `None` if
    /// nothing of it is kept. The prefixes on disk are destroyed for the whole tenant: whose
    /// prompts they were computed for is not known.
    ///
    /// # Errors
    /// When the store or the log cannot be written. The erasure is begun then, and the next start
    /// or call goes on.
    pub fn erase(&self, tenant: &str, subject: &str) -> Result<Option<Erased>, Error> {
        self.store.forget_pages(tenant, None)?;
        let size = self.ledger.checkpoint().size;
        let begun = self.store.begin_erasure(tenant, subject, size)?;
        begun.map(|erasure| self.carry_out(&erasure)).transpose()
    }

    /// Goes on with erasures that a process began and did not finish.
    pub(crate) fn finish_erasures(&self) -> Result<(), Error> {
        for erasure in self.store.erasures()? {
            self.carry_out(&erasure)?;
        }
        Ok(())
    }

    fn carry_out(&self, erasure: &ErasureRow) -> Result<Erased, Error> {
        let receipt = match self.recorded(erasure)? {
            Some(receipt) => receipt,
            None => self.record_erasure(erasure)?,
        };
        self.store.carry_out_erasure(&erasure.id)?;
        Ok(Erased {
            tenant: erasure.tenant.clone(),
            subject: erasure.subject.clone(),
            payloads: erasure.payloads,
            reviews: erasure.reviews,
            receipt,
        })
    }

    /// The receipt of an erasure, if one was written before the process died.
    fn recorded(&self, erasure: &ErasureRow) -> Result<Option<ReceiptRef>, Error> {
        for index in erasure.log_size..self.ledger.checkpoint().size {
            let receipt = self.ledger.read(index)?;
            if receipt.request.kind == RequestKind::Erase && receipt.request.id == erasure.id {
                let leaf = Hash::leaf(&self.ledger.entry(index)?).to_string();
                return Ok(Some(ReceiptRef { index, leaf }));
            }
        }
        Ok(None)
    }

    fn record_erasure(&self, erasure: &ErasureRow) -> Result<ReceiptRef, Error> {
        let (tenant, subject) = (erasure.tenant.clone(), erasure.subject.clone());
        let caller = Caller { tenant, subject, ..Caller::default() };
        let facts = json!({"erased": {
            "payloads": erasure.payloads,
            "reviews": erasure.reviews,
            "asked_at": erasure.asked_at,
        }});
        self.note(&erasure.id, RequestKind::Erase, &caller, facts)
    }

    /// Deletes what has been kept longer than the policy's `retention` says, and appends a receipt
    /// if there was anything.
    ///
    /// # Errors
    /// When the store or the log cannot be written.
    pub fn expire(&self) -> Result<Expired, Error> {
        let expired = self.store.expire(&expiry(&self.policy.retention, Timestamp::now()))?;
        if expired != Expired::default() {
            let caller = Caller::operator(allod_retrieval::Clearance::default());
            let facts = json!({ "expired": expired });
            self.note(&new_id(), RequestKind::Expire, &caller, facts)?;
        }
        Ok(expired)
    }

    /// All that is kept of a subject.
    ///
    /// # Errors
    /// When the store or the log cannot be read.
    pub fn export_subject(&self, tenant: &str, subject: &str) -> Result<SubjectExport, Error> {
        let mut receipts = Vec::new();
        for index in 0..self.ledger.checkpoint().size {
            let receipt = self.ledger.read(index)?;
            if receipt.request.tenant == tenant && receipt.request.subject == subject {
                receipts.push((index, receipt));
            }
        }
        let mut reviews = self.store.reviews(None)?;
        reviews.retain(|review| review.tenant == tenant && review.subject == subject);
        Ok(SubjectExport {
            tenant: tenant.into(),
            subject: subject.into(),
            payloads: self.store.payloads_of(tenant, subject)?,
            reviews,
            receipts,
        })
    }

    /// Appends a receipt of something that is no request. It commits to nothing: its salt is gone.
    fn note(
        &self,
        id: &str,
        kind: RequestKind,
        caller: &Caller,
        facts: Value,
    ) -> Result<ReceiptRef, Error> {
        let prompt = commit(&new_salt()?, "");
        let words = Words { prompt, answer: None, output: None };
        let mut receipt = blank(&self.policy, words);
        receipt.request = request(id, kind, caller);
        receipt.facts = facts;
        receipt.outcome = allod_ledger::receipt::Outcome::Answered;
        append(self, Vec::new(), receipt)
    }
}

fn expiry(retention: &Retention, now: Timestamp) -> Expiry {
    let before = |days: u32| {
        let kept = SignedDuration::from_hours(24 * i64::from(days));
        now.checked_sub(kept).unwrap_or(Timestamp::MIN).to_string()
    };
    Expiry {
        payloads_before: retention.payloads_days.map(before),
        reviews_before: retention.reviews_days.map(before),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::Ask;
    use crate::desk::DeskOptions;
    use std::path::Path;

    const SECRET: &str = "Blumenkohl-Geheimnis-4711";

    fn desk(folder: &Path) -> Desk {
        Desk::open(folder, &DeskOptions::default()).unwrap()
    }

    fn ask_as(desk: &Desk, subject: &str) -> ReceiptRef {
        let caller = Caller { tenant: "t".into(), subject: subject.into(), ..Caller::default() };
        let question = format!("Was ist mit {SECRET}?");
        desk.ask(&Ask { question, caller, on: None, language: None }).unwrap().receipt
    }

    fn holds(folder: &Path) -> bool {
        std::fs::read_dir(folder).unwrap().any(|entry| {
            let path = entry.unwrap().path();
            let secret = SECRET.as_bytes();
            match path.is_dir() {
                true => holds(&path),
                false => {
                    let bytes = std::fs::read(&path).unwrap();
                    bytes.windows(secret.len()).any(|window| window == secret)
                }
            }
        })
    }

    #[test]
    fn an_erased_subject_is_gone_from_every_file_and_the_log_still_verifies() {
        let folder = tempfile::tempdir().unwrap();
        let desk_open = desk(folder.path());
        let (anna, bea) = (ask_as(&desk_open, "anna"), ask_as(&desk_open, "bea"));
        let export = desk_open.export_subject("t", "anna").unwrap();
        assert!(export.payloads[0].content.contains(SECRET) && export.receipts[0].0 == anna.index);
        let erased = desk_open.erase("t", "anna").unwrap().unwrap();
        assert!(erased.payloads >= 1 && !holds(folder.path()));
        assert!(desk_open.erase("t", "anna").unwrap().is_none());
        let read = |index| desk_open.ledger().read(index).unwrap();
        let noted = read(erased.receipt.index);
        assert_eq!(noted.request.kind, RequestKind::Erase);
        assert_eq!(noted.request.subject, "anna");
        let payload = |index| desk_open.store().payload(&read(index).prompt_commitment).unwrap();
        assert!(payload(anna.index).is_none());
        assert!(payload(bea.index).unwrap().content.contains(SECRET), "others are kept");
        assert!(desk_open.export_subject("t", "anna").unwrap().payloads.is_empty());
        desk_open.rest().unwrap();
        drop(desk_open);
        assert!(allod_ledger::verify(&folder.path().join("ledger")).is_ok());
    }

    /// Each step is where a process may have died.
    #[test]
    fn an_erasure_that_was_interrupted_is_finished_at_the_next_start() {
        for died_after in 0..3 {
            let folder = tempfile::tempdir().unwrap();
            let first = desk(folder.path());
            ask_as(&first, "anna");
            let size = first.ledger().checkpoint().size;
            let begun = first.store().begin_erasure("t", "anna", size).unwrap().unwrap();
            if died_after >= 1 {
                first.record_erasure(&begun).unwrap();
            }
            if died_after >= 2 {
                first.store().carry_out_erasure(&begun.id).unwrap();
            }
            drop(first);
            let second = desk(folder.path());
            assert!(second.store().erasures().unwrap().is_empty(), "{died_after}");
            assert!(second.store().subjects(Some("t")).unwrap().is_empty());
            let log = second.ledger();
            let kinds = (0..log.checkpoint().size).map(|i| log.read(i).unwrap().request.kind);
            assert_eq!(kinds.filter(|kind| *kind == RequestKind::Erase).count(), 1);
        }
    }

    #[test]
    fn retention_is_counted_in_days() {
        let retention = Retention { payloads_days: Some(30), reviews_days: None };
        let now: Timestamp = "2026-03-31T12:00:00Z".parse().unwrap();
        let expiry = expiry(&retention, now);
        assert_eq!(expiry.payloads_before.as_deref(), Some("2026-03-01T12:00:00Z"));
        assert_eq!(expiry.reviews_before, None);
    }
}
