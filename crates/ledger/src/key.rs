//! The keys of signed notes: Ed25519, with a name and a key id (C2SP signed-note).

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey as Ed25519Key, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// What a key signs (C2SP signed-note, "Signature types").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// Notes: Ed25519 over the text.
    Note = 1,
    /// That a checkpoint continues those that were seen before (C2SP tlog-cosignature, v1).
    Cosignature = 4,
}

impl KeyType {
    fn of(byte: u8) -> Option<KeyType> {
        [KeyType::Note, KeyType::Cosignature].into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// What a private key file begins with; the form is that of Go's `sumdb/note`.
const PRIVATE: &str = "PRIVATE+KEY+";

/// A key that checks notes. Its text, the *vkey*, is `name+id+base64`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyType,
    id: [u8; 4],
    key: VerifyingKey,
}

impl VerifierKey {
    fn new(name: &str, kind: KeyType, key: VerifyingKey) -> VerifierKey {
        let mut hasher = Sha256::new();
        hasher.update(name.as_bytes());
        hasher.update([b'\n', kind as u8]);
        hasher.update(key.as_bytes());
        let [first, second, third, fourth, ..]: [u8; 32] = hasher.finalize().into();
        VerifierKey { name: name.to_owned(), kind, id: [first, second, third, fourth], key }
    }

    /// What it signs.
    #[must_use]
    pub fn kind(&self) -> KeyType {
        self.kind
    }

    /// The key's name; for a log it is the log's origin.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes of a hash over name and key.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// Whether `signature` is this key's over `text`. Only the one strict form counts.
    pub(crate) fn has_signed(&self, text: &str, signature: &[u8]) -> bool {
        let signature = Signature::from_slice(signature);
        signature.is_ok_and(|signature| self.key.verify_strict(text.as_bytes(), &signature).is_ok())
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[self.kind as u8], self.key.as_bytes().as_slice()].concat();
        write!(formatter, "{}+{}+{}", self.name, hex(self.id), STANDARD.encode(key))
    }
}

impl FromStr for VerifierKey {
    type Err = Error;

    /// Reads a vkey. Only the exact form is taken, so that each byte of it matters.
    fn from_str(text: &str) -> Result<VerifierKey> {
        let malformed = |reason: &str| Error::malformed("the verifier key", reason);
        let (name, id, kind, key) = parts(text).map_err(malformed)?;
        let key = VerifyingKey::from_bytes(&key).map_err(|_| malformed("not an Ed25519 key"))?;
        let key = VerifierKey::new(name, kind, key);
        if hex(key.id) != id {
            return Err(malformed("its key id is not that of its name and key"));
        }
        Ok(key)
    }
}

/// A key that signs notes.
pub struct SigningKey {
    key: Ed25519Key,
    verifier: VerifierKey,
}

impl SigningKey {
    /// A new random key.
    ///
    /// # Errors
    /// If the name cannot be a key's name, or there are no random bytes.
    pub fn generate(name: &str) -> Result<SigningKey> {
        SigningKey::generate_for(name, KeyType::Note)
    }

