//! Kinds of objects that carry a run's label, in the order in which they are deleted.

use crate::cluster::call::path;
use crate::cluster::migrations;
use bootstorm_model::plan::Small;

/// A kind of object that a run creates, or that the cluster creates for it with the run's label
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    /// Live migrations requested by a storm.
    Migrations,
    /// VMs.
    Machines,
    /// Instances of VMs, left behind when a VM was deleted without its dependents.
    Instances,
    /// `DataVolumes` created from a VM's templates.
    Volumes,
    /// Claims of those.
    Claims,
    /// Prober pods, and launcher pods.
    Pods,
    /// Small objects beside the VMs.
    Extras(Small),
    /// Namespaces.
    Namespaces,
    /// The Secret with the user's manifest.
    Secrets,
    /// The record.
    Maps,
    /// The lock.
    Leases,
    /// A kind that no run creates, and of which the run's namespaces may hold foreign objects.
    Other(&'static Resource),
}

/// A kind that users, or software they install, put into namespaces, and whose loss would matter
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource {
    /// API group; empty for the core.
    pub group: &'static str,
    /// Name in paths.
    pub plural: &'static str,
    /// Singular name, as in kubectl.
    pub singular: &'static str,
    /// Versions in which clusters serve it, the current one first.
    versions: &'static [&'static str],
}

const fn resource(
    group: &'static str,
    plural: &'static str,
    singular: &'static str,
    versions: &'static [&'static str],
) -> Resource {
    Resource { group, plural, singular, versions }
}

/// Kinds of foreign objects in the run's namespaces, besides those that a run also creates.
///
/// Objects that a cluster, a policy controller or an operator adds to every namespace (service accounts, roles and
/// their bindings, network policies, quotas, endpoints, events, copied cluster service versions) are not included: they
/// would keep every namespace of every run.
pub static OTHERS: [Resource; 21] = [
    resource("", "services", "service", &["v1"]),
    resource("apps", "daemonsets", "daemonset", &["v1"]),
    resource("apps", "deployments", "deployment", &["v1"]),
    resource("apps", "statefulsets", "statefulset", &["v1"]),
    resource("batch", "cronjobs", "cronjob", &["v1"]),
    resource("batch", "jobs", "job", &["v1"]),
    resource("cdi.kubevirt.io", "dataimportcrons", "dataimportcron", &["v1beta1"]),
    resource("cdi.kubevirt.io", "datasources", "datasource", &["v1beta1"]),
    resource("clone.kubevirt.io", "virtualmachineclones", "virtualmachineclone", &["v1beta1", "v1alpha1"]),
    resource("export.kubevirt.io", "virtualmachineexports", "virtualmachineexport", &["v1beta1", "v1alpha1"]),
    resource("gateway.networking.k8s.io", "httproutes", "httproute", &["v1", "v1beta1"]),
    resource(
        "instancetype.kubevirt.io",
        "virtualmachineinstancetypes",
        "virtualmachineinstancetype",
        &["v1beta1", "v1"],
    ),
    resource(
        "instancetype.kubevirt.io",
        "virtualmachinepreferences",
        "virtualmachinepreference",
        &["v1beta1", "v1"],
    ),
    resource("k8s.cni.cncf.io", "network-attachment-definitions", "network-attachment-definition", &["v1"]),
    resource("kubevirt.io", "virtualmachineinstancereplicasets", "virtualmachineinstancereplicaset", &["v1"]),
    resource("networking.k8s.io", "ingresses", "ingress", &["v1"]),
    resource("pool.kubevirt.io", "virtualmachinepools", "virtualmachinepool", &["v1beta1", "v1alpha1"]),
    resource("route.openshift.io", "routes", "route", &["v1"]),
    resource(
        "snapshot.kubevirt.io",
        "virtualmachinerestores",
        "virtualmachinerestore",
        &["v1beta1", "v1alpha1"],
    ),
    resource(
        "snapshot.kubevirt.io",
        "virtualmachinesnapshots",
        "virtualmachinesnapshot",
        &["v1beta1", "v1alpha1"],
    ),
    resource("snapshot.storage.k8s.io", "volumesnapshots", "volumesnapshot", &["v1"]),
];

impl Resource {
    /// The collection in a namespace, or in all, in each version that may be served.
    pub(super) fn collections(&self, namespace: Option<&str>) -> impl Iterator<Item = String> {
        let group = if self.group.is_empty() { String::new() } else { format!("{}/", self.group) };
        self.versions.iter().map(move |version| path(&format!("{group}{version}"), namespace, self.plural))
    }
}

