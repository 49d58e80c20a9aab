//! Any bytes as what a cell says that was taken over: nobody gets what was not agreed.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    std::hint::black_box(allod_cell::hostile::hear(bytes));
});
