//! Policies: a policy that parses checks any note without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use translog::policy::Policy;

fuzz_target!(|input: (&str, &str)| {
    let (policy, note) = input;
    if let Ok(policy) = Policy::parse(policy) {
        let lenient = policy.check(note).is_ok();
        // Strict is never laxer.
        assert!(lenient || policy.check_strict(note).is_err());
    }
});
