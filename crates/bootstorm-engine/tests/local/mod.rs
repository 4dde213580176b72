//! A sandbox in this process, clients that reach it without sockets, and its truth.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, Once};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bootstorm_engine::cluster::{Cluster, Connection};
use bootstorm_engine::phases::{Interrupt, Interrupter};
use bootstorm_model::observe::clock::{Simulated, simulate};
use bootstorm_model::observe::{Milestone, Timeline};
use bootstorm_model::plan::Target;
use bootstorm_sandbox::faults::Action;
use bootstorm_sandbox::store::{DeleteOptions, kind};
use bootstorm_sandbox::{LocalSandbox, Options, profile};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Request};
use http_body::Frame;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use kube::Client;
use kube::client::Body;
use serde_json::Value;
use tower::service_fn;

static BASE: LazyLock<Instant> = LazyLock::new(tokio_now);

fn tokio_now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn wall() -> Timestamp {
    Timestamp::from_second(1_767_225_600).unwrap() + tokio_now().saturating_duration_since(*BASE)
}

/// From now on, the process reads tokio's paused clock.
pub(crate) fn on_simulated_time() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        LazyLock::force(&BASE);
        simulate(Simulated { monotonic: tokio_now, wall });
    });
}

/// Runs a future whose waits take no real time.
pub(crate) fn on_paused_time<T>(work: impl Future<Output = T>) -> T {
    on_simulated_time();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(work)
}

/// Faults of watch streams
#[derive(Debug, Default)]
pub(crate) struct Wire {
    /// Watches of earlier generations deliver nothing.
    silent: AtomicU64,
    garbled_until: Mutex<Option<tokio::time::Instant>>,
    /// How long watch events are held back, in milliseconds.
    lag: AtomicU64,
    /// Number of watches in protocol buffers.
    counted: AtomicU64,
}

