//! The cache in `f32`: buffers of each sequence's own.

use super::PAGE_TOKENS;
use crate::infer::batch::Batch;
use allod_kernels::{CacheLayout, KeyValues};
use std::ops::Range;

/// Positions by which a sequence's buffers grow at least, so that short ones stay small.
const GROWTH: usize = 256;

/// Positions that there is room for once there is room for `positions`. Long sequences grow in
/// longer steps: growing copies.
fn capacity(positions: usize) -> usize {
    positions.next_multiple_of((positions.next_power_of_two() / 8).max(GROWTH))
}

/// Buffers per slot, layer and kv head.
pub(in crate::infer) struct Floats {
    layout: CacheLayout,
    layers: usize,
    kv_heads: usize,
    /// By slot, then layer, then kv head.
    slots: Vec<Vec<Head>>,
}

#[derive(Default, Clone)]
struct Head {
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl Floats {
    pub fn new(head_dim: usize, layers: usize, kv_heads: usize, slots: usize) -> Floats {
        let slots = vec![vec![Head::default(); layers * kv_heads]; slots];
        Floats { layout: CacheLayout::new(head_dim), layers, kv_heads, slots }
    }

    /// A copy of the page from position `start` on.
    pub fn copy(&self, slot: usize, start: usize) -> Vec<f32> {
        let (keys, values) = self.place(start);
        let mut copied = Vec::with_capacity(self.page_len());
        for head in &self.slots[slot] {
            copied.extend_from_slice(&head.keys[keys.clone()]);
            copied.extend_from_slice(&head.values[values.clone()]);
        }
        copied
    }

    /// Puts a page at position `start`. False if it is of another shape.
    pub fn paste(&mut self, slot: usize, start: usize, page: &[f32]) -> bool {
        if page.len() != self.page_len() {
            return false;
        }
        self.reserve(slot, start + PAGE_TOKENS);
        let (keys, values) = self.place(start);
        let parts = page.chunks_exact(keys.len() + values.len());
        for (head, part) in self.slots[slot].iter_mut().zip(parts) {
            let (own_keys, own_values) = part.split_at(keys.len());
            head.keys[keys.clone()].copy_from_slice(own_keys);
            head.values[values.clone()].copy_from_slice(own_values);
        }
        true
    }

    /// Where the page from position `start` on lies in a head's buffers: its keys are whole blocks.
    fn place(&self, start: usize) -> (Range<usize>, Range<usize>) {
        let (layout, end) = (self.layout, start + PAGE_TOKENS);
        let keys = layout.keys_len(start)..layout.keys_len(end);
        (keys, layout.values_len(start)..layout.values_len(end))
    }

    /// Floats of a page.
    pub fn page_len(&self) -> usize {
        let one = self.layout.keys_len(PAGE_TOKENS) + self.layout.values_len(PAGE_TOKENS);
        one * self.layers * self.kv_heads
    }

    /// Makes the buffers long enough.
    pub fn reserve(&mut self, slot: usize, positions: usize) {
        let positions = capacity(positions);
        let (keys, values) = (self.layout.keys_len(positions), self.layout.values_len(positions));
        let heads = &mut self.slots[slot];
        if heads.first().is_some_and(|head| head.keys.len() < keys) {
            heads.iter_mut().for_each(|head| {
                grow(&mut head.keys, keys);
                grow(&mut head.values, values);
            });
        }
    }

    /// Gives the memory of a sequence back.
    pub fn free(&mut self, slot: usize) {
        self.slots[slot].fill(Head::default());
    }

    /// Bytes that a sequence of so many positions takes.
    pub fn bytes_of(&self, positions: usize) -> usize {
        let positions = capacity(positions);
        let values = self.layout.keys_len(positions) + self.layout.values_len(positions);
        values * size_of::<f32>() * self.layers * self.kv_heads
    }

    /// Bytes that `slot` takes.
    pub fn slot_bytes(&self, slot: usize) -> usize {
        let of = |head: &Head| head.keys.capacity() + head.values.capacity();
        self.slots[slot].iter().map(of).sum::<usize>() * size_of::<f32>()
    }

    /// Stores the keys and values of a layer (`[rows, kv_heads * head_dim]`).
    pub fn append(&mut self, layer: usize, batch: &Batch, keys: &[f32], values: &[f32]) {
        let head_dim = self.layout.head_dim();
        let (width, layer) = (self.kv_heads * head_dim, layer % self.layers);
        let rows = keys.chunks_exact(width).zip(values.chunks_exact(width));
        for ((slot, position), (keys, values)) in batch.places().zip(rows) {
            let heads = &mut self.slots[slot][layer * self.kv_heads..][..self.kv_heads];
            let parts = keys.chunks_exact(head_dim).zip(values.chunks_exact(head_dim));
            for (head, (key, value)) in heads.iter_mut().zip(parts) {
                self.layout.write_key(&mut head.keys, position, key);
                self.layout.write_value(&mut head.values, position, value);
            }
        }
    }

    /// What a kv head of a layer holds.
    pub fn read(&self, layer: usize, slot: usize, head: usize) -> KeyValues<'_> {
        let head = &self.slots[slot][layer % self.layers * self.kv_heads + head];
        KeyValues { layout: self.layout, keys: &head.keys, values: &head.values }
    }
}

/// No larger than asked for: how much memory sequences take is counted beforehand.
fn grow(buffer: &mut Vec<f32>, length: usize) {
    buffer.reserve_exact(length - buffer.len());
    buffer.resize(length, 0.0);
}
