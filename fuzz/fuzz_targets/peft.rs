//! Any bytes as a PEFT adapter for a small model: its settings up to the first NUL, then its
//! tensors; loaded or refused.
#![no_main]
