//! Attention over the cache, in either of its forms.

use super::cache::{Floats, HeadWrite, Pages, Store};
use super::workers::Workers;
use super::{Activations, Batch, Infer, PAGE_TOKENS, RopeTable};
use crate::checkpoint::Checkpoint;
use crate::exec::{Exec, Placing};
use crate::spec::{AttentionSpec, ModelSpec};
use crate::weight::{Part, WeightId};
use allod_kernels::{
    Columns, HeadRows, Inputs, Isa, Patch, RopePairing, Scoring, Scratch, Visit, attend_blocks,
    attend_rows, prefetch, rms_norm, rope,
};
use std::collections::BTreeMap;
use std::ops::Range;

/// Queries of a sequence that attend together: as many as share what is read of keys and values.
const QUERIES: usize = 64;

/// Rows of a sequence up to which it attends together with others that share its pages.
const FEW: usize = 8;

/// Rows of a head that are asked for before they are read: as far apart as they lie, the processor
/// does not foresee them.
const ROWS_AHEAD: usize = 4;

/// Rows of a tile.
const LANES: usize = 16;

/// Rows from which storing keys and values is worth several threads.
const MANY: usize = 8;

/// Sequences of a batch, or parts of them, that attend together, over pages that they share.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Band {
    /// Rows of the batch: one range of each sequence.
    runs: Vec<Range<usize>>,
    /// The pages, by index.
    pages: Vec<Shared>,
}

/// A page that some of the band's runs see.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shared {
    slot: usize,
    index: usize,
    /// The band's rows, counted from its first.
    rows: Range<usize>,
}

/// Rows of a sequence that attend together, whole tiles of them where there are as many.
fn most_rows(group: usize) -> usize {
    let most = (QUERIES / group).max(1);
    if most < LANES { most } else { most / LANES * LANES }
}

/// Who attends together in a batch.
#[derive(Debug, Default)]
pub(super) struct Plan {
    bands: Vec<Band>,
}

impl Plan {
    /// Sequences with few rows are put together where they begin with the same page.
    pub fn new(batch: &Batch, store: &Store, group: usize) -> Plan {
        let Store::Pages(pages) = store else { return Plan::default() };
        let most = most_rows(group);
        let mut bands: Vec<Vec<Range<usize>>> = Vec::new();
        let mut alike = BTreeMap::new();
        for rows in batch.sequences() {
            if rows.len() > FEW.min(most) {
                for start in rows.clone().step_by(most) {
                    let run = start..(start + most).min(rows.end);
                    bands.push(std::iter::once(run).collect());
                }
                continue;
            }
            let first = pages.identity(batch.place(rows.start).0, 0);
            let band = *alike.entry(first).or_insert(bands.len());
            match bands.get_mut(band) {
                Some(band) if band.iter().map(Range::len).sum::<usize>() + rows.len() <= most => {
                    band.push(rows);
                }
                _ => {
                    alike.insert(first, bands.len());
                    bands.push(vec![rows]);
                }
            }
        }
        let bands = bands.into_iter().map(|runs| Band::new(runs, batch, pages)).collect();
        Plan { bands }
    }
}

impl Band {
    fn new(mut runs: Vec<Range<usize>>, batch: &Batch, pages: &Pages) -> Band {
        let slot = |run: &Range<usize>| batch.place(run.start).0;
        // Those that share more stand side by side.
        let table = |run: &Range<usize>| -> Vec<_> {
            let slot = slot(run);
            (0..pages.count(slot)).map(|page| pages.identity(slot, page)).collect()
        };
        if runs.len() > 1 {
            runs.sort_by_cached_key(table);
        }
        let end = |run: &Range<usize>| batch.place(run.end - 1).1 + 1;
        let count = |run: &Range<usize>| end(run).div_ceil(PAGE_TOKENS);
        let mut shared: Vec<Shared> = Vec::new();
        for index in 0..runs.iter().map(count).max().unwrap_or(0) {
            let (mut row, mut before) = (0, None);
            for run in &runs {
                let rows = row..row + run.len();
                row = rows.end;
                let page = (index < count(run)).then(|| pages.identity(slot(run), index));
                match (page, shared.last_mut()) {
                    (Some(_), Some(last)) if page == before => last.rows.end = rows.end,
                    (Some(_), _) => shared.push(Shared { slot: slot(run), index, rows }),
                    (None, _) => {}
                }
                before = page;
            }
        }
        Band { runs, pages: shared }
    }
}

/// A band, a kv head, and where the mixed values go.
struct Task<'a> {
    band: &'a Band,
    head: usize,
    out: Out<'a>,
}

