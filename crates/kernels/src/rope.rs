//! Rotary position embedding.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::isa::{Isa, on_isa};

/// Which elements of a head are rotated together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RopePairing {
    /// Element i with element i + rotary/2 (GPT-NeoX, Hugging Face).
    Half,
    /// Element 2i with element 2i + 1 (the original; `llama` in GGUF).
    Interleaved,
}

/// Rotates the first `rotary = 2 * cos.len()` elements of one head, in place (arXiv 2104.09864).
/// `cos` and `sin`: `[rotary / 2]`, of the position's angles; the rest of the head stays.
///
/// A pair (a, b) becomes `fma(a, cos, -(b * sin))` and `fma(a, sin, b * cos)`.
///
/// # Panics
/// When `cos` and `sin` differ in length or the head is shorter than `rotary`.
pub fn rope(isa: Isa, x: &mut [f32], cos: &[f32], sin: &[f32], pairing: RopePairing) {
    assert_eq!(cos.len(), sin.len(), "lengths of cos and sin");
    assert!(2 * cos.len() <= x.len(), "rotary {} of a head of {}", 2 * cos.len(), x.len());
    match pairing {
        RopePairing::Half => on_isa!(isa, half_body(x: &mut [f32], cos: &[f32], sin: &[f32])),
        RopePairing::Interleaved => {
            on_isa!(isa, interleaved_body(x: &mut [f32], cos: &[f32], sin: &[f32]))
        }
    }
}

#[inline(always)]
fn rotate(a: f32, b: f32, cos: f32, sin: f32) -> (f32, f32) {
    (a.mul_add(cos, -(b * sin)), a.mul_add(sin, b * cos))
}

#[inline(always)]
fn half_body(x: &mut [f32], cos: &[f32], sin: &[f32]) {
    let (first, second) = x.split_at_mut(cos.len());
    for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
        (*a, *b) = rotate(*a, *b, *cos, *sin);
    }
}

#[inline(always)]
fn interleaved_body(x: &mut [f32], cos: &[f32], sin: &[f32]) {
    for (([a, b], cos), sin) in x.as_chunks_mut::<2>().0.iter_mut().zip(cos).zip(sin) {
        (*a, *b) = rotate(*a, *b, *cos, *sin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::assert_same_bits;
    use crate::samples;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_isa_gives_the_bits_of_the_rule(
            pairs in 0usize..70, rest in 0usize..20, values in samples::values(), seed: u64,
        ) {
            let x = samples::floats(2 * pairs + rest, values, seed);
            let cos = samples::floats(pairs, values, seed + 1);
            let sin = samples::floats(pairs, values, seed + 2);
            for pairing in [RopePairing::Half, RopePairing::Interleaved] {
                let mut expected = x.clone();
                for i in 0..pairs {
                    let (a, b) = match pairing {
                        RopePairing::Half => (i, i + pairs),
                        RopePairing::Interleaved => (2 * i, 2 * i + 1),
                    };
                    expected[a] = x[a].mul_add(cos[i], -(x[b] * sin[i]));
                    expected[b] = x[a].mul_add(sin[i], x[b] * cos[i]);
                }
                for isa in Isa::available() {
                    let mut found = x.clone();
                    rope(isa, &mut found, &cos, &sin, pairing);
                    assert_same_bits(&found, &expected, isa.name());
                }
            }
        }
    }

    #[test]
    fn a_quarter_turn() {
        let mut x = [1.0, 2.0, 3.0, 4.0, 5.0];
        rope(Isa::detect(), &mut x, &[0.0, 0.0], &[1.0, 1.0], RopePairing::Half);
        assert_eq!(x, [-3.0, -4.0, 1.0, 2.0, 5.0]);
        let mut x = [1.0, 2.0, 3.0, 4.0, 5.0];
        rope(Isa::detect(), &mut x, &[0.0, 0.0], &[1.0, 1.0], RopePairing::Interleaved);
        assert_eq!(x, [-2.0, 1.0, -4.0, 3.0, 5.0]);
    }
}
