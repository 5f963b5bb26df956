//! What an operator is told when something is wrong: the cause, and what is true about mending it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod process;

use std::fs;

use process::{Folder, append, recipient};

fn deployment() -> Folder {
    Folder::new().init(&["--region", "eu-de=DE"])
}

#[test]
fn a_deployment_is_said_to_be_missing_only_where_there_is_none() {
    let none = Folder::new();
    let said = none.fails(2, &["case", "list"]);
    assert!(
        said.contains("there is no deployment here") && said.contains("`amparo init` makes one"),
        "{said}"
    );
    let said = none.fails(2, &["doctor", "nowhere"]);
    assert!(said.contains("`amparo init` makes one"), "{said}");

    let there = deployment();
    let key = there.data("keys/credential.key");
    fs::rename(&key, there.path("elsewhere")).unwrap();
    let said = there.fails(2, &["case", "list"]);
    assert!(
        said.contains("cannot read the secret") && said.contains("caused by: No such file"),
        "{said}"
    );
    assert!(!said.contains("amparo init"), "{said}");
    fs::rename(there.path("elsewhere"), &key).unwrap();
    append(&there.data("amparo.toml"), "\nnonsense = 1\n");
    let said = there.fails(2, &["case", "list"]);
    assert!(
        said.contains("nonsense") && !said.contains("amparo init"),
        "{said}"
    );
}

#[test]
fn a_database_that_is_not_there_is_found_out_by_init() {
    let folder = Folder::new();
    let init = |db: &str| {
        let mut args = vec!["init", "data", "--provider", "E", "--origin", "e.example/docket"];
        args.extend(["--region", "eu-de=DE", "--db", db]);
        let said = folder.fails(2, &args);
        assert!(!folder.path("data").exists(), "something was made: {said}");
        said
    };
    let said = init("postgres://amparo:hidden@127.0.0.1:9/amparo");
    assert!(
        said.contains("cannot open the database `postgres://127.0.0.1:9/amparo`")
            && said.contains("Connection refused")
            && !said.contains("hidden"),
        "{said}"
    );
    assert!(init("sqlite:other.db").contains("leave `--db` out"));
    assert!(init("postgres://u:hidden@db.example/a").contains("sslmode=verify-full"));
}

#[test]
fn what_no_backup_holds_is_not_said_to_be_in_one() {
    let folder = deployment();
    folder.run(&["staff", "list"]);
    folder.run(&["backup", "--out", "backup"]);
    let mut restore = vec!["restore", "backup", "--to", "data2"];
    let output = folder.try_run(&restore);
    let said = process::text(&output.stderr);
    assert!(
        output.status.success() && said.contains("not `database.url`"),
        "{said}"
    );
    let (code, said) = folder.doctor("data2");
    assert_eq!(code, Some(1), "{said}");
    for key in ["case-root.key", "credential.key", "docket.key", "root-eu-de.key"] {
        let line = said.lines().find(|line| line.contains(key)).unwrap_or_default();
        assert!(
            line.contains("is missing: put it back from where you keep the keys")
                && line.contains("only if it was made with `--with-keys`"),
            "{said}"
        );
    }
    assert!(said.contains("nothing was opened: keys are missing"), "{said}");
    assert!(!said.contains("restore it from the backup"), "{said}");

    // With the keys at hand all is well at once.
    restore = vec!["restore", "backup", "--to", "data3", "--keys", "data/keys"];
    folder.run(&restore);
    let (code, said) = folder.doctor("data3");
    assert_eq!(code, Some(0), "{said}");
    fs::remove_dir_all(folder.path("data3").join("packages")).unwrap();
    let (code, said) = folder.doctor("data3");
    assert!(code == Some(1) && said.contains("every backup has it"), "{said}");

    // Without its key, a region's root alone: what would have opened it is said, not that a backup has it.
    fs::remove_file(folder.data("keys/root-eu-de.key")).unwrap();
    let said = folder.fails(2, &["case", "list"]);
    assert!(
        said.contains("there is no root of region `eu-de`") && said.contains("only if it was made with"),
        "{said}"
    );
}

