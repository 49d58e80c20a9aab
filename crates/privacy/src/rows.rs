//! Rows of weights, found by the number of a feature.
//!
//! A token has some seventy features. About half have no row, and most rows say something of two
//! labels only. So a filter of bits comes first, and a short row stands where its number is looked
//! up: all of it fits into a processor's second cache, and no look-up waits for another.

use crate::features::{FEATURES_MAX, Feature};
use crate::label::{LABELS, NONE};

/// Weights of one feature for each label.
pub(crate) type Row = [i8; LABELS];

/// The weights of a row in 32 bits. The lowest 8 are the weight of no label; then there is a label
/// (5) and its weight (8), or of a longer row the place in the list of those.
#[derive(Clone, Copy, Default)]
struct Cell(u32);

const LONG: u32 = 1 << 31;
const LONG_MAX: usize = 1 << 23;

/// As long as vectors of the processor like it.
const WIDE: usize = 24;

/// A table of rows.
pub(crate) struct Rows {
    /// Bits by hash: a feature whose bit is not set has no row.
    filter: Vec<u64>,
    /// By hash: where the features of this bucket go, so that each has a slot of its own (hash and
    /// displace; Belazzougui, Botelho and Dietzfelbinger, 2009).
    seeds: Vec<u16>,
    slots: Vec<(Feature, Cell)>,
    /// The longer rows.
    long: Vec<[i8; WIDE]>,
    /// The features in the order of their rows.
    names: Vec<Feature>,
}

/// Bits of the filter for each row, at least.
const FILTER_BITS: usize = 8;

/// Features of a bucket, about.
const BUCKET: usize = 4;

impl Rows {
    /// Makes a table; `None` when a feature stands there twice or there are too many weights.
    pub(crate) fn new(names: &[Feature], rows: &[Row]) -> Option<Rows> {
        let mut table = Rows {
            filter: vec![0; (names.len() * FILTER_BITS).next_power_of_two().max(64) / 64],
            seeds: vec![0; (names.len() / BUCKET).next_power_of_two().max(2)],
            slots: vec![(0, Cell::default()); (names.len() * 5 / 4).next_power_of_two().max(16)],
            long: Vec::new(),
            names: names.to_vec(),
        };
        table.place()?;
        for (name, row) in names.iter().zip(rows) {
            let (word, bit) = table.bit(*name);
            table.filter[word] |= bit;
            let (slot, cell) = (table.slot(*name), table.cell(row)?);
            table.slots[slot] = (*name, cell);
        }
        Some(table)
    }

    /// Finds the seeds: the fullest buckets choose first.
    fn place(&mut self) -> Option<()> {
        let mut buckets = vec![Vec::new(); self.seeds.len()];
        for name in &self.names {
            buckets[self.bucket(*name)].push(*name);
        }
        let mut order: Vec<usize> = (0..buckets.len()).collect();
        order.sort_by_key(|bucket| std::cmp::Reverse(buckets[*bucket].len()));
        let mut taken = vec![false; self.slots.len()];
        for bucket in order {
            let names = &buckets[bucket];
            let seed = (0..=u16::MAX).find(|seed| {
                let slots: Vec<usize> = names.iter().map(|n| self.slot_of(*n, *seed)).collect();
                let apart = slots.iter().enumerate().all(|(at, one)| !slots[..at].contains(one));
                apart && slots.iter().all(|slot| !taken[*slot])
            })?;
            self.seeds[bucket] = seed;
            names.iter().for_each(|name| taken[self.slot_of(*name, seed)] = true);
        }
        Some(())
    }

    fn cell(&mut self, row: &Row) -> Option<Cell> {
        let none = u32::from(row[NONE] as u8);
        let mut more = (1_u32..).zip(&row[1..]).filter(|(_, weight)| **weight != 0);
        Some(Cell(match (more.next(), more.next()) {
            (None, _) => none,
            (Some((label, weight)), None) => none | label << 8 | u32::from(*weight as u8) << 16,
            (Some(_), Some(_)) => {
                let at = self.long.len();
                self.long.push(std::array::from_fn(|at| row.get(at).copied().unwrap_or(0)));
                (at < LONG_MAX).then_some(LONG | (at as u32) << 8)?
            }
        }))
    }

