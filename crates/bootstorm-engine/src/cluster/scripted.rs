//! A scripted server on simulated time: for answers that no server gives on purpose.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex, Once};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use jiff::Timestamp;
use kube::Client;
use kube::client::Body;
use tower::service_fn;

use super::changes::{ChangeEvent, Changes};
use super::launchers::Pod;
use super::scope::Scope;
use super::transport::Transport;
use super::watch::{Needs, Watch, WatchEvent};
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
    /// An answer in protocol buffers.
    Object(u16, Vec<u8>),
    /// A stream of frames in protocol buffers; afterwards the connection ends, or stays open.
    Frames(Vec<Vec<u8>>, bool),
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
            let lines = |lines: Vec<String>| lines.into_iter().map(|line| (line + "\n").into()).collect();
            let (code, media, pieces, open): (_, _, Vec<Vec<u8>>, _) =
                match script(&Request::from_parts(head, body)) {
                    Reply::Broken => return Err(std::io::ErrorKind::ConnectionReset.into()),
                    Reply::Panic => panic!("as the script says"),
                    Reply::Answer(code, text) => (code, "application/json", lines(vec![text]), false),
                    Reply::Lines(all, open) => (200, "application/json", lines(all), open),
                    Reply::Object(code, body) => {
                        (code, "application/vnd.kubernetes.protobuf", vec![body], false)
                    }
                    Reply::Frames(all, open) => {
                        let counted = all
                            .into_iter()
                            .map(|frame| [&(frame.len() as u32).to_be_bytes()[..], &frame].concat());
                        (200, "application/vnd.kubernetes.protobuf;stream=watch", counted.collect(), open)
                    }
                };
            let frame = |piece: Vec<u8>| Ok::<_, std::io::Error>(Frame::data(Bytes::from(piece)));
            let rest: BoxStream<'static, _> =
                if open { stream::pending().boxed() } else { stream::empty().boxed() };
            let all = stream::iter(pieces).map(frame).chain(rest);
            let answer = Response::builder().status(code).header(CONTENT_TYPE, media);
            answer.body(StreamBody::new(all)).map_err(std::io::Error::other)
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
    let mut changes = Changes::open(&cluster, &Scope::All, "", Needs::Objects).await.unwrap();
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

/// Gaps of a watch that delivers nothing for 150 s, and the lines with which the next one begins.
async fn gaps_after_silence(lines: Vec<String>) -> (Vec<Duration>, u32) {
    let opened = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&opened);
    let cluster = instances(move |number, _| {
        count.store(number + 1, Ordering::Relaxed);
        Reply::Lines(if number == 0 { Vec::new() } else { lines.clone() }, true)
    });
    let mut changes = Changes::open(&cluster, &Scope::All, "", Needs::Objects).await.unwrap();
    let (mut gaps, mut blind) = (Vec::new(), None);
    let end = tokio::time::Instant::now() + Duration::from_secs(150);
    while let Ok(Some(received)) = tokio::time::timeout_at(end, changes.next()).await {
        match received.event {
            ChangeEvent::Interrupted { since, .. } => blind = Some(since),
            ChangeEvent::Restored => gaps.extend(blind.take().map(|since| received.at - since)),
            ChangeEvent::Changes(all) => assert!(all.is_empty() || received.late),
            _ => {}
        }
    }
    (gaps, opened.load(Ordering::Relaxed))
}

