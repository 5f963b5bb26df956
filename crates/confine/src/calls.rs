//! The system calls that a confined process may make. None opens a file, starts a process, or signals another; none reaches
//! another but over the Internet's families, where it may talk to name servers.

use std::collections::BTreeMap;

use seccompiler::{BackendError, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule};

use crate::Talks;

/// A call's number, and what it may be called with: whatever, where there are no rules.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Giving memory back, randomness for hash tables, time, waiting, and ending.
const PLAIN: [i64; 12] = [
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_futex,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigreturn,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Using descriptors, and waiting for them.
const TALKING: [i64; 25] = [
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_sched_yield,
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

/// What a descriptor may be told: how it blocks and is inherited, and to be copied. Not whom to signal when something comes: the
/// kernel would then send that signal, one of the process's choice, to whoever runs under the same user.
const TOLD: [libc::c_int; 5] = [
    libc::F_GETFD,
    libc::F_SETFD,
    libc::F_GETFL,
    libc::F_SETFL,
    libc::F_DUPFD_CLOEXEC,
];

pub(crate) fn allowed(talks: Talks) -> Result<Rules, BackendError> {
    let whatever = |call: &i64| (*call, Vec::new());
    let mut rules: Rules = PLAIN.iter().map(whatever).collect();
    match talks {
        Talks::ToItsStarter => {
            let on = |fd: libc::c_int| is(0, SeccompCmpOp::Eq, u64::from(fd.unsigned_abs()));
            for (call, fd) in [
                (libc::SYS_read, libc::STDIN_FILENO),
                (libc::SYS_write, libc::STDOUT_FILENO),
                (libc::SYS_writev, libc::STDOUT_FILENO),
            ] {
                rules.insert(call, vec![SeccompRule::new(vec![on(fd)?])?]);
            }
        }
        Talks::ToNameServers { .. } => {
            rules.extend(TALKING.iter().chain(&OLDER).map(whatever));
            let family = |family: libc::c_int| {
                SeccompRule::new(vec![is(0, SeccompCmpOp::Eq, u64::from(family.unsigned_abs()))?])
            };
            rules.insert(
                libc::SYS_socket,
                vec![family(libc::AF_INET)?, family(libc::AF_INET6)?],
            );
            let told = |command: u64| SeccompRule::new(vec![is(1, SeccompCmpOp::Eq, command)?]);
            let commands = TOLD.map(|command| told(u64::from(command.unsigned_abs())));
            rules.insert(libc::SYS_fcntl, commands.into_iter().collect::<Result<_, _>>()?);
            rules.insert(libc::SYS_ioctl, vec![told(libc::FIONBIO)?, told(libc::FIOCLEX)?]);
        }
    }
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
