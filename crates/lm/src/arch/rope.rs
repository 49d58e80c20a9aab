//! Rope settings, as most architectures write them.

use super::{PLAIN, Settings};
use crate::error::Result;
use crate::spec::{RopeScaling, RopeSpec};
use allod_kernels::RopePairing;
use allod_weights::TensorFile;

const THETA: f64 = 10_000.0;

/// Rope stands in `rope_parameters` (transformers 5) or in `rope_theta` and `rope_scaling`.
pub(super) fn from_config(
    settings: &Settings,
    head_dim: usize,
    context: usize,
) -> Result<RopeSpec> {
    let rope = match settings.object("rope_parameters")? {
        Some(rope) => Some(rope),
        None => settings.object("rope_scaling")?,
    };
    let theta = settings.float_if_any("rope_theta")?.unwrap_or(THETA);
    from_object(settings, rope, theta, head_dim, context)
}

/// Refuses settings without a base, for architectures whose usual one is another than [`THETA`].
pub(super) fn demand_theta(settings: &Settings) -> Result<()> {
    let rope = settings.object("rope_parameters")?;
    let given = |object: &Settings| object.has("rope_theta");
    let found = given(settings) || rope.as_ref().is_some_and(given);
    found.then_some(()).ok_or_else(|| settings.bad("rope_theta", "is missing"))
}

/// From the object that describes it. `theta` is the base where the object gives none.
pub(super) fn from_object(
    settings: &Settings,
    rope: Option<Settings>,
    theta: f64,
    head_dim: usize,
    context: usize,
) -> Result<RopeSpec> {
    let mut part = settings.float_if_any("partial_rotary_factor")?;
    let (mut theta, mut scaling) = (theta, RopeScaling::None);
    if let Some(rope) = rope {
        theta = rope.float_if_any("rope_theta")?.unwrap_or(theta);
        part = rope.float_if_any("partial_rotary_factor")?.or(part);
        scaling = scaling_of(settings, &rope, context as f64)?;
    }
    let dimensions = (head_dim as f64 * part.unwrap_or(1.0)) as usize;
    Ok(RopeSpec { theta, dimensions, pairing: RopePairing::Half, scaling })
}

/// Refuses rotation of a part of each head, for architectures that know no such thing.
pub(super) fn refuse_partial(settings: &Settings, rope: &RopeSpec, head_dim: usize) -> Result<()> {
    match rope.dimensions == head_dim {
        true => Ok(()),
        false => Err(settings.unsupported("the setting `partial_rotary_factor`", PLAIN)),
    }
}

fn scaling_of(settings: &Settings, rope: &Settings, context: f64) -> Result<RopeScaling> {
    let kind = match rope.text_if_any("rope_type")? {
        Some(kind) => kind,
        None => rope.text_if_any("type")?.unwrap_or("default"),
    };
    const ORIGINAL: &str = "original_max_position_embeddings";
    let original = match rope.float_if_any(ORIGINAL)? {
        Some(original) => Some(original),
        None => settings.float_if_any(ORIGINAL)?,
    };
    match kind {
        "default" => Ok(RopeScaling::None),
        "linear" => Ok(RopeScaling::Linear { factor: rope.float("factor")? }),
        "dynamic" => Ok(RopeScaling::Dynamic {
            factor: rope.float("factor")?,
            original_context: original.unwrap_or(context),
        }),
        "llama3" => Ok(RopeScaling::Llama3 {
            factor: rope.float("factor")?,
            low_frequency_factor: rope.float("low_freq_factor")?,
            high_frequency_factor: rope.float("high_freq_factor")?,
            original_context: rope.float(ORIGINAL)?,
        }),
        "yarn" => yarn(rope, original.unwrap_or(context)),
        "longrope" | "su" => long(rope, original.unwrap_or(context), context),
        other => {
            let what = format!("the rope scaling `{other}`");
            let known = "`default`, `linear`, `dynamic`, `llama3`, `yarn` and `longrope` are";
            Err(rope.unsupported(what, known))
        }
    }
}

