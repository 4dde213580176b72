//! Output files: no file of others is ever replaced, and each write is complete or leaves the old file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::only_for_owner;

/// Length of the beginning of a file that identifies its writer.
const BEGINNING: u64 = 64 * 1024;

/// Access to a written file
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Owner only: it may hold names, addresses or tokens.
    Owner,
    /// As the user's umask permits; a replaced file keeps its permissions.
    Umask,
}

/// Writes a file, or replaces one whose beginning `is_ours`.
///
/// The content is written beside it and moved into place. A link is followed to the file that it names; a pipe or a
/// device is written to directly.
///
/// Fails with [`ErrorKind::AlreadyExists`] if something else is there, and if its folder does not exist.
pub fn write(path: &Path, bytes: &[u8], readers: Readers, is_ours: impl Fn(&[u8]) -> bool) -> io::Result<()> {
    begin(path, readers, is_ours, |file| file.write_all(bytes)).map(drop)
}

/// Like [`write()`], for a file whose content follows: it is created with the output of `start`.
pub fn begin(
    path: &Path,
    readers: Readers,
    is_ours: impl Fn(&[u8]) -> bool,
    start: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<File> {
    let (place, old) = match found(path)? {
        Found::Nothing => (path.to_owned(), None),
        Found::File(place, old) => {
            if !is_empty_or(&mut File::open(&place)?, is_ours)? {
                return Err(foreign("it exists already, and this program did not write it"));
            }
            (place, Some(old))
        }
        Found::Stream => {
            let mut stream = OpenOptions::new().append(true).open(path)?;
            return start(&mut stream).map(|()| stream);
        }
    };
    let part = folder_of(&place).join(format!(".{:016x}.partial", rand::random::<u64>()));
    let mut options = OpenOptions::new();
    if readers == Readers::Owner {
        only_for_owner(&mut options);
    }
    let mut file = options.write(true).create_new(true).open(&part)?;
    let moved = start(&mut file).and_then(|()| match old {
        None => move_to_free(&part, &place),
        Some(old) => {
            if readers == Readers::Umask {
                file.set_permissions(old)?;
            }
            fs::rename(&part, &place)
        }
    });
    if moved.is_err() {
        let _ = fs::remove_file(&part);
    }
    moved.map(|()| file)
}

/// Whether [`write()`] is expected to succeed: the folder exists and is writable, and no file of others is in the way.
pub fn can_write(path: &Path, is_ours: impl Fn(&[u8]) -> bool) -> io::Result<()> {
    let place = match found(path)? {
        Found::Nothing => path.to_owned(),
        Found::File(place, _) if is_empty_or(&mut File::open(&place)?, is_ours)? => place,
        Found::File(..) => return Err(foreign("it exists already, and this program did not write it")),
        Found::Stream => return Ok(()),
    };
    can_make_in(folder_of(&place))
}

/// Whether a file can be created in a folder; creating one is the only test that holds for every file system.
fn can_make_in(folder: &Path) -> io::Result<()> {
    let part = folder.join(format!(".{:016x}.partial", rand::random::<u64>()));
    let made = only_for_owner(OpenOptions::new().write(true).create_new(true)).open(&part);
    made.and_then(|_| fs::remove_file(&part)).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            io::Error::new(ErrorKind::NotFound, format!("there is no folder {}", folder.display()))
        }
        _ => error,
    })
}

/// Opens a file for appending, and writes `header` if it is new or empty; a new one is readable only by its owner.
///
/// Fails with [`ErrorKind::AlreadyExists`] if a file does not begin with the header.
pub fn append(path: &Path, header: &str) -> io::Result<File> {
    let mut new = OpenOptions::new();
    // A dangling link is not followed: the file would be created in an unexpected place.
    match only_for_owner(new.append(true).create_new(true)).open(path) {
        Ok(mut file) => return file.write_all(header.as_bytes()).map(|()| file),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    match found(path)? {
        Found::Nothing => Err(io::Error::new(ErrorKind::NotFound, "it was deleted while it was opened")),
        Found::Stream => OpenOptions::new().append(true).open(path),
        Found::File(place, _) => {
            // The opened file itself is tested, whatever the name refers to by then.
            let mut file = OpenOptions::new().read(true).append(true).open(place)?;
            if !is_empty_or(&mut file, |begin| begin.starts_with(header.as_bytes()))? {
                return Err(foreign("it exists already, and is not a log of this program"));
            }
            if file.metadata()?.len() == 0 {
                file.write_all(header.as_bytes())?;
            }
            Ok(file)
        }
    }
}

/// Creates a folder in an existing one, unless it exists.
///
/// Fails if the parent does not exist or is the root of the file system: a mistyped name, or a relative one in a
/// process that runs at the root, creates nothing there.
pub fn make_folder(path: &Path) -> io::Result<()> {
    can_make_folder(path)?;
    match fs::create_dir(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

/// Whether [`make_folder`] is expected to succeed.
pub fn can_make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return can_make_in(path);
    }
    if fs::symlink_metadata(path).is_ok() {
        return Err(io::Error::new(ErrorKind::NotADirectory, "it is not a folder"));
    }
    let around = folder_of(path);
    let absolute = around.canonicalize().map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            io::Error::new(ErrorKind::NotFound, format!("there is no folder {}", around.display()))
        }
        _ => error,
    })?;
    if absolute.parent().is_none() {
        let message = "no folder is created at the root of the file system";
        return Err(io::Error::new(ErrorKind::PermissionDenied, message));
    }
    can_make_in(around)
}

/// What is at a path
enum Found {
    /// Nothing.
    Nothing,
    /// A file, under its own name, with its permissions.
    File(PathBuf, fs::Permissions),
    /// A pipe or a device, in which nothing can be overwritten.
    Stream,
}

