//! What a process cannot do once it is confined, tried by processes that are.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::{
    os::{fd::AsRawFd as _, unix::process::ExitStatusExt as _},
    process::{Command, ExitStatus, Stdio},
};

use confine::{Bounds, Talks, confine};

/// What the kernel ends a process with that calls what it may not: SIGSYS.
const KILLED: i32 = 31;
/// The exit code of an attempt that could not be confined.
const UNCONFINED: i32 = 40;
/// The exit code of an attempt that got through.
const THROUGH: i32 = 41;

/// Runs `attempts` of this very program again, confined as said, with `what` to be tried.
fn attempt(talks: &str, what: &str) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "attempts", "--nocapture", "--test-threads=1"])
        .env("AMPARO_ATTEMPT", format!("{talks} {what}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap()
}

/// Has the kernel signal this process, as it would any other of the user, when something comes to the socket.
#[allow(
    unsafe_code,
    reason = "the standard library has no call for it; it is given an open socket and a number, and touches no memory of ours"
)]
fn signal_when_ready(socket: &std::net::UdpSocket) {
    let process = libc::c_int::try_from(std::process::id()).unwrap();
    let told = unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_SETOWN, process) };
    assert_eq!(told, 0);
}

/// Not a test by itself: confines itself, and then tries what the environment names.
#[test]
fn attempts() {
    let Ok(attempt) = std::env::var("AMPARO_ATTEMPT") else {
        return;
    };
    let (talks, what) = attempt.split_once(' ').unwrap();
    let talks = match talks {
        "starter" => Talks::ToItsStarter,
        _ => Talks::ToNameServers { descriptors: 64 },
    };
    let bounds = Bounds {
        memory: 1024 * 1024 * 1024,
        seconds: 20,
        talks,
    };
    if confine(bounds).is_err() {
        std::process::exit(UNCONFINED);
    }
    match what {
        "nothing" => {}
        "file" => drop(std::fs::File::open("/etc/passwd")),
        // As who waits for answers uses it: copied, and without blocking.
        "socket" => {
            let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.try_clone().unwrap().set_nonblocking(true).unwrap();
        }
        "signal" => {
            let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            signal_when_ready(&socket);
        }
        "local" => drop(std::os::unix::net::UnixDatagram::unbound()),
        "program" => drop(Command::new("/bin/true").status()),
        "thread" => drop(std::thread::Builder::new().spawn(|| ())),
        "folder" => drop(std::fs::create_dir("/tmp/amparo-confined-attempt")),
        "memory" => drop(std::hint::black_box(vec![1_u8; 2 * 1024 * 1024 * 1024])),
        other => panic!("{other}"),
    }
    std::process::exit(THROUGH);
}

#[test]
fn once_confined_a_process_opens_nothing_and_starts_nothing() {
    for (talks, may, may_not) in [
        (
            "starter",
            &["nothing"][..],
            &["file", "socket", "local", "program", "thread", "folder"][..],
        ),
        (
            "names",
            &["nothing", "socket"],
            &["file", "signal", "local", "program", "thread", "folder"],
        ),
    ] {
        for what in may {
            let ended = attempt(talks, what);
            assert_eq!(ended.code(), Some(THROUGH), "{talks} {what}: {ended:?}");
        }
        for what in may_not {
            let ended = attempt(talks, what);
            assert_eq!(ended.signal(), Some(KILLED), "{talks} {what}: {ended:?}");
        }
    }
    // More memory than there may be ends it by itself.
    let ended = attempt("starter", "memory");
    assert!(ended.signal().is_some() && ended.code().is_none(), "{ended:?}");
}
