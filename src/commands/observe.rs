//! `observe`: measures how VMs recover from an outage with an external cause.

mod in_cluster;
mod place;
mod telling;

use std::path::Path;
use std::sync::Arc;

pub(super) use self::in_cluster::part;
use self::place::Place;
use self::telling::Telling;
use super::front::Front;
use super::observe_args::ObserveArgs;
use super::session::{Context, Session};
use super::show;
use bootstorm_engine::phases::guests::From;
use bootstorm_engine::phases::observing::{self, End, Limits, ObserveContext};
use bootstorm_engine::runs::observation::{begin, goal_of};
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::{Outcome, Timeline};
use bootstorm_model::outage::recoveries;
use bootstorm_model::plan::Selection;
use bootstorm_model::probe::{Probe, ProbePlan};
use bootstorm_model::record::RunRecord;
use bootstorm_report::{Report, Selection as Shown};

/// Name of the run that an observation forms.
const NAME: &str = "observation";

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

/// A new observation of the selected VMs.
async fn begun(
    session: &Session,
    selection: &Selection,
    probe: ProbePlan,
    name: &str,
) -> Result<RunRecord, Failure> {
    let front = Front::new(session.console);
    begin(&session.cluster, selection, probe, name, &front).await
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
