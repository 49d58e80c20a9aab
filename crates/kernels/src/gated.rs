//! The gated unit of a feed-forward, from rounded activations to rounded activations: what lies
//! between its products and its result need not leave the caches.

use crate::gate::Gate;
use crate::isa::Isa;
use crate::patch::Patch;
use crate::rounded::{Form, Inputs};
use crate::scratch::Scratch;
use crate::weights::Weights;

/// Two products with the same activations, and what is made of their results.
#[derive(Clone, Copy, Debug)]
pub struct GatedUnit<'a> {
    /// `[outputs, inputs]`
    pub gate: Weights<'a>,
    /// The same shape.
    pub up: Weights<'a>,
    /// How they meet.
    pub by: Gate,
}

impl GatedUnit<'_> {
    /// Vectors and terms of a patch that is best filled at once: terms that lie together, and as
    /// many tokens as share decoded weights.
    pub const PATCH: [usize; 2] = [1024, 256];

    /// Fills a patch of the rounded results of `x`, with the bits that [`crate::linear_rounded`]
    /// twice, [`Gate::forward`] and packing give.
    ///
    /// # Panics
    /// When the shapes do not fit together, or the patch is of inputs for another
    /// processor.
    pub fn fill(&self, isa: Isa, x: &Inputs, patch: &mut Patch, scratch: &mut Scratch) {
        assert_eq!(self.gate.shape(), self.up.shape(), "shapes of gate and up");
        assert_eq!(self.gate.shape()[1], x.columns(), "columns of the activations");
        let outputs = patch.terms().end <= self.gate.shape()[0];
        assert!(outputs && patch.vectors().end <= x.tokens(), "shape of the result");
        match x.form() {
            #[cfg(target_arch = "x86_64")]
            Form::Tiles(x) => crate::rounded_tiles::gated(isa, x, self, patch, scratch),
            Form::Strips(isa, x) => crate::rounded_lanes::gated(isa, x, self, patch, scratch),
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = isa;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bf16_product::{Unit, units};
    use crate::coded::Coded;
    use crate::columns::Columns;
    use crate::format::Format;
    use crate::lanes::LANES;
    use crate::matrix::Matrix;
    use crate::rounded::linear_rounded;
    use crate::samples::{self, Values};
    use proptest::prelude::*;

    /// Both products whole, then the gate, then packing.
    fn expected(on: Unit, unit: &GatedUnit, x: &Inputs) -> Inputs {
        let rows = unit.gate.shape()[0];
        let [gate, up] = [&unit.gate, &unit.up].map(|w| {
            let mut out = vec![f32::NAN; x.tokens() * rows];
            let mut columns = Columns::of(&mut out, rows);
            linear_rounded(x, w, 0..rows, &mut columns, &mut Scratch::new());
            out
        });
        let mut active = vec![f32::NAN; gate.len()];
        unit.by.forward(Isa::detect(), &gate, &up, &mut active);
        let mut packed = Inputs::new();
        packed.pack_on(on, Isa::detect(), &active, rows);
        packed
    }

    fn check_all(format: Format, shape: [usize; 3], by: Gate, seed: u64) {
        units().into_iter().for_each(|unit| check(unit, format, shape, by, seed));
    }

    fn check(on: Unit, format: Format, [tokens, rows, columns]: [usize; 3], by: Gate, seed: u64) {
        let stored = [0, 1].map(|half| {
            samples::weights(format, rows, columns, Values::Plain, seed.wrapping_add(half))
        });
        let matrices = [0, 1]
            .map(|half| Matrix::new(format, rows, columns, &stored[half]).expect("a whole matrix"));
        let codes = matrices.map(|matrix| {
            let mut codes = vec![0; Coded::size(format, rows, columns).unwrap_or(0)];
            if !codes.is_empty() {
                Coded::pack(Isa::detect(), &matrix, &mut codes);
            }
            codes
        });
        let [gate, up] = [0, 1].map(|half| match codes[half].is_empty() {
            true => Weights::Stored(matrices[half]),
            false => Weights::Coded(Coded::new(format, rows, columns, &codes[half])),
        });
        let unit = GatedUnit { gate, up, by };
        let mut x = Inputs::new();
        let values = samples::floats(tokens * columns, Values::Plain, seed.wrapping_add(2));
        x.pack_on(on, Isa::detect(), &values, columns);
        let (mut found, mut scratch) = (Inputs::new(), Scratch::new());
        // What was in the memory before must not show.
        found.pack_on(on, Isa::detect(), &vec![f32::NAN; 2 * tokens * rows], rows);
        let patches = found.patches_on(on, tokens, rows, GatedUnit::PATCH);
        for mut patch in patches.into_iter().rev() {
            unit.fill(Isa::detect(), &x, &mut patch, &mut scratch);
        }
        let expected = expected(on, &unit, &x);
        let [found, expected] = [&found, &expected]
            .map(|inputs| inputs.rounded().into_iter().map(f32::to_bits).collect::<Vec<_>>());
        assert!(
            found == expected,
            "{on:?}, {format:?}, {tokens} tokens, {rows} of {columns}, {by:?}"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn a_patch_holds_the_bits_of_the_steps_one_by_one(
            format in proptest::sample::select(samples::formats()), tokens in 1usize..150,
            rows in 1usize..600, columns in 1usize..600, gate in 0usize..4, seed: u64,
        ) {
            let bounded = Gate::BoundedSilu { alpha: 1.702, limit: 7.0 };
            let by = [Gate::Silu, Gate::Gelu, Gate::GeluTanh, bounded][gate];
            let columns = columns.next_multiple_of(format.block_len());
            check_all(format, [tokens, rows, columns], by, seed);
        }
    }

    /// More tokens, outputs and terms than any part that is worked on at a time.
    #[test]
    fn large_units_have_these_bits_too() {
        check_all(Format::Q4_0, [1060, 300, 1600], Gate::Silu, 5);
        check_all(Format::BF16, [530, 260 + LANES, 96], Gate::Gelu, 6);
    }
}
