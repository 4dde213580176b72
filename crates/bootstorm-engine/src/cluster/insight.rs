//! The watches that tell what lies between the milestones of a VM: launcher pods and events.
//!
//! Beside the watch on instances that every timed phase has. Pods are selected by the run's label, or for adopted VMs by
//! namespace; events carry no labels, so they are selected by what they are about and sorted out here. Nothing is listed
//! that happened before. Whoever may not watch a kind goes without its stages.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Instant;

use futures::future::join_all;

use super::launchers::{LAUNCHERS, Pod};
use super::notices::{CoreEvent, OF_OTHERS, OF_PODS};
use super::scope::Scope;
use super::watch::{Heard, LastGap, Told, View, Watch, Watched};
use super::{Cluster, Trouble};
use bootstorm_model::observe::{Launcher, Notice, NoticeKind};

/// Something that came out of the watches
#[derive(Debug)]
pub enum InsightNews {
    /// Launcher pods appeared, changed or went.
    Launchers(Vec<Launcher>),
    /// An event was recorded.
    Noticed(Notice),
    /// A watch was blind from this instant until now.
    Blind(Instant),
    /// It has not been possible to open one again for a while.
    Complaint(Trouble),
}

/// News, and when we received them
#[derive(Debug)]
pub struct InsightHeard {
    /// When the client received it.
    pub at: Instant,
    /// It may have waited in a gap of the watch.
    pub late: bool,
    /// What it was.
    pub news: InsightNews,
}

/// The open watches
pub struct Insight {
    cluster: Cluster,
    pods: Vec<(Watch<Pod>, LastGap)>,
    events: Vec<(Watch<CoreEvent>, LastGap)>,
    /// What is not watched, and why, in one sentence each.
    pub missing: Vec<String>,
}

impl Insight {
    /// Opens the watches; nothing that happens after that is missed. What cannot be watched is no reason to fail.
    ///
    /// `selector` picks the run's own pods among the launcher pods; without one they are everybody's in the scope.
    pub async fn open(cluster: &Cluster, scope: &Scope, selector: Option<&str>) -> Self {
        let labels = selector.map_or_else(|| LAUNCHERS.to_owned(), |one| format!("{LAUNCHERS},{one}"));
        let pods = scope.collections_of("v1", "pods").into_iter();
        let pods = pods.map(|path| View { path, labels: labels.clone(), ..View::default() });
        let events = scope.collections_of("v1", "events").into_iter().flat_map(|path| {
            let view = move |fields: &str| View {
                path: path.clone(),
                fields: fields.to_owned(),
                only_new: true,
                ..View::default()
            };
            [OF_PODS, OF_OTHERS].map(view)
        });
        let mut missing = Vec::new();
        let (pods, events) = futures::join!(
            open_all(cluster, "watch launcher pods", pods.collect()),
            open_all(cluster, "watch events", events.collect()),
        );
        let mut kept = |what: &str, why: String| missing.push(format!("{what}: {why}"));
        let pods = pods.unwrap_or_else(|why| {
            kept("the stages of launcher pods are not measured", why);
            Vec::new()
        });
        let events = events.unwrap_or_else(|why| {
            kept("warnings, attached volumes and pulled images are not noted", why);
            Vec::new()
        });
        Self { cluster: cluster.clone(), pods, events, missing }
    }

    /// How many streams they are.
    pub fn streams(&self) -> usize {
        self.pods.len() + self.events.len()
    }

    /// The next news; the first are the lists of what existed when the watches were opened. Safe to cancel.
    pub async fn next(&mut self) -> Option<InsightHeard> {
        if self.streams() == 0 {
            return std::future::pending().await;
        }
        loop {
            let heard = poll_fn(|cx| self.poll(cx)).await?;
            let nothing = matches!(&heard.news, InsightNews::Launchers(launchers) if launchers.is_empty());
            if !nothing {
                return Some(InsightHeard { news: self.concealed(heard.news), ..heard });
            }
        }
    }

    /// The same without what no message may show: the server may quote a manifest.
    fn concealed(&self, mut news: InsightNews) -> InsightNews {
        match &mut news {
            InsightNews::Launchers(launchers) => {
                for launcher in launchers {
                    launcher.state = self.cluster.without_secrets(&launcher.state);
                }
            }
            InsightNews::Noticed(Notice { what: NoticeKind::Warning { message, .. }, .. }) => {
                *message = self.cluster.without_secrets(message);
            }
            _ => {}
        }
        news
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<InsightHeard>> {
        for (watch, gap) in &mut self.pods {
            if let Poll::Ready(heard) = watch.poll_next(cx) {
                return Poll::Ready(heard.map(|heard| with(heard, gap, of_pods)));
            }
        }
        for (watch, gap) in &mut self.events {
            if let Poll::Ready(heard) = watch.poll_next(cx) {
                return Poll::Ready(heard.map(|heard| with(heard, gap, of_events)));
            }
        }
        Poll::Pending
    }
}

/// Opens watches that belong together, or says why that is not possible.
async fn open_all<T: Watched>(
    cluster: &Cluster,
    doing: &str,
    views: Vec<View>,
) -> Result<Vec<(Watch<T>, LastGap)>, String> {
    let opening = views.into_iter().map(|view| Watch::on(cluster, doing, view));
    let mut watches = Vec::new();
    for opened in join_all(opening).await {
        match opened {
            Ok(watch) => watches.push((watch, LastGap::default())),
            Err(trouble) => return Err(trouble.message),
        }
    }
    Ok(watches)
}

fn with<T>(heard: Heard<T>, gap: &mut LastGap, of: impl Fn(Told<T>) -> InsightNews) -> InsightHeard {
    let (at, late) = (heard.at, heard.late);
    let news = gap.ended(&heard).map_or_else(|| of(heard.told), InsightNews::Blind);
    InsightHeard { at, late, news }
}

fn of_pods(told: Told<Pod>) -> InsightNews {
    match told {
        Told::Interrupted { .. } | Told::Restored | Told::Unreadable(_) => InsightNews::Launchers(Vec::new()),
        Told::Complaint(trouble) => InsightNews::Complaint(trouble),
        Told::Changed(pod) => InsightNews::Launchers(pod.launcher(false).into_iter().collect()),
        Told::Removed(pod) => InsightNews::Launchers(pod.launcher(true).into_iter().collect()),
        Told::Listed(pods) => {
            InsightNews::Launchers(pods.into_iter().filter_map(|pod| pod.launcher(false)).collect())
        }
    }
}

fn of_events(told: Told<CoreEvent>) -> InsightNews {
    match told {
        Told::Interrupted { .. } | Told::Restored | Told::Unreadable(_) => InsightNews::Launchers(Vec::new()),
        Told::Complaint(trouble) => InsightNews::Complaint(trouble),
        Told::Changed(event) => {
            event.notice().map_or_else(|| InsightNews::Launchers(Vec::new()), InsightNews::Noticed)
        }
        // Events go when their time is up, which tells nothing.
        Told::Removed(_) | Told::Listed(_) => InsightNews::Launchers(Vec::new()),
    }
}
