//! Child processes and their descendants.

use std::io;
use std::path::Path;
use std::process::Command;

/// Makes the child lead a group of its own, which signals of the terminal do not reach.
pub fn lead_group(command: &mut Command) -> &mut Command {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        command.process_group(0);
    }
    command
}

/// Sends a child the signal to end; false if that is not possible.
///
/// The child must not have been waited for, or its number may belong to another process by now.
pub fn terminate(child: u32) -> bool {
    #[cfg(unix)]
    {
        use rustix::process::{Signal, kill_process};
        // A process that has ended needs no signal.
        number(child).is_some_and(|child| kill_process(child, Signal::TERM).is_ok())
    }
    #[cfg(not(unix))]
    {
        let _ = child;
        false
    }
}

/// Whether a process with this number exists, as far as the system tells; true if it cannot.
///
/// Unlike `/proc`, this also knows processes of other users on hosts that hide them (mount option `hidepid`).
pub fn exists(process: u32) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        use rustix::process::test_kill_process;
        number(process).is_none_or(|process| test_kill_process(process) != Err(Errno::SRCH))
    }
    #[cfg(not(unix))]
    {
        let _ = process;
        true
    }
}

/// Kills the group that a child leads, and nothing else; false if there are no groups.
///
/// While the group has a member, its number is not reused.
pub fn kill_group(leader: u32) -> bool {
    #[cfg(unix)]
    {
        use rustix::process::{Signal, kill_process_group};
        number(leader).is_some_and(|leader| kill_process_group(leader, Signal::KILL).is_ok())
    }
    #[cfg(not(unix))]
    {
        let _ = leader;
        false
    }
}

#[cfg(unix)]
fn number(process: u32) -> Option<rustix::process::Pid> {
    i32::try_from(process).ok().and_then(rustix::process::Pid::from_raw)
}

/// Exit code of a process as a shell reports it: 128 plus the signal that ended it.
pub fn exit_code(status: std::process::ExitStatus) -> i32 {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(signal) = status.signal() {
            return 128 + signal;
        }
    }
    status.code().unwrap_or(255)
}

/// Creates a folder accessible only by its owner.
///
/// Fails if the path exists.
pub fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path)
}
