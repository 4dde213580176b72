//! Decides what belongs to a run; every change and every deletion depends on this decision.
//!
//! An object belongs to the run if its name is in the plan and its UID is the one recorded when the object was created.
//! Labels alone prove nothing, since clones, restores and policy controllers copy them; an object that lost its label
//! still belongs to the run.
//!
//! If no UID is on record, because the answer to the request was lost, the process died before it was saved, or an
//! older version set the run up, the object is claimed if its name is in the plan, it carries the run's UUID, and this
//! tool wrote that label according to `metadata.managedFields`: a copy is written by others.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use super::metadata::Metadata;
use super::{migrations, names, probers};
use bootstorm_model::plan::{Extra, Small, Target};
use bootstorm_model::record::{PhaseRecord, RunRecord};

/// Everything that a run created, or may have created
#[derive(Debug, Clone, Default)]
pub struct Estate {
    prefix: String,
    /// UUID of the run.
    run_id: String,
    /// Whether a record defines the names in the plan.
    is_planned: bool,
    machines: HashMap<Target, Option<Box<str>>>,
    namespaces: BTreeMap<String, Option<Box<str>>>,
    pods: BTreeMap<String, Option<Box<str>>>,
    /// Small objects that the run creates in each of these places.
    extras: BTreeSet<Extra>,
    /// Namespaces of its VMs, whoever created them.
    places: BTreeSet<String>,
    /// UIDs of small objects, by key.
    extra_uids: HashMap<String, Box<str>>,
    /// Observed instances of the VMs.
    instances: BTreeSet<Box<str>>,
    secret: Option<String>,
    head: Option<String>,
    /// Whether the run may have created migrations.
    migrates: bool,
    /// Namespaces of these.
    migration_places: BTreeSet<String>,
}

/// Kinds of objects that a run creates itself
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Live migrations.
    Migration,
    /// VMs.
    Machine,
    /// Namespaces.
    Namespace,
    /// Prober pods.
    Prober,
    /// Small objects beside the VMs.
    Extra(Small),
    /// The Secret with the user's manifest.
    Secret,
    /// The record: its head and its parts.
    Map,
    /// The lock.
    Lease,
}

/// Reason why an object does not belong to the run
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stranger {
    /// Its name is not in the plan.
    NotPlanned,
    /// The run created an object of this name, but this is another one.
    MadeAnew,
    /// It belongs to the run with this UUID.
    OtherRun(String),
    /// It does not carry the run's UUID, and no UID is on record for its name.
    Unlabelled,
    /// It carries the run's UUID, but another client wrote that label.
    Copied,
    /// Its owner does not belong to the run.
    Owned(String),
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPlanned => f.write_str("its name is not in the plan of the run"),
            Self::MadeAnew => f.write_str("it was recreated by somebody else: its UID differs"),
            Self::OtherRun(run_id) => write!(f, "run {run_id} created it"),
            Self::Unlabelled => f.write_str("it does not carry the label of the run"),
            Self::Copied => f.write_str("its label was written by somebody else, so it is a copy"),
            Self::Owned(owner) => write!(f, "it belongs to {owner}"),
        }
    }
}

impl Estate {
    /// Builds the estate of a run from its record.
    pub fn of(record: &RunRecord) -> Self {
        let (plan, made) = (&record.plan, &record.made);
        let boxed = |uid: &str| Some(uid.into());
        let targets = if plan.lists_vms() { Vec::new() } else { plan.targets() };
        let uids = if targets.is_empty() { Vec::new() } else { record.machine_uids() };
        let uids = uids.into_iter().chain(std::iter::repeat(None));
        let machines = targets.into_iter().zip(uids);
        let places = if plan.makes_namespaces() { plan.namespaces() } else { Vec::new() };
        let uid = |uids: &BTreeMap<String, String>, name: &str| uids.get(name).and_then(|uid| boxed(uid));
        let namespaces = places.into_iter().map(|name| {
            let uid = uid(&made.namespaces, &name);
            (name, uid)
        });
        let probers =
            if plan.probe.needs_prober() && plan.probe.pod.is_none() { plan.probe.probers.max(1) } else { 0 };
        let pods = (1..=probers).map(|number| {
            let name = probers::name(&plan.prefix, number);
            let uid = uid(&made.probers, &name);
            (name, uid)
        });
        let mut instances = BTreeSet::new();
        for phase in record.phases.iter().filter(|_| !plan.lists_vms()) {
            instances.extend(phase.timelines.uids().into_iter().filter_map(|uids| uids.instance_uid));
        }
        Self {
            prefix: plan.prefix.clone(),
            run_id: record.run_id.clone(),
            is_planned: true,
            machines: machines.collect(),
            namespaces: namespaces.collect(),
            pods: pods.collect(),
            extras: plan.extras.iter().cloned().collect(),
            places: if plan.extras.is_empty() {
                BTreeSet::new()
            } else {
                plan.namespaces().into_iter().collect()
            },
            extra_uids: made.extras.iter().map(|(key, uid)| (key.clone(), uid.as_str().into())).collect(),
            instances,
            secret: made.secret.clone(),
            head: made.head.clone(),
            migrates: record.phases.iter().any(PhaseRecord::migrates),
            migration_places: plan.namespaces().into_iter().collect(),
        }
    }

    /// A run whose record is missing or unreadable, so that its plan is unknown.
    pub fn unrecorded(prefix: &str, run_id: &str) -> Self {
        Self { prefix: prefix.to_owned(), run_id: run_id.to_owned(), migrates: true, ..Self::default() }
    }

    /// Whether the run may have created migrations.
    pub fn migrates(&self) -> bool {
        self.migrates
    }

