//! A thousand ways to alter a ledger's folder: each must be noticed and named.

#![allow(clippy::unwrap_used)] // helpers of tests are not seen as tests

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use allod_ledger::{Expected, Fault, Ledger, Place, Wrong, verify, verify_with};
use common::{ORIGIN, short_receipt};
use tempfile::TempDir;

/// Entries in the log: one full tile, and a tail.
const SIZE: u64 = 300;

/// Entries of which partial tiles are published.
const PUBLISHED: u64 = 290;

type Files = BTreeMap<String, Vec<u8>>;

/// A ledger, and what its files hold, so that each test begins with it whole.
struct Subject {
    data: TempDir,
    files: Files,
}

impl Subject {
    fn new() -> Subject {
        let data = TempDir::new().unwrap();
        let dir = data.path().join("ledger");
        let ledger = Ledger::open(&dir, ORIGIN).unwrap();
        append(&ledger, 0..PUBLISHED);
        ledger.publish().unwrap();
        append(&ledger, PUBLISHED..SIZE);
        std::mem::forget(ledger); // dropping would publish the rest
        cut_room(&dir.join("tail.256"));
        let files = read_all(&dir, "");
        assert_eq!(verify(&dir).unwrap().size, SIZE);
        Subject { data, files }
    }

    fn dir(&self) -> std::path::PathBuf {
        self.data.path().join("ledger")
    }

    /// Replaces the ledger's files, verifies, and puts the files back.
    fn verdict(&self, altered: &Files) -> Result<(), Fault> {
        self.exchange(&self.files, altered);
        let verdict = verify(&self.dir());
        self.exchange(altered, &self.files);
        verdict.map(drop)
    }

    fn exchange(&self, from: &Files, to: &Files) {
        for path in from.keys().filter(|path| !to.contains_key(*path)) {
            fs::remove_file(self.dir().join(path)).unwrap();
        }
        for (path, bytes) in to.iter().filter(|(path, bytes)| from.get(*path) != Some(bytes)) {
            let path = self.dir().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            // To cut a file to nothing and fill it again would make the disk write at once: slow.
            let _ = fs::remove_file(&path);
            fs::write(path, bytes).unwrap();
        }
    }

    /// The name of the only file that begins so.
    fn named(&self, prefix: &str) -> String {
        self.files.keys().find(|path| path.starts_with(prefix)).unwrap().clone()
    }
}

/// Takes away what an open ledger has behind the entries of its tail.
fn cut_room(tail: &Path) -> (u64, u64) {
    let bytes = fs::read(tail).unwrap();
    let mut entries = 0;
    while let Some(&[high, low]) = bytes.get(entries..entries + 2)
        && (high, low) != (0, 0)
    {
        entries += 2 + usize::from(u16::from_be_bytes([high, low]));
    }
    fs::write(tail, &bytes[..entries]).unwrap();
    (entries as u64, bytes.len() as u64)
}

/// Zeros that were written ahead are no fault, but there is one length that they may have, and no
/// bit of them is free.
#[test]
fn room_is_zeros_of_one_length() {
    let data = TempDir::new().unwrap();
    let dir = data.path().join("ledger");
    let ledger = Ledger::open(&dir, ORIGIN).unwrap();
    append(&ledger, 0..3);
    std::mem::forget(ledger);
    let tail = dir.join("tail.0");
    let whole = fs::read(&tail).unwrap();
    let (entries, length) = cut_room(&tail);
    assert_eq!((verify(&dir).unwrap().size, length), (3, 65_536));
    let left_over = |bytes: &[u8]| {
        fs::write(&tail, bytes).unwrap();
        let fault = verify(&dir).unwrap_err();
        assert_eq!((fault.what, fault.place), (Wrong::LeftOver, Place::Byte(entries)));
    };
    for cut in [entries + 1, length - 1] {
        left_over(&whole[..cut as usize]);
    }
    left_over(&[&whole[..], b"\0"].concat());
    left_over(&[&whole[..], &whole.iter().map(|_| 0).collect::<Vec<_>>()].concat());
    for place in [entries, entries + 1, 40_000, length - 1] {
        let mut altered = whole.clone();
        altered[place as usize] ^= 1;
        left_over(&altered);
    }
    fs::write(&tail, &whole).unwrap();
    assert_eq!(verify(&dir).unwrap().size, 3);
    drop(Ledger::open(&dir, ORIGIN).unwrap());
    assert_eq!(fs::metadata(&tail).unwrap().len(), entries, "a closed ledger has none");
}

