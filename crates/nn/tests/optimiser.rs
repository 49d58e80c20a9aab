//! Optimisers against PyTorch's, and against themselves: resumed, and on other numbers of threads.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use allod_nn::{
    AdEMAMix, AdamW, Decayed, Gradients, Muon, Optimiser, Parameters, RateByShape, Rule,
    clip_gradients,
};
use serde_json::Value;
use std::collections::BTreeMap;

fn vectors() -> Value {
    serde_json::from_str(include_str!("optimiser/vectors.json")).unwrap()
}

fn lists(value: &Value) -> Vec<Vec<f32>> {
    serde_json::from_value(value.clone()).unwrap()
}

fn parameters(vectors: &Value) -> Parameters {
    let shapes: Vec<Vec<usize>> = serde_json::from_value(vectors["shapes"].clone()).unwrap();
    let mut parameters = Parameters::new();
    for (index, (shape, values)) in shapes.iter().zip(lists(&vectors["start"])).enumerate() {
        parameters.add(&format!("p{index}"), shape, values).unwrap();
    }
    parameters
}

fn gradients(parameters: &Parameters, values: &Value) -> Gradients {
    let ids = parameters.iter().map(|(id, _)| id);
    Gradients::of(parameters, ids.zip(lists(values)))
}

/// The largest difference from the vectors after any step.
fn worst(name: &str, rule: Rule) -> f32 {
    let vectors = vectors();
    let mut parameters = parameters(&vectors);
    let mut optimiser = Optimiser::new(rule, Decayed::All, &parameters);
    let steps =
        vectors["gradients"].as_array().unwrap().iter().zip(vectors[name].as_array().unwrap());
    let mut worst = 0.0_f32;
    for (step, after) in steps {
        let gradients = gradients(&parameters, step);
        optimiser.step(&mut parameters, &gradients, 0.01);
        for ((_, found), expected) in parameters.iter().zip(lists(after)) {
            for (found, expected) in found.values.iter().zip(expected) {
                worst = worst.max((found - expected).abs());
            }
        }
    }
    worst
}

fn muon(rate_by_shape: RateByShape) -> Rule {
    Rule::Muon(Muon { rate_by_shape, ..Muon::default() })
}

fn ademamix() -> Rule {
    Rule::AdEMAMix(AdEMAMix { warm_up_steps: 4, ..AdEMAMix::default() })
}

#[test]
fn every_rule_gives_the_reference_values() {
    for (name, rule) in [
        ("adamw", Rule::AdamW(AdamW::default())),
        ("ademamix", ademamix()),
        ("muon_rows", muon(RateByShape::Rows)),
        ("muon_largest", muon(RateByShape::Largest)),
    ] {
        let worst = worst(name, rule);
        assert!(worst < 1e-6, "{name} is off by {worst}");
    }
}

#[test]
fn clipping_gives_the_reference_values() {
    let vectors = vectors();
    let mut gradients = gradients(&parameters(&vectors), &vectors["gradients"][0]);
    let before = gradients.clone();
    let norm = clip_gradients(&mut gradients, 1e9);
    assert!((norm - vectors["norm"].as_f64().unwrap()).abs() < 1e-5);
    assert_eq!(gradients, before, "within the bound nothing changes");
    clip_gradients(&mut gradients, 0.5);
    for ((_, found), expected) in gradients.iter().zip(lists(&vectors["clipped"])) {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-7, "{found} {expected}");
        }
    }
}

/// Twelve steps down `sum of (x - target)^2`, the last six by `resume`.
fn descend(
    rule: &Rule,
    threads: usize,
    resume: fn(Optimiser, &Parameters) -> Optimiser,
) -> Vec<u32> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let wave = |i: usize| ((i * 37 % 101) as f32 - 50.0) / 25.0;
    let mut parameters = Parameters::new();
    let shapes: [&[usize]; 3] = [&[3, 40, 33], &[70, 40], &[1 << 15]];
    for (index, shape) in shapes.iter().enumerate() {
        let values = (0..shape.iter().product()).map(wave).collect();
        parameters.add(&format!("p{index}"), shape, values).unwrap();
    }
    let mut optimiser = Optimiser::new(rule.clone(), Decayed::Matrices, &parameters);
    pool.install(|| {
        for step in 0..12 {
            if step == 6 {
                optimiser = resume(optimiser, &parameters);
            }
            let slopes = parameters.iter().map(|(id, parameter)| {
                let slope = |(i, x): (usize, &f32)| x - wave(i + 7);
                (id, parameter.values.iter().enumerate().map(slope).collect())
            });
            let mut gradients = Gradients::of(&parameters, slopes.collect::<Vec<_>>());
            clip_gradients(&mut gradients, 1.0);
            optimiser.step(&mut parameters, &gradients, 0.05);
        }
    });
    parameters
        .iter()
        .flat_map(|(_, p)| p.values.iter().map(|x| x.to_bits()).collect::<Vec<_>>())
        .collect()
}

