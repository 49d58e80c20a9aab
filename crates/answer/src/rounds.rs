//! What requests leave that end at the same time is written together: their words in one
//! transaction of the store and their receipts in one round of the log, both at once. The log's
//! head, which makes the receipts count, moves when both are durable.

use std::sync::atomic::Ordering;

use allod_ledger::{Leaf, Ledger, Prepared, Queue};
use allod_store::PayloadRow;

use crate::desk::Desk;
use crate::error::Error;

/// The store remembers the log's head after so many receipts, with the words of the next ones, and
/// when a process ends in good order: a log that is cut by more than that, and by those who were
/// written together then, is noticed without any outside witness.
const RECEIPTS_PER_REMEMBERED_HEAD: u64 = 8;

/// What a request leaves.
pub(crate) struct Left {
    /// Its words, as far as they are kept.
    pub(crate) rows: Vec<PayloadRow>,
    pub(crate) receipt: Prepared,
}

/// What became of it.
type Placed = Result<Leaf, Error>;

/// Where requests wait for each other.
pub(crate) type Rounds = Queue<Left, Placed>;

/// Writes what a request leaves with what others do; durable when it returns.
pub(crate) fn write(desk: &Desk, left: Left) -> Placed {
    let write = |all| write_all(&desk.ledger, &|rows| put_words(desk, rows), all);
    let placed = desk.rounds.submit(left, &write);
    placed.unwrap_or_else(|| {
        Err(Error::Folder {
            path: "ledger".into(),
            reason: "the thread that was writing the receipt panicked; ask again".into(),
        })
    })
}

/// Stores words.
type PutWords<'a> = &'a dyn Fn(&[PayloadRow]) -> Result<(), Error>;

/// Writes what several requests leave.
fn write_all(ledger: &Ledger, put_words: PutWords<'_>, all: Vec<Left>) -> Vec<Placed> {
    let (mut rows, mut receipts, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for left in all {
        rows.extend(left.rows);
        receipts.push(left.receipt);
        ends.push(rows.len());
    }
    let mut failed = None;
    let mut put_all = || {
        failed = put_words(&rows).err();
        failed.is_none()
    };
    if let Some(leaves) = ledger.append_beside(&receipts, &mut put_all) {
        return leaves.into_iter().map(|leaf| Ok(leaf?)).collect();
    }
    if ends.len() == 1 {
        return failed.into_iter().map(Err).collect();
    }
    // Nobody gets another one's error.
    let begins = std::iter::once(0).chain(ends.iter().copied());
    let parts = begins.zip(&ends).map(|(begin, end)| &rows[begin..*end]);
    parts.zip(receipts).map(|(rows, receipt)| write_one(ledger, put_words, rows, receipt)).collect()
}

/// Writes what one request leaves, its words first.
fn write_one(
    ledger: &Ledger,
    put_words: PutWords<'_>,
    rows: &[PayloadRow],
    receipt: Prepared,
) -> Placed {
    put_words(rows)?;
    Ok(ledger.append_each(&[receipt]).remove(0)?)
}

/// Stores words, and the log's head when it is time to.
fn put_words(desk: &Desk, rows: &[PayloadRow]) -> Result<(), Error> {
    let size = desk.ledger.checkpoint().size;
    let remembered = desk.remembered.load(Ordering::Relaxed);
    if size >= remembered + RECEIPTS_PER_REMEMBERED_HEAD {
        let head = desk.head_row();
        desk.store.put_payloads_and_head(rows, &head)?;
        desk.remembered.fetch_max(head.size, Ordering::Relaxed);
    } else if !rows.is_empty() {
        desk.store.put_payloads(rows)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use allod_ledger::{Receipt, verify};
    use allod_policy::Policy;
    use jiff::Timestamp;

    use super::*;
    use crate::record::{Words, blank};

    fn left(name: &str) -> Left {
        let words = Words { prompt: name.into(), answer: None, output: None };
        let receipt: Receipt = blank(&Policy::built_in(), words);
        let row = PayloadRow {
            commitment: name.into(),
            salt_hex: String::new(),
            kind: "prompt".into(),
            content: String::new(),
            tenant: String::new(),
            subject: String::new(),
            created_at: Timestamp::now().to_string(),
        };
        Left { rows: vec![row], receipt: Prepared::new(&receipt).unwrap() }
    }

    /// Nobody who did nothing wrong gets another one's error, and nobody whose words are not kept
    /// has a receipt.
    #[test]
    fn words_that_cannot_be_kept_cost_one_request_its_receipt() {
        let data = tempfile::tempdir().unwrap();
        let dir = data.path().join("ledger");
        let ledger = Ledger::open(&dir, "test.example/allod").unwrap();
        let kept = RefCell::new(Vec::new());
        let put = |rows: &[PayloadRow]| {
            if rows.iter().any(|row| row.commitment == "bad") {
                return Err(Error::Limit("on purpose".into()));
            }
            kept.borrow_mut().extend(rows.iter().map(|row| row.commitment.clone()));
            Ok(())
        };
        let write = |names: &[&str]| {
            let all = names.iter().map(|name| left(name)).collect();
            let placed = write_all(&ledger, &put, all);
            placed.into_iter().map(|one| one.ok().map(|leaf| leaf.index)).collect::<Vec<_>>()
        };
        assert_eq!(write(&["a", "b"]), [Some(0), Some(1)]);
        assert_eq!(write(&["bad"]), [None]);
        assert_eq!(write(&["c", "bad", "d"]), [Some(2), None, Some(3)]);
        assert_eq!(*kept.borrow(), ["a", "b", "c", "d"]);
        let recorded = (0..4).map(|index| ledger.read(index).unwrap().prompt_commitment);
        assert_eq!(Vec::from_iter(recorded), *kept.borrow());
        assert_eq!(verify(&dir).unwrap().size, 4);
    }
}
