//! The shells and tools that the script may find, each in its own folder.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A shell with an image's tools, and nothing else
pub(super) struct Image {
    pub(super) name: &'static str,
    folder: TempDir,
}

impl Image {
    /// Every kind of image that this machine can provide.
    pub(super) fn all() -> Vec<Self> {
        [("dash", "dash", None), ("bash", "bash", None), ("busybox", "busybox", Some("busybox"))]
            .into_iter()
            .filter_map(|(name, shell, tools)| {
                let image = Self { name, folder: tempfile::tempdir().unwrap() };
                let made = image.link("sh", shell)
                    && ["ping", "nc", "sleep", "true"]
                        .iter()
                        .all(|tool| image.link(tool, tools.unwrap_or(tool)));
                made.then_some(image)
            })
            .collect()
    }

    fn link(&self, name: &str, program: &str) -> bool {
        let Some(found) = find(program) else {
            skipped(&format!("{}: no {program} here", self.name));
            return false;
        };
        symlink(found, self.path().join(name)).unwrap();
        true
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn shell(&self) -> String {
        self.path().join("sh").to_string_lossy().into_owned()
    }

    pub(super) fn without(self, tool: &str) -> Self {
        fs::remove_file(self.path().join(tool)).unwrap();
        self
    }

    /// The image with a script in place of a tool, which is available as `$REAL`.
    pub(super) fn with(self, tool: &str, script: &str) -> Self {
        let place = self.path().join(tool);
        let real = self.path().join(format!("real/{tool}"));
        fs::create_dir_all(self.path().join("real")).unwrap();
        fs::rename(&place, &real).unwrap();
        fs::write(&place, format!("#!{}\nREAL={}\n{script}\n", self.shell(), real.display())).unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }
}

pub(super) use crate::tools::skipped;

/// The path of a program of this machine.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(program))
        .find(|path| path.exists())
}