/// Where mixed values of a band go.
enum Out<'a> {
    /// Of each run.
    Floats(Vec<Columns<'a>>),
    Rounded(Patch<'a>),
}

impl Out<'_> {
    /// Writes `[rows, share]`, of a kv head.
    fn put(&mut self, isa: Isa, head: usize, share: usize, mixed: &[f32]) {
        let mut rows = mixed.chunks_exact(share);
        match self {
            Out::Floats(runs) => {
                for run in runs {
                    for (row, mixed) in (0..run.rows()).zip(&mut rows) {
                        run.of_row(row, 0..share).copy_from_slice(mixed);
                    }
                }
            }
            Out::Rounded(patch) => {
                for (row, mixed) in patch.vectors().zip(rows) {
                    patch.put(isa, row, head * share, mixed);
                }
            }
        }
    }
}

/// How the heads of a layer's queries or keys are placed.
#[derive(Clone, Copy)]
struct HeadPlacing<'a> {
    norm: Option<&'a [f32]>,
    epsilon: f32,
    rope: Option<(&'a RopeTable, RopePairing)>,
}

impl HeadPlacing<'_> {
    const NONE: HeadPlacing<'static> = HeadPlacing { norm: None, epsilon: 0.0, rope: None };

    fn is_none(&self) -> bool {
        self.norm.is_none() && self.rope.is_none()
    }

    /// Places the head of a row at `position`.
    fn place(&self, isa: Isa, position: usize, head: &[f32], out: &mut [f32]) {
        match self.norm {
            Some(weight) => rms_norm(isa, head, weight, self.epsilon, out),
            None => out.copy_from_slice(head),
        }
        if let Some((table, pairing)) = self.rope {
            let (cos, sin) = table.at(position);
            rope(isa, out, cos, sin, pairing);
        }
    }
}

/// What is the same for all tasks of a layer.
struct Layer<'a> {
    isa: Isa,
    layer: usize,
    spec: AttentionSpec,
    window: Option<usize>,
    sinks: &'a [f32],
    batch: &'a Batch,
    /// `[rows, heads * head_dim]`
    queries: &'a Activations,
    /// Of queries and of keys.
    placings: [HeadPlacing<'a>; 2],
}

