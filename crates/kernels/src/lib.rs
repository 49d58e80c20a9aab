//! Kernels: the arithmetic under every model, one result whatever the processor.
//!
//! Each kernel exists for the instruction sets of [`Isa`] and gives the same bits on all of them:
//! the rules are `allod-4` ([`NUMERICS`]) and, with activations of 8 bits, `allod-4-int8`, written
//! down in `docs/numerics.md`. Results depend neither
//! on how many tokens are computed together, nor on how rows are split over threads, nor on how a
//! prompt was cut into pieces.
//!
//! | what | function |
//! |---|---|
//! | weights as stored | [`Format`], [`Grouped`], [`Matrix`], [`decode_row`], [`encode_row`] |
//! | matrix product | [`linear`] |
//! | the same in `bf16`, for prompts | [`linear_rounded`], [`Inputs`], [`Columns`] |
//! | of codes and scales, for answers | [`linear_coded`], [`Coded`], [`CodedInputs`] |
//! | the same with activations of 8 bits | [`linear_int8`], [`Int8Inputs`] |
//! | its gradients | [`linear_input_gradient`], [`linear_weight_gradient`] |
//! | the same in `bf16`, to train | [`bf16_product`], [`Packed`] |
//! | attention over a kv head | [`attend`], [`attend_by`], [`attend_rows`] |
//! | its cache | [`CacheLayout`], [`KeyValues`] |
//! | the same in `bf16`, in shared blocks | [`attend_blocks`], [`Blocks`], [`BlockMemory`] |
//! | norms, activations, rotation | [`rms_norm`], [`softmax`], [`silu`], [`silu_mul`], [`rope`] |
//! | gates of other models | [`gelu_tanh_mul`], [`xielu`], [`bounded_silu_mul`] |
//! | encoders | [`layer_norm`], [`gelu`], [`gelu_mul`], [`gelu_slope`], [`tanh`] |
//! | bounds | [`clamp`], [`soft_cap`] |
//! | choice of experts | [`route`] |
//! | element by element | [`add`], [`scale`], [`exp`] |
//! | their gradients | [`silu_mul_gradient`] and others, [`rms_norm_gradient`] |
//! | sums over rows and columns | [`dot`], [`column_sums`], [`largest_and_total`] |
//! | greedy choice | [`argmax`] |
//! | search through vectors of codes | [`scan`] |
//!
//! Every function takes the [`Isa`] to run on (from [`Isa::detect`], once at start) and panics when
//! this processor lacks it, or when slices do not fit the stated shapes: both are mistakes of the
//! caller, not of a file. Working memory is a [`Scratch`] per thread.
//!
//! ```
//! use allod_kernels::{Format, Isa, Matrix, Scratch, linear};
//! let weights: Vec<u8> = [1.0f32, 2.0, 3.0, 4.0].iter().flat_map(|w| w.to_le_bytes()).collect();
//! let matrix = Matrix::new(Format::F32, 2, 2, &weights)?; // rows are outputs
//! let mut out = [0.0; 2];
//! linear(Isa::detect(), &[1.0, 10.0], &matrix, 0..2, &mut out, &mut Scratch::new());
//! assert_eq!(out, [21.0, 43.0]);
//! # Ok::<(), allod_kernels::Error>(())
//! ```

mod activation;
mod activation_gradient;
#[cfg(target_arch = "x86_64")]
mod amx;
mod argmax;
mod attention;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx2_codes;
#[cfg(target_arch = "x86_64")]
mod avx2_lanes;
#[cfg(target_arch = "x86_64")]
mod avx2_strips;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_codes;
#[cfg(target_arch = "x86_64")]
mod avx512_lanes;
#[cfg(target_arch = "x86_64")]
mod avx512_tile;
#[cfg(target_arch = "x86_64")]
mod avx512_weights;
mod bf16_product;
mod block_attention;
mod block_attention_codes;
mod block_attention_lanes;
#[cfg(target_arch = "x86_64")]
mod block_attention_tiles;
mod block_attention_weights;
mod chains;
mod clamp;
#[cfg(target_arch = "x86_64")]
mod code_operand;
mod coded;
#[cfg(target_arch = "x86_64")]
mod coded_avx2;
#[cfg(target_arch = "x86_64")]
mod coded_avx512;
#[cfg(target_arch = "x86_64")]
mod coded_stream;
#[cfg(target_arch = "x86_64")]
mod coded_tiles;
mod columns;
mod elementwise;
mod encode;
mod exp;
#[cfg(target_arch = "x86_64")]
mod expand;
mod format;
mod gate;
mod gated;
mod gelu;
mod input_gradient;
mod int8;
#[cfg(target_arch = "x86_64")]
mod int8_avx2;
#[cfg(target_arch = "x86_64")]
mod int8_avx512;
#[cfg(target_arch = "aarch64")]
mod int8_neon;
mod isa;
mod kv_block;
mod kv_codes;
mod lanes;
mod linear;
mod matrix;
mod memory;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_codes;
#[cfg(target_arch = "aarch64")]
mod neon_decode;
#[cfg(target_arch = "aarch64")]
mod neon_lanes;
mod norm;
mod norm_gradient;
mod packed;
mod panel;
mod patch;
mod peak;
mod reduction;
#[cfg(test)]
mod reference;
mod rope;
mod rounded;
mod rounded_lanes;
#[cfg(target_arch = "x86_64")]
mod rounded_tiles;
#[cfg(target_arch = "x86_64")]
mod rounding;
mod routing;
#[cfg(test)]
mod samples;
mod scan;
#[cfg(target_arch = "x86_64")]
mod scan_avx;
mod scratch;
mod softmax_gradient;
mod softmax_weights;
mod strips;
mod tanh;
mod team;
mod tile_memory;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod turned;
mod weight_gradient;
mod weights;

