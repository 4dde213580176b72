//! `--in-cluster`: phases as an indexed Job, whose pods share the VMs.
//!
//! This process creates the Job, and from then on only watches it: whatever happens to the process, the Job continues,
//! and the same command attaches again. The plan is passed in the record, the rest in the arguments of the pods.

mod follow;

use clap::Args;

use super::session::Session;
use bootstorm_engine::cluster::Kind;
use bootstorm_engine::cluster::access::Permission;
use bootstorm_engine::cluster::jobs::{JobEnd, JobState, Outfit};
use bootstorm_engine::cluster::lease::Held;
use bootstorm_engine::cluster::store::RunStore;
use bootstorm_engine::phases::preflight::permissions;
use bootstorm_engine::runs::job;
use bootstorm_engine::runs::shards::settle;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::{PhaseKind, PhaseName, PhaseSettings, PhaseState, RunRecord};
use bootstorm_model::shards::{Assignment, MOST_SHARDS, Planned, obstacle};

/// Flags of phases that run inside of the cluster
#[derive(Debug, Clone, Default, Args)]
pub struct InClusterArgs {
    /// Run inside of the cluster, as a Job that continues without this command; the same command follows it
    /// again
    #[arg(long, hide_short_help = true)]
    pub in_cluster: bool,
    /// Pods of the Job, each for its share of the VMs
    #[arg(long, value_name = "N", requires = "in_cluster", hide_short_help = true, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_SHARDS)))]
    pub shards: Option<u32>,
    /// Image with this program for the pods of --in-cluster
    #[arg(long, value_name = "IMAGE", hide_short_help = true)]
    pub runner_image: Option<String>,
    /// Existing service account for the pods of --in-cluster; otherwise one is created with the least rights
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub service_account: Option<String>,
}

impl InClusterArgs {
    /// Fails if a flag is given that only works on this computer; `local` lists these flags, with whether each is set.
    pub fn check(&self, local: &[(bool, &str)]) -> Result<(), Failure> {
        match local.iter().find(|(given, _)| *given) {
            Some((_, flag)) if self.in_cluster => {
                Err(Failure::usage(format!("{flag} cannot be combined with --in-cluster"))
                    .because("it runs on this computer during a phase, and the Job continues without it")
                    .hint("leave one of them out"))
            }
            _ => Ok(()),
        }
    }

    /// Number of shards.
    pub fn shards(&self) -> u32 {
        self.shards.unwrap_or(1)
    }

    /// The settings of a phase for the shards. Fails if it cannot be shared.
    pub fn plan(&self, name: PhaseName, settings: PhaseSettings) -> Result<Planned, Failure> {
        let settings = PhaseSettings { shards: Some(self.shards()), ..settings };
        match obstacle(&settings) {
            None => Ok(Planned { name, settings }),
            Some(why) => Err(Failure::usage(format!("{name} cannot run in the cluster with these flags"))
                .because(why)
                .hint("omit --in-cluster, or the flag that it cannot be combined with")),
        }
    }

    fn image(&self) -> Result<&str, Failure> {
        self.runner_image.as_deref().filter(|image| !image.is_empty()).ok_or_else(|| {
            Failure::usage("--in-cluster needs an image with this program")
                .hint("build one from the Containerfile, and name it: --runner-image registry.example.org/kubectl-bootstorm:v1")
                .hint("or set it in the configuration: kubectl bootstorm storm --show-config names the file")
        })
    }
}

/// Runs phases as a Job, and follows it to its end; returns the record.
pub async fn run(
    session: &Session,
    args: &InClusterArgs,
    prefix: &str,
    phases: Vec<Planned>,
) -> Result<RunRecord, Failure> {
    let (record, _) = session.load(prefix).await?;
    let assignment = Assignment {
        prefix: prefix.to_owned(),
        run_id: record.run_id.clone(),
        shards: args.shards(),
        phases,
        observe: None,
    };
    let assignment = Box::pin(start(session, args, &record, assignment)).await?;
    follow(session, &assignment).await
}

