//! What the server's process, and those that it started, hold in memory. Linux only.

use std::ops::Range;
use std::time::Duration;

/// The part of the run in which the caches have filled and the early memory is looked at.
const EARLY: Range<f64> = 0.3..0.5;
/// The part in which the late memory is looked at.
const LATE: Range<f64> = 0.8..1.0;

/// Resident bytes of a process over a run.
pub struct Memory {
    process: Option<u32>,
    /// Before the run.
    pub start: Option<u64>,
    early: Vec<u64>,
    late: Vec<u64>,
    /// After the run, when nobody asks any more.
    pub end: Option<u64>,
}

impl Memory {
    /// A look before the run.
    pub fn new(process: Option<u32>) -> Memory {
        let start = process.and_then(resident);
        Memory { process, start, early: Vec::new(), late: Vec::new(), end: None }
    }

    /// A look during the run.
    pub fn look(&mut self, elapsed: Duration, whole: Duration) {
        let Some(bytes) = self.process.and_then(resident) else { return };
        let part = elapsed.as_secs_f64() / whole.as_secs_f64();
        if EARLY.contains(&part) {
            self.early.push(bytes);
        } else if LATE.contains(&part) {
            self.late.push(bytes);
        }
    }

    /// The last look.
    pub fn end(&mut self) {
        self.end = self.process.and_then(resident);
    }

    /// The median of the early looks: the sequences that happen to run come and go.
    pub fn early(&self) -> Option<u64> {
        median(&self.early)
    }

    /// The median of the late looks.
    pub fn late(&self) -> Option<u64> {
        median(&self.late)
    }

    /// The most that each of its processes ever held, together.
    pub fn peak(&self) -> Option<u64> {
        self.process.and_then(|process| all(process, "VmHWM:"))
    }

    /// By how much more it held late than early.
    pub fn growth(&self) -> Option<f64> {
        Some(self.late()? as f64 / self.early()? as f64 - 1.0)
    }
}

fn median(looks: &[u64]) -> Option<u64> {
    let mut looks = looks.to_vec();
    looks.sort_unstable();
    looks.get(looks.len() / 2).copied()
}

fn resident(process: u32) -> Option<u64> {
    all(process, "VmRSS:")
}

/// A line of a process and of all that it started: the model runs in one of these.
fn all(process: u32, name: &str) -> Option<u64> {
    let started = started(process).into_iter().filter_map(|child| all(child, name));
    Some(read(process, name)? + started.sum::<u64>())
}

/// The processes that the threads of a process started.
fn started(process: u32) -> Vec<u32> {
    let mut started = Vec::new();
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten();
    for thread in threads.flatten() {
        let list = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        started.extend(list.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
    }
    started
}

/// A line of `/proc/PROCESS/status`, in bytes.
fn read(process: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_between_the_medians_of_two_parts() {
        let (early, late) = (vec![100, 90, 300], vec![110, 108, 1]);
        let memory = Memory { process: None, start: None, early, late, end: None };
        assert!((memory.growth().unwrap() - 0.08).abs() < 1e-9);
        assert_eq!(Memory::new(None).growth(), None);
    }
}
