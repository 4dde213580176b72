//! One list and watch that continues forever: resumes, relists if necessary, and reports when it was blind.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE};
use http::{HeaderValue, Request};
use kube::api::WatchParams;
use tokio::sync::{Notify, mpsc};
use tokio::time::sleep_until;

use super::call::{built, on, wait};
use super::decode::{self, Heard, Undecodable};
use super::frames::{Frames, Framing};
use super::list::{EXPIRED, METADATA, METADATA_EACH, list_within, version_of};
pub use super::list::{count, each_page, list_all, list_metadata};
use super::metadata::Watched;
use super::stall::{CATCHING_UP, Pulse};
use super::watch_delay::Commit;
use super::{Cluster, ClusterError, Kind, messages, protobuf};
use bootstorm_model::observe::clock::{elapsed_since, monotonic_now};

/// Seconds after which the server is requested to end a watch, so that watches are spread over servers again.
const WATCH_SECONDS: u32 = 290;
/// A watch that the server ends after this long has ended as requested.
const TIME_IS_UP: Duration = Duration::from_secs(WATCH_SECONDS as u64 - 5);
/// A watch that delivers nothing for this long, not even a bookmark, may be dead.
///
/// A server sends bookmarks about every 60 s, but only if it knows of a newer version: none for a quiet collection if
/// etcd does not notify of progress (`--watch-progress-notify-interval`; 10 min by default, kubeadm sets 5 s).
const SUSPECTED_AFTER: Duration = Duration::from_secs(100);
/// A watch that ends as requested, and is open again within this time, has no gap.
const SHORTEST_GAP: Duration = Duration::from_millis(20);
/// A watch that delivers nothing and ends within this time is reopened only after a pause.
const FRUITLESS: Duration = Duration::from_secs(5);
/// Warn if a watch cannot reconnect within this time.
const WORTH_A_WORD: Duration = Duration::from_secs(10);
/// The pause before a watch is reopened does not grow beyond that of this attempt, about a second: one more stream is
/// no load, and every second without it is a gap.
const LONGEST_PAUSE: u32 = 3;
/// Kinds whose versions are certainly counted together with those of `VirtualMachines`.
const COUNTED_WITH_MACHINES: &str = "/apis/kubevirt.io/";

/// Scope of a watch
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Collection.
    pub path: String,
    /// Label selector; empty selects everything.
    pub labels: String,
    /// Field selector; empty selects everything.
    pub fields: String,
    /// Whether existing objects are not listed: the first delivery is empty.
    pub only_new: bool,
    /// Parts of the objects that are needed.
    pub needs: Needs,
}

/// Parts of the objects that a watch needs
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Needs {
    /// Whole objects.
    #[default]
    Objects,
    /// Whole objects in lists, but only metadata in changes: less than half of the bytes of an instance.
    MetadataOfChanges,
    /// Only metadata.
    Metadata,
}

/// Delivery of a watch
#[derive(Debug)]
pub enum WatchEvent<T> {
    /// Everything that exists now; other objects are gone.
    Listed(Vec<T>),
    /// An object appeared or changed.
    Changed(T),
    /// An object was deleted; this is its last state.
    Removed(T),
    /// An object appeared, changed or was deleted, but is unreadable.
    Unreadable(Undecodable),
    /// The watch no longer delivers.
    Interrupted {
        /// Last delivery.
        since: Instant,
        /// Whether it ended as requested. Reopened within `SHORTEST_GAP`, it has missed nothing.
        expected: bool,
    },
    /// The watch delivers again; missed changes follow.
    Restored,
    /// The watch could not be reopened for a while.
    Complaint(ClusterError),
}

/// A delivery, and the time of its receipt
#[derive(Debug)]
pub struct Delivery<T> {
    /// Time at which the client received it.
    pub at: Instant,
    /// Whether it may have waited in a gap.
    pub late: bool,
    /// When it was committed, as far as known.
    pub commit: Commit,
    /// Content.
    pub event: WatchEvent<T>,
}

/// An open watch; closed on drop
#[derive(Debug)]
pub struct Watch<T> {
    heard: mpsc::UnboundedReceiver<Delivery<T>>,
    reopen: Arc<Notify>,
    delivered: Arc<Mutex<Instant>>,
    task: tokio::task::JoinHandle<()>,
}

impl<T> Drop for Watch<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<T: Watched> Watch<T> {
    /// Lists, so that the first delivery is available, and begins to watch from there.
    ///
    /// `doing` completes "failed to …". Fails if the first list fails.
    pub async fn open(
        cluster: &Cluster,
        doing: &str,
        path: String,
        selector: String,
    ) -> Result<Self, ClusterError> {
        Self::on(cluster, doing, View { path, labels: selector, ..View::default() }).await
    }

