//! allod-weights
