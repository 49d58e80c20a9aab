//! Which sequence each row of a batch belongs to.

use crate::error::{Error, Result};
use std::collections::HashSet;
use std::ops::Range;

/// The rows of a batch: whole sequences (documents), one after the other without padding. A row
/// sees only rows of its own sequence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rows {
    /// First row of each sequence, and the end of the last.
    starts: Vec<usize>,
    positions: Vec<usize>,
}

impl Rows {
    /// Sequences of the given lengths in rows; empty ones have no row.
    pub fn packed(lengths: &[usize]) -> Rows {
        let mut rows = Rows { starts: vec![0], positions: Vec::new() };
        for length in lengths.iter().filter(|length| **length > 0) {
            rows.positions.extend(0..*length);
            rows.starts.push(rows.positions.len());
        }
        rows
    }

    /// Rows told one by one as (sequence, position).
    ///
    /// # Errors
    /// If a sequence's rows do not stand together, or do not go from position 0 on without a gap.
    pub fn new(places: impl IntoIterator<Item = (usize, usize)>) -> Result<Rows> {
        let (mut lengths, mut before, mut seen) = (Vec::new(), None, HashSet::new());
        for (row, (sequence, position)) in places.into_iter().enumerate() {
            if before != Some(sequence) {
                if !seen.insert(sequence) {
                    return Err(Error::Split { row, sequence });
                }
                lengths.push(0);
            }
            before = Some(sequence);
            let length = lengths.last_mut().expect("a sequence has begun");
            if position != *length {
                return Err(Error::Rows { row, sequence, position, expected: *length });
            }
            *length += 1;
        }
        Ok(Rows::packed(&lengths))
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }

    /// The position of each row in its sequence.
    pub fn positions(&self) -> &[usize] {
        &self.positions
    }

    /// The rows of each sequence.
    pub fn sequences(&self) -> impl ExactSizeIterator<Item = Range<usize>> + '_ {
        self.starts.windows(2).map(|pair| pair[0]..pair[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_and_told_one_by_one_agree() {
        let packed = Rows::packed(&[2, 0, 1, 3]);
        let told = Rows::new([(7, 0), (7, 1), (2, 0), (5, 0), (5, 1), (5, 2)]).unwrap();
        assert_eq!(packed, told);
        assert_eq!(packed.sequences().collect::<Vec<_>>(), [0..2, 2..3, 3..6]);
        assert_eq!(packed.positions(), [0, 1, 0, 0, 1, 2]);
        assert!(Rows::packed(&[]).is_empty() && Rows::new([]).unwrap().is_empty());
    }

    #[test]
    fn gaps_and_split_sequences_are_refused() {
        let gap = Rows::new([(0, 0), (0, 2)]);
        assert!(matches!(gap, Err(Error::Rows { row: 1, position: 2, expected: 1, .. })));
        let late = Rows::new([(0, 1)]);
        assert!(matches!(late, Err(Error::Rows { row: 0, position: 1, expected: 0, .. })));
        let split = Rows::new([(0, 0), (1, 0), (0, 0)]);
        assert!(matches!(split, Err(Error::Split { row: 2, sequence: 0 })));
    }
}
