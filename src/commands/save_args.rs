//! Flags that save results as files.

use std::path::{Path, PathBuf};

use clap::Args;

use super::index_args::IndexArgs;
use super::output_file::{self, OutputFile};
use crate::console::Console;
use bootstorm_model::failure::Failure;
use bootstorm_model::platform::output::{self, Readers};
use bootstorm_model::record::RunRecord;
use bootstorm_report::legacy::{self, LegacyOptions};
use bootstorm_report::{Report, Selection, ThresholdBlock};

/// Flags that save results as files
#[derive(Debug, Clone, Args)]
pub struct SaveArgs {
    /// Save JSON, CSV and HTML files, and the whole run as run.json
    #[arg(long)]
    pub save_results: bool,
    /// Folder for saved results
    #[arg(long, value_name = "FOLDER", default_value = "results")]
    pub results_folder: PathBuf,
    /// Label of the storage under test; used as a folder of the saved results
    #[arg(long, alias = "storage-version", value_name = "LABEL")]
    pub storage_driver: Option<String>,
    /// Write the result to a file as well, for example junit=results.xml (can be repeated)
    ///
    /// The path of kube-burner is that of a folder: its files are written to collected-metrics-UUID in it.
    #[arg(long, value_name = "FORMAT=PATH")]
    pub output_file: Vec<OutputFile>,
    #[command(flatten)]
    pub index: IndexArgs,
}

impl SaveArgs {
    /// Fails if results are to be saved and their folders neither exist nor can be created.
    pub fn check(&self) -> Result<(), Failure> {
        output_file::check(&self.output_file)?;
        self.index.check()?;
        if !self.save_results {
            return Ok(());
        }
        output::can_make_folder(&self.results_folder).map_err(|error| {
            Failure::new(format!("no results can be saved in {}", self.results_folder.display()))
                .because(error)
                .hint("choose another place with --results-folder FOLDER, or create the folder")
        })
    }

    /// Saves and writes all requested files for the whole run as it is now.
    pub fn finish(
        &self,
        console: Console,
        record: &RunRecord,
        thresholds: &[ThresholdBlock],
    ) -> Result<(), Failure> {
        self.save(console, record)?;
        if self.output_file.is_empty() {
            return Ok(());
        }
        let report = Report::of(record, &Selection::default()).with_thresholds(thresholds.to_vec());
        self.write(console, &report)
    }

    /// Whether anything requested of a report holds a row for each VM of every phase.
    pub fn wants_rows(&self) -> bool {
        !self.output_file.is_empty() || self.index.index.is_some()
    }

    /// Writes a report to the requested files.
    pub fn write(&self, console: Console, report: &Report) -> Result<(), Failure> {
        output_file::write(console, &self.output_file, report)
    }

    /// Saves the results, if requested; saved results of the same run are replaced.
    ///
    /// Fails if a file cannot be written, or belongs to another run; each file is complete or absent.
    pub fn save(&self, console: Console, record: &RunRecord) -> Result<(), Failure> {
        if !self.save_results {
            return Ok(());
        }
        let options =
            LegacyOptions { storage_driver: self.storage_driver.clone(), disks: record.facts.data_disks() };
        let mut files = legacy::files(record, &options)
            .map_err(|error| Failure::new("the results cannot be saved").because(error))?;
        let cannot = |path: &Path, error: std::io::Error| {
            Failure::new(format!("{} cannot be saved", path.display()))
                .because(error)
                .hint("choose another place with --results-folder FOLDER")
                .hint(format!(
                    "the record is safe in the cluster; save again: kubectl bootstorm report --ns-prefix {} --save-results",
                    record.plan.prefix
                ))
        };
        output::make_folder(&self.results_folder).map_err(|error| cannot(&self.results_folder, error))?;
        // The record identifies the owner of the folder, so it is written first.
        files.sort_by_key(|(path, _)| !path.ends_with(legacy::RECORD));
        for (path, _) in &mut files {
            *path = self.results_folder.join(&*path);
        }
        if !files.iter().any(|(path, _)| path.ends_with(legacy::RECORD) && path.exists())
            && let Some((path, _)) = files.iter().find(|(path, _)| path.symlink_metadata().is_ok())
        {
            let message = format!("it exists already, without a {} that identifies its run", legacy::RECORD);
            return Err(cannot(path, std::io::Error::new(std::io::ErrorKind::AlreadyExists, message)));
        }
        let mut folder = None;
        for (path, bytes) in files {
            let around = path.parent().unwrap_or(&self.results_folder);
            std::fs::create_dir_all(around).map_err(|error| cannot(around, error))?;
            let is_ours = |begin: &[u8]| !path.ends_with(legacy::RECORD) || names_run(begin, &record.run_id);
            output::write(&path, &bytes, Readers::Umask, is_ours).map_err(|error| cannot(&path, error))?;
            folder = Some(around.to_path_buf());
        }
        if let Some(folder) = folder {
            console.say(&format!("results saved in {}", folder.display()));
        }
        Ok(())
    }
}

/// Whether a saved record belongs to a run.
fn names_run(begin: &[u8], run_id: &str) -> bool {
    let field = format!("\"run_id\": \"{run_id}\"");
    begin.windows(field.len()).any(|window| window == field.as_bytes())
}
