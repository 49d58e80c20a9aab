//! The registry: what was brought into the house, by name, kept under the digest of its content.
//!
//! An [`Artifact`] is a set of files that belong together: a GGUF file with its parts, or a model
//! folder. [`Registry::put`] copies it into the registry's folder whole or not at all:
//!
//! ```text
//! objects/sha256-<hex>/SHA256SUMS    what `sha256sum` prints for the files; <hex> is its SHA-256
//! objects/sha256-<hex>/NAME/…        the files
//! NAME.json                          which of the objects a name stands for
//! ```
//!
//! So `sha256sum -c ../SHA256SUMS` in the folder of the files checks them, and
//! `sha256sum SHA256SUMS` gives their digest. An object never changes; a name can be
//! taken away, and its object goes with the last one.

mod artifact;
mod copy;
mod digest;
mod error;
mod name;
mod registry;

pub use artifact::{Artifact, ArtifactFile};
pub use copy::{Placing, Progress};
pub use digest::Digest;
pub use error::{Error, Result};
pub use name::Name;
pub use registry::{Registry, Source};