/// Creates the Job of a run, or finds the existing one; returns its assignment.
pub async fn start(
    session: &Session,
    args: &InClusterArgs,
    record: &RunRecord,
    assignment: Assignment,
) -> Result<Assignment, Failure> {
    let prefix = &assignment.prefix;
    if let Some(job) = session.cluster.job_of(prefix, &record.run_id).await? {
        return attached(session, &job, &assignment).cloned();
    }
    let vms = record.plan.size();
    if assignment.shards > vms {
        return Err(Failure::usage(format!("{} shards are more than {vms} VMs", assignment.shards))
            .hint(format!("use --shards {vms} or fewer")));
    }
    let image = args.image()?;
    let namespace = session.cluster.namespace();
    let permissions = permissions::of_shards(&record.plan, &assignment, namespace);
    if args.service_account.is_none() {
        check_places(&permissions, namespace)?;
    }
    let begin = async |lock: &Held| begin(session, &assignment, lock, args, image, &permissions).await;
    session.runs().locked(prefix, &record.run_id, begin).await?;
    let s = if assignment.shards == 1 { "" } else { "s" };
    session.console.say(&format!(
        "job {} with {} shard{s} was created in namespace {namespace}; it continues without this command",
        job_name(prefix),
        assignment.shards
    ));
    Ok(assignment)
}

/// Follows the existing Job of a run, if it ends with a phase of this kind; `None` if there is none.
pub async fn attach(
    session: &Session,
    args: &InClusterArgs,
    prefix: &str,
    kind: PhaseKind,
) -> Result<Option<RunRecord>, Failure> {
    if !args.in_cluster {
        return Ok(None);
    }
    let Some((record, _)) = session.find(prefix).await? else { return Ok(None) };
    let Some(job) = session.cluster.job_of(prefix, &record.run_id).await? else { return Ok(None) };
    let Some(assignment) = job.assignment.clone() else { return Err(unlike(session, prefix, &job)) };
    if assignment.phases.last().map(|planned| planned.name.kind) != Some(kind) {
        return Err(unlike(session, prefix, &job));
    }
    follow(session, attached(session, &job, &assignment)?).await.map(Some)
}

/// The assignment of an existing Job, if it matches the request.
fn attached<'a>(
    session: &Session,
    job: &'a JobState,
    wanted: &Assignment,
) -> Result<&'a Assignment, Failure> {
    let names = |assignment: &Assignment| {
        assignment.phases.iter().map(|planned| planned.name).collect::<Vec<PhaseName>>()
    };
    let is_it = |known: &&Assignment| {
        names(known) == names(wanted) && known.observe.is_some() == wanted.observe.is_some()
    };
    let Some(assignment) = job.assignment.as_ref().filter(is_it) else {
        return Err(unlike(session, &wanted.prefix, job));
    };
    if assignment.shards != wanted.shards {
        session.console.warn(&format!("the job {} has {} shards", job.name, assignment.shards));
    }
    if assignment.observe != wanted.observe {
        session.console.warn(&format!("the job {} was created with another --for or --until", job.name));
    }
    session.console.say(&format!("following job {}, which was created before", job.name));
    Ok(assignment)
}

/// The failure for a Job with another assignment.
fn unlike(session: &Session, prefix: &str, job: &JobState) -> Failure {
    let phases = job.assignment.as_ref().map(|assignment| {
        if assignment.observe.is_some() {
            return "an observation".to_owned();
        }
        let names: Vec<String> = assignment.phases.iter().map(|one| one.name.to_string()).collect();
        names.join(", ")
    });
    let phases = phases.unwrap_or_else(|| "work unknown to this version".to_owned());
    Failure::new(format!("run \"{prefix}\" has a job already: {}, for {phases}", job.name))
        .hint(format!("check its progress: kubectl bootstorm status --ns-prefix {prefix}"))
        .hint(format!("stop it: kubectl delete job {} -n {}", job.name, session.cluster.namespace()))
}

fn job_name(prefix: &str) -> String {
    bootstorm_engine::cluster::names::head_name(prefix)
}

/// Checks that a role in the namespace of the record, and one for all namespaces, suffice: permissions elsewhere must
/// exist.
fn check_places(permissions: &[Permission], namespace: &str) -> Result<(), Failure> {
    let elsewhere = permissions.iter().find_map(|one| one.namespace.as_deref().filter(|at| *at != namespace));
    match elsewhere {
        None => Ok(()),
        Some(place) => Err(Failure::usage(format!(
            "the pods need rights in namespace {place}, and no role is created there"
        ))
        .hint(format!("name an account of namespace {namespace} that has them: --service-account NAME"))),
    }
}

