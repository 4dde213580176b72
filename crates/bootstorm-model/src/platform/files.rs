//! Who may read and run a file.

use std::fs::OpenOptions;
use std::io;
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
