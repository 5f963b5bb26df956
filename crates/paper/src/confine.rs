//! Giving up what reading a PDF does not need: files, the network, other processes, most memory and time.

use std::{collections::BTreeMap, io};

use rlimit::{Resource, setrlimit};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// Most memory that the process may map, in bytes.
pub const MEMORY_MAX: u64 = 1024 * 1024 * 1024;
/// Most processor time, in seconds. The kernel kills the process after it.
pub const SECONDS_MAX: u64 = 20;

/// Why a process could not be confined. It then reads nothing.
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

/// Confines this process for good. From here on it can read its standard input, write its standard output, use memory that
/// holds no program, and end; any other system call kills it, and no program that it could start gains rights. It is the one
/// thread's doing: start no others before.
///
/// # Errors
/// When the kernel does not take a limit or the list: who goes on then goes on unconfined.
pub fn confine() -> Result<(), ConfineError> {
    for (resource, most) in [
        (Resource::AS, MEMORY_MAX),
        (Resource::CPU, SECONDS_MAX),
        (Resource::CORE, 0),
        (Resource::NOFILE, 0),
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
    // This also sets that no new privileges are gained, without which the kernel takes no list.
    Ok(seccompiler::apply_filter(&program)?)
}

/// What may be called whatever it is called with: giving memory back, randomness for hash tables, time, waiting, and ending.
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

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn allowed() -> Result<Rules, BackendError> {
    let mut rules: Rules = PLAIN.iter().map(|call| (*call, Vec::new())).collect();
    let on = |fd: libc::c_int| is(0, SeccompCmpOp::Eq, u64::from(fd.unsigned_abs()));
    rules.insert(
        libc::SYS_read,
        vec![SeccompRule::new(vec![on(libc::STDIN_FILENO)?])?],
    );
    for call in [libc::SYS_write, libc::SYS_writev] {
        rules.insert(call, vec![SeccompRule::new(vec![on(libc::STDOUT_FILENO)?])?]);
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
