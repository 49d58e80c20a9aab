//! The operations, one noun a file.

mod attention;
mod attention_bf16;
mod attention_gradient;
mod cross_entropy;
mod distil;
mod elementwise;
mod embedding;
mod fake_quantise;
mod gate;
mod leaf;
mod linear;
mod linear_cross_entropy;
mod load_balance;
mod mixture;
mod norm;
mod pool;
mod rope;
mod select;
mod sum;
mod xielu;

pub use attention::{Attention, Sight};
pub(crate) use attention_bf16::Memories;
pub use gate::Gate;
pub use linear_cross_entropy::OutputHead;
pub use mixture::{ExpertActivation, Experts};
pub use rope::Rotation;
pub use xielu::XieluParameters;
