//! Artifacts: what a receipt names by its digest and that is no secret of a person. A policy, a
//! calibration, the list of the documents that were searched.

use serde::{Deserialize, Serialize};

/// A text under the digest of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactRow {
    /// `sha256:…` of the content: the key.
    pub digest: String,
    /// What it is: `policy`, `calibration`, `index`, `index-page`, `about`.
    pub kind: String,
    /// The text itself.
    pub content: String,
}

impl ArtifactRow {
    /// A text of some kind under its digest.
    #[must_use]
    pub fn new(kind: &str, content: String) -> ArtifactRow {
        ArtifactRow { digest: digest(&content), kind: kind.into(), content }
    }

    /// Whether the content is what the digest names.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        digest(&self.content) == self.digest
    }
}

/// `sha256:` and the hexadecimal SHA-256 of a text.
pub(crate) fn digest(text: &str) -> String {
    use sha2::{Digest, Sha256};
    use std::fmt::Write;
    let mut written = String::from("sha256:");
    for byte in Sha256::digest(text.as_bytes()) {
        write!(written, "{byte:02x}").expect("writing to a string does not fail");
    }
    written
}

#[cfg(test)]
mod tests {
    use super::ArtifactRow;

    #[test]
    fn the_digest_is_that_of_the_content() {
        let row = ArtifactRow::new("policy", "name: x\n".into());
        // printf 'name: x\n' | sha256sum
        let expected = "sha256:a2a79ea37edb1963efaae29281523ab441a8a99df048d204f22f3f413e325afc";
        assert_eq!(row.digest, expected);
        assert!(row.is_whole());
        assert!(!ArtifactRow { content: "name: y\n".into(), ..row }.is_whole());
    }
}
