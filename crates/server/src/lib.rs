//! `allod-server`: an *endpoint*. The interfaces of OpenAI, Anthropic and others that clients know,
//! the console and its interface, metrics and health, all in front of one [`allod_answer::Desk`].
//!
//! Who asks is decided here, from the key; what may be answered is decided behind the desk. On an
//! address other than loopback nothing but the console's own files and `/healthz` is served
//! without a key. `docs/api.md` describes every endpoint.

#![forbid(unsafe_code)]

mod adapters;
mod ask;
mod blocks;
mod body;
mod chat_completions;
mod choices;
mod completion;
mod console;
mod conversation;
mod documents;
mod drawing;
mod embeddings;
mod envelope;
mod error;
mod family;
mod feedback;
mod fields;
mod form;
mod format;
mod gbnf;
mod handshakes;
mod health;
mod histogram;
mod history;
mod identity;
mod items;
mod ledger_files;
mod limits;
mod local;
mod message_form;
mod messages;
mod metrics;
mod models;
mod oidc;
mod openapi;
mod pace;
mod parameters;
mod problem;
mod quotas;
mod receipts;
mod rerank;
mod response_form;
mod responses;
mod reviews;
mod role;
mod router;
mod scores;
mod search;
mod serve;
mod sight;
mod sign_in;
mod speaking;
mod state;
mod status;
mod stream;
mod subject;
mod text_completions;
mod thinking;
mod tls;
mod tokenize;
mod tools;
mod trace_parent;
mod traces;
mod turn;
mod verify;
mod witness;
mod work;
mod workers;

pub use error::Error;
pub use limits::{Keyless, ServeOptions};
#[doc(hidden)]
pub use oidc::hostile;
pub use role::{ALL_TENANTS, ROLES};
pub use serve::{serve, serve_until};
pub use tls::TlsFiles;
pub use witness::serve_witness;

/// The model name under which questions are answered from the documents.
pub const DOCUMENTS_MODEL: &str = "allod/documents";
