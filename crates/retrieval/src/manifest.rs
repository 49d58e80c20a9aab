//! The list of all documents that a search could have found: the index version of a receipt.
//!
//! It is a text under its digest. It names the encoder, and for each compartment that the caller
//! may read its label and its pages; a page is a text under its digest that lists documents by
//! path, digest of the canonical text, and digest of what is said about it. A document stands on
//! the page that the first byte of its path's digest names, so that a change of one document
//! makes one new page. What is found depends on these documents only, not on the order in which
//! they came, so a library that is built from the list finds the same.

use crate::compartment::Loaded;
use crate::error::{Error, Result};
use allod_corpus::{Digest, Document};
use allod_store::{ArtifactRow, Store, VersionRow};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The form of the list.
const VERSION: &str = "allod-index-1";
/// The kind of artifact that a list is, and that a page is.
const KINDS: [&str; 2] = ["index", "index-page"];

/// All documents that a search could have found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    root: ArtifactRow,
    pages: Vec<Arc<ArtifactRow>>,
}

/// A document of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(String, String, String)", from = "(String, String, String)")]
pub struct Listed {
    /// Its path.
    pub path: String,
    /// The digest of its canonical text.
    pub digest: String,
    /// The digest of what is said about the text ([`VersionRow::about`]).
    pub about: String,
}

impl From<(String, String, String)> for Listed {
    fn from((path, digest, about): (String, String, String)) -> Listed {
        Listed { path, digest, about }
    }
}

impl From<Listed> for (String, String, String) {
    fn from(listed: Listed) -> (String, String, String) {
        (listed.path, listed.digest, listed.about)
    }
}

#[derive(Serialize, Deserialize)]
struct Root {
    version: String,
    encoder: Option<String>,
    compartments: Vec<RootPart>,
}

#[derive(Serialize, Deserialize)]
struct RootPart {
    label: Option<String>,
    pages: Vec<String>,
}

/// The pages of one compartment.
pub(crate) struct Pages {
    pub(crate) label: Option<String>,
    pages: Vec<Arc<ArtifactRow>>,
}

impl Pages {
    /// The documents of a compartment; `None` if the store does not know one of them.
    pub(crate) fn of(compartment: &Loaded, store: &dyn Store) -> Result<Option<Pages>> {
        let mut paged: BTreeMap<u8, Vec<Listed>> = BTreeMap::new();
        for entry in compartment.documents.values() {
            let Some(version) = store.version(&entry.digest, Some(&entry.path))? else {
                return Ok(None);
            };
            let listed = Listed {
                path: entry.path.clone(),
                digest: entry.digest.clone(),
                about: Digest::of(version.about().as_bytes()).to_string(),
            };
            paged.entry(Digest::of(entry.path.as_bytes()).0[0]).or_default().push(listed);
        }
        let page = |mut page: Vec<Listed>| {
            page.sort_by(|a, b| a.path.cmp(&b.path));
            Arc::new(ArtifactRow::new(KINDS[1], json(&page)))
        };
        let label = compartment.label.clone();
        Ok(Some(Pages { label, pages: paged.into_values().map(page).collect() }))
    }
}

