//! Flags of `observe`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::adopt_args::AdoptArgs;
use super::in_cluster::InClusterArgs;
use super::save_args::SaveArgs;
use super::threshold_args::{self, FailIfArgs};
use super::values;
use bootstorm_engine::phases::guests::From;
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::Milestone;
use bootstorm_model::plan::Selection;
use bootstorm_model::probe::Probe;
use bootstorm_model::probe::kind::parse_probes;
use bootstorm_model::record::{PhaseKind, PhaseName, RunRecord, StormKind};
use bootstorm_report::ThresholdBlock;

/// Measure how VMs recover from outages caused elsewhere; changes nothing
///
/// Watches VMs, recognises each outage, and times the recovery of each VM from the first sign. Observations are saved
/// to a file as they arrive; the same command continues an observation that was killed. Without --for and --until it
/// continues until Ctrl-C, which ends it with the report.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  # Before the hosts are restarted: until Ctrl-C
  kubectl bootstorm observe -l tier=web --namespace shop

  # A power test: until every VM that went down is ready again
  kubectl bootstorm observe -A --until all=ready

  # With the downtime that clients see, probed from an existing pod
  kubectl bootstorm observe --probe-pod tools/shell --probe tcp:22 --for 2h

  # In a pipeline: exit code 4 if a recovery is too slow
  kubectl bootstorm observe -l tier=web --until all=ready --fail-if 'ready.p95>90s'

  # The report again, from the file
  kubectl bootstorm report --from observation.json -o html")]
pub struct ObserveArgs {
    /// Observe VMs with these labels, for example tier=web; default is all of the namespace
    #[arg(short = 'l', long, value_name = "LABELS")]
    pub selector: Option<String>,
    /// Observe VMs in all namespaces except the cluster's own
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Observe the VMs listed in a file, one NAMESPACE/NAME per line; - reads standard input
    #[arg(long, value_name = "LIST", conflicts_with_all = ["selector", "all_namespaces"])]
    pub vm_file: Option<PathBuf>,
    /// End the observation this long after it began
    #[arg(id = "for", long = "for", value_name = "DURATION", value_parser = values::limit)]
    pub time: Option<Duration>,
    /// End once there was an outage and every VM is back: all=ready, or all=reachable where guests are probed
    #[arg(long, value_name = "CONDITION", value_parser = until)]
    pub until: Option<Milestone>,
    /// Time without a VM down after which --until ends the observation
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = values::duration)]
    pub settle: Duration,
    /// The probe
    #[arg(
        long,
        value_name = "PROBE",
        default_value = "ping",
        help = "Probe of the guests: ping, tcp:PORT, http:PORT[/PATH] or ssh[:PORT]"
    )]
    pub probe: String,
    /// Existing pod to probe from
    #[arg(long, value_name = "NAMESPACE/NAME", conflicts_with = "probe_from")]
    pub probe_pod: Option<String>,
    /// Probe from this computer, which must reach the guests' addresses
    #[arg(long, value_name = "PLACE", value_parser = ["here"])]
    pub probe_from: Option<String>,
    /// File of the observation; default is one per cluster and selection in the user's state folder
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    #[command(flatten)]
    pub results: SaveArgs,
    #[command(flatten)]
    pub fail_if: FailIfArgs,
    #[command(flatten)]
    pub in_cluster: InClusterArgs,
}

fn until(text: &str) -> Result<Milestone, String> {
    match text {
        "all=ready" => Ok(Milestone::Ready),
        "all=reachable" => Ok(Milestone::Reachable),
        _ => Err("write it as all=ready or all=reachable".into()),
    }
}

impl ObserveArgs {
    /// The selected VMs; `here` is the namespace.
    pub(super) fn selection(&self, here: &str) -> Result<Selection, Failure> {
        let like = AdoptArgs {
            selector: self.selector.clone(),
            all_namespaces: self.all_namespaces,
            adopt_file: self.vm_file.clone(),
            ..AdoptArgs::default()
        };
        Ok(match like.selection(here)? {
            Selection::Label { selector, namespaces, .. } => {
                Selection::Label { selector, named: !namespaces.is_empty(), namespaces }
            }
            list @ Selection::List { .. } => list,
        })
    }

    /// Place and kind of the probes; `None` without probes.
    pub(super) fn probes(&self) -> Result<Option<(From, Probe)>, Failure> {
        let from = match (&self.probe_pod, &self.probe_from) {
            (None, None) => {
                if self.until == Some(Milestone::Reachable) {
                    return Err(Failure::usage("--until all=reachable needs probes")
                        .hint("name a pod to probe from: --probe-pod NAMESPACE/NAME")
                        .hint("or wait for the cluster's own view: --until all=ready"));
                }
                return Ok(None);
            }
            (Some(pod), _) => match pod.split_once('/') {
                Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
                    From::Pod(namespace.to_owned(), name.to_owned())
                }
                _ => return Err(Failure::usage("--probe-pod takes NAMESPACE/NAME")),
            },
            (None, Some(_)) if self.in_cluster.in_cluster => {
                return Err(Failure::usage("--probe-from cannot be combined with --in-cluster")
                    .because("pods probe the guests, not this computer")
                    .hint("probe from a pod: --probe-pod NAMESPACE/NAME"));
            }
            (None, Some(_)) => From::Here,
        };
        let not_understood = || Failure::usage(format!("--probe {} is not understood", self.probe));
        let probes = parse_probes(&self.probe).map_err(|fault| not_understood().because(fault))?;
        match probes.as_slice() {
            [probe] if probe.needs_prober() => Ok(Some((from, *probe))),
            _ => {
                Err(not_understood()
                    .because("one of ping, tcp:PORT, http:PORT[/PATH] and ssh[:PORT] is needed"))
            }
        }
    }

    /// Fails if a threshold is on what the observation does not measure.
    pub(super) fn check_thresholds(&self, record: &RunRecord) -> Result<(), Failure> {
        let name = PhaseName { kind: PhaseKind::Storm, number: 1 };
        let goal = record.observation.as_ref().map_or(Milestone::Ready, |observation| observation.goal);
        let expected = bootstorm_report::thresholds::Expected {
            goal,
            ..threshold_args::will_be(&record.plan, name, StormKind::Observed)
        };
        self.fail_if.check(&[expected], Some(name))
    }

    /// Thresholds of every recovery: those that fail in any of them, and those of the last one.
    pub(super) fn judge(&self, record: &RunRecord) -> Vec<ThresholdBlock> {
        let Some(last) = record.last_phase() else { return Vec::new() };
        let mut blocks = self.fail_if.judge(record, Some(last.name));
        for phase in &record.phases {
            let fails =
                self.fail_if.judge(record, Some(phase.name)).into_iter().filter(ThresholdBlock::fails);
            for block in fails {
                if !blocks.contains(&block) {
                    blocks.push(block);
                }
            }
        }
        blocks
    }
}