fn append(ledger: &Ledger, range: std::ops::Range<u64>) {
    let receipts: Vec<_> = range.map(|index| short_receipt(&format!("r{index}"))).collect();
    ledger.append_all(&receipts).unwrap();
}

fn read_all(dir: &Path, folder: &str) -> Files {
    let mut files = Files::new();
    for entry in fs::read_dir(dir.join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            files.extend(read_all(dir, &format!("{path}/")));
        } else {
            files.insert(path, fs::read(entry.path()).unwrap());
        }
    }
    files
}

/// A small generator of numbers that look random: splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }

    fn pick<'a>(&mut self, names: &[&'a str]) -> &'a str {
        names[self.below(names.len())]
    }
}

fn split(bundle: &[u8]) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    let mut rest = bundle;
    while !rest.is_empty() {
        let length = 2 + usize::from(u16::from_be_bytes([rest[0], rest[1]]));
        entries.push(rest[..length].to_vec());
        rest = &rest[length..];
    }
    entries
}

/// Alters the files in a random way; says how, and which file must be named, if that is certain.
fn alter(random: &mut Random, files: &mut Files) -> (String, Option<String>) {
    let names: Vec<String> = files.keys().cloned().collect();
    let name = names[random.below(names.len())].clone();
    match random.below(8) {
        0..=2 => flip(random, files, &name),
        3 => cut(random, files, &name),
        4 => {
            files.remove(&name);
            (format!("remove {name}"), None)
        }
        5 => rename(random, files, &name),
        6 => add(random, files, &name),
        _ => entries(random, files),
    }
}

fn flip(random: &mut Random, files: &mut Files, name: &str) -> (String, Option<String>) {
    let bytes = files.get_mut(name).unwrap();
    let (place, bit) = (random.below(bytes.len()), random.below(8));
    bytes[place] ^= 1 << bit;
    (format!("flip bit {bit} of byte {place} of {name}"), None)
}

fn cut(random: &mut Random, files: &mut Files, name: &str) -> (String, Option<String>) {
    let bytes = files.get_mut(name).unwrap();
    let left = random.below(bytes.len());
    bytes.truncate(left);
    (format!("cut {name} to {left} bytes"), Some(name.to_owned()))
}

fn rename(random: &mut Random, files: &mut Files, name: &str) -> (String, Option<String>) {
    let bytes = files.remove(name).unwrap();
    let new = random.pick(&["tile/0/001", "tail.512", "tile/0/001.p/3", "x", "head.new", "a/b"]);
    files.insert(new.to_owned(), bytes);
    (format!("rename {name} to {new}"), None)
}

fn add(random: &mut Random, files: &mut Files, name: &str) -> (String, Option<String>) {
    if random.below(2) == 0 {
        let new = format!("{name}{}", random.pick(&["~", ".bak", ".new", "0"]));
        files.insert(new.clone(), files[name].clone());
        return (format!("add {new}"), Some(new));
    }
    let bytes = files.get_mut(name).unwrap();
    bytes.extend(std::iter::repeat_n(b'\n', 1 + random.below(3)));
    (format!("lengthen {name}"), Some(name.to_owned()))
}

/// Moves whole entries about in a file of entries.
fn entries(random: &mut Random, files: &mut Files) -> (String, Option<String>) {
    let name = random.pick(&["tile/entries/000", "tail.256", "tile/entries/001.p/34"]);
    let mut entries = split(&files[name]);
    let (first, second) = (random.below(entries.len()), random.below(entries.len() - 1));
    let second = if second >= first { second + 1 } else { second };
    let how = random.below(4);
    match how {
        0 => entries.swap(first, second),
        1 => drop(entries.remove(first)),
        2 => entries.insert(second, entries[first].clone()),
        _ => entries.truncate(first),
    }
    files.insert(name.to_owned(), entries.concat());
    let verb = ["swap", "remove", "duplicate", "cut at"][how];
    (format!("{verb} entries {first} and {second} of {name}"), Some(name.to_owned()))
}

