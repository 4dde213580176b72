//! File permissions.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// The end of the name of a script that kubectl can run.
pub const SHIM_EXTENSION: &str = if cfg!(windows) { ".cmd" } else { "" };

/// Lets a new file be read by its owner alone. On Windows, the folder's permissions decide.
pub fn only_for_owner(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

/// Makes a file a program. On Windows, its name does.
pub fn make_executable(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    }
    let _ = path;
    Ok(())
}

/// The text of a file that has no business to be longer than so many bytes.
///
/// The file is opened once, since a pipe gives what is in it only once. Fails also when it is longer, as a device or a
/// wrong file is, and when it is no UTF-8.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    // Before the characters are looked at: a cut in the middle of one is no fault of the file.
    if bytes.len() as u64 > most {
        let message = format!("it has more than {} KiB", most / 1024);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}
