//! The script through which kubectl asks the plugin for completions.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use bootstorm_model::failure::Failure;
use bootstorm_model::platform::output::{self, Readers};

/// Name of the script, without the extension that Windows requires.
pub const NAME: &str = "kubectl_complete-bootstorm";

/// The name of the plugin.
const PLUGIN: &str = "kubectl-bootstorm";

/// Text of the script.
pub const TEXT: &str = if bootstorm_model::platform::IS_WINDOWS { WINDOWS } else { POSIX };

/// The script for POSIX shells.
pub const POSIX: &str = "\
#!/bin/sh
# kubectl runs this to complete: kubectl bootstorm TAB
exec kubectl-bootstorm __complete \"$@\"
";

/// The script for Windows.
pub const WINDOWS: &str =
    "@rem kubectl runs this to complete: kubectl bootstorm TAB\r\n@kubectl-bootstorm.exe __complete %*\r\n";

/// Writes the script beside the plugin that kubectl finds on the PATH.
pub fn install(path: Option<&OsStr>) -> Result<PathBuf, Failure> {
    let folder = beside(path.unwrap_or_default()).ok_or_else(|| {
        Failure::new("there is no kubectl-bootstorm on the PATH to write the script beside").hint(
            "put the plugin on the PATH first, or print the script: kubectl bootstorm completion kubectl",
        )
    })?;
    let place = folder.join(format!("{NAME}{}", bootstorm_model::platform::SHIM_EXTENSION));
    let is_ours = |begin: &[u8]| String::from_utf8_lossy(begin).contains("__complete");
    let written = output::write(&place, TEXT.as_bytes(), Readers::Umask, is_ours)
        .and_then(|()| bootstorm_model::platform::make_executable(&place));
    written.map_err(|error| {
        Failure::new(format!("{} cannot be written", place.display()))
            .because(error)
            .hint("print the script and put it on the PATH: kubectl bootstorm completion kubectl")
    })?;
    Ok(place)
}

/// The first folder on the PATH that holds the plugin.
fn beside(path: &OsStr) -> Option<PathBuf> {
    let holds =
        |folder: &PathBuf| is_there(&folder.join(format!("{PLUGIN}{}", std::env::consts::EXE_SUFFIX)));
    std::env::split_paths(path).find(holds)
}

fn is_there(path: &Path) -> bool {
    path.is_file()
}
