//! Keys from the command line: rotated at every level, sealed, destroyed, and what proves that.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod provider;

use std::{
    os::unix::fs::PermissionsExt as _,
    time::{Duration, Instant},
};

use provider::{Provider, Running, provider, text};

const PATIENCE: Duration = Duration::from_secs(60);

fn serve(provider: &Provider) -> Running {
    provider.start(&["serve", "data"], "s3      http://")
}

/// Runs the program, which must end so; gives what it said.
fn says(provider: &Provider, code: i32, args: &[&str]) -> String {
    let output = provider.try_run(args);
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    said
}

fn with_a_note() -> Provider {
    let provider = provider();
    let server = serve(&provider);
    assert_eq!(provider.s3(&server, "PUT", "/notes", "").0, 200);
    assert_eq!(provider.s3(&server, "PUT", "/notes/one", "a note").0, 200);
    provider
}

fn reads(provider: &Provider) {
    let server = serve(provider);
    let read = provider.s3(&server, "GET", "/notes/one", "");
    assert_eq!(read, (200, "a note".to_owned()));
}

fn roots(provider: &Provider) -> Vec<String> {
    let entries = std::fs::read_dir(provider.path("data/keys")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.starts_with("root-")).collect();
    names.sort();
    names
}

#[test]
fn keys_are_rotated_at_every_level_and_sealed_and_what_was_stored_reads() {
    let provider = with_a_note();
    let rotate = |level: &str, more: &[&str]| {
        let args = [&["key", "rotate", "--level", level], more].concat();
        says(&provider, 0, &args)
    };
    let here = ["--region", "eu-de", "--tenant", "contoso"];
    let account = [&here[..], &["--account", "notes"]].concat();
    let said = rotate("account", &account);
    assert!(said.contains("1 object key(s) were moved"), "{said}");
    let said = rotate("tenant", &here);
    assert!(said.contains("1 account key(s) were moved"), "{said}");
    let said = rotate("provider", &[]);
    assert!(said.contains("1 tenants' key(s) were wrapped anew"), "{said}");
    says(
        &provider,
        2,
        &["key", "rotate", "--level", "tenant", "--region", "eu-de"],
    );
    reads(&provider);

    // The root: made, moved under, and only then the old one goes.
    let region = ["--region", "eu-de"];
    assert!(rotate("root", &region).contains("made root 2"));
    assert_eq!(roots(&provider).len(), 2);
    let said = rotate("root", &region);
    assert!(
        said.contains("1 tenants' key(s) are under the newest root"),
        "{said}"
    );
    reads(&provider);
    rotate("root", &[&region[..], &["--forget-old"]].concat());
    assert_eq!(roots(&provider), ["root-eu-de.2.key"]);
    reads(&provider);

    // Sealed, it opens with its provider alone.
    let passphrase = provider.path("passphrase");
    std::fs::write(&passphrase, "correct horse battery staple").unwrap();
    std::fs::set_permissions(&passphrase, std::fs::Permissions::from_mode(0o600)).unwrap();
    says(
        &provider,
        0,
        &["key", "new-sealed", "holder.age", "--passphrase", "passphrase"],
    );
    let config = provider.path("data/amparo.toml");
    let entry = "\n[[key_provider]]\nkind = \"file\"\nid = \"sealed\"\nfile = \"../holder.age\"\n\
                 passphrase = { file = \"../passphrase\" }\n";
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text + entry).unwrap();
    says(&provider, 2, &["key", "seal", "eu-de", "--with", "nobody"]);
    assert_eq!(roots(&provider), ["root-eu-de.2.key"]);
    says(&provider, 0, &["key", "seal", "eu-de", "--with", "sealed"]);
    assert_eq!(roots(&provider), ["root-eu-de.2.sealed"]);
    reads(&provider);
    std::fs::write(&passphrase, "another horse battery staple").unwrap();
    says(&provider, 2, &["serve", "data"]);
}

/// The value of a field of the statement, which is one line of JSON.
fn field<'a>(statement: &'a serde_json::Value, name: &str) -> &'a str {
    statement[name].as_str().unwrap()
}

#[test]
fn a_tenants_end_is_stated_and_the_docket_proves_the_statement() {
    let provider = with_a_note();
    let destroy = [
        "tenant",
        "destroy",
        "contoso",
        "--statement",
        "statement.json",
        "--confirm",
    ];
    let confirmed = |by: &'static str| [&destroy[..], &[by]].concat();
    says(&provider, 2, &confirmed("fabrikam"));
    assert!(!provider.path("statement.json").exists());
    reads(&provider);
    let said = says(&provider, 0, &confirmed("contoso"));
    let words: Vec<_> = said.split_whitespace().collect();
    let after = |word: &str| {
        let at = words.iter().position(|one| *one == word);
        words[at.unwrap_or_else(|| panic!("{said}")) + 1].trim_end_matches(':')
    };
    let (digest, entry) = (after("digest"), after("entry"));
    let statement = std::fs::read_to_string(provider.path("statement.json")).unwrap();
    let statement: serde_json::Value = serde_json::from_str(&statement).unwrap();
    assert_eq!(field(&statement, "tenant"), "contoso");
    assert!(statement.get("account").is_none(), "the tenant's own keys");
    let keys = statement["keys"].as_array().unwrap();
    assert_eq!((keys.len(), keys[0]["region"].as_str()), (1, Some("eu-de")));
    // Twice, there is nothing left to state.
    let said = says(&provider, 2, &confirmed("contoso"));
    assert!(said.contains("were destroyed before"), "{said}");

    // Nothing proves it before a batch is published; then it does, for this statement and no other.
    let receipt = ["key", "receipt", entry, "--out", "receipt"];
    says(&provider, 1, &receipt);
    let server = serve(&provider);
    let refused = provider.s3(&server, "GET", "/notes/one", "");
    assert_eq!(refused.0, 403, "{}", refused.1);
    let until = Instant::now() + PATIENCE;
    while !provider.try_run(&receipt).status.success() {
        assert!(Instant::now() < until, "the docket does not publish it");
        std::thread::sleep(Duration::from_millis(200));
    }
    let verify = |digest: &str| {
        let policy = provider.path("data/trust.toml");
        let policy = policy.to_str().unwrap();
        let args = [
            "verify", "receipt", "receipt", "--policy", policy, "--digest", digest,
        ];
        provider.try_run(&args).status.code()
    };
    assert_eq!(verify(digest), Some(0));
    assert_eq!(verify(&"0".repeat(64)), Some(1));
}
