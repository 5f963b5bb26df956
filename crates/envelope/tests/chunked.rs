//! The stored format, against the specification's rules and an independent derivation.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may panic"
)]

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use envelope::{
    chunked::{
        CHUNK_BYTES, ChunkedError, Context, HEADER_BYTES, Opener, PLAIN_BYTES_MAX, SEALED_CHUNK_BYTES,
        Sealer, Span, StreamOpener, TAG_BYTES, open, seal, sealed_len,
    },
    keys::ObjectKey,
};
use hmac::{Hmac, Mac};
use proptest::prelude::*;
use sha2::Sha512;

const OBJECT: [u8; 16] = [7; 16];

fn key(byte: u8) -> ObjectKey {
    ObjectKey::from_random([byte; 32])
}
fn context() -> Context {
    Context::part("contoso", "alice", &OBJECT, 0)
}
fn body(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 + i / 251) as u8).collect()
}

/// HKDF-Expand of RFC 5869 section 2.3, written out.
fn expand(prk: &[u8], info: &[u8], len: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut previous = Vec::new();
    for counter in 1.. {
        if out.len() >= len {
            break;
        }
        let mut mac = Hmac::<Sha512>::new_from_slice(prk).unwrap();
        mac.update(&previous);
        mac.update(info);
        mac.update(&[counter]);
        previous = mac.finalize().into_bytes().to_vec();
        out.extend_from_slice(&previous);
    }
    out.truncate(len);
    out
}

/// The specification followed by hand, with the context spelt out byte by byte.
#[test]
fn follows_the_specification() {
    let plain = body(CHUNK_BYTES + 5);
    let salt = [9; 24];
    let sealed = seal(&key(1), &context(), salt, &plain).unwrap();

    let mut info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0".to_vec();
    info.extend_from_slice(&salt);
    info.extend_from_slice(b"amparo/body/v1\n\0\0\0\0\0\0\0\x07contoso\0\0\0\0\0\0\0\x05alice");
    info.extend_from_slice(&OBJECT);
    info.extend_from_slice(&[0; 4]);
    let derived = expand(&[1; 32], &info, 76);
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &derived[..32]).unwrap());

    let mut expected = salt.to_vec();
    expected.extend_from_slice(&derived[44..]);
    for (number, chunk) in plain.chunks(CHUNK_BYTES).enumerate() {
        let mut nonce: [u8; 12] = derived[32..44].try_into().unwrap();
        nonce[11] ^= number as u8;
        let mut chunk = chunk.to_vec();
        cipher
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut chunk)
            .unwrap();
        expected.extend_from_slice(&chunk);
    }
    assert_eq!(sealed, expected);
}

#[test]
fn examples_of_chunking() {
    for (plain, chunks) in [(0, 1), (1024, 1), (CHUNK_BYTES, 2), (20 * 1024, 2)] {
        let sealed = seal(&key(1), &context(), [0; 24], &body(plain)).unwrap();
        assert_eq!(sealed.len(), HEADER_BYTES + plain + chunks * TAG_BYTES);
    }
    assert_eq!(sealed_len(PLAIN_BYTES_MAX + 1), Err(ChunkedError::TooLong));
    assert!(sealed_len(PLAIN_BYTES_MAX).is_ok());
}

#[test]
fn opens_only_in_its_place() {
    let sealed = seal(&key(1), &context(), [3; 24], b"secret").unwrap();
    let elsewhere = [
        Context::part("fabrikam", "alice", &OBJECT, 0),
        Context::part("contoso", "bob", &OBJECT, 0),
        Context::part("contoso", "alice", &[8; 16], 0),
        Context::part("contoso", "alice", &OBJECT, 1),
        Context::part("contosoa", "lice", &OBJECT, 0),
        Context::metadata("contoso", "alice", &OBJECT),
        Context::part_metadata("contoso", "alice", &OBJECT, 0),
    ];
    for context in elsewhere {
        assert_eq!(open(&key(1), &context, &sealed), Err(ChunkedError::Commitment));
    }
    assert_eq!(open(&key(2), &context(), &sealed), Err(ChunkedError::Commitment));
    assert_eq!(open(&key(1), &context(), &sealed).unwrap().as_slice(), b"secret");
}

