//! Fits the weights of the check of claims: `fit_citations FOLDER … > weights.rs`.
//!
//! The cases are made from one half of the documents under the folders; the other half is for
//! reporting (`allod eval citations`). Logistic regression by Newton's method with a small penalty
//! on the weights' squares; no chance is in it but that of the cases, which is seeded.

#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};

use allod_answer::support::{FEATURES, SHAPES, features};
use allod_eval::citations::{Case, Half, make_cases, written_for_fitting};

/// The penalty on squares of weights, and steps until nothing moves any more.
const PENALTY: f64 = 1.0;
const STEPS: usize = 30;
/// At most so many cases of each kind and language.
const MOST: usize = 120;
/// The share of all importance that the cases written by hand have: they are few, and the only ones
/// that read like a model's own words.
const BY_HAND: f64 = 0.3;
const SIZE: usize = FEATURES + 1;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folders: Vec<PathBuf> = std::env::args().skip(1).map(PathBuf::from).collect();
    let folders: Vec<&Path> = folders.iter().map(PathBuf::as_path).collect();
    let made = make_cases(&folders, Half::Fitted, MOST, 1)?;
    let written = written_for_fitting();
    let importance: Vec<f64> = importance(&made, 1.0 - BY_HAND)
        .into_iter()
        .chain(importance(&written, BY_HAND * made.len() as f64 / written.len() as f64))
        .collect();
    let cases: Vec<Case> = made.into_iter().chain(written).collect();
    let rows: Vec<[f64; SIZE]> = cases.iter().map(row).collect();
    let truth: Vec<f64> = cases.iter().map(|case| f64::from(u8::from(case.supported))).collect();
    let weights = fit(&rows, &truth, &importance);
    // The two kinds of cases ask for different thresholds: altered acts for a high one, claims in a
    // model's own words for a low one. The middle is taken.
    let of = |range: std::ops::Range<usize>| {
        threshold(&rows[range.clone()], &cases[range.clone()], &importance[range], &weights)
    };
    let made = cases.iter().filter(|case| case.document != "by hand").count();
    let threshold = f64::midpoint(of(0..made), of(made..cases.len()));
    print!("{}", source(&weights, threshold, cases.len()));
    Ok(())
}

fn row(case: &Case) -> [f64; SIZE] {
    let values = features(&case.claim, &case.cited, case.language);
    let mut row = [1.0; SIZE];
    row[..FEATURES].copy_from_slice(&values);
    row
}

/// True and false claims weigh the same together.
fn importance(cases: &[Case], each: f64) -> Vec<f64> {
    let count = cases.len() as f64;
    let held = cases.iter().filter(|case| case.supported).count() as f64;
    let weigh =
        |case: &Case| each * count / (2.0 * if case.supported { held } else { count - held });
    cases.iter().map(weigh).collect()
}

/// Which way each shape may weigh: coverage for a claim, gaps against it; 0 is free.
const SIGNS: [f64; SHAPES] = [1.0, 1.0, -1.0, -1.0, -1.0, -1.0, 0.0, -1.0, 1.0, -1.0, -1.0];

/// What speaks against a claim must not speak for it: such weights are held at zero, the most
/// wrong one first.
fn fit(rows: &[[f64; SIZE]], truth: &[f64], importance: &[f64]) -> [f64; SIZE] {
    let mut free = [true; SIZE];
    loop {
        let mut weights = [0.0; SIZE];
        for _ in 0..STEPS {
            step(rows, truth, importance, &free, &mut weights);
        }
        let wrong = |at: &usize| {
            let sign = SIGNS.get(*at).copied().unwrap_or(-1.0);
            free[*at] && weights[*at] * sign < 0.0
        };
        let worst = (0..FEATURES)
            .filter(wrong)
            .max_by(|a, b| weights[*a].abs().total_cmp(&weights[*b].abs()));
        match worst {
            Some(at) => free[at] = false,
            None => return weights,
        }
    }
}

fn probability(row: &[f64; SIZE], weights: &[f64; SIZE]) -> f64 {
    let sum: f64 = row.iter().zip(weights).map(|(value, weight)| value * weight).sum();
    1.0 / (1.0 + (-sum).exp())
}

