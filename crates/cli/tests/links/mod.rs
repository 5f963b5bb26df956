//! Two nodes that know each other: certificates for both ends of a link, and policies.
#![allow(dead_code, reason = "no story uses all of it")]

use std::{os::unix::fs::PermissionsExt as _, path::Path};

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

use crate::process::{Folder, append};

/// An authority that makes certificates for both sides of a link.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    pub fn pem(&self) -> &str {
        &self.pem
    }

    pub fn issue(&self, dir: &Path, name: &str) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(dir.join("link.pem"), certificate.pem()).unwrap();
        std::fs::write(dir.join("link.key"), key.serialize_pem()).unwrap();
        std::fs::set_permissions(dir.join("link.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// Says which other node there is, and where.
pub fn knows(node: &Folder, region: &str, name: &str, at: &str, endpoint: &str) {
    append(
        &node.data("amparo.toml"),
        &format!(
            "\n[link]\nlisten = \"127.0.0.1:0\"\ntls = {{ certificate = \"link.pem\", key = \"link.key\" }}\n\n\
             [[peer]]\nregion = \"{region}\"\ncountry = \"US\"\nat = \"{at}\"\nca = \"../ca.pem\"\n\
             name = \"{name}\"\nendpoint = \"{endpoint}\"\n"
        ),
    );
}

pub fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "no {from}: {text}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

/// The log's and the witness's keys in a trust policy.
fn keys(node: &Folder) -> (String, String) {
    let trust = std::fs::read_to_string(node.data("trust.toml")).unwrap();
    let find = |start: &str| {
        let line = trust.lines().find_map(|line| line.split_once(start)).unwrap().1;
        line.split([' ', '\\', '"']).next().unwrap().to_owned()
    };
    (find("log "), find("witness own "))
}

/// The gate in the west goes by the log, the witness and the reviewers of the desk in the east.
pub fn trust(west: &Folder, east: &Folder) {
    let ((log, witness), (own_log, own_witness)) = (keys(east), keys(west));
    let docket = format!(
        "log {own_log}\nlog {log}\nwitness own {own_witness}\nwitness east {witness}\ngroup either any own east\n\
         quorum either\n"
    );
    let before = std::fs::read_to_string(west.data("trust.toml")).unwrap();
    let rulebooks = before.lines().find(|line| line.starts_with("rulebooks")).unwrap();
    let policy = format!("schema = \"amparo.policy/1\"\ndocket = '''\n{docket}'''\n{rulebooks}\n");
    std::fs::write(west.data("trust.toml"), policy).unwrap();
    for (id, senior) in [("amara", "senior = true\n"), ("jonas", "")] {
        let key = east.key(id);
        let entry = format!("\n[[reviewer]]\nid = \"{id}\"\nkey = \"{key}\"\n{senior}");
        append(&east.data("trust.toml"), &entry);
        append(&west.data("trust.toml"), &entry);
    }
}