pub use activation::{silu, silu_mul, softmax};
pub use activation_gradient::{
    bounded_silu_mul_gradient, clamp_gradient, gelu_gradient, gelu_mul_gradient,
    gelu_tanh_mul_gradient, silu_mul_gradient, soft_cap_gradient, xielu_gradient,
};
pub use argmax::argmax;
pub use attention::{CacheLayout, KeyValues, Scoring, attend, attend_by, attend_rows};
pub use bf16_product::{Region, Start, bf16_product, bf16_product_part};
pub use block_attention::{Visit, attend_blocks};
pub use clamp::{bounded_silu_mul, clamp};
pub use coded::{BlockSums, Coded, CodedInputs, CodedPiece, linear_coded};
pub use columns::Columns;
pub use elementwise::{add, scale};
pub use encode::encode_row;
pub use exp::exp;
pub use format::{Format, Grouped, Scale, decode_row};
pub use gate::Gate;
pub use gated::GatedUnit;
pub use gelu::{gelu, gelu_mul, gelu_slope, tanh};
pub use input_gradient::linear_input_gradient;
pub use int8::{Int8Inputs, Int8Piece, linear_int8};
pub use isa::{Isa, Unavailable};
pub use kv_block::{
    BLOCK_POSITIONS, Block, BlockForm, BlockLayout, BlockMemory, BlockMut, Blocks, HeadRows,
};
pub use linear::linear;
pub use matrix::{Error, Matrix};
pub use memory::{Memory, prefetch};
pub use norm::{layer_norm, rms_norm};
pub use norm_gradient::{layer_norm_gradient, rms_norm_gradient};
pub use packed::{Packed, Piece, Side, Source};
pub use panel::PANEL_ROWS;
pub use patch::Patch;
pub use peak::{float_multiplications, int8_multiplications, tile_multiplications};
pub use reduction::{column_sums, dot, largest_and_total, norm_weight_gradient};
pub use rope::{RopePairing, rope};
pub use rounded::{Inputs, InputsPiece, add_linear_rounded, linear_rounded};
pub use routing::{Weighting, route};
pub use scan::scan;
pub use scratch::Scratch;
pub use softmax_gradient::softmax_gradient;
pub use tanh::{Xielu, gelu_tanh_mul, soft_cap, xielu};
pub use team::Team;
pub use weight_gradient::linear_weight_gradient;

/// Name of the rule that fixes the order of every addition (`docs/numerics.md`).
pub const NUMERICS: &str = "allod-4";
/// The rule where keys and values are kept in `f32`: the same but for attention.
pub const NUMERICS_F32: &str = "allod-4-f32";
/// The rule where keys and values are kept in MXINT8: the same but for what is kept.
pub const NUMERICS_MXINT8: &str = "allod-4-mxint8";
/// The same as [`NUMERICS`] where activations are multiplied in 8 bits.
pub const NUMERICS_INT8: &str = "allod-4-int8";
/// The same as [`NUMERICS_F32`] where activations are multiplied in 8 bits.
pub const NUMERICS_INT8_F32: &str = "allod-4-int8-f32";
/// The same as [`NUMERICS_MXINT8`] where activations are multiplied in 8 bits.
pub const NUMERICS_INT8_MXINT8: &str = "allod-4-int8-mxint8";
pub use weights::Weights;
