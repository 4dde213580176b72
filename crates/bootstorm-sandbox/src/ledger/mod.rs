//! The books of the sandbox: which requests came, which were carried out, and what became of each machine.

mod account;
mod power;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

pub use self::account::{Account, Count, Tally};
pub use self::power::Power;
use super::faults::Attributes;

/// Counts every request on objects since the start of the server
///
/// What controllers and the second writer do is no request, and not in here.
#[derive(Debug, Clone, Default)]
pub struct Ledger(Arc<Mutex<Book>>);

type Names = BTreeMap<(Box<str>, Box<str>), Count>;

#[derive(Debug, Default)]
struct Book {
    requests: HashMap<(Box<str>, Box<str>), Page>,
    machines: BTreeMap<(Box<str>, Box<str>), Account>,
    /// Bytes that watches of a resource delivered.
    delivered: BTreeMap<Box<str>, u64>,
    /// Bytes in the bodies of requests about a resource.
    sent: BTreeMap<Box<str>, u64>,
    /// Identities of machines whose deletion is in the books.
    deleted: HashSet<Box<str>>,
    /// Identities of objects that a request changed or deleted.
    written: HashSet<Box<str>>,
    /// Verb and resource of each permission that somebody asked about for themselves.
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

    /// The requests of one verb about one object; collections have an empty name.
    pub fn count_of(&self, verb: &str, resource: &str, namespace: &str, name: &str) -> Count {
        let book = self.lock();
        let page = book.requests.get(&(verb.into(), resource.into()));
        page.and_then(|page| page.objects.get(&(namespace.into(), name.into()))).copied().unwrap_or_default()
    }

    /// What became of one machine; also after it is gone, and over all machines that ever had its name.
    pub fn machine(&self, namespace: &str, name: &str) -> Account {
        self.lock().machines.get(&(namespace.into(), name.into())).copied().unwrap_or_default()
    }

    /// What became of every machine, by namespace and name.
    pub fn machines(&self) -> BTreeMap<(String, String), Account> {
        let own = |text: &str| text.to_owned();
        let book = self.lock();
        book.machines.iter().map(|((namespace, name), it)| ((own(namespace), own(name)), *it)).collect()
    }

    /// Whether a request changed or deleted the object of this identity.
    pub fn has_written(&self, uid: &str) -> bool {
        self.lock().written.contains(uid)
    }

    /// Verb and resource of each permission that a caller asked about for itself, in order.
    pub fn reviewed(&self) -> Vec<(String, String)> {
        let own = |(verb, resource): &(Box<str>, Box<str>)| (verb.to_string(), resource.to_string());
        self.lock().reviewed.iter().map(own).collect()
    }

    /// How many bytes the watches of one resource delivered.
    pub fn delivered(&self, resource: &str) -> u64 {
        self.lock().delivered.get(resource).copied().unwrap_or_default()
    }

    /// How many bytes the bodies of requests about one resource had.
    pub fn sent(&self, resource: &str) -> u64 {
        self.lock().sent.get(resource).copied().unwrap_or_default()
    }

    /// Begins again with empty books.
    pub fn clear(&self) {
        *self.lock() = Book::default();
    }

    /// The books as JSON: totals, requests by object, and machines, each in order.
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
        let bytes = |of: &BTreeMap<Box<str>, u64>| -> Vec<Value> {
            of.iter().map(|(resource, bytes)| json!({"resource": resource, "bytes": bytes})).collect()
        };
        let (delivered, sent) = (bytes(&book.delivered), bytes(&book.sent));
        json!({"totals": totals, "requests": requests, "machines": machines, "delivered": delivered, "sent": sent})
    }

    /// A request came in, with a body of so many bytes; `asked` is what it wants of a machine's power.
    pub(crate) fn receive(&self, request: &Attributes<'_>, asked: Option<Power>, bytes: usize) {
        let mut book = self.lock();
        if bytes > 0 {
            *book.sent.entry(request.resource.into()).or_default() += bytes as u64;
        }
        book.note(request, |count| count.received += 1);
        if let Some(power) = asked {
            book.account(request.namespace, request.name).tally(power).requests += 1;
        }
    }

    /// A caller asked whether it may send such a request.
    pub(crate) fn review(&self, request: &Attributes<'_>) {
        self.lock().reviewed.insert((request.verb.into(), request.resource.into()));
    }

    /// A watch delivered so many bytes.
    pub(crate) fn deliver(&self, resource: &str, bytes: usize) {
        *self.lock().delivered.entry(resource.into()).or_default() += bytes as u64;
    }

    /// A request was carried out.
    pub(crate) fn carry_out(&self, request: &Attributes<'_>) {
        self.lock().note(request, |count| count.carried_out += 1);
    }

    /// A request changed or deleted an object.
    pub(crate) fn write(&self, uid: &str) {
        self.lock().written.insert(uid.into());
    }

    /// A machine was created, started, stopped, restarted or deleted by a request.
    pub(crate) fn change(&self, namespace: &str, name: &str, power: Power) {
        self.lock().account(namespace, name).tally(power).changes += 1;
    }

    /// A machine was marked for deletion; several requests at the same time mark it once.
    pub(crate) fn delete(&self, namespace: &str, name: &str, uid: &str) {
        let mut book = self.lock();
        if book.deleted.insert(uid.into()) {
            book.account(namespace, name).deletes.changes += 1;
        }
    }

    /// A request, seen only now to be about a machine's power.
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
        ledger.receive(&PATCH, Some(Power::Start), 20);
        ledger.receive(&PATCH, Some(Power::Start), 22);
        assert_eq!(ledger.sent("virtualmachines"), 42);
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
