//! Distribution of VMs over namespaces, and the names of both.

use serde::{Deserialize, Serialize};

use super::Target;
use super::prefix::{check_prefix, dns_label_fault};

/// Placeholder for the index in the name of a VM.
pub const INDEX: &str = "{i}";
/// Maximum number of digits to which an index is padded: a run has at most 50,000 VMs, and external indexes may be
/// larger.
const WIDEST: u32 = 9;

/// Distribution of VMs over namespaces
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Layout {
    /// VMs in each namespace that the run creates.
    pub vms_per_namespace: u32,
    /// The one namespace that holds all VMs, which the run neither created nor deletes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Minimum number of digits of an index; shorter ones are zero-padded.
    pub index_width: u32,
}

impl Default for Layout {
    fn default() -> Self {
        Self { vms_per_namespace: 1, namespace: None, index_width: 1 }
    }
}

impl Layout {
    /// Whether each VM has a namespace of its own, with plain indexes, as in the guide.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether several VMs may share a namespace, so that their names must differ.
    pub fn is_shared(&self) -> bool {
        self.vms_per_namespace > 1 || self.namespace.is_some()
    }

    /// Namespace and name of the VM with an index.
    pub fn target(&self, prefix: &str, vm_name: &str, index: u32) -> Target {
        Target { namespace: self.namespace_of(prefix, index), name: self.name_of(vm_name, index) }
    }

    /// Namespace of the VM with an index. The first K indexes are in the first namespace, whatever index comes first in
    /// the run.
    fn namespace_of(&self, prefix: &str, index: u32) -> String {
        match &self.namespace {
            Some(name) => name.clone(),
            None => {
                let number = index.saturating_sub(1) / self.vms_per_namespace.max(1) + 1;
                format!("{prefix}-{}", self.padded(number))
            }
        }
    }

    /// Name of the VM with an index: the index replaces `{i}`, or follows a dash if VMs share a namespace.
    fn name_of(&self, vm_name: &str, index: u32) -> String {
        let index = self.padded(index);
        if vm_name.contains(INDEX) {
            vm_name.replace(INDEX, &index)
        } else if self.is_shared() {
            format!("{vm_name}-{index}")
        } else {
            vm_name.to_owned()
        }
    }

    fn padded(&self, number: u32) -> String {
        format!("{number:0width$}", width = self.index_width as usize)
    }

    /// Fails with a sentence that names the flag at fault. Stored values are checked too, since names become paths.
    pub fn check(&self, prefix: &str, vm_name: &str, end: u32) -> Result<(), String> {
        if self.vms_per_namespace < 1 {
            return Err("--vms-per-namespace must be at least 1".into());
        }
        if !(1..=WIDEST).contains(&self.index_width) {
            return Err(format!("--index-width must be from 1 to {WIDEST}"));
        }
        let last = self.target(prefix, vm_name, end);
        match &self.namespace {
            Some(name) => {
                check_prefix(prefix, 1)?;
                if let Some(fault) = dns_label_fault(name) {
                    return Err(format!("`{}` cannot be a namespace: {fault}", name.escape_debug()));
                }
            }
            None => {
                let number =
                    last.namespace.strip_prefix(prefix).map_or("", |rest| rest.trim_start_matches('-'));
                check_prefix(prefix, number)?;
            }
        }
        match dns_label_fault(&last.name) {
            Some(fault) => Err(format!("--vm-name `{}` cannot name a VM: {fault}", vm_name.escape_debug())),
            None => Ok(()),
        }
    }

    /// Summary of the namespaces of a run: `p-1 to p-10, with 5 VMs each`.
    pub fn describe(&self, prefix: &str, (start, end): (u32, u32)) -> String {
        if let Some(name) = &self.namespace {
            return format!("{name}, which is not the run's own");
        }
        let [first, last] = [start, end].map(|index| self.namespace_of(prefix, index));
        let range = if first == last { first } else { format!("{first} to {last}") };
        match self.vms_per_namespace {
            1 => range,
            vms => format!("{range}, with {vms} VMs each"),
        }
    }

