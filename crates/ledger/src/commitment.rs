//! Salted commitments: a receipt binds the words of a prompt without holding them.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Keeps commitments apart from every other use of SHA-256 here.
const DOMAIN: &[u8] = b"allod-commitment-1\n";

/// SHA-256 over a domain tag, the salt and the content, as `sha256:` and 64 hexadecimal digits.
///
/// Whoever has the salt and the content can show what was committed to. Once the salt is destroyed,
/// the commitment says nothing about the content, even if the content is easily guessed.
#[must_use]
pub fn commit(salt: &[u8; 32], content: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(DOMAIN);
    hasher.update(salt);
    hasher.update(content.as_bytes());
    let mut text = String::from("sha256:");
    for byte in hasher.finalize() {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
    }
    text
}

/// A fresh random salt.
///
/// # Errors
/// If the operating system gives no random bytes.
pub fn new_salt() -> Result<[u8; 32]> {
    let mut salt = [0; 32];
    getrandom::fill(&mut salt).map_err(|error| Error::Random { reason: error.to_string() })?;
    Ok(salt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_hash_of_tag_salt_and_content() {
        let mut bytes = b"allod-commitment-1\n".to_vec();
        bytes.extend([7; 32]);
        bytes.extend("Wer zahlt?".as_bytes());
        let digest = Sha256::digest(&bytes);
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(commit(&[7; 32], "Wer zahlt?"), format!("sha256:{hex}"));
    }

    #[test]
    fn depends_on_salt_and_content() {
        let first = commit(&[0; 32], "a");
        assert_ne!(first, commit(&[1; 32], "a"));
        assert_ne!(first, commit(&[0; 32], "b"));
    }

    #[test]
    fn salts_differ() {
        assert_ne!(new_salt().unwrap(), new_salt().unwrap());
    }
}
