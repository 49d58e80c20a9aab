//! One compartment: the tantivy index of the documents with one label, or of those with none.

use crate::clearance::{PUBLIC, folder_name};
use crate::code::Codes;
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::evidence::above;
use crate::suspicion::{Attempt, attempts, masked};
use crate::vectors::Vectors;
use crate::vocabulary::Vocabulary;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tantivy::collector::DocSetCollector;
use tantivy::query::TermQuery;
use tantivy::schema::{
    FAST, Field, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions, Value,
};
use tantivy::{DocAddress, Index, IndexSettings, ReloadPolicy, Searcher, TantivyDocument, Term};

/// Changes whenever what is written to the index changes, the rules of [`attempts`] included; an
/// index of another format is rebuilt.
pub(crate) const FORMAT: u32 = 5;
/// Bytes of passages that are packed together. A search reads single passages from all over the
/// index, and unpacks the whole block of each.
const BLOCK_BYTES: usize = 4 << 10;
const DOCUMENT: &str = "document";
const ROW: &str = "row";

/// The fields of the index.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields {
    /// Path of the document, whole.
    pub(crate) path: Field,
    /// `document` for a document's own entry; passages have none.
    pub(crate) kind: Field,
    /// Terms of the passage, each with its language.
    pub(crate) body: Field,
    /// Terms of what stands above the passage, each with its language.
    pub(crate) head: Field,
    /// Folded words of the passage and of what stands above it, for questions in another language.
    pub(crate) plain: Field,
    /// The entry itself, as JSON.
    pub(crate) entry: Field,
    /// Which row of the vectors is the passage's.
    pub(crate) row: Field,
}

/// A passage as the index keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PassageEntry {
    pub(crate) path: String,
    pub(crate) title: String,
    pub(crate) digest: String,
    pub(crate) language: allod_corpus::Language,
    pub(crate) source: Option<String>,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) place: String,
    pub(crate) heading_path: Vec<String>,
    pub(crate) introduction: Option<String>,
    pub(crate) valid_from: Option<jiff::civil::Date>,
    pub(crate) valid_until: Option<jiff::civil::Date>,
    pub(crate) text: String,
    /// The places of the text that speak to a model, looked for when it was taken in. `None` in an
    /// index of an older format.
    #[serde(default)]
    pub(crate) attempts: Option<Vec<Attempt>>,
}

impl PassageEntry {
    /// The places of the text that speak to a model.
    pub(crate) fn attempts(&self) -> Cow<'_, [Attempt]> {
        match &self.attempts {
            Some(known) => Cow::Borrowed(known),
            None => Cow::Owned(attempts(&self.text, self.language)),
        }
    }

    /// What stands above the passage: its place, its headings, the sentence that introduces it,
    /// the name of its file.
    pub(crate) fn above(&self) -> String {
        let headings = self.heading_path.iter().chain(&self.introduction);
        above(&self.path, [&self.place, &self.title].into_iter().chain(headings))
    }

    /// The text without what speaks to a model: that is written to be found, so it is not what the
    /// passage is found by.
    pub(crate) fn clear_text(&self) -> Cow<'_, str> {
        let attempts = self.attempts();
        match attempts.is_empty() {
            true => Cow::Borrowed(&self.text),
            false => Cow::Owned(masked(&self.text, &attempts)),
        }
    }

    /// What an encoder reads beside the title: headings, place, introduction, and the text.
    pub(crate) fn meaning(&self) -> String {
        let text = self.clear_text();
        let headings = self.heading_path.iter().filter(|heading| **heading != self.title);
        let lines = headings.chain([&self.place]).chain(&self.introduction);
        let lines = lines.map(String::as_str).chain([text.as_ref()]);
        let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        lines.join("\n")
    }
}

/// A document as the index keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DocumentEntry {
    pub(crate) path: String,
    pub(crate) digest: String,
    pub(crate) passages: usize,
    pub(crate) amends: Vec<allod_corpus::Amendment>,
    /// The work that it is a state of, and the first day of this state.
    #[serde(default)]
    pub(crate) state: Option<(String, jiff::civil::Date)>,
}

/// An entry ready to be written: what is kept, and the terms that find it.
pub(crate) struct PreparedPassage {
    pub(crate) entry: String,
    pub(crate) body: String,
    pub(crate) head: String,
    pub(crate) plain: String,
    /// What an encoder reads.
    pub(crate) meaning: String,
    /// Its vectors, once it was encoded.
    pub(crate) codes: Option<Codes>,
}

/// A document ready to be written.
pub(crate) struct PreparedDocument {
    pub(crate) path: String,
    pub(crate) digest: String,
    pub(crate) title: String,
    pub(crate) entry: String,
    pub(crate) passages: Vec<PreparedPassage>,
}

