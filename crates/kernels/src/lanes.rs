//! Sixteen partial results: the fixed shape of every reduction.

/// Number of partial results; element i belongs to lane i mod 16.
pub(crate) const LANES: usize = 16;

/// One value per lane.
pub(crate) type Lanes = [f32; LANES];

/// Adds the lanes in the fixed tree: distance 8, 4, 2, 1.
#[inline(always)]
pub(crate) fn sum(mut lanes: Lanes) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// The larger of two: `a` only if it compares greater, so the outcome is defined for NaN too.
#[inline(always)]
pub(crate) fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The largest of the lanes in the same tree as [`sum`].
#[inline(always)]
pub(crate) fn largest(mut lanes: Lanes) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] = larger(lanes[lane], lanes[lane + width]);
        }
        width /= 2;
    }
    lanes[0]
}

/// Folds `x` into 16 lanes from `start`: element i goes to lane i mod 16, in order.
#[inline(always)]
pub(crate) fn fold(x: &[f32], start: f32, step: impl Fn(f32, f32) -> f32) -> Lanes {
    let mut lanes = [start; LANES];
    let (blocks, tail) = x.as_chunks::<LANES>();
    for block in blocks {
        for (lane, value) in lanes.iter_mut().zip(block) {
            *lane = step(*lane, *value);
        }
    }
    for (lane, value) in lanes.iter_mut().zip(tail) {
        *lane = step(*lane, *value);
    }
    lanes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_pairs_far_lanes_first() {
        // 1 + tiny is lost in any order but this: lanes 0 and 8 cancel before anything else.
        let mut lanes = [0.0; LANES];
        lanes[0] = 1e30;
        lanes[8] = -1e30;
        lanes[1] = 1.0;
        assert_eq!(sum(lanes), 1.0);
    }

    #[test]
    fn a_ragged_tail_goes_to_the_first_lanes() {
        let x: Vec<f32> = (0..19).map(|i| i as f32).collect();
        let lanes = fold(&x, 0.0, |sum, value| sum + value);
        assert_eq!(lanes[..4], [16.0, 18.0, 20.0, 3.0]);
        assert_eq!(largest(fold(&x, f32::NEG_INFINITY, larger)), 18.0);
    }
}
