//! allod-store
