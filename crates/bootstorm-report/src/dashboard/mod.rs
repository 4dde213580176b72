//! The dashboard: one offline HTML page from many saved runs, ours and those of the Python tool behind the guide.
//!
//! Pure: the command walks the folders and passes the files. An unreadable file is listed on the page and skipped; it
//! never aborts the dashboard.

mod charts;
mod data;
mod groups;
mod kube_burner;
mod notes;
mod origin;
mod ours;
mod page;
mod place;
mod saved;
mod tables;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

pub use notes::Notes;
pub use page::is_dashboard;
pub use saved::{Saved, Tool};

use crate::read;
use place::Place;

/// Name of the page beside a saved run.
const PAGE: &str = "report.html";
/// Maximum number of VMs with times, over all runs, to keep the page small.
const MOST_ROWS: usize = 150_000;

/// A folder of saved results, as read
#[derive(Debug, Clone, Default)]
pub struct Folder {
    /// Path below the base folder, with forward slashes.
    pub path: String,
    /// Names of all files in it.
    pub names: Vec<String>,
    /// Content of the files requested by [`Dashboard::wanted`], or the reason why one could not be read.
    pub files: Vec<(String, Result<Vec<u8>, String>)>,
}

/// A skipped file or folder, with the reason
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Path below the base folder.
    pub path: String,
    /// Reason.
    pub reason: String,
}

/// Content of a dashboard
#[derive(Debug, Clone)]
pub struct Dashboard {
    /// Time of its creation.
    now: Timestamp,
    /// Number of days to look back.
    days: u32,
    /// Source of the results, for display.
    source: String,
    /// Runs, not yet ordered.
    runs: Vec<Saved>,
    /// Folders of runs that are too old.
    older: usize,
    /// Skipped files and folders.
    skipped: Vec<Skipped>,
    /// Hand-written facts about the cluster.
    cluster: Option<Notes>,
    /// Hand-written results.
    manual: Option<Notes>,
}

impl Dashboard {
    /// An empty dashboard that looks back this many days.
    pub fn new(now: Timestamp, days: u32, source: String) -> Self {
        Self {
            now,
            days,
            source,
            runs: Vec::new(),
            older: 0,
            skipped: Vec::new(),
            cluster: None,
            manual: None,
        }
    }

    /// The files of a folder that are worth reading, given the names of all; none for a run that is too old.
    ///
    /// Other JSON files are recorded as foreign.
    pub fn wanted(&mut self, path: &str, names: &[String]) -> Vec<String> {
        let has = |name: &str| names.iter().any(|known| known == name);
        let ours = has(ours::FILE);
        let burner = |name: &&String| read::kube_burner::is_read(name);
        let wanted: Vec<String> = if ours {
            vec![ours::FILE.to_owned()]
        } else if names.iter().any(|name| read::kube_burner::is_detail(name)) {
            names.iter().filter(burner).cloned().collect()
        } else {
            origin::FILES.iter().filter(|name| has(name)).map(|name| (*name).to_owned()).collect()
        };
        // Beside its documents on VMs, a folder of kube-burner has a file for every metric that it queried.
        let is_burners = names.iter().any(|name| read::kube_burner::is_known(name));
        let known = |name: &str| name == ours::FILE || origin::FILES.contains(&name) || is_burners;
        for name in names.iter().filter(|name| is_json(name) && !known(name)) {
            self.skip(join(path, name), "not a result of a boot storm");
        }
        // A folder's time may be local: this allows a day more, and the time inside the file decides.
        let limit = self.limit(1);
        if !wanted.is_empty() && Place::of(path).began.is_some_and(|began| began < limit) {
            self.older += 1;
            return Vec::new();
        }
        wanted
    }

    /// Adds the content of a folder.
    pub fn add(&mut self, folder: &Folder) {
        let mut files: BTreeMap<&str, &[u8]> = BTreeMap::new();
        for (name, content) in &folder.files {
            match content {
                Ok(bytes) => {
                    files.insert(name, bytes);
                }
                Err(reason) => self.skip(join(&folder.path, name), reason),
            }
        }
        let has_page = folder.names.iter().any(|name| name == PAGE);
        let found = match files.get(ours::FILE) {
            Some(bytes) => match ours::read(&folder.path, bytes) {
                Ok(runs) if runs.is_empty() => {
                    self.skip(join(&folder.path, ours::FILE), "nothing was measured in it");
                    Vec::new()
                }
                Ok(runs) => runs,
                Err(reason) => {
                    self.skip(join(&folder.path, ours::FILE), &reason);
                    Vec::new()
                }
            },
            None if files.keys().any(|name| read::kube_burner::is_detail(name)) => {
                kube_burner::read(&folder.path, &files).unwrap_or_else(|reason| {
                    self.skip(folder.path.clone(), &reason);
                    Vec::new()
                })
            }
            None => {
                let found = origin::read(&folder.path, &files);
                for (name, reason) in found.skipped {
                    let path = if name == folder.path { name } else { join(&folder.path, &name) };
                    self.skip(path, &reason);
                }
                found.saved.into_iter().collect()
            }
        };
        let limit = self.limit(0);
        let all = found.len();
        let recent = found.into_iter().filter(|saved| saved.began >= limit);
        let recent: Vec<Saved> = recent.map(|saved| Saved { has_page, ..saved }).collect();
        self.older += usize::from(all > 0 && recent.is_empty());
        self.runs.extend(recent);
    }

