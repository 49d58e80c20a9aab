//! The key-value cache: what each sequence has computed so far.

mod floats;
mod pages;

use super::batch::Batch;
use crate::error::{Error, Result};
use crate::spec::ModelSpec;
use allod_kernels::{BLOCK_POSITIONS, BlockForm, BlockLayout, BlockMemory, Blocks};
pub(super) use floats::Floats;
pub(super) use pages::{HeadWrite, Pages};
use std::ops::Range;
use std::sync::Arc;

/// How keys and values are kept, which is also how attention is computed (`docs/numerics.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CacheForm {
    /// In `f32`, exactly as training computes.
    #[default]
    F32,
    /// Rounded to `bf16`, in pages that sequences share: half the memory, and products of the tile
    /// unit. Results are near those of `F32`, and as much the same everywhere.
    Bf16,
    /// In MXINT8, in pages as well: half the memory of `Bf16`, and half of what an answer's token
    /// reads. Results are near those of `F32`, and as much the same everywhere.
    Mxint8,
}

impl CacheForm {
    /// All of them.
    pub const ALL: [CacheForm; 3] = [CacheForm::F32, CacheForm::Bf16, CacheForm::Mxint8];

    /// The name that options have for it.
    pub fn name(self) -> &'static str {
        match self {
            CacheForm::F32 => "f32",
            CacheForm::Bf16 => "bf16",
            CacheForm::Mxint8 => "mxint8",
        }
    }

    /// The form of this name.
    pub fn named(name: &str) -> Option<CacheForm> {
        CacheForm::ALL.into_iter().find(|form| form.name() == name)
    }

    /// Bytes that `elements` keys and values take, head by head.
    pub fn bytes_of(self, elements: u64) -> u64 {
        match self {
            CacheForm::F32 => elements * 4,
            CacheForm::Bf16 => elements * 2,
            CacheForm::Mxint8 => elements + elements.div_ceil(32),
        }
    }
}

/// Tokens of a [`Page`].
pub const PAGE_TOKENS: usize = BLOCK_POSITIONS;

/// The keys and values of [`PAGE_TOKENS`] tokens of a sequence, of all layers. They belong to the
/// model, the adapter, and all tokens up to the last of the page. Clones share them.
#[derive(Clone)]
pub struct Page(Content);

#[derive(Clone)]
enum Content {
    Floats(Arc<[f32]>),
    Blocks(Arc<Blocks>),
}

/// Whether they are known to hold the same: values that are equal, or one page shared.
impl PartialEq for Page {
    fn eq(&self, other: &Page) -> bool {
        match (&self.0, &other.0) {
            (Content::Floats(own), Content::Floats(other)) => own == other,
            (Content::Blocks(own), Content::Blocks(other)) => Arc::ptr_eq(own, other),
            _ => false,
        }
    }
}

impl Page {
    /// A page of values that stand in an executor's own order.
    pub fn new(values: Vec<f32>) -> Page {
        Page(Content::Floats(values.into()))
    }

    /// How many bytes it takes.
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Content::Floats(values) => size_of_val(&**values),
            Content::Blocks(blocks) => blocks.bytes(),
        }
    }

    /// Writes it as bytes, in the order of [`PAGE_FORMAT`] and with every bit.
    pub fn put(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Content::Floats(values) => {
                values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
            }
            Content::Blocks(blocks) => blocks.put(out),
        }
    }
}

/// The order of the bytes of a stored [`Page`]; another number says that they mean something else.
pub const PAGE_FORMAT: &str = "allod-page-1";

/// What pages of a cache are like, to make them from bytes in any thread.
#[derive(Debug, Clone)]
pub struct PageShape(Shape);

#[derive(Debug, Clone)]
enum Shape {
    /// So many floats.
    Floats(usize),
    Blocks(BlockMemory),
}

impl PageShape {
    /// Bytes that [`Page::put`] writes of such a page.
    pub fn stored_bytes(&self) -> usize {
        match &self.0 {
            Shape::Floats(count) => count * size_of::<f32>(),
            Shape::Blocks(memory) => memory.stored_bytes(),
        }
    }

    /// The page that [`Page::put`] wrote; `None` if these bytes are none of this shape. Whether
    /// they are those of the page that is meant is for the caller to know.
    pub fn read(&self, bytes: &[u8]) -> Option<Page> {
        if bytes.len() != self.stored_bytes() {
            return None;
        }
        Some(match &self.0 {
            Shape::Floats(_) => {
                let parts = bytes.chunks_exact(size_of::<f32>());
                let float = |part: &[u8]| f32::from_le_bytes([part[0], part[1], part[2], part[3]]);
                Page::new(parts.map(float).collect())
            }
            Shape::Blocks(memory) => Page(Content::Blocks(Arc::new(memory.read(bytes)?))),
        })
    }
}

/// Says how large it is.
impl std::fmt::Debug for Page {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Page").field("bytes", &self.bytes()).finish()
    }
}

/// Keys and values of several sequences.
pub(super) struct Cache {
    context_tokens: usize,
    /// By slot, the positions that it holds.
    lengths: Vec<usize>,
    pub store: Store,
}

/// How they are kept.
pub(super) enum Store {
    Floats(Floats),
    Pages(Pages),
}

