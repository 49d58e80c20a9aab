//! How much a cell may use.

use std::time::Duration;

/// What one request may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Memory, program and stack included.
    pub memory_bytes: u64,
    /// Time on a processor, in whole seconds.
    pub cpu_seconds: u64,
    /// Time from the request to the whole answer.
    pub wall: Duration,
    /// The longest request.
    pub request_bytes_max: usize,
    /// The longest answer.
    pub answer_bytes_max: usize,
}

impl Default for Limits {
    /// 2 GiB, a minute on a processor, two minutes in all, requests of 80 MiB and answers of 512.
    fn default() -> Limits {
        Limits {
            memory_bytes: 2 << 30,
            cpu_seconds: 60,
            wall: Duration::from_secs(120),
            request_bytes_max: 80 << 20,
            answer_bytes_max: 512 << 20,
        }
    }
}
