//! Erasures that outlive a backup: written out with proofs, and made again in a data folder that
//! was put back.
//!
//! A backup holds the keys of people who were erased after it was made. Who puts it back must erase
//! them again; the receipts of the erasures say whom, and since when.

use allod_ledger::receipt::{Receipt, RequestKind};
use allod_ledger::{Ledger, check_proof};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::desk::Desk;
use crate::error::Error;
use crate::forget::Erased;

/// The form of the file.
const VERSION: &str = "allod-erasures-1";

/// That a subject was erased, as the log says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// The tenant.
    pub tenant: String,
    /// The subject's pseudonym.
    pub subject: String,
    /// When it was asked for: what was sealed under a key that is younger was said afterwards.
    pub asked_at: Timestamp,
}

/// What came of erasures that were made again.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ErasedAgain {
    /// Erasures that were looked at.
    pub known: usize,
    /// Those of whom there was something again.
    pub erased: Vec<Erased>,
}

/// The first line of the file.
#[derive(Serialize, Deserialize)]
struct Head {
    version: String,
    /// The log's key, for whoever checks the file elsewhere.
    vkey: String,
}

/// Every other line: an entry of the log with its proof.
#[derive(Serialize, Deserialize)]
struct Line {
    entry: String,
    proof: String,
}

impl Erasure {
    /// What a receipt says, if it is one of an erasure.
    fn of(receipt: &Receipt) -> Option<Erasure> {
        let asked_at = receipt.facts["erased"]["asked_at"].as_str();
        (receipt.request.kind == RequestKind::Erase).then(|| Erasure {
            tenant: receipt.request.tenant.clone(),
            subject: receipt.request.subject.clone(),
            asked_at: asked_at.and_then(|time| time.parse().ok()).unwrap_or(receipt.time),
        })
    }

    /// Writes out all erasures of a log: a line for each, with the entry and its proof. They name
    /// people by their pseudonyms, and hold no words.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn write_all(ledger: &Ledger) -> Result<String, Error> {
        let mut text = json(&Head { version: VERSION.into(), vkey: ledger.vkey() });
        for index in 0..ledger.checkpoint().size {
            let entry = ledger.entry(index)?;
            if Erasure::of(&Receipt::from_entry(&entry)?).is_some() {
                let entry = String::from_utf8_lossy(&entry).into_owned();
                text += &json(&Line { entry, proof: ledger.prove(index)? });
            }
        }
        Ok(text)
    }

    /// Reads such a text, and checks every entry by the log's key.
    ///
    /// # Errors
    /// [`Error::Erasures`] with the line, if something in it is not an erasure of this log.
    pub fn read_all(text: &str, vkey: &str) -> Result<Vec<Erasure>, Error> {
        let mut lines = text.lines();
        let head: Option<Head> = lines.next().and_then(|line| serde_json::from_str(line).ok());
        let head = head.ok_or_else(|| bad("does not begin as `ledger erasures` begins it"))?;
        if head.version != VERSION {
            return Err(bad(&format!("is of the form {}, this reads {VERSION}", head.version)));
        }
        if head.vkey.trim_end() != vkey.trim_end() {
            return Err(bad(&format!("is of another log: its key is {}", head.vkey.trim_end())));
        }
        (2..).zip(lines).map(|(number, line)| proven(number, line, vkey)).collect()
    }
}

fn proven(number: usize, line: &str, vkey: &str) -> Result<Erasure, Error> {
    let wrong = |reason: String| bad(&format!("is damaged in line {number}: {reason}"));
    let line: Line = serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
    check_proof(&line.proof, vkey, line.entry.as_bytes())
        .map_err(|error| wrong(format!("it proves nothing: {error}")))?;
    let receipt = Receipt::from_entry(line.entry.as_bytes());
    let receipt = receipt.map_err(|error| wrong(format!("it holds no receipt: {error}")))?;
    Erasure::of(&receipt).ok_or_else(|| wrong("it is no erasure".into()))
}

impl Desk {
    /// Erases again whoever was erased and is back. A subject whose key is younger than its erasure
    /// came afterwards, and stays.
    ///
    /// # Errors
    /// When the store or the log cannot be written; what is not done yet can be done by another
    /// call.
    pub fn erase_again(&self, erasures: &[Erasure]) -> Result<ErasedAgain, Error> {
        let mut again = ErasedAgain { known: erasures.len(), erased: Vec::new() };
        if erasures.is_empty() {
            return Ok(again);
        }
        for one in erasures {
            self.store.forget_pages(&one.tenant, Some(&one.asked_at.to_string()))?;
        }
        for kept in self.store.subjects(None)? {
            // A time that cannot be read is as old as can be.
            let made_at = kept.created_at.parse().unwrap_or(Timestamp::MIN);
            let was_erased = |one: &Erasure| {
                (&one.tenant, &one.subject) == (&kept.tenant, &kept.subject)
                    && made_at <= one.asked_at
            };
            if erasures.iter().any(was_erased) {
                again.erased.extend(self.erase(&kept.tenant, &kept.subject)?);
            }
        }
        Ok(again)
    }