/// An open compartment.
pub(crate) struct Compartment {
    pub(crate) label: Option<String>,
    pub(crate) folder: PathBuf,
    pub(crate) index: Index,
    pub(crate) fields: Fields,
}

/// What the index says about itself in each commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    pub(crate) format: u32,
    pub(crate) generation: u64,
}

impl Compartment {
    /// Opens the compartment of a label under the index folder, or makes it. An index that cannot
    /// be opened is replaced by an empty one: it can always be rebuilt from the store.
    pub(crate) fn open_or_create(root: &Path, label: Option<&str>) -> Result<Compartment> {
        let folder = root.join(folder_name(label));
        let io = |source| Error::Folder { path: folder.clone(), source };
        std::fs::create_dir_all(&folder).map_err(io)?;
        if let Some(open) = Compartment::open(&folder, label)? {
            return Ok(open);
        }
        std::fs::remove_dir_all(&folder).map_err(io)?;
        std::fs::create_dir_all(&folder).map_err(io)?;
        let (schema, fields) = schema();
        let settings = IndexSettings { docstore_blocksize: BLOCK_BYTES, ..Default::default() };
        let builder = Index::builder().schema(schema).settings(settings);
        let index = builder.create_in_dir(&folder).map_err(|e| failed(&folder, e))?;
        Ok(Compartment { label: label.map(str::to_owned), folder, index, fields })
    }

    /// Opens a compartment; `None` if there is no index of this format that could be used.
    pub(crate) fn open(folder: &Path, label: Option<&str>) -> Result<Option<Compartment>> {
        let (schema, fields) = schema();
        let Ok(index) = Index::open_in_dir(folder) else { return Ok(None) };
        let open = Compartment {
            label: label.map(str::to_owned),
            folder: folder.to_owned(),
            index,
            fields,
        };
        let same = open.index.schema() == schema && open.searcher().is_ok();
        Ok(same.then_some(open))
    }

    /// What the last commit says; `None` before the first.
    pub(crate) fn stamp(&self) -> Result<Option<Stamp>> {
        let metas = self.index.load_metas().map_err(|e| failed(&self.folder, e))?;
        Ok(metas.payload.and_then(|payload| serde_json::from_str(&payload).ok()))
    }

    /// A searcher over the last commit.
    pub(crate) fn searcher(&self) -> Result<Searcher> {
        let reader = self.index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into();
        let reader: tantivy::IndexReader = reader.map_err(|e| failed(&self.folder, e))?;
        Ok(reader.searcher())
    }

    /// Path and digest of each document.
    pub(crate) fn digests(&self) -> Result<HashMap<String, String>> {
        let searcher = self.searcher()?;
        let documents = documents(&searcher, self.fields).map_err(|e| self.failed(e))?;
        Ok(documents.into_iter().map(|d| (d.path, d.digest)).collect())
    }

    /// Reads what a search needs from the last commit, and the vectors that the encoder made.
    pub(crate) fn load(&self, encoder: Option<&dyn Encoder>) -> Result<Loaded> {
        let searcher = self.searcher()?;
        let read = || -> tantivy::Result<(Vocabulary, Vec<DocumentEntry>)> {
            Ok((vocabulary(&searcher, self.fields)?, documents(&searcher, self.fields)?))
        };
        let (vocabulary, documents) = read().map_err(|e| failed(&self.folder, e))?;
        let rows = rows(&searcher).map_err(|e| failed(&self.folder, e))?;
        let vectors = encoder.map(|encoder| Vectors::load(&self.folder, encoder)).transpose()?;
        Ok(Loaded {
            rows,
            vectors: vectors.unwrap_or_default(),
            label: self.label.clone(),
            name: self.label.clone().unwrap_or_else(|| PUBLIC.to_owned()),
            folder: self.folder.clone(),
            fields: self.fields,
            passages: documents.iter().map(|d| d.passages).sum(),
            documents: documents.into_iter().map(|d| (d.path.clone(), d)).collect(),
            vocabulary: Arc::new(vocabulary),
            searcher,
        })
    }

    pub(crate) fn failed(&self, source: tantivy::TantivyError) -> Error {
        failed(&self.folder, source)
    }
}

/// A compartment as a search sees it: one commit, its words and its documents.
pub(crate) struct Loaded {
    pub(crate) label: Option<String>,
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) fields: Fields,
    pub(crate) searcher: Searcher,
    pub(crate) vocabulary: Arc<Vocabulary>,
    pub(crate) passages: usize,
    pub(crate) documents: HashMap<String, DocumentEntry>,
    /// The passage of each row, in the order of rows.
    pub(crate) rows: Vec<(u32, DocAddress)>,
    pub(crate) vectors: Vectors,
}

