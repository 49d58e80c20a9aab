//! Whether a model that was written is the one that was read.

use crate::spec::{
    DecoderSpec, EncoderNorm, EncoderSpec, LayerSpec, ModelSpec, Positions, RopeScaling, RopeSpec,
    Scales,
};
use allod_kernels::RopePairing;

/// Numbers may have been stored in 32 bits, and inverted.
const TOLERANCE: f64 = 1e-6;

/// What is not whole, by name.
type Numbers = Vec<(&'static str, f64)>;

/// What differs between the computations of two decoders, if anything. How rows are ordered, what
/// an architecture is called and whether an output matrix is stored twice is no matter.
pub(super) fn decoders(wanted: &DecoderSpec, found: &DecoderSpec) -> Option<String> {
    of_numbers(numbers(wanted), numbers(found)).or_else(|| of_rest(&plain(wanted), &plain(found)))
}

/// The same of two encoders. What a learned table of positions begins with is no matter.
pub(super) fn encoders(wanted: &EncoderSpec, found: &EncoderSpec) -> Option<String> {
    let (numbers, other) = (numbers_of_encoder(wanted), numbers_of_encoder(found));
    of_numbers(numbers, other).or_else(|| of_rest(&plain_encoder(wanted), &plain_encoder(found)))
}

fn of_numbers(wanted: Numbers, found: Numbers) -> Option<String> {
    if wanted.len() != found.len() {
        return Some("the rotation".to_string());
    }
    let mut pairs = wanted.into_iter().zip(found);
    pairs.find_map(|((name, wanted), (_, found))| {
        let most = wanted.abs().max(found.abs());
        let same = (wanted - found).abs() <= TOLERANCE * most;
        (!same).then(|| format!("{name}: {wanted}, which would become {found}"))
    })
}

fn of_rest<S: std::fmt::Debug + PartialEq>(wanted: &S, found: &S) -> Option<String> {
    let (first, second) = (format!("{wanted:#?}"), format!("{found:#?}"));
    let lines = first.lines().zip(second.lines()).find(|(wanted, found)| wanted != found);
    match lines {
        Some((wanted, found)) => {
            let (wanted, found) = (wanted.trim(), found.trim());
            Some(format!("`{wanted}`, which would become `{found}`"))
        }
        None => (wanted != found).then(|| "the layers".to_string()),
    }
}

fn numbers_of_encoder(spec: &EncoderSpec) -> Numbers {
    let mut numbers = vec![
        ("the norms' epsilon", f64::from(spec.norm.epsilon)),
        ("attention's scale", f64::from(spec.attention_scale)),
    ];
    let windows = (0..spec.layers).any(|layer| spec.window(layer).is_some());
    let [rope, local] = spec.ropes();
    let local = local.filter(|_| windows);
    [rope, local].into_iter().flatten().for_each(|rope| of_rope(rope, &mut numbers));
    numbers
}

fn plain_encoder(spec: &EncoderSpec) -> EncoderSpec {
    let positions = match &spec.positions {
        Positions::Learned { .. } => Positions::Learned { unused: 0 },
        Positions::Rotary { rope, .. } => {
            Positions::Rotary { rope: plain_rope(rope), window_rope: plain_rope(rope) }
        }
    };
    EncoderSpec {
        architecture: "",
        attention_scale: 0.0,
        norm: EncoderNorm { epsilon: 0.0, ..spec.norm },
        windows: (0..spec.layers).map(|layer| spec.window(layer)).collect(),
        positions,
        ..spec.clone()
    }
}

fn plain_rope(rope: &RopeSpec) -> RopeSpec {
    RopeSpec {
        theta: 1.0,
        dimensions: rope.dimensions,
        pairing: RopePairing::Half,
        scaling: RopeScaling::None,
    }
}

/// Everything that is not whole.
fn numbers(spec: &DecoderSpec) -> Numbers {
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

fn of_rope(rope: &RopeSpec, numbers: &mut Numbers) {
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
    let layers: Vec<LayerSpec> = (0..spec.layers).map(|layer| spec.layer(layer)).collect();
    DecoderSpec {
        architecture: "",
        norm_epsilon: 0.0,
        attention_scale: 0.0,
        attention_cap: None,
        output_cap: None,
        query_key_value_limit: None,
        scales: Scales::default(),
        rope: plain_rope(&spec.rope),
        window_rope: None,
        pattern: layers,
        tied: false,
        ..spec.clone()
    }
}
