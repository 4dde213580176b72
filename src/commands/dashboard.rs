//! `dashboard`: one offline page from saved results.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;

use super::session::Context;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::clock::wall_now;
use bootstorm_model::platform;
use bootstorm_model::platform::output::{self, Readers};
use bootstorm_report::Dashboard;
use bootstorm_report::dashboard::{Folder, is_dashboard};

/// Maximum depth of folders with results.
const DEEPEST: usize = 8;
/// Maximum size of a result file; larger ones would exhaust memory.
const LARGEST: u64 = 512 << 20;

/// Write one offline HTML page from saved results
///
/// Reads files written by `--save-results` and results of the Python tool of the boot storm guide, side by side. Files
/// that are damaged or of another kind are listed and skipped. No cluster is needed.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  # The last 30 days of the folder results
  kubectl bootstorm dashboard

  # The command of the guide
  kubectl bootstorm dashboard --days 30 --base-dir results --cluster-info dashboard/cluster_info.yaml \\
    --output-html boot-storm-dashboard.html")]
pub struct DashboardArgs {
    /// Age limit of the results, in days
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub days: u32,
    /// Folder with saved results
    #[arg(long, value_name = "FOLDER", default_value = "results")]
    pub base_dir: PathBuf,
    /// YAML file with facts about the cluster under `cluster:`, to show
    #[arg(long, value_name = "FILE")]
    pub cluster_info: Option<PathBuf>,
    /// YAML file with a list of results under `results:`, to show
    #[arg(long, value_name = "FILE")]
    pub manual_results: Option<PathBuf>,
    /// Output file, replaced only if it is a dashboard; - is standard output
    #[arg(long, value_name = "FILE", default_value = "boot-storm-dashboard.html")]
    pub output_html: PathBuf,
}

/// Runs the command.
pub fn command(context: &Context, args: &DashboardArgs) -> Result<Exit, Failure> {
    let console = context.console();
    if !args.base_dir.is_dir() {
        return Err(Failure::new(format!("there is no folder {}", args.base_dir.display()))
            .hint("results are saved by run, create, storm and report with --save-results")
            .hint("name another folder with --base-dir FOLDER"));
    }
    let mut dashboard = Dashboard::new(wall_now(), args.days, args.base_dir.display().to_string());
    if let Some(path) = &args.cluster_info {
        dashboard.describe_cluster(&text(path)?).map_err(|reason| unusable(path, &reason))?;
    }
    if let Some(path) = &args.manual_results {
        dashboard.add_manual_results(&text(path)?).map_err(|reason| unusable(path, &reason))?;
    }
    walk(&mut dashboard, &args.base_dir, "", DEEPEST);
    let (runs, older, skipped) = (dashboard.len(), dashboard.older(), dashboard.skipped().len());
    let page = dashboard.html();
    if args.output_html == Path::new("-") {
        console.data(&page)?;
    } else {
        output::write(&args.output_html, page.as_bytes(), Readers::Umask, is_dashboard).map_err(|error| {
            Failure::new(format!("{} cannot be written", args.output_html.display()))
                .because(error)
                .hint("name another file with --output-html FILE, or move this one away")
        })?;
    }
    let count = |n: usize, noun: &str| if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") };
    let mut parts = vec![count(runs, "saved run")];
    if older > 0 {
        parts.push(format!("{older} older than {} days left out", args.days));
    }
    if skipped > 0 {
        parts.push(format!("{} left out as unusable, named on the page", count(skipped, "file")));
    }
    console.say(&format!("{}: {}", args.output_html.display(), parts.join(", ")));
    Ok(Exit::Good)
}

fn text(path: &Path) -> Result<String, Failure> {
    platform::read_text(path, LARGEST).map_err(|error| unusable(path, &error.to_string()))
}

fn unusable(path: &Path, reason: &str) -> Failure {
    Failure::new(format!("{} cannot be used", path.display())).because(reason)
}

/// Passes every folder below `folder` to the dashboard, in the order of names; links to folders are not followed.
fn walk(dashboard: &mut Dashboard, folder: &Path, path: &str, deeper: usize) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return dashboard.skip(path.to_owned(), &error.to_string()),
    };
    let (mut folders, mut names) = (Vec::new(), Vec::new());
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => folders.push((name, entry.path())),
            Ok(_) => names.push(name),
            Err(error) => dashboard.skip(join(path, &name), &error.to_string()),
        }
    }
    folders.sort();
    names.sort();
    let wanted = dashboard.wanted(path, &names);
    if !wanted.is_empty() {
        let read = |name: String| {
            let content = read(&folder.join(&name));
            (name, content)
        };
        let files = wanted.into_iter().map(read).collect();
        dashboard.add(&Folder { path: path.to_owned(), names, files });
    }
    for (name, below) in folders {
        match deeper {
            0 => dashboard.skip(join(path, &name), "too deep for a result"),
            _ => walk(dashboard, &below, &join(path, &name), deeper - 1),
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

/// Content of a file of reasonable size; pipes and devices are refused.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let facts = fs::metadata(path).map_err(|error| error.to_string())?;
    if !facts.is_file() {
        return Err("not a file".to_owned());
    }
    if facts.len() > LARGEST {
        return Err(format!("larger than {} MiB", LARGEST >> 20));
    }
    let mut content = Vec::new();
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(LARGEST).read_to_end(&mut content).map_err(|error| error.to_string())?;
    Ok(content)
}