    /// Like [`Watch::open`], for any view.
    pub async fn on(cluster: &Cluster, doing: &str, view: View) -> Result<Self, ClusterError> {
        let (sender, heard) = mpsc::unbounded_channel();
        let (pulse, now, reopen) = (cluster.pulse(), monotonic_now(), Arc::new(Notify::new()));
        let mut follower = Follower {
            cluster: cluster.clone(),
            doing: doing.to_owned(),
            view,
            sender,
            stalls: pulse.stalls(),
            pulse,
            reopen: Arc::clone(&reopen),
            version: String::new(),
            last_heard: now,
            delivered: Arc::new(Mutex::new(now)),
            blind: false,
            late_until: None,
            quiet_since: None,
        };
        let opened = follower.begin().await?;
        let delivered = Arc::clone(&follower.delivered);
        follower.delivers(monotonic_now());
        let task = tokio::spawn(async move { follower.follow(opened).await });
        Ok(Self { heard, reopen, delivered, task })
    }

    /// The next delivery. Cancel-safe. `None` only while the program ends.
    pub async fn next(&mut self) -> Option<Delivery<T>> {
        self.heard.recv().await
    }

    /// Like [`Watch::next`], for callers that poll several watches.
    pub fn poll_next(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Option<Delivery<T>>> {
        self.heard.poll_recv(cx)
    }

    /// Time at which it last proved to deliver: by a change or a bookmark, or by being opened.
    pub fn delivered(&self) -> Instant {
        *self.delivered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reopens the connection, because changes are known that should have come in on it.
    pub fn reopen(&self) {
        self.reopen.notify_one();
    }
}

struct Follower<T> {
    cluster: Cluster,
    doing: String,
    view: View,
    sender: mpsc::UnboundedSender<Delivery<T>>,
    pulse: Pulse,
    /// Stalls of this process that have been reported.
    stalls: u32,
    reopen: Arc<Notify>,
    /// Version from which the watch continues.
    version: String,
    /// Time at which the connection was last known to deliver.
    last_heard: Instant,
    /// That time, shared with the holder of the watch.
    delivered: Arc<Mutex<Instant>>,
    /// Whether the interruption has been reported.
    blind: bool,
    /// Time until which changes may have waited in a gap.
    late_until: Option<Instant>,
    /// Last delivery of a watch that was replaced because it was silent. It was quiet, unless the next one begins with
    /// changes that it should have delivered.
    quiet_since: Option<Instant>,
}

/// Reason for the end of a stream of events
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The server closed it; continue from the last version.
    Closed,
    /// It broke.
    Broken,
    /// It was silent for so long that it may be dead.
    Silent,
    /// Its version is too old or unknown: everything must be relisted.
    Unresumable,
    /// It is suspected to be dead.
    Suspected,
}

impl<T: Watched> Follower<T> {
    fn tell(&self, event: WatchEvent<T>, late: bool) {
        self.tell_committed(event, late, Commit::default());
    }

    fn tell_committed(&self, event: WatchEvent<T>, late: bool, commit: Commit) {
        // The receiver is gone only when the phase has ended; the task is aborted then.
        let _ = self.sender.send(Delivery { at: monotonic_now(), late, commit, event });
    }

    /// Lists, and delivers the result.
    async fn list(&mut self, late: bool) -> Result<(), ClusterError> {
        let (doing, path) = (&self.doing, &self.view.path);
        if self.view.only_new {
            self.version = version_of::<T>(&self.cluster, doing, path).await?;
            self.tell(WatchEvent::Listed(Vec::new()), late);
            return Ok(());
        }
        let form = (self.view.needs == Needs::Metadata).then_some(METADATA);
        let (listed, version) =
            list_within(&self.cluster, doing, path, &self.view.labels, form, self.cluster.opening_limit())
                .await?;
        self.version = version;
        let mut unreadable = Vec::new();
        let readable =
            listed.into_iter().filter_map(|item| item.map_err(|fault| unreadable.push(fault)).ok());
        let listed = WatchEvent::Listed(readable.collect());
        let mut unreadable: Vec<_> = unreadable.into_iter().map(WatchEvent::Unreadable).collect();
        // The first event of a watch is its list. Later, whoever concludes from a list that something is gone has to know
        // before what it lacks.
        unreadable.insert(if late { unreadable.len() } else { 0 }, listed);
        for event in unreadable {
            self.tell(event, late);
        }
        Ok(())
    }