    /// The rows in their order.
    pub(crate) fn all(&self) -> Vec<(Feature, Row)> {
        let weight = |sum: i32| i8::try_from(sum).expect("it was made of one");
        self.names.iter().map(|name| (*name, self.sum(&[*name]).map(weight))).collect()
    }

    /// The sum of the rows of a token's features.
    pub(crate) fn sum(&self, names: &[Feature]) -> [i32; LABELS] {
        // Whether a row is there cannot be foretold, so nothing branches on it, and all slots are
        // read before any is used.
        let mut there = [0; FEATURES_MAX];
        let mut count = 0;
        for name in &names[..names.len().min(FEATURES_MAX)] {
            let (word, bit) = self.bit(*name);
            there[count] = *name;
            count += usize::from(self.filter[word] & bit != 0);
        }
        let mut found = [(0, Cell::default()); FEATURES_MAX];
        for (name, found) in there[..count].iter().zip(&mut found) {
            *found = self.slots[self.slot(*name)];
        }
        let (mut none, mut sum, mut wide) = (0, [0_i16; 32], [0_i16; WIDE]);
        for (name, (known, Cell(cell))) in there[..count].iter().zip(&found) {
            if name != known {
                continue;
            }
            if cell & LONG == 0 {
                none += i16::from(*cell as u8 as i8);
                sum[(cell >> 8 & 31) as usize] += i16::from((cell >> 16) as u8 as i8);
                continue;
            }
            let row = &self.long[(cell & !LONG) as usize >> 8];
            wide.iter_mut().zip(row).for_each(|(wide, weight)| *wide += i16::from(*weight));
        }
        sum[NONE] = none;
        std::array::from_fn(|label| i32::from(sum[label] + wide[label]))
    }

    fn bucket(&self, name: Feature) -> usize {
        upper(name.wrapping_mul(0x9e37_79b9), self.seeds.len())
    }

    /// The slot of a feature, or one of another.
    fn slot(&self, name: Feature) -> usize {
        self.slot_of(name, self.seeds[self.bucket(name)])
    }

    fn slot_of(&self, name: Feature, seed: u16) -> usize {
        let mixed = name ^ u32::from(seed).wrapping_mul(0x85eb_ca6b);
        upper(mixed.wrapping_mul(0xc2b2_ae35), self.slots.len())
    }

    /// The word of the filter and the bit in it that stand for a feature.
    fn bit(&self, name: Feature) -> (usize, u64) {
        (upper(name.wrapping_mul(0x27d4_eb2f), self.filter.len()), 1 << (name % 64))
    }
}

/// A number below a power of two, of the upper bits of a hash.
fn upper(hash: u32, size: usize) -> usize {
    ((u64::from(hash) * size as u64) >> 32) as usize
}

const _: () = assert!(FEATURES_MAX * 128 < i16::MAX as usize, "a sum of rows would not fit");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_added_up_whether_short_or_long() {
        let row = |weights: &[(usize, i8)]| {
            let mut row = [0; LABELS];
            weights.iter().for_each(|(label, weight)| row[*label] = *weight);
            row
        };
        let rows = [
            row(&[(0, -1)]),
            row(&[(0, 127), (20, -128)]),
            row(&[(0, 1), (1, 2), (2, 3), (20, 4)]),
            row(&[(7, -3)]),
        ];
        let names = [7, 7 + (1 << 20), 9, u32::MAX];
        let table = Rows::new(&names, &rows).unwrap();
        assert_eq!(table.all(), names.into_iter().zip(rows).collect::<Vec<_>>());
        let sum = table.sum(&[7, 7 + (1 << 20), 9, 5, u32::MAX, 0, 7]);
        let expected = [(0, 126), (1, 2), (2, 3), (7, -3), (20, -124)];
        for (label, sum) in sum.into_iter().enumerate() {
            let wanted = expected.iter().find(|(known, _)| *known == label);
            assert_eq!(sum, wanted.map_or(0, |(_, weight)| *weight), "{label}");
        }
        assert_eq!(Rows::new(&[], &[]).unwrap().sum(&[1, 2, 0]), [0; LABELS]);
        assert!(Rows::new(&[3, 3], &rows[..2]).is_none(), "one feature has one row");
    }
}
