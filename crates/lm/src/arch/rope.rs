//! Rope settings, as most architectures write them.

use super::{PLAIN, Settings};
use crate::error::Result;
use crate::spec::{RopeScaling, RopeSpec};
use allod_kernels::RopePairing;
use allod_weights::TensorFile;

const THETA: f64 = 10_000.0;

/// Rope stands in `rope_parameters` (transformers 5) or in `rope_theta` and `rope_scaling`.
pub(super) fn from_config(settings: &Settings, head_dim: usize) -> Result<RopeSpec> {
    let rope = match settings.object("rope_parameters")? {
        Some(rope) => Some(rope),
        None => settings.object("rope_scaling")?,
    };
    let theta = rope.map(|rope| rope.float_if_any("rope_theta")).transpose()?.flatten();
    let theta = match theta {
        Some(theta) => theta,
        None => settings.float_if_any("rope_theta")?.unwrap_or(THETA),
    };
    let scaling = rope.map_or(Ok(RopeScaling::None), |rope| scaling_of(&rope))?;
    for place in [Some(*settings), rope].into_iter().flatten() {
        if place.float_if_any("partial_rotary_factor")?.is_some_and(|factor| factor != 1.0) {
            return Err(settings.unsupported("the setting `partial_rotary_factor`", PLAIN));
        }
    }
    Ok(RopeSpec { theta, dimensions: head_dim, pairing: RopePairing::Half, scaling })
}

fn scaling_of(rope: &Settings) -> Result<RopeScaling> {
    let kind = match rope.text_if_any("rope_type")? {
        Some(kind) => kind,
        None => rope.text_if_any("type")?.unwrap_or("default"),
    };
    match kind {
        "default" => Ok(RopeScaling::None),
        "linear" => Ok(RopeScaling::Linear { factor: rope.float("factor")? }),
        "llama3" => Ok(RopeScaling::Llama3 {
            factor: rope.float("factor")?,
            low_frequency_factor: rope.float("low_freq_factor")?,
            high_frequency_factor: rope.float("high_freq_factor")?,
            original_context: rope.float("original_max_position_embeddings")?,
        }),
        other => {
            let what = format!("the rope scaling `{other}`");
            Err(rope.unsupported(what, "`default`, `linear` and `llama3` are"))
        }
    }
}

/// From GGUF keys under `prefix`. `pairing` says whether the converter reordered the rows of q and
/// k so that neighbours form a pair.
pub(super) fn from_gguf(
    settings: &Settings,
    prefix: &str,
    file: &TensorFile,
    head_dim: usize,
    pairing: RopePairing,
) -> Result<RopeSpec> {
    let key = |name: &str| format!("{prefix}.rope.{name}");
    let kind = settings.text_if_any(&key("scaling.type"))?;
    let old_factor = settings.float_if_any(&key("scale_linear"))?;
    let scaling = match (file.tensor("rope_freqs.weight"), kind, old_factor) {
        (_, Some(other), _) if !["none", "linear"].contains(&other) => {
            let what = format!("the rope scaling `{other}`");
            return Err(settings.unsupported(what, "`none`, `linear` and `rope_freqs` are"));
        }
        (Some(_), Some("linear"), _) => {
            return Err(settings.unsupported("`linear` rope scaling with `rope_freqs`", PLAIN));
        }
        (Some(divisors), ..) => RopeScaling::Divisors(divisors.vector()?),
        (None, Some("linear"), _) => {
            RopeScaling::Linear { factor: settings.float(&key("scaling.factor"))? }
        }
        (None, None, Some(factor)) => RopeScaling::Linear { factor },
        _ => RopeScaling::None,
    };
    let theta = settings.float_if_any(&key("freq_base"))?.unwrap_or(THETA);
    let dimensions = settings.size_if_any(&key("dimension_count"))?.unwrap_or(head_dim);
    Ok(RopeSpec { theta, dimensions, pairing, scaling })
}
