//! The sandbox's record of requests, executed requests, and each machine's history.

mod account;
mod power;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::value::{Value, json};

pub use self::account::{Account, Count, Tally};
pub use self::power::Power;
use super::faults::Attributes;

/// Counts every request on objects since the start of the server
///
/// Writes by controllers and the second writer are not requests, and are not counted.
#[derive(Debug, Clone, Default)]
pub struct Ledger(Arc<Mutex<Book>>);

/// Requests by verb and resource
type Verbs = BTreeMap<(Box<str>, Box<str>), u64>;
type Names = BTreeMap<(Box<str>, Box<str>), Count>;

#[derive(Debug, Default)]
struct Book {
    requests: HashMap<(Box<str>, Box<str>), Page>,
    machines: BTreeMap<(Box<str>, Box<str>), Account>,
    /// Requests by user, verb and resource.
    users: BTreeMap<Box<str>, Verbs>,
    /// Bytes delivered by watches of a resource.
    delivered: BTreeMap<Box<str>, u64>,
    /// Bytes in the bodies of requests on a resource.
    sent: BTreeMap<Box<str>, u64>,
    /// UIDs of machines whose deletion is recorded.
    deleted: HashSet<Box<str>>,
    /// UIDs of objects that a request changed or deleted.
    written: HashSet<Box<str>>,
    /// Verb and resource of each permission that a caller reviewed for itself.
    reviewed: BTreeSet<(Box<str>, Box<str>)>,
}

/// The requests of one verb on one resource.
#[derive(Debug, Default)]
struct Page {
    total: Count,
    objects: Names,
}

impl Ledger {
    /// The requests of one verb on one resource (`virtualmachines`, `virtualmachines/start`), in all namespaces.
    pub fn count(&self, verb: &str, resource: &str) -> Count {
        let book = self.lock();
        book.requests.get(&(verb.into(), resource.into())).map(|page| page.total).unwrap_or_default()
    }

    /// Requests of one verb on one object; collections have an empty name.
    pub fn count_of(&self, verb: &str, resource: &str, namespace: &str, name: &str) -> Count {
        let book = self.lock();
        let page = book.requests.get(&(verb.into(), resource.into()));
        page.and_then(|page| page.objects.get(&(namespace.into(), name.into()))).copied().unwrap_or_default()
    }

    /// Verb and resource of each request of a user.
    pub fn asked_by(&self, user: &str) -> BTreeSet<(String, String)> {
        let book = self.lock();
        let asked = book.users.get(user).into_iter().flat_map(BTreeMap::keys);
        asked.map(|(verb, resource)| (verb.to_string(), resource.to_string())).collect()
    }

    /// History of one machine, even after it is gone, over all machines that ever had its name.
    pub fn machine(&self, namespace: &str, name: &str) -> Account {
        self.lock().machines.get(&(namespace.into(), name.into())).copied().unwrap_or_default()
    }

    /// History of every machine, by namespace and name.
    pub fn machines(&self) -> BTreeMap<(String, String), Account> {
        let own = |text: &str| text.to_owned();
        let book = self.lock();
        book.machines.iter().map(|((namespace, name), it)| ((own(namespace), own(name)), *it)).collect()
    }

    /// Whether a request changed or deleted the object with this UID.
    pub fn has_written(&self, uid: &str) -> bool {
        self.lock().written.contains(uid)
    }

    /// Verb and resource of each permission that a caller reviewed for itself, in order.
    pub fn reviewed(&self) -> Vec<(String, String)> {
        let own = |(verb, resource): &(Box<str>, Box<str>)| (verb.to_string(), resource.to_string());
        self.lock().reviewed.iter().map(own).collect()
    }

    /// Bytes delivered by the watches of one resource.
    pub fn delivered(&self, resource: &str) -> u64 {
        self.lock().delivered.get(resource).copied().unwrap_or_default()
    }

    /// Bytes in the bodies of requests on one resource.
    pub fn sent(&self, resource: &str) -> u64 {
        self.lock().sent.get(resource).copied().unwrap_or_default()
    }

    /// Resets all counters.
    pub fn clear(&self) {
        *self.lock() = Book::default();
    }

