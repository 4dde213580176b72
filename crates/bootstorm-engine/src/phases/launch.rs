//! Sends one request per VM when its time has come, under a limit of requests in flight.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{sleep_until, timeout, timeout_at};

use super::Interrupt;
use super::errand::{Errand, Maker};
use super::ground::Ground;
use crate::cluster::call::wait;
use crate::cluster::guard::Guard;
use crate::cluster::pace::{Sent, Timed};
use crate::cluster::{Cluster, ClusterError, Kind};
use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_model::plan::shape::Due;

/// Pause after which connections may have been closed; they are reopened before the next requests.
const LONG_PAUSE: Duration = Duration::from_secs(2);
/// Lead time for reopening them, and the maximum delay for requests without a fixed time.
const WARM_UP: Duration = Duration::from_secs(1);

/// Report about one VM's request
#[derive(Debug)]
pub(crate) struct RequestReport {
    /// The VM.
    pub(crate) target: u32,
    /// Time.
    pub(crate) at: Instant,
    /// Event.
    pub(crate) what: RequestEvent,
}

/// Event of a request
#[derive(Debug)]
pub(crate) enum RequestEvent {
    /// The request is about to be written.
    Sent,
    /// An attempt failed and is retried.
    Repeated(ClusterError),
    /// Accepted, or its retries ended.
    Ended(Sent),
    /// Not sent, because the user interrupted, the phase was stopped, or the lock was lost.
    Skipped,
}

/// Work for a VM, and its time
#[derive(Debug)]
pub(crate) struct Scheduled {
    /// The VM.
    pub(crate) target: u32,
    /// When it may be sent; times count from the beginning of the launch.
    pub(crate) due: Due,
    /// Work.
    pub(crate) errand: Errand,
}

/// Requests in flight; dropping it stops sending and abandons unanswered requests
pub(crate) struct Launching {
    news: mpsc::UnboundedReceiver<RequestReport>,
    stop: watch::Sender<bool>,
    through: watch::Sender<u32>,
    _tasks: JoinSet<()>,
}

impl Launching {
    /// The next event of a request; `None` after the last.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<RequestReport>> {
        self.news.poll_recv(cx)
    }

    /// Prevents requests that have not been sent yet.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Sets the number of completed waves, which releases the next one.
    pub(crate) fn release(&self, through: u32) {
        self.through.send_if_modified(|known| std::mem::replace(known, through) != through);
    }
}

/// Inputs of a launch
pub(crate) struct Launch<'a> {
    pub(crate) cluster: &'a Cluster,
    /// Limit on requests in flight, never on observation.
    pub(crate) concurrency: usize,
    /// Time since its first attempt during which a request is repeated, if that is safe.
    pub(crate) patience: Duration,
    pub(crate) interrupt: &'a Interrupt,
    pub(crate) guard: &'a Guard,
    /// Namespaces in which VMs are created.
    pub(crate) ground: Ground,
    /// Builds the requests.
    pub(crate) maker: Maker,
}