#[test]
fn a_thousand_random_manipulations() {
    let subject = Subject::new();
    let mut random = Random(1);
    for round in 0..1000 {
        let mut altered = subject.files.clone();
        let (how, file) = alter(&mut random, &mut altered);
        if altered == subject.files {
            continue; // a cut or an addition that changes nothing
        }
        let Err(fault) = subject.verdict(&altered) else { panic!("not noticed: {how}") };
        if let Some(file) = file {
            assert_eq!(fault.file, file, "round {round}, {how}: {fault}");
        }
    }
    assert_eq!(verify(&subject.dir()).unwrap().size, SIZE);
}

/// Each bit of the small files, and one bit of each byte of a hash and an entry.
#[test]
fn every_bit_of_the_signed_files() {
    let subject = Subject::new();
    for name in ["vkey", "head", "checkpoint"] {
        for place in 0..subject.files[name].len() {
            for bit in 0..8 {
                let mut altered = subject.files.clone();
                altered.get_mut(name).unwrap()[place] ^= 1 << bit;
                assert!(subject.verdict(&altered).is_err(), "bit {bit} of byte {place} of {name}");
            }
        }
    }
}

fn altered(subject: &Subject, name: &str, place: usize) -> Fault {
    let mut altered = subject.files.clone();
    altered.get_mut(name).unwrap()[place] ^= 1;
    subject.verdict(&altered).unwrap_err()
}

#[test]
fn faults_name_file_and_place() {
    let subject = Subject::new();
    // The first byte of entry 7 after its length, in the full bundle, in the tail where hashes are
    // published, and where none are.
    let place = |name: &str, entry: usize| {
        split(&subject.files[name])[..entry].iter().map(Vec::len).sum::<usize>() + 2
    };
    for (name, entry, what, at) in [
        ("tile/entries/000", 7, Wrong::Entry, Place::Entry(7)),
        ("tail.256", 7, Wrong::Entry, Place::Entry(263)),
        ("tail.256", 40, Wrong::Root, Place::Entries(PUBLISHED, SIZE)),
    ] {
        let fault = altered(&subject, name, place(name, entry));
        assert_eq!((fault.file.as_str(), &fault.what, fault.place), (name, &what, at));
    }
    for (name, entry) in [("tile/0/000", 9), ("tile/0/001.p/34", 265)] {
        let fault = altered(&subject, name, 9 * 32);
        let expected = (name, &Wrong::Hash, Place::Entry(entry));
        assert_eq!((fault.file.as_str(), &fault.what, fault.place), expected);
    }
    let fault = altered(&subject, "tile/1/000.p/1", 5);
    assert_eq!(
        fault.to_string(),
        "tile/1/000.p/1, byte 5: the hash is not that of what it stands for"
    );
    let fault = altered(&subject, "head", 30);
    assert_eq!((fault.file.as_str(), fault.what), ("head", Wrong::Signature));
}

#[test]
fn every_file_is_missed() {
    let subject = Subject::new();
    for name in subject.files.keys() {
        let mut altered = subject.files.clone();
        altered.remove(name);
        let fault = subject.verdict(&altered).unwrap_err();
        assert_eq!((&fault.file, fault.what), (name, Wrong::Missing));
    }
    assert_eq!(subject.files.len(), 9, "{:?}", subject.files.keys());
}