impl Layer<'_> {
    /// Columns of a kv head's queries.
    fn share(&self) -> usize {
        self.spec.group() * self.spec.head_dim
    }

    fn slot(&self, rows: &Range<usize>) -> usize {
        self.batch.place(rows.start).0
    }

    /// What a row sees of its sequence, which has `length` positions.
    fn seen(&self, row: usize, length: usize) -> Range<usize> {
        self.spec.seen(self.batch.place(row).1, length, self.window)
    }

    fn scoring(&self, head: usize) -> Scoring<'_> {
        let group = if self.spec.sinks { self.spec.group() } else { 0 };
        let sinks = &self.sinks[head * group..(head + 1) * group];
        Scoring { scale: self.spec.scale, cap: self.spec.cap, sinks }
    }

    /// The queries of a kv head in some rows, in their place.
    fn queries(&self, head: usize, rows: impl Iterator<Item = usize>) -> Vec<f32> {
        let (share, head_dim) = (self.share(), self.spec.head_dim);
        let rows: Vec<usize> = rows.collect();
        let mut queries = vec![0.0; rows.len() * share];
        let own =
            |row: usize| &self.queries.values[row * self.queries.width + head * share..][..share];
        let mut next = rows.iter().skip(ROWS_AHEAD);
        for (row, out) in rows.iter().copied().zip(queries.chunks_exact_mut(share)) {
            if let Some(next) = next.next() {
                prefetch(own(*next));
            }
            let own = own(row);
            let position = self.batch.place(row).1;
            for (own, out) in own.chunks_exact(head_dim).zip(out.chunks_exact_mut(head_dim)) {
                self.placings[0].place(self.isa, position, own, out);
            }
        }
        queries
    }

    /// The keys of a kv head in some rows, in their place: `[rows, head_dim]`.
    fn keys(&self, k: &Activations, head: usize, rows: Range<usize>) -> Vec<f32> {
        let head_dim = self.spec.head_dim;
        let mut keys = vec![0.0; rows.len() * head_dim];
        let own = |row: usize| &k.values[row * k.width + head * head_dim..][..head_dim];
        for (row, out) in rows.clone().zip(keys.chunks_exact_mut(head_dim)) {
            if row + ROWS_AHEAD < rows.end {
                prefetch(own(row + ROWS_AHEAD));
            }
            let own = own(row);
            self.placings[1].place(self.isa, self.batch.place(row).1, own, out);
        }
        keys
    }

    /// A kv head over buffers of floats, for runs of rows.
    fn attend_floats(&self, floats: &Floats, workers: &mut Workers, out: &mut [f32]) {
        let runs: Vec<Range<usize>> =
            self.batch.runs((QUERIES / self.spec.group()).max(1)).collect();
        let mut tasks = Vec::new();
        for (rows, heads) in runs.iter().zip(self.pieces(&runs, out)) {
            let heads = heads.into_iter().enumerate();
            tasks.extend(heads.map(|(head, out)| (rows.clone(), head, out)));
        }
        let share = self.share();
        workers.split_tasks(tasks, |(rows, head, mut out), scratch| {
            let seen = floats.read(self.layer, self.batch.place(rows.start).0, head);
            let queries = self.queries(head, rows.clone());
            // All rows of a sequence are there.
            let last = self.batch.places().filter(|(slot, _)| *slot == self.slot(&rows)).last();
            let length = last.map_or(0, |(_, position)| position + 1);
            let ranges: Vec<Range<usize>> = rows.map(|row| self.seen(row, length)).collect();
            let (mut mixed, scoring) = (vec![0.0; queries.len()], self.scoring(head));
            attend_rows(self.isa, &queries, &seen, &ranges, &scoring, &mut mixed, scratch);
            put(&mixed, share, &mut out);
        });
    }

    /// Stores keys and values in pages.
    fn append(&self, pages: &mut Pages, workers: &mut Workers, [k, v]: [&Activations; 2]) {
        let head_dim = self.spec.head_dim;
        let write = |write: HeadWrite| {
            let HeadWrite { mut block, head, rows, place } = write;
            let [mut keys, values] = [k, v].map(|x| HeadRows {
                values: &x.values[rows.start * x.width + head * head_dim..],
                stride: x.width,
            });
            let placed;
            if !self.placings[1].is_none() {
                let values = |row: usize| &v.values[row * v.width + head * head_dim..][..head_dim];
                rows.clone().for_each(|row| prefetch(values(row)));
                placed = self.keys(k, head, rows.clone());
                keys = HeadRows { values: &placed, stride: head_dim };
            }
            block.write(self.isa, place, rows.len(), keys, values);
        };
        let sequences = self.batch.sequences().map(|rows| {
            let (slot, position) = self.batch.place(rows.start);
            (slot, position, rows)
        });
        let mut sequences = sequences.peekable();
        while sequences.peek().is_some() {
            let writes = pages.writes(self.layer, &mut sequences);
            match self.batch.len() >= MANY {
                true => workers.split_tasks(writes, |one, _| write(one)),
                false => writes.into_iter().for_each(write),
            }
        }
    }

    /// All bands, each kv head by itself.
    fn attend_pages(&self, pages: &Pages, plan: &Plan, workers: &mut Workers, out: &mut [f32]) {
        let mut runs: Vec<Range<usize>> =
            plan.bands.iter().flat_map(|band| band.runs.iter().cloned()).collect();
        runs.sort_by_key(|run| run.start);
        let pieces = self.pieces(&runs, out).into_iter().map(Vec::into_iter);
        let mut pieces: BTreeMap<usize, _> = runs.iter().map(|run| run.start).zip(pieces).collect();
        let mut tasks = Vec::new();
        for band in &plan.bands {
            for head in 0..self.spec.kv_heads {
                let own = band.runs.iter().map(|run| {
                    let heads = pieces.get_mut(&run.start).expect("every run has its rows");
                    heads.next().expect("a piece for each kv head")
                });
                tasks.push(Task { band, head, out: Out::Floats(own.collect()) });
            }
        }
        workers.split_tasks(tasks, |task, scratch| self.over_pages(pages, task, scratch));
    }

    /// The same for one long sequence, the results rounded.
    fn attend_pages_rounded(
        &self,
        pages: &Pages,
        plan: &Plan,
        workers: &mut Workers,
        out: &mut Inputs,
    ) {
        let (rows, most) = (self.batch.len(), most_rows(self.spec.group()));
        let patches = out.patches(self.isa, rows, self.queries.width, [most, self.share()]);
        let heads =
            (0..self.spec.kv_heads).flat_map(|head| plan.bands.iter().map(move |b| (head, b)));
        let task = |((head, band), patch)| Task { band, head, out: Out::Rounded(patch) };
        let tasks = heads.zip(patches).map(task).collect();
        workers.split_tasks(tasks, |task, scratch| self.over_pages(pages, task, scratch));
    }

    /// The columns of each kv head, for each of the runs, which together are all rows.
    fn pieces<'o>(&self, runs: &[Range<usize>], mut out: &'o mut [f32]) -> Vec<Vec<Columns<'o>>> {
        let (share, width) = (self.share(), self.queries.width);
        let piece = |run: &Range<usize>| {
            let (own, rest) = std::mem::take(&mut out).split_at_mut(run.len() * width);
            out = rest;
            Columns::of(own, width).pieces(share)
        };
        runs.iter().map(piece).collect()
    }

    /// A band's rows over pages.
    fn over_pages(&self, pages: &Pages, task: Task, scratch: &mut Scratch) {
        let Task { band, head, mut out } = task;
        let rows = || band.runs.iter().cloned().flatten();
        let queries = self.queries(head, rows());
        let seen: Vec<Range<usize>> =
            rows().map(|row| self.seen(row, self.batch.place(row).1 + 1)).collect();
        let first = seen.iter().map(|seen| seen.start).min().unwrap_or(0) / PAGE_TOKENS;
        let visits: Vec<Visit> = band
            .pages
            .iter()
            .filter(|page| page.index >= first)
            .map(|page| Visit {
                block: pages.block(self.layer, page.slot, page.index, head),
                index: page.index,
                tokens: page.rows.clone(),
            })
            .collect();
        let (mut mixed, scoring) = (vec![0.0; queries.len()], self.scoring(head));
        attend_blocks(self.isa, &queries, &visits, &seen, &scoring, &mut mixed, scratch);
        out.put(self.isa, head, self.share(), &mixed);
    }
}

