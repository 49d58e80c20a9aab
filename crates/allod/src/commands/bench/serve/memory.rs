//! What the server's process holds in memory. Linux only.

use std::time::Duration;

/// The share of the run after which the caches are taken to be full.
const WARM: f64 = 0.2;

/// Resident bytes of a process over a run.
pub struct Memory {
    process: Option<u32>,
    /// Before the run.
    pub start: Option<u64>,
    /// When the run was warm.
    pub warm: Option<u64>,
    /// After the run.
    pub end: Option<u64>,
}

impl Memory {
    /// A look before the run.
    pub fn new(process: Option<u32>) -> Memory {
        let start = process.and_then(|process| read(process, "VmRSS:"));
        Memory { process, start, warm: None, end: None }
    }

    /// A look during the run.
    pub fn look(&mut self, elapsed: Duration, whole: Duration) {
        if self.warm.is_none() && elapsed.as_secs_f64() >= WARM * whole.as_secs_f64() {
            self.warm = self.process.and_then(|process| read(process, "VmRSS:"));
        }
    }

    /// The last look.
    pub fn end(&mut self) {
        self.end = self.process.and_then(|process| read(process, "VmRSS:"));
    }

    /// The most that it ever held.
    pub fn peak(&self) -> Option<u64> {
        self.process.and_then(|process| read(process, "VmHWM:"))
    }

    /// By how much more than when it was warm it holds at the end.
    pub fn growth(&self) -> Option<f64> {
        Some(self.end? as f64 / self.warm? as f64 - 1.0)
    }
}

/// A line of `/proc/PROCESS/status`, in bytes.
fn read(process: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}
