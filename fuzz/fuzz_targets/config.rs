//! Files that operators write, and addresses in them: read or refused, and written and read again unchanged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use service::{
    config::Config,
    keys::keyholder::{allow, config::KeyholderConfig, wire},
    link::Address,
    tls::certificate::Certificate,
    vault::Mapping,
};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = Certificate::read(bytes) {
        let _ = (read.strong(), read.ends_soon(jiff::Timestamp::UNIX_EPOCH));
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(read) = toml::from_str::<Config>(text)
        && read.check().is_ok()
    {
        let written = toml::to_string(&read).expect("what was read can be written");
        assert_eq!(
            toml::from_str::<Config>(&written).expect("what was written is read"),
            read
        );
    }
    if let Ok(read) = toml::from_str::<KeyholderConfig>(text) {
        let _ = allow::check(&read.allow);
    }
    if let Ok(read) = text.parse::<Address>() {
        assert_eq!(read.to_string(), text);
    }
    let _ = text.parse::<store::database::Location>();
    if let Ok(read) = store::blobs::Location::parse(text) {
        read.place().expect("it was checked");
    }
    let _ = wire::public_key(text);
    if let Some((mapping, key)) = text.split_once('\n')
        && let Ok(mapping) = serde_json::from_str::<Mapping>(mapping)
        && mapping.check().is_ok()
    {
        let _ = mapping.place(key);
    }
});
