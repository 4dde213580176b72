//! File permissions.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// File name extension of a script that kubectl can run.
pub const SHIM_EXTENSION: &str = if cfg!(windows) { ".cmd" } else { "" };

/// Makes a new file readable only by its owner. On Windows, the folder's permissions decide.
pub fn only_for_owner(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

/// Makes a file executable. On Windows, its name decides.
pub fn make_executable(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    }
    let _ = path;
    Ok(())
}

/// Reads a text file with a maximum size.
///
/// The file is opened once, since a pipe can be read only once. Fails if it is longer, as a device or a wrong file may
/// be, and if it is not UTF-8.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    // Checked before the characters: a cut in the middle of one is not a fault of the file.
    if bytes.len() as u64 > most {
        let message = format!("it has more than {} KiB", most / 1024);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}
