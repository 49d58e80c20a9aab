//! Differences. What is no number differs by the largest one.

/// The largest difference between two lists.
pub fn max_abs_diff(found: &[f32], expected: &[f32]) -> f64 {
    if found.len() != expected.len() {
        return f64::MAX;
    }
    let differences =
        found.iter().zip(expected).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs());
    differences.map(finite).fold(0.0, f64::max)
}

/// The largest size in a list.
pub fn largest(values: &[f32]) -> f64 {
    values.iter().fold(0.0, |most, value| f64::max(most, f64::from(value.abs())))
}

/// `a / b`, where 0 of 0 is 0.
pub fn ratio(a: f64, b: f64) -> f64 {
    if a == 0.0 { 0.0 } else { finite(a / b) }
}

/// Root of the sum of squares.
pub fn norm(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
}

/// The norm of the difference, relative to the norm of what was expected or to `least` if that is
/// larger.
pub fn relative_norm(found: &[f32], expected: &[f32], least: f64) -> f64 {
    if found.len() != expected.len() {
        return f64::MAX;
    }
    let differences = found.iter().zip(expected).map(|(a, b)| f64::from(*a) - f64::from(*b));
    ratio(differences.map(|x| x * x).sum::<f64>().sqrt(), norm(expected).max(least))
}

/// Whether two lists have the same bits.
pub fn same_bits(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}

fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { f64::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_far_off() {
        assert_eq!(max_abs_diff(&[1.0, f32::NAN], &[1.0, 2.0]), f64::MAX);
        assert_eq!(max_abs_diff(&[1.0], &[1.0, 2.0]), f64::MAX);
        assert_eq!(max_abs_diff(&[1.0, 2.5], &[1.0, 2.0]), 0.5);
        assert_eq!(relative_norm(&[f32::INFINITY], &[1.0], 0.0), f64::MAX);
        assert_eq!(relative_norm(&[1.0], &[0.0], 0.0), f64::MAX);
        assert_eq!(relative_norm(&[0.0], &[0.0], 0.0), 0.0);
        assert_eq!(relative_norm(&[3.0, 5.0], &[3.0, 4.0], 4.0), 0.2);
        assert_eq!(relative_norm(&[1.0], &[0.0], 8.0), 0.125);
    }
}
