//! A model in a *cell*: a process that can reach nothing but the model's files.
//!
//! A model file comes from outside, and its weights, vocabulary and chat template are read by large
//! programs. So the process that serves does not read them: it starts itself anew as a resident of
//! [`allod_sandbox`], hands descriptors of the model's files over, and asks it. [`InCell`] loads
//! models so; what it gives is a [`allod_engine::Runner`] like any other, with the same bits.
//! Models that only read, which make vectors or scores, are run so as well, each in a cell of its
//! own.
//!
//! What comes back is text of one who may have been taken over, and is looked at as such: frames
//! have bounds, tokens are those of the vocabulary, no request gets more than it asked for. What is
//! recorded of a model, the digest of its weights, is worked out here from the bytes that were
//! handed over, and never asked for.
//!
//! A cell that ends, for whatever reason, fails the requests that it had, with the reason, and
//! another one is started with the same files. One that is silent for longer than what it was asked
//! to do can take is ended.
//!
//! Cells are made of what Linux has; elsewhere this crate is empty.

#![cfg(target_os = "linux")]

mod encoding;
mod fault;
mod files;
mod frame;
#[doc(hidden)]
pub mod hostile;
mod inside;
mod keeping;
mod link;
mod message;
mod remote;
mod remote_encoder;
mod route;
mod types;
mod watch;
mod wire;

pub use inside::serve;
pub use remote::InCell;
