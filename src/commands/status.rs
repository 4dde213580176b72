//! `status`: state of runs, and the next command.

use clap::Args;

use super::plan_args::RunArgs;
use super::presentation::Output;
use super::session::{Context, Session};
use super::show;
use crate::console::address;
use bootstorm_engine::cluster::jobs::{JobEnd, JobState};
use bootstorm_engine::cluster::store::{Head, PartHead};
use bootstorm_engine::cluster::{Cluster, ClusterError};
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::RunRecord;
use bootstorm_model::text::printable;
use bootstorm_report::status::{JobStanding, Process, ShardStanding};
use bootstorm_report::{Layout, Paint, Status, StatusRow, status};

/// Show the state of runs and the next command
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  # One run, phase by phase
  kubectl bootstorm status --ns-prefix friday

  # All runs in all namespaces
  kubectl bootstorm status -A")]
pub struct StatusArgs {
    #[command(flatten)]
    pub run: RunArgs,
    /// List runs in all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
}

/// Runs the command.
pub async fn command(context: &Context, args: &StatusArgs) -> Result<Exit, Failure> {
    let session = context.connect().await?;
    let layout = Layout {
        width: session.console.width(),
        cut: session.console.cuts(),
        wide: session.output == Output::Wide,
        title: true,
        headers: session.headers,
        paint: if session.console.paints_stdout() { Paint::Ansi } else { Paint::Plain },
    };
    if args.all_namespaces {
        let heads = session.cluster.heads(true).await?;
        if heads.is_empty() {
            session.console.say("there are no runs; create one: kubectl bootstorm setup");
        }
        let rows: Vec<StatusRow> = heads.into_iter().map(|head| row(&session.cluster, head)).collect();
        list(&session, &rows, &layout)?;
        if let Some(row) = rows.first().filter(|_| session.output.is_for_people()) {
            let place = row.namespace.as_deref().unwrap_or_default();
            session.console.say(&format!(
                "details and next command of a run: kubectl bootstorm status --ns-prefix {} -n {}",
                printable(&row.name),
                printable(place)
            ));
        }
        return Ok(Exit::Good);
    }
    let record = session.read(&args.run.prefix).await?;
    let job = if record.made.job { job(&session, &record).await } else { None };
    let status = Status::of(&record).with_process(process(&session, &args.run.prefix).await).with_job(job);
    let text = || match session.output {
        Output::Name => format!("{}\n", printable(&status.run)),
        _ => address::completed(&status.table(&layout)).into_owned(),
    };
    session.console.data(&show::value(session.output, "status", &status, text)?)?;
    Ok(Exit::Good)
}

/// The process that works on the run; `None` also if it may not be read.
async fn process(session: &Session, prefix: &str) -> Option<Process> {
    let taken = match session.cluster.holder(prefix).await {
        Ok(taken) => taken?,
        Err(error) => {
            tracing::debug!(%error, "it is unknown whether a process is working on the run");
            return None;
        }
    };
    let seconds = |at: Option<jiff::Timestamp>| at.map(|at| session.cluster.age(at).as_secs());
    Some(Process {
        since_seconds: seconds(taken.since),
        renewed_seconds: seconds(taken.renewed),
        holder: taken.holder,
    })
}

/// The Job of the run; `None` also if it may not be read.
async fn job(session: &Session, record: &RunRecord) -> Option<JobStanding> {
    let (prefix, run_id) = (&record.plan.prefix, &record.run_id);
    let looked = async {
        let Some(job) = session.cluster.job_of(prefix, run_id).await? else { return Ok(None) };
        Ok::<_, ClusterError>(Some((job, session.cluster.part_heads(prefix, run_id).await?)))
    };
    let (job, heads) = match looked.await {
        Ok(looked) => looked?,
        Err(error) => {
            tracing::debug!(%error, "it is unknown whether the run has a Job");
            return None;
        }
    };
    let shard = |head: PartHead| {
        let number = |word: &str| head.facts.get(word)?.parse().ok();
        let fact = |word: &str| head.facts.get(word).cloned().unwrap_or_default();
        ShardStanding {
            index: head.index,
            state: fact("state"),
            reached: number("reached"),
            failed: number("failed"),
            holder: fact("holder"),
            phase: head.phase,
        }
    };
    let mut shards: Vec<ShardStanding> = heads.into_iter().map(shard).collect();
    shards.sort_by_key(|shard| shard.index);
    let ended = job.end.map(|end| match end {
        JobEnd::Complete => "complete".to_owned(),
        JobEnd::Failed(why) => format!("failed: {why}"),
    });
    let JobState { name, active, succeeded, failed, .. } = job;
    Some(JobStanding { name, ended, active, succeeded, failed, shards })
}

fn list(session: &Session, rows: &[StatusRow], layout: &Layout) -> Result<(), Failure> {
    let text = || match session.output {
        Output::Name => rows.iter().map(|row| format!("{}\n", printable(&row.name))).collect(),
        _ if rows.is_empty() => String::new(),
        _ => status::listing(rows, layout.headers, layout.paint),
    };
    session.console.data(&show::value(session.output, "status", rows, text)?)
}

fn row(cluster: &Cluster, head: Head) -> StatusRow {
    let fact = |word: &str| head.facts.get(word).cloned().unwrap_or_default();
    let number = |word: &str| head.facts.get(word)?.parse().ok();
    StatusRow {
        phase: fact("phase"),
        state: fact("state"),
        targets: number("targets").unwrap_or(0),
        reached: number("reached"),
        failed: number("failed"),
        age_seconds: head.created.map(|created| cluster.age(created).as_secs() as i64),
        namespace: Some(head.namespace),
        name: head.prefix,
    }
}
