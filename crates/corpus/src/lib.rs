//! allod-corpus
