//! One list and watch that goes on for ever: resumes, lists again when it must, and says where it was blind.

use std::time::{Duration, Instant};

use futures::StreamExt;
use kube::api::WatchParams;
use kube::core::WatchEvent;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use super::call::{built, on, wait};
use super::list::{EXPIRED, version_of};
pub use super::list::{each_page, list_all};
use super::pulse::Pulse;
use super::{Cluster, Kind, Trouble};
use bootstorm_model::observe::clock::monotonic_now;

/// Seconds after which the server is asked to end a watch, so that it is spread over servers again.
const WATCH_SECONDS: u32 = 290;
/// A watch that delivers nothing, not even a bookmark (sent about every 60 s), for this long is dead.
const DEAD_AFTER: Duration = Duration::from_secs(100);
/// After a gap, changes that arrive within this time may have been waiting for us.
const CATCHING_UP: Duration = Duration::from_millis(500);
/// A shorter interruption changes no measured time by more than this, and is not recorded.
const SHORTEST_GAP: Duration = Duration::from_millis(20);
/// How long opening a watch may take.
const OPENING: Duration = Duration::from_secs(30);
/// A watch that cannot be opened for this long is worth a word.
const WORTH_A_WORD: Duration = Duration::from_secs(10);
/// The pause before a watch is opened again does not grow beyond that of this attempt, about a second: one stream more
/// is no load, and every second without it is a gap.
const LONGEST_PAUSE: u32 = 3;
/// The kinds whose versions are counted together with those of `VirtualMachines` for sure.
const COUNTED_WITH_MACHINES: &str = "/apis/kubevirt.io/";

/// An object as far as a watch needs to know it
pub trait Watched: DeserializeOwned + Clone + Send + 'static {
    /// `metadata.resourceVersion`.
    fn resource_version(&self) -> &str;
}

/// What is watched
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The collection.
    pub path: String,
    /// Selects by labels; everything when empty.
    pub labels: String,
    /// Selects by fields; everything when empty.
    pub fields: String,
    /// What existed before is not listed: the first delivery is empty.
    pub only_new: bool,
}

/// What a watch delivers
#[derive(Debug)]
pub enum Told<T> {
    /// Everything that exists now; what is not in it is gone.
    Listed(Vec<T>),
    /// An object appeared or changed.
    Changed(T),
    /// An object was deleted; this is its last state.
    Removed(T),
    /// The watch was blind from `since` until now.
    Blind {
        /// When it last delivered.
        since: Instant,
    },
    /// It has not been possible to open it again for a while.
    Complaint(Trouble),
}

/// A delivery, and when it was received
#[derive(Debug)]
pub struct Heard<T> {
    /// When the client received it.
    pub at: Instant,
    /// It may have waited in a gap.
    pub late: bool,
    /// What it says.
    pub told: Told<T>,
}

/// An open watch; closing it is dropping it
#[derive(Debug)]
pub struct Watch<T> {
    heard: mpsc::UnboundedReceiver<Heard<T>>,
    task: tokio::task::JoinHandle<()>,
}

impl<T> Drop for Watch<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<T: Watched> Watch<T> {
    /// Lists, so that the first delivery is waiting, and begins to watch from there.
    ///
    /// `doing` completes "failed to …". Fails when the first list fails.
    pub async fn open(
        cluster: &Cluster,
        doing: &str,
        path: String,
        selector: String,
    ) -> Result<Self, Trouble> {
        Self::on(cluster, doing, View { path, labels: selector, ..View::default() }).await
    }

    /// The same on any view.
    pub async fn on(cluster: &Cluster, doing: &str, view: View) -> Result<Self, Trouble> {
        let (sender, heard) = mpsc::unbounded_channel();
        let pulse = cluster.pulse();
        let mut follower = Follower {
            stalls: pulse.stalls(),
            pulse,
            cluster: cluster.clone(),
            doing: doing.to_owned(),
            view,
            sender,
        };
        let (items, version, opened) = follower.begin().await?;
        follower.tell(Told::Listed(items), false);
        let task = tokio::spawn(async move { follower.follow(version, opened).await });
        Ok(Self { heard, task })
    }

