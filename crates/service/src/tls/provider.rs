//! What is offered: ciphers and key exchange, by audience.

use std::sync::{Arc, LazyLock};

use rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs, aws_lc_rs::kx_group};

static PUBLIC: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| with(&[kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1]));
static OWN: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| with(&[kx_group::X25519MLKEM768]));

/// For faces that anybody's client reaches: X25519MLKEM768 first.
pub(super) fn public() -> Arc<CryptoProvider> {
    Arc::clone(&PUBLIC)
}

/// For links between our own: X25519MLKEM768 or nothing.
pub(super) fn own() -> Arc<CryptoProvider> {
    Arc::clone(&OWN)
}

fn with(groups: &[&'static dyn SupportedKxGroup]) -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        kx_groups: groups.to_vec(),
        ..aws_lc_rs::default_provider()
    })
}
