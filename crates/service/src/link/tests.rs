use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    sync::{Notify, oneshot},
    task::JoinHandle,
};

use super::*;
use crate::tls::{
    Audience, Caller, TlsClient, TlsServer,
    tests::{Authority, GOOD},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// Answers with what it was asked; waits first where it is told to.
#[derive(Default)]
struct Echo {
    heard: AtomicUsize,
    go_on: Notify,
}

#[async_trait]
impl Answers for Echo {
    fn protocol(&self) -> &'static str {
        "amparo.echo/1"
    }
    async fn answer(&self, asker: &Asker, call: Message) -> Message {
        self.heard.fetch_add(1, Ordering::SeqCst);
        let head: String = call.head().unwrap();
        if head == "who" {
            return Message::new(&asker.names().join(" "), &[]).unwrap();
        }
        if head == "wait" {
            self.go_on.notified().await;
        }
        Message::new(&head, call.secret()).unwrap()
    }
}

struct Served {
    address: Address,
    echo: Arc<Echo>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Served {
    async fn at(address: &Address, guard: Guard) -> Self {
        Self::limited(address, guard, Limits::default()).await
    }
    async fn limited(address: &Address, guard: Guard, limits: Limits) -> Self {
        let reception = Reception::bind(address, guard).await.unwrap().limited(limits);
        let (stop, told) = oneshot::channel();
        let echo = Arc::new(Echo::default());
        Self {
            address: reception.address().clone(),
            echo: Arc::clone(&echo),
            stop,
            serving: tokio::spawn(reception.serve(echo, async {
                let _ = told.await;
            })),
        }
    }
    async fn end(self) {
        let _ = self.stop.send(());
        self.serving.await.unwrap();
    }
}

fn ourselves() -> Guard {
    let own = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap());
    Guard::Users(BTreeSet::from([own]))
}

fn socket(dir: &tempfile::TempDir) -> Address {
    Address::Unix(dir.path().join("link.sock"))
}

fn call(head: &str) -> Message {
    Message::new(&head, &[]).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_questions_are_under_way_at_once_and_small_ones_pass_large_ones() {
    let dir = tempfile::tempdir().unwrap();
    let served = Served::at(&socket(&dir), ourselves()).await;
    let link = Arc::new(Link::new(served.address.clone(), None, "amparo.echo/1"));
    let waiting = {
        let link = Arc::clone(&link);
        tokio::spawn(async move { link.ask(call("wait"), PATIENCE).await })
    };
    let large = vec![7; 20 * FRAME_BYTES_MAX + 1];
    let sent = {
        let (link, large) = (Arc::clone(&link), large.clone());
        tokio::spawn(async move { link.ask(Message::new(&"large", &large).unwrap(), PATIENCE).await })
    };
    let small = (0..500).map(|number: u32| {
        let link = Arc::clone(&link);
        tokio::spawn(async move {
            let secret = number.to_be_bytes();
            let answer = link
                .ask(Message::new(&format!("{number}"), &secret).unwrap(), PATIENCE)
                .await
                .unwrap();
            assert_eq!(answer.head::<String>().unwrap(), format!("{number}"));
            assert_eq!(answer.secret(), secret);
        })
    });
    for one in small.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    assert_eq!(sent.await.unwrap().unwrap().secret(), large);
    assert!(!waiting.is_finished());
    served.echo.go_on.notify_one();
    waiting.await.unwrap().unwrap();
    served.end().await;
}

#[tokio::test]
async fn what_was_not_sent_and_what_was_not_answered_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let address = socket(&dir);
    let link = Link::new(address.clone(), None, "amparo.echo/1");
    let away = link.ask(call("x"), PATIENCE).await.unwrap_err();
    assert!(matches!(away, LinkError::NotReached(_)), "{away}");
    tokio::time::sleep(CONNECT_PAUSE).await;

    let served = Served::at(&address, ourselves()).await;
    link.ask(call("x"), PATIENCE).await.unwrap();
    let slow = link
        .ask(call("wait"), Duration::from_millis(50))
        .await
        .unwrap_err();
    assert!(matches!(slow, LinkError::Unknown(_)), "{slow}");
    // The other end goes away with a question under way: its answer is not known, and it is not asked twice by itself.
    let before = served.echo.heard.load(Ordering::SeqCst);
    let echo = Arc::clone(&served.echo);
    let (lost, ()) = tokio::join!(link.ask(call("wait"), PATIENCE), async {
        while echo.heard.load(Ordering::SeqCst) == before {
            tokio::task::yield_now().await;
        }
        served.serving.abort();
        let _ = served.serving.await;
    });
    let lost = lost.unwrap_err();
    assert!(matches!(lost, LinkError::Unknown(_)), "{lost}");
    assert_eq!(echo.heard.load(Ordering::SeqCst), before + 1);
    // It comes back at the same place; the socket file that it left is replaced.
    let again = Served::at(&address, ourselves()).await;
    link.ask(call("x"), PATIENCE).await.unwrap();
    let taken = Reception::bind(&address, ourselves()).await.err().unwrap();
    assert!(matches!(taken, BindError::Taken(_)), "{taken}");
    again.end().await;
}