    /// The next delivery. Safe to cancel. `None` only while the program ends.
    pub async fn next(&mut self) -> Option<Heard<T>> {
        self.heard.recv().await
    }

    /// Like [`Watch::next`], for those who listen to several watches.
    pub fn poll_next(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Option<Heard<T>>> {
        self.heard.poll_recv(cx)
    }
}

struct Follower<T> {
    cluster: Cluster,
    doing: String,
    view: View,
    sender: mpsc::UnboundedSender<Heard<T>>,
    pulse: Pulse,
    /// Stalls of this process that are told already.
    stalls: u32,
}

type Events<T> = futures::stream::BoxStream<'static, Result<WatchEvent<T>, kube::Error>>;

/// Why a stream of events ended
enum End {
    /// The server closed it; go on from the last version.
    Closed,
    /// It broke, or was silent for too long.
    Broken,
    /// The version is too old: everything must be listed again.
    TooOld,
}

impl<T: Watched> Follower<T> {
    fn tell(&mut self, told: Told<T>, late: bool) {
        // Nobody listens any more only when the phase is over; the task is aborted then.
        let _ = self.sender.send(Heard { at: monotonic_now(), late, told });
    }

    async fn list(&self) -> Result<(Vec<T>, String), Trouble> {
        if self.view.only_new {
            return Ok((Vec::new(), version_of(&self.cluster, &self.doing, &self.view.path).await?));
        }
        list_all(&self.cluster, &self.doing, &self.view.path, &self.view.labels).await
    }

    /// Lists and connects, with patience; lists again when what it listed is too old by then.
    async fn begin(&self) -> Result<(Vec<T>, String, Events<T>), Trouble> {
        let began = monotonic_now();
        let mut attempt = 1;
        loop {
            let (items, version) = self.list().await?;
            match self.connect(&version).await {
                Ok(events) => return Ok((items, version, events)),
                Err(trouble) if trouble.kind == Kind::Expired && attempt < EXPIRED => attempt += 1,
                Err(trouble) => self.cluster.pause(trouble, &mut attempt, began).await?,
            }
        }
    }

    async fn connect(&self, version: &str) -> Result<Events<T>, Trouble> {
        let mut params = WatchParams::default().labels(&self.view.labels).timeout(WATCH_SECONDS);
        if !self.view.fields.is_empty() {
            params = params.fields(&self.view.fields);
        }
        let request = built(&self.doing, on(&self.view.path).watch(&params, version))?;
        let generation = self.cluster.generation();
        match self.connect_once(request.clone()).await {
            Err(trouble)
                if trouble.kind == Kind::Credentials && self.cluster.renew_credentials(generation).await =>
            {
                self.connect_once(request).await
            }
            outcome => outcome,
        }
    }

    async fn connect_once(&self, request: http::Request<Vec<u8>>) -> Result<Events<T>, Trouble> {
        let client = self.cluster.client();
        let opening = client.request_events::<T>(request);
        match tokio::time::timeout(OPENING, opening).await {
            Ok(events) => Ok(events.map_err(|error| Trouble::from_client(&self.doing, &error))?.boxed()),
            Err(_) => Err(Trouble::new(&self.doing, Kind::TimedOut, "the watch was not opened in 30s")),
        }
    }

