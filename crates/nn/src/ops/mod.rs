//! The operations, one noun a file.

mod attention;
mod attention_gradient;
mod cross_entropy;
mod elementwise;
mod embedding;
mod gate;
mod leaf;
mod linear;
mod mixture;
mod norm;
mod rope;
mod select;
mod sum;
mod xielu;

pub use attention::{Attention, Sight};
pub use gate::Gate;
pub use mixture::{ExpertActivation, Experts};
pub use rope::Rotation;
pub use xielu::XieluParameters;
