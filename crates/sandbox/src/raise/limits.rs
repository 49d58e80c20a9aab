//! Resource limits (`setrlimit(2)`).

use rustix::process::{Resource, Rlimit, setrlimit};

use super::failed;
use crate::setup::Order;

/// The descriptors of a cell: one pipe in, one out, and the second again in the place of the
/// keeper's. With a limit of three there is no number left for another.
const DESCRIPTORS: u64 = 3;

pub(super) fn set(order: &Order) -> Result<String, String> {
    let limits = [
        (Resource::As, order.memory_bytes),
        (Resource::Data, order.memory_bytes),
        (Resource::Fsize, 0),
        (Resource::Nofile, DESCRIPTORS),
        (Resource::Nproc, 0),
        (Resource::Core, 0),
        (Resource::Memlock, 0),
        (Resource::Msgqueue, 0),
    ];
    for (resource, most) in limits {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        setrlimit(resource, limit).map_err(failed("setrlimit"))?;
    }
    // The first limit ends the cell with a signal that says why, the second ends it in any case.
    let seconds = order.cpu_seconds;
    let limit = Rlimit { current: Some(seconds), maximum: Some(seconds + 1) };
    setrlimit(Resource::Cpu, limit).map_err(failed("setrlimit"))?;
    Ok(format!(
        "{} MiB of memory, {seconds} s of a processor, no new descriptors, no processes, no file \
         bytes, no core",
        order.memory_bytes >> 20,
    ))
}
