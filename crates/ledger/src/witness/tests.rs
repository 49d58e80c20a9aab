use super::*;
use crate::cosignature::{cosignatures, with_cosignature};
use crate::log::Ledger;
use crate::sample;

fn witness(dir: &Path, log: &Ledger) -> Witness {
    Witness::open(dir, "w.example/1", vec![log.vkey().parse().unwrap()]).unwrap()
}

fn log(dir: &Path, receipts: u32) -> Ledger {
    let log = Ledger::open(dir, "a.example/log").unwrap();
    append(&log, receipts);
    log
}

fn append(log: &Ledger, receipts: u32) {
    for n in 0..receipts {
        log.append(&sample::receipt(&format!("r-{n}"))).unwrap();
    }
}

fn size_of(result: Result<String, Refusal>) -> u64 {
    match result.unwrap_err() {
        Refusal::Conflict { size } | Refusal::Inconsistent { size } => size,
        other => panic!("{other}"),
    }
}

#[test]
fn a_growing_log_is_cosigned_and_proofs_bear_it() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(&folder.path().join("a/log"), 5);
    let witness = witness(&folder.path().join("w"), &log);
    let key: VerifierKey = witness.vkey().parse().unwrap();
    let mut old = 0;
    for more in [0, 1, 300, 0] {
        append(&log, more);
        let (request, note) = log.witness_request(old).unwrap();
        let line = witness.add_checkpoint(&request).unwrap();
        let cosigned = with_cosignature(&note, &line, &key).unwrap();
        assert_eq!(cosignatures(&cosigned, std::slice::from_ref(&key)).unwrap().len(), 1);
        old = log.checkpoint().size;
        append(&log, 2);
        let proof = log.prove_under(3, &cosigned).unwrap();
        let proven = crate::check_proof(&proof, &log.vkey(), &log.entry(3).unwrap()).unwrap();
        assert_eq!(proven.checkpoint.size, old);
        assert!(proof.contains("w.example/1"));
        assert!(log.prove_under(old, &cosigned).is_err(), "the witness has not seen that one");
    }
}

#[test]
fn a_log_that_forks_rewinds_or_is_unknown_is_refused_and_nothing_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(&folder.path().join("a/log"), 6);
    let copy = folder.path().join("copy/log");
    copy_all(&folder.path().join("a/log"), &copy);
    let copy =
        Ledger::open_with_key(&copy, &key_file(&folder.path().join("a/log")), "a.example/log");
    let copy = copy.unwrap();
    let home = folder.path().join("w");
    let seen = witness(&home, &log);
    seen.add_checkpoint(&log.witness_request(0).unwrap().0).unwrap();
    append(&log, 3);
    let (request, _) = log.witness_request(6).unwrap();
    seen.add_checkpoint(&request).unwrap();
    drop(seen);
    let seen = witness(&home, &log);
    // The same log, but another history from entry 6 on.
    for n in 100..110 {
        copy.append(&sample::receipt(&format!("r-{n}"))).unwrap();
    }
    assert_eq!(size_of(seen.add_checkpoint(&copy.witness_request(6).unwrap().0)), 9);
    assert_eq!(size_of(seen.add_checkpoint(&copy.witness_request(9).unwrap().0)), 9);
    // What was cosigned before, and less.
    assert_eq!(size_of(seen.add_checkpoint(&request)), 9);
    let other = self::log(&folder.path().join("other/log"), 1);
    let refused = seen.add_checkpoint(&other.witness_request(0).unwrap().0);
    assert!(matches!(refused, Err(Refusal::NotSigned)), "{refused:?}");
    let stranger = Ledger::open(&folder.path().join("stranger/log"), "b.example").unwrap();
    let refused = seen.add_checkpoint(&stranger.witness_request(0).unwrap().0);
    assert!(matches!(refused, Err(Refusal::UnknownLog(_))), "{refused:?}");
    append(&log, 1);
    assert!(seen.add_checkpoint(&log.witness_request(9).unwrap().0).is_ok());
}

#[test]
fn malformed_requests_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(&folder.path().join("a/log"), 3);
    let witness = witness(&folder.path().join("w"), &log);
    let (good, note) = log.witness_request(0).unwrap();
    let many = format!("old 1\n{}\n{note}", format!("{}\n", STANDARD.encode([0; 32])).repeat(64));
    let back = good.replace("old 0", "old 4");
    for text in ["", "old 0", "old 0\n\n", "old -1\n\nx\n\ny", &good[1..], &many, &back] {
        let refused = witness.add_checkpoint(text);
        assert!(matches!(refused, Err(Refusal::Malformed(_))), "{text:?}: {refused:?}");
    }
    for place in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[place] ^= 1;
        if let Ok(text) = String::from_utf8(bytes) {
            assert!(witness.add_checkpoint(&text).is_err(), "{text}");
        }
    }
    assert!(witness.add_checkpoint(&good).is_ok());
}

#[test]
fn a_witness_keeps_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let first = Witness::open(folder.path(), "w.example", Vec::new()).unwrap();
    let again = Witness::open(folder.path(), "w.example", Vec::new()).unwrap();
    assert_eq!(first.vkey(), again.vkey());
    assert!(Witness::open(folder.path(), "other.example", Vec::new()).is_err());
}

fn key_file(log: &Path) -> PathBuf {
    log.parent().unwrap().join("keys").join("ledger.key")
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_all(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}
