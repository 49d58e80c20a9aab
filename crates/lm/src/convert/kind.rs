//! The kinds of model that are written.

use super::check;
use crate::arch::Described;
use crate::checkpoint::Checkpoint;
use crate::error::Result;
use crate::spec::{DecoderSpec, EncoderSpec};
use std::path::Path;

/// A kind of model that can be written.
pub(super) trait Kind: Described {
    /// Opens a checkpoint of this kind.
    fn open(path: &Path) -> Result<Checkpoint<Self>>;

    /// What differs between this computation and another, if anything.
    fn difference(&self, found: &Self) -> Option<String>;
}

impl Kind for DecoderSpec {
    fn open(path: &Path) -> Result<Checkpoint> {
        Checkpoint::open(path)
    }

    fn difference(&self, found: &Self) -> Option<String> {
        check::decoders(self, found)
    }
}

impl Kind for EncoderSpec {
    fn open(path: &Path) -> Result<Checkpoint<Self>> {
        Checkpoint::open_encoder(path)
    }

    fn difference(&self, found: &Self) -> Option<String> {
        check::encoders(self, found)
    }
}
