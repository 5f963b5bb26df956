//! A conversation with the LMTP server: whatever is said, and however it is cut into pieces, it ends, and what is kept is
//! within its limits.
#![no_main]

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use libfuzzer_sys::fuzz_target;
use service::mail::{
    MAIL_BYTES_MAX, MailError,
    lmtp::{Desk, Inbox, session},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    runtime::Builder,
};

struct Said<'a> {
    left: &'a [u8],
    piece: usize,
    heard: Vec<u8>,
}

impl AsyncRead for Said<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let now = self.left.len().min(into.remaining()).min(self.piece);
        let (now, left) = self.left.split_at(now);
        into.put_slice(now);
        self.left = left;
        Poll::Ready(Ok(()))
    }
}
impl AsyncWrite for Said<'_> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.heard.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[derive(Clone)]
struct Kept;

impl Inbox for Kept {
    async fn keep(&self, raw: &[u8], mail_from: Option<&str>) -> Result<String, MailError> {
        assert!(raw.len() <= MAIL_BYTES_MAX);
        assert!(mail_from.is_some_and(|from| !from.chars().any(char::is_control)));
        if raw.is_empty() {
            Err(MailError::Empty)
        } else {
            Ok("case".to_owned())
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&piece, bytes)) = bytes.split_first() else {
        return;
    };
    let desk = Desk {
        name: "mx.example".to_owned(),
        recipients: vec!["law@provider.example".to_owned()],
    };
    let piece = if piece == 0 {
        usize::MAX
    } else {
        usize::from(piece)
    };
    let mut said = Said {
        left: bytes,
        piece,
        heard: Vec::new(),
    };
    let runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let _ = runtime.block_on(session(&mut said, &desk, &Kept));
    assert!(
        said.heard.ends_with(b"\r\n")
            && !said
                .heard
                .windows(2)
                .any(|two| two[1] == b'\n' && two[0] != b'\r')
    );
});