    async fn follow(&mut self, mut version: String, first: Events<T>) {
        let mut events = Some(first);
        let mut last_heard = monotonic_now();
        let mut blind_since = None;
        let mut attempt = 0;
        let mut complained = false;
        loop {
            let stream = match events.take() {
                Some(stream) => Ok(stream),
                None => self.connect(&version).await,
            };
            let end = match stream {
                Ok(stream) => {
                    complained = false;
                    let catching_up_until = self.regained(blind_since.take());
                    let end = self.read(stream, &mut version, &mut last_heard, catching_up_until).await;
                    if !matches!(end, End::Broken) || last_heard.elapsed() < DEAD_AFTER {
                        attempt = 0;
                    }
                    end
                }
                Err(trouble) if trouble.kind == Kind::Expired => End::TooOld,
                Err(trouble) => {
                    tracing::debug!(%trouble, "watch not opened");
                    if !complained && last_heard.elapsed() > WORTH_A_WORD {
                        complained = true;
                        self.tell(Told::Complaint(trouble), true);
                    }
                    End::Broken
                }
            };
            blind_since.get_or_insert(last_heard);
            match end {
                End::Closed => {}
                End::Broken => {
                    attempt += 1;
                    tokio::time::sleep(wait(attempt.min(LONGEST_PAUSE), None)).await;
                }
                End::TooOld => match self.list().await {
                    Ok((items, listed)) => {
                        version = listed;
                        self.regained(blind_since.take());
                        self.tell(Told::Listed(items), true);
                        last_heard = monotonic_now();
                    }
                    Err(trouble) => {
                        tracing::debug!(%trouble, "listing again failed");
                        attempt += 1;
                        tokio::time::sleep(wait(attempt.min(LONGEST_PAUSE), None)).await;
                    }
                },
            }
        }
    }

    /// Tells about a gap, and until when changes count as late because of it.
    fn regained(&mut self, blind_since: Option<Instant>) -> Option<Instant> {
        let since = blind_since?;
        if since.elapsed() < SHORTEST_GAP {
            return None;
        }
        self.tell(Told::Blind { since }, true);
        Some(monotonic_now() + CATCHING_UP)
    }

    /// Notes how late a change is that did not wait in a gap.
    fn compare(&self, object: &T, now: Instant, late: bool) {
        if late || !self.view.path.starts_with(COUNTED_WITH_MACHINES) {
            return;
        }
        if let Ok(version) = object.resource_version().parse() {
            self.cluster.echo().heard(version, now);
        }
    }

    async fn read(
        &mut self,
        mut events: Events<T>,
        version: &mut String,
        last_heard: &mut Instant,
        mut catching_up_until: Option<Instant>,
    ) -> End {
        loop {
            let event = match tokio::time::timeout(DEAD_AFTER, events.next()).await {
                Err(_) => return End::Broken,
                Ok(None) => {
                    // A server that ends the watch was connected until this moment.
                    *last_heard = monotonic_now();
                    return End::Closed;
                }
                Ok(Some(event)) => event,
            };
            if let Some(since) = self.pulse.stall(&mut self.stalls) {
                // We were stopped, and this has been waiting for us.
                catching_up_until = self.regained(Some(since));
            }
            let now = monotonic_now();
            let late = catching_up_until.is_some_and(|until| now < until);
            match event {
                Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)) => {
                    self.compare(&object, now, late);
                    object.resource_version().clone_into(version);
                    self.tell(Told::Changed(object), late);
                }
                Ok(WatchEvent::Deleted(object)) => {
                    self.compare(&object, now, late);
                    object.resource_version().clone_into(version);
                    self.tell(Told::Removed(object), late);
                }
                Ok(WatchEvent::Bookmark(bookmark)) => version.clone_from(&bookmark.metadata.resource_version),
                Ok(WatchEvent::Error(status)) if status.code == 410 => return End::TooOld,
                Ok(WatchEvent::Error(status)) => {
                    tracing::debug!(?status, "watch ended by the server");
                    return End::Broken;
                }
                Err(kube::Error::Api(status)) if status.code == 410 => return End::TooOld,
                Err(error) => {
                    tracing::debug!(%error, "watch broke");
                    return End::Broken;
                }
            }
            *last_heard = now;
        }
    }
}
