//! An archive made from the binary under test, once for all tests; and a reader for such archives.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use flate2::read::GzDecoder;
use tempfile::TempDir;

use super::repository;

/// An archive entry
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: String,
    /// `0` is a file, `5` a folder.
    pub(super) kind: u8,
    pub(super) mode: u32,
    pub(super) owner: (u64, u64),
    pub(super) time: u64,
    pub(super) content: Vec<u8>,
}

/// An archive and the folder it is in
#[derive(Debug)]
pub(super) struct Package {
    pub(super) folder: TempDir,
    pub(super) path: PathBuf,
    pub(super) entries: Vec<Entry>,
}

/// The modification time of everything in the archive.
pub(super) const EPOCH: &str = "1767225600";

/// The archive of the binary under test.
pub(super) fn package() -> &'static Package {
    static PACKAGE: OnceLock<Package> = OnceLock::new();
    PACKAGE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = pack(Path::new(env!("CARGO_BIN_EXE_kubectl-bootstorm")), folder.path());
        let entries = entries(&path);
        Package { folder, path, entries }
    })
}

/// Runs the packing script; the man page generator is the binary under test.
pub(super) fn pack(binary: &Path, out: &Path) -> PathBuf {
    let output = Command::new(repository("krew/package"))
        .arg("--binary")
        .arg(binary)
        .args(["--tool", env!("CARGO_BIN_EXE_kubectl-bootstorm"), "--level", "1", "--out"])
        .arg(out)
        .env("SOURCE_DATE_EPOCH", EPOCH)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

/// An archive's entries, in order.
fn entries(path: &Path) -> Vec<Entry> {
    let mut bytes = Vec::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    let mut entries = Vec::new();
    let mut at = 0;
    while bytes[at..at + 512].iter().any(|byte| *byte != 0) {
        let header = &bytes[at..at + 512];
        let text = |from: usize, to: usize| {
            let field = header[from..to].split(|byte| *byte == 0).next().unwrap();
            std::str::from_utf8(field).unwrap().trim().to_owned()
        };
        let number = |from: usize, to: usize| u64::from_str_radix(&text(from, to), 8).unwrap();
        assert_eq!(&header[257..262], b"ustar");
        let size = usize::try_from(number(124, 136)).unwrap();
        let prefix = text(345, 500);
        let name = if prefix.is_empty() { text(0, 100) } else { format!("{prefix}/{}", text(0, 100)) };
        entries.push(Entry {
            name,
            kind: header[156],
            mode: u32::try_from(number(100, 108)).unwrap(),
            owner: (number(108, 116), number(116, 124)),
            time: number(136, 148),
            content: bytes[at + 512..at + 512 + size].to_vec(),
        });
        at += 512 + size.div_ceil(512) * 512;
    }
    entries
}

impl Package {
    /// The entry with that name.
    pub(super) fn entry(&self, name: &str) -> &Entry {
        let found = self.entries.iter().find(|entry| entry.name == name);
        found.unwrap_or_else(|| panic!("no {name} in {:?}", self.names()))
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.entries.iter().map(|entry| entry.name.as_str()).collect()
    }
}

/// A file's checksum, in lower-case hexadecimal.
pub(super) fn sha256(path: &Path) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(std::fs::read(path).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
}