impl Manifest {
    /// The list over these compartments, with the encoder's identity.
    pub(crate) fn new<'a>(
        encoder: Option<&str>,
        visible: impl Iterator<Item = &'a Pages>,
    ) -> Manifest {
        let (mut compartments, mut pages) = (Vec::new(), Vec::new());
        for part in visible.filter(|part| !part.pages.is_empty()) {
            let digests = part.pages.iter().map(|page| page.digest.clone()).collect();
            compartments.push(RootPart { label: part.label.clone(), pages: digests });
            pages.extend(part.pages.iter().cloned());
        }
        let encoder = encoder.map(str::to_owned);
        let root = json(&Root { version: VERSION.into(), encoder, compartments });
        Manifest { root: ArtifactRow::new(KINDS[0], root), pages }
    }

    /// The list of this digest, with all its pages, from a store.
    ///
    /// # Errors
    /// [`Error::Gone`] if it or a page is not there, [`Error::Manifest`] if it is not as it was.
    pub fn read(digest: &str, store: &dyn Store) -> Result<Manifest> {
        let root = artifact(digest, store)?;
        let read = parse::<Root>(&root)?;
        if read.version != VERSION {
            let what = format!("is of the form {}, this program reads {VERSION}", read.version);
            return Err(Error::Manifest { digest: digest.into(), what });
        }
        let pages = read.compartments.iter().flat_map(|part| &part.pages);
        let pages: Result<Vec<_>> = pages.map(|page| artifact(page, store).map(Arc::new)).collect();
        Ok(Manifest { root, pages: pages? })
    }

    /// Its digest, which names it.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.root.digest
    }

    /// Its texts: itself, then its pages.
    pub fn artifacts(&self) -> impl Iterator<Item = &ArtifactRow> {
        std::iter::once(&self.root).chain(self.pages.iter().map(Arc::as_ref))
    }

    /// The identity of the encoder that was searched with.
    ///
    /// # Errors
    /// [`Error::Manifest`] if it is no list.
    pub fn encoder(&self) -> Result<Option<String>> {
        Ok(parse::<Root>(&self.root)?.encoder)
    }

    /// All its documents.
    ///
    /// # Errors
    /// [`Error::Manifest`] if a page is none.
    pub fn documents(&self) -> Result<Vec<Listed>> {
        let mut documents = Vec::new();
        for page in &self.pages {
            documents.extend(parse::<Vec<Listed>>(page)?);
        }
        Ok(documents)
    }
}

impl Listed {
    /// The version that is listed, with what was said about it then.
    ///
    /// # Errors
    /// [`Error::Gone`] if it is not there, [`Error::Manifest`] if it is not as it was.
    pub fn version(&self, store: &dyn Store) -> Result<VersionRow> {
        let Listed { path, digest, about } = self;
        let named = |digest: &str, what: &str| Error::Manifest {
            digest: digest.into(),
            what: format!("{what} ({path})"),
        };
        let Some(version) = store.version(digest, Some(path))? else {
            return Err(Error::Gone { digest: format!("{digest} ({path})") });
        };
        if Digest::of(version.text.as_bytes()).to_string() != *digest {
            return Err(named(digest, "is a document whose text was changed"));
        }
        if Digest::of(version.about().as_bytes()).to_string() == *about {
            return Ok(version);
        }
        let said = artifact(about, store)?;
        version.with_about(&said.content).ok_or_else(|| named(about, "says nothing of a document"))
    }
}

fn artifact(digest: &str, store: &dyn Store) -> Result<ArtifactRow> {
    let wrong = |what: &str| Error::Manifest { digest: digest.into(), what: what.into() };
    let gone = || Error::Gone { digest: digest.into() };
    let found = store.artifact(digest)?.ok_or_else(gone)?;
    if found.is_whole() { Ok(found) } else { Err(wrong("was changed")) }
}

fn parse<'a, T: Deserialize<'a>>(artifact: &'a ArtifactRow) -> Result<T> {
    serde_json::from_str(&artifact.content)
        .map_err(|e| Error::Manifest { digest: artifact.digest.clone(), what: e.to_string() })
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("a list has only string keys")
}

/// The document that a stored version holds.
///
/// # Errors
/// [`Error::Row`] if the store's row is none.
pub fn document_of(version: &VersionRow) -> Result<Document> {
    let row = |detail: String| Error::Row { path: version.path.clone(), detail };
    let wrong = |e: serde_json::Error| row(e.to_string());
    let pages = version.pages_json.as_deref().map(serde_json::from_str).transpose();
    Ok(Document {
        digest: version.digest.parse().map_err(|e: allod_corpus::NotADigest| row(e.to_string()))?,
        text: version.text.clone(),
        metadata: serde_json::from_str(&version.metadata_json).map_err(wrong)?,
        blocks: serde_json::from_str(&version.blocks_json).map_err(wrong)?,
        pages: pages.map_err(wrong)?,
    })
}
