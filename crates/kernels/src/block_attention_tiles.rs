//! The products of [`crate::attend_blocks`] on the tile unit.

use crate::amx::Tiles;
use crate::block_attention::{Band, BlockBuffers, CHUNK, Visit};
use crate::lanes::LANES;
use crate::packed::Tile;
use crate::panel::prefetch;

/// The scores of `own` visits: for 32 rows at a time where a block is seen by both halves of them.
pub(crate) fn score(
    band: &Band,
    visits: &[Visit],
    buffers: &mut BlockBuffers,
    own: impl Fn(&Visit) -> bool,
) {
    let tiles = Tiles::new();
    for strip in (0..band.strips()).step_by(2) {
        let of = |visit: &&Visit, strip| touches(band, visit, strip);
        let visits = || visits.iter().filter(|visit| own(visit));
        for visit in visits().filter(|one| of(one, strip) && of(one, strip + 1)) {
            score_pair(&tiles, band, visit, strip, buffers);
        }
        for strip in strip..(strip + 2).min(band.strips()) {
            let other = strip ^ 1;
            let alone: Vec<&Visit> =
                visits().filter(|one| of(one, strip) && !of(one, other)).collect();
            for (place, visits) in alone.chunks(2).enumerate() {
                let ahead = ahead_of(&alone, 2 * place, visits.len());
                score_single(&tiles, band, visits, ahead, strip, buffers);
            }
        }
    }
}

/// Whether a visit has rows in a strip of 16.
fn touches(band: &Band, visit: &Visit, strip: usize) -> bool {
    let rows = band.rows_of(visit);
    rows.start < (strip + 1) * LANES && strip * LANES < rows.end
}

/// Scores of 32 rows and 32 keys.
fn score_pair(tiles: &Tiles, band: &Band, visit: &Visit, strip: usize, buffers: &mut BlockBuffers) {
    let [first, second] = visit.block.keys();
    let steps = first.len();
    let queries = &buffers.queries[strip * steps..][..2 * steps];
    tiles.clear();
    for step in 0..steps {
        let left = [&queries[step], &queries[steps + step]];
        tiles.multiply_squares(left, [&first[step], &second[step]]);
    }
    let at = band.score_of(visit.index);
    for (sum, (row, half)) in [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().enumerate() {
        let out = Out { strip: strip + row, at: at + half * LANES, visit };
        out.store(tiles, band, sum, &mut buffers.scores);
    }
}

/// Blocks by which what is needed is asked for beforehand: some micros of memory's time.
const AHEAD: usize = 8;

/// The tiles that are needed once the keys of `AHEAD` more blocks have been used: keys again, and
/// values in the end.
fn ahead_of<'a>(visits: &[&Visit<'a>], place: usize, len: usize) -> [&'a [Tile]; 2] {
    std::array::from_fn(|i| {
        let at = place + AHEAD + i;
        let end = if i < len { visits.len() } else { 0 };
        match at < end {
            true => visits[at].block.all_keys(),
            false if at < end + AHEAD.min(end) => visits[at - end].block.values(),
            false => &[],
        }
    })
}

/// Scores of 16 rows and the keys of one or two blocks.
fn score_single(
    tiles: &Tiles,
    band: &Band,
    visits: &[&Visit],
    ahead: [&[Tile]; 2],
    strip: usize,
    buffers: &mut BlockBuffers,
) {
    let (one, two) = (visits[0], visits[visits.len() - 1]);
    let ([a, b], [c, d]) = (one.block.keys(), two.block.keys());
    let steps = a.len();
    let queries = &buffers.queries[strip * steps..][..steps];
    tiles.clear();
    for (step, query) in queries.iter().enumerate() {
        for ahead in ahead {
            ahead.iter().skip(2 * step).take(2).for_each(ask_for);
        }
        tiles.multiply_row(query, [&a[step], &b[step], &c[step], &d[step]]);
    }
    for (place, visit) in visits.iter().enumerate() {
        let at = band.score_of(visit.index);
        for half in 0..2 {
            let out = Out { strip, at: at + half * LANES, visit };
            out.store(tiles, band, 2 * place + half, &mut buffers.scores);
        }
    }
}

/// Where the scores of 16 rows and 16 keys of a visit belong.
struct Out<'a> {
    strip: usize,
    at: usize,
    visit: &'a Visit<'a>,
}

