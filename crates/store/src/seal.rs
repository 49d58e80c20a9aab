//! Sealing: XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) under keys that wrap keys.
//!
//! The operator's key wraps the key of each tenant, that wraps the key of each data subject, and
//! that seals what the subject asked and was answered. Who destroys a subject's key has destroyed
//! its words, wherever copies of the sealed bytes lie.

use crate::Error;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key as CipherKey, XChaCha20Poly1305, XNonce};
use sha2::{Digest as _, Sha256};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// A key of 256 bits.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key([u8; KEY_BYTES]);

impl Key {
    pub(crate) fn random() -> Result<Key, Error> {
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes).map_err(Error::NoRandomness)?;
        Ok(Key(bytes))
    }

    /// A key written as 64 hexadecimal digits.
    pub(crate) fn from_hex(text: &str) -> Option<Key> {
        let text = text.trim();
        let mut bytes = [0; KEY_BYTES];
        if text.len() != 2 * KEY_BYTES || !text.is_ascii() {
            return None;
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
        }
        Some(Key(bytes))
    }

    pub(crate) fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Seals bytes for one place: what is sealed for another does not open there. The nonce, drawn
    /// by chance, stands first.
    pub(crate) fn seal(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, Error> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(Error::NoRandomness)?;
        let payload = Payload { msg: plain, aad: place.as_bytes() };
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload);
        // It fails for texts of more than 256 GiB only, and those are in no memory.
        let sealed = sealed.map_err(|_| Error::Sealed { what: place.to_owned() })?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// What was sealed for this place, if this is its key and no bit was changed.
    pub(crate) fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, Error> {
        let error = || Error::Sealed { what: place.to_owned() };
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or_else(error)?;
        let payload = Payload { msg: rest, aad: place.as_bytes() };
        self.cipher().decrypt(&XNonce::from(*nonce), payload).map_err(|_| error())
    }

    /// Seals a key.
    pub(crate) fn wrap(&self, place: &str, key: &Key) -> Result<Vec<u8>, Error> {
        self.seal(place, &key.0)
    }

    /// Opens a sealed key.
    pub(crate) fn unwrap(&self, place: &str, wrapped: &[u8]) -> Result<Key, Error> {
        let bytes = self.open(place, wrapped)?;
        let bytes = bytes.try_into().map_err(|_| Error::Sealed { what: place.to_owned() })?;
        Ok(Key(bytes))
    }

    /// A name that nobody can find out without this key, and that is always the same with it, of
    /// 64 bits.
    pub(crate) fn pseudonym(&self, name: &str) -> String {
        self.mac(name)[..8].iter().fold("u-".to_owned(), |text, byte| text + &format!("{byte:02x}"))
    }

    /// A key for one purpose, from which neither this one nor those for others can be found out.
    pub(crate) fn derived(&self, purpose: &str) -> Key {
        Key(self.mac(purpose))
    }

    /// HMAC-SHA-256 (RFC 2104) of a text.
    pub(crate) fn mac(&self, text: &str) -> [u8; 32] {
        let pad = |with: u8| -> [u8; 64] {
            std::array::from_fn(|index| self.0.get(index).copied().unwrap_or(0) ^ with)
        };
        let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
        Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&CipherKey::from(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of draft-irtf-cfrg-xchacha-03, appendix A.3.1.
    #[test]
    fn the_published_vector_opens() {
        let hex = |text: &str| -> Vec<u8> {
            let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
            let pair =
                |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
            digits.chunks(2).map(pair).collect()
        };
        let key: Vec<u8> = (0x80..0xa0).collect();
        let nonce: Vec<u8> = (0x40..0x58).collect();
        let sealed = hex("bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb
             731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452
             2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9
             21f9664c97637da9768812f615c68b13b52e
             c0875924c1c7987947deafd8780acf49");
        let aad = hex("50515253c0c1c2c3c4c5c6c7");
        let key: [u8; 32] = key.try_into().unwrap();
        let nonce: [u8; 24] = nonce.try_into().unwrap();
        let payload = Payload { msg: &sealed, aad: &aad };
        let plain = Key(key).cipher().decrypt(&XNonce::from(nonce), payload).unwrap();
        assert!(plain.starts_with(b"Ladies and Gentlemen of the class of '99"));
    }

    #[test]
    fn only_the_key_and_the_place_open_it() {
        let (key, other) = (Key::random().unwrap(), Key::random().unwrap());
        let sealed = key.seal("a", b"words").unwrap();
        assert_eq!(key.open("a", &sealed).unwrap(), b"words");
        assert!(key.open("b", &sealed).is_err() && other.open("a", &sealed).is_err());
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(key.open("a", &changed).is_err() && key.open("a", &[]).is_err());
        assert!(other.unwrap("k", &other.wrap("k", &key).unwrap()).unwrap() == key);
    }

    #[test]
    fn a_key_survives_being_written_down_and_a_pseudonym_is_the_same_again() {
        let key = Key::random().unwrap();
        assert!(Key::from_hex(&format!("{}\n", key.to_hex())).unwrap() == key);
        assert!(Key::from_hex("00").is_none() && Key::from_hex(&"zz".repeat(32)).is_none());
        assert_eq!(key.pseudonym("anna"), key.pseudonym("anna"));
        assert_ne!(key.pseudonym("anna"), Key::random().unwrap().pseudonym("anna"));
    }
}