    /// Each flag with its value.
    pub fn shown(&self) -> [(&'static str, String); 3] {
        [
            ("--vms-per-namespace", self.vms_per_namespace.to_string()),
            ("--vm-namespace", self.namespace.clone().unwrap_or_else(|| "none".into())),
            ("--index-width", self.index_width.to_string()),
        ]
    }
}

/// A name without its index, for texts that all VMs share.
pub fn base_name(vm_name: &str) -> String {
    vm_name.replace(INDEX, "").trim_matches(['-', '.']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(layout: &Layout, vm_name: &str, indexes: &[u32]) -> Vec<String> {
        indexes.iter().map(|index| layout.target("p", vm_name, *index).to_string()).collect()
    }

    #[test]
    fn by_default_each_vm_has_its_namespace() {
        let layout = Layout::default();
        assert_eq!(targets(&layout, "vm", &[1, 10]), ["p-1/vm", "p-10/vm"]);
        assert_eq!(targets(&layout, "db{i}x", &[7]), ["p-7/db7x"]);
    }

    #[test]
    fn vms_that_share_a_namespace_have_names_of_their_own() {
        let four = Layout { vms_per_namespace: 4, index_width: 3, ..Layout::default() };
        let names = targets(&four, "vm", &[1, 4, 5, 12, 13]);
        assert_eq!(names, ["p-001/vm-001", "p-001/vm-004", "p-002/vm-005", "p-003/vm-012", "p-004/vm-013"]);
        let one = Layout { namespace: Some("team".into()), ..Layout::default() };
        assert_eq!(targets(&one, "vm", &[1, 2]), ["team/vm-1", "team/vm-2"]);
        assert_eq!(targets(&one, "a-{i}-b", &[2]), ["team/a-2-b"]);
        assert_eq!(base_name("a-{i}"), "a");
    }

    #[test]
    fn namespaces_are_told_in_a_few_words() {
        let four = Layout { vms_per_namespace: 4, ..Layout::default() };
        assert_eq!(Layout::default().describe("p", (1, 10)), "p-1 to p-10");
        assert_eq!(Layout::default().describe("p", (3, 3)), "p-3");
        assert_eq!(four.describe("p", (1, 10)), "p-1 to p-3, with 4 VMs each");
        let one = Layout { namespace: Some("team".into()), ..Layout::default() };
        assert_eq!(one.describe("p", (1, 10)), "team, which is not the run's own");
    }

    #[test]
    fn names_that_cannot_be_are_refused_with_the_flag() {
        let check = |layout: &Layout, vm_name: &str| layout.check("p", vm_name, 100).unwrap_err();
        let plain = Layout::default();
        assert!(check(&plain, "Vm").starts_with("--vm-name `Vm` cannot name a VM"));
        assert!(check(&plain, "").contains("it is empty"));
        assert!(
            check(&Layout { vms_per_namespace: 0, ..plain.clone() }, "vm").contains("--vms-per-namespace")
        );
        assert!(check(&Layout { index_width: 10, ..plain.clone() }, "vm").contains("--index-width"));
        let elsewhere = Layout { namespace: Some("../x".into()), ..plain.clone() };
        assert!(check(&elsewhere, "vm").contains("cannot be a namespace"));
        let long = "x".repeat(62);
        assert!(Layout { index_width: 2, ..plain.clone() }.check("p", &long, 1).is_ok());
        let shared = Layout { vms_per_namespace: 2, ..plain };
        assert!(check(&shared, &long).contains("66 characters"));
        assert!(shared.check(&"y".repeat(61), "vm", 2).is_ok(), "two VMs are in namespace 1");
        assert!(shared.check(&"y".repeat(61), "vm", 20).unwrap_err().contains("64 characters"));
    }
}
