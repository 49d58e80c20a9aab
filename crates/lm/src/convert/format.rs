//! Which format a tensor gets: what llama.cpp's quantiser decides (`llama-quant.cpp`,
//! `tensor_allows_quantization` and `llama_tensor_get_type`), by what weights do.

use super::layout::Assembly;
use crate::spec::ModelSpec;
use crate::weight::Part;
use allod_kernels::Format;

/// Models with this many experts keep keys and values in Q8_0.
const FINE_EXPERTS: usize = 8;

/// The format of `assembly` in a file of which `wanted` is asked; `stored` are the formats that its
/// pieces have now.
pub(super) fn choose(
    spec: &impl ModelSpec,
    assembly: &Assembly,
    wanted: Option<Format>,
    stored: &[Format],
    is_output: bool,
) -> Format {
    let part = assembly.pieces[0].id.part;
    if assembly.columns == 1 || part.is_norm() || part == Part::Router {
        return Format::F32;
    }
    // Small, and added to the embedding: kept in F32 where matrices are in blocks.
    let added = matches!(part, Part::PositionEmbedding | Part::SegmentEmbedding);
    if added && wanted.is_some() {
        return Format::F32;
    }
    let Some(wanted) = wanted else {
        let same = stored.iter().all(|format| *format == stored[0]);
        return if same { stored[0] } else { Format::F32 };
    };
    let fine = spec.experts().is_some_and(|experts| experts.count == FINE_EXPERTS);
    let blocks = wanted.block_len() > 1;
    let better = match part {
        _ if !blocks => wanted,
        _ if is_output && wanted != Format::Q8_0 && fits(wanted, assembly) => Format::Q6_K,
        _ if is_output => Format::Q8_0,
        Part::Key | Part::Value if fine => Format::Q8_0,
        _ => wanted,
    };
    fallback(better, assembly)
}

fn fits(format: Format, assembly: &Assembly) -> bool {
    assembly.columns.is_multiple_of(format.block_len())
}

/// A format whose blocks fill the rows.
fn fallback(format: Format, assembly: &Assembly) -> Format {
    let smaller = if format == Format::Q6_K { Format::Q8_0 } else { format };
    let candidates = [format, smaller];
    candidates.into_iter().find(|format| fits(*format, assembly)).unwrap_or(Format::F16)
}
