//! A prober pod's conditions: an unprivileged user, a read-only root, one writable folder.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::namespace::Network;
use super::shell::{find, skipped};

/// setpriv's flags: the pod's user and group, without a way to regain privileges.
const NOBODY: [&str; 6] = [
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--no-new-privs",
    "--bounding-set=-all",
    "--inh-caps=-all",
];
/// As in the pod.
const GROUP_RANGE: &str = "0 65535";

/// A pod's file system, as far as programs in it notice
pub(super) struct Pod {
    folder: TempDir,
}

impl Pod {
    /// `None`, after a notice, if such a process cannot be created.
    pub(super) fn new(network: &Network) -> Option<Self> {
        for tool in ["setpriv", "unshare", "mount"] {
            if find(tool).is_none() {
                skipped(&format!("there is no {tool}"));
                return None;
            }
        }
        let folder = tempfile::tempdir().unwrap();
        open(folder.path());
        fs::create_dir(folder.path().join("volume")).unwrap();
        fs::set_permissions(folder.path().join("volume"), fs::Permissions::from_mode(0o777)).unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        let pod = Self { folder };
        let set = format!("echo {GROUP_RANGE} >/proc/sys/net/ipv4/ping_group_range");
        let opened = network.command("sh").args(["-c", &set]).status().unwrap();
        assert!(opened.success(), "{set}");
        Some(pod)
    }

    /// A pod with a shell and the tools needed to hand over the program.
    pub(super) fn with_shell(network: &Network, shell: &str) -> Option<Self> {
        let Some(program) = find(shell) else {
            skipped(&format!("there is no {shell}"));
            return None;
        };
        let pod = Self::new(network)?;
        pod.install("sh", &program);
        for name in ["head", "chmod", "mv", "uname", "rm"] {
            match shell {
                "busybox" => pod.install(name, &program),
                _ => pod.install(name, &find(name).unwrap()),
            }
        }
        Some(pod)
    }

    /// The writable folder.
    pub(super) fn volume(&self) -> PathBuf {
        self.folder.path().join("volume")
    }

    /// The folder of its programs.
    pub(super) fn bin(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    /// Adds a program to the image. A copy, so that it has no file capabilities.
    pub(super) fn install(&self, name: &str, program: &Path) {
        let place = self.bin().join(name);
        fs::copy(program, &place).unwrap();
        open(&place);
    }

    /// Removes a program from the image.
    pub(super) fn remove(&self, name: &str) {
        fs::remove_file(self.bin().join(name)).unwrap();
    }

    /// Replaces a program in the image with a script.
    pub(super) fn replace(&self, name: &str, script: &str) {
        self.remove(name);
        fs::write(self.bin().join(name), script).unwrap();
        open(&self.bin().join(name));
    }

    /// A command in the pod.
    pub(super) fn command(&self, network: &Network, program: &str) -> Command {
        let enter = format!(
            "mount --make-rprivate / && mount --bind {volume} {volume} && mount -o remount,bind,ro / && \
             export PATH={bin} && exec {setpriv} {nobody} \"$@\"",
            volume = self.volume().display(),
            bin = self.bin().display(),
            setpriv = find("setpriv").unwrap().display(),
            nobody = NOBODY.join(" "),
        );
        let mut command = network.command("unshare");
        command.args(["--mount", "sh", "-c", &enter, "sh", program]);
        command
    }
}

fn open(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
