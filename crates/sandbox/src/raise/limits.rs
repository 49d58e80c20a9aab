//! Resource limits (`setrlimit(2)`).

use rustix::process::{Resource, Rlimit, setrlimit};

use super::failed;
use crate::setup::{Order, Purpose};

/// The descriptors of a cell: one pipe in, one out, and the second again in the place of the
/// keeper's. With a limit of three there is no number left for another.
const DESCRIPTORS: u64 = 3;

/// The descriptors of a resident: four that it talks through, and files while they are mapped.
const DESCRIPTORS_OF_RESIDENT: u64 = 64;

pub(super) fn set(order: &Order) -> Result<String, String> {
    match order.purpose {
        Purpose::Document => of_document(order),
        Purpose::Resident => of_resident(order),
    }
}

/// What no cell needs.
const NOTHING: [(Resource, u64); 4] =
    [(Resource::Fsize, 0), (Resource::Core, 0), (Resource::Memlock, 0), (Resource::Msgqueue, 0)];

fn of_document(order: &Order) -> Result<String, String> {
    all(&[
        (Resource::As, order.memory_bytes),
        (Resource::Data, order.memory_bytes),
        (Resource::Nofile, DESCRIPTORS),
        (Resource::Nproc, 0),
    ])?;
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

/// Files are mapped beside the memory that is limited. Threads count as processes, so their number
/// is not: that none but threads are started is for the filter.
fn of_resident(order: &Order) -> Result<String, String> {
    all(&[(Resource::Data, order.memory_bytes), (Resource::Nofile, DESCRIPTORS_OF_RESIDENT)])?;
    Ok(format!(
        "{} MiB of memory beside what is mapped, {DESCRIPTORS_OF_RESIDENT} descriptors, no file \
         bytes, no core",
        order.memory_bytes >> 20,
    ))
}

fn all(limits: &[(Resource, u64)]) -> Result<(), String> {
    for (resource, most) in limits.iter().copied().chain(NOTHING) {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        setrlimit(resource, limit).map_err(failed("setrlimit"))?;
    }
    Ok(())
}
