//! Shows a fleet: reads and combines the records of its members' runs.

use std::path::Path;

use super::{Action, FleetArgs, members, record_file};
use crate::commands::presentation::Output;
use crate::commands::session::Context;
use crate::commands::show::{Screen, layout, rendered};
use crate::commands::threshold_args::FailIfArgs;
use bootstorm_engine::runs::phase::exit_of;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::fleet::{FleetRecord, Member};
use bootstorm_model::record::{PhaseKind, RunRecord};
use bootstorm_report::fleet::{FleetReport, MemberRun, merged};
use bootstorm_report::thresholds::Expected;
use bootstorm_report::{Graded, Selection, Unwritable};

/// Result of showing a fleet
pub(super) struct Shown {
    /// Exit code for the results.
    pub(super) exit: Exit,
    /// The fleet's record with new information; absent if there is none.
    pub(super) record: Option<FleetRecord>,
}

/// `fleet report` and `fleet status`.
pub(super) async fn command(context: &Context, args: &FleetArgs, path: &Path) -> Result<Exit, Failure> {
    let known = record_file::read(path)?;
    let chosen = members::choose(context, args, known.as_ref())?;
    let Some(record) = known else {
        return Err(Failure::new(format!("there is no fleet \"{}\"", args.prefix()))
            .because(format!("{} does not exist", path.display()))
            .hint("create one: kubectl bootstorm fleet run --contexts 'site-*'")
            .hint("another fleet: --ns-prefix NAME or --fleet-record FILE"));
    };
    let names: Vec<String> = chosen.iter().map(|one| one.name.clone()).collect();
    if let Some(stranger) = names.iter().find(|name| record.member(name).is_none()) {
        return Err(Failure::usage(format!("\"{stranger}\" is not in fleet \"{}\"", record.name)));
    }
    let shown = Box::pin(all(context, args, &record, &names)).await?;
    Ok(shown.exit)
}

/// The report, or after `stop` and `status` the state of each cluster.
pub(super) async fn all(
    context: &Context,
    args: &FleetArgs,
    record: &FleetRecord,
    names: &[String],
) -> Result<Shown, Failure> {
    let is_status = matches!(args.action, Action::Status | Action::Stop);
    let members: Vec<&Member> = names.iter().filter_map(|name| record.member(name)).collect();
    let runs = load(context, args, &members).await;
    let member_runs: Vec<MemberRun<'_>> = members
        .iter()
        .zip(&runs)
        .map(|(member, run)| MemberRun { member, run: run.as_ref().map_err(String::as_str) })
        .collect();
    let selection = Selection::default();
    let screen = Screen::from(context);
    let all_rows = !screen.output.is_for_people();
    let report = FleetReport::of(record, &member_runs, &selection, all_rows);
    let whole = merged(record, &member_runs).map(|merged| merged.record);
    let last = |whole: &RunRecord, kind| whole.last_of(kind).map(|phase| phase.name);
    let judged = match args.action {
        Action::Stop => whole.as_ref().and_then(|whole| last(whole, PhaseKind::Stop)),
        _ => report.phase,
    };
    let thresholds = match &whole {
        Some(whole) if args.action != Action::Status => {
            let expected: Vec<Expected> = whole.phases.iter().map(Expected::from).collect();
            args.fail_if.check(&expected, judged)?;
            args.fail_if.judge_graded(whole, judged, &Graded::of_run(whole))
        }
        _ => Vec::new(),
    };
    let report = report.with_thresholds(thresholds.clone());
    let report = if is_status { FleetReport { whole: None, differences: None, ..report } } else { report };
    screen.console.data(&text(&report, screen)?)?;
    let mut exit = Exit::Good;
    if let Some(last) = whole.as_ref().and_then(|whole| whole.phase(judged?)) {
        exit = exit_of(last);
    }
    if report.missing().next().is_some() && !is_status {
        exit = exit.max(Exit::Missed);
    }
    let mut known = record.clone();
    known.note_skews(|name, phase| {
        let of = member_runs.iter().find(|of| of.member.name == name)?;
        of.run.ok()?.phase(phase)
    });
    let is_new = known != *record;
    // The state of each cluster has no thresholds in any format.
    if is_status && (screen.output.is_for_people() || screen.output == Output::Markdown) {
        FailIfArgs::tell(screen.console, &thresholds);
    }
    let exit = match args.action {
        Action::Status => Exit::Good,
        _ => args.fail_if.exit(context, &thresholds, exit),
    };
    Ok(Shown { exit, record: is_new.then_some(known) })
}

/// The record of each member's run, or the reason why it cannot be read.
async fn load(context: &Context, args: &FleetArgs, members: &[&Member]) -> Vec<Result<RunRecord, String>> {
    let each = members.iter().map(|member| {
        let loading = async {
            let mut connection = bootstorm_engine::cluster::Connection::from(&context.connection);
            connection.context = Some(member.context.clone());
            connection.kubeconfig = member.kubeconfig.clone().or(connection.kubeconfig);
            connection.namespace = member.namespace.clone().or(connection.namespace);
            let session = context.connect_with(&connection).await?;
            let record = session.read(&member.prefix).await?;
            match &member.run_id {
                Some(known) if *known != record.run_id => {
                    Err(Failure::new("its run is another one: it was set up again outside of the fleet"))
                }
                _ => Ok(record),
            }
        };
        async {
            let limit = args.members.member_timeout;
            let loaded = tokio::time::timeout(limit, Box::pin(loading)).await;
            match loaded {
                Ok(loaded) => loaded.map_err(|failure| failure.to_string()),
                Err(_) => Err(format!("it did not answer within {}s", limit.as_secs())),
            }
        }
    });
    futures::future::join_all(each).await
}

/// A fleet's report in the requested format.
fn text(report: &FleetReport, screen: Screen) -> Result<String, Failure> {
    let unwritable = |error: Unwritable| Failure::new("the report cannot be shown").because(error);
    let layout = layout(screen, true);
    let whole = || {
        report.whole.as_ref().ok_or_else(|| {
            Failure::new("no run of the fleet can be read").hint("see why: kubectl bootstorm fleet status")
        })
    };
    match screen.output {
        Output::Summary => Ok(report.summary(&layout, &next(report))),
        Output::Guide | Output::Wide => Ok(report.table(&layout)),
        Output::Json => report.json().map_err(unwritable),
        Output::Yaml => report.yaml().map_err(unwritable),
        Output::Markdown => Ok(report.markdown()),
        Output::Html => whole().map(|_| report.html()),
        Output::Name => Ok(report.members.iter().map(|member| format!("{}\n", member.name)).collect()),
        // The rows name the cluster of each VM.
        format => rendered(whole()?, format, &layout, &[]),
    }
}

/// Suggested commands.
fn next(report: &FleetReport) -> Vec<String> {
    let name = &report.fleet.name;
    let command = |verb: &str| format!("kubectl bootstorm fleet {verb} --ns-prefix {name}");
    match report.phase.map(|phase| phase.kind) {
        Some(PhaseKind::Storm) => vec![command("report -o wide"), command("cleanup")],
        Some(PhaseKind::Stop) => vec![command("storm")],
        _ => vec![command("run")],
    }
}
