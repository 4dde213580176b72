//! Timed requests: connections are opened before the burst, attempts counted, waits recorded separately.

use std::time::{Duration, Instant};

use futures::future::join_all;
use http::{Request, Uri, Version};
use http_body_util::{BodyExt, Limited};
use kube::client::Body;
use tokio::sync::Barrier;

use super::call::{MOST_BYTES, wait};
use super::guard::Guard;
use super::{Cluster, ClusterError, Kind, names, watch_delay};
use bootstorm_model::observation::Attempts;
use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_model::plan::{Setting, Target};

/// Time limit for opening connections before a burst.
const WARMING: Duration = Duration::from_secs(10);
/// A connection that is open waits this long for the others, in case some are refused or queued behind it.
const HELD: Duration = Duration::from_secs(2);

/// A timed request
#[derive(Debug, Clone)]
pub struct Timed {
    /// Completes "failed to …".
    pub doing: &'static str,
    /// Ready to send.
    pub request: Request<Vec<u8>>,
    /// Idempotency of the request, in case its answer is lost.
    pub meaning: Idempotency,
}

/// Effect of a timed request, for judging a lost answer
#[derive(Debug, Clone)]
pub enum Idempotency {
    /// Creates a VM. If the VM exists and carries this run's UUID, an earlier attempt succeeded.
    Create {
        /// The VM.
        target: Target,
        /// UUID of the run.
        run_id: String,
    },
    /// Switches the power of a VM by a patch that tests its UID, and may be repeated freely: a conflict means that it
    /// lost a race.
    Patch {
        /// The VM.
        target: Target,
        /// Its UID.
        uid: String,
    },
    /// Sets the run strategy of a VM, if it is still that VM with that setting. If it has the new one already, an
    /// earlier attempt succeeded.
    Guarded {
        /// The VM.
        target: Target,
        /// Its UID.
        uid: String,
        /// The new setting.
        wanted: Setting,
    },
    /// Switches the power of a VM by a subresource. If it is switched already and an answer was lost, an earlier
    /// attempt succeeded. The VM must be checked before, since the request cannot name a UID.
    Switch {
        /// The VM.
        target: Target,
        /// Its UID.
        uid: String,
    },
    /// Restarts a VM by a subresource. It is sent only while the instance to be ended exists, since a second restart
    /// would end the new one: if that instance is gone and an answer was lost, an earlier attempt succeeded.
    Restart {
        /// The VM.
        target: Target,
        /// Its UID.
        uid: String,
        /// UID of the instance to be ended.
        instance: String,
    },
    /// Begins a live migration by an object with a fixed name. `KubeVirt` refuses a second one for the same VM before
    /// the API server checks the name, so after any refusal that object is read: if it exists and carries this run's
    /// UUID, an earlier attempt succeeded.
    Migrate {
        /// The VM.
        target: Target,
        /// UID of the instance to migrate.
        instance: String,
        /// The migration object.
        object: Target,
        /// UUID of the run.
        run_id: String,
    },
    /// Evicts the launcher pod of a VM. `KubeVirt` refuses that for instances that are to migrate, and marks them: then
    /// the eviction is in progress. Repeating it changes nothing.
    Evict {
        /// The VM.
        target: Target,
        /// UID of the instance to be evicted.
        instance: String,
        /// Node that it has to leave.
        node: String,
    },
}

/// How a timed request ended
#[derive(Debug)]
pub struct Sent {
    /// Attempts made.
    pub attempts: Attempts,
    /// Time of acceptance, or the last error.
    pub outcome: Result<Instant, ClusterError>,
    /// Whether the server has certainly not carried it out, if it was not accepted.
    pub certain: bool,
    /// UID of the created object: the VM of a create, the object of a migration.
    pub uid: Option<Box<str>>,
}

impl Sent {
    /// A request that was not sent at all.
    pub fn refused(error: ClusterError) -> Self {
        Self { attempts: Attempts::default(), outcome: Err(error), certain: true, uid: None }
    }
}

/// Reason for not switching a foreign VM that has one of the run's names.
const MADE_ANEW: &str = "it is another VM of the same name: somebody recreated it, and it is left alone";

