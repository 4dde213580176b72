//! Sources of results: a file, a folder, or standard input.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use bootstorm_model::failure::Failure;
use bootstorm_report::read::{self, Document, MOST_BYTES, Unreadable, kube_burner, legacy};

/// The record among the files of `--save-results`.
const RUN: &str = "run.json";
/// Depth to which a folder is searched for results: storage, disks, run.
const DEPTH: usize = 3;
/// Maximum number of folders searched.
const MOST_FOLDERS: usize = 10_000;

/// Reads results from a file, from a folder of saved results, or from standard input (`-`).
///
/// Fails if there are none, if a folder holds several, or if they cannot be read.
pub fn read(from: &Path) -> Result<Document, Failure> {
    if from == Path::new("-") {
        let bytes = limited(io::stdin().lock()).map_err(|error| unreadable("standard input", error))?;
        return read::document(&bytes).map_err(|error| refused("standard input", &error));
    }
    let kind = std::fs::metadata(from).map_err(|error| unreadable(&from.display().to_string(), error))?;
    if kind.is_dir() {
        return of_folder(&only(from)?);
    }
    let name = from.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let folder = from.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    match () {
        () if legacy::is_detail(name) => of_origin(folder),
        () if kube_burner::is_known(name) => of_kube_burner(folder),
        () => of_file(from),
    }
}

fn of_folder(folder: &Path) -> Result<Document, Failure> {
    let run = folder.join(RUN);
    match () {
        () if run.is_file() => of_file(&run),
        () if files(folder).is_ok_and(|names| names.iter().any(|name| kube_burner::is_detail(name))) => {
            of_kube_burner(folder)
        }
        () => of_origin(folder),
    }
}

/// Names of the entries of a folder.
fn files(folder: &Path) -> io::Result<Vec<String>> {
    let entries = std::fs::read_dir(folder)?;
    entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned())).collect()
}

/// Reads a folder of kube-burner's local indexer.
fn of_kube_burner(folder: &Path) -> Result<Document, Failure> {
    let shown = folder.display().to_string();
    let names = files(folder).map_err(|error| unreadable(&shown, error))?;
    let mut found = BTreeMap::new();
    for name in names.into_iter().filter(|name| kube_burner::is_read(name)) {
        let path = folder.join(&name);
        let place = path.display().to_string();
        let bytes = File::open(&path).and_then(limited).map_err(|error| unreadable(&place, error))?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(refused(&place, &Unreadable::TooLarge));
        }
        found.insert(name, bytes);
    }
    let report = kube_burner::report(&found).map_err(|error| refused(&shown, &error))?;
    Ok(Document::Report(Box::new(report)))
}

fn of_file(path: &Path) -> Result<Document, Failure> {
    let shown = path.display().to_string();
    let bytes = File::open(path).and_then(limited).map_err(|error| unreadable(&shown, error))?;
    read::document(&bytes).map_err(|error| refused(&shown, &error))
}

/// Reads the files of the origin tool.
fn of_origin(folder: &Path) -> Result<Document, Failure> {
    let shown = folder.display().to_string();
    let mut files = BTreeMap::new();
    let mut modified = Timestamp::UNIX_EPOCH;
    for name in legacy::names() {
        let file = match File::open(folder.join(&name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(unreadable(&shown, error)),
        };
        if let Ok(time) = file.metadata().and_then(|facts| facts.modified()) {
            modified = modified.max(Timestamp::try_from(time).unwrap_or(modified));
        }
        let bytes = limited(file).map_err(|error| unreadable(&shown, error))?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(refused(&format!("{shown}/{name}"), &Unreadable::TooLarge));
        }
        files.insert(name, bytes);
    }
    // Even for a relative path such as `.`, the folder's own name is needed.
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let name = whole.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let report = legacy::report(&name, &files, modified).map_err(|error| refused(&shown, &error))?;
    Ok(Document::Report(Box::new(report)))
}

/// The one folder with results in or below this one.
fn only(folder: &Path) -> Result<PathBuf, Failure> {
    let shown = folder.display();
    let found = with_results(folder).map_err(|error| unreadable(&shown.to_string(), error))?;
    match found.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(Failure::new(format!("there are no results in {shown}"))
            .because(format!("it holds neither {RUN} nor result files of the Python tool or of kube-burner"))
            .hint("save some: kubectl bootstorm report --save-results")),
        [.., newest] => {
            let mut failure = Failure::new(format!("{shown} holds the results of {} runs", found.len()));
            for folder in found.iter().rev().take(5) {
                failure = failure.because(folder.display().to_string());
            }
            Err(failure.hint(format!("choose one: kubectl bootstorm report --from {}", newest.display())))
        }
    }
}

/// Folders with results by name: the oldest first, as names begin with the time.
fn with_results(top: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut found, mut looked) = (Vec::new(), 0);
    let mut waiting = vec![(top.to_path_buf(), 0)];
    while let Some((folder, depth)) = waiting.pop() {
        looked += 1;
        let (mut has_results, mut below) = (false, Vec::new());
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            has_results |= name == RUN || legacy::is_detail(&name) || kube_burner::is_detail(&name);
            if depth < DEPTH && entry.file_type()?.is_dir() {
                below.push((entry.path(), depth + 1));
            }
        }
        if has_results {
            found.push(folder);
        } else if looked + waiting.len() < MOST_FOLDERS {
            waiting.extend(below);
        }
    }
    found.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    Ok(found)
}

/// Reads one byte beyond the limit, to detect an excess.
fn limited(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(place: &str, error: io::Error) -> Failure {
    Failure::new(format!("{place} cannot be read")).because(error)
}

fn refused(place: &str, error: &Unreadable) -> Failure {
    let failure = Failure::new(format!("{place} cannot be read")).because(error);
    match error {
        Unreadable::Newer { .. } => failure.hint("update kubectl-bootstorm"),
        Unreadable::Foreign => {
            failure.hint("expected: run.json, a report as JSON or YAML, or a folder of saved results")
        }
        _ => failure,
    }
}