impl Cache {
    /// For as many layers as have to be remembered: one where attention goes both ways, as no row
    /// is ever added to a sequence that has been computed.
    pub fn new(
        spec: &impl ModelSpec,
        form: CacheForm,
        slots: usize,
        context_tokens: usize,
    ) -> Cache {
        let attention = spec.attention();
        let layers = if attention.causal { spec.layers() } else { 1 };
        let (head_dim, kv_heads) = (attention.head_dim, attention.kv_heads);
        let pages = |form| {
            let layout = BlockLayout::new(form, head_dim);
            Store::Pages(Pages::new(layout, layers, kv_heads, slots))
        };
        let store = match form {
            CacheForm::F32 => Store::Floats(Floats::new(head_dim, layers, kv_heads, slots)),
            CacheForm::Bf16 => pages(BlockForm::Bf16),
            CacheForm::Mxint8 => pages(BlockForm::Mxint8),
        };
        Cache { context_tokens, lengths: vec![0; slots], store }
    }

    pub fn slots(&self) -> usize {
        self.lengths.len()
    }

    pub fn context_tokens(&self) -> usize {
        self.context_tokens
    }

    pub fn length(&self, slot: usize) -> usize {
        self.lengths[slot]
    }

    pub fn truncate(&mut self, slot: usize, length: usize) {
        self.lengths[slot] = self.lengths[slot].min(length);
        if let Store::Pages(pages) = &mut self.store {
            pages.truncate(slot, self.lengths[slot]);
        }
    }

    /// What `slot` holds at the positions of a page: a copy, or a share of it.
    ///
    /// # Panics
    /// When they are not those of a page that the sequence has reached the end of.
    pub fn copy(&self, slot: usize, range: Range<usize>) -> Page {
        assert!(range.start.is_multiple_of(PAGE_TOKENS) && range.len() == PAGE_TOKENS, "a page");
        assert!(range.end <= self.lengths[slot], "a page that has been computed");
        Page(match &self.store {
            Store::Floats(floats) => Content::Floats(floats.copy(slot, range.start).into()),
            Store::Pages(pages) => Content::Blocks(pages.share(slot, range.start / PAGE_TOKENS)),
        })
    }

    /// What its pages are like.
    pub fn page_shape(&self) -> PageShape {
        PageShape(match &self.store {
            Store::Floats(floats) => Shape::Floats(floats.page_len()),
            Store::Pages(pages) => Shape::Blocks(pages.memory().clone()),
        })
    }

    /// Puts a page at the end of what `slot` holds.
    pub fn paste(&mut self, slot: usize, page: &Page) -> Result<()> {
        let start = self.lengths[slot];
        let placed = start.is_multiple_of(PAGE_TOKENS)
            && start + PAGE_TOKENS <= self.context_tokens
            && match (&mut self.store, &page.0) {
                (Store::Floats(floats), Content::Floats(values)) => {
                    floats.paste(slot, start, values)
                }
                (Store::Pages(pages), Content::Blocks(blocks)) => pages.paste(slot, blocks),
                _ => false,
            };
        if !placed {
            return Err(Error::Batch(format!("no page can stand at position {start}")));
        }
        self.lengths[slot] += PAGE_TOKENS;
        Ok(())
    }

    /// Makes room for the batch. What a truncated sequence left behind is overwritten before it is
    /// read: attention never looks past a row's own position.
    pub fn make_room(&mut self, batch: &Batch) {
        for (slot, position) in batch.places() {
            match &mut self.store {
                Store::Floats(floats) => floats.reserve(slot, position + 1),
                Store::Pages(pages) => pages.reserve(slot, position),
            }
        }
    }

    /// The sequences have grown by the rows of the batch.
    pub fn grow(&mut self, batch: &Batch) {
        batch.places().for_each(|(slot, position)| self.lengths[slot] = position + 1);
    }

    /// Forgets a sequence and gives its memory back.
    pub fn free(&mut self, slot: usize) {
        self.lengths[slot] = 0;
        match &mut self.store {
            Store::Floats(floats) => floats.free(slot),
            Store::Pages(pages) => pages.truncate(slot, 0),
        }
    }

    /// Bytes that a sequence of so many positions takes.
    pub fn bytes_of(&self, positions: usize) -> usize {
        match &self.store {
            Store::Floats(floats) => floats.bytes_of(positions),
            Store::Pages(pages) => pages.bytes_of(positions),
        }
    }

    /// Bytes that a sequence which begins with pages of so many positions does not take again.
    pub fn shared_bytes_of(&self, positions: usize) -> usize {
        match &self.store {
            Store::Floats(_) => 0,
            Store::Pages(pages) => pages.bytes_of(positions / PAGE_TOKENS * PAGE_TOKENS),
        }
    }

    /// Bytes that `slot` refers to.
    pub fn slot_bytes(&self, slot: usize) -> usize {
        match &self.store {
            Store::Floats(floats) => floats.slot_bytes(slot),
            Store::Pages(pages) => pages.slot_bytes(slot),
        }
    }

    /// Bytes that sequences hold and nobody else: each page once, and none that a [`Page`] keeps.
    pub fn held_bytes(&self) -> usize {
        match &self.store {
            Store::Floats(floats) => (0..self.slots()).map(|slot| floats.slot_bytes(slot)).sum(),
            Store::Pages(pages) => pages.held_bytes(),
        }
    }
}
