//! A customer's own key service: [`server`] is the small program that the customer runs, [`client`] is how a gate asks it.
//!
//! What passes between them is [`wire`]; docs/keyholder.md describes it for whoever writes another one.

pub mod allow;
pub mod client;
pub mod config;
pub mod decisions;
pub mod ending;
pub mod ledger;
mod new;
pub mod server;
pub mod wire;

pub use self::{
    allow::{Allow, Decide},
    client::Keyholder,
    config::{KeyholderConfig, KeyholderError},
    new::create,
    server::{Server, router, serve},
};
