//! All watches, probers and requests of a phase as one stream of observations.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::task::JoinSet;

use crate::cluster::changes::{ChangeEvent, Changes};
use crate::cluster::decode::Undecodable;
use crate::cluster::insight::Insight;
use crate::cluster::launchers::Pod;
use crate::cluster::migrations::{Migrations, Vmim};
use crate::cluster::notices::CoreEvent;
use crate::cluster::scope::Scope;
use crate::cluster::stall::Stalls;
use crate::cluster::volumes::{DataVolume, Volumes};
use crate::cluster::watch::{Delivery, WatchEvent};
use crate::cluster::{Cluster, ClusterError};
use crate::phases::launch::{Launching, RequestEvent};
use crate::phases::prober::ProberEvent;
use crate::phases::probing::Probing;
use bootstorm_model::observation::{Observation, Request, Stream, StreamKind, What};
use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_model::observe::{Clock, Migration, NoticeKind};
use bootstorm_model::plan::Target;
use bootstorm_model::probe::{Answer, Ask, By};

/// Maximum number of observations taken before other work.
const MOST_AT_ONCE: usize = 256;

/// Open streams of a phase; dropping it closes them and stops sending requests
pub(crate) struct Streams {
    pub(crate) cluster: Cluster,
    pub(crate) clock: Clock,
    pub(crate) launching: Launching,
    pub(crate) changes: Changes,
    /// `None` unless disks are followed.
    pub(crate) volumes: Option<Volumes>,
    /// `None` unless VMs are migrated.
    pub(crate) migrations: Option<Migrations>,
    /// Whether a change of a migration could not be read: what it reported first shows in a later one.
    pub(crate) has_unread_migrations: bool,
    /// `None` unless launcher pods and events are followed.
    pub(crate) insight: Option<Insight>,
    /// `None` unless guests are probed from pods.
    pub(crate) probing: Option<Probing>,
    /// Periods in which this process did not run.
    pub(crate) stalls: Stalls,
    /// Lists in progress.
    pub(crate) lists: JoinSet<(Stream, Result<What, ClusterError>)>,
    /// Observations not yet taken.
    pub(crate) ready: Vec<Observation>,
}

impl Streams {
    /// Streams, each with the namespace that it covers; `None` means all.
    pub(crate) fn covers(
        scope: &Scope,
        changes: &Changes,
        volumes: Option<&Volumes>,
        migrations: Option<&Migrations>,
        insight: Option<&Insight>,
        probing: Option<&Probing>,
    ) -> Vec<(Stream, Option<String>)> {
        let several = |kind, count: usize| (0..count).map(move |number| (Stream::new(kind, number), None));
        let names = match scope {
            Scope::Namespaces(names) if names.len() == changes.watches() => names.as_slice(),
            _ => &[],
        };
        let each = |kind, count: usize| {
            (0..count).map(move |number| (Stream::new(kind, number), names.get(number).cloned()))
        };
        each(StreamKind::Instances, changes.watches())
            .chain(each(StreamKind::Migrations, migrations.map_or(0, Migrations::watches)))
            .chain(several(StreamKind::Volumes, usize::from(volumes.is_some())))
            .chain(several(StreamKind::Pods, insight.map_or(0, |insight| insight.pods.len())))
            .chain(several(StreamKind::Events, insight.map_or(0, |insight| insight.events.len())))
            .chain(several(StreamKind::Prober, probing.map_or(0, Probing::probers)))
            .collect()
    }

