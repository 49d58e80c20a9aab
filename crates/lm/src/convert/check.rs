//! Whether a model that was written is the one that was read.

use crate::spec::{DecoderSpec, LayerSpec, RopeScaling, RopeSpec, Scales};
use allod_kernels::RopePairing;

/// Numbers may have been stored in 32 bits, and inverted.
const TOLERANCE: f64 = 1e-6;

/// What differs between the computations of two specs, if anything. How rows are ordered, what an
/// architecture is called and whether an output matrix is stored twice is no matter.
pub(super) fn difference(wanted: &DecoderSpec, found: &DecoderSpec) -> Option<String> {
    let (names, numbers) = numbers(wanted).into_iter().unzip::<_, _, Vec<_>, Vec<_>>();
    let found_numbers = numbers_of(found);
    let pairs = names.iter().zip(numbers).zip(&found_numbers);
    if names.len() != found_numbers.len() {
        return Some("the rotation".to_string());
    }
    for ((name, wanted), found) in pairs {
        if (wanted - found).abs() > TOLERANCE * wanted.abs().max(found.abs()) {
            return Some(format!("{name}: {wanted}, which would become {found}"));
        }
    }
    let (wanted, found) = (format!("{:#?}", plain(wanted)), format!("{:#?}", plain(found)));
    let lines = wanted.lines().zip(found.lines()).find(|(wanted, found)| wanted != found);
    match lines {
        Some((wanted, found)) => {
            let (wanted, found) = (wanted.trim(), found.trim());
            Some(format!("`{wanted}`, which would become `{found}`"))
        }
        None => (wanted != found).then(|| "the layers".to_string()),
    }
}

fn numbers_of(spec: &DecoderSpec) -> Vec<f64> {
    numbers(spec).into_iter().map(|(_, number)| number).collect()
}

/// Everything that is not whole.
fn numbers(spec: &DecoderSpec) -> Vec<(&'static str, f64)> {
    let Scales { embedding, residual, logits } = spec.scales;
    let mut numbers = vec![
        ("the norms' epsilon", f64::from(spec.norm_epsilon)),
        ("attention's scale", f64::from(spec.attention_scale)),
        ("attention's cap", f64::from(spec.attention_cap.unwrap_or(0.0))),
        ("the logits' cap", f64::from(spec.output_cap.unwrap_or(0.0))),
        (
            "the limit of queries, keys and values",
            spec.query_key_value_limit.map_or(0.0, f64::from),
        ),
        ("the embeddings' scale", f64::from(embedding)),
        ("the residual scale", f64::from(residual)),
        ("the logits' scale", f64::from(logits)),
    ];
    let windows = (0..spec.layers).any(|layer| spec.layer(layer).window.is_some());
    let local = spec.window_rope.as_ref().filter(|_| windows);
    [Some(&spec.rope), local].into_iter().flatten().for_each(|rope| of_rope(rope, &mut numbers));
    numbers
}

fn of_rope(rope: &RopeSpec, numbers: &mut Vec<(&'static str, f64)>) {
    numbers.push(("the rotation's base", rope.theta));
    let mut put = |values: &[f64]| {
        numbers.extend(values.iter().map(|value| ("the rotation's scaling", *value)));
    };
    if let Some(divisors) = rope.divisors() {
        return divisors.iter().for_each(|divisor| put(&[1.0, f64::from(*divisor)]));
    }
    match &rope.scaling {
        RopeScaling::Linear { factor } => put(&[2.0, *factor]),
        RopeScaling::Dynamic { factor, original_context } => {
            put(&[3.0, *factor, *original_context])
        }
        RopeScaling::Yarn {
            factor,
            original_context,
            beta_fast,
            beta_slow,
            whole_pairs,
            magnitude,
        } => {
            let whole = f64::from(u8::from(*whole_pairs));
            put(&[4.0, *factor, *original_context, *beta_fast, *beta_slow, whole, *magnitude]);
        }
        RopeScaling::Long { short, long, original_context, magnitude } => {
            put(&[5.0, *original_context, *magnitude]);
            short.iter().chain(long).for_each(|divisor| put(&[f64::from(*divisor)]));
        }
        RopeScaling::None | RopeScaling::Llama3 { .. } | RopeScaling::Divisors(_) => {}
    }
}

/// The rest: whole numbers and choices.
fn plain(spec: &DecoderSpec) -> DecoderSpec {
    let rope = |rope: &RopeSpec| RopeSpec {
        theta: 1.0,
        dimensions: rope.dimensions,
        pairing: RopePairing::Half,
        scaling: RopeScaling::None,
    };
    let layers: Vec<LayerSpec> = (0..spec.layers).map(|layer| spec.layer(layer)).collect();
    DecoderSpec {
        architecture: "",
        norm_epsilon: 0.0,
        attention_scale: 0.0,
        attention_cap: None,
        output_cap: None,
        query_key_value_limit: None,
        scales: Scales::default(),
        rope: rope(&spec.rope),
        window_rope: None,
        pattern: layers,
        tied: false,
        ..spec.clone()
    }
}
