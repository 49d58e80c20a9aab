//! What requests leave that end at the same time is written together, their words in one
//! transaction of the store and then their receipts in one round of the log.

use std::sync::atomic::Ordering;

use allod_ledger::{Leaf, Prepared, Queue};
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
    let placed = desk.rounds.submit(left, &|all| write_all(desk, all));
    placed.unwrap_or_else(|| {
        Err(Error::Folder {
            path: "ledger".into(),
            reason: "the thread that was writing the receipt panicked; ask again".into(),
        })
    })
}

/// Writes what several requests leave, first all words, then all receipts.
fn write_all(desk: &Desk, all: Vec<Left>) -> Vec<Placed> {
    let (mut rows, mut receipts, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for left in all {
        rows.extend(left.rows);
        receipts.push(left.receipt);
        ends.push(rows.len());
    }
    let kept: Vec<Result<(), Error>> = match put_words(desk, &rows) {
        Ok(()) => ends.iter().map(|_| Ok(())).collect(),
        Err(error) if ends.len() == 1 => vec![Err(error)],
        // Nobody gets another one's error.
        Err(_) => {
            let begins = std::iter::once(0).chain(ends.iter().copied());
            begins.zip(&ends).map(|(begin, end)| put_words(desk, &rows[begin..*end])).collect()
        }
    };
    let kept_ones = receipts.into_iter().zip(&kept).filter(|(_, kept)| kept.is_ok());
    let receipts: Vec<Prepared> = kept_ones.map(|(receipt, _)| receipt).collect();
    let mut leaves = desk.ledger.append_each(&receipts).into_iter();
    let place = |kept: Result<(), Error>| {
        kept?;
        Ok(leaves.next().expect("each receipt has an outcome")?)
    };
    kept.into_iter().map(place).collect()
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
