//! Values known only to the cluster or the kubeconfig.

use std::ffi::{OsStr, OsString};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use clap::{Arg, Command, FromArgMatches};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use tokio::runtime::Handle;

use crate::commands::connection::ConnectionArgs;
use crate::commands::definition::definition;
use bootstorm_engine::cluster::sources::Named;
use bootstorm_engine::cluster::{Cluster, Connection};
use bootstorm_model::observe::clock::monotonic_now;

/// Time limit, after which the shell would seem to hang.
const LIMIT: Duration = Duration::from_secs(2);

/// Kinds of sources, each followed by its place.
const SOURCES: [&str; 6] = ["datasource:", "pvc:", "snapshot:", "registry:", "http:", "containerdisk:"];

/// Kinds of probes, those with a port with a common one.
const PROBES: [&str; 7] = ["ping", "tcp:22", "http:80/", "ssh", "agent", "cloud-init", "none"];

/// A kind of name that is looked up while the user types
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Live {
    Contexts,
    Clusters,
    Users,
    Namespaces,
    Nodes,
    Runs,
    Sources,
    Probes,
    Objects(Named),
}

impl Live {
    /// Kind of name that an argument takes.
    fn of(command: &str, arg: &Arg) -> Option<Self> {
        Some(match arg.get_long() {
            Some("context" | "contexts") => Self::Contexts,
            Some("cluster") => Self::Clusters,
            Some("user") => Self::Users,
            Some("namespace" | "adopt-namespace" | "vm-namespace") => Self::Namespaces,
            Some("node-name") => Self::Nodes,
            Some("ns-prefix") => Self::Runs,
            Some("source") => Self::Sources,
            Some("probe") => Self::Probes,
            Some("storage-class") => Self::Objects(Named::StorageClass),
            Some("instancetype") => Self::Objects(Named::Instancetype),
            Some("preference") => Self::Objects(Named::Preference),
            None if command == "compare" => Self::Runs,
            _ => return None,
        })
    }
}

/// The definition with value hints for arguments with live values.
pub(super) fn with_values(definition: Command, asker: &Arc<Asker>) -> Command {
    let name = definition.get_name().to_owned();
    let below: Vec<String> =
        definition.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let definition = definition.mut_args(|arg| with_value(&name, arg, asker));
    below.iter().fold(definition, |definition, name| {
        definition.mut_subcommand(name, |command| command.mut_args(|arg| with_value(name, arg, asker)))
    })
}

fn with_value(command: &str, arg: Arg, asker: &Arc<Asker>) -> Arg {
    let Some(live) = Live::of(command, &arg) else { return arg };
    let asker = asker.clone();
    arg.add(ArgValueCompleter::new(move |typed: &OsStr| asker.candidates(live, &typed.to_string_lossy())))
}

/// Queries the cluster selected by the words typed so far
#[derive(Debug)]
pub(super) struct Asker {
    connection: Option<Connection>,
    runtime: Handle,
    began: Instant,
}

impl Asker {
    pub(super) fn new(words: &[OsString], runtime: Handle) -> Arc<Self> {
        let typed = definition().ignore_errors(true).try_get_matches_from(words).ok();
        let args = typed.and_then(|typed| {
            let typed = typed.subcommand().map_or(&typed, |(_, below)| below);
            ConnectionArgs::from_arg_matches(typed).ok()
        });
        let connection = args.map(|args| Connection {
            request_timeout: Some(LIMIT),
            patience: Duration::ZERO,
            ..Connection::from(&args)
        });
        Arc::new(Self { connection, runtime, began: monotonic_now() })
    }

    fn candidates(&self, live: Live, typed: &str) -> Vec<CompletionCandidate> {
        if live == Live::Probes {
            // Another element of a list, without those already in it.
            let (before, last) = typed.split_at(typed.rfind(',').map_or(0, |comma| comma + 1));
            let is_new = |probe: &&&str| {
                probe.starts_with(last)
                    && !before.split(',').any(|known| known == **probe)
                    && (before.is_empty() || **probe != "none")
            };
            let whole = |probe: &&str| CompletionCandidate::new(format!("{before}{probe}"));
            return PROBES.iter().filter(is_new).map(whole).collect();
        }
        let fixed: &[&str] = if live == Live::Sources { &SOURCES } else { &[] };
        // Golden images are not queried while the kind is still open.
        let asked = live != Live::Sources || typed.contains(':');
        let found = if asked { self.ask(live) } else { Vec::new() };
        let fixed = fixed.iter().map(|kind| ((*kind).to_owned(), None)).filter(|_| !asked);
        let all = fixed.chain(found).filter(|(value, _)| value.starts_with(typed));
        all.map(|(value, help)| CompletionCandidate::new(value).help(help.map(Into::into))).collect()
    }

    /// Queries in the background: reading credentials may block, and the limit applies to that as well.
    fn ask(&self, live: Live) -> Vec<(String, Option<String>)> {
        let Some(connection) = self.connection.clone() else { return Vec::new() };
        let (sender, receiver) = mpsc::channel();
        self.runtime.spawn(async move {
            let found = found(&connection, live).await.unwrap_or_default();
            // After the time limit nothing receives the result.
            let _ = sender.send(found);
        });
        receiver.recv_timeout(LIMIT.saturating_sub(self.began.elapsed())).unwrap_or_default()
    }
}

async fn found(connection: &Connection, live: Live) -> Option<Vec<(String, Option<String>)>> {
    let plain = |names: Vec<String>| names.into_iter().map(|name| (name, None)).collect();
    match live {
        Live::Contexts => return Some(plain(connection.kubeconfig_names()?.contexts)),
        Live::Clusters => return Some(plain(connection.kubeconfig_names()?.clusters)),
        Live::Users => return Some(plain(connection.kubeconfig_names()?.users)),
        _ => {}
    }
    let cluster = connection.open().await.ok()?;
    Some(match live {
        Live::Namespaces => plain(namespaces(&cluster).await?),
        Live::Nodes => plain(cluster.nodes().await.ok()?.all.into_iter().map(|node| node.name).collect()),
        Live::Runs => {
            let heads = cluster.heads(false).await.ok()?;
            let fact = |head: &bootstorm_engine::cluster::store::Head, word: &str| {
                head.facts.get(word).cloned().unwrap_or_default()
            };
            let told = |head: bootstorm_engine::cluster::store::Head| {
                let said = format!(
                    "{} {}, {} VMs",
                    fact(&head, "phase"),
                    fact(&head, "state"),
                    fact(&head, "targets")
                );
                (head.prefix, Some(said))
            };
            heads.into_iter().map(told).collect()
        }
        Live::Sources => {
            let names = cluster.names_of(Named::DataSource, None).await.ok()?;
            plain(names.into_iter().map(|name| format!("datasource:{name}")).collect())
        }
        Live::Objects(kind) => plain(cluster.names_of(kind, None).await.ok()?),
        Live::Contexts | Live::Clusters | Live::Users | Live::Probes => Vec::new(),
    })
}

async fn namespaces(cluster: &Cluster) -> Option<Vec<String>> {
    let found = cluster.namespaces("").await.ok()?;
    Some(found.into_iter().filter_map(|namespace| namespace.metadata.name).collect())
}
