//! allod-retrieval
