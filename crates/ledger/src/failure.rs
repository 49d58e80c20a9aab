//! Tests with a disk that fails: at every step, wholly or half way, once or for good.

use std::fs;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

use crate::disk::{Disk, RealDisk};
use crate::error::{Error, Result};
use crate::log::{Ledger, Prepared, default_key_file};
use crate::receipt::Receipt;
use crate::sample::{ORIGIN, short_receipt};
use crate::tiles::unframe;
use crate::verify::verify;

/// How much of the failing operation is done before it fails.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Done {
    Nothing,
    Half,
    All,
}

/// Whether the disk works again afterwards. For good is as if the process were killed there.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Lasts {
    Once,
    ForGood,
}

/// Fails from the step on that `fail_at` says. Does not sync: these tests do not cut the power.
struct FailingDisk {
    step: AtomicU64,
    fail_at: AtomicU64,
    done: Done,
    lasts: Lasts,
}

impl FailingDisk {
    fn new(done: Done, lasts: Lasts) -> Arc<FailingDisk> {
        let (step, fail_at) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
        Arc::new(FailingDisk { step, fail_at, done, lasts })
    }

    fn working() -> Arc<FailingDisk> {
        FailingDisk::new(Done::Nothing, Lasts::Once)
    }

    /// Lets the operation after the next `steps` fail.
    fn arm(&self, steps: u64) {
        self.step.store(0, Ordering::SeqCst);
        self.fail_at.store(steps, Ordering::SeqCst);
    }

    /// Whether the armed step was reached.
    fn failed(&self) -> bool {
        self.step.load(Ordering::SeqCst) > self.fail_at.load(Ordering::SeqCst)
    }

    /// What to do of this operation before it fails; `None` if it does not fail.
    fn next(&self) -> Option<Done> {
        let (step, fail_at) =
            (self.step.fetch_add(1, Ordering::SeqCst), self.fail_at.load(Ordering::SeqCst));
        match self.lasts {
            _ if step == fail_at => Some(self.done),
            Lasts::ForGood if step > fail_at => Some(Done::Nothing),
            _ => None,
        }
    }

    /// An operation that is done or not.
    fn whole(&self, operation: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        match self.next() {
            None => operation(),
            Some(Done::All) => operation().and(Err(full())),
            Some(_) => Err(full()),
        }
    }

    /// An operation that may write a part of the bytes.
    fn partial(
        &self,
        bytes: &[u8],
        operation: impl FnOnce(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        match self.next() {
            None => operation(bytes),
            Some(Done::Nothing) => Err(full()),
            Some(Done::Half) => operation(&bytes[..bytes.len() / 2]).and(Err(full())),
            Some(Done::All) => operation(bytes).and(Err(full())),
        }
    }
}

fn full() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, "no space left (test)")
}

impl Disk for FailingDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.whole(|| fs::create_dir(path))
    }

    fn create(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.partial(bytes, |bytes| write_anew(path, bytes))
    }

    fn write_at(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.partial(bytes, |bytes| {
            let mut file = fs::OpenOptions::new().write(true).open(path)?;
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(bytes)
        })
    }

    fn write_sector(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.whole(|| {
            let mut file = fs::OpenOptions::new().write(true).open(path)?;
            file.write_all(bytes)
        })
    }

    fn set_len(&self, path: &Path, bytes: u64) -> io::Result<()> {
        self.whole(|| RealDisk.set_len(path, bytes))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.whole(|| {
            let _ = fs::remove_file(to);
            fs::rename(from, to)
        })
    }

    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        self.whole(|| Ok(()))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.whole(|| fs::remove_file(path))
    }
}

/// Replaces a file in a way that file systems do not take as a wish to have it on the disk at once,
/// as they do when a file is cut to nothing or renamed over another: it makes these tests fast.
fn write_anew(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let _ = fs::remove_file(path);
    fs::write(path, bytes)
}

/// A data folder with a ledger in it.
struct Place {
    data: TempDir,
}

impl Place {
    fn new() -> Place {
        Place { data: TempDir::new().unwrap() }
    }

    fn dir(&self) -> PathBuf {
        self.data.path().join("ledger")
    }

    fn open(&self, disk: Arc<FailingDisk>) -> Result<Ledger> {
        Ledger::open_on(disk, &self.dir(), &default_key_file(&self.dir()), ORIGIN, None)
    }

    fn copy(&self) -> Place {
        let copy = Place::new();
        copy_folder(self.data.path(), copy.data.path());
        copy
    }
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap(); // keeps the permissions
        }
    }
}

fn receipts(range: std::ops::Range<u64>) -> Vec<Receipt> {
    range.map(|number| short_receipt(&number.to_string())).collect()
}

