//! Any bytes are read as a file of a rulebook or refused. The first byte chooses the kind of file.
#![no_main]

use casework::rulebook::Rulebook;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((kind, rest)) = data.split_first() else {
        return;
    };
    let path = match kind % 4 {
        0 => "zz/rules.cedar",
        1 => "zz/tables.toml",
        2 => "zz/examples/rules.toml",
        _ => "rulebook.toml",
    };
    let files = [
        (
            "schema.cedarschema".to_owned(),
            include_bytes!("../../rulebooks/schema.cedarschema").to_vec(),
        ),
        (path.to_owned(), rest.to_vec()),
    ];
    if let Ok(rulebook) = Rulebook::load(&files) {
        let _ = rulebook.check_examples();
    }
});
