//! Flags that save results as files.

use std::path::PathBuf;

use clap::Args;

use crate::console::Console;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::RunRecord;
use bootstorm_report::legacy::{self, LegacyOptions};

/// Flags that save results as files
#[derive(Debug, Clone, Args)]
pub struct SaveArgs {
    /// Save results as JSON and CSV files, a report as HTML, and the whole run as run.json
    #[arg(long)]
    pub save_results: bool,
    /// Folder for saved results
    #[arg(long, value_name = "FOLDER", default_value = "results", hide_short_help = true)]
    pub results_folder: PathBuf,
    /// Label of the storage under test; used as a folder of the saved results
    #[arg(long, alias = "storage-version", value_name = "LABEL", hide_short_help = true)]
    pub storage_driver: Option<String>,
}

impl SaveArgs {
    /// Saves the results, if that was asked for.
    ///
    /// Fails when a file cannot be written; each file is complete or absent.
    pub fn save(&self, console: Console, record: &RunRecord) -> Result<(), Failure> {
        if !self.save_results {
            return Ok(());
        }
        let options =
            LegacyOptions { storage_driver: self.storage_driver.clone(), disks: record.facts.data_disks() };
        let files = legacy::files(record, &options)
            .map_err(|error| Failure::new("the results cannot be saved").because(error))?;
        let mut folder = None;
        for (path, bytes) in files {
            let path = self.results_folder.join(path);
            write(&path, &bytes).map_err(|error| {
                Failure::new(format!("{} cannot be saved", path.display()))
                    .because(error)
                    .hint("choose another place with --results-folder FOLDER")
                    .hint(format!(
                        "the record is safe in the cluster; save again: kubectl bootstorm report --ns-prefix {} --save-results",
                        record.plan.prefix
                    ))
            })?;
            folder = path.parent().map(std::path::Path::to_path_buf);
        }
        if let Some(folder) = folder {
            console.say(&format!("results saved in {}", folder.display()));
        }
        Ok(())
    }
}

/// Writes a file so that it is either complete or as before.
pub(super) fn write(path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(std::path::Path::new("."));
    std::fs::create_dir_all(folder)?;
    // A new file of its own: nobody's link is followed, and nobody's file of that name is lost.
    let partial = folder.join(format!(".{}.partial", uuid::Uuid::new_v4()));
    let written = std::fs::OpenOptions::new().write(true).create_new(true).open(&partial);
    let moved = written
        .and_then(|mut file| std::io::Write::write_all(&mut file, bytes))
        .and_then(|()| std::fs::rename(&partial, path));
    moved.inspect_err(|_| {
        let _ = std::fs::remove_file(&partial);
    })
}
