//! The plan of a run: its VMs, their places and their manifest. Frozen by `setup`.
//!
//! Pure: made from resolved values, without clap and without a cluster.

pub mod adoption;
pub mod capacity;
pub mod disks;
pub mod foreign;
pub mod gitops;
pub mod identity;
pub mod layout;
pub mod manifest;
pub mod metadata;
pub mod openshift;
pub mod order;
pub mod overrides;
pub mod pinning;
pub mod placeholders;
pub mod prefix;
pub mod references;
pub mod secrets;
pub mod selection;
pub mod shape;
pub mod sizing;
pub mod small;
pub mod source;
pub mod target;
pub mod template;
pub mod volumes;
pub mod yaml;
pub mod yaml_fault;

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::probe::ProbePlan;

pub use adoption::{Adoptee, Setting, Switch};
pub use disks::Disk;
pub use layout::Layout;
pub use order::Order;
pub use overrides::Overrides;
pub use pinning::Pinning;
pub use selection::Selection;
pub use shape::Shape;
pub use small::{Extra, Small};
pub use target::Target;
pub use template::{Template, TemplateFault, TemplateSource};

/// Maximum number of VMs in one run.
pub const MOST_TARGETS: u32 = 50_000;

/// The plan of a run, frozen by `setup`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Name of the run and prefix of its namespaces.
    pub prefix: String,
    /// First index.
    pub start: u32,
    /// Last index, inclusive.
    pub end: u32,
    /// Name of the VM in each namespace; `{i}` is replaced by its index.
    pub vm_name: String,
    /// Distribution of VMs over namespaces.
    #[serde(default, skip_serializing_if = "Layout::is_default")]
    pub layout: Layout,
    /// Nodes on which they may run.
    #[serde(default, skip_serializing_if = "Pinning::is_default")]
    pub pinning: Pinning,
    /// Source of the VM manifest.
    pub template: TemplateSource,
    /// Changes to the manifest.
    #[serde(default, skip_serializing_if = "Overrides::is_empty")]
    pub overrides: Overrides,
    /// SHA-256 of the manifest in the run's Secret, if a built-in one holds a password or a key; lower-case hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<String>,
    /// How guests are probed.
    #[serde(default)]
    pub probe: ProbePlan,
    /// Small objects that the run creates in each namespace of its VMs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extras: Vec<Extra>,
    /// Namespace from which those of them are copied that do not come with the manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_from: Option<String>,
    /// Labels of the namespaces that the run creates, besides its own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub namespace_labels: BTreeMap<String, String>,
    /// Annotations of the namespaces that the run creates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub namespace_annotations: BTreeMap<String, String>,
    /// VMs of a run that created none; stored separately from the rest of the plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adopted: Vec<Adoptee>,
}

impl Plan {
    /// Validates user input and builds a plan.
    ///
    /// Fails with a sentence that names the flags at fault.
    pub fn resolve(
        prefix: &str,
        start: u32,
        end: u32,
        vm_name: &str,
        template: TemplateSource,
    ) -> Result<Self, String> {
        let plan = Self {
            prefix: prefix.into(),
            start,
            end,
            vm_name: vm_name.into(),
            layout: Layout::default(),
            pinning: Pinning::default(),
            template,
            overrides: Overrides::default(),
            sealed: None,
            probe: ProbePlan::default(),
            extras: Vec::new(),
            copy_from: None,
            namespace_labels: BTreeMap::new(),
            namespace_annotations: BTreeMap::new(),
            adopted: Vec::new(),
        };
        plan.check().map(|()| plan)
    }

    /// A plan for existing VMs, in the order of the list.
    ///
    /// Fails with a sentence if the run cannot have that name or the VMs cannot be adopted.
    pub fn adopting(prefix: &str, selection: &Selection, adopted: Vec<Adoptee>) -> Result<Self, String> {
        Self::listing(prefix, TemplateSource::Adopted { selection: selection.to_string() }, adopted)
    }

    /// A plan for VMs that are only observed, in the order of the list.
    ///
    /// Fails like [`Plan::adopting`].
    pub fn observing(prefix: &str, selection: &Selection, observed: Vec<Adoptee>) -> Result<Self, String> {
        Self::listing(prefix, TemplateSource::Observed { selection: selection.to_string() }, observed)
    }

