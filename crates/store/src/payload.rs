//! Payloads: the text that a receipt's commitments open to.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A prompt or an answer, with the salt that opens its commitment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadRow {
    /// The commitment in the receipt: the key.
    pub commitment: String,
    /// Salt of the commitment, hexadecimal.
    pub salt_hex: String,
    /// What it is: `prompt`, `answer`.
    pub kind: String,
    /// The text itself.
    pub content: String,
    /// Whose it is.
    pub tenant: String,
    /// The data subject: the pseudonym of who asked. The words are sealed under its key.
    #[serde(default)]
    pub subject: String,
    /// When it was stored (RFC 3339).
    pub created_at: String,
}

// Payloads are what people asked; a log line that prints a row must not hold it, nor the salt.
impl fmt::Debug for PayloadRow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PayloadRow")
            .field("commitment", &self.commitment)
            .field("kind", &self.kind)
            .field("tenant", &self.tenant)
            .field("subject", &self.subject)
            .field("created_at", &self.created_at)
            .field("content_bytes", &self.content.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_hides_text_and_salt() {
        let row = PayloadRow {
            commitment: "sha256:00".into(),
            salt_hex: "5a17".into(),
            kind: "prompt".into(),
            content: "private question".into(),
            tenant: "t".into(),
            subject: "s".into(),
            created_at: "now".into(),
        };
        let shown = format!("{row:?}");
        assert!(shown.contains("sha256:00"));
        assert!(!shown.contains("private") && !shown.contains("5a17"));
    }
}