    /// Namespaces in which migrations of the run may be; empty if the plan is unknown.
    pub fn migration_places(&self) -> &BTreeSet<String> {
        &self.migration_places
    }

    /// UUID of the run.
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// Prefix of the run.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether the plan is known.
    pub fn is_planned(&self) -> bool {
        self.is_planned
    }

    /// VMs of the plan that the run creates.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.machines.keys()
    }

    /// Namespaces of the plan that the run creates.
    pub fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.namespaces.keys().map(String::as_str)
    }

    /// Recorded UIDs of the VMs.
    pub fn machine_uids(&self) -> impl Iterator<Item = &str> {
        self.machines.values().filter_map(Option::as_deref)
    }

    /// Kinds of small objects that the run creates beside its VMs; all kinds if the plan is unknown.
    pub fn extra_kinds(&self) -> BTreeSet<Small> {
        if !self.is_planned {
            return Small::ALL.into_iter().collect();
        }
        self.extras.iter().map(|extra| extra.kind).collect()
    }

    /// Whether an instance was observed as one of the run's VMs.
    pub fn knows_instance(&self, uid: &str) -> bool {
        self.instances.contains(uid)
    }

    /// Whether an object carries the name of the run or its UUID, whatever its owner.
    pub fn is_marked(&self, object: &Metadata) -> bool {
        let has = |key, value: &str| object.labels.get(key).is_some_and(|label| label == value);
        has(names::RUN_ID, &self.run_id) || has(names::RUN, &self.prefix)
    }

    /// Whether the name of an object may refer to something that the run created.
    pub fn is_named(&self, kind: Kind, object: &Metadata) -> bool {
        self.recorded(kind, object) != Recorded::Nothing
    }

    /// Whether an object belongs to the run; otherwise the reason.
    pub fn judge(&self, kind: Kind, object: &Metadata) -> Result<(), Stranger> {
        let label = object.labels.get(names::RUN_ID).map(String::as_str);
        match self.recorded(kind, object) {
            Recorded::Nothing => Err(match label {
                Some(other) if other != self.run_id => Stranger::OtherRun(other.to_owned()),
                _ => Stranger::NotPlanned,
            }),
            Recorded::Made(uid) if uid == object.uid => Ok(()),
            Recorded::Made(_) => Err(Stranger::MadeAnew),
            Recorded::Named => self.claim(kind, object, label),
        }
    }

    /// Whether an object without a recorded UID belongs to the run.
    fn claim(&self, kind: Kind, object: &Metadata, label: Option<&str>) -> Result<(), Stranger> {
        match label {
            None => Err(Stranger::Unlabelled),
            Some(other) if other != self.run_id => Err(Stranger::OtherRun(other.to_owned())),
            // Parts belong to the head.
            Some(_) if kind == Kind::Map && self.head.is_some() && !object.owner_references.is_empty() => {
                let head = self.head.as_deref().unwrap_or_default();
                let is_part = object.owner_references.iter().any(|owner| owner.uid == head);
                if is_part { Ok(()) } else { Err(Stranger::Copied) }
            }
            Some(_) if object.is_labelled_by_us() => Ok(()),
            Some(_) => Err(Stranger::Copied),
        }
    }

    fn is_part(&self, object: &Metadata) -> bool {
        object.name.strip_prefix(&names::head_name(&self.prefix)).is_some_and(|rest| rest.starts_with('.'))
    }

    /// Looks up an object's name in the record.
    fn recorded(&self, kind: Kind, object: &Metadata) -> Recorded<'_> {
        let head = names::head_name(&self.prefix);
        let is_head = object.name == head;
        match kind {
            Kind::Migration => {
                let ours = migrations::is_named(&self.run_id, &object.name);
                Recorded::named(ours, None)
            }
            Kind::Machine | Kind::Namespace | Kind::Extra(_) if !self.is_planned => Recorded::Named,
            Kind::Machine => {
                let target = Target { namespace: object.namespace.clone(), name: object.name.clone() };
                Recorded::planned(self.machines.get(&target))
            }
            Kind::Namespace => Recorded::planned(self.namespaces.get(&object.name)),
            Kind::Prober if !self.is_planned => {
                Recorded::named(object.name.starts_with(&format!("{head}-prober-")), None)
            }
            Kind::Prober => Recorded::planned(self.pods.get(&object.name)),
            Kind::Extra(kind) => {
                let extra = Extra { kind, name: object.name.clone() };
                let is_named = self.extras.contains(&extra) && self.places.contains(&object.namespace);
                let uid = self.extra_uids.get(&extra.key(&object.namespace));
                Recorded::named(is_named, uid.map(AsRef::as_ref))
            }
            Kind::Secret => Recorded::named(is_head, self.secret.as_deref()),
            Kind::Map if is_head => Recorded::named(true, self.head.as_deref()),
            Kind::Map => Recorded::named(self.is_part(object), None),
            Kind::Lease => Recorded::named(is_head || self.is_part(object), None),
        }
    }
}

/// A name's entry in the record
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recorded<'a> {
    /// The run creates nothing with this name.
    Nothing,
    /// The run creates an object with this name; its UID is unknown.
    Named,
    /// The run has created an object with this name and this UID.
    Made(&'a str),
}

impl<'a> Recorded<'a> {
    fn planned(uid: Option<&'a Option<Box<str>>>) -> Self {
        Self::named(uid.is_some(), uid.and_then(Option::as_deref))
    }

    fn named(is_named: bool, uid: Option<&'a str>) -> Self {
        match uid {
            _ if !is_named => Self::Nothing,
            None => Self::Named,
            Some(uid) => Self::Made(uid),
        }
    }
}