    /// Lists and connects, with retries; relists if the version has expired by then.
    async fn begin(&mut self) -> Result<Frames, ClusterError> {
        let began = monotonic_now();
        let mut attempt = 1;
        loop {
            let opened = match self.list(false).await {
                Ok(()) => self.connect().await,
                Err(error) => Err(error),
            };
            match opened {
                Ok(events) => return Ok(events),
                Err(error) if error.kind == Kind::Expired && attempt < EXPIRED => attempt += 1,
                Err(error) => self.cluster.pause(error, &mut attempt, began).await?,
            }
        }
    }

    async fn connect(&self) -> Result<Frames, ClusterError> {
        let mut params = WatchParams::default().labels(&self.view.labels).timeout(WATCH_SECONDS);
        if !self.view.fields.is_empty() {
            params = params.fields(&self.view.fields);
        }
        let mut request = built(&self.doing, on(&self.view.path).watch(&params, &self.version))?;
        // A server may compress each event separately, which decoders take for the end of the stream.
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if self.view.needs != Needs::Objects {
            request.headers_mut().insert(ACCEPT, HeaderValue::from_static(METADATA_EACH));
        } else if T::DECODER.is_some() {
            request.headers_mut().insert(ACCEPT, HeaderValue::from_static(protobuf::ACCEPTED));
        }
        self.cluster.renew_when_expired().await;
        let generation = self.cluster.generation();
        match self.connect_once(request.clone()).await {
            Err(error)
                if error.kind == Kind::Credentials && self.cluster.renew_credentials(generation).await =>
            {
                self.connect_once(request).await
            }
            outcome => outcome,
        }
    }

    async fn connect_once(&self, request: Request<Vec<u8>>) -> Result<Frames, ClusterError> {
        let limit = self.cluster.opening_limit();
        match tokio::time::timeout(limit, self.cluster.open(&self.doing, request)).await {
            Ok(opened) => opened.map(|answer| {
                let counted = protobuf::is_announced_by(answer.headers().get(CONTENT_TYPE));
                let framing = if counted { Framing::Lengths } else { Framing::Lines };
                Frames::new(framing, answer.into_body())
            }),
            Err(_) => {
                let message = format!("the watch was not opened in {}s", limit.as_secs_f64());
                Err(ClusterError::new(&self.doing, Kind::TimedOut, message))
            }
        }
    }

    async fn follow(&mut self, first: Frames) {
        let mut events = Some(first);
        let (mut resumable, mut complained) = (true, false);
        // Consecutive failed attempts.
        let mut vain = 0;
        loop {
            let opened = match events.take() {
                Some(events) => Ok(events),
                None if resumable => self.connect().await,
                None => match self.list(true).await {
                    Ok(()) => {
                        resumable = true;
                        self.connect().await
                    }
                    Err(error) => Err(error),
                },
            };
            match opened {
                Ok(mut events) => {
                    complained = false;
                    self.restored();
                    let (opened, before) = (monotonic_now(), self.version.clone());
                    let end = self.read(&mut events).await;
                    let lasted = elapsed_since(opened);
                    tracing::debug!(?end, ?lasted, doing = self.doing, "a watch ended");
                    if end == End::Silent {
                        self.quiet_since = Some(self.last_heard);
                    } else {
                        self.interrupted(end == End::Closed && lasted >= TIME_IS_UP);
                    }
                    let fruitful = self.version != before || lasted >= FRUITLESS;
                    vain = if fruitful && end != End::Unresumable { 0 } else { vain + 1 };
                    resumable = end != End::Unresumable;
                }
                Err(error) => {
                    tracing::debug!(%error, "watch not opened");
                    self.interrupted(false);
                    if !complained && elapsed_since(self.last_heard) > WORTH_A_WORD {
                        complained = true;
                        self.tell(WatchEvent::Complaint(error.clone()), true);
                    }
                    vain += 1;
                    resumable &= error.kind != Kind::Expired;
                }
            }
            // The first attempt follows at once: all of its time is a gap.
            if vain > 1 || vain == 1 && resumable {
                tokio::time::sleep(wait(vain.min(LONGEST_PAUSE), None)).await;
            }
        }
    }

    /// Reports that nothing is delivered any more.
    fn interrupted(&mut self, expected: bool) {
        if !std::mem::replace(&mut self.blind, true) {
            let since = self.quiet_since.take().unwrap_or(self.last_heard);
            self.tell(WatchEvent::Interrupted { since, expected }, true);
        }
    }

