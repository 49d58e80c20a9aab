//! Models in cells, beside the same in this process. The test is its own cell program, so it has a
//! `main` of its own.
#![cfg_attr(not(target_os = "linux"), allow(unused))]
#![allow(
    missing_docs,
    dead_code,
    clippy::unwrap_used,
    clippy::exit,
    clippy::print_stdout,
    clippy::print_stderr
)]

#[path = "../../server/tests/common/adapter.rs"]
mod adapter;
#[path = "../../engine/tests/common/mod.rs"]
mod bytes;
#[path = "../../server/tests/common/ranker.rs"]
mod ranker;
#[path = "../../allod/tests/common/tiny.rs"]
mod tiny;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
#[path = "linux/mod.rs"]
mod linux;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    return linux::main();
    #[cfg(not(target_os = "linux"))]
    ExitCode::SUCCESS
}
