//! What comes over a link between our own processes, from one that may ask and was taken over: frames are put together or the
//! connection ends. Over a unix socket in this process; a right greeting goes first, unless the first byte is odd.
#![no_main]

use std::{collections::BTreeSet, os::unix::fs::MetadataExt as _, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use service::link::{Address, Answers, Asker, Guard, MESSAGE_BYTES_MAX, Message, Reception};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    runtime::{Builder, Runtime},
    time::timeout,
};

const PROTOCOL: &str = "fuzz/1";

struct Echo;

#[async_trait]
impl Answers for Echo {
    fn protocol(&self) -> &'static str {
        PROTOCOL
    }
    async fn answer(&self, _: &Asker, call: Message) -> Message {
        let head = call.head::<Value>().unwrap_or(Value::Null);
        assert!(call.secret().len() <= MESSAGE_BYTES_MAX);
        Message::new(&head, call.secret()).expect("it is no longer than it was")
    }
}

struct Scene {
    runtime: Runtime,
    socket: PathBuf,
    _folder: TempDir,
}

thread_local! {
    static SCENE: Scene = Scene::new();
}

impl Scene {
    fn new() -> Self {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let folder = TempDir::new_in("/dev/shm").expect("a folder in memory");
        let socket = folder.path().join("socket");
        let user = std::fs::metadata(folder.path()).expect("it is there").uid();
        runtime.block_on(async {
            let guard = Guard::Users(BTreeSet::from([user]));
            let reception = Reception::bind(&Address::Unix(socket.clone()), guard)
                .await
                .expect("a socket");
            tokio::spawn(reception.serve(Arc::new(Echo), std::future::pending()));
        });
        Self {
            runtime,
            socket,
            _folder: folder,
        }
    }
}

fn frame(id: u64, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("short").to_be_bytes();
    [&id.to_be_bytes()[..], &length, &length, message].concat()
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else {
        return;
    };
    let hello = format!("{{\"protocol\":\"{PROTOCOL}\"}}");
    let hello = [
        &u32::try_from(hello.len()).expect("short").to_be_bytes()[..],
        hello.as_bytes(),
    ]
    .concat();
    let greeting = if first % 2 == 0 {
        frame(0, &hello)
    } else {
        Vec::new()
    };
    SCENE.with(|scene| {
        scene.runtime.block_on(async {
            let mut asker = UnixStream::connect(&scene.socket).await.expect("it listens");
            // Where the other end gave up, it takes no more.
            let _ = asker.write_all(&[greeting.as_slice(), bytes].concat()).await;
            let _ = asker.shutdown().await;
            let mut heard = Vec::new();
            let ended = timeout(Duration::from_secs(8), asker.read_to_end(&mut heard)).await;
            assert!(ended.is_ok(), "it neither answers nor ends");
        });
    });
});