impl Wire {
    pub(crate) fn silence(&self) {
        self.silent.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn garble(&self, time: Duration) {
        *self.garbled_until.lock().unwrap() = Some(tokio::time::Instant::now() + time);
    }

    /// From now on, events arrive this much later.
    pub(crate) fn lag(&self, time: Duration) {
        self.lag.store(u64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }

    /// Number of watches that were in protocol buffers.
    pub(crate) fn counted(&self) -> u64 {
        self.counted.load(Ordering::Relaxed)
    }

    fn is_garbled(&self) -> bool {
        self.garbled_until.lock().unwrap().is_some_and(|until| tokio::time::Instant::now() < until)
    }
}

/// A response body in transit
struct Carried {
    inner: Incoming,
    wire: Arc<Wire>,
    generation: u64,
    watch: bool,
    /// An event that is held back, and its timer.
    held: Option<(Frame<Bytes>, Pin<Box<tokio::time::Sleep>>)>,
}

impl Carried {
    fn carried(&self, frame: Frame<Bytes>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if self.watch && self.wire.silent.load(Ordering::Relaxed) != self.generation {
            return Poll::Pending;
        }
        let garbled = self.watch && self.wire.is_garbled();
        Poll::Ready(Some(Ok(frame.map_data(|data| {
            match std::str::from_utf8(&data) {
                Ok(text) if garbled => text.replace(r#""phase":"Running""#, r#""phase":7"#).into(),
                // What is not text has its lengths within.
                _ => data,
            }
        }))))
    }
}

impl http_body::Body for Carried {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some((_, until)) = &mut self.held {
            std::task::ready!(until.as_mut().poll(cx));
            return Poll::Ready(self.held.take().map(|(frame, _)| Ok(frame)));
        }
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        let lag = Duration::from_millis(self.wire.lag.load(Ordering::Relaxed));
        if let Poll::Ready(Some(Ok(frame))) = polled {
            if !self.watch || lag.is_zero() {
                return self.carried(frame);
            }
            self.held = Some((frame, Box::pin(tokio::time::sleep(lag))));
            return self.poll_frame(cx);
        }
        if self.watch && self.wire.silent.load(Ordering::Relaxed) != self.generation {
            return Poll::Pending;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        !self.watch && self.inner.is_end_stream()
    }
}

/// A sandbox and the connection to it
pub(crate) struct Local {
    pub(crate) sandbox: Arc<LocalSandbox>,
    pub(crate) wire: Arc<Wire>,
    home: tempfile::TempDir,
    interrupt: Interrupt,
    _interrupter: Interrupter,
}

impl Local {
    pub(crate) fn start(seed: u64) -> Self {
        Self::of("default", 3, seed)
    }

    pub(crate) fn of(profile_name: &str, nodes: usize, seed: u64) -> Self {
        let home = tempfile::tempdir().unwrap();
        let truth = Some(home.path().join("truth"));
        let profile = profile(profile_name).unwrap();
        let options = Options { port: 0, nodes: Some(nodes), profile, seed, speed: 1.0, truth };
        let sandbox = Arc::new(LocalSandbox::start(options).unwrap());
        let (interrupter, interrupt) = Interrupter::new();
        Self { sandbox, wire: Arc::default(), home, interrupt, _interrupter: interrupter }
    }

    pub(crate) fn act(&self, action: &Action) {
        self.sandbox.server().act(action);
    }

    pub(crate) fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }

    /// A new process's connection.
    pub(crate) fn cluster(&self) -> Cluster {
        self.connect(false)
    }

    /// A connection over which every request asks for JSON.
    pub(crate) fn plain_cluster(&self) -> Cluster {
        self.connect(true)
    }

    fn connect(&self, plain: bool) -> Cluster {
        let (sandbox, wire) = (Arc::clone(&self.sandbox), Arc::clone(&self.wire));
        let service = service_fn(move |mut request: Request<Body>| {
            let (sandbox, wire) = (Arc::clone(&sandbox), Arc::clone(&wire));
            async move {
                let broken =
                    |error: hyper::Error| std::io::Error::new(std::io::ErrorKind::ConnectionReset, error);
                let stream = sandbox.server().connect()?;
                let (mut sender, connection) =
                    hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
                tokio::spawn(connection.with_upgrades());
                let token = format!("Bearer {}", sandbox.server().current_token());
                request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_str(&token).unwrap());
                request.headers_mut().insert(HOST, HeaderValue::from_static("sandbox"));
                if plain {
                    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
                }
                let watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
                let response = sender.send_request(request).await.map_err(broken)?;
                let generation = wire.silent.load(Ordering::Relaxed);
                let form = response.headers().get(CONTENT_TYPE);
                if form.is_some_and(|form| form == "application/vnd.kubernetes.protobuf;stream=watch") {
                    wire.counted.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<_, std::io::Error>(response.map(|inner| Carried {
                    inner,
                    wire,
                    generation,
                    watch,
                    held: None,
                }))
            }
        });
        let connection = Connection {
            namespace: Some("default".into()),
            patience: Duration::from_secs(120),
            ..Connection::default()
        };
        connection.over(Client::new(service, "default"))
    }

    /// The lock's holder is gone, and its lease has expired.
    pub(crate) fn forget_lock(&self, prefix: &str) {
        let name = format!("bootstorm-{prefix}");
        let _ = self.sandbox.store().delete(&kind::LEASES, "default", &name, &DeleteOptions::default());
    }

    /// Stops the sandbox and returns its truth.
    pub(crate) fn stop(self) -> Truth {
        self.sandbox.store().close_truth();
        Truth::read(&std::fs::read_to_string(self.home.path().join("truth")).unwrap())
    }
}

/// What truly happened to an instance, in microseconds since 1970
#[derive(Debug, Default, Clone)]
struct Life {
    target: Option<Target>,
    made: i64,
    running: Option<i64>,
    gone: Option<i64>,
    network: Option<i64>,
    /// When its guest arrived on another node.
    moved: Vec<i64>,
}

/// What truly happened, by instance UID
#[derive(Debug, Default)]
pub(crate) struct Truth(HashMap<String, Life>);

impl Truth {
    fn read(text: &str) -> Self {
        let mut lives: HashMap<String, Life> = HashMap::new();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let word = |key: &str| line[key].as_str().unwrap_or_default();
            let at = line["at"].as_i64().unwrap() / 1_000;
            let life = match word("kind") {
                "virtualmachineinstances" | "guests" => lives.entry(word("uid").to_owned()).or_default(),
                _ => continue,
            };
            if word("kind") == "guests" {
                match word("action") {
                    "network" => _ = life.network.get_or_insert(at),
                    "moved" => life.moved.push(at),
                    _ => {}
                }
                continue;
            }
            if life.target.is_none() {
                life.target = Some(Target { namespace: word("namespace").into(), name: word("name").into() });
                life.made = at;
            }
            match (word("action"), word("phase")) {
                ("deleted", _) => life.gone = Some(at),
                (_, "Running") => {
                    life.running.get_or_insert(at);
                }
                _ => {}
            }
        }
        Self(lives)
    }

    /// When a timeline's instance passed a milestone.
    pub(crate) fn of(&self, timeline: &Timeline, milestone: Milestone) -> Option<i64> {
        // In a restart, the old instance is the one that goes.
        let old = timeline.old_instance.as_deref().filter(|_| milestone == Milestone::Gone);
        let life = self.0.get(old.or(timeline.instance_uid.as_deref())?)?;
        match milestone {
            Milestone::Running => life.running,
            Milestone::Gone => life.gone,
            _ => life.network.map(|network| network.max(life.running.unwrap_or(network))),
        }
    }

    /// When a VM's guest first arrived on another node, in seconds after `zero`, between its request and the end of its
    /// phase.
    pub(crate) fn moved(&self, target: &Target, (zero, requested, ended): (i64, f64, f64)) -> Option<f64> {
        let lives = self.0.values().filter(|life| life.target.as_ref() == Some(target));
        let moved = lives.flat_map(|life| &life.moved).map(|at| (*at - zero) as f64 / 1e6);
        moved.filter(|at| (requested..=ended).contains(at)).reduce(f64::min)
    }

    /// When a VM first reached its goal, in seconds after `zero`, between its request and the end of its phase.
    pub(crate) fn through(
        &self,
        target: &Target,
        milestone: Milestone,
        (zero, requested, ended): (i64, f64, f64),
    ) -> Option<f64> {
        let at = |at: i64| (at - zero) as f64 / 1e6;
        let lives = self.0.values().filter(|life| life.target.as_ref() == Some(target));
        if milestone == Milestone::Gone {
            let here = lives.filter(|life| at(life.made) <= ended);
            let gone: Vec<Option<f64>> = here.map(|life| life.gone.map(at)).collect();
            return gone.into_iter().try_fold(0.0_f64, |last, gone| Some(last.max(gone?)));
        }
        let new = lives.filter(|life| at(life.made) >= requested);
        new.filter_map(|life| life.running.map(at)).filter(|at| *at <= ended).reduce(f64::min)
    }
}
