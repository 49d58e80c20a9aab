//! allod-answer
