//! Watches: changes as a stream of lines, or of frames in protocol buffers.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::payload::Body;
use crate::value::{Value, json};
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderValue, Response, StatusCode, header};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::accept::Form;
use super::query::Query;
use super::selector::Selector;
use super::status::Failure;
use super::table;
use super::{answer, protobuf};
use crate::ledger::Ledger;
use crate::store::{Action, Entry, Kind, Object, Store, TooOld, Watcher};

/// Media type of a watch in protocol buffers; that of one in JSON has no parameter.
const FRAMES: &str = "application/vnd.kubernetes.protobuf;stream=watch";

/// Reasons for an early end of a watch
#[derive(Debug, Clone)]
pub(super) struct Ends {
    /// The server stops: the stream ends cleanly.
    pub(super) stop: watch::Receiver<bool>,
    /// The watch is cut: the connection breaks.
    pub(super) cut: watch::Receiver<u64>,
    /// Record of delivered bytes.
    pub(super) ledger: Ledger,
}

/// An open watch.
struct Stream {
    store: Store,
    kind: &'static Kind,
    selector: Selector,
    form: Form,
    columns: table::Include,
    bookmarks: bool,
    watcher: Option<Watcher>,
    queue: VecDeque<Bytes>,
    next_bookmark: Instant,
    deadline: Instant,
    ends: Ends,
}

/// Scope of a watch
pub(super) struct Subject {
    pub(super) kind: &'static Kind,
    pub(super) namespace: Option<String>,
    pub(super) selector: Selector,
    pub(super) form: Form,
    pub(super) columns: table::Include,
}

/// Opens a watch.
pub(super) fn open(
    store: &Store,
    subject: Subject,
    query: &Query,
    ends: Ends,
) -> Result<Response<Body>, Failure> {
    let bookmarks = query.is_on("allowWatchBookmarks");
    let asked = query.number::<u64>("resourceVersion")?.unwrap_or(0);
    let initial = wants_initial_events(query, asked)?;
    let timeout = query.number::<u64>("timeoutSeconds")?.filter(|seconds| *seconds > 0);
    // Without a timeout, the API server picks one between half an hour and an hour.
    let timeout = timeout.unwrap_or_else(|| rand::random_range(1_800..3_600));
    let Subject { kind, namespace, selector, form, columns } = subject;
    let mut stream = Stream {
        store: store.clone(),
        kind,
        selector,
        form,
        columns,
        bookmarks,
        watcher: None,
        queue: VecDeque::new(),
        next_bookmark: bookmark_time(),
        deadline: Instant::now() + Duration::from_secs(timeout),
        ends,
    };
    let namespace = namespace.as_deref();
    let from = if initial {
        let (objects, revision) = store.list(kind, namespace);
        for object in objects.iter().filter(|object| stream.selector.fits(object)) {
            let line = event(form, "ADDED", &answer::text(kind, object, form, columns));
            stream.queue.push_back(line);
        }
        if bookmarks {
            stream.queue.push_back(stream.bookmark(revision, true));
        }
        revision
    } else {
        asked
    };
    match store.watch(kind, namespace, from) {
        Ok(watcher) => stream.watcher = Some(watcher),
        Err(error) => stream.queue.push_back(gone(form, error)),
    }
    let lines = futures::stream::unfold(stream, |mut stream| async {
        let chunk = stream.next().await?;
        Some((chunk, stream))
    });
    let mut response = answer::sent(StatusCode::OK, form, Bytes::new());
    if form == Form::Protobuf {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(FRAMES));
    }
    *response.body_mut() = super::payload::streamed(lines);
    Ok(response)
}

fn wants_initial_events(query: &Query, asked: u64) -> Result<bool, Failure> {
    if query.get("sendInitialEvents").is_none() {
        return Ok(asked == 0);
    }
    if query.get("resourceVersionMatch") != Some("NotOlderThan") {
        let message = "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        return Err(Failure::new(422, "Invalid", message));
    }
    Ok(query.is_on("sendInitialEvents"))
}

