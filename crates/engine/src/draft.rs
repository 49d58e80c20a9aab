//! Guessing what a sequence goes on with, from what it holds already.
//!
//! A guess is run beside the last token, in one batch; it is taken only where the sampler itself
//! gives the guessed token from the scores before it. So guessing changes how soon tokens come, and
//! never which ones.

/// Lengths of the endings that are looked for; a longer one is the better sign.
const ENDINGS: [usize; 3] = [4, 3, 2];

/// Up to `most` tokens that followed the last place where the ending of `tokens` stood before
/// (prompt lookup: Saxena, "Prompt Lookup Decoding", 2023). None if it never did.
pub(crate) fn draft(tokens: &[u32], most: usize) -> &[u32] {
    for length in ENDINGS {
        let Some(before) = tokens.len().checked_sub(length + 1) else { continue };
        let ending = &tokens[tokens.len() - length..];
        let earlier = tokens[..before + length].windows(length).rposition(|part| part == ending);
        if let Some(at) = earlier {
            let followed = &tokens[at + length..];
            return &followed[..followed.len().min(most)];
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_place_of_the_longest_ending_counts() {
        assert_eq!(draft(&[1, 2, 3, 9, 1, 2], 2), [3, 9]);
        assert_eq!(draft(&[1, 2, 3, 1, 2, 4, 1, 2], 1), [4]);
        assert_eq!(draft(&[7, 1, 2, 5, 8, 1, 2, 6, 7, 1, 2], 3), [5, 8, 1]);
        assert_eq!(draft(&[5, 5, 5, 5], 9), [5]);
        assert!(draft(&[1, 2, 3, 4], 4).is_empty() && draft(&[1], 4).is_empty());
        assert!(draft(&[1, 2, 3, 9, 1, 2], 0).is_empty());
    }
}
