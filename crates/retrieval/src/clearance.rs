//! Who may read what: labels, clearances and the compartments that they open.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Name of the compartment of documents without a label.
pub const PUBLIC: &str = "public";

/// What a caller may read besides public documents.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Clearance {
    /// The labels that the caller may read.
    pub labels: BTreeSet<String>,
}

impl Clearance {
    /// Public documents only.
    #[must_use]
    pub fn public() -> Clearance {
        Clearance::default()
    }

    /// Public documents and those with one of these labels.
    pub fn of<I: IntoIterator<Item = S>, S: Into<String>>(labels: I) -> Clearance {
        Clearance { labels: labels.into_iter().map(Into::into).collect() }
    }

    /// Whether a document with this label may be read.
    #[must_use]
    pub fn permits(&self, label: Option<&str>) -> bool {
        label.is_none_or(|label| self.labels.contains(label))
    }
}

/// Folder name of a label's compartment. Public is `public`; a label is `label-` and its bytes,
/// all but lower-case letters, digits and `-` as `_` and two hex digits, so that two labels never
/// share a folder (not on file systems that ignore case either) and no label leaves the index.
pub(crate) fn folder_name(label: Option<&str>) -> String {
    let Some(label) = label else { return PUBLIC.to_owned() };
    let mut name = String::from("label-");
    for byte in label.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => name.push(char::from(byte)),
            other => name.push_str(&format!("_{other:02x}")),
        }
    }
    name
}

/// The label of a folder that [`folder_name`] named; `None` if it did not.
pub(crate) fn label_of_folder(folder: &str) -> Option<Option<String>> {
    if folder == PUBLIC {
        return Some(None);
    }
    let mut rest = folder.strip_prefix("label-")?.bytes();
    let mut label = Vec::new();
    while let Some(byte) = rest.next() {
        if byte != b'_' {
            label.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        let digits = std::str::from_utf8(&digits).ok()?;
        label.push(u8::from_str_radix(digits, 16).ok()?);
    }
    String::from_utf8(label).ok().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_names_are_safe_and_distinct() {
        let labels =
            ["confidential", "Confidential", "../x", "a/b", "a b", "a_b", "é", "", "public"];
        let names: BTreeSet<String> = labels.iter().map(|l| folder_name(Some(l))).collect();
        assert_eq!(names.len(), labels.len());
        for (label, name) in labels.iter().map(|l| (l, folder_name(Some(l)))) {
            assert!(
                name.bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b))
            );
            assert_ne!(name, PUBLIC);
            assert_eq!(label_of_folder(&name), Some(Some((*label).to_owned())));
        }
        assert_eq!(label_of_folder(PUBLIC), Some(None));
        assert_eq!(label_of_folder("other"), None);
    }

    #[test]
    fn a_clearance_opens_its_labels_only() {
        let clearance = Clearance::of(["staff"]);
        assert!(clearance.permits(None) && clearance.permits(Some("staff")));
        assert!(
            !clearance.permits(Some("confidential")) && !Clearance::public().permits(Some("staff"))
        );
    }
}