#[tokio::test]
async fn who_may_not_ask_and_who_speaks_something_else_is_turned_away() {
    let dir = tempfile::tempdir().unwrap();
    let served = Served::at(&socket(&dir), ourselves()).await;
    let other = Link::new(served.address.clone(), None, "amparo.echo/2");
    let refused = other.ask(call("x"), PATIENCE).await.unwrap_err().to_string();
    assert!(refused.contains("`amparo.echo/1` is spoken here"), "{refused}");
    served.end().await;

    // The kernel says whose process it is: a user who is not named hears nothing.
    let nobody = Guard::Users(BTreeSet::from([4_000_000_000]));
    let served = Served::at(&socket(&dir), nobody).await;
    let link = Link::new(served.address.clone(), None, "amparo.echo/1");
    let refused = link.ask(call("x"), PATIENCE).await.unwrap_err();
    assert!(matches!(refused, LinkError::NotReached(_)), "{refused}");
    assert_eq!(served.echo.heard.load(Ordering::SeqCst), 0);
    served.end().await;

    // Nor does the asking end take just anybody's answer: whoever listens must be of the user who should.
    let served = Served::at(&socket(&dir), ourselves()).await;
    let link = Link::new(served.address.clone(), None, "amparo.echo/1").to_user(Some(4_000_000_000));
    let refused = link.ask(call("x"), PATIENCE).await.unwrap_err().to_string();
    assert!(refused.contains("not whom we look for"), "{refused}");
    assert_eq!(served.echo.heard.load(Ordering::SeqCst), 0);
    served.end().await;

    let tcp = Address::Tcp("127.0.0.1:0".to_owned());
    assert!(matches!(
        Reception::bind(&tcp, ourselves()).await,
        Err(BindError::Guard(_))
    ));
    for bad in ["", "unix:", "host", "host:port", ":1", "a b:1", "host:99999"] {
        assert!(bad.parse::<Address>().is_err(), "{bad}");
    }
}

#[tokio::test]
async fn invariant_10_frames_that_cannot_be_end_the_connection_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let served = Served::at(&socket(&dir), ourselves()).await;
    let Address::Unix(path) = served.address.clone() else {
        unreachable!()
    };
    let greeting = greeting();
    let many: Vec<u8> = (1..=100).flat_map(|id| frame(id, 1000, 1, b"x")).collect();
    let bad: [Vec<u8>; 7] = [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        frame(1, u32::MAX, 1, b"x"),
        frame(1, 10, 11, b"xxxxxxxxxxx"),
        frame(1, 10, 0, b""),
        frame(1, 1 << 20, (1 << 16) + 1, b"x"),
        [frame(1, 10, 5, b"xxxxx"), frame(1, 9, 5, b"xxxxx")].concat(),
        many,
    ];
    for (number, bytes) in bad.iter().enumerate() {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        stream.write_all(&greeting).await.unwrap();
        let _ = stream.write_all(bytes).await;
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "number {number} is still held");
    }
    assert_eq!(served.echo.heard.load(Ordering::SeqCst), 0);
    let link = Link::new(served.address.clone(), None, "amparo.echo/1");
    link.ask(call("x"), PATIENCE).await.unwrap();
    served.end().await;
}