impl Launch<'_> {
    /// Releases the requests in order, each when it is due. Each VM produces exactly one `Answered` or `Skipped`.
    pub(crate) fn begin(self, requests: Vec<Scheduled>) -> Launching {
        let (sender, news) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let (through, waves) = watch::channel(0);
        let dispatcher = Dispatcher {
            cluster: self.cluster.clone(),
            seats: Arc::new(Semaphore::new(self.concurrency.max(1))),
            concurrency: self.concurrency.max(1),
            patience: self.patience,
            interrupt: self.interrupt.clone(),
            stopped,
            waves,
            guard: self.guard.clone(),
            ground: Arc::new(self.ground),
            maker: Arc::new(self.maker),
            news: sender,
            zero: monotonic_now(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(dispatcher.run(requests));
        Launching { news, stop, through, _tasks: tasks }
    }
}

/// Releases one request after the other
struct Dispatcher {
    cluster: Cluster,
    seats: Arc<Semaphore>,
    concurrency: usize,
    patience: Duration,
    interrupt: Interrupt,
    stopped: watch::Receiver<bool>,
    waves: watch::Receiver<u32>,
    guard: Guard,
    ground: Arc<Ground>,
    maker: Arc<Maker>,
    news: mpsc::UnboundedSender<RequestReport>,
    /// Zero of the schedule.
    zero: Instant,
}

impl Dispatcher {
    async fn run(mut self, requests: Vec<Scheduled>) {
        let mut tasks = JoinSet::new();
        let (mut last_sent, mut last_due) = (self.zero, Due::After(Duration::ZERO));
        let dues: Vec<Due> = requests.iter().map(|request| request.due).collect();
        for (place, scheduled) in requests.into_iter().enumerate() {
            if scheduled.due != last_due {
                let together = dues[place..].iter().take_while(|due| **due == scheduled.due).count();
                self.wait(scheduled.due, last_sent, together).await;
                last_due = scheduled.due;
            }
            // Permits are taken here, one after the other, so that the VMs go in order.
            let Some(seat) = self.seat().await else {
                tell(&self.news, scheduled.target, monotonic_now(), RequestEvent::Skipped);
                continue;
            };
            last_sent = monotonic_now();
            // A task keeps its memory until it is joined.
            while tasks.try_join_next().is_some() {}
            tasks.spawn(self.send(scheduled, seat));
            if place == 0 {
                // If several clusters start together, the first request of each is sent before the second of any.
                yield_now().await;
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    /// Waits until requests are due, or sending has stopped.
    async fn wait(&mut self, due: Due, last_sent: Instant, together: usize) {
        let connections = together.min(self.concurrency);
        let cluster = self.cluster.clone();
        let (zero, waves) = (self.zero, &mut self.waves);
        let waiting = async move {
            match due {
                Due::After(time) => {
                    let at = zero + time;
                    if at.saturating_duration_since(last_sent) > LONG_PAUSE {
                        let early = time.saturating_sub(WARM_UP);
                        sleep_until((zero + early).into()).await;
                        let _ = timeout_at(at.into(), cluster.warm(connections)).await;
                    }
                    sleep_until(at.into()).await;
                }
                Due::Wave(wave) => {
                    if waves.wait_for(|through| *through >= wave).await.is_err() {
                        // Nothing follows any more: this task is about to be dropped.
                        std::future::pending::<()>().await;
                    }
                    let now = monotonic_now();
                    if now.duration_since(last_sent) > LONG_PAUSE {
                        let _ = timeout_at((now + WARM_UP).into(), cluster.warm(connections)).await;
                    }
                }
            }
        };
        tokio::select! {
            biased;
            () = halted(&mut self.interrupt, &mut self.stopped) => {}
            () = waiting => {}
        }
    }

    /// A permit for a request in flight; `None` once sending has stopped.
    async fn seat(&mut self) -> Option<OwnedSemaphorePermit> {
        let seats = Arc::clone(&self.seats);
        tokio::select! {
            biased;
            () = halted(&mut self.interrupt, &mut self.stopped) => None,
            seat = seats.acquire_owned() => seat.ok(),
        }
    }

    /// Sends one request and reports its events.
    fn send(&self, scheduled: Scheduled, seat: OwnedSemaphorePermit) -> impl Future<Output = ()> + use<> {
        let Scheduled { target, errand, .. } = scheduled;
        let (cluster, news, patience) = (self.cluster.clone(), self.news.clone(), self.patience);
        let (mut guard, interrupt, stopped) =
            (self.guard.clone(), self.interrupt.clone(), self.stopped.clone());
        let (ground, maker) = (Arc::clone(&self.ground), Arc::clone(&self.maker));
        async move {
            let _seat = seat;
            let request = match maker.make(target, errand) {
                Ok(request) => request,
                Err(error) => {
                    tell(&news, target, monotonic_now(), RequestEvent::Ended(Sent::refused(error)));
                    return;
                }
            };
            // As long as a request itself would be repeated.
            let is_ours = timeout(patience, guard.is_ours()).await;
            if is_ours == Ok(false) || interrupt.is_set() || *stopped.borrow() {
                tell(&news, target, monotonic_now(), RequestEvent::Skipped);
                return;
            }
            if is_ours.is_err() {
                let seconds = patience.as_secs();
                let message = format!("the lock on the run could not be renewed for {seconds}s");
                let error = ClusterError::new(request.doing, Kind::TimedOut, message);
                tell(&news, target, monotonic_now(), RequestEvent::Ended(Sent::refused(error)));
                return;
            }
            let allowed = match ground.check(&request) {
                Ok(()) => checked(&cluster, &request, patience, &interrupt, &stopped).await,
                refused => refused,
            };
            let at = monotonic_now();
            tell(&news, target, at, RequestEvent::Sent);
            let repeated = |error: &ClusterError| {
                tell(&news, target, monotonic_now(), RequestEvent::Repeated(error.clone()));
            };
            let sent = match allowed {
                Ok(()) => cluster.send_timed(&request, at + patience, &mut guard, repeated).await,
                Err(error) => Sent::refused(error),
            };
            let at = sent.outcome.as_ref().copied().unwrap_or_else(|_| monotonic_now());
            tell(&news, target, at, RequestEvent::Ended(sent));
        }
    }
}

/// Checks what a request would reach, for as long as the request itself would be repeated.
async fn checked(
    cluster: &Cluster,
    request: &Timed,
    patience: Duration,
    interrupt: &Interrupt,
    stopped: &watch::Receiver<bool>,
) -> Result<(), ClusterError> {
    let until = monotonic_now() + patience;
    let mut attempt = 1;
    loop {
        let outcome = cluster.check_before(request).await;
        match outcome {
            Err(error) if cluster.may_pass(&error) && !interrupt.is_set() && !*stopped.borrow() => {
                let left = until.saturating_duration_since(monotonic_now());
                if left.is_zero() {
                    return Err(error);
                }
                tokio::time::sleep(wait(attempt, error.retry_after).min(left)).await;
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}

fn tell(news: &mpsc::UnboundedSender<RequestReport>, target: u32, at: Instant, what: RequestEvent) {
    // The receiver is gone only when the phase has ended.
    let _ = news.send(RequestReport { target, at, what });
}

/// Waits until sending has stopped.
async fn halted(interrupt: &mut Interrupt, stopped: &mut watch::Receiver<bool>) {
    let stop = async {
        if stopped.wait_for(|stopped| *stopped).await.is_err() {
            // Nothing follows any more: this task is about to be dropped.
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = interrupt.wait() => {}
        () = stop => {}
    }
}
