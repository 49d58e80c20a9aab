//! Signed notes (C2SP signed-note): a text and signature lines under it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::{Error, Result};
use crate::key::{KeyType, SigningKey, VerifierKey, check_name};

/// A note is at most this long: room for a hundred large signatures.
const NOTE_BYTES_MAX: usize = 1 << 20;

/// A note bears at most this many signatures. A reader must take at least 16.
const SIGNATURES_MAX: usize = 100;

/// Signs `text`, which must end in a newline.
///
/// # Errors
/// If the text cannot be a note's.
pub fn sign(text: &str, key: &SigningKey) -> Result<String> {
    check_text(text)?;
    let signature = [&key.verifier().id(), key.sign(text).as_slice()].concat();
    Ok(format!("{text}\n— {} {}\n", key.verifier().name(), STANDARD.encode(signature)))
}

/// Returns the note's text if `key` has signed it. Signatures by other keys are ignored.
///
/// # Errors
/// If the note is malformed, not signed by the key, or a signature of the key is not valid.
pub fn open<'a>(note: &'a str, key: &VerifierKey) -> Result<&'a str> {
    if key.kind() != KeyType::Note {
        return Err(Error::NotSigned { key: key.name().to_owned() });
    }
    let (text, signatures) = split(note)?;
    let mut signed = false;
    for signature in signatures {
        if signature.name == key.name() && signature.id == key.id() {
            if !key.has_signed(text, &signature.bytes) {
                return Err(Error::BadSignature { key: key.name().to_owned() });
            }
            signed = true;
        }
    }
    if signed { Ok(text) } else { Err(Error::NotSigned { key: key.name().to_owned() }) }
}

/// One signature line.
pub(crate) struct SignatureLine<'a> {
    pub name: &'a str,
    pub id: [u8; 4],
    pub bytes: Vec<u8>,
}

/// Splits a note into its text and its signature lines.
pub(crate) fn split(note: &str) -> Result<(&str, Vec<SignatureLine<'_>>)> {
    if note.len() > NOTE_BYTES_MAX {
        return Err(malformed("it is longer than one mebibyte"));
    }
    let end = note.rfind("\n\n").ok_or_else(|| malformed("it has no blank line"))?;
    let (text, signatures) = (&note[..=end], &note[end + 2..]);
    check_text(text)?;
    let lines = signatures.strip_suffix('\n').ok_or_else(|| malformed("it ends in mid-line"))?;
    let signatures = lines.split('\n').map(signature_line).collect::<Result<Vec<_>>>()?;
    if signatures.len() > SIGNATURES_MAX {
        return Err(malformed("it has more than a hundred signatures"));
    }
    Ok((text, signatures))
}

fn signature_line(line: &str) -> Result<SignatureLine<'_>> {
    let rest = line.strip_prefix("— ").ok_or_else(|| malformed("a signature line is not one"))?;
    let (name, encoded) =
        rest.split_once(' ').ok_or_else(|| malformed("a signature line has no signature"))?;
    check_name(name).map_err(malformed)?;
    let bytes = STANDARD.decode(encoded).map_err(|_| malformed("a signature is not base64"))?;
    match bytes.split_first_chunk::<4>() {
        Some((id, signature)) if !signature.is_empty() => {
            Ok(SignatureLine { name, id: *id, bytes: signature.to_vec() })
        }
        _ => Err(malformed("a signature is too short")),
    }
}

fn check_text(text: &str) -> Result<()> {
    if !text.ends_with('\n') {
        return Err(malformed("the text does not end in a newline"));
    }
    if text.bytes().any(|byte| byte < b' ' && byte != b'\n') {
        return Err(malformed("the text has a control character"));
    }
    Ok(())
}

fn malformed(reason: &str) -> Error {
    Error::malformed("the signed note", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example in C2SP signed-note.
    const VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    const NOTE: &str = "This is an example message.\n\n— example.com/foo \
        Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAl\
        TgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

    /// The example of Go's `golang.org/x/mod/sumdb/note`.
    const GO_PRIVATE: &str =
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const GO_TEXT: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n";
    const GO_SIGNATURE: &str = "— PeterNeumann \
        x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIu\
        GUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    fn key() -> VerifierKey {
        VKEY.parse().unwrap()
    }

    #[test]
    fn opens_the_example_of_the_specification() {
        assert_eq!(open(NOTE, &key()).unwrap(), "This is an example message.\n");
    }

    #[test]
    fn signs_the_example_of_go_to_the_byte() {
        let key = SigningKey::from_private_text(GO_PRIVATE).unwrap();
        let note = sign(GO_TEXT, &key).unwrap();
        assert_eq!(note, format!("{GO_TEXT}\n{GO_SIGNATURE}"));
        assert_eq!(open(&note, key.verifier()).unwrap(), GO_TEXT);
    }

    #[test]
    fn ignores_other_keys_but_not_a_false_signature() {
        let second = format!("{NOTE}{GO_SIGNATURE}");
        assert!(open(&second, &key()).is_ok());
        let go = SigningKey::from_private_text(GO_PRIVATE).unwrap();
        assert!(matches!(open(&second, go.verifier()), Err(Error::BadSignature { .. })));
        assert!(matches!(open(NOTE, go.verifier()), Err(Error::NotSigned { .. })));
    }

    #[test]
    fn the_last_blank_line_divides() {
        let key = SigningKey::generate("a.example").unwrap();
        let text = "one\n\n— a.example AAAAAAAAAAA=\n\ntwo\n";
        let note = sign(text, &key).unwrap();
        assert_eq!(open(&note, key.verifier()).unwrap(), text);
    }

    #[test]
    fn every_altered_byte_is_noticed() {
        for place in 0..NOTE.len() {
            for bit in 0..8 {
                let mut bytes = NOTE.as_bytes().to_vec();
                bytes[place] ^= 1 << bit;
                if let Ok(text) = String::from_utf8(bytes) {
                    assert!(open(&text, &key()).is_err(), "{text}");
                }
            }
        }
    }

    #[test]
    fn malformed_notes_are_refused() {
        let lines = "— a ".to_owned() + &STANDARD.encode([0; 68]) + "\n";
        let many = format!("text\n\n{}", lines.repeat(101));
        for note in ["", "\n", "text\n", "text\n\n", "te\txt\n\n— a AAAAAAA=\n", &many] {
            assert!(matches!(open(note, &key()), Err(Error::Malformed { .. })), "{note:?}");
        }
        assert!(matches!(open(&NOTE[..NOTE.len() - 1], &key()), Err(Error::Malformed { .. })));
        let sixteen = format!("text\n\n{}", lines.repeat(16));
        assert!(matches!(open(&sixteen, &key()), Err(Error::NotSigned { .. })));
        assert!(sign("no newline", &SigningKey::generate("a").unwrap()).is_err());
    }
}
