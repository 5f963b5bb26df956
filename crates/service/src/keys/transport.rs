//! HTTP to a key provider: where it may go, and how much of an answer is read.

use casework::ids::ProviderId;
use zeroize::Zeroizing;

use super::{HolderError, Why};

/// The address of `path` at a provider's URL: `https`, or plain `http` to this machine alone.
///
/// # Errors
/// [`Why::Unusable`] for any other URL.
pub fn address(id: &ProviderId, url: &str, path: &str) -> Result<reqwest::Url, HolderError> {
    let fail = |why: &str| HolderError::new(id, Why::Unusable(why.to_owned()));
    let full = format!("{}{path}", url.trim_end_matches('/'));
    let url = reqwest::Url::parse(&full).map_err(|_| fail("its URL cannot be read"))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match url.scheme() {
        "https" => Ok(url),
        "http" if here => Ok(url),
        _ => Err(fail(
            "its URL is neither `https` nor plain `http` to this machine",
        )),
    }
}

/// What a failed request means, without the address.
pub fn away(error: &reqwest::Error) -> Why {
    Why::Away(
        match () {
            () if error.is_timeout() => "timed out",
            () if error.is_connect() => "cannot connect",
            () => "the connection broke",
        }
        .to_owned(),
    )
}

/// An answer's body, up to a limit.
///
/// # Errors
/// [`Why::Wrong`] when it is longer; [`Why::Away`] when it broke off.
pub async fn body(
    id: &ProviderId,
    mut response: reqwest::Response,
    max: usize,
) -> Result<Zeroizing<Vec<u8>>, HolderError> {
    let mut bytes = Zeroizing::new(Vec::new());
    while let Some(piece) = response
        .chunk()
        .await
        .map_err(|error| HolderError::new(id, away(&error)))?
    {
        if bytes.len() + piece.len() > max {
            let why = format!("it is longer than {max} bytes");
            return Err(HolderError::new(id, Why::Wrong(why)));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}