/// Reasons for not restarting a VM.
const ENDING: &str = "its instance is being deleted already";
const ENDED: &str = "its instance is gone: somebody stopped it";
const LEFT: &str = "it has left the node already: somebody migrated it";
const REPLACED: &str = "it has another instance than when the phase began: somebody restarted it";

/// The cheapest request that everyone may send.
fn version_request() -> Request<Vec<u8>> {
    let mut request = Request::new(Vec::new());
    *request.uri_mut() = Uri::from_static("/version");
    request
}

impl Cluster {
    /// Opens connections, so that a burst of that many requests does not wait for handshakes: a few if the server
    /// speaks HTTP/2, else one for each request.
    ///
    /// Best effort: a server that refuses shows that at the real requests.
    pub async fn warm(&self, requests: usize) {
        if requests == 0 {
            return;
        }
        let first = self.call("open a connection", version_request());
        let shared = match tokio::time::timeout(WARMING, first).await {
            Ok(Ok(answer)) if answer.version == Version::HTTP_2 => self.transport().widen(requests),
            _ => None,
        };
        let connections = shared.unwrap_or(requests);
        let everyone = Barrier::new(connections);
        join_all((0..connections).map(|_| tokio::time::timeout(WARMING, self.open_one(&everyone)))).await;
    }

    /// Opens one of the connections. None goes back to its pool before all have an answer: of HTTP/1.1, another
    /// request would take it instead of opening its own.
    async fn open_one(&self, everyone: &Barrier) {
        let answer = self.transport().requests.send(version_request().map(Body::from)).await;
        let _ = tokio::time::timeout(HELD, everyone.wait()).await;
        if let Ok(answer) = answer {
            // Only what was read to its end can be used again.
            let _ = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
        }
    }

    /// Sends a timed request until it is accepted, refused for good, or `deadline` is over.
    ///
    /// Retries only while the lock is held. `repeated` receives the reason for each retry.
    pub async fn send_timed(
        &self,
        timed: &Timed,
        deadline: Instant,
        guard: &mut Guard,
        repeated: impl Fn(&ClusterError),
    ) -> Sent {
        let mut attempts = Attempts::default();
        let mut last: Option<ClusterError> = None;
        let mut answer_lost = false;
        let late = || ClusterError::new(timed.doing, Kind::TimedOut, "no answer within the time limit");
        loop {
            let ended = |attempts, outcome, certain| Sent { attempts, outcome, certain, uid: None };
            if attempts.sent > 0 {
                let certain = !answer_lost;
                match tokio::time::timeout_at(deadline.into(), guard.is_ours()).await {
                    Ok(true) => {}
                    Ok(false) => {
                        let lost =
                            ClusterError::new(timed.doing, Kind::Conflict, "the lock on the run was lost");
                        return ended(attempts, Err(lost), certain);
                    }
                    Err(_) => return ended(attempts, Err(last.unwrap_or_else(late)), false),
                }
            }
            if attempts.sent > 0
                && let Err(error) = self.check_before(timed).await
            {
                let left = deadline.saturating_duration_since(monotonic_now());
                if self.may_pass(&error) && !left.is_zero() {
                    repeated(&error);
                    tokio::time::sleep(wait(attempts.sent, error.retry_after).min(left)).await;
                    last = Some(error);
                    continue;
                }
                let restarted =
                    matches!(timed.meaning, Idempotency::Restart { .. } | Idempotency::Evict { .. });
                if restarted && answer_lost && error.kind == Kind::Conflict {
                    return ended(attempts, Ok(monotonic_now()), true);
                }
                let certain = !answer_lost && !self.may_pass(&error);
                return ended(attempts, Err(error), certain);
            }
            attempts.sent += 1;
            let sent = monotonic_now();
            let call = self.call(timed.doing, timed.request.clone());
            let answered = tokio::time::timeout_at(deadline.into(), call).await;
            let now = monotonic_now();
            let error = match answered {
                Ok(Ok(answer)) => {
                    let written = watch_delay::written(&answer);
                    if let Some(version) = written.as_ref().and_then(watch_delay::Written::version) {
                        self.echo().answered(version, sent, now);
                    }
                    let creates =
                        matches!(timed.meaning, Idempotency::Create { .. } | Idempotency::Migrate { .. });
                    let uid = written.filter(|_| creates).map(watch_delay::Written::uid);
                    return Sent { uid, ..ended(attempts, Ok(now), true) };
                }
                Ok(Err(error)) => error,
                // An earlier answer is more informative than the timeout of another attempt.
                Err(_) => return ended(attempts, Err(last.unwrap_or_else(late)), false),
            };
            match self.was_done_before(timed, &error, answer_lost).await {
                Earlier::Done(uid) => return Sent { uid, ..ended(attempts, Ok(now), true) },
                Earlier::Strange => {
                    let strange = ClusterError::new(timed.doing, Kind::Conflict, MADE_ANEW);
                    return ended(attempts, Err(strange), true);
                }
                Earlier::Unknown => {}
            }
            let repeatable = matches!(timed.meaning, Idempotency::Patch { .. } | Idempotency::Guarded { .. });
            let race = error.kind == Kind::Conflict && repeatable;
            let passing = self.may_pass(&error) || race;
            if !passing || now >= deadline {
                return ended(attempts, Err(error), !passing && !answer_lost);
            }
            repeated(&error);
            answer_lost |= error.is_ambiguous();
            let pause = wait(attempts.sent, error.retry_after).min(deadline - now);
            tokio::time::sleep(pause).await;
            if error.kind == Kind::Throttled {
                attempts.throttled += 1;
                attempts.throttled_for += pause;
            }
            last = Some(error);
        }
    }