fn frame(id: u64, rest: u32, length: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend(rest.to_be_bytes());
    bytes.extend(length.to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn greeting() -> Vec<u8> {
    let hello = Message::new(&serde_json::json!({"protocol": "amparo.echo/1"}), &[]).unwrap();
    let length = u32::try_from(hello.bytes().len()).unwrap();
    frame(0, length, length, hello.bytes())
}

/// One asker announces much and does not send it. What is in work stays under the bound, whoever else asks for more is told so
/// when its patience ends, and what was announced is given up in time.
#[tokio::test]
async fn invariant_10_bytes_in_work_are_bounded_and_what_does_not_come_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits {
        in_work_bytes: 256 * 1024,
        in_work_timeout: Duration::from_millis(100),
        request_timeout: PATIENCE,
        ..Limits::default()
    };
    let served = Served::limited(&socket(&dir), ourselves(), limits).await;
    let Address::Unix(path) = served.address.clone() else {
        unreachable!()
    };
    // The answer to the hello shows that all before it was read; the announcement follows it in the same order.
    let mut hog = UnixStream::connect(&path).await.unwrap();
    hog.write_all(&greeting()).await.unwrap();
    let small = Message::new(&"small", &[]).unwrap();
    let length = u32::try_from(small.bytes().len()).unwrap();
    hog.write_all(&frame(1, 250 * 1024, 4, b"xxxx")).await.unwrap();
    hog.write_all(&frame(2, length, length, small.bytes()))
        .await
        .unwrap();
    while served.echo.heard.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let link = Link::new(served.address.clone(), None, "amparo.echo/1");
    let large = || Message::new(&"large", &vec![7; 100 * 1024]).unwrap();
    let refused = link.ask(large(), PATIENCE).await.unwrap_err();
    assert!(matches!(refused, LinkError::Unknown(_)), "{refused}");
    assert_eq!(
        served.echo.heard.load(Ordering::SeqCst),
        1,
        "it was never in work"
    );
    drop(hog);
    let until = tokio::time::Instant::now() + PATIENCE;
    while link.ask(large(), PATIENCE).await.is_err() {
        assert!(
            tokio::time::Instant::now() < until,
            "what was taken is not given back"
        );
    }
    served.end().await;

    let limits = Limits {
        request_timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    let served = Served::limited(&socket(&dir), ourselves(), limits).await;
    let mut slow = UnixStream::connect(&path).await.unwrap();
    slow.write_all(&[greeting(), frame(1, 1000, 1, b"x")].concat())
        .await
        .unwrap();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, slow.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "a request that never ends is still waited for");
    served.end().await;
}

/// Strangers who say nothing take no place of those who may ask; and those are told apart by their certificates.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariant_10_strangers_take_no_place_and_each_asker_is_known_by_its_name() {
    let authority = Authority::new("links");
    let names = ["west.example", "north.example"];
    let caller = |name: &str| Caller {
        ca: authority.path("ca.pem"),
        names: vec![name.to_owned(), "spare.example".to_owned()],
    };
    let audience = Audience::Own {
        files: authority.files("gate.example", GOOD),
        callers: names.iter().map(|name| caller(name)).collect(),
    };
    let limits = Limits {
        connections: 2,
        handshakes: 2,
        handshake_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let guard = Guard::Tls(TlsServer::open(audience).unwrap());
    let any = Address::Tcp("127.0.0.1:0".to_owned());
    let served = Served::limited(&any, guard, limits).await;
    let Address::Tcp(host) = served.address.clone() else {
        unreachable!()
    };
    let mut strangers = Vec::new();
    for _ in 0..6 {
        strangers.push(tokio::net::TcpStream::connect(&host).await.unwrap());
    }
    let mut links = Vec::new();
    for name in names {
        let files = authority.files(name, GOOD);
        let tls = TlsClient::open(authority.mutual(files, "gate.example")).unwrap();
        let link = Link::new(served.address.clone(), Some(tls), "amparo.echo/1");
        let who = link.ask(call("who"), PATIENCE).await.unwrap();
        assert_eq!(who.head::<String>().unwrap(), name);
        links.push(link);
    }
    drop((strangers, links));
    served.end().await;
}

#[test]
fn a_message_cannot_be_printed_and_reads_back() {
    let message = Message::new(&"head", b"very secret").unwrap();
    assert!(!format!("{message:?}").contains("secret"));
    assert_eq!(message.head::<String>().unwrap(), "head");
    assert_eq!(message.secret(), b"very secret");
    assert!(message.head::<u64>().is_err());
    for cut in 0..message.bytes().len() {
        let part = Message::from_bytes(zeroize::Zeroizing::new(message.bytes()[..cut].to_vec()));
        let _ = (part.head::<String>(), part.secret());
    }
    assert_eq!(Message::empty().secret(), b"");
}