#[test]
fn threads_and_a_pause_change_no_bit() {
    for rule in [Rule::AdamW(AdamW::default()), ademamix(), muon(RateByShape::Largest)] {
        let expected = descend(&rule, 1, |optimiser, _| optimiser);
        for threads in [2, 3] {
            let found = descend(&rule, threads, |optimiser, parameters| {
                let rule = optimiser.rule().clone();
                let mut fresh = Optimiser::new(rule, optimiser.decayed(), parameters);
                fresh.restore(optimiser.state()).unwrap();
                fresh
            });
            assert!(found == expected, "{threads} threads, {rule:?}");
        }
    }
}

#[test]
fn every_rule_finds_the_bottom_of_a_bowl() {
    for rule in [
        Rule::AdamW(AdamW { decay: 0.0, ..AdamW::default() }),
        Rule::AdEMAMix(AdEMAMix {
            decay: 0.0,
            beta2: 0.95,
            beta3: 0.97,
            alpha: 2.0,
            ..AdEMAMix::default()
        }),
        Rule::Muon(Muon { decay: 0.0, ..Muon::default() }),
    ] {
        let mut parameters = Parameters::new();
        let id =
            parameters.add("x", &[4, 6], (0..24).map(|i| i as f32 / 6.0 - 2.0).collect()).unwrap();
        let mut optimiser = Optimiser::new(rule.clone(), Decayed::All, &parameters);
        for step in 0..400 {
            let slopes = parameters.get(id).values.iter().map(|x| 2.0 * (x - 0.5)).collect();
            let gradients = Gradients::of(&parameters, [(id, slopes)]);
            optimiser.step(&mut parameters, &gradients, 0.1 * (1.0 - f64::from(step) / 400.0));
        }
        let worst = parameters.get(id).values.iter().fold(0.0_f32, |w, x| w.max((x - 0.5).abs()));
        assert!(worst < 0.05, "{rule:?} ends {worst} away");
    }
}

#[test]
fn a_state_that_does_not_fit_is_refused_and_changes_nothing() {
    let mut parameters = Parameters::new();
    parameters.add("x", &[2], vec![1.0, 2.0]).unwrap();
    let mut optimiser = Optimiser::new(Rule::AdamW(AdamW::default()), Decayed::All, &parameters);
    let sound = optimiser.state();
    type Damage = fn(&mut BTreeMap<String, Vec<f32>>);
    let damages: [(&str, Damage); 4] = [
        ("`x.mean` is missing", |state| drop(state.remove("x.mean"))),
        ("`x.square` has 3 values", |state| drop(state.insert("x.square".into(), vec![0.0; 3]))),
        ("no count of steps", |state| drop(state.insert("x.steps".into(), vec![0.5, 0.0]))),
        ("`y.mean` belongs to no", |state| drop(state.insert("y.mean".into(), vec![]))),
    ];
    for (expected, damage) in damages {
        let mut state = sound.clone();
        damage(&mut state);
        let message = optimiser.restore(state).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
        assert_eq!(optimiser.state(), sound);
    }
}

/// What rests at 1 moves as what is stored as its difference from 1 does.
#[test]
fn decay_goes_towards_where_a_parameter_rests() {
    for rule in [Rule::AdamW(AdamW::default()), ademamix(), muon(RateByShape::Rows)] {
        let mut both = [0.0_f32, 1.0].map(|rest| {
            let mut parameters = Parameters::new();
            for (name, shape) in [("vector", &[4][..]), ("matrix", &[2, 2][..])] {
                let values = [0.5, -2.0, 3.0, 0.25].map(|value| value + rest).to_vec();
                parameters.add_resting(name, shape, values, rest).unwrap();
            }
            let optimiser = Optimiser::new(rule.clone(), Decayed::All, &parameters);
            (parameters, optimiser)
        });
        for step in 0..20_u8 {
            for (parameters, optimiser) in &mut both {
                let slopes = [0.1, -0.2, 0.3, 0.1].map(|slope| slope * f32::from(step % 3));
                let ids = parameters.iter().map(|(id, _)| id);
                let gradients =
                    Gradients::of(parameters, ids.zip([slopes.to_vec(), slopes.to_vec()]));
                optimiser.step(parameters, &gradients, 0.1);
            }
        }
        let [(at_zero, _), (at_one, _)] = &both;
        for ((_, zero), (_, one)) in at_zero.iter().zip(at_one.iter()) {
            for (zero, one) in zero.values.iter().zip(&one.values) {
                assert!((zero + 1.0 - one).abs() < 1e-5, "{zero} and {one} by {rule:?}");
            }
        }
    }
}
