//! How activations are multiplied with quantised weights.

use allod_kernels::Isa;

/// How activations are multiplied with quantised weights (`docs/numerics.md`, "Which product is
/// used"). Weights in `f32`, `f16` and `bf16` are multiplied alike under both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActivationForm {
    /// Rounded to `bf16`: what tiles multiply.
    Bf16,
    /// In 8 bits, with a scale for each 32: sums of whole numbers, for which there are faster
    /// instructions where there are no tiles. Results are near those of `Bf16`, and as much the
    /// same everywhere.
    Int8,
}

impl ActivationForm {
    /// All of them.
    pub const ALL: [ActivationForm; 2] = [ActivationForm::Bf16, ActivationForm::Int8];

    /// The name that options have for it.
    pub fn name(self) -> &'static str {
        match self {
            ActivationForm::Bf16 => "bf16",
            ActivationForm::Int8 => "int8",
        }
    }

    /// The form of this name.
    pub fn named(name: &str) -> Option<ActivationForm> {
        ActivationForm::ALL.into_iter().find(|form| form.name() == name)
    }

    /// The one that this processor is fastest with, whatever instruction set it is kept to: results
    /// do not depend on that.
    pub fn fastest() -> ActivationForm {
        ActivationForm::fastest_with(Isa::available().pop().unwrap_or(Isa::Scalar))
    }

    /// The one that a processor would be fastest with whose best instruction set is `isa`.
    pub fn fastest_with(isa: Isa) -> ActivationForm {
        match isa {
            Isa::Amx => ActivationForm::Bf16,
            _ => ActivationForm::Int8,
        }
    }
}
