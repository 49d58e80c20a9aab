//! allod-engine