fn found(path: &Path) -> io::Result<Found> {
    if is_open_already(path) {
        return Ok(Found::Stream);
    }
    let itself = match fs::symlink_metadata(path) {
        Ok(itself) => itself,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = folder_of(path);
            if folder.is_dir() {
                return Ok(Found::Nothing);
            }
            return Err(io::Error::new(error.kind(), format!("there is no folder {}", folder.display())));
        }
        Err(error) => return Err(error),
    };
    let target = match fs::metadata(path) {
        Ok(target) => target,
        Err(error) if itself.is_symlink() && error.kind() == ErrorKind::NotFound => {
            return Err(foreign("it is a link to a file that does not exist"));
        }
        Err(error) => return Err(error),
    };
    match () {
        () if target.is_dir() => Err(foreign("it is a folder")),
        () if target.is_file() => Ok(Found::File(path.canonicalize()?, target.permissions())),
        () => Ok(Found::Stream),
    }
}

/// Whether a file may be replaced without losing data; leaves it at its beginning.
fn is_empty_or(file: &mut File, is_ours: impl Fn(&[u8]) -> bool) -> io::Result<bool> {
    let mut begin = Vec::new();
    Read::by_ref(file).take(BEGINNING).read_to_end(&mut begin)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(begin.is_empty() || is_ours(&begin))
}

/// Moves a new file to a free path, if it is still free.
fn move_to_free(part: &Path, place: &Path) -> io::Result<()> {
    match fs::hard_link(part, place) {
        Ok(()) => fs::remove_file(part),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(foreign("another process has just created it"))
        }
        // Not every file system has hard links.
        Err(_) => fs::rename(part, place),
    }
}

/// Whether a path names a file descriptor of this process that its parent opened.
fn is_open_already(path: &Path) -> bool {
    let names = ["/dev/stdout", "/dev/stderr"];
    cfg!(unix)
        && (names.iter().any(|name| path == Path::new(name))
            || path.starts_with("/dev/fd")
            || path.starts_with("/proc/self/fd"))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn foreign(message: &str) -> io::Error {
    io::Error::new(ErrorKind::AlreadyExists, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &[u8] = b"ours\n";

    fn is_ours(begin: &[u8]) -> bool {
        begin.starts_with(b"ours")
    }

    fn write_ours(path: &Path) -> io::Result<()> {
        write(path, OURS, Readers::Umask, is_ours)
    }

    #[test]
    fn a_file_of_its_own_is_replaced_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        fs::write(place("theirs"), "theirs").unwrap();
        fs::write(place("empty"), "").unwrap();
        fs::create_dir(place("folder")).unwrap();
        for name in ["theirs", "folder"] {
            assert_eq!(write_ours(&place(name)).unwrap_err().kind(), ErrorKind::AlreadyExists, "{name}");
            assert_eq!(
                append(&place(name), "ours\n").unwrap_err().kind(),
                ErrorKind::AlreadyExists,
                "{name}"
            );
        }
        for name in ["new", "new", "empty"] {
            write_ours(&place(name)).unwrap();
            assert_eq!(fs::read(place(name)).unwrap(), OURS, "{name}");
        }
        assert_eq!(fs::read(place("theirs")).unwrap(), b"theirs");
        assert_eq!(write_ours(&place("none/new")).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4, "nothing else is left");
    }

    #[test]
    fn what_is_appended_to_begins_with_its_header_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        for line in [b"1\n", b"2\n"] {
            append(&path, "# log\n").unwrap().write_all(line).unwrap();
        }
        assert_eq!(fs::read(&path).unwrap(), b"# log\n1\n2\n");
    }

    #[test]
    fn folders_are_made_one_at_a_time_and_none_at_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        make_folder(&place("a")).unwrap();
        make_folder(&place("a")).unwrap();
        assert_eq!(make_folder(&place("b/c")).unwrap_err().kind(), ErrorKind::NotFound);
        let root = folder.path().ancestors().last().unwrap();
        let new = root.join(format!("{:016x}", rand::random::<u64>()));
        assert_eq!(make_folder(&new).unwrap_err().kind(), ErrorKind::PermissionDenied);
        make_folder(root).unwrap();
        fs::write(place("file"), "").unwrap();
        assert_eq!(make_folder(&place("file")).unwrap_err().kind(), ErrorKind::NotADirectory);
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_to_what_they_name_and_permissions_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let mode = |name: &str| fs::metadata(place(name)).unwrap().permissions().mode() & 0o777;
        fs::write(place("theirs"), "theirs").unwrap();
        fs::write(place("old"), "ours, too").unwrap();
        fs::set_permissions(place("old"), fs::Permissions::from_mode(0o640)).unwrap();
        for (name, target) in [("to-theirs", "theirs"), ("to-old", "old"), ("to-nothing", "nothing")] {
            symlink(place(target), place(name)).unwrap();
        }
        for name in ["to-theirs", "to-nothing"] {
            assert_eq!(write_ours(&place(name)).unwrap_err().kind(), ErrorKind::AlreadyExists, "{name}");
            assert_eq!(append(&place(name), "ours").unwrap_err().kind(), ErrorKind::AlreadyExists, "{name}");
        }
        assert!(!place("nothing").exists());
        write_ours(&place("to-old")).unwrap();
        assert!(place("to-old").is_symlink());
        assert_eq!((fs::read(place("old")).unwrap().as_slice(), mode("old")), (OURS, 0o640));
        append(&place("log"), "# log\n").unwrap();
        write(&place("secret"), OURS, Readers::Owner, is_ours).unwrap();
        assert_eq!((mode("log"), mode("secret")), (0o600, 0o600));
        append(Path::new("/dev/null"), "# log\n").unwrap();
        write_ours(Path::new("/dev/null")).unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
