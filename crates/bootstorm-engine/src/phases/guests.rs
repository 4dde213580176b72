//! Continuously probed guests of an observation.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::task::{Context, Poll};
use std::time::Instant;

use super::prober::{MadeAnew, Place, ProberEvent};
use super::probing::Probing;
use crate::cluster::{Cluster, ClusterError};
use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_model::observe::{Change, Clock, InstancePhase, Offset};
use bootstorm_model::outage::Watcher;
use bootstorm_model::probe::{Answer, Ask, By, Keeping, Pace, Probe, Turn};

/// Origin of probes
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// A pod of the user, `namespace` and name.
    Pod(String, String),
    /// The computer on which this program runs.
    Here,
}

/// A target of the prober
#[derive(Debug, Clone)]
struct Asked {
    vm: u32,
    instance: String,
    address: IpAddr,
    /// Whether it answered.
    answered: bool,
}

/// Delivery of the prober's stream
pub(super) enum Said {
    /// Nothing relevant to the user.
    Nothing,
    /// The stream broke; since when, and why.
    Broken(Instant, String),
    /// The stream works again.
    Restored,
    /// A warning.
    Warning(String),
}

/// A folder of this process for the prober program; removed on drop
struct OwnFolder(PathBuf);

impl OwnFolder {
    /// Creates it, so that no other user can put a program there. Without it, the script probes.
    fn make() -> Option<Self> {
        let folder = std::env::temp_dir().join(format!("bootstorm-prober-{:016x}", rand::random::<u64>()));
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder).ok().map(|()| Self(folder))
    }

    fn path(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for OwnFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The guests, and their prober
pub(super) struct Guests {
    _folder: Option<OwnFolder>,
    probing: Probing,
    probe: Probe,
    keeping: Keeping,
    /// Meaning of each id, including ids no longer probed: their last answer comes after that.
    ids: HashMap<u32, Asked>,
    /// Current id of each probed VM.
    current: HashMap<u32, u32>,
    next: u32,
    /// Last reported answer of each VM, at any address.
    last: HashMap<u32, Offset>,
    millis: u64,
    interrupted: Option<Instant>,
}

impl Guests {
    /// Opens the stream to the prober. Fails if it is not ready in time.
    pub(super) async fn open(
        cluster: &Cluster,
        from: &From,
        probe: Probe,
        vms: usize,
    ) -> Result<Self, ClusterError> {
        let folder = (*from == From::Here).then(OwnFolder::make).flatten();
        let place = match from {
            From::Pod(namespace, pod) => Place {
                namespace: namespace.clone(),
                pod: pod.clone(),
                container: None,
                ours: None,
                here: None,
            },
            From::Here => {
                let (namespace, pod) = (String::new(), "this computer".to_owned());
                Place {
                    namespace,
                    pod,
                    container: None,
                    ours: None,
                    here: Some(folder.as_ref().map_or_else(String::new, OwnFolder::path)),
                }
            }
        };
        // No guest is tried more often than every 200 ms: an observation lasts for hours.
        let pace = Pace::of(vms, &[probe]);
        let pace = Pace { program: pace.program.max(INTERVAL_MILLIS), ..pace };
        let probing = Probing::open(cluster, vec![place], pace, &MadeAnew::default()).await?;
        let millis = probing.health().interval_millis;
        let mut keeping = Keeping::default();
        keeping.set_interval(millis);
        let (ids, current, last) = (HashMap::new(), HashMap::new(), HashMap::new());
        Ok(Self {
            _folder: folder,
            probing,
            probe,
            keeping,
            ids,
            current,
            next: 0,
            last,
            millis,
            interrupted: None,
        })
    }

    /// Time between two attempts on one guest.
    pub(super) fn interval_millis(&self) -> u64 {
        self.millis
    }

    /// Probes the guests of running instances, wherever they are now.
    pub(super) fn follow(&mut self, watcher: &Watcher, change: &Change) {
        match change {
            Change::Present(instance) => {
                let Some(vm) = watcher.position(&instance.target) else { return };
                let runs = instance.phase == InstancePhase::Running;
                let address = instance.address.as_ref().and_then(|address| address.parse::<IpAddr>().ok());
                let Some(address) = address.filter(|_| runs) else { return };
                let known = self.current.get(&vm).and_then(|id| self.ids.get(id));
                if known.is_some_and(|known| known.instance == instance.uid && known.address == address) {
                    return;
                }
                self.drop_of(vm);
                let id = self.next;
                self.next += 1;
                self.ids.insert(id, Asked { vm, instance: instance.uid.clone(), address, answered: false });
                self.current.insert(vm, id);
                self.ask(id, address);
            }
            Change::Absent { uid, target } => {
                let Some(vm) = watcher.position(target) else { return };
                let known = self.current.get(&vm).and_then(|id| self.ids.get(id));
                if known.is_some_and(|known| known.instance == *uid) {
                    self.drop_of(vm);
                }
            }
        }
    }

    fn drop_of(&mut self, vm: u32) {
        if let Some(id) = self.current.remove(&vm) {
            self.probing.ask(0, Ask::Drop(id));
        }
    }

    fn ask(&self, id: u32, address: IpAddr) {
        self.probing.ask(0, Ask::Add { id, probe: self.probe, address, is_kept: true });
    }

    /// The next message of the prober.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<ProberNews> {
        self.probing.poll_next(cx).map(ProberNews)
    }

    /// Handles a message of the prober.
    pub(super) fn take(&mut self, news: ProberNews, clock: Clock, watcher: &mut Watcher) -> Said {
        match news.0 {
            ProberEvent::Opened { .. } => {
                for (id, address) in
                    self.current.values().filter_map(|id| Some((*id, self.ids.get(id)?.address)))
                {
                    self.ask(id, address);
                }
                if self.interrupted.take().is_some() { Said::Restored } else { Said::Nothing }
            }
            ProberEvent::Broken { since, why, .. } => {
                let at = clock.at(since);
                for vm in 0..watcher.targets().len() as u32 {
                    self.keeping.unheard(vm, at);
                }
                self.last.clear();
                watcher.unprobed();
                if self.interrupted.is_none() {
                    self.interrupted = Some(since);
                    return Said::Broken(since, why);
                }
                Said::Nothing
            }
            ProberEvent::Echo { by, asked, .. } => {
                // A script reports each answer: when it returns an echo, it has reported every earlier one.
                if by == By::Script {
                    let (until, now) = (clock.at(asked), clock.at(monotonic_now()));
                    for vm in self.current.keys().copied().collect::<Vec<_>>() {
                        if let Some(Turn::Quiet(quiet)) = self.keeping.told(vm, until) {
                            watcher.silent(vm, quiet.last, now);
                        }
                    }
                }
                Said::Nothing
            }
            ProberEvent::Said { at, answer, .. } => self.said(&answer, clock.at(at), watcher),
        }
    }

    fn said(&mut self, answer: &Answer, at: Offset, watcher: &mut Watcher) -> Said {
        let id = match answer {
            Answer::Reached(id) | Answer::Quiet(id, _) | Answer::Cannot(id, _) | Answer::Back { id, .. } => {
                *id
            }
            Answer::Warning(why) => return Said::Warning(format!("the prober reports: {why}")),
            _ => return Said::Nothing,
        };
        let Some(asked) = self.ids.get_mut(&id) else { return Said::Nothing };
        let Asked { vm, instance, answered, .. } = asked.clone();
        let is_current = self.current.get(&vm) == Some(&id);
        match answer {
            Answer::Reached(_) if is_current => {
                asked.answered = true;
                let last = self.last.insert(vm, at);
                let before = match self.keeping.answered(vm, at) {
                    Some(Turn::Back(back)) => Some((back.last, back.lost)),
                    // At a new address, the previous answer was that of another instance.
                    _ => last.filter(|_| !answered).map(|last| (last, None)),
                };
                watcher.answer(vm, &instance, at, before);
            }
            Answer::Quiet(_, millis) => {
                let silent = i64::try_from(millis.saturating_mul(1000)).unwrap_or(i64::MAX);
                let last = at.since(Offset(silent));
                self.last.entry(vm).and_modify(|known| *known = last.max(*known)).or_insert(last);
                if let Some(Turn::Quiet(quiet)) = self.keeping.quiet(vm, at, *millis) {
                    watcher.silent(vm, quiet.last, at);
                }
                if !is_current {
                    self.ids.remove(&id);
                }
            }
            Answer::Back { gap, lost, .. } if is_current => {
                self.last.insert(vm, at);
                match self.keeping.back(vm, at, *gap, *lost) {
                    Some(Turn::Back(back)) => watcher.answer(vm, &instance, at, Some((back.last, back.lost))),
                    Some(Turn::Slow) => watcher.slow(vm, &instance, at),
                    _ => watcher.answer(vm, &instance, at, None),
                }
            }
            Answer::Cannot(_, why) => {
                return Said::Warning(format!("{} cannot be probed: {why}", watcher.targets()[vm as usize]));
            }
            _ => {}
        }
        Said::Nothing
    }
}

/// A raw message of the prober
pub(super) struct ProberNews(ProberEvent);

/// Minimum milliseconds between two attempts.
const INTERVAL_MILLIS: u64 = 200;