    /// Fails if a request that cannot name a UID would reach a different VM of that name, or a different instance.
    pub async fn check_before(&self, timed: &Timed) -> Result<(), ClusterError> {
        let refused = |why| Err(ClusterError::new(timed.doing, Kind::Conflict, why));
        match &timed.meaning {
            Idempotency::Switch { target, uid } => match self.machine(target).await? {
                Some(vm) if vm.uid() != uid => refused(MADE_ANEW),
                _ => Ok(()),
            },
            Idempotency::Restart { target, uid, instance } => match self.instance(target).await? {
                Some(metadata) if metadata.uid == *instance => {
                    let owner = metadata.owner_references.iter().find(|owner| owner.controller);
                    match owner {
                        Some(owner) if owner.uid != *uid => refused(MADE_ANEW),
                        _ if metadata.deletion_timestamp.is_some() => refused(ENDING),
                        _ => Ok(()),
                    }
                }
                Some(_) => refused(REPLACED),
                None => refused(ENDED),
            },
            Idempotency::Migrate { target, instance, .. } => match self.instance(target).await? {
                Some(metadata) if metadata.uid != *instance => refused(REPLACED),
                Some(metadata) if metadata.deletion_timestamp.is_some() => refused(ENDING),
                Some(_) => Ok(()),
                None => refused(ENDED),
            },
            Idempotency::Evict { target, instance, node } => match self.evicted(target).await? {
                Some(found) if found.metadata.uid != *instance => refused(REPLACED),
                Some(found) if found.metadata.deletion_timestamp.is_some() => refused(ENDING),
                Some(found) if !found.is_on(node) => refused(LEFT),
                Some(_) => Ok(()),
                None => refused(ENDED),
            },
            Idempotency::Create { .. } | Idempotency::Patch { .. } | Idempotency::Guarded { .. } => Ok(()),
        }
    }

