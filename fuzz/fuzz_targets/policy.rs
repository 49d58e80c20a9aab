//! Any text as a policy: parsed or refused; a decision follows from what was parsed.
#![no_main]

use allod_policy::{Facts, Policy, decide, observe};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Policy::parse(text) {
        Ok(policy) => {
            let request = observe(&policy, "Wird mein Gesuch bewilligt?", "de");
            let facts = Facts { request, ..Facts::default() };
            let first = decide(&policy, &facts);
            assert_eq!(first, decide(&policy, &facts));
        }
        Err(mistakes) => assert!(!mistakes.0.is_empty()),
    }
});
