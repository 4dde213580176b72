//! Process identity, exact enough for another process on the host to check whether it is alive.

use std::fs;

use bootstorm_model::platform::processes::exists;

/// A process of one boot of one computer: `boot:namespace:pid:start`
///
/// The boot id, the inode of the PID namespace, the PID, and the clock tick at which the process started. Together they
/// never identify another process, even in a container or after a reboot. Linux only; elsewhere an abandoned lock is
/// taken over when it is stale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process(String);

impl Process {
    /// This process, if the system can identify it.
    pub(super) fn ours() -> Option<Self> {
        let pid = std::process::id();
        Some(Self(format!("{}:{pid}:{}", place()?, started(pid)?)))
    }

    /// Whether the process is certainly dead. False if that cannot be determined on this host.
    pub(super) fn is_dead(name: &str) -> bool {
        let mut parts = name.rsplitn(3, ':');
        let (Some(start), Some(pid), Some(there)) = (parts.next(), parts.next(), parts.next()) else {
            return false;
        };
        let Ok(pid) = pid.parse() else { return false };
        place().is_some_and(|here| here == there)
            && match state(pid) {
                Some(State::Alive(now)) => now != start,
                Some(State::Ended) => true,
                // Hosts may hide the processes of other users.
                None => !exists(pid),
            }
    }

    /// Text form.
    pub(super) fn name(&self) -> &str {
        &self.0
    }
}

/// This boot of this computer, and the PID namespace.
fn place() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    let inode: String = namespace.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    Some(format!("{}:{inode}", boot.trim()))
}

/// State of a process
enum State {
    /// It started at this clock tick.
    Alive(String),
    /// It has ended, and its parent has yet to notice.
    Ended,
}

/// State of the process with a number; `None` if there is none, or if it cannot be read.
fn state(pid: u32) -> Option<State> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program is in parentheses and may contain anything, including spaces and parentheses.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    // The start is field 22 of the line, the state field 3.
    let start = fields.nth(18)?;
    Some(if matches!(state, "Z" | "X") { State::Ended } else { State::Alive(start.to_owned()) })
}

/// Clock tick at which a process started; `None` if it has ended or cannot be read.
fn started(pid: u32) -> Option<String> {
    match state(pid)? {
        State::Alive(start) => Some(start),
        State::Ended => None,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_dead_when_its_number_belongs_to_nobody_or_to_another_one() {
        let ours = Process::ours().unwrap();
        assert!(!Process::is_dead(ours.name()));
        let (rest, start) = ours.name().rsplit_once(':').unwrap();
        assert!(Process::is_dead(&format!("{rest}:{start}1")), "the number was given to another process");
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let name = format!("{}:{}:1", place().unwrap(), child.id());
        child.wait().unwrap();
        assert!(Process::is_dead(&name));
    }

    #[test]
    fn what_cannot_be_told_is_not_dead() {
        for name in ["", "x", "a:b", "boot:1:2:3", "::1:2", "elsewhere:4026531836:1:5"] {
            assert!(!Process::is_dead(name), "{name}");
        }
    }
}
