//! Rows of weights, found by the number of a feature.
//!
//! A token has some thirty features that no sum holds yet. About a third have no row. Nearly all
//! rows say something of three labels at most, but those of the features that texts have again and
//! again are longer. What takes time is waiting for memory, so all of it is made small: a filter of
//! bits comes first; the longer rows, few and often asked for, stand by themselves; a short one
//! stands with its name in eight bytes. No look-up waits for another.

use crate::features::{FEATURES_MAX, Feature};
use crate::label::{LABELS, Label, NONE};

/// Weights of one feature for each label.
pub(crate) type Row = [i8; LABELS];

/// A short row in 64 bits: from the lowest, the weight of no label (8), three labels (5) each with
/// its weight (8), and what its slot does not say of its name (15).
#[derive(Clone, Copy)]
struct Cell(u64);

const SHORT: usize = 3;
const PAIR_BITS: usize = 13;
const NAME_BITS: u32 = 15;
const NAME_AT: u32 = 48;

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

/// Where a longer row is.
#[derive(Clone, Copy)]
struct Long {
    name: Feature,
    row: u32,
}

/// How many tokens are added up together at most. Waiting for memory is shared by all of them: a
/// step is done for every token before the next step asks for what it found.
pub(crate) const BATCH: usize = 16;

/// The features of some tokens, and room to add up their rows.
pub(crate) struct Batch {
    names: Vec<Feature>,
    /// Of each token, where its features end, and then what was found of them.
    ends: Vec<Ends>,
    long: Vec<u32>,
    cells: Vec<u64>,
}

#[derive(Clone, Copy)]
struct Ends {
    names: usize,
    long: usize,
}

impl Batch {
    /// Room for so many tokens, or as many as it may take.
    pub(crate) fn of(tokens: usize) -> Batch {
        let tokens = tokens.min(BATCH);
        let features = tokens * FEATURES_MAX / 2;
        Batch {
            names: Vec::with_capacity(features),
            ends: Vec::with_capacity(tokens),
            long: Vec::with_capacity(features),
            cells: Vec::with_capacity(features),
        }
    }

    /// Adds a token with these features.
    pub(crate) fn push(&mut self, names: &[Feature]) {
        self.names.extend_from_slice(names);
        self.ends.push(Ends { names: self.names.len(), long: 0 });
    }

    pub(crate) fn clear(&mut self) {
        self.names.clear();
        self.ends.clear();
    }
}

/// A table of rows.
pub(crate) struct Rows {
    /// Bits by hash: a feature that has not both of its bits set has no row.
    filter: Vec<u64>,
    filter_shift: u32,
    /// The short rows. Bucket and slot together say what a name is.
    short: Slots,
    cells: Vec<Cell>,
    /// The longer rows; a slot without one has a name that belongs elsewhere. Those that say most
    /// come first: they are asked for most, and lie close together.
    long: Slots,
    places: Vec<Long>,
    rows: Vec<[i8; WIDE]>,
    /// The features in the order of their rows.
    names: Vec<Feature>,
}

/// Bits of the filter for each row, at least.
const FILTER_BITS: usize = 8;

/// Where names stand. A name is mixed; its upper bits are the number of its bucket, the lowest its
/// place. By how much the places of each bucket are moved, so that each feature has a slot of its
/// own (hash and displace; Belazzougui, Botelho and Dietzfelbinger, 2009).
struct Slots {
    moves: Vec<u16>,
    bucket_shift: u32,
    count: usize,
}

impl Slots {
    /// Finds the moves in a table of so many buckets and slots, both powers of two: the fullest
    /// buckets choose first. `None` when a name stands there twice or there are too many of them.
    fn new(names: &[Feature], buckets: usize, count: usize) -> Option<Slots> {
        let bucket_shift = u32::BITS - buckets.trailing_zeros();
        let mut slots = Slots { moves: vec![0; buckets], bucket_shift, count };
        let mut parted = vec![Vec::new(); buckets];
        for name in names {
            let (bucket, place) = slots.parted(*name);
            parted[bucket].push(place);
        }
        let mut order: Vec<usize> = (0..buckets).collect();
        order.sort_by_key(|bucket| std::cmp::Reverse(parted[*bucket].len()));
        let mut taken = vec![false; count];
        for bucket in order {
            let places = &mut parted[bucket];
            places.sort_unstable();
            if places.windows(2).any(|two| two[0] == two[1]) {
                return None;
            }
            let free = |by: &u16| places.iter().all(|place| !taken[slots.moved(*place, *by)]);
            let by = (0..=u16::MAX).find(free)?;
            slots.moves[bucket] = by;
            places.iter().for_each(|place| taken[slots.moved(*place, by)] = true);
        }
        Some(slots)
    }