    /// Records a skipped file or folder.
    pub fn skip(&mut self, path: String, reason: &str) {
        self.skipped.push(Skipped { path, reason: reason.to_owned() });
    }

    /// Adds facts about the cluster, from a file such as `cluster_info.yaml`. Fails if the file has another form.
    pub fn describe_cluster(&mut self, text: &str) -> Result<(), String> {
        self.cluster = Some(Notes::cluster(text)?);
        Ok(())
    }

    /// Adds hand-written results, from a file such as `manual_results.yaml`. Fails if the file has another form.
    pub fn add_manual_results(&mut self, text: &str) -> Result<(), String> {
        self.manual = Some(Notes::manual(text)?);
        Ok(())
    }

    /// Skipped files and folders so far.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Number of runs to show; a run with several storms is one.
    pub fn len(&self) -> usize {
        (0..self.runs.len()).map(|entry| self.run_of(entry)).collect::<BTreeSet<_>>().len()
    }

    /// Identity of the run of an entry. Without an ID, every entry is a run of its own.
    fn run_of(&self, entry: usize) -> Result<&str, usize> {
        self.runs[entry].run_id.as_deref().ok_or(entry)
    }

    /// Whether there are no runs to show.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Number of runs that are too old to show.
    pub fn older(&self) -> usize {
        self.older
    }

    /// The finished page.
    pub fn html(mut self) -> String {
        self.settle();
        page::write(&self)
    }

    /// The oldest instant to show, and this many days more.
    fn limit(&self, more: u32) -> Timestamp {
        let age = SignedDuration::from_hours(24 * (i64::from(self.days) + i64::from(more)));
        self.now.checked_sub(age).unwrap_or(Timestamp::MIN)
    }

    /// Sorts the runs, removes duplicates, and drops times per VM beyond the limit.
    fn settle(&mut self) {
        // If a run exists in several forms, the full record comes last, and is kept.
        let is_record = |saved: &Saved| saved.tool == Tool::Bootstorm;
        self.runs.sort_by(|a, b| {
            let by_form = || is_record(a).cmp(&is_record(b));
            a.began.cmp(&b.began).then_with(by_form).then_with(|| a.path.cmp(&b.path))
        });
        let mut seen = BTreeSet::new();
        let stormed: BTreeSet<String> = (self.runs.iter())
            .filter(|saved| saved.storm.is_some())
            .filter_map(|saved| saved.run_id.clone())
            .collect();
        // The same run may be saved after its creation, and again with each storm; the last one is complete.
        let mut kept: Vec<Saved> = Vec::new();
        for saved in std::mem::take(&mut self.runs).into_iter().rev() {
            let is_new = saved.run_id.as_ref().is_none_or(|id| {
                let superseded = saved.storm.is_none() && stormed.contains(id);
                !superseded && seen.insert((id.clone(), saved.storm_number))
            });
            if is_new {
                kept.push(saved);
            }
        }
        let mut room = MOST_ROWS;
        for saved in &mut kept {
            let rows = saved.rows.as_ref().map_or(0, saved::Rows::len);
            if rows > room {
                saved.rows = None;
            } else {
                room -= rows;
            }
        }
        kept.reverse();
        self.runs = kept;
        let mut numbers: BTreeMap<Result<&str, usize>, usize> = BTreeMap::new();
        let runs: Vec<usize> = (0..self.runs.len())
            .map(|entry| {
                let next = numbers.len();
                *numbers.entry(self.run_of(entry)).or_insert(next)
            })
            .collect();
        for (saved, run) in self.runs.iter_mut().zip(runs) {
            saved.run = run;
        }
        let places: BTreeMap<groups::Configuration, usize> =
            groups::by_configuration(&self.runs).into_keys().zip(0..).collect();
        for saved in &mut self.runs {
            saved.configuration = places.get(&groups::Configuration::of(saved)).copied().unwrap_or_default();
        }
    }
}

fn is_json(name: &str) -> bool {
    std::path::Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

#[cfg(test)]
mod tests;
