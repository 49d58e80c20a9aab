//! The rule of a model's numbers.

use super::{ActivationForm, CacheForm};
use allod_kernels::{
    NUMERICS, NUMERICS_F32, NUMERICS_INT8, NUMERICS_INT8_F32, NUMERICS_INT8_MXINT8, NUMERICS_MXINT8,
};

/// The rule that fixes every bit of what a model computes (`docs/numerics.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numerics {
    /// How activations are multiplied with quantised weights.
    pub activations: ActivationForm,
    /// How keys and values are kept.
    pub cache: CacheForm,
}

impl Numerics {
    /// All rules.
    pub fn all() -> impl Iterator<Item = Numerics> {
        ActivationForm::ALL.into_iter().flat_map(|activations| {
            CacheForm::ALL.into_iter().map(move |cache| Numerics { activations, cache })
        })
    }

    /// The name that records have for it.
    pub fn name(self) -> &'static str {
        match (self.activations, self.cache) {
            (ActivationForm::Bf16, CacheForm::Bf16) => NUMERICS,
            (ActivationForm::Bf16, CacheForm::F32) => NUMERICS_F32,
            (ActivationForm::Bf16, CacheForm::Mxint8) => NUMERICS_MXINT8,
            (ActivationForm::Int8, CacheForm::Bf16) => NUMERICS_INT8,
            (ActivationForm::Int8, CacheForm::F32) => NUMERICS_INT8_F32,
            (ActivationForm::Int8, CacheForm::Mxint8) => NUMERICS_INT8_MXINT8,
        }
    }

    /// The rule of this name.
    pub fn of_name(name: &str) -> Option<Numerics> {
        Numerics::all().find(|numerics| numerics.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_has_a_name_of_its_own() {
        assert_eq!(Numerics::all().count(), 6);
        assert!(Numerics::all().all(|rule| Numerics::of_name(rule.name()) == Some(rule)));
        let f32 = Numerics { activations: ActivationForm::Int8, cache: CacheForm::F32 };
        assert_eq!(f32.name(), "allod-4-int8-f32");
        assert_eq!(Numerics::of_name("allod-1"), None);
    }

    #[test]
    fn tiles_take_bf16_and_all_else_takes_8_bits() {
        let forms = allod_kernels::Isa::ALL.map(ActivationForm::fastest_with);
        assert_eq!(forms.map(ActivationForm::name), ["int8", "int8", "int8", "int8", "bf16"]);
        assert!(
            ActivationForm::ALL
                .iter()
                .all(|form| { ActivationForm::named(form.name()) == Some(*form) })
        );
    }
}
