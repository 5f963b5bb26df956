//! Disclosure packages: whatever the bytes, the check ends without a panic, and proves nothing under a policy whose
//! reviewers signed nothing.
#![no_main]

use std::sync::LazyLock;

use casework::{gate::TrustPolicy, promise::Reviewers};
use evidence::{seal, verify::verify_package};
use libfuzzer_sys::fuzz_target;
use translog::{
    note::{KeyKind, SignerKey},
    policy::Policy,
};

static POLICY: LazyLock<TrustPolicy> = LazyLock::new(|| {
    let key = |name, kind, seed: u8| SignerKey::from_seed(name, kind, &[seed; 32].into()).expect("a key");
    let text = format!(
        "log {}\nwitness w {}\nquorum w\n",
        key("docket.test", KeyKind::Log, 1).verifier(),
        key("w.test", KeyKind::Witness, 2).verifier()
    );
    let docket = Policy::parse(&text).expect("a docket policy");
    TrustPolicy::new(docket, Reviewers::default(), []).expect("a policy")
});

const SECRET: &str = "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0";

fuzz_target!(|bytes: &[u8]| {
    assert!(verify_package(bytes, &POLICY).is_err());
    let identity = seal::Identity::parse(SECRET).expect("an identity");
    if let Ok(opened) = seal::open(&identity, bytes) {
        assert!(verify_package(opened, &POLICY).is_err());
    }
});
