//! The table that is part of the binary.

use super::TableEmbedder;
use std::sync::LazyLock;

/// `allod-embed-1`, as `allod tune embed` wrote it.
static BYTES: &[u8] = include_bytes!("../../allod-embed-1.table");

static BUILT_IN: LazyLock<TableEmbedder> =
    LazyLock::new(|| TableEmbedder::read(BYTES).expect("the table in the binary is whole"));

impl TableEmbedder {
    /// `allod-embed-1`: German, French, Italian, Romansh and English, in the binary. It is taken
    /// apart on the first call.
    pub fn built_in() -> &'static TableEmbedder {
        &BUILT_IN
    }
}