/// A ledger with `size` entries, of which the first `published` are published.
fn ledger(published: u64, size: u64) -> Place {
    let place = Place::new();
    let ledger = place.open(FailingDisk::working()).unwrap();
    ledger.append_all(&receipts(0..published)).unwrap();
    ledger.publish().unwrap();
    ledger.append_all(&receipts(published..size)).unwrap();
    std::mem::forget(ledger); // dropping would publish
    place
}

fn expect_entries(ledger: &Ledger, count: u64) {
    for index in 0..count {
        assert_eq!(ledger.read(index).unwrap().request.id, index.to_string());
    }
}

const CASES: [(Done, Lasts); 6] = [
    (Done::Nothing, Lasts::Once),
    (Done::Half, Lasts::Once),
    (Done::All, Lasts::Once),
    (Done::Nothing, Lasts::ForGood),
    (Done::Half, Lasts::ForGood),
    (Done::All, Lasts::ForGood),
];

/// Lets each step of an append fail in each way, and looks at what is left.
fn append_with_failures(size: u64, added: u64) {
    let base = ledger(size.min(2), size);
    for (done, lasts) in CASES {
        for step in 0.. {
            let place = base.copy();
            let disk = FailingDisk::new(done, lasts);
            let ledger = place.open(Arc::clone(&disk)).unwrap();
            disk.arm(step);
            let result = ledger.append_all(&receipts(size..size + added));
            if !disk.failed() {
                // The tail and the head at least; a head of another length is put in its place.
                let steps = if digits(size) == digits(size + added) { 2 } else { 4 };
                assert!(result.is_ok() && step >= steps, "{step} {result:?}");
                break;
            }
            let context = format!("{size}+{added}, step {step}, {done:?}, {lasts:?}: {result:?}");
            after_failure(&place, ledger, (size, added), lasts, result.map(drop), &context);
        }
    }
}

fn digits(number: u64) -> usize {
    number.to_string().len()
}

fn after_failure(
    place: &Place,
    ledger: Ledger,
    (size, added): (u64, u64),
    lasts: Lasts,
    result: Result<()>,
    context: &str,
) {
    let in_doubt = matches!(result, Err(Error::InDoubt { .. }));
    let mut held = if result.is_ok() { size + added } else { size };
    if lasts == Lasts::Once {
        // The disk works again, so the ledger does.
        let now = ledger.refresh().expect(context).size;
        assert!(now == held || in_doubt && now == size + added, "{context}: {now}");
        held = now + 1;
        let next = ledger.append(&short_receipt(&now.to_string())).expect(context);
        assert_eq!(next.index, now, "{context}");
        expect_entries(&ledger, held);
    }
    std::mem::forget(ledger);
    let ledger = place.open(FailingDisk::working()).expect(context);
    let now = ledger.checkpoint().size;
    assert!(now == held || in_doubt && now == size + added, "{context}: {now}");
    expect_entries(&ledger, now);
    verify(&place.dir()).expect(context);
    drop(ledger);
    assert_eq!(verify(&place.dir()).expect(context).size, now);
}

#[test]
fn every_step_of_an_append_may_fail() {
    append_with_failures(5, 1);
    append_with_failures(0, 3);
    append_with_failures(9, 1);
}

#[test]
fn every_step_of_filling_a_tile_may_fail() {
    append_with_failures(255, 1);
    append_with_failures(254, 5);
}

/// The same where something else is made durable beside the entries, and where that fails.
#[test]
fn every_step_of_an_append_beside_something_may_fail() {
    for (size, added) in [(5, 1), (9, 1), (254, 5)] {
        let base = ledger(size.min(2), size);
        let prepared: Vec<Prepared> =
            receipts(size..size + added).iter().map(|one| Prepared::new(one).unwrap()).collect();
        let cases = CASES.into_iter().flat_map(|case| [(case, true), (case, false)]);
        for ((done, lasts), beside) in cases {
            for step in 0.. {
                let place = base.copy();
                let disk = FailingDisk::new(done, lasts);
                let ledger = place.open(Arc::clone(&disk)).unwrap();
                disk.arm(step);
                let leaves = ledger.append_beside(&prepared, &mut || beside);
                assert_eq!(leaves.is_some(), beside, "it says so if what is beside it failed");
                let result = match leaves.and_then(|leaves| leaves.into_iter().next()) {
                    Some(first) => first.map(drop),
                    None => Err(Error::NoSuchEntry { index: size, size }),
                };
                let reached = disk.failed();
                if !reached {
                    assert_eq!(result.is_ok(), beside);
                }
                let context = format!("{size}+{added}, step {step}, {done:?}, {lasts:?}, {beside}");
                disk.arm(u64::MAX - 1);
                let lasts = if reached { lasts } else { Lasts::Once };
                after_failure(&place, ledger, (size, added), lasts, result, &context);
                if !reached {
                    break;
                }
            }
        }
    }
}

