//! Personal data: labelled sets, a set in five languages, and how well it is found.

mod forms;
mod generate;
mod identifier;
mod random;
mod score;
mod set;
mod values;
mod vary;

pub use generate::generate;
pub use score::{PrivacyCounts, PrivacyScores};
pub use set::{PrivacySetError, PrivacyText, read_privacy_set};
pub use values::Half;
pub use vary::{plain_lines, recased, vary};
