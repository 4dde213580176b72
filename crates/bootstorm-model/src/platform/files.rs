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
/// Fails also when it is longer, as a device or a wrong file is.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(most + 1).read_to_string(&mut text);
    // A cut in the middle of a character is no fault of the file.
    if text.len() as u64 > most || read.is_err() && File::open(path)?.metadata()?.len() > most {
        let message = format!("it has more than {} KiB", most / 1024);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    read.map(|_| text)
}
