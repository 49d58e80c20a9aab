//! API keys: `allod_<id>_<secret>`, where only the secret's digest is stored.
//!
//! The secret is 32 random bytes, so a plain SHA-256 of it cannot be searched; a slow password
//! hash would only slow down honest requests.

use crate::Error;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

const PREFIX: &str = "allod_";
const SECRET_BYTES: usize = 32;

/// An API key as it is stored; holds nothing that would let anyone use the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRow {
    /// Public part of the key.
    pub id: String,
    /// What a person calls it.
    pub name: String,
    /// Tenant on whose behalf it asks.
    pub tenant: String,
    /// Access labels that it may read.
    pub labels: Vec<String>,
    /// What it may do.
    pub role: String,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// When it was revoked.
    pub revoked_at: Option<String>,
}

/// A presented or fresh key, taken apart. Has no `Debug`: it holds the secret.
pub(crate) struct PresentedKey {
    pub(crate) id: String,
    secret: [u8; SECRET_BYTES],
}

impl PresentedKey {
    /// A fresh key.
    pub(crate) fn generate() -> Result<PresentedKey, Error> {
        let mut secret = [0; SECRET_BYTES];
        getrandom::fill(&mut secret).map_err(Error::NoRandomness)?;
        Ok(PresentedKey { id: random_id()?, secret })
    }

    /// Takes a key apart; `None` if it is malformed. The id has no `_`, the secret may.
    pub(crate) fn parse(text: &str) -> Option<PresentedKey> {
        let (id, encoded) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let mut secret = [0; SECRET_BYTES];
        let length = URL_SAFE_NO_PAD.decode_slice(encoded, &mut secret).ok()?;
        (length == SECRET_BYTES && !id.is_empty())
            .then(|| PresentedKey { id: id.to_owned(), secret })
    }

    /// The whole key, to be shown once.
    pub(crate) fn reveal(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, URL_SAFE_NO_PAD.encode(self.secret))
    }

    /// What is stored of the secret.
    pub(crate) fn secret_digest(&self) -> Vec<u8> {
        Sha256::digest(self.secret).to_vec()
    }

    /// Whether `stored` is this key's digest, in a time that does not depend on where they differ.
    pub(crate) fn matches(&self, stored: &[u8]) -> bool {
        let own = self.secret_digest();
        let difference =
            own.iter().zip(stored).fold(0, |sum, (a, b)| std::hint::black_box(sum | (a ^ b)));
        own.len() == stored.len() && difference == 0
    }
}

/// A short random id (48 bits, hexadecimal): people type these.
pub(crate) fn random_id() -> Result<String, Error> {
    let mut bytes = [0; 6];
    getrandom::fill(&mut bytes).map_err(Error::NoRandomness)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_being_written_down() {
        let key = PresentedKey::generate().unwrap();
        let again = PresentedKey::parse(&key.reveal()).unwrap();
        assert_eq!(again.id, key.id);
        assert!(again.matches(&key.secret_digest()));
    }

    #[test]
    fn a_digest_of_another_key_or_length_does_not_match() {
        let key = PresentedKey::generate().unwrap();
        let other = PresentedKey::generate().unwrap();
        assert!(!key.matches(&other.secret_digest()));
        assert!(!key.matches(&key.secret_digest()[..31]));
        assert!(!key.matches(&[]));
    }

    #[test]
    fn malformed_keys_are_not_parsed() {
        let whole = PresentedKey::generate().unwrap().reveal();
        let short = &whole[..whole.len() - 4];
        let long = format!("{whole}AAAA");
        let huge = format!("allod_x_{}", "A".repeat(1 << 20));
        let bad = ["", "allod_", "allod_x", "allod_x_", "allod__AAAA", short, &long, &huge];
        for text in bad {
            assert!(PresentedKey::parse(text).is_none(), "{text:.40}");
        }
        assert!(PresentedKey::parse(&whole.replacen("allod", "other", 1)).is_none());
    }
}
