//! The hidden `__shard`: command of a Job's pod, as one of the shards of a run.

use clap::Args;

use super::front::Front;
use super::observe;
use super::session::Context;
use bootstorm_engine::runs::worker::Worker;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::shards::{Assignment, Shard};

/// Variable in which an indexed Job passes its index to a pod.
const INDEX: &str = "JOB_COMPLETION_INDEX";

/// One of the shards of a run
#[derive(Debug, Clone, Args)]
pub struct ShardArgs {
    /// What the shards do, as JSON
    #[arg(long, value_name = "JSON", value_parser = Assignment::parse)]
    assignment: Assignment,
}

/// Runs the command.
pub async fn command(context: &Context, args: &ShardArgs) -> Result<Exit, Failure> {
    let assignment = &args.assignment;
    let index = std::env::var(INDEX).ok().and_then(|index| index.parse().ok());
    let shard = index.and_then(|index| Shard::new(index, assignment.shards)).ok_or_else(|| {
        Failure::usage(format!("{INDEX} holds no index below {}", assignment.shards))
            .hint("an indexed Job sets it: kubectl bootstorm storm --in-cluster")
    })?;
    let session = context.connect().await?;
    session.console.say(&format!("shard {shard} of run {}", assignment.prefix));
    let front = Front::new(session.console);
    let worker = Worker::take(session.runs(), assignment, shard, &front).await?;
    let work = async {
        match assignment.observe {
            Some(limits) => observe::part(&session, assignment, limits, shard, worker.load().await?).await,
            None => worker.work().await,
        }
    };
    let outcome = Box::pin(work).await;
    worker.release().await;
    outcome.map(|()| Exit::Good)
}