/// One step of Newton's method.
fn step(
    rows: &[[f64; SIZE]],
    truth: &[f64],
    importance: &[f64],
    free: &[bool; SIZE],
    weights: &mut [f64; SIZE],
) {
    let mut slope = [0.0; SIZE];
    let mut bend = vec![[0.0; SIZE]; SIZE];
    for ((row, truth), importance) in rows.iter().zip(truth).zip(importance) {
        let p = probability(row, weights);
        let spread = importance * (p * (1.0 - p)).max(1e-6);
        for (at, value) in row.iter().enumerate().filter(|(_, value)| **value != 0.0) {
            slope[at] += importance * (truth - p) * value;
            for (other, right) in row.iter().enumerate() {
                bend[at][other] += spread * value * right;
            }
        }
    }
    for at in 0..SIZE {
        // What is added to all is free.
        let penalty = match free[at] {
            false => 1e12,
            true if at + 1 < SIZE => PENALTY,
            true => 1e-6,
        };
        slope[at] -= penalty * weights[at];
        bend[at][at] += penalty;
    }
    let change = solve(bend, slope);
    weights.iter_mut().zip(change).for_each(|(weight, change)| *weight += change);
}

/// Gaussian elimination with pivots.
fn solve(mut matrix: Vec<[f64; SIZE]>, mut right: [f64; SIZE]) -> [f64; SIZE] {
    for column in 0..SIZE {
        let pivot = (column..SIZE)
            .max_by(|a, b| matrix[*a][column].abs().total_cmp(&matrix[*b][column].abs()))
            .expect("there is a row");
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        for below in column + 1..SIZE {
            let factor = matrix[below][column] / matrix[column][column];
            let upper = matrix[column];
            matrix[below].iter_mut().zip(upper).for_each(|(value, up)| *value -= factor * up);
            right[below] -= factor * right[column];
        }
    }
    for column in (0..SIZE).rev() {
        right[column] /= matrix[column][column];
        for above in 0..column {
            right[above] -= matrix[above][column] * right[column];
        }
    }
    right
}

/// What a false claim that is let stand costs beside a true one that is lost.
const LET_STAND: f64 = 1.5;

/// The probability from which on claims are let stand with the least cost.
fn threshold(
    rows: &[[f64; SIZE]],
    cases: &[Case],
    importance: &[f64],
    weights: &[f64; SIZE],
) -> f64 {
    let scored: Vec<(f64, bool, f64)> = rows
        .iter()
        .zip(cases)
        .zip(importance)
        .map(|((row, case), importance)| (probability(row, weights), case.supported, *importance))
        .collect();
    let cost = |from: f64| -> f64 {
        let wrong = scored.iter().filter(|(p, supported, _)| (*p >= from) != *supported);
        wrong.map(|(_, held, importance)| importance * if *held { 1.0 } else { LET_STAND }).sum()
    };
    let steps = (20..=80).map(|step| f64::from(step) / 100.0);
    steps.min_by(|a, b| cost(*a).total_cmp(&cost(*b))).expect("there are steps")
}

fn source(weights: &[f64; SIZE], threshold: f64, cases: usize) -> String {
    let lines: String = weights[..FEATURES]
        .chunks(8)
        .map(|line| {
            let numbers: Vec<String> = line.iter().map(|weight| format!("{weight:.3}")).collect();
            format!("    {},\n", numbers.join(", "))
        })
        .collect();
    format!(
        "//! The weights of the classifier, made by `cargo run --release -p allod-eval\n\
         //! --example fit_citations FOLDER …` from {cases} cases: a logistic regression of\n\
         //! whether the cited text bears a claim out.\n\nuse super::features::FEATURES;\n\n\
         /// The weight of each feature, in their order.\n#[rustfmt::skip]\n\
         pub(super) const WEIGHTS: [f64; FEATURES] = [\n{lines}];\n\n\
         /// What is added.\npub(super) const BIAS: f64 = {:.3};\n\n\
         /// A sentence is supported from this probability on.\n\
         pub(super) const SUPPORTED_FROM: f64 = {threshold:.2};\n",
        weights[FEATURES]
    )
}