    /// A new random key for signatures of that kind.
    ///
    /// # Errors
    /// As [`SigningKey::generate`].
    pub fn generate_for(name: &str, kind: KeyType) -> Result<SigningKey> {
        check_name(name).map_err(|reason| Error::malformed("the origin", reason))?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| Error::Random { reason: error.to_string() })?;
        Ok(SigningKey::from_seed(name, kind, seed))
    }

    fn from_seed(name: &str, kind: KeyType, seed: [u8; 32]) -> SigningKey {
        let key = Ed25519Key::from_bytes(&seed);
        let verifier = VerifierKey::new(name, kind, key.verifying_key());
        SigningKey { key, verifier }
    }

    /// The key that checks what this one signs.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    pub(crate) fn sign(&self, text: &str) -> [u8; 64] {
        self.key.sign(text.as_bytes()).to_bytes()
    }

    /// The text of the private key: `PRIVATE+KEY+name+id+base64`.
    pub(crate) fn to_private_text(&self) -> String {
        let kind = self.verifier.kind as u8;
        let seed = STANDARD.encode([&[kind], self.key.to_bytes().as_slice()].concat());
        format!("{PRIVATE}{}+{}+{seed}", self.verifier.name, hex(self.verifier.id))
    }

    /// Reads a private key.
    ///
    /// # Errors
    /// If the text is not exactly in the form.
    pub(crate) fn from_private_text(text: &str) -> Result<SigningKey> {
        let malformed = |reason: &str| Error::malformed("the private key", reason);
        let rest = text.strip_prefix(PRIVATE).ok_or_else(|| malformed("it has no PRIVATE+KEY+"))?;
        let (name, id, kind, seed) = parts(rest).map_err(malformed)?;
        let key = SigningKey::from_seed(name, kind, seed);
        if hex(key.verifier.id) != id {
            return Err(malformed("its key id is not that of its name and key"));
        }
        Ok(key)
    }
}

impl fmt::Debug for SigningKey {
    /// Shows the name, never the key.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey({})", self.verifier.name)
    }
}

/// Splits `name+id+base64(type || 32 bytes)`.
fn parts(text: &str) -> Result<(&str, &str, KeyType, [u8; 32]), &'static str> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("it has not the form name+id+key");
    };
    check_name(name)?;
    let bytes = STANDARD.decode(key).map_err(|_| "the key is not base64")?;
    let (kind, key) = bytes.split_first().ok_or("the key is empty")?;
    let kind = KeyType::of(*kind).ok_or("it is no key for notes (type 1) or cosignatures (4)")?;
    Ok((name, id, kind, key.try_into().map_err(|_| "the key has not 32 bytes")?))
}

/// A key's name is not empty and has no space, plus or control character.
pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
    let allowed =
        |character: char| !character.is_whitespace() && !character.is_control() && character != '+';
    if !name.is_empty() && name.chars().all(allowed) {
        return Ok(());
    }
    Err("a key's name must have at least one character and no space, plus or control character")
}

fn hex(id: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the documentation of Go's `golang.org/x/mod/sumdb/note`.
    const GO_PRIVATE: &str =
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const GO_VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    #[test]
    fn reads_and_writes_the_known_pair() {
        let key = SigningKey::from_private_text(GO_PRIVATE).unwrap();
        assert_eq!(key.verifier().to_string(), GO_VKEY);
        assert_eq!(key.to_private_text(), GO_PRIVATE);
        assert_eq!(GO_VKEY.parse::<VerifierKey>().unwrap(), *key.verifier());
    }

    #[test]
    fn every_altered_byte_of_a_vkey_is_noticed() {
        for place in 0..GO_VKEY.len() {
            for bit in 0..7 {
                let mut bytes = GO_VKEY.as_bytes().to_vec();
                bytes[place] ^= 1 << bit;
                let text = String::from_utf8(bytes).unwrap();
                assert!(text.parse::<VerifierKey>().is_err(), "{text}");
            }
        }
        assert!(format!("{GO_VKEY}=").parse::<VerifierKey>().is_err());
        assert!(GO_VKEY[..GO_VKEY.len() - 1].parse::<VerifierKey>().is_err());
    }

    #[test]
    fn names_are_checked() {
        for name in ["", "a b", "a+b", "a\nb", "a\u{a0}b", "a\u{7f}"] {
            assert!(SigningKey::generate(name).is_err(), "{name:?}");
        }
        let key = SigningKey::generate("gemeinde.example/protokoll").unwrap();
        assert_eq!(key.verifier().name(), "gemeinde.example/protokoll");
        let again = SigningKey::from_private_text(&key.to_private_text()).unwrap();
        assert_eq!(again.verifier(), key.verifier());
        assert!(!format!("{key:?}").contains(&key.to_private_text()[50..]));
    }
}
