//! The guard: a process that briefly outlives this one and ends what is left of the pods, however this one ended.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;

use bootstorm_model::platform::processes;

use crate::model::lock;

/// Keeps the announced process groups, and kills those that are left when its input ends, which happens with our
/// process.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
groups=
while read -r word group; do
  case $word in
  add) groups="$groups $group" ;;
  drop)
    left=
    for one in $groups; do [ "$one" = "$group" ] || left="$left $one"; done
    groups=$left
    ;;
  esac
done
for one in $groups; do kill -s KILL -- "-$one" 2>/dev/null; done
rm -rf -- "$1"
"#;

/// The guard of all processes, and the folder of their files
#[derive(Debug)]
pub(super) struct Guard {
    folder: PathBuf,
    /// `None` on systems without a shell: there, leftovers survive a kill of this process.
    shell: Option<Shell>,
}

#[derive(Debug)]
struct Shell {
    input: Mutex<Option<ChildStdin>>,
    child: Mutex<Child>,
}

impl Guard {
    /// Creates the folder and starts the guard.
    pub(super) fn start() -> io::Result<Self> {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let folder = std::env::temp_dir().join(format!("bootstorm-pods-{}", &unique[..12]));
        processes::private_folder(&folder)?;
        let shell = Shell::start(&folder)
            .inspect_err(
                |error| tracing::warn!(%error, "processes of pods would outlive a kill of the sandbox"),
            )
            .ok();
        Ok(Self { folder, shell })
    }

    /// Folder for the files of all pods.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Registers a process group to be killed when this process ends.
    pub(super) fn watch(&self, group: u32) {
        self.tell("add", group);
    }

    /// Forgets a group that has ended.
    pub(super) fn forget(&self, group: u32) {
        self.tell("drop", group);
    }

    fn tell(&self, word: &str, group: u32) {
        let Some(shell) = &self.shell else { return };
        if let Some(input) = &mut *lock(&shell.input) {
            // Without a running guard, it is as on systems without a shell.
            let _ = input.write_all(format!("{word} {group}\n").as_bytes());
        }
    }
}

impl Shell {
    fn start(folder: &Path) -> io::Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "bootstorm-sandbox-guard"]).arg(folder).current_dir("/");
        command.env_clear().env("PATH", "/usr/bin:/bin");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = processes::lead_group(&mut command).spawn()?;
        Ok(Self { input: Mutex::new(child.stdin.take()), child: Mutex::new(child) })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(shell) = &self.shell {
            drop(lock(&shell.input).take());
            let _ = lock(&shell.child).wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
