//! allod-policy
