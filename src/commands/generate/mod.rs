//! The hidden `__generate`: writes the files shipped with the program, from its own definition.

pub mod man;
pub mod role;

use std::ffi::OsString;
use std::path::Path;

use super::completion::{scripts, shim};
use crate::console::{ColorChoice, Console};
use bootstorm_model::failure::Failure;
use bootstorm_model::platform::output::{self, Readers};

/// Runs the command: `completions FOLDER`, `man FOLDER`, `role` or `plan-schema`.
pub fn command(words: &[OsString]) -> Result<(), Failure> {
    let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    let console = Console::new(ColorChoice::Never, false);
    match words.as_slice() {
        ["completions", folder] => {
            for (shell, name) in scripts::FILES {
                write(folder, name, scripts::script(shell).as_bytes())?;
            }
            write(folder, shim::NAME, shim::POSIX.as_bytes())?;
            write(folder, &format!("{}.cmd", shim::NAME), shim::WINDOWS.as_bytes())
        }
        ["man", folder] => man::pages().iter().try_for_each(|(name, page)| write(folder, name, page)),
        ["role"] => console.data(&role::manifests()),
        ["plan-schema"] => console.data(&plan_schema()),
        _ => Err(Failure::usage("__generate takes: completions FOLDER, man FOLDER, role, or plan-schema")),
    }
}

/// The schema of plan files, as in `docs/plan-schema.json`.
pub fn plan_schema() -> String {
    serde_json::to_string_pretty(&super::plan_file::schema()).unwrap_or_default() + "\n"
}

fn write(folder: &str, name: &str, content: &[u8]) -> Result<(), Failure> {
    let path = Path::new(folder).join(name);
    let is_ours = |begin: &[u8]| String::from_utf8_lossy(begin).contains("bootstorm");
    let written = output::make_folder(Path::new(folder))
        .and_then(|()| output::write(&path, content, Readers::Umask, is_ours));
    written.map_err(|error| Failure::new(format!("{} cannot be written", path.display())).because(error))
}
