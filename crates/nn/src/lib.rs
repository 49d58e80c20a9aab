//! Operations with their gradients: what a model is trained with.
//!
//! A [`Tape`] records operations on the rows of a batch, forward through the same kernels as
//! inference and so with the same bits, then walks back over them: [`Tape::backward`] gives
//! [`Gradients`] for all [`Parameters`]. Gradients are written by hand, one file per operation, and
//! follow the same rule of numerics as everything else: each sum has one order, so they have the
//! same bits on every processor, with any number of threads, with or without checkpointing.
//!
//! | what | methods of [`Tape`] |
//! |---|---|
//! | leaves | `input`, `parameter` |
//! | weights | `embed`, `linear`, `linear_lora` |
//! | norms | `rms_norm`, `layer_norm` |
//! | positions | `rope` |
//! | attention | `attend` |
//! | activations | `gate`, `gelu`, `xielu` |
//! | experts | `mixture`, `load_balance` |
//! | element by element | `add`, `mul`, `scale`, `soft_cap`, `tanh`, `clamp`, `fake_quantise` |
//! | rows | `select`, `mean`, `first` |
//! | losses | `cross_entropy`, `linear_cross_entropy`, `distil`, `weighted_sum` |
//! | memory | `release`, `mark`, `forget` |

mod bf16;
#[cfg(test)]
mod checks;
mod error;
mod gradients;
mod ops;
mod optimiser;
mod parameters;
mod product;
#[cfg(test)]
mod reference;
mod rows;
mod schedule;
mod spare;
mod tape;
mod tensor;
#[cfg(test)]
mod tests;
mod weight;
mod workspace;

pub use error::{Error, Result};
pub use gradients::Gradients;
pub use ops::*;
pub use optimiser::{AdEMAMix, AdamW, Decayed, Muon, Optimiser, RateByShape, Rule, clip_gradients};
pub use parameters::{Parameter, ParameterId, Parameters};
pub use rows::Rows;
pub use schedule::{Decay, Schedule};
pub use tape::{Mark, Tape, Var};
pub use tensor::Tensor;
pub use weight::{Vector, Weight};
pub use workspace::{Precision, TapeOptions, Workspace};
