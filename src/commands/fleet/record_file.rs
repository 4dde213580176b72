//! The record of a fleet as a file: written completely or not at all, durable when a write returns, with a single
//! writer.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::FleetArgs;
use bootstorm_model::failure::Failure;
use bootstorm_model::fleet::FleetRecord;
use bootstorm_model::platform::output::{self, Readers};

/// Maximum size of a record in bytes: a thousand members with dozens of storms
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// The record of a fleet that this process works on
#[derive(Debug)]
pub(super) struct RecordFile {
    path: PathBuf,
    /// Held for the life of this value; released if the process is killed.
    _lock: File,
}

/// Path of a fleet's record.
///
/// Fails if the system has no folder for it.
pub(super) fn path(args: &FleetArgs) -> Result<PathBuf, Failure> {
    if let Some(path) = &args.members.fleet_record {
        return Ok(path.clone());
    }
    // Not every system distinguishes state from other data.
    let folder = dirs::state_dir().or_else(dirs::data_local_dir);
    let folder = folder.ok_or_else(|| {
        Failure::new("there is no folder for the fleet's record").hint("name a file: --fleet-record FILE")
    })?;
    bootstorm_model::plan::prefix::check_prefix(args.prefix(), args.plan.end).map_err(Failure::usage)?;
    Ok(folder.join("bootstorm").join("fleets").join(format!("{}.json", args.prefix())))
}

/// Reads the record of a fleet; `None` if there is no file.
pub(super) fn read(path: &Path) -> Result<Option<FleetRecord>, Failure> {
    let unusable = |why: String| {
        Failure::new(format!("the fleet's record {} cannot be read", path.display()))
            .because(why)
            .hint("choose another file with --fleet-record FILE")
    };
    let text = match bootstorm_model::platform::read_text(path, MOST_BYTES) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(error.to_string())),
    };
    FleetRecord::parse(text.as_bytes()).map(Some).map_err(unusable)
}

impl RecordFile {
    /// Locks the record for this process.
    ///
    /// Fails if another process works on it, or if nothing can be written there.
    pub(super) fn lock(path: &Path) -> Result<Self, Failure> {
        let cannot = |error: io::Error| {
            Failure::new(format!("the fleet's record cannot be kept in {}", path.display()))
                .because(error)
                .hint("choose another file with --fleet-record FILE")
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder {
            fs::create_dir_all(folder).map_err(cannot)?;
        }
        output::can_write(path, FleetRecord::begins).map_err(cannot)?;
        let lock = lock_of(path);
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).open(&lock).map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: file }),
            Err(TryLockError::WouldBlock) => Err(Failure::new("another process is working on this fleet")
                .because(format!("it holds {}", lock.display()))
                .hint("see where the clusters stand: kubectl bootstorm fleet status")),
            // A file system without locks: the lock of each run remains.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                Ok(Self { path: path.to_owned(), _lock: file })
            }
            Err(TryLockError::Error(error)) => Err(cannot(error)),
        }
    }

    /// Writes the record; afterwards the disk has this version or the previous one.
    pub(super) fn save(&self, record: &FleetRecord) -> Result<(), Failure> {
        let cannot = |error: io::Error| {
            Failure::new(format!("the fleet's record {} cannot be written", self.path.display()))
                .because(error)
        };
        let mut text = serde_json::to_vec_pretty(record).map_err(|error| cannot(error.into()))?;
        text.push(b'\n');
        let write = |file: &mut File| file.write_all(&text).and_then(|()| file.sync_all());
        output::begin(&self.path, Readers::Owner, FleetRecord::begins, write).map_err(cannot)?;
        // The name is as durable as the content.
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Ok(folder) = File::open(folder.unwrap_or(Path::new("."))) {
            let _ = folder.sync_all();
        }
        Ok(())
    }

    /// Deletes the record of a fleet of which nothing is left.
    pub(super) fn delete(self) -> Result<(), Failure> {
        let gone = |path: &Path| match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Failure::new(format!("{} cannot be deleted", path.display())).because(error))
            }
            _ => Ok(()),
        };
        gone(&self.path)?;
        gone(&lock_of(&self.path))
    }
}

fn lock_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootstorm_model::fleet::Member;

    #[test]
    fn a_record_is_kept_by_one_process_and_replaces_no_other_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below").join("fleet.json");
        let file = RecordFile::lock(&path).unwrap();
        assert!(RecordFile::lock(&path).unwrap_err().message.contains("another process"));
        assert_eq!(read(&path).unwrap(), None);
        let mut record =
            FleetRecord::new("id".into(), "fleet".into(), "2026-01-01T00:00:00Z".parse().unwrap());
        for members in 0..3 {
            record.members.push(Member { name: members.to_string(), ..Member::default() });
            file.save(&record).unwrap();
            assert_eq!(read(&path).unwrap().as_ref(), Some(&record));
        }
        file.delete().unwrap();
        assert_eq!(fs::read_dir(folder.path().join("below")).unwrap().count(), 0, "nothing is left");
        let theirs = folder.path().join("theirs.json");
        fs::write(&theirs, "{\"theirs\": true}").unwrap();
        assert!(RecordFile::lock(&theirs).is_err() && read(&theirs).is_err());
        assert_eq!(fs::read_to_string(&theirs).unwrap(), "{\"theirs\": true}");
    }
}