/// Creates the Job, after joining what shards of an earlier one have left. The caller holds the lock.
async fn begin(
    session: &Session,
    assignment: &Assignment,
    lock: &Held,
    args: &InClusterArgs,
    image: &str,
    permissions: &[Permission],
) -> Result<(), Failure> {
    let (mut record, mut store) = session.load(&assignment.prefix).await?;
    store.set_holder(lock.holder());
    let say = |text: &str| session.console.say(text);
    settle(&session.cluster, &mut record, &mut store, lock, &say).await?;
    if !record.made.job {
        // Before the first object, so that cleanup knows about it.
        record.made.job = true;
        store.save(&record, None).await?;
    }
    let outfit = Outfit {
        assignment,
        head: store.uid(),
        image,
        service_account: args.service_account.as_deref(),
        permissions,
    };
    session.cluster.make_job(&outfit).await.map_err(|error| {
        let forbidden = error.kind == Kind::Forbidden;
        let failure = Failure::from(error).hint(format!(
            "delete what was created: kubectl bootstorm cleanup --ns-prefix {}",
            assignment.prefix
        ));
        if !forbidden {
            return failure;
        }
        let failure = failure.hint("creating a role requires the permissions that it grants");
        match args.service_account {
            Some(_) => failure,
            None => failure
                .hint("or have somebody with these permissions create the account: --service-account NAME"),
        }
    })
}

/// Follows a Job of phases to its end, deletes it, and returns the record.
async fn follow(session: &Session, assignment: &Assignment) -> Result<RunRecord, Failure> {
    let prefix = &assignment.prefix;
    let end = follow::to_the_end(session, assignment).await?;
    let (record, _) = session.load(prefix).await?;
    let is_done = |name: PhaseName| record.phase(name).is_some_and(|one| one.state == PhaseState::Done);
    let mut names = assignment.phases.iter().map(|planned| planned.name);
    if let Some(open) = names.find(|name| !is_done(*name)) {
        return Err(unfinished(session, prefix, &open.to_string(), &end));
    }
    remove_done(session, prefix, &assignment.run_id).await;
    Ok(record)
}

/// Follows the Job of an observation to its end, and returns its record; the Job stays.
pub async fn observed(session: &Session, assignment: &Assignment) -> Result<(RunRecord, RunStore), Failure> {
    let prefix = &assignment.prefix;
    let end = follow::to_the_end(session, assignment).await?;
    let (record, store) = session.load(prefix).await?;
    if record.observation.as_ref().is_none_or(|observation| observation.ended.is_none()) {
        return Err(unfinished(session, prefix, "the observation", &end));
    }
    Ok((record, store))
}

/// The failure for a Job that ended without finishing its assignment.
fn unfinished(session: &Session, prefix: &str, what: &str, end: &JobEnd) -> Failure {
    let (job, namespace) = (job_name(prefix), session.cluster.namespace());
    match end {
        JobEnd::Failed(why) => Failure::new(format!("{what} was not finished: job {job} has failed"))
            .because(if why.is_empty() { "it gives no reason" } else { why })
            .hint(format!("read the logs of its pods: kubectl logs -n {namespace} -l {}", pods(prefix)))
            .hint(format!("then delete it: kubectl delete job {job} -n {namespace}"))
            .hint("and run this command again: what was saved is kept"),
        JobEnd::Complete => Failure::new(format!("job {job} is complete, and {what} is not"))
            .hint(format!("see where it stands: kubectl bootstorm status --ns-prefix {prefix}")),
    }
}

/// Deletes a finished Job and its objects. Best effort: cleanup deletes what stays.
pub async fn remove_done(session: &Session, prefix: &str, run_id: &str) {
    if let Err(error) = job::remove(session.runs(), prefix, run_id).await {
        session.console.warn(&format!("the job was not deleted, cleanup will do so: {error}"));
    }
}

/// Label selector for a Job's pods, for kubectl.
fn pods(prefix: &str) -> String {
    format!("batch.kubernetes.io/job-name={} --prefix --tail=-1", job_name(prefix))
}
