//! Rows of weights, found by the number of a feature.
//!
//! A token has some fifty features. About half have no row, and nearly all rows say something of
//! three labels at most. What takes time is waiting for memory, so all of it is made to fit into a
//! processor's second cache: a filter of bits comes first, a row stands with its name in eight
//! bytes where its number is looked up, and no look-up waits for another.

use crate::features::{FEATURES_MAX, Feature};
use crate::label::{LABELS, Label, NONE};

/// Weights of one feature for each label.
pub(crate) type Row = [i8; LABELS];

/// A row in 64 bits: from the lowest, the weight of no label (8), three labels (5) each with its
/// weight (8), what its slot does not say of its name (15), and whether it is a longer row. Of
/// those there is the place in their list instead of weights.
#[derive(Clone, Copy)]
struct Cell(u64);

const SHORT: usize = 3;
const PAIR_BITS: usize = 13;
const NAME_BITS: u32 = 15;
const NAME_AT: u32 = 48;
const LONG: u64 = 1 << 63;

/// Where weights are added up: a place for each label that five bits can name.
const SUMS: usize = 32;

/// A row without weights. Its pairs name three labels that there are not, so that adding one does
/// not wait for adding another.
const NO_WEIGHTS: u64 = 29 << 8 | 30 << (8 + PAIR_BITS) | 31 << (8 + 2 * PAIR_BITS);
const _: () = assert!(LABELS <= 29);

/// As long as vectors of the processor like it.
pub(crate) const WIDE: usize = 24;

/// A sum of rows.
pub(crate) type Sum = [i16; WIDE];

/// Room to add in, so that it is not made for every token.
pub(crate) struct Room {
    there: [Feature; FEATURES_MAX],
    found: [u64; FEATURES_MAX],
    long: [u32; FEATURES_MAX],
}

impl Default for Room {
    fn default() -> Room {
        Room { there: [0; FEATURES_MAX], found: [0; FEATURES_MAX], long: [0; FEATURES_MAX] }
    }
}

/// A table of rows.
pub(crate) struct Rows {
    /// Bits by hash: a feature that has not both of its bits set has no row.
    filter: Vec<u64>,
    filter_shift: u32,
    /// A name is mixed; its upper bits are the number of its bucket, the others its place. By how
    /// much the places of each bucket are moved, so that each feature has a slot of its own (hash
    /// and displace; Belazzougui, Botelho and Dietzfelbinger, 2009). Bucket and slot together say
    /// what the name is.
    moves: Vec<u16>,
    bucket_shift: u32,
    slots: Vec<Cell>,
    /// The longer rows.
    long: Vec<[i8; WIDE]>,
    /// The features in the order of their rows.
    names: Vec<Feature>,
}

/// Bits of the filter for each row, at least.
const FILTER_BITS: usize = 8;

impl Rows {
    /// Makes a table; `None` when a feature stands there twice or there are too many of them.
    pub(crate) fn new(names: &[Feature], rows: &[Row]) -> Option<Rows> {
        let slots = (names.len() * 5 / 4).next_power_of_two().max(1 << (32 - NAME_BITS));
        let buckets = (1_u64 << 32) / slots as u64;
        // Two words at least, so that the number of a word is a shifted name.
        let words = (names.len() * FILTER_BITS).next_power_of_two().max(128) / 64;
        let mut table = Rows {
            filter: vec![0; words],
            filter_shift: 32 - words.trailing_zeros(),
            moves: vec![0; buckets as usize],
            bucket_shift: slots.trailing_zeros(),
            slots: vec![Cell(NO_WEIGHTS); slots],
            long: Vec::new(),
            names: names.to_vec(),
        };
        table.place()?;
        for (name, row) in names.iter().zip(rows) {
            let (word, bits) = table.bits(*name);
            table.filter[word] |= bits;
            let (bucket, slot) = table.slot(*name);
            table.slots[slot] = Cell(table.weights(row) | (bucket as u64) << NAME_AT);
        }
        Some(table)
    }

    /// Finds the moves: the fullest buckets choose first.
    fn place(&mut self) -> Option<()> {
        let mut buckets = vec![Vec::new(); self.moves.len()];
        for name in &self.names {
            let (bucket, place) = self.parted(*name);
            buckets[bucket].push(place);
        }
        let mut order: Vec<usize> = (0..buckets.len()).collect();
        order.sort_by_key(|bucket| std::cmp::Reverse(buckets[*bucket].len()));
        let mut taken = vec![false; self.slots.len()];
        for bucket in order {
            let places = &mut buckets[bucket];
            places.sort_unstable();
            if places.windows(2).any(|two| two[0] == two[1]) {
                return None;
            }
            let free = |by: &u16| places.iter().all(|place| !taken[self.moved(*place, *by)]);
            let by = (0..=u16::MAX).find(free)?;
            self.moves[bucket] = by;
            places.iter().for_each(|place| taken[self.moved(*place, by)] = true);
        }
        Some(())
    }

    fn weights(&mut self, row: &Row) -> u64 {
        let more: Vec<(usize, i8)> =
            (1..).zip(row[1..].iter().copied()).filter(|(_, weight)| *weight != 0).collect();
        if more.len() > SHORT {
            self.long.push(std::array::from_fn(|at| row.get(at).copied().unwrap_or(0)));
            return LONG | (self.long.len() as u64 - 1);
        }
        let mut cell = NO_WEIGHTS | u64::from(row[NONE] as u8);
        for (number, (label, weight)) in more.into_iter().enumerate() {
            let at = 8 + number * PAIR_BITS;
            cell &= !(0x1fff << at);
            cell |= (label as u64 | u64::from(weight as u8) << 5) << at;
        }
        cell
    }

