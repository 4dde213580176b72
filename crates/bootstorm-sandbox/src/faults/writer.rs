//! Second writer: another client that changes objects concurrently.

use std::str::FromStr;

use crate::value::{Value, json};

use super::matching::Match;
use super::matching::ROLE;
use crate::controllers::conditions::is_final;
use crate::controllers::jobs::labels;
use crate::controllers::names;
use crate::model::dice::Roll;
use crate::model::misbehaviour::KILL;
use crate::store::kind::{CONFIG_MAPS, PODS, VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES};
use crate::store::{DeleteOptions, Kind, Object, Store};

/// Annotation and label left by the second writer; the value differs each time.
pub const MARK: &str = "somebody.example/was-here";

/// Action of the second writer
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// `annotate`: annotates a machine.
    Annotate,
    /// `label`: labels a machine.
    Label,
    /// `flip`: switches a running machine off, and a stopped one on.
    Flip,
    /// `delete-instance`: deletes the instance of a machine, not the machine.
    DeleteInstance,
    /// `edit-record`: annotates the `ConfigMap` with a run's record.
    EditRecord,
    /// `hold`: adds a finalizer to a machine, so that it cannot be deleted.
    Hold,
    /// `delete`: deletes a machine.
    Delete,
    /// `delete-pod`: deletes a pod of a Job.
    DeletePod,
    /// `kill-pod`: kills the containers of a pod of a Job.
    KillPod,
}

const ALL: [What; 9] = [
    What::Annotate,
    What::Label,
    What::Flip,
    What::DeleteInstance,
    What::EditRecord,
    What::Hold,
    What::Delete,
    What::DeletePod,
    What::KillPod,
];

impl What {
    /// Word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Annotate => "annotate",
            Self::Label => "label",
            Self::Flip => "flip",
            Self::DeleteInstance => "delete-instance",
            Self::EditRecord => "edit-record",
            Self::Hold => "hold",
            Self::Delete => "delete",
            Self::DeletePod => "delete-pod",
            Self::KillPod => "kill-pod",
        }
    }

    /// All words in one line.
    pub(super) fn known() -> String {
        ALL.map(Self::word).join(", ")
    }

    fn kind(self) -> &'static Kind {
        match self {
            Self::EditRecord => &CONFIG_MAPS,
            Self::DeleteInstance => &VIRTUAL_MACHINE_INSTANCES,
            Self::DeletePod | Self::KillPod => &PODS,
            _ => &VIRTUAL_MACHINES,
        }
    }
}

impl FromStr for What {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = ALL.into_iter().find(|what| what.word() == text);
        found.ok_or_else(|| format!("unknown what \"{text}\"; known: {}", Self::known()))
    }
}

/// Another client that writes
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecondWriter {
    /// Action.
    pub what: What,
    /// Objects that it applies to.
    pub matching: Match,
}

impl SecondWriter {
    /// Applies the action to one matching object, drawn by `roll`; false if there is none.
    pub fn write_somewhere(&self, store: &Store, mut roll: Roll) -> bool {
        let (objects, _) = store.list(self.what.kind(), None);
        let meant: Vec<&Object> = objects.iter().filter(|object| self.means(object)).collect();
        if meant.is_empty() {
            return false;
        }
        let object = meant[(roll.bits() % meant.len() as u64) as usize];
        self.write(store, object.namespace(), object.name(), &format!("{:x}", roll.bits()))
    }

    /// Applies the action to the object of this name; false if there is none.
    pub fn write(&self, store: &Store, namespace: &str, name: &str, mark: &str) -> bool {
        let kind = self.what.kind();
        let note = |field: &'static str, key: &'static str| {
            let change = |object: &mut Value| {
                if !object["metadata"][field].is_object() {
                    object["metadata"][field] = json!({});
                }
                object["metadata"][field][key] = json!(mark);
            };
            store.modify(kind, namespace, name, change).is_some()
        };
        match self.what {
            What::Annotate | What::EditRecord => note("annotations", MARK),
            What::Label => note("labels", MARK),
            What::KillPod => note("annotations", KILL),
            What::Hold => {
                let hold = |vm: &mut Value| names::add_finalizer(vm, names::FOREIGN_FINALIZER);
                store.modify(kind, namespace, name, hold).is_some()
            }
            What::Flip => store.modify(kind, namespace, name, flip).is_some(),
            What::DeleteInstance | What::Delete | What::DeletePod => {
                store.delete(kind, namespace, name, &DeleteOptions::default()).is_ok()
            }
        }
    }

    fn means(&self, object: &Object) -> bool {
        let labels = || object.labels().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let record = self.what != What::EditRecord || object.label(ROLE) == Some("record");
        let is_pod = matches!(self.what, What::DeletePod | What::KillPod);
        // A pod that has ended cannot be killed, and its Job handles its end.
        let pod = !is_pod || object.label(labels::NAME).is_some() && !is_final(object.value());
        record
            && pod
            && !object.is_deleting()
            && self.matching.fits_object(object.namespace(), object.name(), &labels)
    }
}

fn flip(vm: &mut Value) {
    let spec = &mut vm["spec"];
    if let Some(running) = spec["running"].as_bool() {
        spec["running"] = json!(!running);
    } else {
        let strategy = if spec["runStrategy"] == "Halted" { "Always" } else { "Halted" };
        spec["runStrategy"] = json!(strategy);
    }
}
