//! allod-eval