#[tokio::test(start_paused = true)]
async fn a_quiet_watch_is_opened_again_and_has_a_gap_only_if_it_should_have_delivered() {
    assert_eq!(gaps_after_silence(Vec::new()).await, (Vec::new(), 2));
    let missed = r#"{"type":"MODIFIED","object":{"metadata":{"name":"a","namespace":"p-1","uid":"a","resourceVersion":"6"},"status":{"phase":"Running"}}}"#;
    let (gaps, opened) = gaps_after_silence(vec![missed.to_owned()]).await;
    assert_eq!((gaps.len(), opened), (1, 2));
    assert!((100..102).contains(&gaps[0].as_secs()), "{gaps:?}");
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
    let mut changes = Changes::open(&cluster, &Scope::All, "", Needs::Objects).await.unwrap();
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

#[tokio::test(start_paused = true)]
async fn an_instance_that_cannot_be_read_in_a_list_is_not_gone() {
    let object = |name: &str, version: u32, phase: &str| {
        format!(
            r#"{{"metadata":{{"name":"{name}","namespace":"p-1","uid":"{name}","resourceVersion":"{version}"}},"status":{{"phase":{phase}}}}}"#
        )
    };
    let (lists, watches) = (AtomicU32::new(0), AtomicU32::new(0));
    let cluster = cluster(move |request| {
        if request.uri().query().is_some_and(|query| query.contains("watch=true")) {
            let expired = r#"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}"#;
            let first = watches.fetch_add(1, Ordering::Relaxed) == 0;
            return Reply::Lines(if first { vec![expired.to_owned()] } else { Vec::new() }, !first);
        }
        let first = lists.fetch_add(1, Ordering::Relaxed) == 0;
        let (phase, version) = if first { (r#""Running""#, 5) } else { ("7", 9) };
        let mut items = vec![object("a", version, phase)];
        items.extend(first.then(|| object("b", version, phase)));
        let items = items.join(",");
        Reply::Answer(200, format!(r#"{{"metadata":{{"resourceVersion":"{version}"}},"items":[{items}]}}"#))
    });
    let mut changes = Changes::open(&cluster, &Scope::All, "", Needs::Objects).await.unwrap();
    let (mut absent, mut unreadable) = (Vec::new(), 0);
    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    while let Ok(Some(received)) = tokio::time::timeout_at(end, changes.next()).await {
        match received.event {
            ChangeEvent::Changes(all) => absent.extend(all.into_iter().filter_map(|change| match change {
                Change::Absent { uid, .. } => Some(uid),
                Change::Present(_) => None,
            })),
            ChangeEvent::Unreadable(_) => unreadable += 1,
            _ => {}
        }
    }
    assert_eq!((absent, unreadable), (vec!["b".to_owned()], 1));
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

/// Messages of a server that speaks protocol buffers
pub(crate) mod wire {
    fn varint(mut value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
        out
    }

    pub(crate) fn number(field: u64, value: u64) -> Vec<u8> {
        [varint(field << 3), varint(value)].concat()
    }

    pub(crate) fn field(field: u64, bytes: &[u8]) -> Vec<u8> {
        [&varint(field << 3 | 2), &varint(bytes.len() as u64), bytes].concat()
    }

    /// An object with its type.
    pub(crate) fn object(kind: &str, message: &[u8]) -> Vec<u8> {
        let kind = [field(1, b"v1"), field(2, kind.as_bytes())].concat();
        [b"k8s\0".to_vec(), field(1, &kind), field(2, message), field(3, b""), field(4, b"")].concat()
    }

    /// An event of a watch, without its length.
    pub(crate) fn event(kind: &str, object: &[u8]) -> Vec<u8> {
        [field(1, kind.as_bytes()), field(2, &field(1, object))].concat()
    }

    /// A pod that a VMI owns.
    pub(crate) fn pod(name: &str, version: u32) -> Vec<u8> {
        let label = [field(1, b"kubevirt.io/created-by"), field(2, b"i")].concat();
        let owner = [field(1, b"VirtualMachineInstance"), field(3, b"vm"), field(4, b"i")].concat();
        let metadata = [
            field(1, name.as_bytes()),
            field(3, b"p-1"),
            field(6, version.to_string().as_bytes()),
            field(8, &[number(1, 1_767_225_601), number(2, 0)].concat()),
            field(11, &label),
            field(13, &owner),
        ];
        [field(1, &metadata.concat()), field(2, &field(10, b"")), field(3, &field(1, b"Pending"))].concat()
    }

    pub(crate) fn list(version: u32, next: &str, items: &[Vec<u8>]) -> Vec<u8> {
        let metadata = [field(2, version.to_string().as_bytes()), field(3, next.as_bytes())].concat();
        let items: Vec<u8> = items.iter().flat_map(|item| field(2, item)).collect();
        object("PodList", &[field(1, &metadata), items].concat())
    }
}

/// What a watch on pods delivers in half a minute, one word each, and the queries of its requests.
async fn heard_of_pods(
    script: impl Fn(usize, &Request<Vec<u8>>) -> Reply + Send + Sync + 'static,
) -> (Vec<String>, Vec<String>) {
    let queries: Arc<Mutex<Vec<String>>> = Arc::default();
    let asked = Arc::clone(&queries);
    let cluster = cluster(move |request| {
        assert_eq!(request.headers()[ACCEPT], "application/vnd.kubernetes.protobuf,application/json");
        let mut asked = asked.lock().unwrap();
        asked.push(request.uri().query().unwrap_or_default().to_owned());
        script(asked.len(), request)
    });
    let opened = Watch::<Pod>::open(&cluster, "watch pods", "/api/v1/pods".into(), String::new());
    let mut watch = opened.await.unwrap();
    let name = |pod: Pod| pod.launcher(false).map(|launcher| launcher.name).unwrap_or_default();
    let mut heard = Vec::new();
    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    while let Ok(Some(delivery)) = tokio::time::timeout_at(end, watch.next()).await {
        heard.push(match delivery.event {
            WatchEvent::Listed(pods) => {
                pods.into_iter().map(name).fold("listed".into(), |text, name| format!("{text} {name}"))
            }
            WatchEvent::Changed(pod) => format!("changed {}", name(pod)),
            WatchEvent::Removed(pod) => format!("removed {}", name(pod)),
            WatchEvent::Unreadable(fault) => fault.to_string(),
            WatchEvent::Interrupted { .. } => "interrupted".to_owned(),
            WatchEvent::Restored => "restored".to_owned(),
            WatchEvent::Complaint(error) => error.to_string(),
        });
    }
    let queries = queries.lock().unwrap().clone();
    (heard, queries)
}

/// The versions from which watches were requested.
fn versions(queries: &[String]) -> Vec<&str> {
    let pairs = queries.iter().flat_map(|query| query.split('&'));
    pairs.filter_map(|pair| pair.strip_prefix("resourceVersion=")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_watch_in_protocol_buffers_goes_on_and_lists_again_like_one_in_json() {
    use wire::{event, field, list, number, object, pod};
    let (heard, queries) = heard_of_pods(|request, _| match request {
        1 => Reply::Object(200, list(5, "next", &[pod("a", 3)])),
        2 => Reply::Object(200, list(5, "", &[pod("b", 4), field(1, &number(1, 1))])),
        3 => {
            let odd = [pod("odd", 7), field(3, &number(2, 1))].concat();
            let events = vec![
                event("ADDED", &object("Pod", &pod("c", 6))),
                event("MODIFIED", &object("Pod", &odd)),
                event("BOOKMARK", &object("Pod", &field(1, &field(6, b"8")))),
            ];
            Reply::Frames(events, false)
        }
        4 => {
            let events = vec![event("DELETED", &object("Pod", &pod("c", 9)))];
            Reply::Frames(events, false)
        }
        5 => {
            let expired = object("Status", &[field(3, b"too old resource version"), number(6, 410)].concat());
            Reply::Frames(vec![event("ERROR", &expired)], false)
        }
        6 => Reply::Object(200, list(20, "", &[pod("d", 11)])),
        _ => Reply::Frames(Vec::new(), true),
    })
    .await;
    let expected = [
        "listed a b",
        "an object cannot be read: a field has an unexpected type",
        "changed c",
        "p-1/odd cannot be read: a field has an unexpected type",
        "interrupted",
        "restored",
        "removed c",
        "interrupted",
        "restored",
        "interrupted",
        "listed d",
        "restored",
    ];
    assert_eq!(heard, expected, "{queries:?}");
    assert_eq!(versions(&queries), ["5", "8", "9", "20"]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_in_protocol_buffers_is_one_and_each_answer_may_have_another_form() {
    use wire::{event, field, list, number, object, pod};
    let (heard, queries) = heard_of_pods(|request, _| match request {
        1 => Reply::Object(200, list(5, "", &[])),
        2 => Reply::Object(410, object("Status", &[field(4, b"Expired"), number(6, 410)].concat())),
        // A proxy, or a server that has nothing else.
        3 => Reply::Answer(200, r#"{"metadata": {"resourceVersion": "6"}, "items": null}"#.to_owned()),
        4 => {
            let metadata = r#"{"name":"a","resourceVersion":"7","labels":{"kubevirt.io/created-by":"i"},"ownerReferences":[{"kind":"VirtualMachineInstance","name":"vm"}]}"#;
            Reply::Lines(vec![format!(r#"{{"type":"ADDED","object":{{"metadata":{metadata}}}}}"#)], false)
        }
        5 => Reply::Frames(vec![event("ADDED", &object("Pod", &pod("b", 8)))], false),
        _ => Reply::Frames(Vec::new(), true),
    })
    .await;
    let expected =
        ["listed", "listed", "changed a", "interrupted", "restored", "changed b", "interrupted", "restored"];
    assert_eq!(heard, expected, "{queries:?}");
    assert_eq!(versions(&queries), ["5", "6", "7", "8"]);
}

#[tokio::test(start_paused = true)]
async fn a_truncated_list_in_protocol_buffers_is_requested_again() {
    use wire::{list, pod};
    // The type ends after 19 bytes, and with it the last whole field.
    for cut in [0, 3, 10, 19, 40] {
        let (heard, _) = heard_of_pods(move |request, _| {
            let whole = list(5, "", &[pod("a", 3)]);
            match request {
                1 => Reply::Object(200, whole[..cut].to_vec()),
                2 => Reply::Object(200, whole),
                _ => Reply::Frames(Vec::new(), true),
            }
        })
        .await;
        assert_eq!(heard, ["listed a"], "{cut}");
    }
}
