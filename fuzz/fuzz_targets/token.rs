//! Any bytes as an issuer's keys (up to the first NUL) and a token: refused, unless signed.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let token = String::from_utf8_lossy(bytes.get(end + 1..).unwrap_or_default());
    let taken = allod_server::hostile::take(&bytes[..end], &token);
    // Nobody finds a signature by chance.
    assert!(!taken || allod_server::hostile::is_seed(&token));
});