    /// The rows in their order.
    pub(crate) fn all(&self) -> Vec<(Feature, Row)> {
        let weight =
            |sum: &Sum, label: Label| i8::try_from(sum[label]).expect("it was made of one");
        let row = |sum: &Sum| std::array::from_fn(|label| weight(sum, label));
        self.names.iter().map(|name| (*name, row(&self.sum(&[*name])))).collect()
    }

    /// Adds the rows of features to a sum.
    pub(crate) fn add(&self, names: &[Feature], sum: &mut Sum, room: &mut Room) {
        // Whether a row is there, and whether it is a long one, cannot be foretold: nothing
        // branches on it, and all slots are read before any is used.
        let mut count = 0;
        for name in &names[..names.len().min(FEATURES_MAX)] {
            let (word, bits) = self.bits(*name);
            room.there[count] = *name;
            count += usize::from(self.filter[word] & bits == bits);
        }
        for (name, found) in room.there[..count].iter().zip(&mut room.found) {
            let (bucket, slot) = self.slot(*name);
            let cell = self.slots[slot].0;
            let is_it = (cell & !LONG) >> NAME_AT == bucket as u64;
            *found = if is_it { cell } else { NO_WEIGHTS };
        }
        // Labels come again from cell to cell: where each pair of a cell has sums of its own,
        // adding waits for adding less often.
        let (mut none, mut sums, mut long) = (0, [[0_i16; SUMS]; SHORT], 0);
        for cell in &room.found[..count] {
            room.long[long] = *cell as u32;
            let is_long = cell & LONG != 0;
            long += usize::from(is_long);
            let cell = if is_long { NO_WEIGHTS } else { *cell };
            none += i16::from(cell as i8);
            for (number, sums) in sums.iter_mut().enumerate() {
                let pair = cell >> (8 + number * PAIR_BITS);
                sums[pair as usize % SUMS] += i16::from((pair >> 5) as i8);
            }
        }
        for place in &room.long[..long] {
            add_long(sum, &self.long[*place as usize]);
        }
        sums[0][NONE] += none;
        add_short(sum, &sums);
    }

    /// The sum of the rows of features.
    pub(crate) fn sum(&self, names: &[Feature]) -> Sum {
        let mut sum = [0; WIDE];
        self.add(names, &mut sum, &mut Room::default());
        sum
    }

    /// The bucket of a feature, and its place among those of the bucket.
    fn parted(&self, name: Feature) -> (usize, usize) {
        let mixed = name.wrapping_mul(0x9e37_79b1);
        let mixed = mixed ^ mixed >> 16;
        ((mixed >> self.bucket_shift) as usize, mixed as usize & (self.slots.len() - 1))
    }

    /// The slot of a place that is moved; different ones for the places of a bucket.
    fn moved(&self, place: usize, by: u16) -> usize {
        place.wrapping_add(usize::from(by)) & (self.slots.len() - 1)
    }

    /// The bucket of a feature and its slot, or that of another feature.
    fn slot(&self, name: Feature) -> (usize, usize) {
        let (bucket, place) = self.parted(name);
        (bucket, self.moved(place, self.moves[bucket]))
    }

    /// The word of the filter and the bits in it that stand for a feature.
    fn bits(&self, name: Feature) -> (usize, u64) {
        // The name is a hash whose upper bits are the best.
        let word = (name >> self.filter_shift) as usize;
        (word, 1 << (name % 64) | 1 << (name >> 6 & 63))
    }
}

// Where these stand in a larger function, the compiler takes the sums apart into single numbers.

#[inline(never)]
fn add_long(sum: &mut Sum, row: &[i8; WIDE]) {
    sum.iter_mut().zip(row).for_each(|(sum, weight)| *sum += i16::from(*weight));
}

#[inline(never)]
fn add_short(sum: &mut Sum, [one, two, three]: &[[i16; SUMS]; SHORT]) {
    for (label, sum) in sum.iter_mut().enumerate() {
        *sum += one[label] + two[label] + three[label];
    }
}

/// How many sums are added up together.
pub(crate) const TOGETHER: usize = 12;

/// No sum.
pub(crate) const ZERO: &Sum = &[0; WIDE];

/// Adds sums to another one.
#[inline(never)]
pub(crate) fn add_sums(sum: &mut Sum, more: &[&Sum; TOGETHER]) {
    for (label, sum) in sum.iter_mut().enumerate() {
        *sum += more.iter().map(|more| more[label]).sum::<i16>();
    }
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
            row(&[(0, 2), (1, -128), (2, 127), (20, -1)]),
        ];
        let names = [7, 7 + (1 << 20), 9, u32::MAX, 10];
        let table = Rows::new(&names, &rows).unwrap();
        assert_eq!(table.all(), names.into_iter().zip(rows).collect::<Vec<_>>());
        let sum = table.sum(&[7, 7 + (1 << 20), 9, 5, u32::MAX, 0, 7]);
        let expected = [(0, 126), (1, 2), (2, 3), (7, -3), (20, -124)];
        for (label, sum) in sum.into_iter().enumerate() {
            let wanted = expected.iter().find(|(known, _)| *known == label);
            assert_eq!(sum, wanted.map_or(0, |(_, weight)| *weight), "{label}");
        }
        assert_eq!(Rows::new(&[], &[]).unwrap().sum(&[1, 2, 0]), [0; WIDE]);
        assert!(Rows::new(&[3, 3], &rows[..2]).is_none(), "one feature has one row");
    }
}
