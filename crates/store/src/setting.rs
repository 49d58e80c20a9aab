//! Settings with a meaning of their own.

use serde::{Deserialize, Serialize};

/// Key of the setting that holds the last ledger head, as the JSON of a [`HeadRow`].
pub const LEDGER_HEAD: &str = "ledger.head";

/// The ledger's head as it was last seen: what a log that was cut off falls short of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadRow {
    /// Number of leaves.
    pub size: u64,
    /// Root hash, as the ledger writes it.
    pub root: String,
}