    /// The record as JSON: totals, requests by object, and machines, each in order.
    pub fn json(&self) -> Value {
        let book = self.lock();
        let pages: BTreeMap<_, _> = book.requests.iter().collect();
        let mut totals = Vec::new();
        let mut requests = Vec::new();
        for ((verb, resource), page) in pages {
            totals.push(json!({"verb": verb, "resource": resource, "received": page.total.received, "carriedOut": page.total.carried_out}));
            for ((namespace, name), count) in &page.objects {
                requests.push(json!({
                    "verb": verb, "resource": resource, "namespace": namespace, "name": name,
                    "received": count.received, "carriedOut": count.carried_out,
                }));
            }
        }
        let machine = |((namespace, name), account): (&(Box<str>, Box<str>), &Account)| {
            let mut line = account.json();
            line["namespace"] = json!(namespace);
            line["name"] = json!(name);
            line
        };
        let machines: Vec<Value> = book.machines.iter().map(machine).collect();
        let users: Vec<Value> = book
            .users
            .iter()
            .flat_map(|(user, asked)| {
                asked.iter().map(move |((verb, resource), received)| {
                json!({"user": user, "verb": verb, "resource": resource, "received": received})
            })
            })
            .collect();
        let bytes = |of: &BTreeMap<Box<str>, u64>| -> Vec<Value> {
            of.iter().map(|(resource, bytes)| json!({"resource": resource, "bytes": bytes})).collect()
        };
        let (delivered, sent) = (bytes(&book.delivered), bytes(&book.sent));
        json!({
            "totals": totals, "users": users, "requests": requests, "machines": machines,
            "delivered": delivered, "sent": sent,
        })
    }

    /// Records a received request of a user, with the size of its body; `asked` is the change of a machine's power that
    /// it requests.
    pub(crate) fn receive(&self, request: &Attributes<'_>, user: &str, asked: Option<Power>, bytes: usize) {
        let mut book = self.lock();
        let of_user = book.users.entry(user.into()).or_default();
        *of_user.entry((request.verb.into(), request.resource.into())).or_default() += 1;
        if bytes > 0 {
            *book.sent.entry(request.resource.into()).or_default() += bytes as u64;
        }
        book.note(request, |count| count.received += 1);
        if let Some(power) = asked {
            book.account(request.namespace, request.name).tally(power).requests += 1;
        }
    }

    /// Records a caller's review of such a request.
    pub(crate) fn review(&self, request: &Attributes<'_>) {
        self.lock().reviewed.insert((request.verb.into(), request.resource.into()));
    }

    /// Records bytes delivered by a watch.
    pub(crate) fn deliver(&self, resource: &str, bytes: usize) {
        *self.lock().delivered.entry(resource.into()).or_default() += bytes as u64;
    }

    /// Records that a request was carried out.
    pub(crate) fn carry_out(&self, request: &Attributes<'_>) {
        self.lock().note(request, |count| count.carried_out += 1);
    }

    /// Records that a request changed or deleted an object.
    pub(crate) fn write(&self, uid: &str) {
        self.lock().written.insert(uid.into());
    }

    /// Records that a request created, started, stopped, restarted or deleted a machine.
    pub(crate) fn change(&self, namespace: &str, name: &str, power: Power) {
        self.lock().account(namespace, name).tally(power).changes += 1;
    }

    /// Records that a machine was marked for deletion; concurrent requests mark it only once.
    pub(crate) fn delete(&self, namespace: &str, name: &str, uid: &str) {
        let mut book = self.lock();
        if book.deleted.insert(uid.into()) {
            book.account(namespace, name).deletes.changes += 1;
        }
    }

    /// Records a request that turns out late to concern a machine's power.
    pub(crate) fn ask(&self, namespace: &str, name: &str, power: Power) {
        self.lock().account(namespace, name).tally(power).requests += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn note(&mut self, request: &Attributes<'_>, add: impl Fn(&mut Count)) {
        let page = self.requests.entry((request.verb.into(), request.resource.into())).or_default();
        add(&mut page.total);
        add(page.objects.entry((request.namespace.into(), request.name.into())).or_default());
    }

    fn account(&mut self, namespace: &str, name: &str) -> &mut Account {
        self.machines.entry((namespace.into(), name.into())).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: Attributes<'_> = Attributes {
        verb: "patch",
        group: "kubevirt.io",
        resource: "virtualmachines",
        namespace: "n",
        name: "v",
    };

    #[test]
    fn a_request_is_no_change() {
        let ledger = Ledger::default();
        ledger.receive(&PATCH, "me", Some(Power::Start), 20);
        ledger.receive(&PATCH, "you", Some(Power::Start), 22);
        assert_eq!(ledger.sent("virtualmachines"), 42);
        assert_eq!(ledger.asked_by("me"), [("patch".to_owned(), "virtualmachines".to_owned())].into());
        assert!(ledger.asked_by("nobody").is_empty());
        ledger.carry_out(&PATCH);
        ledger.change("n", "v", Power::Start);
        assert_eq!(ledger.count("patch", "virtualmachines"), Count { received: 2, carried_out: 1 });
        assert_eq!(ledger.count_of("patch", "virtualmachines", "n", "w"), Count::default());
        assert_eq!(ledger.machine("n", "v").starts, Tally { requests: 2, changes: 1 });
        assert_eq!(ledger.json()["machines"][0]["starts"]["changes"], 1);
        ledger.clear();
        assert_eq!(ledger.machines().len(), 0);
    }
}