/// A head that has as many letters is written over the old one, in the same file; another one
/// takes its place.
#[cfg(unix)]
#[test]
fn the_head_is_written_over_the_old_one_where_it_fits() {
    use std::os::unix::fs::MetadataExt as _;
    let place = ledger(2, 7);
    let file = || fs::metadata(place.dir().join("head")).unwrap().ino();
    let ledger = place.open(FailingDisk::working()).unwrap();
    let first = file();
    ledger.append_all(&receipts(7..9)).unwrap();
    assert_eq!(file(), first);
    ledger.append_all(&receipts(9..11)).unwrap();
    assert_ne!(file(), first);
    expect_entries(&ledger, 11);
    assert_eq!(verify(&place.dir()).unwrap().size, 11);
}

#[test]
fn every_step_of_publishing_may_fail() {
    for (published, size) in [(3, 7), (250, 256), (3, 300), (256, 260)] {
        let base = ledger(published, size);
        for (done, lasts) in CASES {
            for step in 0.. {
                let place = base.copy();
                let disk = FailingDisk::new(done, lasts);
                let ledger = place.open(Arc::clone(&disk)).unwrap();
                disk.arm(step);
                let result = ledger.publish();
                let reached = disk.failed();
                std::mem::forget(ledger);
                let ledger = place.open(FailingDisk::working()).unwrap();
                verify(&place.dir()).unwrap();
                ledger.publish().unwrap();
                assert_eq!(verify(&place.dir()).unwrap().size, size);
                if !reached {
                    assert!(result.is_ok() && step > 3);
                    break;
                }
            }
        }
    }
}

#[test]
fn every_step_of_the_first_opening_may_fail() {
    for (done, lasts) in CASES {
        for step in 0.. {
            let place = Place::new();
            let disk = FailingDisk::new(done, lasts);
            disk.arm(step);
            let first = place.open(Arc::clone(&disk));
            if !disk.failed() {
                assert!(first.is_ok() && step > 5);
                break;
            }
            std::mem::forget(first);
            let ledger = place.open(FailingDisk::working()).unwrap();
            ledger.append(&short_receipt("0")).unwrap();
            verify(&place.dir()).unwrap();
        }
    }
}

/// Every step of opening after a crash: the crash must not become worse by a second one.
#[test]
fn every_step_of_a_later_opening_may_fail() {
    let base = ledger(3, 258);
    fs::write(base.dir().join("head.new"), "torn").unwrap();
    fs::write(base.dir().join("tail.0"), "stale").unwrap();
    let tail = fs::read(base.dir().join("tail.256")).unwrap();
    fs::write(base.dir().join("tail.256"), [&tail[..], b"torn"].concat()).unwrap();
    for (done, lasts) in CASES {
        for step in 0.. {
            let place = base.copy();
            let disk = FailingDisk::new(done, lasts);
            disk.arm(step);
            std::mem::forget(place.open(Arc::clone(&disk)));
            let ledger = place.open(FailingDisk::working()).unwrap();
            verify(&place.dir()).unwrap();
            expect_entries(&ledger, 258);
            if !disk.failed() {
                assert!(step > 3);
                break;
            }
        }
    }
}

/// The bytes of the entries in the only tail, without the room after them.
fn tail_of(place: &Place, count: u64) -> Vec<u8> {
    let mut tail = fs::read(place.dir().join("tail.0")).unwrap();
    let entries = unframe(&tail, count).unwrap();
    tail.truncate(entries.last().unwrap().end);
    tail
}

