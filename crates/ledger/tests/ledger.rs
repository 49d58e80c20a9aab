//! The ledger as its callers see it.

#![allow(clippy::unwrap_used)] // helpers of tests are not seen as tests

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use allod_ledger::{
    Error, Expected, Hash, Ledger, RECEIPT_BYTES_MAX, Receipt, Wrong, verify, verify_with,
};
use common::{ORIGIN, receipt, short_receipt};
use tempfile::TempDir;

fn place() -> (TempDir, PathBuf) {
    let data = TempDir::new().unwrap();
    let dir = data.path().join("ledger");
    (data, dir)
}

fn receipts(range: std::ops::Range<u64>) -> Vec<Receipt> {
    range.map(|index| short_receipt(&format!("r{index}"))).collect()
}

fn ids(ledger: &Ledger) -> Vec<String> {
    let size = ledger.checkpoint().size;
    (0..size).map(|index| ledger.read(index).unwrap().request.id).collect()
}

#[test]
fn what_is_appended_is_read_back() {
    let (_data, dir) = place();
    let ledger = Ledger::open(&dir, ORIGIN).unwrap();
    assert_eq!(ledger.checkpoint().root, Hash::empty());
    let long = receipt(&"x".repeat(RECEIPT_BYTES_MAX - 3000));
    for (index, receipt) in [receipt("a"), short_receipt("b"), long].iter().enumerate() {
        let leaf = ledger.append(receipt).unwrap();
        assert_eq!(leaf.index, index as u64);
        let entry = ledger.entry(leaf.index).unwrap();
        assert_eq!(entry, receipt.to_entry().unwrap());
        assert_eq!(leaf.leaf_hash, Hash::leaf(&entry));
    }
    assert!(matches!(ledger.read(3), Err(Error::NoSuchEntry { index: 3, size: 3 })));
    assert_eq!(verify(&dir).unwrap().size, 3);
    let (root, origin) = (ledger.checkpoint().root, ledger.origin().to_owned());
    drop(ledger);
    let verified = verify(&dir).unwrap();
    assert_eq!((verified.root, verified.origin), (root, origin));
}

#[test]
fn it_goes_on_where_it_was_closed() {
    let (_data, dir) = place();
    let mut size = 0;
    for added in [1, 254, 1, 1, 600, 167, 0] {
        let ledger = Ledger::open(&dir, ORIGIN).unwrap();
        assert_eq!(ledger.checkpoint().size, size);
        ledger.append_all(&receipts(size..size + added)).unwrap();
        size += added;
        ledger.close().unwrap();
        assert_eq!(verify(&dir).unwrap().size, size);
    }
    let ledger = Ledger::open(&dir, ORIGIN).unwrap();
    let expected: Vec<String> = (0..1024).map(|index| format!("r{index}")).collect();
    assert_eq!(ids(&ledger), expected);
}

/// The files of C2SP tlog-tiles for 600 entries, and nothing else but our own three.
#[test]
fn closing_publishes_the_partial_tiles() {
    let (_data, dir) = place();
    let ledger = Ledger::open(&dir, ORIGIN).unwrap();
    ledger.append_all(&receipts(0..300)).unwrap();
    ledger.publish().unwrap();
    assert!(dir.join("tile/0/001.p/44").exists());
    ledger.append_all(&receipts(300..600)).unwrap();
    let head = ledger.signed_checkpoint();
    assert_ne!(fs::read_to_string(dir.join("checkpoint")).unwrap(), head);
    drop(ledger);
    assert_eq!(fs::read_to_string(dir.join("checkpoint")).unwrap(), head);
    assert_eq!(fs::read_to_string(dir.join("head")).unwrap(), head);
    let mut files = Vec::new();
    list(&dir, "", &mut files);
    files.sort();
    assert_eq!(
        files,
        [
            "checkpoint",
            "head",
            "tail.512",
            "tile/0/000",
            "tile/0/001",
            "tile/0/002.p/88",
            "tile/1/000.p/2",
            "tile/entries/000",
            "tile/entries/001",
            "tile/entries/002.p/88",
            "vkey",
        ]
    );
    assert_eq!(fs::metadata(dir.join("tile/0/000")).unwrap().len(), 8192);
    let bundle = fs::read(dir.join("tile/entries/002.p/88")).unwrap();
    assert_eq!(bundle, fs::read(dir.join("tail.512")).unwrap());
}

fn list(dir: &Path, folder: &str, files: &mut Vec<String>) {
    for entry in fs::read_dir(dir.join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            list(dir, &format!("{path}/"), files);
        } else {
            files.push(path);
        }
    }
}