    /// Interprets a refusal, which may only mean that an earlier attempt succeeded and its answer was lost.
    async fn was_done_before(&self, timed: &Timed, error: &ClusterError, answer_lost: bool) -> Earlier {
        match &timed.meaning {
            Idempotency::Create { target, run_id } if error.kind == Kind::AlreadyExists => {
                match self.machine(target).await {
                    Ok(Some(vm)) if vm.run_id() == Some(run_id) && vm.metadata().is_labelled_by_us() => {
                        Earlier::Done(Some(vm.uid().into()))
                    }
                    _ => Earlier::Unknown,
                }
            }
            Idempotency::Guarded { target, uid, .. } | Idempotency::Patch { target, uid }
                if error.kind == Kind::Invalid =>
            {
                match (self.machine(target).await, &timed.meaning) {
                    (Ok(Some(vm)), _) if vm.uid() != uid => Earlier::Strange,
                    (Ok(Some(vm)), Idempotency::Guarded { wanted, .. }) if vm.setting() == *wanted => {
                        Earlier::Done(None)
                    }
                    _ => Earlier::Unknown,
                }
            }
            Idempotency::Migrate { object, run_id, .. } if !error.is_transient() => {
                match self.migration(object).await {
                    Ok(Some(found))
                        if found.labels.get(names::RUN_ID) == Some(run_id) && found.is_labelled_by_us() =>
                    {
                        Earlier::Done(Some(found.uid.into()))
                    }
                    _ => Earlier::Unknown,
                }
            }
            // The instance, not the message, shows whether a 429 is virt-api's or a budget's: messages differ by
            // release.
            Idempotency::Evict { target, instance, node } if error.kind == Kind::Throttled => {
                match self.evicted(target).await {
                    Ok(Some(found)) if found.metadata.uid == *instance && found.is_marked(node) => {
                        Earlier::Done(None)
                    }
                    _ => Earlier::Unknown,
                }
            }
            Idempotency::Switch { .. } if answer_lost && error.kind == Kind::Conflict => Earlier::Done(None),
            _ => Earlier::Unknown,
        }
    }
}

/// Idempotency of a refused request
enum Earlier {
    /// An earlier attempt, whose answer was lost, succeeded; the created object has this UID.
    Done(Option<Box<str>>),
    /// Another VM has the name.
    Strange,
    /// An actual refusal.
    Unknown,
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::cluster::machines;
    use crate::cluster::scripted::{Reply, cluster};
    use bootstorm_model::record::Via;

    fn status(code: u16, reason: &str, message: &str) -> Reply {
        let status =
            serde_json::json!({"kind": "Status", "reason": reason, "message": message, "code": code});
        Reply::Answer(code, status.to_string())
    }

    /// Sends the start of a VM to a server that first accepts another request, and then answers as it is told.
    async fn sent(answer: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Sent {
        let asked = AtomicUsize::new(0);
        let cluster = cluster(move |request| match request.uri().path() {
            "/version" => Reply::Answer(200, "{}".to_owned()),
            _ => answer(asked.fetch_add(1, Ordering::Relaxed)),
        });
        cluster.ask_raw("read the version", &version_request()).await.unwrap();
        let target = Target { namespace: "p-1".into(), name: "vm".into() };
        let timed = machines::start(&target, "u", Via::Patch).unwrap();
        let deadline = monotonic_now() + Duration::from_secs(600);
        cluster.send_timed(&timed, deadline, &mut Guard::held(), |_| {}).await
    }

    #[tokio::test(start_paused = true)]
    async fn what_passes_is_waited_for() {
        let passing: [fn() -> Reply; 6] = [
            || status(401, "Unauthorized", "Unauthorized"),
            || status(500, "", "rpc error: code = Unavailable desc = transport is closing"),
            || status(500, "", "context deadline exceeded"),
            || status(500, "InternalError", "Internal error occurred: failed calling webhook \"x\""),
            || status(409, "Conflict", "Operation cannot be fulfilled on resourcequotas \"q\""),
            || Reply::Answer(302, String::new()),
        ];
        for (index, refusal) in passing.into_iter().enumerate() {
            let accepted = || Reply::Answer(200, "{}".to_owned());
            let sent = sent(move |asked| if asked < 5 { refusal() } else { accepted() }).await;
            assert!(sent.outcome.is_ok() && sent.attempts.sent == 6, "{index}: {sent:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_refused_for_good_is_certain_and_what_may_be_done_is_not() {
        let refused = sent(|_| status(403, "Forbidden", "no")).await;
        assert!(refused.outcome.is_err() && refused.certain && refused.attempts.sent == 1, "{refused:?}");
        let lost = sent(|_| status(500, "", "context deadline exceeded")).await;
        assert!(lost.outcome.is_err() && !lost.certain, "{lost:?}");
    }
}