    /// Makes again what the log says that the store has not seen: it was put back beside a log that
    /// is newer.
    pub(crate) fn erase_what_the_log_says(&self) -> Result<Vec<Erased>, Error> {
        let seen = self.store.ledger_head()?.map_or(0, |head| head.size);
        let mut erasures = Vec::new();
        for index in seen..self.ledger.checkpoint().size {
            erasures.extend(Erasure::of(&self.ledger.read(index)?));
        }
        Ok(self.erase_again(&erasures)?.erased)
    }

    /// Who was erased again when this folder was opened, as an older store stood beside the log.
    #[must_use]
    pub fn mended(&self) -> &[Erased] {
        &self.mended
    }
}

fn json(line: &impl Serialize) -> String {
    serde_json::to_string(line).expect("a line has only string keys") + "\n"
}

fn bad(reason: &str) -> Error {
    Error::Erasures { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::{Ask, Caller};
    use crate::desk::DeskOptions;
    use std::path::Path;

    fn desk(folder: &Path) -> Desk {
        Desk::open(folder, &DeskOptions::default()).unwrap()
    }

    fn ask_as(desk: &Desk, subject: &str) {
        let caller = Caller { tenant: "t".into(), subject: subject.into(), ..Caller::default() };
        let question = "Was kostet das?".into();
        desk.ask(&Ask { question, caller, on: None, language: None }).unwrap();
    }

    fn subjects(desk: &Desk) -> Vec<String> {
        let kept = desk.store().subjects(Some("t")).unwrap();
        kept.into_iter().map(|subject| subject.subject).collect()
    }

    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            let to = to.join(entry.file_name());
            match entry.file_type().unwrap().is_dir() {
                true => copy(&entry.path(), &to),
                false => drop(std::fs::copy(entry.path(), to).unwrap()),
            }
        }
    }

    /// A folder as it was before anna and bea were erased, and the erasures as they were written
    /// out.
    fn put_back(home: &Path, backup: &Path) -> String {
        let first = desk(home);
        for subject in ["anna", "bea", "carl"] {
            ask_as(&first, subject);
        }
        first.rest().unwrap();
        drop(first);
        copy(home, backup);
        let first = desk(home);
        first.erase("t", "anna").unwrap().unwrap();
        first.erase("t", "bea").unwrap().unwrap();
        let text = Erasure::write_all(first.ledger()).unwrap();
        first.rest().unwrap();
        text
    }

    #[test]
    fn who_was_erased_is_erased_again_after_a_backup_was_put_back() {
        let (home, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let text = put_back(home.path(), backup.path());
        assert_eq!(text.lines().count(), 3);
        let back = desk(backup.path());
        assert_eq!(subjects(&back), ["anna", "bea", "carl"], "the backup brings them back");
        let erasures = Erasure::read_all(&text, &back.ledger().vkey()).unwrap();
        let again = back.erase_again(&erasures).unwrap();
        assert_eq!((again.known, again.erased.len()), (2, 2));
        assert_eq!(subjects(&back), ["carl"]);
        // Who comes afterwards is not who was erased.
        ask_as(&back, "anna");
        assert!(back.erase_again(&erasures).unwrap().erased.is_empty());
        assert_eq!(subjects(&back), ["carl", "anna"]);
        drop(back);
        assert!(allod_ledger::verify(&backup.path().join("ledger")).is_ok());
    }

    #[test]
    fn an_older_store_beside_the_newer_log_is_mended_at_start() {
        let (home, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        put_back(home.path(), backup.path());
        for suffix in ["", "-wal", "-shm"] {
            let name = format!("allod.db{suffix}");
            let _ = std::fs::remove_file(home.path().join(&name));
            let _ = std::fs::copy(backup.path().join(&name), home.path().join(&name));
        }
        let mended = desk(home.path());
        assert_eq!(subjects(&mended), ["carl"]);
        let log = mended.ledger();
        assert_eq!(mended.mended().len(), 2);
        let kinds = (0..log.checkpoint().size).map(|i| log.read(i).unwrap().request.kind);
        assert_eq!(kinds.filter(|kind| *kind == RequestKind::Erase).count(), 4);
    }

    #[test]
    fn a_file_that_was_changed_or_is_of_another_log_erases_nobody() {
        let (home, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let text = put_back(home.path(), backup.path());
        let back = desk(backup.path());
        let vkey = back.ledger().vkey();
        let told = |text: &str, vkey: &str| match Erasure::read_all(text, vkey) {
            Err(error) => error.to_string(),
            Ok(read) => panic!("{read:?}"),
        };
        assert!(told(&text.replacen("anna", "carl", 1), &vkey).contains("line 2: it proves"));
        assert!(told(&text.replace("allod-erasures-1", "x"), &vkey).contains("form x"));
        assert!(told("", &vkey).contains("does not begin"));
        assert!(told(&(text.clone() + "{}\n"), &vkey).contains("line 4"));
        // An entry of the log that is no erasure.
        let entry = String::from_utf8(back.ledger().entry(0).unwrap()).unwrap();
        let line = json(&Line { entry, proof: back.ledger().prove(0).unwrap() });
        assert!(told(&(text.clone() + &line), &vkey).contains("it is no erasure"));
        let other = tempfile::tempdir().unwrap();
        let other = desk(other.path()).ledger().vkey();
        assert!(told(&text, &other).contains("another log"));
    }
}
