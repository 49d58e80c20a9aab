//! allod-ledger
