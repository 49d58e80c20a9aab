//! What a search is narrowed to.

use crate::compartment::PassageEntry;
use allod_corpus::Language;

/// What a search is narrowed to; what is empty narrows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Passages in one of these languages.
    pub languages: Vec<Language>,
    /// Documents from one of these: the source as the document states it, its path, or a folder
    /// above it.
    pub sources: Vec<String>,
    /// Documents with one of these labels, which the caller must be cleared for; `None` is public.
    pub labels: Vec<Option<String>>,
}

impl Filter {
    pub(crate) fn opens(&self, label: Option<&str>) -> bool {
        self.labels.is_empty() || self.labels.iter().any(|wanted| wanted.as_deref() == label)
    }

    pub(crate) fn takes(&self, entry: &PassageEntry) -> bool {
        let language = self.languages.is_empty() || self.languages.contains(&entry.language);
        language && (self.sources.is_empty() || self.sources.iter().any(|s| is_from(entry, s)))
    }
}

fn is_from(entry: &PassageEntry, source: &str) -> bool {
    let below = |folder: &str| {
        let rest = entry.path.strip_prefix(folder.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    entry.source.as_deref() == Some(source) || below(source)
}
