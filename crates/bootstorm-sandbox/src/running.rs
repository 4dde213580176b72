//! A simulated cluster from start to stop: store, controllers and server together.

use std::path::{Path, PathBuf};

use super::api::{self, ServerOptions};
use super::controllers::{self, Controllers};
use super::faults::{Action, Faults};
use super::ledger::Ledger;
use super::model::profile::{self, Profile};
use super::seed::{seed, seed_classes};
use super::settings;
use super::store::Store;
use bootstorm_model::failure::Failure;

/// Options of a simulated cluster
#[derive(Debug, Clone)]
pub struct Options {
    /// Port on loopback; 0 selects a free one.
    pub port: u16,
    /// Number of nodes; `None` means the profile's.
    pub nodes: Option<usize>,
    /// Figures of the timing model.
    pub profile: Profile,
    /// Seed of all randomness.
    pub seed: u64,
    /// Divisor of every simulated duration.
    pub speed: f64,
    /// File for the truth: every state change and the instant it became visible.
    pub truth: Option<PathBuf>,
}

/// A running simulated cluster
#[derive(Debug)]
pub struct Sandbox {
    store: Store,
    faults: Faults,
    controllers: Controllers,
    server: api::Running,
    /// Folder of the private kubeconfig, once there is one.
    private: Option<PathBuf>,
}

impl Sandbox {
    /// Starts the cluster.
    ///
    /// Fails if the port is taken or the truth file cannot be written.
    pub async fn start(options: Options) -> Result<Self, Failure> {
        let Parts { store, faults, controllers, serving } = parts(options)?;
        let server = api::Server::start(store.clone(), faults.clone(), serving)
            .await
            .map_err(|error| cannot(&error).hint("choose another port with --port, or 0 for a free one"))?;
        controllers.processes().set_entrance(server.entrance());
        Ok(Self { store, faults, controllers, server, private: None })
    }

    /// `https://127.0.0.1:<port>`
    pub fn url(&self) -> &str {
        &self.server.url
    }

    /// Contents of the cluster; for tests that arrange or look behind the API.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Injected faults.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Record of requests, and of each machine's history.
    pub fn ledger(&self) -> &Ledger {
        self.server.ledger()
    }

    /// Objects that a controller reconciled repeatedly without changing anything; for tests. There should be none.
    pub fn spinning(&self) -> Vec<String> {
        self.controllers.spinning()
    }

    /// Runs this program of the host for containers whose image has `name` as its last path segment.
    pub fn run_image(&self, name: &str, program: &Path) {
        self.controllers.processes().run_image(name, program);
    }

    /// Performs an action on the server or its objects at once.
    pub fn act(&self, action: &Action) {
        self.server.act(action);
    }

    /// Writes a kubeconfig for the cluster, readable only by its owner.
    pub fn write_kubeconfig(&self, path: &Path) -> Result<(), Failure> {
        self.server.write_kubeconfig(path).map_err(|error| {
            Failure::new(format!("the kubeconfig {} cannot be written", path.display()))
                .because(error)
                .hint("choose another place with --write-kubeconfig FILE")
        })
    }

    /// Writes a kubeconfig that never changes, whose exec plugin reads the token from a file beside it:
    /// `<path>.credential.json`, which is kept up to date.
    pub fn write_exec_kubeconfig(&self, path: &Path) -> Result<(), Failure> {
        self.server.write_exec_kubeconfig(path).map_err(|error| {
            Failure::new(format!("the kubeconfig {} cannot be written", path.display()))
                .because(error)
                .hint("choose another place with --write-kubeconfig FILE")
        })
    }

    /// Writes a kubeconfig into a temporary folder that is removed with the cluster.
    pub fn private_kubeconfig(&mut self) -> Result<PathBuf, Failure> {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let folder = std::env::temp_dir().join(format!("bootstorm-{}", &unique[..8]));
        std::fs::create_dir(&folder).map_err(|error| {
            Failure::new(format!("the folder {} cannot be created", folder.display())).because(error)
        })?;
        let path = folder.join("kubeconfig");
        self.private = Some(folder);
        self.write_kubeconfig(&path)?;
        Ok(path)
    }

    /// Stops the cluster: requests are finished, connections closed, the truth file completed.
    pub async fn stop(mut self) {
        self.controllers.stop();
        let private = self.private.take();
        self.server.stop().await;
        self.store.close_truth();
        if let Some(folder) = private {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// A simulated cluster without its server
struct Parts {
    store: Store,
    faults: Faults,
    controllers: Controllers,
    serving: ServerOptions,
}

fn cannot(why: &dyn std::fmt::Display) -> Failure {
    Failure::new("the simulated cluster cannot be started").because(why.to_string())
}

fn parts(options: Options) -> Result<Parts, Failure> {
    let store = Store::new();
    if let Some(path) = &options.truth {
        store
            .set_truth(path)
            .map_err(|error| cannot(&format!("the truth file {}: {error}", path.display())))
            .map_err(|failure| failure.hint("name another file with --truth FILE, or move this one away"))?;
    }
    store.set_clock_ahead(options.profile.api_server.clock());
    let node = &options.profile.node;
    let nodes = options.nodes.unwrap_or(node.count);
    seed(&store, nodes, node.cores as u32, node.memory_gib as u32, node.pods)
        .map_err(|error| cannot(&error))?;
    seed_classes(&store, &options.profile.storage.classes).map_err(|error| cannot(&error))?;
    settings::publish(&store, &options.profile);
    store.set_namespace_defaults(options.profile.namespace_defaults.objects());
    let misbehave = options.profile.misbehave.clone();
    let controllers =
        controllers::start(store.clone(), options.profile, options.seed, options.speed, misbehave);
    let faults = Faults::seeded(options.seed);
    controllers.obey(faults.clone());
    let serving = ServerOptions {
        port: options.port,
        admission: Some(controllers.admission()),
        network: controllers.network(),
        dice: controllers.dice(),
        logs: controllers.processes().logs.clone(),
        ..ServerOptions::default()
    };
    Ok(Parts { store, faults, controllers, serving })
}

/// A simulated cluster for clients in the same process: without sockets and TLS, so that paused time can drive both
#[derive(Debug)]
pub struct LocalSandbox {
    store: Store,
    faults: Faults,
    controllers: Controllers,
    server: api::Local,
}

impl LocalSandbox {
    /// Starts the cluster. The port of the options is ignored.
    ///
    /// Fails if the truth file cannot be written.
    pub fn start(options: Options) -> Result<Self, Failure> {
        let Parts { store, faults, controllers, serving } = parts(options)?;
        let server = api::Local::start(store.clone(), faults.clone(), serving);
        Ok(Self { store, faults, controllers, server })
    }

    /// Its server.
    pub fn server(&self) -> &api::Local {
        &self.server
    }

    /// Contents of the cluster; for tests that arrange or look behind the API.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Injected faults.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Stops the cluster and completes the truth file.
    pub fn stop(self) {
        self.controllers.stop();
        self.store.close_truth();
    }
}

/// The profile of that name, or in that file.
///
/// Fails with the known names, or with the error in the file.
pub fn profile(name: &str) -> Result<Profile, Failure> {
    profile::load(name).map_err(|error| {
        let failure = Failure::usage(error.to_string());
        match std::error::Error::source(&error) {
            Some(cause) => failure.because(cause),
            None => failure,
        }
    })
}
