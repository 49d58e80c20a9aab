//! Proofs, checked by code that shares nothing with the crate: here, and in Python.

#![allow(clippy::unwrap_used)] // helpers of tests are not seen as tests

mod common;

use std::process::Command;

use allod_ledger::{Error, Ledger, check_consistency, check_proof};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{ORIGIN, receipt, short_receipt};
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    Sha256::digest(parts.concat()).into()
}

/// Checks a proof from its text, by the words of the specifications alone.
fn outsider_accepts(proof: &str, vkey: &str, entry: &[u8]) -> Option<()> {
    let (head, checkpoint) = proof.split_once("\n\n")?;
    let mut lines = head.lines();
    (lines.next()? == "c2sp.org/tlog-proof@v1").then_some(())?;
    let index: u64 = lines.next()?.strip_prefix("index ")?.parse().ok()?;
    let path: Vec<Vec<u8>> = lines.map(|line| STANDARD.decode(line).ok()).collect::<Option<_>>()?;
    let (text, signature) = checkpoint.split_once("\n\n")?;
    let text = format!("{text}\n");
    let (name, rest) = vkey.split_once('+')?;
    let key = STANDARD.decode(rest.split_once('+')?.1).ok()?;
    let id = sha256(&[name.as_bytes(), b"\n", &key]);
    let signature = signature.trim_end().strip_prefix(&format!("— {name} "))?;
    let signature = STANDARD.decode(signature).ok()?;
    (signature[..4] == id[..4]).then_some(())?;
    let key = VerifyingKey::from_bytes(key[1..].try_into().ok()?).ok()?;
    key.verify_strict(text.as_bytes(), &Signature::from_slice(&signature[4..]).ok()?).ok()?;
    let fields: Vec<&str> = text.lines().collect();
    (fields[0] == name).then_some(())?;
    let root = walk(index, fields[1].parse().ok()?, sha256(&[&[0], entry]), &path)?;
    (STANDARD.encode(root) == fields[2]).then_some(())
}

/// Follows the path downwards in thought, so that it is not the algorithm under test: at each split
/// of the tree the last hash of the path belongs to the other half.
fn walk(index: u64, size: u64, leaf: [u8; 32], path: &[Vec<u8>]) -> Option<[u8; 32]> {
    if size == 1 {
        return (index == 0 && path.is_empty()).then_some(leaf);
    }
    let (sibling, rest) = path.split_last()?;
    let half = size.next_power_of_two() / 2;
    if index < half {
        Some(sha256(&[&[1], &walk(index, half, leaf, rest)?, sibling]))
    } else {
        Some(sha256(&[&[1], sibling, &walk(index - half, size - half, leaf, rest)?]))
    }
}

fn ledger(size: u64) -> (TempDir, Ledger) {
    let data = TempDir::new().unwrap();
    let ledger = Ledger::open(&data.path().join("ledger"), ORIGIN).unwrap();
    let receipts: Vec<_> = (0..size).map(|index| short_receipt(&format!("r{index}"))).collect();
    ledger.append_all(&receipts).unwrap();
    (data, ledger)
}

#[test]
fn an_outsider_accepts_every_proof() {
    let (_data, ledger) = ledger(270);
    for index in (0..270).step_by(13).chain([254, 255, 256, 257, 269]) {
        let (proof, entry) = (ledger.prove(index).unwrap(), ledger.entry(index).unwrap());
        assert!(outsider_accepts(&proof, &ledger.vkey(), &entry).is_some(), "{index}:\n{proof}");
        let proven = check_proof(&proof, &ledger.vkey(), &entry).unwrap();
        assert_eq!((proven.index, proven.checkpoint), (index, ledger.checkpoint()));
    }
    assert!(matches!(ledger.prove(270), Err(Error::NoSuchEntry { index: 270, size: 270 })));
}

#[test]
fn every_altered_byte_of_a_proof_is_noticed() {
    let (_data, ledger) = ledger(5);
    let (proof, entry, vkey) = (ledger.prove(2).unwrap(), ledger.entry(2).unwrap(), ledger.vkey());
    for place in 0..proof.len() {
        let mut bytes = proof.clone().into_bytes();
        bytes[place] ^= 1;
        if let Ok(altered) = String::from_utf8(bytes) {
            assert!(check_proof(&altered, &vkey, &entry).is_err(), "{altered}");
        }
    }
    for place in 0..entry.len() {
        let mut altered = entry.clone();
        altered[place] ^= 1;
        assert!(check_proof(&proof, &vkey, &altered).is_err());
    }
    let (_other_data, other) = self::ledger(5);
    assert!(matches!(check_proof(&proof, &other.vkey(), &entry), Err(Error::NotSigned { .. })));
}

#[test]
fn extra_data_is_allowed_and_not_trusted() {
    let (_data, ledger) = ledger(3);
    let (proof, entry) = (ledger.prove(1).unwrap(), ledger.entry(1).unwrap());
    let extra = proof.replacen("index", "extra YWxsb2Q=\nindex", 1);
    assert_eq!(check_proof(&extra, &ledger.vkey(), &entry).unwrap().index, 1);
    let broken = proof.replacen("index", "extra ~\nindex", 1);
    assert!(check_proof(&broken, &ledger.vkey(), &entry).is_err());
}

#[test]
fn old_checkpoints_are_shown_to_be_continued() {
    let (_data, ledger) = ledger(1);
    let mut heads = vec![ledger.checkpoint()];
    for size in [2, 3, 100, 256, 257, 600] {
        let receipts: Vec<_> = (ledger.checkpoint().size..size)
            .map(|index| short_receipt(&format!("r{index}")))
            .collect();
        ledger.append_all(&receipts).unwrap();
        heads.push(ledger.checkpoint());
    }
    let now = ledger.checkpoint();
    for old in &heads {
        let proof = ledger.prove_consistency(old.size).unwrap();
        check_consistency(old, &now, &proof).unwrap();
        let mut forged = old.clone();
        forged.root.0[0] ^= 1;
        assert!(check_consistency(&forged, &now, &proof).is_err());
        forged = old.clone();
        forged.origin.push('x');
        assert!(check_consistency(&forged, &now, &proof).is_err());
    }
    assert!(ledger.prove_consistency(601).is_err());
}

/// The script next to this file uses nothing but Python's standard library.
#[test]
fn python_accepts_a_proof_and_refuses_a_false_one() {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: there is no python3 here to check a proof with");
        return;
    }
    let data = TempDir::new().unwrap();
    let ledger = Ledger::open(&data.path().join("ledger"), ORIGIN).unwrap();
    for index in 0..7 {
        ledger.append(&receipt(&format!("r{index}"))).unwrap();
    }
    let file = |name: &str, bytes: &[u8]| {
        let path = data.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let proof = file("receipt.tlog-proof", ledger.prove(4).unwrap().as_bytes());
    let entry = file("receipt.json", &ledger.entry(4).unwrap());
    let other = file("other.json", &ledger.entry(5).unwrap());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/check_tlog_proof.py");
    let check = |proof: &std::path::Path, entry: &std::path::Path| {
        let command =
            Command::new("python3").arg(script).arg(ledger.vkey()).arg(proof).arg(entry).output();
        let output = command.unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (accepted, said) = check(&proof, &entry);
    assert!(accepted && said.starts_with("entry 4 of 7"), "{said}");
    assert!(!check(&proof, &other).0);
    let text = ledger.prove(4).unwrap();
    let forged = text.replacen("\n7\n", "\n8\n", 1);
    assert_ne!(forged, text);
    assert!(!check(&file("forged.tlog-proof", forged.as_bytes()), &entry).0);
}
