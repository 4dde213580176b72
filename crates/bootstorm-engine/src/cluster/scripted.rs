//! A scripted server on simulated time: for answers that no server gives on purpose.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex, Once};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use jiff::Timestamp;
use kube::Client;
use kube::client::Body;
use tower::service_fn;

use super::changes::{ChangeEvent, Changes};
use super::scope::Scope;
use super::transport::Transport;
use super::{Cluster, Connection, Kind};
use bootstorm_model::observe::Change;
use bootstorm_model::observe::clock::{Simulated, simulate};
use bootstorm_model::plan::{Plan, TemplateSource};
use bootstorm_model::record::RunRecord;

/// Reply to a request
pub(crate) enum Reply {
    /// An answer.
    Answer(u16, String),
    /// A stream of lines; afterwards the connection ends, or stays open.
    Lines(Vec<String>, bool),
    /// A broken connection.
    Broken,
    /// A panic of the task that waits for the answer.
    Panic,
}

type Script = dyn Fn(&Request<Vec<u8>>) -> Reply + Send + Sync;

static BASE: LazyLock<Instant> = LazyLock::new(tokio_now);

fn tokio_now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn wall() -> Timestamp {
    let passed = tokio_now().saturating_duration_since(*BASE);
    Timestamp::from_second(1_767_225_600).unwrap() + passed
}

/// Makes the process read tokio's clock, which a test may pause.
pub(crate) fn on_simulated_time() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| simulate(Simulated { monotonic: tokio_now, wall }));
}

/// A cluster with a scripted server.
pub(crate) fn cluster(script: impl Fn(&Request<Vec<u8>>) -> Reply + Send + Sync + 'static) -> Cluster {
    on_simulated_time();
    let script: Arc<Script> = Arc::new(script);
    let service = service_fn(move |request: Request<Body>| {
        let script = Arc::clone(&script);
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes().to_vec();
            let (code, lines, open) = match script(&Request::from_parts(head, body)) {
                Reply::Broken => return Err(std::io::ErrorKind::ConnectionReset.into()),
                Reply::Panic => panic!("as the script says"),
                Reply::Answer(code, text) => (code, vec![text], false),
                Reply::Lines(lines, open) => (200, lines, open),
            };
            let frame = |line: String| Ok::<_, std::io::Error>(Frame::data(Bytes::from(line + "\n")));
            let rest: BoxStream<'static, _> =
                if open { stream::pending().boxed() } else { stream::empty().boxed() };
            let all = stream::iter(lines).map(frame).chain(rest);
            Response::builder().status(code).body(StreamBody::new(all)).map_err(std::io::Error::other)
        }
    });
    let connection = Connection { patience: Duration::from_secs(20), ..Connection::default() };
    Cluster::new(
        Transport::single(Client::new(service, "default")),
        "default".into(),
        "https://scripted".into(),
        connection,
    )
}

