//! `amparo witness`: vouches that a log is one history, for whoever keeps it honest.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::{Context as _, ensure};
use service::{
    deployment::{create_key, read_key},
    docket::witness::{Witness, serve},
    listener::Door,
    tls::{Audience, TlsFiles, TlsServer},
};
use translog::note::{KeyKind, SignerKey, VerifierKey};

use crate::voice::{data, say};

/// Run a witness: cosign each checkpoint of a log that continues the one before.
///
/// Prints the line by which a policy names this witness, then serves C2SP tlog-witness until it is stopped. One witness
/// may use a state folder at a time. Never start a key again without its state: a witness that forgot what it cosigned
/// would cosign a second history.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  amparo witness --create-key --key w.key --name w.example/1 --show
  amparo witness --key w.key --name w.example/1 --log 'docket.example+1a2b3c4d+AQ...' --state w/
  curl http://127.0.0.1:7380/$(printf docket.example | sha256sum | cut -d' ' -f1)/checkpoint

Exit codes: 0 stopped, 2 could not start.")]
pub struct Args {
    /// The witness's key file, as `amparo key new` makes it, readable by its owner alone.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Make the key file if it is not there.
    #[arg(long)]
    create_key: bool,
    /// The witness's name, a URL without its scheme.
    #[arg(long, value_name = "NAME", default_value = "witness.localhost")]
    name: String,
    /// A log's verifier key, as its policy's `log` line has it. May be given several times.
    #[arg(long = "log", value_name = "VKEY", required_unless_present = "show")]
    logs: Vec<String>,
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7380")]
    listen: SocketAddr,
    /// The certificate to speak TLS 1.3 with, and those between it and its authority (PEM). Without it the witness listens on
    /// loopback only.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// The certificate's private key (PEM), readable by its owner alone.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// The folder that remembers what was cosigned.
    #[arg(long, value_name = "DIR", default_value = "witness")]
    state: PathBuf,
    /// Print the witness's verifier key and stop: what a provider names in `amparo init --witness VKEY=URL`.
    #[arg(long)]
    show: bool,
}

/// Runs the verb.
///
/// # Errors
/// When a key, the state or the address cannot be used.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let seed = if args.create_key && !args.key.exists() {
        // A new key with an old state would be a witness that contradicts itself.
        ensure!(
            !args.state.exists(),
            "the state folder `{}` is there but the key is not; restore the key, or name a new folder",
            args.state.display()
        );
        create_key(&args.key)?
    } else {
        read_key(&args.key)?
    };
    let key = SignerKey::from_seed(&args.name, KeyKind::Witness, &seed)?;
    if args.show {
        data!("{}", key.verifier());
        return Ok(ExitCode::SUCCESS);
    }
    let logs: Vec<VerifierKey> = args
        .logs
        .iter()
        .map(|log| VerifierKey::parse(log).with_context(|| format!("cannot use `--log {log}`")))
        .collect::<anyhow::Result<_>>()?;
    let witness = Witness::open(key, &logs, &args.state)?;
    let tls = match (args.tls_certificate, args.tls_key) {
        (Some(certificate), Some(key)) => {
            let files = TlsFiles { certificate, key };
            Some(TlsServer::open(Audience::Public(files))?)
        }
        _ => None,
    };
    ensure!(
        tls.is_some() || args.listen.ip().is_loopback(),
        "plain HTTP is served on loopback only; give `--tls-certificate` and `--tls-key`, or listen on 127.0.0.1"
    );
    let listener = tokio::net::TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on `{}`", args.listen))?;
    let address = listener
        .local_addr()
        .context("cannot read the address listened on")?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    data!("witness w1 {} {scheme}://{address}/", witness.verifier());
    if let Some(tls) = &tls {
        tokio::spawn(Arc::clone(tls).keep_current());
    }
    for log in &logs {
        say!(
            "witnessing `{}` with its state in `{}`",
            log.name(),
            args.state.display()
        );
    }
    let stop = async {
        let _ = super::stop::asked().await;
    };
    serve(Door { listener, tls }, Arc::new(witness), stop)
        .await
        .context("the witness failed")?;
    Ok(ExitCode::SUCCESS)
}