/// The same in the room that was written ahead: the file is as long as ever, and what stands in it
/// may be there up to any byte, or from any byte on, as a disk likes that loses power.
#[test]
fn torn_in_the_room() {
    let base = ledger(2, 4);
    let old_head = fs::read(base.dir().join("head")).unwrap();
    let old = fs::read(base.dir().join("tail.0")).unwrap();
    let begin = tail_of(&base, 4).len();
    let ledger = base.open(FailingDisk::working()).unwrap();
    ledger.append(&short_receipt("4")).unwrap();
    std::mem::forget(ledger);
    let (new, end) = (fs::read(base.dir().join("tail.0")).unwrap(), tail_of(&base, 5).len());
    assert!(old.len() == new.len() && old.len() > end, "it was written into the room");
    fs::write(base.dir().join("head"), &old_head).unwrap();
    for torn in (begin..=end).step_by(7).chain([begin + 1, end - 1, end]) {
        let from_front = [&new[..torn], &old[torn..]].concat();
        let from_back = [&old[..torn], &new[torn..]].concat();
        for tail in [from_front, from_back] {
            fs::write(base.dir().join("tail.0"), &tail).unwrap();
            assert_eq!(verify(&base.dir()).is_ok(), tail == old, "{torn}");
            let torn = base.copy();
            let ledger = torn.open(FailingDisk::working()).unwrap();
            assert_eq!(verify(&torn.dir()).unwrap().size, 4);
            assert_eq!(ledger.append(&short_receipt("4")).unwrap().index, 4);
            expect_entries(&ledger, 5);
            assert_eq!(verify(&torn.dir()).unwrap().size, 5);
            assert_eq!(tail_of(&torn, 5), new[..end]);
        }
    }
}

/// Another process may die in the middle of a round, while this one has the ledger open.
#[test]
fn what_stands_in_the_room_goes_before_the_next_round() {
    let place = ledger(2, 4);
    let ledger = place.open(FailingDisk::working()).unwrap();
    let (path, entries) = (place.dir().join("tail.0"), tail_of(&place, 4).len());
    let mut tail = fs::read(&path).unwrap();
    *tail.last_mut().unwrap() = 7;
    fs::write(&path, &tail).unwrap();
    assert_eq!(verify(&place.dir()).unwrap_err().place, crate::fault::Place::Byte(entries as u64));
    ledger.append(&short_receipt("4")).unwrap();
    assert_eq!(verify(&place.dir()).unwrap().size, 5);
    expect_entries(&ledger, 5);
    drop(ledger);
    assert_eq!(fs::read(&path).unwrap(), tail_of(&place, 5), "a closed ledger has no room");
}

/// Room comes in steps: many rounds write into it, and one now and then makes more of it.
#[test]
fn the_tail_grows_in_steps() {
    let place = ledger(2, 4);
    let ledger = place.open(FailingDisk::working()).unwrap();
    let length = || fs::metadata(place.dir().join("tail.0")).unwrap().len();
    let mut lengths = std::collections::BTreeSet::from([length()]);
    for number in 4..250 {
        ledger.append(&short_receipt(&number.to_string())).unwrap();
        lengths.insert(length());
    }
    assert_eq!(Vec::from_iter(lengths), [65_536, 131_072, 196_608]);
    assert_eq!(verify(&place.dir()).unwrap().size, 250);
    expect_entries(&ledger, 250);
}

/// The last commit's bytes may be there up to any one of them: as long as the head is the old one,
/// they do not count; once it is the new one, none may be missing.
#[test]
fn torn_at_every_byte() {
    let base = ledger(2, 4);
    let old_head = fs::read(base.dir().join("head")).unwrap();
    let old_tail = tail_of(&base, 4);
    let ledger = base.open(FailingDisk::working()).unwrap();
    ledger.append(&short_receipt("4")).unwrap();
    std::mem::forget(ledger);
    let new_tail = tail_of(&base, 5);
    assert_eq!(new_tail[..old_tail.len()], old_tail);
    for length in old_tail.len()..=new_tail.len() {
        fs::write(base.dir().join("tail.0"), &new_tail[..length]).unwrap();
        let whole = length == new_tail.len();
        assert_eq!(base.open(FailingDisk::working()).map(std::mem::forget).is_ok(), whole);
        assert_eq!(verify(&base.dir()).is_ok(), whole);

        let torn = base.copy();
        fs::write(torn.dir().join("head"), &old_head).unwrap();
        assert_eq!(verify(&torn.dir()).is_ok(), length == old_tail.len());
        let ledger = torn.open(FailingDisk::working()).unwrap();
        assert_eq!(ledger.append(&short_receipt("4")).unwrap().index, 4);
        expect_entries(&ledger, 5);
        assert_eq!(verify(&torn.dir()).unwrap().size, 5);
        assert_eq!(tail_of(&torn, 5), new_tail);
    }
}

/// The same for the head that is about to take the old one's place.
#[test]
fn a_torn_draft_of_the_head_does_not_count() {
    let base = ledger(2, 4);
    let head = fs::read(base.dir().join("head")).unwrap();
    for length in 0..=head.len() {
        fs::write(base.dir().join("head.new"), &head[..length]).unwrap();
        assert!(verify(&base.dir()).is_err());
        std::mem::forget(base.open(FailingDisk::working()).unwrap());
        assert_eq!(verify(&base.dir()).unwrap().size, 4);
    }
}