    fn listing(prefix: &str, template: TemplateSource, adopted: Vec<Adoptee>) -> Result<Self, String> {
        let plan = Self {
            prefix: prefix.into(),
            start: 1,
            end: (adopted.len() as u32).max(1),
            vm_name: String::new(),
            layout: Layout::default(),
            pinning: Pinning::default(),
            template,
            overrides: Overrides::default(),
            sealed: None,
            probe: ProbePlan::default(),
            extras: Vec::new(),
            copy_from: None,
            namespace_labels: BTreeMap::new(),
            namespace_annotations: BTreeMap::new(),
            adopted,
        };
        plan.check().map(|()| plan)
    }

    /// Whether its VMs belong to others: never created, labelled or deleted, and restored at the end.
    pub fn is_adopted(&self) -> bool {
        matches!(self.template, TemplateSource::Adopted { .. })
    }

    /// Whether its VMs are somebody else's, and only watched.
    pub fn is_observed(&self) -> bool {
        matches!(self.template, TemplateSource::Observed { .. })
    }

    /// Whether its VMs are a list of existing VMs: adopted or observed ones.
    pub fn lists_vms(&self) -> bool {
        self.is_adopted() || self.is_observed()
    }

    /// Fails with a sentence that names the flags at fault. A stored plan is checked too: its names become paths.
    pub fn check(&self) -> Result<(), String> {
        let Self { prefix, start, end, vm_name, .. } = self;
        let (start, end) = (*start, *end);
        if start < 1 {
            return Err("--start must be at least 1".into());
        }
        if end < 1 {
            return Err("--end must be at least 1".into());
        }
        if start > end {
            return Err(format!("--start {start} is greater than --end {end}"));
        }
        if end - start >= MOST_TARGETS {
            return Err(format!(
                "--start {start} to --end {end} are {} VMs, at most {MOST_TARGETS} are possible in one run",
                u64::from(end - start) + 1
            ));
        }
        adoption::check(&self.adopted)?;
        if self.lists_vms() {
            return prefix::check_prefix(prefix, end);
        }
        self.layout.check(prefix, vm_name, end)?;
        small::check(&self.extras, self.copy_from.as_deref())?;
        if !self.adopted.is_empty() {
            return Err("it lists VMs, and has others".into());
        }
        Ok(())
    }

    /// SHA-256 of the manifest in the run's Secret; `None` if the plan contains all of it.
    pub fn sealed_digest(&self) -> Option<&str> {
        match &self.template {
            TemplateSource::File { sha256, .. } => Some(sha256),
            _ => self.sealed.as_deref(),
        }
    }

    /// The number of VMs.
    pub fn size(&self) -> u32 {
        self.end - self.start + 1
    }

    /// Every VM of the run, in index order.
    pub fn targets(&self) -> Vec<Target> {
        if self.lists_vms() {
            return self.adopted.iter().map(|adoptee| adoptee.target.clone()).collect();
        }
        (self.start..=self.end).map(|index| self.target(index)).collect()
    }

    /// The VM with an index.
    fn target(&self, index: u32) -> Target {
        self.layout.target(&self.prefix, &self.vm_name, index)
    }

    /// The namespaces of the VMs, in index order, each once.
    pub fn namespaces(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        let namespaces = self.targets().into_iter().map(|target| target.namespace);
        namespaces.filter(|namespace| seen.insert(namespace.clone())).collect()
    }

    /// Whether the namespaces of the VMs are created, and deleted at the end.
    pub fn makes_namespaces(&self) -> bool {
        !self.lists_vms() && self.layout.namespace.is_none()
    }

    /// Renders the manifest of the VM at this position in the plan.
    pub fn render(
        &self,
        template: &Template,
        (position, target): (usize, &Target),
        labels: &metadata::Labels,
        run_strategy: &str,
    ) -> serde_json::Value {
        let index = self.index(self.start.saturating_add(position as u32));
        let place = manifest::Place { position, is_shared: self.layout.is_shared(), index };
        let mut vm = template.render_at(place, target, labels, run_strategy);
        self.pinning.apply(&mut vm);
        self.probe.apply(&mut vm);
        vm
    }

