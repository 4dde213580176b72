//! Objects that are not deleted, what holds them, and the commands that show and resolve that.

use super::Sort;
use crate::cluster::metadata::{Condition, Leaver, LeaverMetadata};

/// Domains of finalizers that a cluster with `KubeVirt` removes by itself.
const KNOWN_DOMAINS: [&str; 2] = ["kubevirt.io", "kubernetes.io"];
/// Finalizers without a domain that a cluster removes by itself.
const KNOWN_WORDS: [&str; 4] =
    ["foregroundDeletion", "orphan", "kubernetes", "foregroundDeleteVirtualMachine"];

/// Objects that cleanup could not delete in time
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// Kind.
    pub sort: Sort,
    /// Remaining objects.
    pub held: Vec<Held>,
}

/// One remaining object
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    sort: Sort,
    namespace: String,
    name: String,
    finalizers: Vec<String>,
    /// Conditions about its deletion.
    conditions: Vec<String>,
}

impl Held {
    /// What holds an object, from its last state.
    pub(super) fn of(sort: Sort, object: &Leaver) -> Self {
        let LeaverMetadata { name, namespace, finalizers, .. } = &object.metadata;
        let told = |condition: &&Condition| {
            sort == Sort::Namespaces
                && condition.status == "True"
                && condition.r#type.starts_with("Namespace")
        };
        let text = |condition: &Condition| format!("{}: {}", condition.r#type, condition.message);
        let conditions = object.conditions().iter().filter(told).map(text).collect();
        let (namespace, name) = (namespace.to_string(), name.to_string());
        Self { sort, namespace, name, finalizers: finalizers.clone(), conditions }
    }

    /// Lines that describe it and what holds it.
    pub fn lines(&self) -> Vec<String> {
        let place = match self.namespace.as_str() {
            "" => self.name.clone(),
            namespace => format!("{namespace}/{}", self.name),
        };
        let finalizers = match self.finalizers.as_slice() {
            [] => String::new(),
            all => format!(" (finalizers: {})", all.join(", ")),
        };
        let first = format!("{} {place}{finalizers}", self.sort.word());
        std::iter::once(first).chain(self.conditions.iter().map(|text| format!("  {text}"))).collect()
    }

    /// What Kubernetes reports about its deletion, closest to the cause: that it cannot find out what a namespace holds,
    /// or what it still holds.
    pub(super) fn why(&self) -> Option<String> {
        self.conditions.first().cloned()
    }

    /// The command that shows it.
    pub fn look(&self) -> Option<String> {
        Some(format!("kubectl get {} -o yaml", self.argument()?))
    }

    /// The commands that remove foreign finalizers, one for each.
    ///
    /// Each one tests that it removes the right one. There is none if a shell could misinterpret a name.
    pub fn clear(&self) -> Vec<String> {
        let Some(argument) = self.argument() else { return Vec::new() };
        let foreign = |(_, finalizer): &(usize, &String)| is_foreign(finalizer) && is_tame(finalizer);
        let command = |(index, finalizer): (usize, &String)| {
            let path = format!("/metadata/finalizers/{index}");
            format!(
                r#"kubectl patch {argument} --type=json -p '[{{"op":"test","path":"{path}","value":"{finalizer}"}},{{"op":"remove","path":"{path}"}}]'"#
            )
        };
        self.finalizers.iter().enumerate().filter(foreign).map(command).collect()
    }

    /// The command that shows the content that keeps a namespace.
    pub fn content(&self) -> Option<String> {
        let is_stuck = self.sort == Sort::Namespaces && is_tame(&self.name);
        is_stuck.then(|| {
            format!(
                "kubectl api-resources --verbs=list --namespaced -o name | xargs -n1 kubectl get --ignore-not-found --show-kind -n {}",
                self.name
            )
        })
    }

    /// `kind name -n namespace`, if a shell takes these literally.
    fn argument(&self) -> Option<String> {
        let namespace = match self.namespace.as_str() {
            "" => String::new(),
            namespace => format!(" -n {namespace}"),
        };
        (is_tame(&self.name) && (self.namespace.is_empty() || is_tame(&self.namespace)))
            .then(|| format!("{} {}{namespace}", self.sort.word(), self.name))
    }
}

/// Whether a finalizer does not belong to a cluster with `KubeVirt`.
fn is_foreign(finalizer: &str) -> bool {
    match finalizer.split_once('/') {
        None => !KNOWN_WORDS.contains(&finalizer),
        Some((domain, _)) => {
            !KNOWN_DOMAINS.iter().any(|known| domain == *known || domain.ends_with(&format!(".{known}")))
        }
    }
}

/// Whether a text is taken literally by a shell and in JSON.
fn is_tame(text: &str) -> bool {
    let tame = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '/' | ':');
    !text.is_empty() && !text.starts_with('-') && text.len() <= 316 && text.chars().all(tame)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn held(sort: Sort, object: Value) -> Held {
        Held::of(sort, &serde_json::from_value(object).unwrap())
    }

