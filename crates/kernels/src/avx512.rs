//! Not yet vectorised: the portable code, for the moment.
#![allow(unsafe_code)]
use crate::chains::{Chains, run_portable};
use crate::panel::Stored;
pub(crate) unsafe fn chains(job: Chains) {
    run_portable(job)
}
pub(crate) unsafe fn decode(_stored: &Stored, _panel: &mut [f32]) -> usize {
    0
}