    /// An index as placeholders in manifests need it.
    pub fn index(&self, number: u32) -> identity::Index {
        identity::Index { number, width: self.layout.index_width }
    }

    /// Differences from another plan: flag, value here, value there.
    pub fn differences(&self, other: &Self) -> Vec<(&'static str, String, String)> {
        let mut pairs = vec![
            ("--ns-prefix", self.prefix.clone(), other.prefix.clone()),
            ("--start", self.start.to_string(), other.start.to_string()),
            ("--end", self.end.to_string(), other.end.to_string()),
            ("--vm-name", self.vm_name.clone(), other.vm_name.clone()),
            ("--probe", self.probe.to_string(), other.probe.to_string()),
            (self.template.flag(), self.template.to_string(), other.template.to_string()),
        ];
        let both = |here: [(&'static str, String); 3], there: [(&'static str, String); 3]| {
            here.into_iter().zip(there).map(|((flag, here), (_, there))| (flag, here, there))
        };
        pairs.extend(both(self.layout.shown(), other.layout.shown()));
        pairs.extend(both(self.pinning.shown(), other.pinning.shown()));
        pairs.extend(self.overrides.pairs(&other.overrides));
        let copied = |plan: &Self| plan.copy_from.clone().unwrap_or_else(|| "none".into());
        pairs.push(("--copy-from", copied(self), copied(other)));
        let dress = |map: &BTreeMap<String, String>| {
            let pairs: Vec<String> = map.iter().map(|(key, value)| format!("{key}={value}")).collect();
            if pairs.is_empty() { "none".to_owned() } else { pairs.join(",") }
        };
        pairs.push(("--namespace-label", dress(&self.namespace_labels), dress(&other.namespace_labels)));
        let [here, there] = [self, other].map(|plan| dress(&plan.namespace_annotations));
        pairs.push(("--namespace-annotation", here, there));
        let digest =
            |plan: &Self| plan.sealed_digest().unwrap_or("none").chars().take(12).collect::<String>();
        if self.template.flag() == other.template.flag() && pairs.iter().all(|(_, here, there)| here == there)
        {
            // The file names are the same, but the contents differ.
            pairs.push(("the manifest with its secrets", digest(self), digest(other)));
        }
        pairs.into_iter().filter(|(_, here, there)| here != there).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(start: u32, end: u32) -> Result<Plan, String> {
        let template = TemplateSource::ContainerDisk { image: "example.org/disk:1".into() };
        Plan::resolve("p", start, end, "vm", template)
    }

    #[test]
    fn bad_ranges_name_the_flags() {
        assert_eq!(plan(5, 4).unwrap_err(), "--start 5 is greater than --end 4");
        assert!(plan(0, 4).unwrap_err().contains("--start"));
        assert!(plan(1, 0).unwrap_err().contains("--end"));
        assert!(plan(1, u32::MAX).unwrap_err().contains("at most 50000"));
    }

    #[test]
    fn targets_are_inclusive() {
        let names: Vec<_> = plan(9, 11).unwrap().targets().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["p-9/vm", "p-10/vm", "p-11/vm"]);
    }

    #[test]
    fn namespaces_are_named_once() {
        let layout = Layout { vms_per_namespace: 3, ..Layout::default() };
        let shared = Plan { layout, ..plan(2, 7).unwrap() };
        assert_eq!(shared.namespaces(), ["p-1", "p-2", "p-3"]);
        assert!(shared.makes_namespaces());
        let layout = Layout { namespace: Some("team".into()), ..Layout::default() };
        let inside = Plan { layout, ..plan(1, 3).unwrap() };
        assert_eq!((inside.namespaces(), inside.makes_namespaces()), (vec!["team".to_owned()], false));
        assert_eq!(inside.targets()[2].to_string(), "team/vm-3");
    }

    #[test]
    fn differences_name_both_values() {
        let here = plan(1, 10).unwrap();
        let there = plan(1, 20).unwrap();
        assert_eq!(here.differences(&there), [("--end", "10".to_string(), "20".to_string())]);
        assert!(here.differences(&here).is_empty());
        let pinned =
            Plan { pinning: Pinning { nodes: vec!["a".into()], ..Pinning::default() }, ..here.clone() };
        assert_eq!(here.differences(&pinned), [("--node-name", "none".to_string(), "a".to_string())]);
    }
}