#[test]
fn threads_share_rounds() {
    let (_data, dir) = place();
    let ledger = Ledger::open(&dir, ORIGIN).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let ledger = &ledger;
            scope.spawn(move || {
                for turn in 0..25 {
                    let id = format!("{thread}-{turn}");
                    let leaf = ledger.append(&short_receipt(&id)).unwrap();
                    assert_eq!(ledger.read(leaf.index).unwrap().request.id, id);
                }
            });
        }
    });
    assert_eq!(ledger.checkpoint().size, 200);
    assert!(ledger.rounds() < 190, "{} rounds for 200 receipts", ledger.rounds());
    assert_eq!(verify(&dir).unwrap().size, 200);
    let mut ids = ids(&ledger);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 200);
}

/// Two open ledgers on one folder stand for two processes: the lock is per open file.
#[test]
fn two_may_append_to_one_folder() {
    let (_data, dir) = place();
    let (first, second) =
        (Ledger::open(&dir, ORIGIN).unwrap(), Ledger::open(&dir, ORIGIN).unwrap());
    std::thread::scope(|scope| {
        for (name, ledger) in [("a", &first), ("b", &second)] {
            scope.spawn(move || {
                for turn in 0..140 {
                    ledger.append(&short_receipt(&format!("{name}{turn}"))).unwrap();
                    if turn % 50 == 0 {
                        ledger.publish().unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(first.refresh().unwrap().size, 280);
    assert_eq!(second.read(279).unwrap(), first.read(279).unwrap());
    let ids = ids(&first);
    for name in ["a", "b"] {
        let own = ids.iter().filter(|id| id.starts_with(name));
        assert!(own.eq((0..140).map(|turn| format!("{name}{turn}")).collect::<Vec<_>>().iter()));
    }
    assert_eq!(verify(&dir).unwrap().size, 280);
}

#[test]
fn verify_works_while_others_append() {
    let (_data, dir) = place();
    let ledger = Ledger::open(&dir, ORIGIN).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for turn in 0..60 {
                ledger.append_all(&receipts(turn * 10..turn * 10 + 10)).unwrap();
                ledger.publish().unwrap();
            }
            done.store(true, Ordering::SeqCst);
        });
        let mut last = 0;
        while !done.load(Ordering::SeqCst) {
            let size = verify(&dir).unwrap().size;
            assert!(size >= last && size.is_multiple_of(10));
            last = size;
        }
    });
    assert_eq!(verify(&dir).unwrap().size, 600);
}

/// A process that was killed in the middle of a round may leave bytes in an open ledger's tail.
#[test]
fn bytes_beyond_the_head_are_cut_before_the_next_append() {
    let (_data, dir) = place();
    let ledger = Ledger::open(&dir, ORIGIN).unwrap();
    ledger.append(&short_receipt("0")).unwrap();
    let tail = dir.join("tail.0");
    fs::write(&tail, [&fs::read(&tail).unwrap()[..], b"torn"].concat()).unwrap();
    assert_eq!(verify(&dir).unwrap_err().what, Wrong::LeftOver);
    ledger.append(&short_receipt("1")).unwrap();
    assert_eq!(verify(&dir).unwrap().size, 2);
}

/// The order is the log's, whatever the clock said; but it is said.
#[test]
fn a_clock_that_was_set_back_is_named() {
    let (_data, dir) = place();
    let ledger = Ledger::open(&dir, ORIGIN).unwrap();
    let at = |id: &str, time: &str| Receipt { time: time.parse().unwrap(), ..short_receipt(id) };
    ledger.append(&at("0", "2026-03-02T09:30:00Z")).unwrap();
    ledger.append(&at("1", "2026-03-02T09:29:30Z")).unwrap(); // two that were written together
    assert_eq!(verify(&dir).unwrap().dated_back, None);
    ledger.append(&at("2", "2026-03-02T09:28:00Z")).unwrap();
    ledger.append(&at("3", "2026-03-01T00:00:00Z")).unwrap();
    assert_eq!(verify(&dir).unwrap().dated_back, Some(2));
}

/// An older head under a longer log looks like what a crash leaves. Who remembers the newer head is
/// told that the log was cut, and the entries are not cleared away.
#[test]
fn an_older_head_that_is_put_back_does_not_pass_for_a_crash() {
    let (_data, dir) = place();
    let ledger = Ledger::open(&dir, ORIGIN).unwrap();
    ledger.append_all(&receipts(0..3)).unwrap();
    let older = fs::read(dir.join("head")).unwrap();
    ledger.append_all(&receipts(3..5)).unwrap();
    let seen = ledger.checkpoint();
    std::mem::forget(ledger); // killed: it does not publish
    fs::write(dir.join("head"), older).unwrap();
    let tail = fs::read(dir.join("tail.0")).unwrap();

    assert_eq!(verify(&dir).unwrap_err().what, Wrong::LeftOver);
    let expected = Expected { head: Some(seen.clone()), key_file: None };
    let cut = Wrong::Cut { found: 3, expected: 5 };
    assert_eq!(verify_with(&dir, &expected).unwrap_err().what, cut);
    let refused = Ledger::open_seen(&dir, ORIGIN, &seen).unwrap_err();
    assert!(matches!(refused, Error::Fault(fault) if fault.what == cut));
    assert_eq!(fs::read(dir.join("tail.0")).unwrap(), tail, "nothing was cleared away");

    assert_eq!(ids(&Ledger::open(&dir, ORIGIN).unwrap()), ["r0", "r1", "r2"]);
}

#[test]
fn a_ledger_rolled_back_under_an_open_one_is_noticed() {
    let (_data, dir) = place();
    let ledger = Ledger::open(&dir, ORIGIN).unwrap();
    ledger.append_all(&receipts(0..3)).unwrap();
    let (head, tail) = (dir.join("head"), dir.join("tail.0"));
    let older = (fs::read(&head).unwrap(), fs::read(&tail).unwrap());
    ledger.append(&short_receipt("r3")).unwrap();
    fs::write(&head, older.0).unwrap();
    fs::write(&tail, older.1).unwrap();
    let failed = ledger.append(&short_receipt("r4")).unwrap_err();
    assert!(failed.to_string().contains("the log was cut: it holds 3 entries, 4"), "{failed}");
    assert!(ledger.refresh().is_err());
}

#[test]
fn the_published_checkpoint_must_be_of_this_history() {
    let (data, dir) = place();
    let ledger = Ledger::open(&dir, ORIGIN).unwrap();
    ledger.append_all(&receipts(0..3)).unwrap();
    let (head, tail) = (fs::read(dir.join("head")).unwrap(), fs::read(dir.join("tail.0")).unwrap());
    ledger.append(&short_receipt("one history")).unwrap();
    drop(ledger);
    let published = fs::read(dir.join("checkpoint")).unwrap();
    fs::write(dir.join("head"), &head).unwrap();
    fs::write(dir.join("tail.0"), tail).unwrap();
    fs::write(dir.join("checkpoint"), &head).unwrap();
    let ledger = Ledger::open(&dir, ORIGIN).unwrap();
    ledger.append(&short_receipt("another")).unwrap();
    drop(ledger);
    verify(&dir).unwrap();
    fs::write(dir.join("checkpoint"), published).unwrap();
    let fault = verify(&dir).unwrap_err();
    assert_eq!((fault.file.as_str(), fault.what), ("checkpoint", Wrong::Rewritten { size: 4 }));
    drop(data);
}

#[test]
fn origin_and_key_must_be_the_ledgers() {
    let (data, dir) = place();
    drop(Ledger::open(&dir, ORIGIN).unwrap());
    let failed = Ledger::open(&dir, "other.example/allod").unwrap_err();
    assert!(matches!(failed, Error::OriginDiffers { .. }), "{failed}");

    let (other_data, other_dir) = place();
    drop(Ledger::open(&other_dir, ORIGIN).unwrap());
    let key = data.path().join("keys/ledger.key");
    let other_key = other_data.path().join("keys/ledger.key");
    let failed = Ledger::open_with_key(&dir, &other_key, ORIGIN).unwrap_err();
    assert!(matches!(failed, Error::KeyDiffers { .. }), "{failed}");

    let kept = data.path().join("kept");
    fs::rename(&key, &kept).unwrap();
    let failed = Ledger::open(&dir, ORIGIN).unwrap_err();
    assert!(matches!(failed, Error::KeyMissing { .. }), "{failed}");
    fs::rename(&kept, &key).unwrap();

    fs::rename(&dir, data.path().join("moved")).unwrap();
    let failed = Ledger::open(&dir, ORIGIN).unwrap_err();
    assert!(matches!(failed, Error::LedgerMissing { .. }), "{failed}");
}

#[test]
fn an_origin_that_cannot_name_a_key_is_refused() {
    let (_data, dir) = place();
    for origin in ["", "two words", "a+b", "a\nb"] {
        assert!(matches!(Ledger::open(&dir, origin), Err(Error::Malformed { .. })), "{origin:?}");
    }
    Ledger::open(&dir, ORIGIN).unwrap();
}

#[cfg(unix)]
#[test]
fn the_private_key_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let (data, dir) = place();
    drop(Ledger::open(&dir, ORIGIN).unwrap());
    let key = data.path().join("keys/ledger.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let failed = Ledger::open(&dir, ORIGIN).unwrap_err();
    assert!(matches!(failed, Error::KeyExposed { .. }), "{failed}");
}
