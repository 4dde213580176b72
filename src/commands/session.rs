//! Session of a command: console, cluster, interrupt.

use std::ffi::OsString;

use super::connection::ConnectionArgs;
use super::plan_file::PlanFields;
use super::presentation::{Output, PresentationArgs};
use crate::console::{ColorChoice, Console};
use bootstorm_engine::cluster::lease::{Held, identity};
use bootstorm_engine::cluster::store::RunStore;
use bootstorm_engine::cluster::{Cluster, Connection};
use bootstorm_engine::phases::Interrupt;
use bootstorm_engine::runs::Runs;
use bootstorm_engine::runs::access::COPY;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::RunRecord;

/// Global flags, and the user's interrupt
#[derive(Debug, Clone)]
pub struct Context {
    /// Connection to the cluster.
    pub connection: ConnectionArgs,
    /// Presentation of results and messages.
    pub presentation: PresentationArgs,
    /// The command line as a plan; only for commands that plan something.
    pub plan: Option<PlanFields>,
    /// Whether `--kubeconfig` was typed, instead of coming from the configuration.
    pub types_kubeconfig: bool,
    /// The user's interrupt.
    pub interrupt: Interrupt,
    /// The command line as parsed.
    pub parsed: Vec<OsString>,
}

/// A connected command
#[derive(Debug, Clone)]
pub struct Session {
    /// Console for messages.
    pub console: Console,
    /// Output format.
    pub output: Output,
    /// Whether tables have headers.
    pub headers: bool,
    /// The cluster.
    pub cluster: Cluster,
    /// The command line as a plan; only for commands that plan something.
    pub plan: Option<PlanFields>,
    /// The user's interrupt.
    pub interrupt: Interrupt,
    /// Holder of its locks, one after the other: it may take a lock again that a slow cluster did not let it release in
    /// time.
    holder: String,
}

impl Context {
    /// Console for messages.
    pub fn console(&self) -> Console {
        self.presentation.console()
    }

    /// Connects with the user's kubeconfig.
    pub async fn connect(&self) -> Result<Session, Failure> {
        self.connect_with(&Connection::from(&self.connection)).await
    }

    /// Connects with other settings than the user's.
    pub async fn connect_with(&self, connection: &Connection) -> Result<Session, Failure> {
        let console = self.console();
        let connection =
            Connection { tell: if console.is_quiet() { |_| {} } else { told }, ..connection.clone() };
        let mut interrupt = self.interrupt.clone();
        let cluster = tokio::select! {
            biased;
            () = interrupt.wait() => {
                return Err(Failure::interrupted("interrupted; no request was sent yet"));
            }
            cluster = connection.open() => cluster?,
        };
        tracing::info!(server = cluster.server(), namespace = cluster.namespace(), "connected");
        Ok(Session {
            console,
            output: self.presentation.output,
            headers: !self.presentation.no_headers,
            cluster,
            plan: self.plan.clone(),
            interrupt: self.interrupt.clone(),
            holder: identity(),
        })
    }
}

/// Reports something that the user waits for.
fn told(text: &str) {
    Console::new(ColorChoice::Auto, false).say(text);
}

impl Session {
    /// The runs of the cluster.
    pub fn runs(&self) -> Runs<'_> {
        Runs { cluster: &self.cluster, interrupt: &self.interrupt, holder: &self.holder }
    }

    /// The record of a run, and its store. Fails if there is none, and if it is a copy, which cannot be continued.
    pub async fn load(&self, prefix: &str) -> Result<(RunRecord, RunStore), Failure> {
        self.runs().load(prefix).await
    }

    /// The record of a run, if there is one. Fails if it is a copy.
    pub async fn find(&self, prefix: &str) -> Result<Option<(RunRecord, RunStore)>, Failure> {
        self.runs().find(prefix).await
    }

    /// The record of a run, for display; a copy will do.
    pub async fn read(&self, prefix: &str) -> Result<RunRecord, Failure> {
        match self.runs().find_any(prefix).await? {
            Some((record, store)) => {
                if store.original().is_some() {
                    self.console.warn(&format!("this record of run \"{prefix}\" is a copy; {COPY}"));
                }
                Ok(record)
            }
            None => Err(self.runs().nothing(prefix).await),
        }
    }

    /// Acquires the lock on a run.
    pub async fn lock(&self, prefix: &str, run_id: &str) -> Result<Held, Failure> {
        self.runs().lock(prefix, run_id).await
    }
}
