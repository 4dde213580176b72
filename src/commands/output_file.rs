//! `--output-file FORMAT=PATH`: the same result in other formats, as files.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::ValueEnum;

use super::presentation::Output;
use super::show;
use crate::console::Console;
use bootstorm_model::failure::Failure;
use bootstorm_model::platform::output::{self, Readers};
use bootstorm_report::{Layout, Report};

/// Columns of rules and charts in a file; nothing else is cut.
const WIDTH: usize = 100;
/// Words that appear near the beginning of every format.
const MARKS: [&str; 3] = ["bootstorm", "boot-storm", "Boot storm"];

/// A requested file
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFile {
    format: Output,
    path: PathBuf,
}

impl FromStr for OutputFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((format, path)) = text.split_once('=').filter(|(_, path)| !path.is_empty()) else {
            return Err("write it as FORMAT=PATH, for example junit=results.xml".to_owned());
        };
        let format = Output::from_str(format, true).map_err(|_| {
            let known: Vec<String> = Output::value_variants()
                .iter()
                .filter_map(ValueEnum::to_possible_value)
                .map(|value| value.get_name().to_owned())
                .collect();
            format!("there is no format \"{format}\"; there are {}", known.join(", "))
        })?;
        if path == "-" {
            return Err("what goes to standard output is chosen with -o FORMAT".to_owned());
        }
        Ok(Self { format, path: path.into() })
    }
}

impl OutputFile {
    /// Whether the format is a set of files, so that the path is that of a folder.
    fn is_folder(&self) -> bool {
        self.format == Output::KubeBurner
    }
}

/// Fails if one of the files cannot be written, or would replace a file of another program.
pub(super) fn check(files: &[OutputFile]) -> Result<(), Failure> {
    for (index, file) in files.iter().enumerate() {
        if files[..index].iter().any(|other| other.path == file.path) {
            return Err(Failure::usage(format!("{} is named twice", file.path.display()))
                .hint("give each format a file of its own"));
        }
        let can_write = if file.is_folder() {
            output::can_make_folder(&file.path)
        } else {
            output::can_write(&file.path, is_ours)
        };
        can_write.map_err(|error| cannot(&file.path, error))?;
    }
    Ok(())
}

/// Writes them, each completely or not at all.
pub(super) fn write(console: Console, files: &[OutputFile], report: &Report) -> Result<(), Failure> {
    let layout = Layout { width: WIDTH, cut: false, ..Layout::default() };
    for file in files {
        let OutputFile { format, path } = file;
        if file.is_folder() {
            let folder = write_folder(path, report)?;
            console.say(&format!("written: {}", folder.display()));
            continue;
        }
        let layout = Layout { wide: *format == Output::Wide, ..layout };
        let text = show::rendered(report, *format, &layout, &[])?;
        output::write(path, text.as_bytes(), Readers::Umask, is_ours).map_err(|error| {
            let run = &report.run.name;
            cannot(path, error).hint(format!(
                "measurements are saved; to write it again: kubectl bootstorm report --ns-prefix {run} --output-file …"
            ))
        })?;
        console.say(&format!("written: {}", path.display()));
    }
    Ok(())
}

/// Writes the files of a format that has several into a folder of this run below `path`; returns that folder.
fn write_folder(path: &Path, report: &Report) -> Result<PathBuf, Failure> {
    let files = report.kube_burner_files();
    let files = files.map_err(|error| Failure::new("the report cannot be written").because(error))?;
    let run = &report.run.name;
    let cannot = |path: &Path, error| {
        cannot(path, error).hint(format!(
            "measurements are saved; to write it again: kubectl bootstorm report --ns-prefix {run} --output-file …"
        ))
    };
    output::make_folder(path).map_err(|error| cannot(path, error))?;
    let mut folder = path.to_owned();
    for (name, text) in files {
        let place = path.join(name);
        place.parent().unwrap_or(path).clone_into(&mut folder);
        output::make_folder(&folder).map_err(|error| cannot(&folder, error))?;
        output::write(&place, text.as_bytes(), Readers::Umask, is_ours)
            .map_err(|error| cannot(&place, error))?;
    }
    Ok(folder)
}

fn cannot(path: &Path, error: std::io::Error) -> Failure {
    Failure::new(format!("{} cannot be written", path.display()))
        .because(error)
        .hint("choose another path with --output-file FORMAT=PATH")
}

/// Whether a file was probably written by an earlier run.
fn is_ours(begin: &[u8]) -> bool {
    MARKS.iter().any(|mark| begin.windows(mark.len()).any(|window| window == mark.as_bytes()))
}