    /// The next observations, at least one, in order. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Vec<Observation> {
        poll_fn(|cx| {
            while self.ready.len() < MOST_AT_ONCE && self.poll(cx).is_ready() {}
            if self.ready.is_empty() { Poll::Pending } else { Poll::Ready(std::mem::take(&mut self.ready)) }
        })
        .await
    }

    /// Prevents requests that have not been sent yet.
    pub(crate) fn stop_requests(&self) {
        self.launching.stop();
    }

    /// Lists the objects that a watch covers, separately from it.
    pub(crate) fn list(&mut self, stream: Stream) {
        let began = self.clock.now();
        if let (StreamKind::Migrations, Some(migrations)) = (stream.kind, &self.migrations) {
            let listing = migrations.list(&self.cluster, stream.number as usize);
            self.lists.spawn(async move { (stream, listing.await.map(|all| What::Migrations(began, all))) });
        }
        match (stream.kind, &self.volumes) {
            (StreamKind::Instances, _) => {
                let listing = self.changes.list(&self.cluster, stream.number as usize);
                self.lists.spawn(async move {
                    let all = listing.await;
                    (stream, all.map(|(readable, others)| What::Instances(began, readable, others)))
                });
            }
            (StreamKind::Volumes, Some(volumes)) => {
                let listing = volumes.list(&self.cluster);
                self.lists.spawn(async move { (stream, listing.await.map(|all| What::Volumes(began, all))) });
            }
            _ => {}
        }
    }

    /// Reopens a watch.
    pub(crate) fn reopen(&mut self, stream: Stream) {
        if let (StreamKind::Migrations, Some(migrations)) = (stream.kind, &self.migrations) {
            migrations.reopen(stream.number as usize);
        }
        match (stream.kind, &mut self.volumes) {
            (StreamKind::Instances, _) => self.changes.reopen(stream.number as usize),
            (StreamKind::Volumes, Some(volumes)) => volumes.watch().reopen(),
            _ => {}
        }
    }

    /// Sends a request to a prober.
    pub(crate) fn ask(&self, prober: usize, ask: Ask) {
        if let Some(probing) = &self.probing {
            probing.ask(prober, ask);
        }
    }

    fn push(&mut self, stream: Option<Stream>, at: Instant, late: bool, what: What) {
        self.ready.push(Observation { stream, at: self.clock.at(at), late, what });
    }

    /// Takes the available observations of the streams; requests come first, since their effects come after them.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Poll::Ready(Some(news)) = self.launching.poll_next(cx) {
            let request = match news.what {
                RequestEvent::Sent => Request::Sent,
                RequestEvent::Repeated(error) => Request::Repeated(error.message),
                RequestEvent::Skipped => Request::Skipped,
                RequestEvent::Ended(sent) => match sent.outcome {
                    Ok(_) => Request::Accepted { attempts: sent.attempts, uid: sent.uid },
                    Err(error) => Request::Refused {
                        attempts: sent.attempts,
                        why: error.to_string(),
                        certain: sent.certain,
                    },
                },
            };
            let late = self.stalls.covers(news.at);
            self.push(None, news.at, late, What::Request(news.target, request));
            return Poll::Ready(());
        }
        if let Poll::Ready(Some(received)) = self.changes.poll_next(cx) {
            let stream = Some(Stream::new(StreamKind::Instances, received.number));
            let (at, late) = (received.at, received.late);
            match received.event {
                ChangeEvent::Changes(changes) => {
                    for change in changes {
                        self.push(stream, at, late, What::Instance(change));
                    }
                }
                ChangeEvent::Interrupted { since, expected } => {
                    let what = self.gap(since, expected, None);
                    self.push(stream, at, late, what);
                }
                ChangeEvent::Restored => self.push(stream, at, late, What::GapClosed),
                ChangeEvent::Unreadable(fault) => self.push(stream, at, late, unreadable(&fault)),
                ChangeEvent::Complaint(error) => {
                    self.push(stream, at, late, What::Complaint(error.to_string()));
                }
            }
            return Poll::Ready(());
        }
        if let Some(Poll::Ready(heard)) = self.probing.as_mut().map(|probing| probing.poll_next(cx)) {
            self.said(heard);
            return Poll::Ready(());
        }
        if let Some(volumes) = &mut self.volumes
            && let Poll::Ready(Some(heard)) = volumes.watch().poll_next(cx)
        {
            let stream = Stream::new(StreamKind::Volumes, 0);
            self.delivered(stream, heard, |volume: DataVolume, _| volume.volume().map(What::Volume));
            return Poll::Ready(());
        }
        if self.poll_migrations(cx).is_ready() {
            return Poll::Ready(());
        }
        if let Some(insight) = &mut self.insight {
            for (number, watch) in insight.pods.iter_mut().enumerate() {
                if let Poll::Ready(Some(heard)) = watch.poll_next(cx) {
                    let (stream, cluster) = (Stream::new(StreamKind::Pods, number), self.cluster.clone());
                    self.delivered(stream, heard, |pod: Pod, gone| {
                        let mut launcher = pod.launcher(gone)?;
                        // The server may quote a manifest.
                        launcher.state = cluster.without_secrets(&launcher.state);
                        Some(What::Pod(launcher))
                    });
                    return Poll::Ready(());
                }
            }
            for (number, watch) in insight.events.iter_mut().enumerate() {
                if let Poll::Ready(Some(heard)) = watch.poll_next(cx) {
                    let (stream, cluster) = (Stream::new(StreamKind::Events, number), self.cluster.clone());
                    self.delivered(stream, heard, |event: CoreEvent, gone| {
                        // Events disappear when they expire, which means nothing.
                        let mut notice = event.notice().filter(|_| !gone)?;
                        if let NoticeKind::Warning { message, .. } = &mut notice.what {
                            *message = cluster.without_secrets(message);
                        }
                        Some(What::Notice(notice))
                    });
                    return Poll::Ready(());
                }
            }
        }
        if let Poll::Ready(Some(listed)) = self.lists.poll_join_next(cx) {
            if let Ok((stream, outcome)) = listed {
                let what = outcome.unwrap_or_else(|error| {
                    tracing::debug!(%error, "a confirming list failed");
                    What::Unlisted
                });
                self.push(Some(stream), monotonic_now(), true, what);
            }
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Takes a delivery of the watch on migrations.
    fn poll_migrations(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(migrations) = &mut self.migrations
            && let Poll::Ready(Some((number, heard))) = migrations.poll_next(cx)
        {
            let stream = Stream::new(StreamKind::Migrations, number);
            let time = |at| self.cluster.server_time(at);
            let (after, committed) = (heard.commit.after.map(time), heard.commit.by.map(time));
            self.has_unread_migrations |= matches!(heard.event, WatchEvent::Unreadable(_));
            let is_repeated = self.has_unread_migrations;
            let read = |migration: Vmim, gone| {
                let migration = migration.migration(gone);
                let written = migration.written.max(after);
                Some(What::Migration(Migration { written, committed, is_repeated, ..migration }))
            };
            self.delivered(stream, heard, read);
            return Poll::Ready(());
        }
        Poll::Pending
    }

    fn gap(&self, since: Instant, expected: bool, why: Option<String>) -> What {
        What::GapOpened { since: self.clock.at(since), expected, why }
    }

    /// Takes the delivery of a watch; `read` gets an object, and whether it is gone.
    fn delivered<T>(&mut self, stream: Stream, heard: Delivery<T>, read: impl Fn(T, bool) -> Option<What>) {
        let Delivery { at, mut late, event, .. } = heard;
        // What exists when a watch is opened came to be before.
        late |= matches!(event, WatchEvent::Listed(_));
        let all: Vec<What> = match event {
            WatchEvent::Listed(objects) => {
                objects.into_iter().filter_map(|object| read(object, false)).collect()
            }
            WatchEvent::Changed(object) => read(object, false).into_iter().collect(),
            WatchEvent::Removed(object) => read(object, true).into_iter().collect(),
            WatchEvent::Unreadable(fault) if matches!(stream.kind, StreamKind::Volumes) => {
                vec![unreadable(&fault)]
            }
            WatchEvent::Unreadable(fault) => {
                tracing::debug!(%fault, "skipped");
                Vec::new()
            }
            WatchEvent::Interrupted { since, expected } => vec![self.gap(since, expected, None)],
            WatchEvent::Restored => vec![What::GapClosed],
            WatchEvent::Complaint(error) => vec![What::Complaint(error.to_string())],
        };
        for what in all {
            self.push(Some(stream), at, late, what);
        }
    }

    /// Takes a message of a prober.
    fn said(&mut self, heard: ProberEvent) {
        let (prober, at, what) = match heard {
            ProberEvent::Opened { prober, hello } => {
                if let Some(millis) = self.probing.as_ref().map(|probing| probing.interval_millis(hello)) {
                    let stream = Some(Stream::new(StreamKind::Prober, prober));
                    self.push(stream, monotonic_now(), false, What::Interval(millis));
                }
                (prober, monotonic_now(), What::GapClosed)
            }
            ProberEvent::Echo { prober, by, asked, at } => {
                let asked = self.clock.at(asked);
                if by == By::Script {
                    let stream = Some(Stream::new(StreamKind::Prober, prober));
                    self.push(stream, at, false, What::Told(asked));
                }
                (prober, at, What::Echo(asked))
            }
            ProberEvent::Broken { prober, since, why } => {
                (prober, monotonic_now(), self.gap(since, false, Some(why)))
            }
            ProberEvent::Said { prober, at, answer } => {
                let what = match answer {
                    Answer::Reached(id) => What::Answer(id),
                    Answer::Quiet(id, millis) => What::Quiet(id, millis),
                    Answer::Back { id, gap, lost } => What::Back { id, gap, lost },
                    Answer::Cannot(id, why) => What::Cannot(id, why),
                    Answer::Neighbor(_) => What::Neighbor,
                    Answer::Warning(why) => What::Complaint(format!("prober {}: {why}", prober + 1)),
                    Answer::Hello(_) | Answer::Echo(_) | Answer::Wanted(_) | Answer::Lacks(..) => return,
                };
                (prober, at, what)
            }
        };
        self.push(Some(Stream::new(StreamKind::Prober, prober)), at, false, what);
    }
}

/// An unreadable object leaves its VM without a proof.
fn unreadable(fault: &Undecodable) -> What {
    let target = Target { namespace: fault.namespace.clone(), name: fault.name.clone() };
    What::Unreadable(Some(target).filter(|target| !target.name.is_empty()), fault.to_string())
}
