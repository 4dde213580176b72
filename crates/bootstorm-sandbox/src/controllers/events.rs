//! Recording core events: in the form of client-go's recorder, and in the scheduler's newer one.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::value::{Value, json};

use crate::model::clock::{micro_stamp, stamp};
use crate::model::{SimClock, lock};
use crate::store::kind::EVENTS;
use crate::store::{Object, Store};

/// Source of an event
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The component, such as `virt-handler`.
    pub component: &'static str,
    /// Node, for components that run on nodes.
    pub host: Option<&'a str>,
}

/// virt-controller's name on machines and on instances.
pub const MACHINE_CONTROLLER: Source<'static> = Source { component: "virtualmachine-controller", host: None };

/// A recorded event: its content, and its name
type Saying = (Box<str>, Box<str>);

/// The writer of all events
///
/// Repeats increase the count of the first event, as in the client library.
#[derive(Debug)]
pub struct Recorder {
    store: Store,
    clock: SimClock,
    /// Object UID → recorded events.
    said: Mutex<HashMap<Box<str>, Vec<Saying>>>,
}

impl Recorder {
    /// A recorder without any events.
    pub fn new(store: Store, clock: SimClock) -> Self {
        Self { store, clock, said: Mutex::default() }
    }

    /// Records a `Normal` event.
    pub fn normal(&self, source: Source<'_>, about: &Object, reason: &str, message: &str) {
        self.record(source, about, "Normal", reason, message);
    }

    /// Records a `Warning` event.
    pub fn warning(&self, source: Source<'_>, about: &Object, reason: &str, message: &str) {
        self.record(source, about, "Warning", reason, message);
    }

    /// Records an event like the scheduler: no source, no count, microseconds.
    pub fn scheduler(&self, about: &Object, kind: &str, reason: &str, message: &str) {
        let now = self.clock.wall();
        let name = format!("{}.{:x}", about.name(), now.as_nanosecond());
        let event = json!({
            "metadata": {"name": name, "namespace": about.namespace()},
            "involvedObject": reference(about),
            "type": kind, "reason": reason, "message": message,
            "source": {}, "firstTimestamp": null, "lastTimestamp": null,
            "eventTime": micro_stamp(now), "action": if reason == "Scheduled" { "Binding" } else { "Scheduling" },
            "reportingComponent": "default-scheduler", "reportingInstance": "default-scheduler-sandbox",
        });
        self.write(event, now.as_nanosecond());
    }

    /// Forgets the events of an object that is gone.
    pub fn forget(&self, uid: &str) {
        lock(&self.said).remove(uid);
    }

    fn record(&self, source: Source<'_>, about: &Object, kind: &str, reason: &str, message: &str) {
        let now = self.clock.wall();
        let said = format!("{}\0{reason}\0{message}", source.component);
        let known = lock(&self.said)
            .get(about.uid())
            .and_then(|all| all.iter().find(|(what, _)| **what == *said))
            .map(|(_, name)| name.clone());
        if let Some(name) = known {
            let repeated = self.store.modify(&EVENTS, about.namespace(), &name, |event| {
                event["count"] = json!(event["count"].as_u64().unwrap_or(1) + 1);
                event["lastTimestamp"] = json!(stamp(now));
            });
            if repeated.is_some() {
                return;
            }
        }
        let name = format!("{}.{:x}", about.name(), now.as_nanosecond());
        let mut from = json!({"component": source.component});
        if let Some(host) = source.host {
            from["host"] = json!(host);
        }
        let event = json!({
            "metadata": {"name": name, "namespace": about.namespace()},
            "involvedObject": reference(about),
            "type": kind, "reason": reason, "message": message, "source": from,
            "firstTimestamp": stamp(now), "lastTimestamp": stamp(now), "count": 1, "eventTime": null,
            "reportingComponent": source.component, "reportingInstance": source.host.unwrap_or_default(),
        });
        if let Some(name) = self.write(event, now.as_nanosecond()) {
            lock(&self.said).entry(about.uid().into()).or_default().push((said.into(), name));
        }
    }

    /// Stores an event; a name taken in the same nanosecond is incremented.
    fn write(&self, mut event: Value, mut nanos: i128) -> Option<Box<str>> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (object, namespace) =
            (text(&event["involvedObject"]["name"]), text(&event["metadata"]["namespace"]));
        while self.store.get(&EVENTS, &namespace, &text(&event["metadata"]["name"])).is_some() {
            nanos += 1;
            event["metadata"]["name"] = json!(format!("{object}.{nanos:x}"));
        }
        // Events are best effort: a terminating namespace accepts none.
        Some(self.store.create(&EVENTS, event).ok()?.name().into())
    }
}

fn reference(about: &Object) -> Value {
    let object = about.value();
    json!({
        "apiVersion": object["apiVersion"], "kind": object["kind"], "name": about.name(),
        "namespace": about.namespace(), "uid": about.uid(), "resourceVersion": about.revision().to_string(),
    })
}