fn yarn(rope: &Settings, original_context: f64) -> Result<RopeScaling> {
    let factor = rope.float("factor")?;
    let magnitude = match rope.float_if_any("attention_factor")? {
        Some(given) => given,
        None => {
            let [over, under] = ["mscale", "mscale_all_dim"].map(|key| rope.float_if_any(key));
            match (over?, under?) {
                (Some(over), Some(under)) if over != 0.0 && under != 0.0 => {
                    yarn_magnitude(factor, over) / yarn_magnitude(factor, under)
                }
                _ => yarn_magnitude(factor, 1.0),
            }
        }
    };
    Ok(RopeScaling::Yarn {
        factor,
        original_context,
        beta_fast: rope.float_if_any("beta_fast")?.unwrap_or(32.0),
        beta_slow: rope.float_if_any("beta_slow")?.unwrap_or(1.0),
        whole_pairs: rope.truth_if_any("truncate")?.unwrap_or(true),
        magnitude,
    })
}

pub(super) fn yarn_magnitude(factor: f64, weight: f64) -> f64 {
    if factor <= 1.0 { 1.0 } else { 0.1 * weight * factor.ln() + 1.0 }
}

fn long(rope: &Settings, original_context: f64, context: f64) -> Result<RopeScaling> {
    let factor = rope.float_if_any("factor")?.unwrap_or(context / original_context);
    let given = rope.float_if_any("attention_factor")?;
    Ok(RopeScaling::Long {
        short: rope.singles("short_factor")?,
        long: rope.singles("long_factor")?,
        original_context,
        magnitude: given.unwrap_or_else(|| long_magnitude(factor, original_context)),
    })
}

fn long_magnitude(factor: f64, original_context: f64) -> f64 {
    if factor <= 1.0 { 1.0 } else { (1.0 + factor.ln() / original_context.ln()).sqrt() }
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
    let theta = settings.float_if_any(&key("freq_base"))?.unwrap_or(THETA);
    let dimensions = settings.size_if_any(&key("dimension_count"))?.unwrap_or(head_dim);
    let scaling = match file.tensor("rope_freqs.weight") {
        Some(divisors) => match settings.text_if_any(&key("scaling.type"))? {
            None | Some("none") => RopeScaling::Divisors(divisors.vector()?),
            Some(other) => {
                let what = format!("`{other}` rope scaling with `rope_freqs`");
                return Err(settings.unsupported(what, PLAIN));
            }
        },
        None => gguf_scaling(settings, prefix, file)?,
    };
    Ok(RopeSpec { theta, dimensions, pairing, scaling })
}

fn gguf_scaling(settings: &Settings, prefix: &str, file: &TensorFile) -> Result<RopeScaling> {
    let key = |name: &str| format!("{prefix}.rope.{name}");
    let (factor, original) = (key("scaling.factor"), key("scaling.original_context_length"));
    let given = settings.float_if_any(&key("scaling.attn_factor"))?;
    let factors = ["rope_factors_short.weight", "rope_factors_long.weight"];
    if let [Some(short), Some(long)] = factors.map(|name| file.tensor(name)) {
        let context = settings.float(&format!("{prefix}.context_length"))?;
        let original_context = settings.float(&original)?;
        let factor = context / original_context;
        return Ok(RopeScaling::Long {
            short: short.vector()?,
            long: long.vector()?,
            original_context,
            magnitude: given.unwrap_or_else(|| long_magnitude(factor, original_context)),
        });
    }
    match settings.text_if_any(&key("scaling.type"))? {
        Some("linear") => Ok(RopeScaling::Linear { factor: settings.float(&factor)? }),
        Some("yarn") => {
            let factor = settings.float(&factor)?;
            let beta = |name: &str| settings.float_if_any(&key(name));
            Ok(RopeScaling::Yarn {
                factor,
                original_context: settings.float(&original)?,
                beta_fast: beta("scaling.yarn_beta_fast")?.unwrap_or(32.0),
                beta_slow: beta("scaling.yarn_beta_slow")?.unwrap_or(1.0),
                whole_pairs: true,
                magnitude: given.unwrap_or(1.0) * yarn_magnitude(factor, 1.0),
            })
        }
        None | Some("none") => match settings.float_if_any(&key("scale_linear"))? {
            Some(factor) => Ok(RopeScaling::Linear { factor }),
            None => Ok(RopeScaling::None),
        },
        Some(other) => {
            let what = format!("the rope scaling `{other}`");
            Err(settings.unsupported(what, "`none`, `linear`, `yarn` and `rope_freqs` are"))
        }
    }
}
