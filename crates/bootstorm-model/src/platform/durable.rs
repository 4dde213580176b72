//! Files with a single writer that survive a kill or a power failure at any time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::only_for_owner;

/// Replaces a file: at any time, either the old or the new content is there in full.
///
/// A new file is readable only by its owner.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let part = beside(path, ".partial");
    let mut file = only_for_owner(OpenOptions::new().write(true).create(true).truncate(true)).open(&part)?;
    let moved = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&part, path));
    if moved.is_err() {
        let _ = fs::remove_file(&part);
        return moved;
    }
    // The name is durable once its folder is; Windows cannot open a folder.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// A lock on a file, released when dropped and when the process ends
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

/// Acquires the lock on a file, using a file beside it; `None` while another process holds it.
pub fn lock(path: &Path) -> io::Result<Option<FileLock>> {
    let file = only_for_owner(OpenOptions::new().write(true).create(true).truncate(false))
        .open(beside(path, ".lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(FileLock { _file: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_locked_once() {
        let folder = std::env::temp_dir().join(format!("bootstorm-durable-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("observation.json");
        for text in ["one", "two"] {
            replace(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        let first = lock(&path).unwrap();
        assert!(first.is_some() && lock(&path).unwrap().is_none());
        drop(first);
        assert!(lock(&path).unwrap().is_some());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "nothing partial is left");
        fs::remove_dir_all(&folder).unwrap();
    }
}
