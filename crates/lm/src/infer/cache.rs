//! The key-value cache: what each sequence has computed so far.

use super::batch::Batch;
use crate::error::{Error, Result};
use crate::spec::ModelSpec;
use allod_kernels::{CacheLayout, KeyValues};
use std::ops::Range;
use std::sync::Arc;

/// Positions by which a sequence's buffers grow at least, so that short ones stay small.
const GROWTH: usize = 256;

/// Positions that there is room for once there is room for `positions`. Long sequences grow in
/// longer steps: growing copies.
fn capacity(positions: usize) -> usize {
    positions.next_multiple_of((positions.next_power_of_two() / 8).max(GROWTH))
}

/// Keys and values of several sequences. Buffers are per slot, layer and kv head.
pub(super) struct Cache {
    layout: CacheLayout,
    layers: usize,
    kv_heads: usize,
    context_tokens: usize,
    slots: Vec<Slot>,
}

/// Tokens of a [`Page`].
pub const PAGE_TOKENS: usize = 32;

/// The keys and values of [`PAGE_TOKENS`] tokens of a sequence, of all layers. They belong to the
/// model, the adapter, and all tokens up to the last of the page. Clones share them.
#[derive(Clone, PartialEq)]
pub struct Page {
    values: Arc<[f32]>,
}

impl Page {
    /// A page of values that stand in an executor's own order.
    pub fn new(values: Vec<f32>) -> Page {
        Page { values: values.into() }
    }

    /// How many bytes it takes.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.values)
    }
}

/// Says how large it is.
impl std::fmt::Debug for Page {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Page").field("bytes", &self.bytes()).finish()
    }
}

/// One sequence.
#[derive(Default)]
struct Slot {
    length: usize,
    /// By layer, then kv head.
    heads: Vec<Head>,
}

