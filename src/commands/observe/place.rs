//! The file of an observation: its path, owner and lifetime.

use std::path::{Path, PathBuf};

use crate::commands::session::Session;
use bootstorm_model::failure::Failure;
use bootstorm_model::outage::{Observation, recoveries};
use bootstorm_model::plan::{Selection, Template, TemplateSource};
use bootstorm_model::platform::durable::{self, FileLock};
use bootstorm_model::probe::ProbePlan;
use bootstorm_model::record::RunRecord;
use bootstorm_report::read::{self, Document};

/// Key shared by observations of the same VMs in the same cluster: the same command finds its file by it.
pub(super) fn key(session: &Session, selection: &Selection, probe: &ProbePlan) -> String {
    digest(&format!("{}\n{selection}\n{probe}", session.cluster.server()))
}

/// Name of the run of an observation that is kept in the cluster itself, independent of the connection.
pub(super) fn run_name(selection: &Selection, probe: &ProbePlan) -> String {
    format!("observation-{}", digest(&format!("{selection}\n{probe}")))
}

fn digest(text: &str) -> String {
    Template::digest(text).chars().take(16).collect()
}

/// The file of an observation, locked
pub(super) struct Place {
    path: PathBuf,
    /// Whether the user named it.
    is_named: bool,
    _lock: FileLock,
}

impl Place {
    /// Locks the file: the named one, or that of the key in the user's state folder.
    ///
    /// Fails while another process observes to it.
    pub(super) fn open(named: Option<&Path>, key: &str) -> Result<Self, Failure> {
        let path = match named {
            Some(path) => path.to_owned(),
            None => default(key)?,
        };
        let cannot = |error: std::io::Error| {
            Failure::new(format!("the observation cannot be saved to {}", path.display()))
                .because(error)
                .hint("choose another place: --save FILE")
        };
        match durable::lock(&path).map_err(cannot)? {
            Some(lock) => Ok(Self { path, is_named: named.is_some(), _lock: lock }),
            None => Err(Failure::new("another process is observing these VMs")
                .because(format!("it holds the lock on {}", path.display()))
                .hint("to observe them twice, save to another file: --save FILE")),
        }
    }

    /// Path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The unfinished observation in this file; a finished one is moved aside.
    ///
    /// Fails if the file is something else.
    pub(super) fn unfinished(
        &self,
        session: &Session,
        selection: &Selection,
        probe: &ProbePlan,
    ) -> Result<Option<RunRecord>, Failure> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.unusable(&error)),
        };
        let record = match read::document(&bytes).map_err(|error| self.unusable(&error))? {
            Document::Run(record) if record.observation.is_some() => *record,
            _ => return Err(self.unusable(&"it is not the file of an observation")),
        };
        let over = record.observation.as_ref().is_some_and(|observation| observation.ended.is_some());
        if over && self.is_named {
            return Err(self
                .unusable(&"its observation has ended")
                .hint(format!("show it: kubectl bootstorm report --from {}", self.path.display())));
        }
        if over {
            self.move_aside(&record)?;
            return Ok(None);
        }
        let wanted = TemplateSource::Observed { selection: selection.to_string() };
        let server = record.facts.server.as_deref();
        let (was, now) = if server != Some(session.cluster.server()) {
            (server.unwrap_or("an unknown cluster").to_owned(), session.cluster.server().to_owned())
        } else if record.plan.template != wanted {
            (record.plan.template.to_string(), wanted.to_string())
        } else if record.plan.probe != *probe {
            (format!("probed by {}", record.plan.probe), format!("by {probe}"))
        } else {
            return Ok(Some(record));
        };
        Err(self.unusable(&format!("it holds an observation of something else: {was}, now {now}")))
    }

    fn unusable(&self, why: &impl ToString) -> Failure {
        Failure::new(format!("{} cannot be used for this observation", self.path.display()))
            .because(why.to_string())
            .hint("choose another file: --save FILE")
    }

    fn move_aside(&self, record: &RunRecord) -> Result<(), Failure> {
        let began = record.created.strftime("%Y%m%d-%H%M%S").to_string();
        let stem = self.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let aside = self.path.with_file_name(format!("{stem}-{began}.json"));
        std::fs::rename(&self.path, &aside).map_err(|error| self.unusable(&error))
    }
}

/// The file of a key in the user's state folder.
fn default(key: &str) -> Result<PathBuf, Failure> {
    let no_place =
        || Failure::new("there is no folder to save the observation in").hint("name a file: --save FILE");
    let folder = dirs::state_dir().or_else(dirs::data_local_dir).ok_or_else(no_place)?;
    let folder = folder.join("bootstorm").join("observations");
    std::fs::create_dir_all(&folder).map_err(|error| no_place().because(error))?;
    Ok(folder.join(format!("{key}.json")))
}

/// Saves a record with the observation so far.
pub(super) fn save(path: &Path, base: &RunRecord, observation: &Observation) -> Result<(), String> {
    let mut record = base.clone();
    record.phases = recoveries(observation);
    record.observation = Some(Box::new(observation.clone()));
    let bytes = serde_json::to_vec(&record).map_err(|error| error.to_string())?;
    durable::replace(path, &bytes).map_err(|error| error.to_string())
}
