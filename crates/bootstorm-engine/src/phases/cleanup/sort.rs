//! The kinds of objects that carry a run's label, in the order in which they are deleted.

use crate::cluster::call::path;

/// A kind of object that a run makes, or that the cluster makes for it with the run's label
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    /// VMs.
    Machines,
    /// Instances of VMs, left behind when a VM was deleted without what belongs to it.
    Instances,
    /// `DataVolumes` made from a VM's templates.
    Volumes,
    /// The claims behind them.
    Claims,
    /// Prober pods, and the pods in which VMs run.
    Pods,
    /// Namespaces.
    Namespaces,
    /// The Secret with the user's manifest.
    Secrets,
    /// The record.
    Maps,
    /// The lock.
    Leases,
}

impl Sort {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Machines,
        Self::Instances,
        Self::Volumes,
        Self::Claims,
        Self::Pods,
        Self::Namespaces,
        Self::Secrets,
        Self::Maps,
        Self::Leases,
    ];

    /// Those that a run makes whose VMs are adopted: what is not among them is never deleted for it.
    pub const BESIDE_ADOPTED: [Self; 4] = [Self::Pods, Self::Secrets, Self::Maps, Self::Leases];

    /// Those of which others may keep something in the run's namespaces.
    pub(super) const CONTENT: [Self; 7] =
        [Self::Machines, Self::Instances, Self::Volumes, Self::Claims, Self::Pods, Self::Secrets, Self::Maps];

    /// What kubectl calls one.
    pub fn word(self) -> &'static str {
        match self {
            Self::Machines => "virtualmachine",
            Self::Instances => "virtualmachineinstance",
            Self::Volumes => "datavolume",
            Self::Claims => "persistentvolumeclaim",
            Self::Pods => "pod",
            Self::Namespaces => "namespace",
            Self::Secrets => "secret",
            Self::Maps => "configmap",
            Self::Leases => "lease",
        }
    }

    /// What people call many.
    pub fn words(self) -> &'static str {
        match self {
            Self::Machines => "virtual machines",
            Self::Instances => "virtual machine instances",
            Self::Volumes => "data volumes",
            Self::Claims => "persistent volume claims",
            Self::Pods => "prober pods",
            Self::Namespaces => "namespaces",
            Self::Secrets => "secrets",
            Self::Maps => "record objects",
            Self::Leases => "locks",
        }
    }

    /// The collection in a namespace, or in all.
    pub fn collection(self, namespace: Option<&str>) -> String {
        let (group, plural) = match self {
            Self::Machines => ("kubevirt.io/v1", "virtualmachines"),
            Self::Instances => ("kubevirt.io/v1", "virtualmachineinstances"),
            Self::Volumes => ("cdi.kubevirt.io/v1beta1", "datavolumes"),
            Self::Claims => ("v1", "persistentvolumeclaims"),
            Self::Pods => ("v1", "pods"),
            Self::Namespaces => return path("v1", None, "namespaces"),
            Self::Secrets => ("v1", "secrets"),
            Self::Maps => ("v1", "configmaps"),
            Self::Leases => ("coordination.k8s.io/v1", "leases"),
        };
        path(group, namespace, plural)
    }

    /// Whether they are found in the record's namespace only.
    pub fn is_of_record(self) -> bool {
        matches!(self, Self::Secrets | Self::Maps | Self::Leases)
    }

    /// Whether what belongs to something of the run's is the run's, too.
    pub(super) fn follows(self) -> bool {
        !matches!(self, Self::Machines | Self::Namespaces | Self::Leases)
    }

    /// Whether a run cannot be cleaned up by somebody who may not list them.
    pub(super) fn is_essential(self) -> bool {
        matches!(self, Self::Machines | Self::Namespaces | Self::Maps)
    }
}
