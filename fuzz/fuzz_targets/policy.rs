//! Policies: a policy that parses checks any note, which stands after a zero byte, without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use translog::policy::Policy;

fuzz_target!(|text: &str| {
    let (policy, note) = text.split_once('\0').unwrap_or((text, ""));
    if let Ok(policy) = Policy::parse(policy) {
        assert_eq!(
            Policy::parse(policy.as_str()).expect("it was one").as_str(),
            policy.as_str()
        );
        let lenient = policy.check(note).is_ok();
        // Strict is never laxer.
        assert!(lenient || policy.check_strict(note).is_err());
    }
});