#[test]
fn a_backup_says_whose_recipient_and_whose_identity_is_wrong() {
    let folder = deployment();
    folder.run(&["staff", "list"]);
    let said = folder.fails(2, &["backup", "--out", "backup", "--recipient", "age1nobody"]);
    assert!(
        said.contains("the backup cannot be encrypted")
            && said.contains("`age1nobody` is not an age recipient"),
        "{said}"
    );
    assert!(!said.contains("authority") && !said.contains("package"), "{said}");
    assert!(!folder.path("backup").exists());
    let ours = recipient(&folder);
    folder.run(&["backup", "--out", "backup", "--recipient", &ours]);
    recipient(&folder);
    let said = folder.fails(
        2,
        &["restore", "backup", "--to", "data2", "--identity", "identity"],
    );
    assert!(
        said.contains("is it the identity that it was made for?"),
        "{said}"
    );
    assert!(!folder.path("data2").exists());
}

#[test]
fn an_id_that_nobody_knows_is_said_to_be_unknown() {
    let folder = deployment();
    folder.customer();
    for verb in ["disable-key", "may-bypass-governance"] {
        let said = folder.fails(2, &["tenant", verb, "AKNOBODY"]);
        assert!(said.contains("error: no such access key"), "{said}");
        assert!(!said.contains("store failed"), "{said}");
    }
    let unknown = "`amparo.toml` has no `[[key_provider]]` with the id `nobody`; it has none";
    for args in [
        &["key", "seal", "eu-de", "--with", "nobody"][..],
        &[
            "key", "rotate", "--level", "root", "--region", "eu-de", "--with", "nobody",
        ],
        &["tenant", "keys", "larkspur", "--holder", "nobody"],
    ] {
        let said = folder.fails(2, args);
        assert!(
            said.contains(unknown) && !said.contains("does not open"),
            "{args:?}: {said}"
        );
    }
    assert!(
        !folder.data("keys/root-eu-de.2.key").exists(),
        "a root was made for nobody"
    );
}

#[test]
fn the_doctor_asks_key_providers_and_knows_whose_folder_it_looks_at() {
    let folder = deployment();
    folder.run(&["staff", "list"]);
    let (code, said) = folder.doctor("data");
    assert!(
        code == Some(0) && said.contains("no key provider is configured"),
        "{said}"
    );

    let provider = "\n[[key_provider]]\nkind = \"file\"\nid = \"sealed\"\nfile = \"keys/holder.age\"\n\
                    passphrase = { file = \"keys/holder.passphrase\" }\n";
    append(&folder.data("amparo.toml"), provider);
    let (code, said) = folder.doctor("data");
    assert_eq!(code, Some(1), "{said}");
    let line = said
        .lines()
        .find(|line| line.contains("key provider `sealed`"))
        .unwrap_or_default();
    assert!(
        line.contains("cannot read the secret") && line.contains("No such file"),
        "a cause is hidden: {said}"
    );
    let passphrase = folder.data("keys/holder.passphrase");
    fs::write(&passphrase, "correct horse battery staple again\n").unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o600)).unwrap();
    let (holder, passphrase) = ("data/keys/holder.age", passphrase.to_str().unwrap());
    folder.run(&["key", "new-sealed", holder, "--passphrase", passphrase]);
    let (code, said) = folder.doctor("data");
    assert!(
        code == Some(0) && said.contains("key provider `sealed` answers"),
        "{said}"
    );

    folder.run(&["gate", "split", "--data", "data", "--to", "gate"]);
    for file in ["holder.age", "holder.passphrase"] {
        fs::copy(
            folder.data("keys").join(file),
            folder.path("gate/keys").join(file),
        )
        .unwrap();
    }
    let (code, said) = folder.doctor("gate");
    assert_eq!(code, Some(0), "{said}");
    for part in [
        "the folder is a gate's",
        "the root of every region opens",
        "the gate's memory opens",
        "key provider `sealed` answers",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // The gate does not run: that is wrong, and nothing else is.
    let (code, said) = folder.doctor("data");
    assert!(
        code == Some(1) && said.contains("key providers are asked by the gate alone"),
        "{said}"
    );
    let wrong = said.lines().filter(|line| line.starts_with("wrong")).count();
    assert_eq!(wrong, 1, "{said}");
    let _gate = folder.start(&["gate", "--data", "gate"], "gate    ");
    let (code, said) = folder.doctor("data");
    assert!(code == Some(0) && said.contains("the gate answers"), "{said}");
}
