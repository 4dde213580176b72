//! `observe`: measures how VMs recover from an outage with an external cause.

mod in_cluster;
mod place;
mod telling;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

pub(super) use self::in_cluster::part;
use self::place::Place;
use self::telling::Telling;
use super::adopt_args::AdoptArgs;
use super::in_cluster::InClusterArgs;
use super::save_args::SaveArgs;
use super::session::{Context, Session};
use super::threshold_args::{self, FailIfArgs};
use super::{show, values};
use bootstorm_engine::phases::guests::From;
use bootstorm_engine::phases::observing::{self, Choice, End, Limits, ObserveContext, Offer};
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::clock::wall_now;
use bootstorm_model::observe::{Milestone, Outcome, Timeline};
use bootstorm_model::outage::{Observation, recoveries};
use bootstorm_model::plan::{Plan, Selection};
use bootstorm_model::probe::kind::parse_probes;
use bootstorm_model::probe::{Probe, ProbePlan};
use bootstorm_model::record::{ClusterFacts, PhaseKind, PhaseName, RunRecord, StormKind};
use bootstorm_model::text::printable;
use bootstorm_report::{Report, Selection as Shown, ThresholdBlock};

/// Name of the run that an observation forms.
const NAME: &str = "observation";
/// Number of namespaces and labels offered if nothing was selected.
const OFFERED: usize = 8;

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
    fn selection(&self, here: &str) -> Result<Selection, Failure> {
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
    fn probes(&self) -> Result<Option<(From, Probe)>, Failure> {
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
}

/// Runs the command.
pub async fn command(context: &Context, args: &ObserveArgs) -> Result<Exit, Failure> {
    args.results.check()?;
    let probes = args.probes()?;
    let session = context.connect().await?;
    let selection = args.selection(session.cluster.namespace())?;
    let named = ProbePlan {
        probes: probes.iter().map(|(_, probe)| *probe).collect(),
        pod: probes.iter().find_map(|(from, _)| match from {
            From::Pod(namespace, name) => Some((namespace.clone(), name.clone())),
            From::Here => None,
        }),
        ..ProbePlan::default()
    };
    if args.in_cluster.in_cluster {
        return Box::pin(in_cluster::command(&session, args, &selection, named)).await;
    }
    let key = place::key(&session, &selection, &named);
    let place = Place::open(args.save.as_deref(), &key)?;
    let known = place.unfinished(&session, &selection, &named)?;
    let goes_on = known.is_some();
    let record = match known {
        Some(record) => record,
        None => begun(&session, &selection, named, NAME).await?,
    };
    args.check_thresholds(&record)?;
    // An interrupt ends the observation, and the report follows.
    let duty = session.interrupt.duty();
    let observed = Box::pin(run(&session, args, &place, record, goes_on, probes)).await?;
    let exit = finish(&session, args, place.path(), &observed.0, observed.1);
    drop(duty);
    exit
}

impl ObserveArgs {
    fn check_thresholds(&self, record: &RunRecord) -> Result<(), Failure> {
        let name = PhaseName { kind: PhaseKind::Storm, number: 1 };
        let goal = record.observation.as_ref().map_or(Milestone::Ready, |observation| observation.goal);
        let expected = bootstorm_report::thresholds::Expected {
            goal,
            ..threshold_args::will_be(&record.plan, name, StormKind::Observed)
        };
        self.fail_if.check(&[expected], Some(name))
    }

    /// Thresholds of every recovery: those that fail in any of them, and those of the last one.
    fn judge(&self, record: &RunRecord) -> Vec<ThresholdBlock> {
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

/// A new observation of the selected VMs.
async fn begun(
    session: &Session,
    selection: &Selection,
    probe: ProbePlan,
    name: &str,
) -> Result<RunRecord, Failure> {
    let choice = observing::choose(&session.cluster, selection).await?;
    for target in &choice.missing {
        session.console.warn(&format!("{target} does not exist, and is not observed"));
    }
    if choice.system > 0 {
        let text = format!("{} VMs in the cluster's own namespaces are not observed", choice.system);
        session.console.say(&text);
    }
    if choice.chosen.is_empty() {
        let offer = observing::offer(&session.cluster, selection).await;
        return Err(nothing(selection, &choice, &offer));
    }
    let plan = Plan::observing(name, selection, choice.chosen).map_err(Failure::new)?;
    let goal = goal_of(&probe);
    let vms = plan.size() as usize;
    let mut record = RunRecord::new(uuid::Uuid::new_v4().to_string(), wall_now(), Plan { probe, ..plan });
    record.facts = ClusterFacts {
        context: session.cluster.context().map(str::to_owned),
        server: Some(session.cluster.server().to_owned()),
        tool: Some(env!("CARGO_PKG_VERSION").to_owned()),
        ..ClusterFacts::default()
    };
    record.setup.done = true;
    let clock = observing::clock(&session.cluster, None);
    record.observation = Some(Box::new(Observation::new(clock.began(), vms, goal)));
    Ok(record)
}

/// The milestone at which a VM is back.
fn goal_of(probe: &ProbePlan) -> Milestone {
    if probe.probes.is_empty() { Milestone::Ready } else { Milestone::Reachable }
}

/// The failure for a selection without matches, with alternatives.
fn nothing(selection: &Selection, choice: &Choice, offer: &Offer) -> Failure {
    let mut failure = Failure::new(format!("there are no {selection}"));
    if !choice.missing.is_empty() {
        failure = failure.because("none of the VMs on the list exists");
    }
    let most = |all: &std::collections::BTreeMap<String, usize>| {
        let mut all: Vec<(&String, &usize)> = all.iter().collect();
        all.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
        let named = all.iter().take(OFFERED).map(|(name, count)| format!("{} ({count})", printable(name)));
        let more = if all.len() > OFFERED { ", and others" } else { "" };
        named.collect::<Vec<_>>().join(", ") + more
    };
    if offer.namespaces.is_empty() {
        return failure.hint("no VM is visible; see what you may list: kubectl get vms -A");
    }
    if !offer.labels.is_empty() {
        failure = failure.hint(format!("labels of VMs there: {}", most(&offer.labels)));
    }
    failure.hint(format!("namespaces with VMs: {}", most(&offer.namespaces)))
}

/// Observes until the end; returns the record, and how it ended.
async fn run(
    session: &Session,
    args: &ObserveArgs,
    place: &Place,
    mut record: RunRecord,
    goes_on: bool,
    probes: Option<(From, Probe)>,
) -> Result<(RunRecord, End), Failure> {
    let Some(known) = record.observation.take() else {
        return Err(Failure::new("the file holds no observation"));
    };
    let clock = observing::clock(&session.cluster, Some(&known));
    session.console.say(&format!(
        "observing {} {}; saved to {}",
        record.plan.template.to_string().trim_start_matches("observed "),
        if probes.is_some() {
            "with probes"
        } else {
            "without probes (--probe-pod or --probe-from adds them)"
        },
        place.path().display()
    ));
    let targets = record.plan.targets();
    let telling = Telling::begin(session.console);
    let (path, base) = (place.path().to_owned(), record.clone());
    let save: observing::Save = Arc::new(move |observation| place::save(&path, &base, observation));
    let settled = args.until.map(|_| args.settle);
    let work = ObserveContext {
        cluster: &session.cluster,
        targets: &targets,
        observation: *known,
        probes,
        limits: Limits { after: args.time, settled },
        interrupt: session.interrupt.clone(),
        events: &|seen| telling.hear(seen),
        save,
        pause: observing::TO_FILE,
        is_continued: false,
    };
    let outcome = Box::pin(observing::observe(work, clock, goes_on)).await;
    telling.finish();
    let (observation, end) = outcome?;
    if let Err(why) = place::save(place.path(), &record, &observation) {
        session.console.warn(&format!("the observation could not be saved: {why}"));
    }
    record.phases = recoveries(&observation);
    record.observation = Some(Box::new(observation));
    Ok((record, end))
}

/// Shows and saves the observation; returns the exit code.
fn finish(
    session: &Session,
    args: &ObserveArgs,
    path: &Path,
    record: &RunRecord,
    end: End,
) -> Result<Exit, Failure> {
    let thresholds = args.judge(record);
    if record.phases.is_empty() && !args.fail_if.fail_if.is_empty() {
        session.console.say("no outage was seen, so no threshold was judged");
    }
    let report = show::of(session.output, record, &Shown::default()).with_thresholds(thresholds.clone());
    let again = format!("kubectl bootstorm report --from {}", path.display());
    show::report(session, &report, &[format!("{again} -o wide"), format!("{again} -o html")])?;
    args.results.save(session.console, record)?;
    let whole = Report::of(record, &Shown::default()).with_thresholds(thresholds.clone());
    args.results.write(session.console, &whole)?;
    let is_back = |timeline: &Timeline| matches!(timeline.outcome, Outcome::Reached | Outcome::Excluded);
    let all_back = record.observation.iter().all(|observation| observation.all().all(is_back));
    let otherwise = if all_back { Exit::Good } else { Exit::Missed };
    let has_end = args.time.is_some() || args.until.is_some();
    if end == End::Interrupted && has_end {
        return Err(Failure::interrupted("interrupted before the requested end; everything is saved")
            .hint(format!("show it again: {again}")));
    }
    Ok(args.fail_if.exit(session, &thresholds, otherwise))
}
