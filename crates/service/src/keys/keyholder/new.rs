//! Making a keyholder's folder: keys, and a configuration that allows nothing yet.

use std::{
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use crate::deployment::create_key;

use super::config::KeyholderError;

const CONFIG: &str = r#"# What this keyholder answers. Changes count from the next request.
schema = "amparo.keyholder/1"
listen = "127.0.0.1:7390"
keys = ["wrap.key"]
signing_key = "sign.key"
log = "keyholder.log"
decisions = "decisions"

# Who may ask: the public key of the provider's gate, which `amparo key gate` prints there.
gates = ["GATE"]

# What it may ask for. Without a rule everything is denied; the first rule that fits decides. For instance:
#
# [[allow]]
# reason = "owner"            # owner, release, transfer, rights_request, provisioning, rotation, holder_change, region_start
# tenants = ["contoso"]
# accounts = ["alice@contoso.example"]   # left out: all
# from_hour = 6               # UTC
# until_hour = 20
# max_per_hour = 1000
# decide = "yes"              # or "ask": a person decides, with `amparo keyholder allow` or `deny`
"#;

/// Makes the folder, for the gate of this public key.
///
/// # Errors
/// When it exists, or cannot be written.
pub fn create(folder: &Path, gate: &str) -> Result<(), KeyholderError> {
    super::wire::public_key(gate)?;
    let path = folder.join("keyholder.toml");
    let fail = |source| KeyholderError::Write {
        path: path.display().to_string(),
        source,
    };
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(folder)
        .map_err(fail)?;
    create_key(&folder.join("wrap.key"))?;
    create_key(&folder.join("sign.key"))?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .map_err(fail)?;
    file.write_all(CONFIG.replace("GATE", gate.trim()).as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(fail)
}
