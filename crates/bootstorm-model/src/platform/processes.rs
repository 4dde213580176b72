//! Child processes with everything that they start in turn.

use std::io;
use std::path::Path;
use std::process::Command;

/// How a group of processes is asked to end
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Politely: it may finish what it does.
    Terminate,
    /// At once.
    Kill,
}

/// Makes the child lead a group of its own, which signals of the terminal do not reach.
pub fn lead_group(command: &mut Command) -> &mut Command {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        command.process_group(0);
    }
    command
}

/// Sends a signal to the group that this child leads; false where there are no groups.
///
/// The child must not have been waited for, or its number may be another's by now.
pub fn signal_group(leader: u32, how: End) -> bool {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process_group};
        let signal = match how {
            End::Terminate => Signal::TERM,
            End::Kill => Signal::KILL,
        };
        // A group that is gone needs no signal any more.
        i32::try_from(leader).ok().and_then(Pid::from_raw).is_some_and(|group| {
            let _ = kill_process_group(group, signal);
            true
        })
    }
    #[cfg(not(unix))]
    {
        let _ = (leader, how);
        false
    }
}

/// The exit code of a process as a shell shows it: 128 and the signal that ended it.
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

/// Makes a folder that nobody but its owner can look into.
///
/// Fails also when there is something of this name.
pub fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path)
}