    /// The bucket of a feature, and its place among those of the bucket.
    fn parted(&self, name: Feature) -> (usize, usize) {
        let mixed = name.wrapping_mul(0x9e37_79b1);
        let mixed = mixed ^ mixed >> 16;
        ((mixed >> self.bucket_shift) as usize, mixed as usize & (self.count - 1))
    }

    /// The slot of a place that is moved; different ones for the places of a bucket.
    fn moved(&self, place: usize, by: u16) -> usize {
        place.wrapping_add(usize::from(by)) & (self.count - 1)
    }

    /// The bucket of a feature and its slot, or that of another feature.
    fn of(&self, name: Feature) -> (usize, usize) {
        let (bucket, place) = self.parted(name);
        (bucket, self.moved(place, self.moves[bucket]))
    }
}

impl Rows {
    /// Makes a table; `None` when a feature stands there twice or there are too many of them.
    pub(crate) fn new(names: &[Feature], rows: &[Row]) -> Option<Rows> {
        let said = |row: &Row| row[1..].iter().filter(|weight| **weight != 0).count();
        let is_long = |row: &Row| said(row) > SHORT;
        let these = |long: bool| {
            let rows = names.iter().zip(rows).filter(move |(_, row)| is_long(row) == long);
            rows.map(|(name, _)| *name).collect::<Vec<Feature>>()
        };
        let (short, long) = (these(false), these(true));
        let cells = (short.len() * 5 / 4).next_power_of_two().max(1 << (u32::BITS - NAME_BITS));
        let short = Slots::new(&short, (1_u64 << u32::BITS) as usize / cells, cells)?;
        let slots = (long.len() * 5 / 4).next_power_of_two().max(8);
        // Two of a bucket may fall on one place; in more buckets, on another.
        let mut buckets = [4, 2, 1].into_iter().map(|by| slots / by);
        let long = buckets.find_map(|buckets| Slots::new(&long, buckets, slots))?;
        // Two words at least, so that the number of a word is a shifted name.
        let words = (names.len() * FILTER_BITS).next_power_of_two().max(128) / 64;
        let elsewhere = |slot: usize| (0..).find(|name| long.of(*name).1 != slot);
        let empty = |slot: usize| Long { name: elsewhere(slot).unwrap_or(0), row: 0 };
        let mut table = Rows {
            filter: vec![0; words],
            filter_shift: u32::BITS - words.trailing_zeros(),
            cells: vec![Cell(NO_WEIGHTS); cells],
            places: (0..slots).map(empty).collect(),
            rows: Vec::new(),
            short,
            long,
            names: names.to_vec(),
        };
        let mut longer: Vec<_> = names.iter().zip(rows).filter(|(_, row)| is_long(row)).collect();
        longer.sort_by_key(|(_, row)| std::cmp::Reverse(said(row)));
        for (name, row) in longer {
            let (_, slot) = table.long.of(*name);
            table.places[slot] = Long { name: *name, row: table.rows.len() as u32 };
            table.rows.push(std::array::from_fn(|at| row.get(at).copied().unwrap_or(0)));
        }
        for (name, row) in names.iter().zip(rows) {
            let (word, bits) = table.bits(*name);
            table.filter[word] |= bits;
            if is_long(row) {
                continue;
            }
            if table.places[table.long.of(*name).1].name == *name {
                return None;
            }
            let (bucket, slot) = table.short.of(*name);
            table.cells[slot] = Cell(weights(row) | (bucket as u64) << NAME_AT);
        }
        Some(table)
    }

    /// The rows in their order.
    pub(crate) fn all(&self) -> Vec<(Feature, Row)> {
        let weight =
            |sum: &Sum, label: Label| i8::try_from(sum[label]).expect("it was made of one");
        let row = |sum: &Sum| std::array::from_fn(|label| weight(sum, label));
        self.names.iter().map(|name| (*name, row(&self.sum(&[*name])))).collect()
    }

