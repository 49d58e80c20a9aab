//! The cache in blocks: a table of pages for each sequence, and pages that sequences share.

use super::PAGE_TOKENS;
use allod_kernels::{Block, BlockLayout, BlockMemory, BlockMut, Blocks};
use std::collections::HashMap;
use std::iter::Peekable;
use std::ops::Range;
use std::sync::Arc;

/// The sequences' tables. A page has the blocks of all layers, kv head after kv head.
pub(in crate::infer) struct Pages {
    layout: BlockLayout,
    memory: BlockMemory,
    layers: usize,
    kv_heads: usize,
    slots: Vec<Vec<Arc<Blocks>>>,
}

/// Rows of a batch that belong to one page and one kv head.
pub(in crate::infer) struct HeadWrite<'a> {
    pub block: BlockMut<'a>,
    pub head: usize,
    pub rows: Range<usize>,
    /// Where in the block the first of them goes.
    pub place: usize,
}

impl Pages {
    pub fn new(layout: BlockLayout, layers: usize, kv_heads: usize, slots: usize) -> Pages {
        let memory = BlockMemory::new(layout, layers * kv_heads);
        Pages { layout, memory, layers, kv_heads, slots: vec![Vec::new(); slots] }
    }

    /// Where pages come from.
    pub fn memory(&self) -> &BlockMemory {
        &self.memory
    }

    fn heads(&self) -> usize {
        self.layers * self.kv_heads
    }

    /// Gives back the pages that no position below `length` needs.
    pub fn truncate(&mut self, slot: usize, length: usize) {
        self.slots[slot].truncate(length.div_ceil(PAGE_TOKENS));
    }

    pub fn share(&self, slot: usize, page: usize) -> Arc<Blocks> {
        self.slots[slot][page].clone()
    }

    /// Adds a page to a sequence that has only whole ones. False if it is of another shape.
    pub fn paste(&mut self, slot: usize, page: &Arc<Blocks>) -> bool {
        let fits = page.layout() == self.layout && page.heads() == self.heads();
        if fits {
            self.slots[slot].push(page.clone());
        }
        fits
    }

    /// Makes a page for `position` that no one else holds; what is shared is copied.
    pub fn reserve(&mut self, slot: usize, position: usize) {
        let pages = &mut self.slots[slot];
        while pages.len() * PAGE_TOKENS <= position {
            pages.push(Arc::new(self.memory.blocks()));
        }
        Arc::make_mut(&mut pages[position / PAGE_TOKENS]);
    }

    fn page_bytes(&self) -> usize {
        Blocks::bytes_of(self.layout, self.heads())
    }

    pub fn bytes_of(&self, positions: usize) -> usize {
        positions.div_ceil(PAGE_TOKENS) * self.page_bytes()
    }

    pub fn slot_bytes(&self, slot: usize) -> usize {
        self.slots[slot].len() * self.page_bytes()
    }

    pub fn held_bytes(&self) -> usize {
        let mut holders: HashMap<*const Blocks, usize> = HashMap::new();
        let pages = || self.slots.iter().flatten();
        pages().for_each(|page| *holders.entry(Arc::as_ptr(page)).or_insert(0) += 1);
        let mut held = 0;
        for page in pages() {
            // Counted at the first of those that share it.
            let count = holders.remove(&Arc::as_ptr(page));
            held += usize::from(count == Some(Arc::strong_count(page)));
        }
        held * self.page_bytes()
    }

    /// Where to write the keys and values of a layer. Sequences of a batch are given as their slot,
    /// the position at which they go on, and their rows; there is room for them. It ends before
    /// one whose slot has been there.
    pub fn writes(
        &mut self,
        layer: usize,
        sequences: &mut Peekable<impl Iterator<Item = (usize, usize, Range<usize>)>>,
    ) -> Vec<HeadWrite<'_>> {
        let first = layer % self.layers * self.kv_heads;
        let heads = first..first + self.kv_heads;
        let mut slots: Vec<_> = self.slots.iter_mut().map(Some).collect();
        let mut writes = Vec::new();
        while let Some((slot, start, rows)) = sequences.next_if(|(slot, ..)| slots[*slot].is_some())
        {
            let Some(pages) = slots[slot].take() else { continue };
            let end = start + rows.len();
            let touched = start / PAGE_TOKENS..end.div_ceil(PAGE_TOKENS);
            for (page, index) in pages[touched.clone()].iter_mut().zip(touched) {
                let base = index * PAGE_TOKENS;
                let (from, to) = (start.max(base), end.min(base + PAGE_TOKENS));
                let own = rows.start + from - start..rows.start + to - start;
                for (head, block) in Arc::make_mut(page).blocks_mut(heads.clone()).enumerate() {
                    writes.push(HeadWrite { block, head, rows: own.clone(), place: from - base });
                }
            }
        }
        writes
    }

    /// How many pages a sequence has.
    pub fn count(&self, slot: usize) -> usize {
        self.slots[slot].len()
    }

    /// What tells a page of a sequence from others.
    pub fn identity(&self, slot: usize, page: usize) -> *const Blocks {
        Arc::as_ptr(&self.slots[slot][page])
    }

    /// The block of a kv head of a layer.
    pub fn block(&self, layer: usize, slot: usize, page: usize, head: usize) -> Block<'_> {
        self.slots[slot][page].block(layer % self.layers * self.kv_heads + head)
    }
}
