//! The forbidden acts, by what they are aimed at.

pub(crate) mod files;
pub(crate) mod kernel;
pub(crate) mod network;
pub(crate) mod processes;
mod raw;
