//! Any text, scanned for personal data: parts of it, in order; and hidden, nothing with a checksum
//! is left to be found.
#![no_main]

use allod_privacy::{Action, Shield, scan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut end = 0;
    for one in scan(text) {
        assert!(one.range.start >= end && one.range.start < one.range.end);
        assert!(text.get(one.range.clone()).is_some());
        end = one.range.end;
    }
    let shield = Shield::new(Action::Redact, &[]).unwrap();
    if let Ok(hidden) = shield.cover("t").hide(text) {
        assert!(scan(&hidden).iter().all(|one| !one.kind.is_checked()));
    }
});