impl Stream {
    /// The next lines; `None` when the watch has ended; an error to break the connection.
    async fn next(&mut self) -> Option<Result<Bytes, io::Error>> {
        loop {
            if !self.queue.is_empty() {
                let chunk = self.drain();
                self.ends.ledger.deliver(self.kind.plural, chunk.len());
                return Some(Ok(chunk));
            }
            let Some(watcher) = &mut self.watcher else { return None };
            tokio::select! {
                biased;
                entries = watcher.next() => match entries {
                    Ok(entries) => self.take(&entries),
                    Err(error) => {
                        self.watcher = None;
                        self.queue.push_back(gone(self.form, error));
                    }
                },
                _ = self.ends.cut.changed() => return Some(Err(io::ErrorKind::ConnectionReset.into())),
                _ = self.ends.stop.changed() => return None,
                () = sleep_until(self.deadline) => return None,
                () = sleep_until(self.next_bookmark), if self.bookmarks => self.remind(),
            }
        }
    }

    /// All waiting lines in one piece: fewer writes, and the order is kept.
    fn drain(&mut self) -> Bytes {
        if self.queue.len() == 1
            && let Some(line) = self.queue.pop_front()
        {
            return line;
        }
        let mut chunk = BytesMut::with_capacity(self.queue.iter().map(Bytes::len).sum());
        for line in self.queue.drain(..) {
            chunk.put(line);
        }
        chunk.freeze()
    }

    fn take(&mut self, entries: &[Arc<Entry>]) {
        for entry in entries {
            if let Some(line) = self.line(entry) {
                self.queue.push_back(line);
            }
        }
    }

    /// The event of a change for this watch: an object may enter and leave a selection without being created or
    /// deleted.
    fn line(&self, entry: &Entry) -> Option<Bytes> {
        let fits = |object: &Object| self.selector.fits(object);
        let before = entry.previous.as_ref().is_some_and(fits);
        let after = entry.action != Action::Deleted && fits(&entry.object);
        let name = match (before, after) {
            (false, false) => return None,
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
        };
        if name == "DELETED"
            && entry.action != Action::Deleted
            && let Some(previous) = &entry.previous
        {
            // An object that has left is shown as it last was in the selection, at the version at which it left.
            let mut object = previous.value().clone();
            object["metadata"]["resourceVersion"] = json!(entry.revision.to_string());
            let shown = answer::rendered(self.kind, &object, self.form, self.columns);
            return Some(event(self.form, name, &shown));
        }
        Some(event(self.form, name, &answer::text(self.kind, &entry.object, self.form, self.columns)))
    }

    fn remind(&mut self) {
        self.next_bookmark = bookmark_time();
        // Read before looking for changes: later ones have a higher revision.
        let revision = self.store.revision();
        match self.watcher.as_mut().map(Watcher::ready) {
            Some(Ok(entries)) if entries.is_empty() => self.queue.push_back(self.bookmark(revision, false)),
            Some(Ok(entries)) => self.take(&entries),
            _ => {}
        }
    }

    fn bookmark(&self, revision: u64, initial: bool) -> Bytes {
        let mut metadata = json!({"resourceVersion": revision.to_string()});
        if initial {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let (kind, version) = match self.form {
            Form::Object | Form::Protobuf => (self.kind.kind.to_owned(), self.kind.api_version()),
            Form::Table => ("Table".to_owned(), "meta.k8s.io/v1".to_owned()),
            Form::Metadata => ("PartialObjectMetadata".to_owned(), "meta.k8s.io/v1".to_owned()),
        };
        let mut object = json!({"kind": kind, "apiVersion": version, "metadata": metadata});
        if self.form == Form::Table {
            object["columnDefinitions"] = json!([]);
            object["rows"] = json!([]);
        }
        let shown = match self.form {
            Form::Protobuf => protobuf::whole(&object),
            _ => object.to_string().into(),
        };
        event(self.form, "BOOKMARK", &shown)
    }
}

fn bookmark_time() -> Instant {
    Instant::now() + Duration::from_millis(rand::random_range(59_300..60_300))
}

fn gone(form: Form, error: TooOld) -> Bytes {
    let status: Value = Failure::expired(error).status();
    match form {
        Form::Protobuf => event(form, "ERROR", &protobuf::whole(&status)),
        _ => event(form, "ERROR", status.to_string().as_bytes()),
    }
}

fn event(form: Form, name: &str, object: &[u8]) -> Bytes {
    if form == Form::Protobuf {
        return protobuf::event(name, object);
    }
    let mut line = BytesMut::with_capacity(object.len() + 40);
    line.put_slice(b"{\"type\":\"");
    line.put_slice(name.as_bytes());
    line.put_slice(b"\",\"object\":");
    line.put_slice(object);
    line.put_slice(b"}\n");
    line.freeze()
}

#[cfg(test)]
mod tests {
    use bytes::Buf;
    use http_body_util::BodyExt;