impl Out<'_> {
    /// Writes the rows that the visit has.
    fn store(&self, tiles: &Tiles, band: &Band, sum: usize, scores: &mut [f32]) {
        let rows = band.rows_of(self.visit);
        let (first, end) = (self.strip * LANES, (self.strip + 1) * LANES);
        let all = rows.start <= first && rows.end >= end.min(band.rows);
        if all {
            let out = &mut scores[first * band.stride + self.at..];
            return tiles.store(sum, out, band.stride);
        }
        let mut own = [0.0; LANES * LANES];
        tiles.store(sum, &mut own, LANES);
        for row in rows.start.max(first)..rows.end.min(end) {
            let own = &own[(row - first) * LANES..][..LANES];
            scores[row * band.stride + self.at..][..LANES].copy_from_slice(own);
        }
    }
}

/// Adds the weighted values of a few blocks; those of `ahead` come next.
pub(crate) fn mix(band: &Band, visits: &[Visit], ahead: &[Visit], buffers: &mut BlockBuffers) {
    let tiles = Tiles::new();
    for strip in (0..band.strips()).step_by(2) {
        let of = |visit: &Visit, strip| touches(band, visit, strip);
        if visits.iter().all(|one| of(one, strip) && of(one, strip + 1)) {
            mix_pair(&tiles, band, visits, strip, buffers);
            continue;
        }
        for strip in strip..(strip + 2).min(band.strips()) {
            mix_single(&tiles, band, visits, ahead, strip, buffers);
        }
    }
}

/// For 32 rows.
fn mix_pair(
    tiles: &Tiles,
    band: &Band,
    visits: &[Visit],
    strip: usize,
    buffers: &mut BlockBuffers,
) {
    let BlockBuffers { weights, mixed, .. } = buffers;
    let strips = band.head_dim.div_ceil(LANES);
    let [above, below] = [strip, strip + 1].map(|strip| &weights[strip * CHUNK..][..CHUNK]);
    for column in (0..strips).step_by(2) {
        let next = (column + 1).min(strips - 1);
        let at = [0, 1].map(|row| (strip + row) * LANES * band.width + column * LANES);
        let places = [at[0], at[0] + LANES, at[1], at[1] + LANES];
        places.into_iter().enumerate().for_each(|(sum, at)| {
            tiles.load_sum(sum, &mixed[at..], band.width);
        });
        for ((visit, above), below) in visits.iter().zip(above).zip(below) {
            let values = visit.block.values();
            tiles.multiply_squares([above, below], [&values[column], &values[next]]);
        }
        places.into_iter().enumerate().for_each(|(sum, at)| {
            tiles.store(sum, &mut mixed[at..], band.width);
        });
    }
}

/// For 16 rows.
fn mix_single(
    tiles: &Tiles,
    band: &Band,
    visits: &[Visit],
    ahead: &[Visit],
    strip: usize,
    buffers: &mut BlockBuffers,
) {
    let BlockBuffers { weights, mixed, .. } = buffers;
    let strips = band.head_dim.div_ceil(LANES);
    let weights = &weights[strip * CHUNK..][..CHUNK];
    for column in (0..strips).step_by(4) {
        let columns: [usize; 4] = std::array::from_fn(|i| (column + i).min(strips - 1));
        let at = strip * LANES * band.width + column * LANES;
        for sum in 0..4 {
            tiles.load_sum(sum, &mixed[at + sum * LANES..], band.width);
        }
        for (place, (visit, weights)) in visits.iter().zip(weights).enumerate() {
            let next = ahead.get(place).filter(|_| strip == 0).map(|visit| visit.block.values());
            next.unwrap_or(&[]).iter().skip(column).take(4).for_each(ask_for);
            if touches(band, visit, strip) {
                let values = visit.block.values();
                tiles.multiply_row(weights, columns.map(|column| &values[column]));
            }
        }
        for sum in 0..4 {
            tiles.store(sum, &mut mixed[at + sum * LANES..], band.width);
        }
    }
}

/// Asks for a tile to come to the second cache.
fn ask_for(tile: &Tile) {
    prefetch(std::ptr::from_ref(tile).cast(), 0, size_of::<Tile>());
}
