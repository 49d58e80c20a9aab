//! Cosignatures (C2SP tlog-cosignature, v1): what a witness adds to a checkpoint that continues
//! those that it has seen before.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::{Error, Result};
use crate::key::{KeyType, SigningKey, VerifierKey};
use crate::note;

/// That a witness has seen a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignature {
    /// The witness's name.
    pub witness: String,
    /// When, in seconds since 1970.
    pub time: u64,
}

/// What is signed: a header, the time, and the note's text.
fn message(time: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// The signature line, with its newline, for a note's text.
///
/// # Errors
/// If the key is not one for cosignatures.
pub(crate) fn cosign(text: &str, key: &SigningKey, time: u64) -> Result<String> {
    let verifier = key.verifier();
    if verifier.kind() != KeyType::Cosignature {
        let reason = "it is no key for cosignatures (type 4)";
        return Err(Error::malformed("the witness's key", reason));
    }
    let signature = key.sign(&message(time, text));
    let bytes = [&verifier.id()[..], &time.to_be_bytes(), &signature].concat();
    Ok(format!("— {} {}\n", verifier.name(), STANDARD.encode(bytes)))
}

/// The cosignatures that a checkpoint's note bears of some witnesses; those of others are ignored.
///
/// # Errors
/// If the note is malformed, or a signature line of one of the witnesses is not valid.
pub fn cosignatures(note: &str, witnesses: &[VerifierKey]) -> Result<Vec<Cosignature>> {
    let (text, lines) = note::split(note)?;
    let mut found = Vec::new();
    for line in lines {
        let of = |key: &&VerifierKey| {
            key.kind() == KeyType::Cosignature && key.name() == line.name && key.id() == line.id
        };
        let Some(key) = witnesses.iter().find(of) else { continue };
        let bad = || Error::BadSignature { key: key.name().to_owned() };
        let (time, signature) = line.bytes.split_first_chunk::<8>().ok_or_else(bad)?;
        let time = u64::from_be_bytes(*time);
        if !key.has_signed(&message(time, text), signature) {
            return Err(bad());
        }
        found.push(Cosignature { witness: key.name().to_owned(), time });
    }
    Ok(found)
}

/// The note with the signature lines that a witness sent for it.
///
/// # Errors
/// If there is no valid cosignature of this witness among the lines, or anything else is.
pub fn with_cosignature(note: &str, lines: &str, witness: &VerifierKey) -> Result<String> {
    let cosigned = format!("{note}{lines}");
    let (before, after) = (note::split(note)?.0, note::split(&cosigned)?.0);
    let own = cosignatures(&cosigned, std::slice::from_ref(witness))?;
    if before != after || own.is_empty() {
        return Err(Error::NotSigned { key: witness.name().to_owned() });
    }
    Ok(cosigned)
}

/// Now, in seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The note of the example in C2SP tlog-cosignature; its keys are not published.
    const NOTE: &str = "example.com/behind-the-sofa\n20852163\n\
        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
        — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5\
        /Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";
    const COSIGNED: &str = "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHe\
        olMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";

    fn key() -> SigningKey {
        SigningKey::generate_for("w.example/1", KeyType::Cosignature).unwrap()
    }

    #[test]
    fn a_line_has_the_form_of_the_specifications_example() {
        let (_, lines) =
            note::split(&[NOTE, COSIGNED].concat()).map(|(t, l)| (t, l.len())).unwrap();
        assert_eq!(lines, 2);
        let all = [NOTE, COSIGNED].concat();
        let (text, lines) = note::split(&all).unwrap();
        let line = lines.last().unwrap();
        let time = u64::from_be_bytes(*line.bytes.first_chunk().unwrap());
        assert_eq!((time, line.bytes.len()), (1_679_315_147, 72));
        let own = cosign(text, &key(), time).unwrap();
        let own = [NOTE, &own].concat();
        let own = note::split(&own).unwrap().1.pop().unwrap();
        assert_eq!((own.bytes.len(), &own.bytes[..8]), (72, &line.bytes[..8]));
    }

    #[test]
    fn a_cosignature_counts_for_its_text_time_and_witness_only() {
        let (key, text) = (key(), note::split(NOTE).unwrap().0);
        let line = cosign(text, &key, 17).unwrap();
        let cosigned = with_cosignature(NOTE, &line, key.verifier()).unwrap();
        let found = cosignatures(&cosigned, &[key.verifier().clone()]).unwrap();
        assert_eq!(found, [Cosignature { witness: "w.example/1".into(), time: 17 }]);
        let other = self::key();
        assert!(cosignatures(&cosigned, &[other.verifier().clone()]).unwrap().is_empty());
        assert!(with_cosignature(NOTE, &line, other.verifier()).is_err());
        assert!(with_cosignature(NOTE, &format!("more\n\n{line}"), key.verifier()).is_err());
        let altered = cosigned.replace("20852163", "20852164");
        assert!(cosignatures(&altered, &[key.verifier().clone()]).is_err());
    }

    #[test]
    fn keys_are_for_one_thing() {
        let note_key = SigningKey::generate("a.example").unwrap();
        assert!(cosign("text\n", &note_key, 1).is_err());
        let text = key().verifier().to_string();
        let read: VerifierKey = text.parse().unwrap();
        assert_eq!((read.kind(), read.to_string()), (KeyType::Cosignature, text));
        assert!(note::open(NOTE, &read).is_err());
    }
}