fn instances(script: impl Fn(u32, &Request<Vec<u8>>) -> Reply + Send + Sync + 'static) -> Cluster {
    let watches = AtomicU32::new(0);
    cluster(move |request| {
        if request.uri().query().is_some_and(|query| query.contains("watch=true")) {
            return script(watches.fetch_add(1, Ordering::Relaxed), request);
        }
        Reply::Answer(200, r#"{"metadata": {"resourceVersion": "5"}, "items": null}"#.to_owned())
    })
}

#[tokio::test(start_paused = true)]
async fn a_server_that_closes_every_watch_at_once_is_given_time_and_what_it_hides_is_a_gap() {
    let opened = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&opened);
    let cluster = instances(move |number, _| {
        count.store(number + 1, Ordering::Relaxed);
        Reply::Lines(Vec::new(), false)
    });
    let mut changes = Changes::open(&cluster, &Scope::All, "").await.unwrap();
    let (mut gap, mut blind) = (Duration::ZERO, None);
    let end = tokio::time::Instant::now() + Duration::from_secs(9);
    while let Ok(Some(received)) = tokio::time::timeout_at(end, changes.next()).await {
        match received.event {
            ChangeEvent::Interrupted { since, .. } => blind = Some(since),
            ChangeEvent::Restored => gap += blind.take().map_or(Duration::ZERO, |since| received.at - since),
            _ => {}
        }
    }
    let opened = opened.load(Ordering::Relaxed);
    assert!((5..=25).contains(&opened), "opened {opened} times in 9 s");
    assert!(gap > Duration::from_secs(7), "{gap:?} of 9 s are a gap");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_cannot_be_read_is_passed_and_what_follows_is_heard() {
    let event = |kind: &str, name: &str, version: u32, status: &str| {
        format!(
            r#"{{"type":"{kind}","object":{{"metadata":{{"name":"{name}","namespace":"p-1","uid":"{name}","resourceVersion":"{version}"}},"status":{status}}}}}"#
        )
    };
    let versions = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&versions);
    let cluster = instances(move |_, request| {
        asked.lock().unwrap().push(request.uri().query().unwrap_or_default().to_owned());
        let lines = vec![
            event("ADDED", "a", 6, r#"{"phase": 7}"#),
            event("MODIFIED", "b", 7, r#"{"phase": "Running", "interfaces": null, "conditions": null}"#),
        ];
        Reply::Lines(lines, true)
    });
    let mut changes = Changes::open(&cluster, &Scope::All, "").await.unwrap();
    let (mut present, mut complaints) = (Vec::new(), Vec::new());
    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    while let Ok(Some(received)) = tokio::time::timeout_at(end, changes.next()).await {
        match received.event {
            ChangeEvent::Changes(all) => present.extend(all.into_iter().filter_map(|change| match change {
                Change::Present(instance) => Some(instance.target.name),
                Change::Absent { .. } => None,
            })),
            ChangeEvent::Unreadable(fault) => complaints.push(fault.to_string()),
            _ => {}
        }
    }
    assert_eq!(present, ["b"], "{complaints:?}");
    assert!(complaints.len() == 1 && complaints[0].starts_with("p-1/a cannot be read"), "{complaints:?}");
    assert_eq!(versions.lock().unwrap().len(), 1, "{versions:?}");
}

/// A record whose head is stored by a scripted server; each PUT of the head is counted from 0.
fn record(fate: impl Fn(u32) -> Fate + Send + Sync + 'static) -> (Cluster, RunRecord, Arc<AtomicU32>) {
    let head = Mutex::new((1_u32, serde_json::Value::Null));
    let puts = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&puts);
    let cluster = cluster(move |request| {
        let (version, stored) = &mut *head.lock().unwrap();
        let answer = |version: u32, stored: &serde_json::Value| {
            let mut shown = stored.clone();
            shown["metadata"]["resourceVersion"] = version.to_string().into();
            Reply::Answer(200, shown.to_string())
        };
        if request.method() == Method::GET {
            return answer(*version, stored);
        }
        let sent: serde_json::Value = serde_json::from_slice(request.body()).unwrap_or_default();
        if sent["metadata"]["name"].as_str().is_some_and(|name| name.contains('.')) {
            // A part.
            return Reply::Answer(201, "{}".to_owned());
        }
        let fate = if request.method() == Method::PUT {
            fate(count.fetch_add(1, Ordering::Relaxed))
        } else {
            Fate::Written
        };
        if fate == Fate::Refused {
            return Reply::Broken;
        }
        let met = version.to_string();
        if request.method() == Method::PUT && sent["metadata"]["resourceVersion"].as_str() != Some(&met) {
            let conflict = r#"{"kind": "Status", "reason": "Conflict", "message": "modified", "code": 409}"#;
            return Reply::Answer(409, conflict.to_owned());
        }
        *version += 1;
        *stored = sent;
        match fate {
            Fate::Lost => Reply::Broken,
            Fate::Panic => Reply::Panic,
            _ => answer(*version, stored),
        }
    });
    let plan = Plan::resolve("p", 1, 2, "vm", TemplateSource::ContainerDisk { image: "i".into() }).unwrap();
    let created = "2026-01-01T00:00:00Z".parse().unwrap();
    (cluster, RunRecord::new("id".into(), created, plan), puts)
}

/// Fate of a write
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Written,
    /// Carried out, but the connection breaks before the answer.
    Lost,
    /// Carried out, but the task that waits for the answer panics.
    Panic,
    Refused,
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_was_lost_is_our_own_however_long_the_server_was_away() {
    let (cluster, mut record, puts) = record(|put| match put {
        // The first one records the UID of the head.
        1 => Fate::Lost,
        2..61 => Fate::Refused,
        _ => Fate::Written,
    });
    let mut store = cluster.begin_record(&mut record, None).await.unwrap();
    record.setup.namespaces = 1;
    let failed = store.save(&record, None).await.unwrap_err();
    assert_ne!(failed.kind, Kind::Conflict, "{failed}");
    puts.store(61, Ordering::Relaxed);
    record.setup.namespaces = 2;
    assert_eq!(store.save(&record, None).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_one_save_does_not_end_the_later_ones() {
    use super::guard::Guard;
    use crate::phases::saving::Saver;
    use bootstorm_model::record::codec::Tally;
    use bootstorm_model::record::{PhaseName, PhaseRecord, PhaseSettings};
    use bootstorm_model::tracker::Changed;

    let (cluster, mut record, puts) = record(|put| if put == 2 { Fate::Panic } else { Fate::Written });
    let store = cluster.begin_record(&mut record, None).await.unwrap();
    let phase = PhaseRecord::new(PhaseName::CREATE, record.created, PhaseSettings::default(), 2);
    let mut saver = Saver::begin_phase(store, &mut record, &phase, Guard::held()).await.unwrap();
    let changed = |target: usize| {
        let mut timeline = phase.timelines[target].clone();
        timeline.attempts = 7;
        let changed = PhaseRecord { timelines: vec![timeline].into(), ..phase.header() };
        Changed { phase: changed, tally: Tally::default() }
    };
    saver.begin(changed(0));
    assert!(saver.ended().await.is_err());
    assert!(saver.is_at_rest());
    saver.begin(changed(1));
    assert_eq!(saver.ended().await, Ok(()), "it saves again");
    let mut phase = phase.clone();
    phase.timelines.iter_mut().for_each(|timeline| timeline.attempts = 7);
    record.put_phase(phase);
    assert_eq!(saver.finish(&record, &BTreeSet::new()).await, Ok(()), "and what the first one was about");
    assert_eq!(puts.load(Ordering::Relaxed), 6, "the second one met the version of the first");
}
