//! No changed byte passes: not in the archive, not in its encrypted form; and nothing that is cut off.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may"
)]

mod fixture;

use casework::gate::TrustPolicy;
use evidence::{
    check::NotProven,
    seal::{Identity, OpenError, open},
    verify::verify_package,
};
use fixture::{case, few};

/// 0 proven, 1 disproved, 2 could not check: as the program exits.
fn plain(bytes: &[u8], policy: &TrustPolicy) -> u8 {
    match verify_package(bytes, policy) {
        Ok(_) => 0,
        Err(NotProven::Disproved(_)) => 1,
        Err(NotProven::Unread(_)) => 2,
    }
}

fn encrypted(bytes: &[u8], identity: &Identity, policy: &TrustPolicy) -> u8 {
    match open(identity, bytes) {
        Err(OpenError::Altered(_)) => 1,
        Err(OpenError::Read(_)) => 2,
        Ok(reader) => match verify_package(reader, policy) {
            Ok(_) => 0,
            Err(NotProven::Disproved(_)) => 1,
            Err(NotProven::Unread(_)) => 2,
        },
    }
}

fn every_flip(bytes: &[u8], verdict: impl Fn(&[u8]) -> u8 + Sync) {
    assert_eq!(verdict(bytes), 0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (mut copy, verdict) = (bytes.to_vec(), &verdict);
            scope.spawn(move || {
                for at in (thread..copy.len()).step_by(threads) {
                    let mask = 1 << (at % 8);
                    copy[at] ^= mask;
                    assert_eq!(verdict(&copy), 1, "byte {at} of {}, mask {mask:#x}", copy.len());
                    copy[at] ^= mask;
                }
            });
        }
    });
}

fn every_cut(bytes: &[u8], step: usize, verdict: impl Fn(&[u8]) -> u8) {
    for length in (0..bytes.len()).step_by(step).chain([bytes.len() - 1]) {
        assert_eq!(verdict(&bytes[..length]), 1, "cut to {length} of {}", bytes.len());
    }
    let longer = [bytes, b"\0"].concat();
    assert_eq!(verdict(&longer), 1);
}

#[test]
fn no_changed_byte_of_the_archive_passes() {
    let mut made = case(few());
    let tar = made.tar();
    every_flip(&tar, |bytes| plain(bytes, &made.policy));
    every_cut(&tar, 128, |bytes| plain(bytes, &made.policy));
}

#[test]
fn no_changed_byte_of_the_encrypted_package_passes() {
    let mut made = case(few());
    let sealed = made.sealed();
    every_flip(&sealed, |bytes| {
        encrypted(bytes, &Identity::parse(fixture::SECRET).unwrap(), &made.policy)
    });
    let identity = made.identity();
    every_cut(&sealed, 61, |bytes| encrypted(bytes, &identity, &made.policy));
    for length in 0..400 {
        assert_eq!(encrypted(&sealed[..length], &identity, &made.policy), 1);
    }
}

#[test]
fn statements_swapped_between_two_true_packages_do_not_pass() {
    let mut first = case(few());
    let mut second = case(few());
    second.world.now += jiff::SignedDuration::from_secs(1);
    let (one, two) = (first.tar(), second.tar());
    let blocks = one.len().min(two.len()) / 512;
    for block in 0..blocks {
        let range = block * 512..(block + 1) * 512;
        if one[range.clone()] != two[range.clone()] {
            let mut mixed = one.clone();
            mixed[range.clone()].copy_from_slice(&two[range]);
            assert_eq!(plain(&mixed, &first.policy), 1, "block {block}");
        }
    }
}

#[test]
fn an_endless_header_is_refused_in_bounded_memory() {
    struct Endless(u64);
    impl std::io::Read for Endless {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            for b in buf.iter_mut() {
                let start = b"age-encryption.org/v1\n-> X25519 ";
                *b = start
                    .get(usize::try_from(self.0).unwrap())
                    .copied()
                    .unwrap_or(b'a');
                self.0 += 1;
            }
            assert!(self.0 < 1 << 20, "read on and on");
            Ok(buf.len())
        }
    }
    let identity = case(few()).identity();
    let reader = std::io::BufReader::new(Endless(0));
    assert!(matches!(open(&identity, reader), Err(OpenError::Altered(_))));
}