/// An older head with the files that it signed: only what is known from outside shows it.
#[test]
fn a_rolled_back_ledger_is_noticed_with_the_last_head() {
    let subject = Subject::new();
    let ledger = Ledger::open(&subject.dir(), ORIGIN).unwrap();
    let seen = ledger.checkpoint();
    std::mem::forget(ledger);
    let mut older = subject.files.clone();
    let count = (PUBLISHED - 256) as usize;
    older.insert("head".into(), subject.files["checkpoint"].clone());
    older.insert("tail.256".into(), split(&subject.files["tail.256"])[..count].concat());
    subject.exchange(&subject.files, &older);
    assert_eq!(verify(&subject.dir()).unwrap().size, PUBLISHED);
    let expected = Expected { head: Some(seen.clone()), key_file: None };
    let fault = verify_with(&subject.dir(), &expected).unwrap_err();
    assert_eq!(fault.what, Wrong::Cut { found: PUBLISHED, expected: SIZE });

    // Whoever has the key goes on from there: as long as before, but another history.
    let ledger = Ledger::open(&subject.dir(), ORIGIN).unwrap();
    let receipts: Vec<_> = (0..20).map(|index| short_receipt(&format!("new {index}"))).collect();
    ledger.append_all(&receipts).unwrap();
    drop(ledger);
    assert!(verify(&subject.dir()).is_ok());
    let fault = verify_with(&subject.dir(), &expected).unwrap_err();
    assert_eq!(fault.what, Wrong::Rewritten { size: SIZE });
}

#[test]
fn a_known_head_that_the_log_continues_is_fine() {
    let subject = Subject::new();
    let ledger = Ledger::open(&subject.dir(), ORIGIN).unwrap();
    let seen = ledger.checkpoint();
    append(&ledger, SIZE..SIZE + 300);
    drop(ledger);
    let key_file = Some(subject.data.path().join("keys/ledger.key"));
    let expected = Expected { head: Some(seen), key_file };
    assert_eq!(verify_with(&subject.dir(), &expected).unwrap().size, SIZE + 300);
}

#[test]
fn the_private_key_is_checked() {
    let subject = Subject::new();
    let key_file = subject.data.path().join("keys/ledger.key");
    let expected = Expected { head: None, key_file: Some(key_file.clone()) };
    let key = fs::read(&key_file).unwrap();
    for place in 0..key.len() {
        let mut altered = key.clone();
        altered[place] ^= 2;
        fs::write(&key_file, altered).unwrap();
        let fault = verify_with(&subject.dir(), &expected).unwrap_err();
        assert!(fault.file.ends_with("ledger.key"), "{fault}");
        assert!(Ledger::open(&subject.dir(), ORIGIN).is_err());
    }
    fs::write(&key_file, &key).unwrap();
    verify_with(&subject.dir(), &expected).unwrap();
    fs::remove_file(&key_file).unwrap();
    assert!(verify_with(&subject.dir(), &expected).is_err());
    assert!(verify(&subject.dir()).is_ok());
}

/// What was acknowledged is never repaired: opening refuses and changes nothing.
#[test]
fn opening_refuses_an_altered_ledger() {
    let subject = Subject::new();
    for name in ["head", "vkey", "tail.256", "tile/0/000", "checkpoint"] {
        let mut altered = subject.files.clone();
        let bytes = altered.get_mut(name).unwrap();
        let middle = bytes.len() / 4;
        bytes[middle] ^= 1;
        subject.exchange(&subject.files, &altered);
        assert!(Ledger::open(&subject.dir(), ORIGIN).is_err(), "{name}");
        assert!(verify(&subject.dir()).is_err(), "{name}");
        subject.exchange(&altered, &subject.files);
    }
    // A head that is older than the published checkpoint: going on from there would be a fork.
    let (dir, older) = (subject.dir(), &subject.files["checkpoint"]);
    drop(Ledger::open(&dir, ORIGIN).unwrap());
    fs::write(dir.join("head"), older).unwrap();
    let refused = Ledger::open(&dir, ORIGIN).unwrap_err().to_string();
    assert!(
        refused.contains("checkpoint: the log was cut: it holds 290 entries, 300"),
        "{refused}"
    );
}

#[test]
fn an_altered_length_is_named() {
    let subject = Subject::new();
    let bundle = subject.named("tile/entries/000");
    let fault = altered(&subject, &bundle, 1);
    assert_eq!(fault.file, bundle);
    assert!(matches!(fault.what, Wrong::Malformed(_)), "{fault}");
}
