//! allod-server