    #[test]
    fn a_foreign_finalizer_is_named_with_the_way_to_clear_it() {
        let vm = held(
            Sort::Machines,
            json!({"metadata": {"name": "vm", "namespace": "p-1",
                "finalizers": ["kubevirt.io/virtualMachineControllerFinalize", "example.org/stuck"]}}),
        );
        assert_eq!(
            vm.lines(),
            [
                "virtualmachine p-1/vm (finalizers: kubevirt.io/virtualMachineControllerFinalize, example.org/stuck)"
            ]
        );
        assert_eq!(vm.look().unwrap(), "kubectl get virtualmachine vm -n p-1 -o yaml");
        assert_eq!(
            vm.clear(),
            [
                r#"kubectl patch virtualmachine vm -n p-1 --type=json -p '[{"op":"test","path":"/metadata/finalizers/1","value":"example.org/stuck"},{"op":"remove","path":"/metadata/finalizers/1"}]'"#
            ]
        );
    }

    #[test]
    fn no_command_is_made_of_names_that_a_shell_would_run() {
        for name in ["$(reboot)", "a;b", "a b", "a'b", "-f", "a\nb", ""] {
            let vm =
                held(Sort::Machines, json!({"metadata": {"name": name, "finalizers": ["example.org/x"]}}));
            assert_eq!((vm.look(), vm.clear().len()), (None, 0), "{name}");
            let vm = held(
                Sort::Machines,
                json!({"metadata": {"name": "vm", "finalizers": [format!("x.org/{name}'")]}}),
            );
            assert_eq!(vm.clear().len(), 0, "{name}");
        }
    }

    #[test]
    fn a_namespace_says_what_it_waits_for() {
        let namespace = held(
            Sort::Namespaces,
            json!({"metadata": {"name": "p-1"}, "status": {"conditions": [
                {"type": "NamespaceDeletionContentFailure", "status": "False", "message": "All content deleted"},
                {"type": "NamespaceFinalizersRemaining", "status": "True", "message": "example.org/stuck in 1 resource instances"}]}}),
        );
        let lines = namespace.lines();
        assert_eq!(lines[1], "  NamespaceFinalizersRemaining: example.org/stuck in 1 resource instances");
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1].trim(), namespace.why().unwrap());
        assert!(namespace.content().unwrap().ends_with("-n p-1"));
    }

    #[test]
    fn what_a_cluster_takes_off_itself_is_not_foreign() {
        for known in [
            "kubernetes",
            "kubernetes.io/pvc-protection",
            "snapshot.storage.kubernetes.io/x",
            "cdi.kubevirt.io/x",
        ] {
            assert!(!is_foreign(known), "{known}");
        }
        assert!(is_foreign("example.org/x") && is_foreign("notkubevirt.io/x") && is_foreign("odd"));
    }
}
