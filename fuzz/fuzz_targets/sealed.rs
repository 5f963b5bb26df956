//! What lies sealed in the stores, as who controls them may have changed it: it opens to what was sealed, or not at all.
#![no_main]

use envelope::{
    chunked::{Context, StreamOpener, open, seal},
    held::WrappedTenant,
    keys::{ObjectKey, Wrapped},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, u8, &[u8])| {
    let (at, with, bytes) = input;
    let _ = Wrapped::from_bytes(bytes);
    if let Ok(read) = WrappedTenant::from_bytes(bytes) {
        assert_eq!(
            WrappedTenant::from_bytes(&read.to_bytes()).ok().as_ref(),
            Some(&read)
        );
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = serde_json::from_str::<WrappedTenant>(text);
        let _ = serde_json::from_str::<Wrapped>(text);
    }
    let key = ObjectKey::from_random([7; 32]);
    let context = || Context::part("tenant", "account", &[1; 16], 1);
    assert!(open(&key, &context(), bytes).is_err());
    let mut sealed = seal(&key, &context(), [9; 24], bytes).expect("it can be sealed");
    assert_eq!(&*open(&key, &context(), &sealed).expect("it opens"), bytes);
    let place = usize::from(at) % sealed.len();
    sealed[place] ^= with;
    assert_eq!(open(&key, &context(), &sealed).is_ok(), with == 0);
    sealed.truncate(place);
    let (mut opener, mut out) = (StreamOpener::new(&key, context()), Vec::new());
    let pushed = sealed
        .chunks(usize::from(with) + 1)
        .try_for_each(|piece| opener.push(piece, &mut out));
    assert!(pushed.is_err() || opener.finish(&mut out).is_err());
});