    /// Adds the rows of each token's features to its sum.
    pub(crate) fn add(&self, batch: &mut Batch, sums: &mut [Sum]) {
        // Whether a row is there, and whether it is a long one, cannot be foretold: nothing
        // branches on it, and what is there is moved to the front.
        self.leave_absent(batch);
        self.part_long(batch);
        let names = batch.ends.last().map_or(0, |ends| ends.names);
        batch.cells.resize(names.max(batch.cells.len()), NO_WEIGHTS);
        for (name, found) in batch.names[..names].iter().zip(&mut batch.cells) {
            let (bucket, slot) = self.short.of(*name);
            let cell = self.cells[slot].0;
            let is_it = cell >> NAME_AT == bucket as u64;
            *found = if is_it { cell } else { NO_WEIGHTS };
        }
        let mut from = Ends { names: 0, long: 0 };
        for (ends, sum) in batch.ends.iter().zip(sums) {
            add_cells(sum, &batch.cells[from.names..ends.names]);
            add_long(sum, &self.rows, &batch.long[from.long..ends.long]);
            from = *ends;
        }
    }

    /// Keeps the features that may have a row.
    fn leave_absent(&self, batch: &mut Batch) {
        let (mut from, mut count) = (0, 0);
        for ends in &mut batch.ends {
            for at in from..ends.names {
                let name = batch.names[at];
                let (word, bits) = self.bits(name);
                batch.names[count] = name;
                count += usize::from(self.filter[word] & bits == bits);
            }
            from = ends.names;
            ends.names = count;
        }
    }

    /// Finds the long rows, and keeps the other features.
    fn part_long(&self, batch: &mut Batch) {
        batch.long.resize(batch.names.len().max(batch.long.len()), 0);
        let (mut from, mut count, mut long) = (0, 0, 0);
        for ends in &mut batch.ends {
            for at in from..ends.names {
                let name = batch.names[at];
                let (_, slot) = self.long.of(name);
                let place = self.places[slot];
                let is_it = place.name == name;
                batch.long[long] = place.row;
                long += usize::from(is_it);
                batch.names[count] = name;
                count += usize::from(!is_it);
            }
            from = ends.names;
            *ends = Ends { names: count, long };
        }
    }

    /// The sum of the rows of features.
    pub(crate) fn sum(&self, names: &[Feature]) -> Sum {
        let (mut sum, mut batch) = ([0; WIDE], Batch::of(1));
        batch.push(names);
        self.add(&mut batch, std::slice::from_mut(&mut sum));
        sum
    }

    /// The word of the filter and the bits in it that stand for a feature.
    fn bits(&self, name: Feature) -> (usize, u64) {
        // The name is a hash whose upper bits are the best.
        let word = (name >> self.filter_shift) as usize;
        (word, 1 << (name % 64) | 1 << (name >> 6 & 63))
    }
}

/// A short row as a cell, without its name.
fn weights(row: &Row) -> u64 {
    let mut cell = NO_WEIGHTS | u64::from(row[NONE] as u8);
    let more = (1..).zip(&row[1..]).filter(|(_, weight)| **weight != 0);
    for (number, (label, weight)) in more.enumerate() {
        let at = 8 + number * PAIR_BITS;
        cell &= !(0x1fff << at);
        cell |= (label as u64 | u64::from(*weight as u8) << 5) << at;
    }
    cell
}

// Where these stand in a larger function, the compiler takes the sums apart into single numbers.

#[inline(never)]
fn add_cells(sum: &mut Sum, cells: &[u64]) {
    // Labels come again from cell to cell: where each pair of a cell has sums of its own, adding
    // waits for adding less often.
    let (mut none, mut sums) = (0, [[0_i16; SUMS]; SHORT]);
    for cell in cells {
        none += i16::from(*cell as i8);
        for (number, sums) in sums.iter_mut().enumerate() {
            let pair = *cell >> (8 + number * PAIR_BITS);
            sums[pair as usize % SUMS] += i16::from((pair >> 5) as i8);
        }
    }
    sums[0][NONE] += none;
    add_short(sum, &sums);
}

#[inline(never)]
fn add_long(sum: &mut Sum, rows: &[[i8; WIDE]], places: &[u32]) {
    let mut all = *sum;
    for place in places {
        let weights = &rows[*place as usize];
        all.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += i16::from(*weight));
    }
    *sum = all;
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
        assert!(Rows::new(&[3, 3], &rows[1..3]).is_none(), "short or long");
    }
}
