//! Dividing the rows of a step between those who want some.

/// Gives each no more than it wants, and otherwise as even as can be: nobody gets more than one
/// above another who would have wanted more.
pub(crate) fn split_evenly(total: usize, wanted: &[usize]) -> Vec<usize> {
    let mut shares = vec![0; wanted.len()];
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    // Whoever wants least is served first; what it leaves is divided between the others.
    order.sort_by_key(|index| wanted[*index]);
    let mut left = total;
    for (served, index) in order.iter().enumerate() {
        let even = left / (order.len() - served);
        shares[*index] = wanted[*index].min(even);
        left -= shares[*index];
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_short_are_served_whole() {
        assert_eq!(split_evenly(100, &[1000, 10, 1000]), [45, 10, 45]);
        assert_eq!(split_evenly(100, &[20, 10]), [20, 10]);
        assert_eq!(split_evenly(2, &[5, 5, 5]), [0, 1, 1]);
        assert_eq!(split_evenly(7, &[]), Vec::<usize>::new());
    }

    proptest! {
        #[test]
        fn shares_are_even_and_nothing_is_wasted(
            total in 0_usize..500,
            wanted in prop::collection::vec(0_usize..200, 0..20),
        ) {
            let shares = split_evenly(total, &wanted);
            let sum = |values: &[usize]| values.iter().sum::<usize>();
            prop_assert_eq!(sum(&shares), total.min(sum(&wanted)));
            let most = shares.iter().max().copied().unwrap_or(0);
            for (share, wanted) in shares.iter().zip(&wanted) {
                prop_assert!(share <= wanted);
                prop_assert!(share == wanted || share + 1 >= most, "{:?}", shares);
            }
        }
    }
}
