//! What differs from layer to layer.

use super::{PLAIN, Settings};
use crate::error::Result;
use crate::spec::LayerSpec;

/// More layers than any published model has.
const LAYERS: usize = 4096;

/// Which layers have a window: those that `layer_types` names, else those that `slides` says.
pub(super) fn pattern(
    settings: &Settings,
    layers: usize,
    window: Option<usize>,
    slides: impl Fn(usize) -> bool,
) -> Result<Vec<LayerSpec>> {
    let layer = |slides: bool| LayerSpec { window: window.filter(|_| slides), ..LayerSpec::PLAIN };
    if let Some(types) = settings.texts_if_any("layer_types")? {
        if types.len() != layers {
            let what = format!("has {} entries for {layers} layers", types.len());
            return Err(settings.bad("layer_types", what));
        }
        let layers = types.into_iter().map(|kind| match kind {
            "full_attention" => Ok(layer(false)),
            "sliding_attention" if window.is_some() => Ok(layer(true)),
            other => {
                let what = format!("the layer type `{other}` (`layer_types`)");
                Err(settings.unsupported(what, PLAIN))
            }
        });
        return layers.collect();
    }
    match window {
        None => Ok(vec![LayerSpec::PLAIN]),
        Some(_) => each(settings, layers, |index| layer(slides(index))),
    }
}

/// Which layers have the window that a GGUF file names under `prefix`, if it names one: those that
/// it lists, else those that `slides` says.
pub(super) fn gguf_pattern(
    settings: &Settings,
    prefix: &str,
    layers: usize,
    window: Option<usize>,
    slides: impl Fn(usize) -> bool,
) -> Result<Vec<LayerSpec>> {
    let key = format!("{prefix}.attention.sliding_window_pattern");
    match settings.truths_if_any(&key)? {
        Some(list) if window.is_some() => match list.len() == layers {
            true => pattern(settings, layers, window, |layer| list[layer]),
            false => {
                let what = format!("has {} entries for {layers} layers", list.len());
                Err(settings.bad(&key, what))
            }
        },
        _ => pattern(settings, layers, window, slides),
    }
}

/// One entry for each layer.
pub(super) fn each(
    settings: &Settings,
    layers: usize,
    layer: impl Fn(usize) -> LayerSpec,
) -> Result<Vec<LayerSpec>> {
    match layers {
        0..=LAYERS => Ok((0..layers).map(layer).collect()),
        _ => Err(settings.bad("num_hidden_layers", format!("is impossible: {layers}"))),
    }
}

/// The window that config.json gives, where it is not switched off.
pub(super) fn window(settings: &Settings) -> Result<Option<usize>> {
    let used = settings.truth_if_any("use_sliding_window")?.unwrap_or(true);
    Ok(settings.size_if_any("sliding_window")?.filter(|_| used))
}