#[derive(Default, Clone)]
struct Head {
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl Cache {
    /// For as many layers as have to be remembered: one where attention goes both ways, as no row
    /// is ever added to a sequence that has been computed.
    pub fn new(spec: &impl ModelSpec, slots: usize, context_tokens: usize) -> Cache {
        let attention = spec.attention();
        let layers = if attention.causal { spec.layers() } else { 1 };
        let kv_heads = attention.kv_heads;
        let heads = vec![Head::default(); layers * kv_heads];
        let slot = || Slot { length: 0, heads: heads.clone() };
        let slots = (0..slots).map(|_| slot()).collect();
        Cache {
            layout: CacheLayout::new(attention.head_dim),
            layers,
            kv_heads,
            context_tokens,
            slots,
        }
    }

    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    pub fn context_tokens(&self) -> usize {
        self.context_tokens
    }

    pub fn length(&self, slot: usize) -> usize {
        self.slots[slot].length
    }

    pub fn truncate(&mut self, slot: usize, length: usize) {
        let slot = &mut self.slots[slot];
        slot.length = slot.length.min(length);
    }

    /// A copy of what `slot` holds at the positions of a page.
    ///
    /// # Panics
    /// When they are not those of a page that the sequence has reached the end of.
    pub fn copy(&self, slot: usize, range: Range<usize>) -> Page {
        assert!(range.start.is_multiple_of(PAGE_TOKENS) && range.len() == PAGE_TOKENS, "a page");
        assert!(range.end <= self.slots[slot].length, "a page that has been computed");
        let (keys, values) = self.place(range.start);
        let mut copied = Vec::with_capacity(self.page_len());
        for head in &self.slots[slot].heads {
            copied.extend_from_slice(&head.keys[keys.clone()]);
            copied.extend_from_slice(&head.values[values.clone()]);
        }
        Page::new(copied)
    }

    /// Puts a page at the end of what `slot` holds.
    pub fn paste(&mut self, slot: usize, page: &Page) -> Result<()> {
        let start = self.slots[slot].length;
        let fits = start.is_multiple_of(PAGE_TOKENS)
            && start + PAGE_TOKENS <= self.context_tokens
            && page.values.len() == self.page_len();
        if !fits {
            return Err(Error::Batch(format!("no page can stand at position {start}")));
        }
        self.reserve(slot, start + PAGE_TOKENS);
        let (keys, values) = self.place(start);
        let slot = &mut self.slots[slot];
        let parts = page.values.chunks_exact(keys.len() + values.len());
        for (head, part) in slot.heads.iter_mut().zip(parts) {
            let (own_keys, own_values) = part.split_at(keys.len());
            head.keys[keys.clone()].copy_from_slice(own_keys);
            head.values[values.clone()].copy_from_slice(own_values);
        }
        slot.length += PAGE_TOKENS;
        Ok(())
    }

    /// Where the page from position `start` on lies in a head's buffers: its keys are whole blocks.
    fn place(&self, start: usize) -> (Range<usize>, Range<usize>) {
        let (layout, end) = (self.layout, start + PAGE_TOKENS);
        let keys = layout.keys_len(start)..layout.keys_len(end);
        (keys, layout.values_len(start)..layout.values_len(end))
    }

    /// Floats of a page.
    fn page_len(&self) -> usize {
        let one = self.layout.keys_len(PAGE_TOKENS) + self.layout.values_len(PAGE_TOKENS);
        one * self.layers * self.kv_heads
    }

    /// Makes the buffers long enough for the batch. What a truncated sequence left behind is
    /// overwritten before it is read: attention never looks past a row's own position.
    pub fn make_room(&mut self, batch: &Batch) {
        batch.places().for_each(|(slot, position)| self.reserve(slot, position + 1));
    }

    fn reserve(&mut self, slot: usize, positions: usize) {
        let positions = capacity(positions);
        let (keys, values) = (self.layout.keys_len(positions), self.layout.values_len(positions));
        let heads = &mut self.slots[slot].heads;
        if heads.first().is_some_and(|head| head.keys.len() < keys) {
            heads.iter_mut().for_each(|head| {
                grow(&mut head.keys, keys);
                grow(&mut head.values, values);
            });
        }
    }

    /// Forgets a sequence and gives its memory back.
    pub fn free(&mut self, slot: usize) {
        self.slots[slot].length = 0;
        self.slots[slot].heads.fill(Head::default());
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
        self.slots[slot].heads.iter().map(of).sum::<usize>() * size_of::<f32>()
    }

    /// Stores the keys and values of a layer (`[rows, kv_heads * head_dim]`). With the last layer
    /// the sequences grow.
    pub fn append(&mut self, layer: usize, batch: &Batch, keys: &[f32], values: &[f32]) {
        let head_dim = self.layout.head_dim();
        let (width, layer) = (self.kv_heads * head_dim, layer % self.layers);
        let rows = keys.chunks_exact(width).zip(values.chunks_exact(width));
        for ((slot, position), (keys, values)) in batch.places().zip(rows) {
            let slot = &mut self.slots[slot];
            let heads = &mut slot.heads[layer * self.kv_heads..][..self.kv_heads];
            let parts = keys.chunks_exact(head_dim).zip(values.chunks_exact(head_dim));
            for (head, (key, value)) in heads.iter_mut().zip(parts) {
                self.layout.write_key(&mut head.keys, position, key);
                self.layout.write_value(&mut head.values, position, value);
            }
            if layer + 1 == self.layers {
                slot.length = position + 1;
            }
        }
    }

    /// What a kv head of a layer holds.
    pub fn read(&self, layer: usize, slot: usize, head: usize) -> KeyValues<'_> {
        let head = &self.slots[slot].heads[layer % self.layers * self.kv_heads + head];
        KeyValues { layout: self.layout, keys: &head.keys, values: &head.values }
    }
}

/// No larger than asked for: how much memory sequences take is counted beforehand.
fn grow(buffer: &mut Vec<f32>, length: usize) {
    buffer.reserve_exact(length - buffer.len());
    buffer.resize(length, 0.0);
}
