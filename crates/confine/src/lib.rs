//! Giving up what a program that reads strangers' bytes does not need: files, other processes, most memory and time, and all of
//! the network or all but name servers.

mod calls;

use std::io;

use rlimit::{Resource, setrlimit};
use seccompiler::{BackendError, BpfProgram, SeccompAction, SeccompFilter};

/// What a confined process keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Most memory that it may map, in bytes.
    pub memory: u64,
    /// Most processor time, in seconds. The kernel kills it after that.
    pub seconds: u64,
    /// Whom it may talk to.
    pub talks: Talks,
}

/// Whom a confined process may talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Talks {
    /// Whoever started it: it reads its standard input and writes its standard output.
    ToItsStarter,
    /// The name service as well: it uses the descriptors that it has, and sockets of the Internet's families.
    ToNameServers {
        /// Most descriptors, the standard ones among them.
        descriptors: u64,
    },
}

/// Why a process could not be confined. It should then read nothing.
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

/// Confines this process for good. From here on it can talk as it may, use memory that holds no program, and end; any other
/// system call kills it, and no program that it could start gains rights. It is the one thread's doing: start no others before.
///
/// # Errors
/// When the kernel does not take a limit or the list: who goes on then goes on unconfined.
pub fn confine(bounds: Bounds) -> Result<(), ConfineError> {
    let descriptors = match bounds.talks {
        Talks::ToItsStarter => 0,
        Talks::ToNameServers { descriptors } => descriptors,
    };
    for (resource, most) in [
        (Resource::AS, bounds.memory),
        (Resource::CPU, bounds.seconds),
        (Resource::CORE, 0),
        (Resource::NOFILE, descriptors),
    ] {
        setrlimit(resource, most, most)?;
    }
    let filter = SeccompFilter::new(
        calls::allowed(bounds.talks)?,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        std::env::consts::ARCH.try_into()?,
    )?;
    let program: BpfProgram = filter.try_into()?;
    // This also sets that no new privileges are gained, without which the kernel takes no list.
    Ok(seccompiler::apply_filter(&program)?)
}
