//! Child processes that do not outlive this one: each leads a process group, which is ended as a whole.

use std::process::ExitStatus;
use std::sync::{Mutex, PoisonError};

use tokio::process::{Child, Command};

/// A running child process; ended with its descendants on drop
#[derive(Debug)]
pub struct Started {
    child: Child,
    group: Option<u32>,
}

/// Process groups of running children.
static GROUPS: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Ends every running child, because the process is about to end.
pub fn end_all() {
    for group in GROUPS.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        end(group);
    }
}

impl Started {
    /// Starts a child in its own group, which Ctrl-C in a terminal does not reach.
    #[cfg_attr(not(unix), expect(unused_mut, reason = "there are no groups"))]
    pub fn in_own_group(mut command: Command) -> std::io::Result<Self> {
        #[cfg(unix)]
        command.process_group(0);
        let child = command.spawn()?;
        let group = child.id().filter(|_| cfg!(unix));
        GROUPS.lock().unwrap_or_else(PoisonError::into_inner).extend(group);
        Ok(Self { child, group })
    }

    /// Starts a child that interacts with the user: it stays in the foreground, where Ctrl-C reaches it.
    pub fn in_foreground(mut command: Command) -> std::io::Result<Self> {
        Ok(Self { child: command.spawn()?, group: None })
    }

    /// The child, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits until the child ends. Cancel-safe. Processes that it left running on purpose, such as an agent, are not
    /// ended.
    pub async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        self.forget();
        Ok(status)
    }

    fn forget(&mut self) -> Option<u32> {
        let group = self.group.take()?;
        GROUPS.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| *known != group);
        Some(group)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(group) = self.forget() {
            end(group);
        }
    }
}

#[cfg(unix)]
fn end(group: u32) {
    use rustix::process::{Pid, Signal, kill_process_group};
    if let Some(group) = i32::try_from(group).ok().and_then(Pid::from_raw) {
        // It may have ended by itself.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

#[cfg(not(unix))]
fn end(_group: u32) {}
