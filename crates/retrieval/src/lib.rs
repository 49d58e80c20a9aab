//! From documents to evidence.
//!
//! [`Library::ingest`] brings files into the store and the index, [`Library::search`] finds the
//! passages that bear on a question and says how sure it is. Each access label has an index of its
//! own; a search opens only those that its caller may read, so that a forbidden document changes
//! neither what is found nor any score. What is not in force on the day asked about is not found.

mod act;
pub mod analysis;
mod beside;
mod clearance;
mod code;
mod compartment;
mod confidence;
mod contents;
mod conversation;
mod encoder;
mod error;
mod evidence;
mod filter;
mod folding;
mod fusion;
mod ingest;
mod library;
mod likeness;
mod lookup;
mod manifest;
mod question;
mod rank;
mod reference;
mod search;
mod suspicion;
mod thesaurus;
mod validity;
mod vectors;
mod vocabulary;

pub use beside::Beside;
pub use clearance::{Clearance, PUBLIC};
pub use confidence::Signals;
pub use conversation::{goes_on, resolve};
pub use encoder::{Encoder, Purpose};
pub use error::{Error, Result};
pub use evidence::{Evidence, EvidenceSet, Query, Searched};
pub use filter::Filter;
pub use folding::Duplicate;
pub use ingest::{
    InProcess, IngestOptions, IngestReport, Progress, ReadFile, ReadPart, Reread, Silent,
    UnreadableFile,
};
pub use library::{CompartmentCount, Counts, Library};
pub use manifest::{Listed, Manifest, document_of};
pub use question::{Concept, Hit, Question};
pub use suspicion::{Attempt, AttemptKind, attempts, masked};
