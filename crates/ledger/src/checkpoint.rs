//! Checkpoints (C2SP tlog-checkpoint): the head of a log as a signed note.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::key::{SigningKey, VerifierKey};
use crate::note;

/// The head of a log: its name, how many entries it holds, and the root over them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// How many entries there are.
    pub size: u64,
    /// The root of the Merkle tree.
    pub root: Hash,
}

impl Checkpoint {
    /// The text that is signed: origin, size and root, a line each.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.0))
    }

    /// Reads the text of a checkpoint. Extension lines are allowed and ignored.
    ///
    /// # Errors
    /// If the text is not a checkpoint's.
    pub fn from_text(text: &str) -> Result<Checkpoint> {
        let lines: Vec<&str> = text.strip_suffix('\n').unwrap_or(text).split('\n').collect();
        let [origin, size, root, ..] = lines[..] else {
            return Err(malformed("it has fewer than three lines"));
        };
        if lines.contains(&"") {
            return Err(malformed("it has an empty line"));
        }
        Ok(Checkpoint {
            origin: origin.to_owned(),
            size: decimal(size).ok_or_else(|| malformed("the size is not a decimal number"))?,
            root: hash_line(root).ok_or_else(|| malformed("the root is not a hash in base64"))?,
        })
    }

    /// Reads a signed checkpoint. The key's name must be the origin.
    ///
    /// # Errors
    /// If the note is not signed by the key, or not a checkpoint of the log named like the key.
    pub fn open(note: &str, key: &VerifierKey) -> Result<Checkpoint> {
        let checkpoint = Checkpoint::from_text(note::open(note, key)?)?;
        if checkpoint.origin != key.name() {
            return Err(malformed("its origin is not the name of the key"));
        }
        Ok(checkpoint)
    }

    /// Signs the checkpoint.
    ///
    /// # Errors
    /// If the origin cannot stand in a note.
    pub(crate) fn sign(&self, key: &SigningKey) -> Result<String> {
        note::sign(&self.to_text(), key)
    }
}

/// A decimal number without sign or leading zeros.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let number = text.parse::<u64>().ok()?;
    (number.to_string() == text).then_some(number)
}

/// A hash in base64.
pub(crate) fn hash_line(text: &str) -> Option<Hash> {
    let bytes = STANDARD.decode(text).ok()?;
    bytes.try_into().ok().map(Hash)
}

fn malformed(reason: &str) -> Error {
    Error::malformed("the checkpoint", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of the example in C2SP tlog-checkpoint.
    const TEXT: &str = "example.com/behind-the-sofa\n20852163\n\
        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    #[test]
    fn reads_and_writes_the_example_of_the_specification() {
        let checkpoint = Checkpoint::from_text(TEXT).unwrap();
        assert_eq!(checkpoint.origin, "example.com/behind-the-sofa");
        assert_eq!(checkpoint.size, 20_852_163);
        assert_eq!(checkpoint.to_text(), TEXT);
    }

    #[test]
    fn extension_lines_are_ignored_but_not_empty() {
        assert_eq!(
            Checkpoint::from_text(&format!("{TEXT}more\n")).unwrap(),
            Checkpoint::from_text(TEXT).unwrap()
        );
        assert!(Checkpoint::from_text(&format!("{TEXT}\nmore\n")).is_err());
    }

    #[test]
    fn malformed_texts_are_refused() {
        let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
        for text in [
            "a\n1\n".to_owned(),
            format!("\n1\n{root}\n"),
            format!("a\n01\n{root}\n"),
            format!("a\n+1\n{root}\n"),
            format!("a\n-1\n{root}\n"),
            format!("a\n18446744073709551616\n{root}\n"),
            format!("a\n1\n{}\n", &root[1..]),
            "a\n1\nAAAA\n".to_owned(),
        ] {
            assert!(Checkpoint::from_text(&text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn only_the_logs_own_key_counts() {
        let key = SigningKey::generate("a.example").unwrap();
        let mut checkpoint =
            Checkpoint { origin: "a.example".into(), size: 0, root: Hash::empty() };
        let note = checkpoint.sign(&key).unwrap();
        assert_eq!(Checkpoint::open(&note, key.verifier()).unwrap(), checkpoint);
        let other = SigningKey::generate("a.example").unwrap();
        assert!(Checkpoint::open(&note, other.verifier()).is_err());
        checkpoint.origin = "b.example".into();
        let note = checkpoint.sign(&key).unwrap();
        assert!(Checkpoint::open(&note, key.verifier()).is_err());
    }
}