impl Loaded {
    /// Whether no passage that is gone still counts in how rare a word is.
    pub(crate) fn is_whole(&self) -> bool {
        self.searcher.segment_readers().iter().all(|segment| segment.num_deleted_docs() == 0)
    }

    /// The passage that has a row.
    pub(crate) fn at(&self, row: u32) -> Option<DocAddress> {
        let found = self.rows.binary_search_by_key(&row, |(row, _)| *row).ok()?;
        Some(self.rows[found].1)
    }

    /// The row of a passage.
    pub(crate) fn row_of(&self, address: DocAddress) -> Option<u32> {
        let segment = self.searcher.segment_reader(address.segment_ord);
        let column = segment.fast_fields().u64(ROW).ok()?;
        column.first(address.doc_id).and_then(|row| u32::try_from(row).ok())
    }
}

pub(crate) fn failed(folder: &Path, source: tantivy::TantivyError) -> Error {
    Error::Index { folder: folder.to_owned(), source }
}

fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let indexing = TextFieldIndexing::default()
        .set_tokenizer("whitespace")
        .set_index_option(IndexRecordOption::WithFreqs);
    let terms = TextOptions::default().set_indexing_options(indexing);
    let fields = Fields {
        path: builder.add_text_field("path", STRING),
        kind: builder.add_text_field("kind", STRING),
        body: builder.add_text_field("body", terms.clone()),
        head: builder.add_text_field("head", terms.clone()),
        plain: builder.add_text_field("plain", terms),
        entry: builder.add_text_field("entry", STORED),
        row: builder.add_u64_field(ROW, FAST),
    };
    (builder.build(), fields)
}

/// The words of the passages. Deleted passages are counted until their segment is merged, which
/// ends every ingest.
fn vocabulary(searcher: &Searcher, fields: Fields) -> tantivy::Result<Vocabulary> {
    let mut counts: HashMap<String, u32> = HashMap::new();
    for segment in searcher.segment_readers() {
        let index = segment.inverted_index(fields.body)?;
        let mut terms = index.terms().stream()?;
        while terms.advance() {
            if let Ok(term) = std::str::from_utf8(terms.key()) {
                *counts.entry(term.to_owned()).or_default() += terms.value().doc_freq;
            }
        }
    }
    Ok(Vocabulary::new(counts))
}

fn documents(searcher: &Searcher, fields: Fields) -> tantivy::Result<Vec<DocumentEntry>> {
    let query =
        TermQuery::new(Term::from_field_text(fields.kind, DOCUMENT), IndexRecordOption::Basic);
    let mut documents = Vec::new();
    for address in searcher.search(&query, &DocSetCollector)? {
        if let Some(entry) = entry(&searcher.doc(address)?, fields) {
            documents.push(entry);
        }
    }
    Ok(documents)
}

/// The row of each passage, and where it stands in the index, in the order of rows.
pub(crate) fn rows(searcher: &Searcher) -> tantivy::Result<Vec<(u32, DocAddress)>> {
    let mut rows = Vec::new();
    for (segment_ord, segment) in (0..).zip(searcher.segment_readers()) {
        let column = segment.fast_fields().u64(ROW)?;
        for doc_id in segment.doc_ids_alive() {
            let row = column.first(doc_id).and_then(|row| u32::try_from(row).ok());
            rows.extend(row.map(|row| (row, DocAddress { segment_ord, doc_id })));
        }
    }
    rows.sort_unstable_by_key(|(row, _)| *row);
    Ok(rows)
}

/// The entry of an index document; `None` if it is not of the kind asked for.
pub(crate) fn entry<T: serde::de::DeserializeOwned>(
    document: &TantivyDocument,
    fields: Fields,
) -> Option<T> {
    let json = document.get_first(fields.entry)?.as_str()?;
    serde_json::from_str(json).ok()
}

impl PreparedDocument {
    /// The index documents of this document: its own entry first, then its passages with these
    /// rows.
    pub(crate) fn index_documents(
        &self,
        fields: Fields,
        rows: &[u32],
    ) -> impl Iterator<Item = TantivyDocument> {
        let mut own = TantivyDocument::default();
        own.add_text(fields.path, &self.path);
        own.add_text(fields.kind, DOCUMENT);
        own.add_text(fields.entry, &self.entry);
        let passages = self.passages.iter().zip(rows).map(move |(passage, row)| {
            let mut document = TantivyDocument::default();
            document.add_text(fields.path, &self.path);
            document.add_text(fields.body, &passage.body);
            document.add_text(fields.head, &passage.head);
            document.add_text(fields.plain, &passage.plain);
            document.add_text(fields.entry, &passage.entry);
            document.add_u64(fields.row, u64::from(*row));
            document
        });
        std::iter::once(own).chain(passages)
    }
}