    use super::*;
    use crate::faults::Faults;
    use crate::store::kind::{CONFIG_MAPS, NAMESPACES};

    async fn answered(store: &Store, query: &str, form: Form) -> (String, Bytes) {
        let query = Query::parse(&format!("/?{query}").parse().unwrap());
        let subject = Subject {
            kind: &CONFIG_MAPS,
            namespace: None,
            selector: Selector::default(),
            form,
            columns: table::Include::default(),
        };
        let (_stopper, stop) = watch::channel(false);
        let faults = Faults::none();
        let response =
            open(store, subject, &query, Ends { stop, cut: faults.watch_cuts(), ledger: Ledger::default() })
                .unwrap();
        let media = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        (media, response.into_body().collect().await.unwrap().to_bytes())
    }

    async fn watched(store: &Store, query: &str) -> Vec<Value> {
        let (media, text) = answered(store, query, Form::Object).await;
        assert_eq!(media, "application/json");
        text.split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    /// The objects of a watch in protocol buffers.
    async fn framed(store: &Store, query: &str) -> Vec<Value> {
        let (media, mut rest) = answered(store, query, Form::Protobuf).await;
        assert_eq!(media, "application/vnd.kubernetes.protobuf;stream=watch");
        let mut objects = Vec::new();
        while !rest.is_empty() {
            let length = rest.get_u32() as usize;
            let frame = rest.split_to(length);
            let at = frame.windows(4).position(|four| four == b"k8s\0").unwrap();
            objects.push(protobuf::object(&frame[at..]).unwrap());
        }
        objects
    }

    #[tokio::test(start_paused = true)]
    async fn protocol_buffers_say_the_same() {
        let store = Store::new();
        store.create(&NAMESPACES, json!({"metadata": {"name": "a"}})).unwrap();
        let revision = store.revision();
        for name in ["b", "c"] {
            let made =
                json!({"metadata": {"namespace": "a", "name": name}, "data": {"long": "x".repeat(500)}});
            store.create(&CONFIG_MAPS, made).unwrap();
        }
        let query = format!("resourceVersion={revision}&timeoutSeconds=70&allowWatchBookmarks=true");
        let expected: Vec<Value> =
            watched(&store, &query).await.into_iter().map(|event| event["object"].clone()).collect();
        assert_eq!(framed(&store, &query).await, expected);
        assert_eq!(expected.len(), 3);
        store.expire();
        store.create(&CONFIG_MAPS, json!({"metadata": {"namespace": "a", "name": "d"}})).unwrap();
        let gone = framed(&store, &query).await;
        assert_eq!((&gone[0]["kind"], &gone[0]["code"]), (&json!("Status"), &json!(410)));
    }

    #[tokio::test(start_paused = true)]
    async fn bookmarks_come_once_a_minute() {
        let store = Store::new();
        store.create(&NAMESPACES, json!({"metadata": {"name": "a"}})).unwrap();
        let revision = store.revision();
        store.create(&NAMESPACES, json!({"metadata": {"name": "b"}})).unwrap();
        let query = format!("resourceVersion={revision}&timeoutSeconds=130");
        let bookmarked = watched(&store, &format!("{query}&allowWatchBookmarks=true")).await;
        let expected = json!({"type": "BOOKMARK", "object": {"kind": "ConfigMap", "apiVersion": "v1",
            "metadata": {"resourceVersion": store.revision().to_string()}}});
        assert_eq!(bookmarked, [expected.clone(), expected]);
        assert_eq!(watched(&store, &query).await, Vec::<Value>::new());
    }
}