    /// Reports that the watch delivers again; for a while after that changes count as late.
    fn restored(&mut self) {
        if std::mem::take(&mut self.blind) {
            self.tell(WatchEvent::Restored, true);
            if elapsed_since(self.last_heard) >= SHORTEST_GAP {
                self.late_until = Some(monotonic_now() + CATCHING_UP);
            }
        }
        if self.quiet_since.is_some() {
            self.late_until = Some(monotonic_now() + CATCHING_UP);
        }
        self.delivers(monotonic_now());
    }

    /// Reports the gap of a watch that was silent because it was dead, as this late change shows.
    fn was_dead(&mut self, late: bool) {
        let Some(since) = self.quiet_since.take().filter(|_| late) else { return };
        self.tell(WatchEvent::Interrupted { since, expected: false }, true);
        self.tell(WatchEvent::Restored, true);
    }

    /// Records that the connection delivered.
    fn delivers(&mut self, now: Instant) {
        self.last_heard = now;
        *self.delivered.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Records the delay of a change that did not wait in a gap; returns what is known about its commit.
    fn compare(&self, object: &T, now: Instant, late: bool) -> Commit {
        if late || !self.view.path.starts_with(COUNTED_WITH_MACHINES) {
            return Commit::default();
        }
        let version = object.resource_version().parse();
        version.map_or_else(|_| Commit::default(), |version| self.cluster.echo().heard(version, now))
    }

    async fn read(&mut self, frames: &mut Frames) -> End {
        let silent = sleep_until((self.last_heard + SUSPECTED_AFTER).into());
        tokio::pin!(silent);
        loop {
            tokio::select! {
                biased;
                received = frames.receive() => match received {
                    Ok(true) => {}
                    Ok(false) => {
                        // A server that ends the watch was connected until this moment.
                        self.last_heard = monotonic_now();
                        return End::Closed;
                    }
                    Err(error) => {
                        tracing::debug!(error, "watch broke");
                        return End::Broken;
                    }
                },
                () = self.reopen.notified() => return End::Suspected,
                () = &mut silent => {
                    let until = self.last_heard + SUSPECTED_AFTER;
                    if until <= monotonic_now() {
                        return End::Silent;
                    }
                    // It has delivered since the timer was set.
                    silent.as_mut().reset(until.into());
                    continue;
                }
            }
            if let Some(since) = self.pulse.stall(&mut self.stalls) {
                // We were stopped, and this has been waiting.
                self.last_heard = since;
                self.interrupted(false);
                self.restored();
            }
            let now = monotonic_now();
            let late = self.late_until.is_some_and(|until| now < until);
            let mut heard = false;
            while let Some(piece) = frames.take() {
                heard = true;
                if let Err(end) = self.take(&piece, frames.framing(), now, late) {
                    return end;
                }
            }
            if heard {
                self.delivers(now);
            }
        }
    }

    /// Delivers a change of an object.
    fn changed(&mut self, object: T, removed: bool, now: Instant, late: bool) {
        self.was_dead(late);
        let commit = self.compare(&object, now, late);
        object.resource_version().clone_into(&mut self.version);
        let event = if removed { WatchEvent::Removed(object) } else { WatchEvent::Changed(object) };
        self.tell_committed(event, late, commit);
    }

    /// Delivers a line or a frame of the watch.
    fn take(&mut self, piece: &[u8], framing: Framing, now: Instant, late: bool) -> Result<(), End> {
        let heard = match (framing, T::DECODER) {
            (Framing::Lines, _) => decode::heard(piece),
            (Framing::Lengths, Some(decoder)) => messages::heard(piece, decoder),
            // Nobody asked for it.
            (Framing::Lengths, None) => None,
        };
        match heard {
            Some(Heard::Changed { object, removed }) => self.changed(object, removed, now, late),
            Some(Heard::Bookmark(version)) => self.version = version,
            Some(Heard::Refused { expired }) => {
                return Err(if expired { End::Unresumable } else { End::Broken });
            }
            Some(Heard::Unreadable(fault)) => {
                let version = fault.version.clone();
                self.was_dead(late);
                self.tell(WatchEvent::Unreadable(fault), late);
                if version.is_empty() {
                    return Err(End::Unresumable);
                }
                self.version = version;
            }
            None => {
                tracing::debug!(bytes = piece.len(), ?framing, "a piece of a watch cannot be read");
                return Err(End::Unresumable);
            }
        }
        Ok(())
    }
}
