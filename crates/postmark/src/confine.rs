//! Giving up what checking a message does not need: files, other processes, most memory and time. What is left of the network
//! is what asking a name service takes.

use std::{collections::BTreeMap, io};

use rlimit::{Resource, setrlimit};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// Most memory that the process may map, in bytes.
pub const MEMORY_MAX: u64 = 512 * 1024 * 1024;
/// Most processor time, in seconds. The kernel kills the process after it.
pub const SECONDS_MAX: u64 = 10;
/// Most descriptors: the standard ones, the runtime's, and sockets to name servers.
pub const DESCRIPTORS_MAX: u64 = 64;

/// Why a process could not be confined. It then checks nothing.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// A limit was not taken.
    #[error("a limit on memory, time or files could not be set")]
    Limit(#[from] io::Error),
    /// The list cannot be made for this machine.
    #[error("the list of allowed system calls could not be made for this machine")]
    List(#[from] BackendError),
    /// The list was not taken.
    #[error("the kernel did not take the list of allowed system calls")]
    Calls(#[from] seccompiler::Error),
}

/// Confines this process for good: it can use the descriptors that it has, sockets of the Internet's families and memory that
/// holds no program; any other system call kills it. It is the one thread's doing: start no others before.
///
/// # Errors
/// When the kernel does not take a limit or the list: who goes on then goes on unconfined.
pub fn confine() -> Result<(), ConfineError> {
    for (resource, most) in [
        (Resource::AS, MEMORY_MAX),
        (Resource::CPU, SECONDS_MAX),
        (Resource::CORE, 0),
        (Resource::NOFILE, DESCRIPTORS_MAX),
    ] {
        setrlimit(resource, most, most)?;
    }
    let filter = SeccompFilter::new(
        allowed()?,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        std::env::consts::ARCH.try_into()?,
    )?;
    let program: BpfProgram = filter.try_into()?;
    Ok(seccompiler::apply_filter(&program)?)
}

/// What may be called whatever it is called with. None opens a file, starts a process, or reaches another.
const PLAIN: [i64; 39] = [
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigreturn,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_shutdown,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_fcntl,
    libc::SYS_ioctl,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_ppoll,
    libc::SYS_eventfd2,
    libc::SYS_gettid,
];

/// The same, as older kernels' numbers have it.
#[cfg(target_arch = "x86_64")]
const OLDER: [i64; 2] = [libc::SYS_epoll_wait, libc::SYS_poll];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: [i64; 0] = [];

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn allowed() -> Result<Rules, BackendError> {
    let mut rules: Rules = PLAIN
        .iter()
        .chain(&OLDER)
        .map(|call| (*call, Vec::new()))
        .collect();
    let family = |family: libc::c_int| {
        SeccompRule::new(vec![is(0, SeccompCmpOp::Eq, u64::from(family.unsigned_abs()))?])
    };
    rules.insert(
        libc::SYS_socket,
        vec![family(libc::AF_INET)?, family(libc::AF_INET6)?],
    );
    // Memory that can be run is not to be had.
    let run = u64::from(libc::PROT_EXEC.unsigned_abs());
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(
            call,
            vec![SeccompRule::new(vec![is(2, SeccompCmpOp::MaskedEq(run), 0)?])?],
        );
    }
    Ok(rules)
}

fn is(argument: u8, compared: SeccompCmpOp, with: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, compared, with)
}