fn put(mixed: &[f32], share: usize, out: &mut Columns) {
    for (row, mixed) in mixed.chunks_exact(share).enumerate() {
        out.of_row(row, 0..share).copy_from_slice(mixed);
    }
}

impl<S: ModelSpec> Infer<S> {
    /// Whether attention places queries and keys itself, head by head.
    pub(super) fn places_heads(&self, placing: &Placing) -> bool {
        let head_dim = self.checkpoint.spec().attention().head_dim;
        let by_heads = |norm: WeightId| self.checkpoint.vector(norm).len() == head_dim;
        matches!(self.cache.store, Store::Pages(_))
            && placing.limit.is_none()
            && placing.norms.into_iter().flatten().all(by_heads)
    }

    /// Whether the mixed values of a layer are for a product alone, which reads them rounded, and
    /// the tasks of attention are patches of its inputs.
    fn mixes_rounded(&self, layer: usize) -> bool {
        let spec = self.checkpoint.spec().attention();
        let output = WeightId { layer, part: Part::AttentionOutput };
        let share = spec.group() * spec.head_dim;
        most_rows(spec.group()).is_multiple_of(LANES)
            && share.is_multiple_of(2 * LANES)
            && self.batch.sequences().count() == 1
            && Inputs::on_tiles(self.isa)
            && self.is_rounded(self.batch.len(), &[output])
    }

    /// Stores the keys and values of the batch and lets its queries attend, both as `placing`
    /// places them. With one, the result is for a product alone.
    pub(super) fn attend_cached(
        &mut self,
        layer: usize,
        [q, k, v]: [Activations; 3],
        placing: Option<&Placing>,
    ) -> Activations {
        let mut mixed = match placing.is_some() && self.mixes_rounded(layer) {
            true => Activations::rounded(q.width, self.spare_inputs.pop().unwrap_or_default()),
            false => self.buffer(self.batch.len(), q.width),
        };
        let checkpoint = self.checkpoint.clone();
        let spec = checkpoint.spec().attention();
        let sinks = WeightId { layer, part: Part::Sinks };
        let sinks = if spec.sinks { checkpoint.vector(sinks) } else { &[] };
        let window = checkpoint.spec().window(layer);
        let placings = placings(&checkpoint, &self.ropes, layer, placing);
        let (isa, workers, batch) = (self.isa, &mut self.workers, &self.batch);
        let of = Layer { isa, layer, spec, window, sinks, batch, queries: &q, placings };
        match &mut self.cache.store {
            Store::Floats(floats) => {
                floats.append(layer, batch, &k.values, &v.values);
                of.attend_floats(floats, workers, &mut mixed.values);
            }
            Store::Pages(pages) => {
                of.append(pages, workers, [&k, &v]);
                match mixed.inputs.get_mut() {
                    Some(inputs) => of.attend_pages_rounded(pages, &self.plan, workers, inputs),
                    None => of.attend_pages(pages, &self.plan, workers, &mut mixed.values),
                }
            }
        }
        [q, k, v].into_iter().for_each(|x| self.release(x));
        mixed
    }
}

/// How a layer's queries and keys are placed.
fn placings<'a, S: ModelSpec>(
    checkpoint: &'a Checkpoint<S>,
    ropes: &'a [Option<RopeTable>; 2],
    layer: usize,
    placing: Option<&Placing>,
) -> [HeadPlacing<'a>; 2] {
    let Some(placing) = placing else { return [HeadPlacing::NONE; 2] };
    let spec = checkpoint.spec();
    let kind = usize::from(spec.window(layer).is_some());
    let table = ropes[kind].as_ref().filter(|_| placing.rotary);
    let rope = table.zip(spec.ropes()[kind].map(|rope| rope.pairing));
    placing.norms.map(|norm| HeadPlacing {
        norm: norm.map(|norm| checkpoint.vector(norm)),
        epsilon: placing.epsilon,
        rope,
    })
}
