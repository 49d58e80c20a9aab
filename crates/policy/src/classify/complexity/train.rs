//! Training of the classifier: logistic regression with a ridge, by Newton's method. Sums are made
//! in the order of the examples, so the same examples give the same bytes everywhere.

use super::features::{features, names};
use super::{Complexity, UNIT};
use crate::classify::Kind;
use crate::classify::lexicon::Reading;

/// A question whose kind is known.
#[derive(Debug, Clone, PartialEq)]
pub struct ComplexityExample {
    /// Its words.
    pub text: String,
    /// Whether it takes several steps.
    pub is_complex: bool,
    /// How much it counts.
    pub weight: f64,
}

/// How much large weights cost, for a set of examples that count 1 together.
const RIDGE: f64 = 0.002;
const ROUNDS: usize = 30;

/// Trains the classifier and gives its file.
#[must_use]
pub fn train_complexity(examples: &[ComplexityExample]) -> String {
    let width = names().len() + 1;
    let total: f64 = examples.iter().map(|example| example.weight).sum();
    let rows: Vec<Row> = examples.iter().map(|example| Row::of(example, total)).collect();
    let mut weights = vec![0.0; width];
    for _ in 0..ROUNDS {
        let (mut slope, mut curve) = (vec![0.0; width], vec![0.0; width * width]);
        for row in &rows {
            row.add(&weights, &mut slope, &mut curve);
        }
        for at in 1..width {
            slope[at] += RIDGE * weights[at];
            curve[at * width + at] += RIDGE;
        }
        // What all examples have, or none, must not make it unsolvable.
        curve[0] += 1e-9;
        let step = solved(curve, slope);
        weights.iter_mut().zip(step).for_each(|(weight, step)| *weight -= step);
    }
    let whole = |weight: &f64| (weight * UNIT).round() as i32;
    Complexity { bias: whole(&weights[0]), weights: weights[1..].iter().map(whole).collect() }
        .write()
}

struct Row {
    /// The features that it has, counted from 1; 0 is the bias, which all have.
    has: Vec<usize>,
    label: f64,
    weight: f64,
}

impl Row {
    fn of(example: &ComplexityExample, total: f64) -> Row {
        let reading = Reading::of(&example.text);
        let patterns = reading.found(Kind::ComplexReasoning).len();
        let all = features(&example.text, &reading, patterns).into_iter().enumerate();
        let has = all.filter(|(_, has)| *has).map(|(at, _)| at + 1);
        Row {
            has: std::iter::once(0).chain(has).collect(),
            label: f64::from(u8::from(example.is_complex)),
            weight: example.weight / total,
        }
    }

    /// Adds what the row says of the slope of the loss, and of its curvature.
    fn add(&self, weights: &[f64], slope: &mut [f64], curve: &mut [f64]) {
        let sum: f64 = self.has.iter().map(|at| weights[*at]).sum();
        let likely = 1.0 / (1.0 + libm::exp(-sum));
        let (error, bend) =
            (self.weight * (likely - self.label), self.weight * likely * (1.0 - likely));
        for at in &self.has {
            slope[*at] += error;
            for other in &self.has {
                curve[at * weights.len() + other] += bend;
            }
        }
    }
}

/// The `x` with `matrix · x = right`, of a symmetric matrix that bends upwards: by Cholesky's
/// factors.
fn solved(mut matrix: Vec<f64>, mut right: Vec<f64>) -> Vec<f64> {
    let width = right.len();
    for row in 0..width {
        for column in 0..=row {
            let products =
                (0..column).map(|k| matrix[row * width + k] * matrix[column * width + k]);
            let rest = matrix[row * width + column] - products.sum::<f64>();
            matrix[row * width + column] = if row == column {
                rest.max(f64::MIN_POSITIVE).sqrt()
            } else {
                rest / matrix[column * width + column]
            };
        }
    }
    for row in 0..width {
        let known: f64 = (0..row).map(|k| matrix[row * width + k] * right[k]).sum();
        right[row] = (right[row] - known) / matrix[row * width + row];
    }
    for row in (0..width).rev() {
        let known: f64 = (row + 1..width).map(|k| matrix[k * width + row] * right[k]).sum();
        right[row] = (right[row] - known) / matrix[row * width + row];
    }
    right
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_examples_give_the_same_file_and_it_tells_them_apart() {
        let example = |text: &str, is_complex| ComplexityExample {
            text: text.into(),
            is_complex,
            weight: 1.0,
        };
        let examples = [
            example("If it rains and we pay 3 francs each, how much is left of 20, and why?", true),
            example("When does the office close on the last Friday of June?", false),
            example("First add 3 and 4, then compare the sum with 8 and explain the rest.", true),
            example("Where is the town hall of this village, please?", false),
        ];
        let text = train_complexity(&examples);
        assert_eq!(text, train_complexity(&examples));
        let trained = Complexity::read(&text).unwrap();
        for one in &examples {
            assert_eq!(trained.score(&one.text) > 500, one.is_complex, "{}", one.text);
        }
    }

    #[test]
    fn equations_are_solved() {
        let found = solved(vec![4.0, 2.0, 2.0, 3.0], vec![10.0, 9.0]);
        assert!((found[0] - 1.5).abs() < 1e-12 && (found[1] - 2.0).abs() < 1e-12, "{found:?}");
    }
}
