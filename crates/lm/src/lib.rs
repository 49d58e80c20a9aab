//! allod-lm