impl Sort {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::Migrations,
        Self::Machines,
        Self::Instances,
        Self::Volumes,
        Self::Claims,
        Self::Pods,
        Self::Extras(Small::Secret),
        Self::Extras(Small::ConfigMap),
        Self::Extras(Small::Network),
        Self::Extras(Small::Instancetype),
        Self::Extras(Small::Preference),
        Self::Namespaces,
        Self::Secrets,
        Self::Maps,
        Self::Leases,
    ];

    /// Kinds created by a run of adopted VMs: nothing else is ever deleted for it.
    pub const BESIDE_OTHERS: [Self; 5] =
        [Self::Migrations, Self::Pods, Self::Secrets, Self::Maps, Self::Leases];

    /// Kinds of which the run's namespaces may hold foreign objects.
    pub(super) fn contents() -> impl Iterator<Item = Self> {
        let made = [
            Self::Machines,
            Self::Instances,
            Self::Volumes,
            Self::Claims,
            Self::Pods,
            Self::Secrets,
            Self::Maps,
        ];
        made.into_iter().chain(OTHERS.iter().map(Self::Other))
    }

    /// Singular name, as in kubectl.
    pub fn word(self) -> &'static str {
        match self {
            Self::Migrations => "virtualmachineinstancemigration",
            Self::Machines => "virtualmachine",
            Self::Instances => "virtualmachineinstance",
            Self::Volumes => "datavolume",
            Self::Claims => "persistentvolumeclaim",
            Self::Pods => "pod",
            Self::Extras(small) => small.singular(),
            Self::Namespaces => "namespace",
            Self::Secrets => "secret",
            Self::Maps => "configmap",
            Self::Leases => "lease",
            Self::Other(resource) => resource.singular,
        }
    }

    /// Plural noun for messages.
    pub fn words(self) -> &'static str {
        match self {
            Self::Migrations => "migrations",
            Self::Machines => "virtual machines",
            Self::Instances => "virtual machine instances",
            Self::Volumes => "data volumes",
            Self::Claims => "persistent volume claims",
            Self::Pods => "prober pods",
            Self::Extras(Small::Secret) => "secrets of the VMs",
            Self::Extras(Small::ConfigMap) => "config maps of the VMs",
            Self::Extras(Small::Network) => "networks of the VMs",
            Self::Extras(Small::Instancetype) => "instance types of the VMs",
            Self::Extras(Small::Preference) => "preferences of the VMs",
            Self::Namespaces => "namespaces",
            Self::Secrets => "secrets",
            Self::Maps => "record objects",
            Self::Leases => "locks",
            Self::Other(resource) => resource.plural,
        }
    }

    /// The collection in a namespace, or in all.
    pub fn collection(self, namespace: Option<&str>) -> String {
        let (group, plural) = match self {
            Self::Migrations => ("kubevirt.io/v1", migrations::PLURAL),
            Self::Machines => ("kubevirt.io/v1", "virtualmachines"),
            Self::Instances => ("kubevirt.io/v1", "virtualmachineinstances"),
            Self::Volumes => ("cdi.kubevirt.io/v1beta1", "datavolumes"),
            Self::Claims => ("v1", "persistentvolumeclaims"),
            Self::Pods => ("v1", "pods"),
            Self::Extras(small) => (small.api_version(), small.plural()),
            Self::Namespaces => return path("v1", None, "namespaces"),
            Self::Secrets => ("v1", "secrets"),
            Self::Maps => ("v1", "configmaps"),
            Self::Leases => ("coordination.k8s.io/v1", "leases"),
            Self::Other(resource) => return resource.collections(namespace).next().unwrap_or_default(),
        };
        path(group, namespace, plural)
    }

    /// Kind of small object to which these belong, whatever their purpose.
    pub(super) fn small(self) -> Option<Small> {
        match self {
            Self::Extras(small) => Some(small),
            Self::Secrets => Some(Small::Secret),
            Self::Maps => Some(Small::ConfigMap),
            Self::Other(resource) => Small::ALL
                .into_iter()
                .find(|small| small.plural() == resource.plural && small.group() == resource.group),
            _ => None,
        }
    }

    /// The same kind with another purpose than standing beside a VM.
    pub(super) fn beside_nothing(self) -> Self {
        match self {
            Self::Extras(Small::Secret) => Self::Secrets,
            Self::Extras(Small::ConfigMap) => Self::Maps,
            other => other,
        }
    }

    /// Whether they are found in the record's namespace only.
    pub fn is_of_record(self) -> bool {
        matches!(self, Self::Secrets | Self::Maps | Self::Leases)
    }

    /// Whether dependents of the run's objects belong to the run, too.
    pub(super) fn follows(self) -> bool {
        !matches!(
            self,
            Self::Migrations
                | Self::Machines
                | Self::Namespaces
                | Self::Leases
                | Self::Extras(_)
                | Self::Other(_)
        )
    }

    /// Whether cleanup requires permission to list them.
    pub(super) fn is_essential(self) -> bool {
        matches!(self, Self::Machines | Self::Namespaces | Self::Maps)
    }
}