#[test]
fn chunks_cannot_change_places() {
    let mut sealed = seal(&key(1), &context(), [3; 24], &body(3 * CHUNK_BYTES)).unwrap();
    let (first, second) = sealed[HEADER_BYTES..].split_at_mut(SEALED_CHUNK_BYTES);
    first.swap_with_slice(&mut second[..SEALED_CHUNK_BYTES]);
    assert_eq!(
        open(&key(1), &context(), &sealed),
        Err(ChunkedError::Chunk { chunk: 0 })
    );
}

/// Lengths around the edges of chunks, and any other.
fn length() -> impl Strategy<Value = usize> {
    prop_oneof![
        0usize..40,
        (0usize..4, -3i64..=3).prop_map(|(n, off)| (n as i64 * CHUNK_BYTES as i64 + off).max(0) as usize),
        0usize..5 * CHUNK_BYTES,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn round_trip(len in length(), cut in any::<prop::sample::Index>()) {
        let plain = body(len);
        let (mut sealer, header) = Sealer::new(&key(1), &context(), [5; 24]).unwrap();
        let mut sealed = header.to_vec();
        let (a, b) = plain.split_at(cut.index(len + 1));
        sealer.push(a, &mut sealed).unwrap();
        sealer.push(b, &mut sealed).unwrap();
        prop_assert_eq!(sealer.finish(&mut sealed).unwrap(), len as u64);
        prop_assert_eq!(&sealed, &seal(&key(1), &context(), [5; 24], &plain).unwrap());
        prop_assert_eq!(sealed.len() as u64, sealed_len(len as u64).unwrap());
        let opened = open(&key(1), &context(), &sealed).unwrap();
        prop_assert_eq!(opened.as_slice(), plain.as_slice());

        let key = key(1);
        let mut stream = StreamOpener::new(&key, context());
        let mut out = Vec::new();
        let (a, b) = sealed.split_at(cut.index(sealed.len()));
        stream.push(a, &mut out).unwrap();
        stream.push(b, &mut out).unwrap();
        stream.finish(&mut out).unwrap();
        prop_assert_eq!(out, plain);
    }

    #[test]
    fn ranges(len in length(), a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
        let plain = body(len);
        let sealed = seal(&key(1), &context(), [5; 24], &plain).unwrap();
        let (a, b) = (a.index(len + 1), b.index(len + 1));
        let (start, end) = (a.min(b), a.max(b));
        let span = Span::of(len as u64, start as u64, end as u64).unwrap();
        let opener = Opener::new(&key(1), &context(), sealed.first_chunk().unwrap()).unwrap();
        let piece = &sealed[span.sealed_start as usize..span.sealed_end as usize];
        let at_end = span.sealed_end == sealed.len() as u64;
        // A read to the end opens the last chunk, which alone shows that nothing was cut off.
        prop_assert!(at_end || end < len);
        let mut out = Vec::new();
        opener.open_chunks(span.first_chunk, piece, at_end, &mut out).unwrap();
        prop_assert_eq!(&out[span.skip..span.skip + end - start], &plain[start..end]);
        // No more than a chunk too much at either end.
        prop_assert!(piece.len() <= (end - start) + 2 * SEALED_CHUNK_BYTES + (end - start) / 1000);
    }

    #[test]
    fn any_flipped_bit_fails(len in length(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut sealed = seal(&key(1), &context(), [5; 24], &body(len)).unwrap();
        let at = at.index(sealed.len());
        sealed[at] ^= 1 << bit;
        prop_assert!(open(&key(1), &context(), &sealed).is_err());
    }

    #[test]
    fn any_truncation_or_extension_fails(len in length(), at in any::<prop::sample::Index>(), more in 1usize..20_000) {
        let sealed = seal(&key(1), &context(), [5; 24], &body(len)).unwrap();
        prop_assert!(open(&key(1), &context(), &sealed[..at.index(sealed.len())]).is_err());
        let mut longer = sealed;
        longer.resize(longer.len() + more, 0);
        prop_assert!(open(&key(1), &context(), &longer).is_err());
    }
}
