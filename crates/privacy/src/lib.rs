//! `allod-privacy`: a *finding* of personal data: which bytes, of what kind, how sure, how found.
//!
//! [`scan`] reads a text as people type it: digits in any script, with spaces, hyphens and line
//! ends between, hidden by letters without width or entities of HTML. Identifiers are known by
//! their checksums, the rest by form, the words beside it, and a small tagger. [`Shield`] does
//! what a policy says of the findings: masks them, gives them pseudonyms that can be taken back,
//! or blocks the text.

mod checksum;
mod context;
mod date;
mod features;
mod finding;
mod fold;
mod gazetteer;
mod identifiers;
mod kept;
mod kind;
mod label;
mod licence;
mod network;
mod phone;
mod plate;
mod rows;
mod scan;
mod series;
mod shield;
mod tagger;
mod token;
mod train;
mod usual;
mod wrapping;

pub use finding::{Finding, How};
pub use kind::Kind;
pub use scan::{scan, scanner};
pub use shield::{Action, Cover, Error, Shield};
pub use train::{Example, TrainOptions, train};
