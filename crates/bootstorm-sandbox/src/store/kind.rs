//! Resource kinds that the sandbox knows, and their differences.

/// One resource kind of one API version
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Kind {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The served version.
    pub version: &'static str,
    /// Kind as in an object, `VirtualMachine`.
    pub kind: &'static str,
    /// Plural as in a path, `virtualmachines`.
    pub plural: &'static str,
    /// The singular name.
    pub singular: &'static str,
    /// Short names.
    pub short_names: &'static [&'static str],
    /// Categories, such as `all`.
    pub categories: &'static [&'static str],
    /// Whether its objects are namespaced.
    pub namespaced: bool,
    /// Whether status is a subresource: then status changes leave the generation alone, and writes to the main resource
    /// ignore the status.
    pub has_status: bool,
    /// Whether it is built into Kubernetes: then it accepts strategic merge patches.
    pub builtin: bool,
}

impl Kind {
    /// `v1` or `kubevirt.io/v1`, as in an object's `apiVersion`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// `pods` or `virtualmachines.kubevirt.io`, as in the API server's messages.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// Whether objects of this kind carry `metadata.generation`; among the built-in kinds only some do.
    pub fn counts_generations(&self) -> bool {
        !self.builtin || matches!(self.plural, "pods" | "jobs" | "customresourcedefinitions")
    }

    /// Whether this is the same registered kind.
    pub fn is(&self, other: &Self) -> bool {
        self.plural == other.plural && self.group == other.group
    }
}

/// Common properties of most kinds; every registered kind states its differences.
const PLAIN: Kind = Kind {
    group: "",
    version: "v1",
    kind: "",
    plural: "",
    singular: "",
    short_names: &[],
    categories: &[],
    namespaced: true,
    has_status: false,
    builtin: true,
};

const KUBEVIRT: Kind = Kind { group: "kubevirt.io", categories: &["all"], builtin: false, ..PLAIN };
const CDI: Kind = Kind { group: "cdi.kubevirt.io", version: "v1beta1", builtin: false, ..PLAIN };

const RBAC: Kind = Kind { group: "rbac.authorization.k8s.io", ..PLAIN };

const INSTANCETYPE: Kind = Kind {
    group: "instancetype.kubevirt.io",
    version: "v1beta1",
    namespaced: false,
    builtin: false,
    ..PLAIN
};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $kind:literal $plural:literal $singular:literal { $($field:ident: $value:expr),* } ..$base:expr;)+) => {
        $($(#[$doc])* pub static $name: Kind = Kind {
            kind: $kind, plural: $plural, singular: $singular, $($field: $value,)* ..$base
        };)+

        /// Every kind, in the order of discovery.
        pub fn all() -> &'static [&'static Kind] {
            static ALL: &[&Kind] = &[$(&$name),+];
            ALL
        }
    };
}

kinds! {
    /// Core settings.
    CONFIG_MAPS = "ConfigMap" "configmaps" "configmap" { short_names: &["cm"] } ..PLAIN;
    /// Core events, as `kubectl describe` shows them.
    EVENTS = "Event" "events" "event" { short_names: &["ev"] } ..PLAIN;
    /// Default and maximum resources in a namespace.
    LIMIT_RANGES = "LimitRange" "limitranges" "limitrange" { short_names: &["limits"] } ..PLAIN;
    /// Namespaces.
    NAMESPACES = "Namespace" "namespaces" "namespace" { short_names: &["ns"], namespaced: false, has_status: true } ..PLAIN;
    /// Nodes.
    NODES = "Node" "nodes" "node" { short_names: &["no"], namespaced: false, has_status: true } ..PLAIN;
    /// Claims for storage.
    PERSISTENT_VOLUME_CLAIMS = "PersistentVolumeClaim" "persistentvolumeclaims" "persistentvolumeclaim" { short_names: &["pvc"], has_status: true } ..PLAIN;
    /// Storage that exists.
    PERSISTENT_VOLUMES = "PersistentVolume" "persistentvolumes" "persistentvolume" { short_names: &["pv"], namespaced: false, has_status: true } ..PLAIN;
    /// Pods.
    PODS = "Pod" "pods" "pod" { short_names: &["po"], categories: &["all"], has_status: true } ..PLAIN;
    /// Limits on a namespace.
    RESOURCE_QUOTAS = "ResourceQuota" "resourcequotas" "resourcequota" { short_names: &["quota"], has_status: true } ..PLAIN;
    /// Secrets.
    SECRETS = "Secret" "secrets" "secret" {} ..PLAIN;
    /// Addresses of groups of pods.
    SERVICES = "Service" "services" "service" { short_names: &["svc"], categories: &["all"], has_status: true } ..PLAIN;
    /// Identities of pods.
    SERVICE_ACCOUNTS = "ServiceAccount" "serviceaccounts" "serviceaccount" { short_names: &["sa"] } ..PLAIN;
    /// Definitions of kinds that are not built in.
    CUSTOM_RESOURCE_DEFINITIONS = "CustomResourceDefinition" "customresourcedefinitions" "customresourcedefinition" { group: "apiextensions.k8s.io", short_names: &["crd", "crds"], categories: &["api-extensions"], namespaced: false, has_status: true } ..PLAIN;
    /// Stored revisions, which `KubeVirt` uses for instance types.
    CONTROLLER_REVISIONS = "ControllerRevision" "controllerrevisions" "controllerrevision" { group: "apps" } ..PLAIN;
    /// Jobs: pods that run to their end.
    JOBS = "Job" "jobs" "job" { group: "batch", categories: &["all"], has_status: true } ..PLAIN;
    /// Leases.
    LEASES = "Lease" "leases" "lease" { group: "coordination.k8s.io" } ..PLAIN;
    /// Cluster-wide role bindings.
    CLUSTER_ROLE_BINDINGS = "ClusterRoleBinding" "clusterrolebindings" "clusterrolebinding" { namespaced: false } ..RBAC;
    /// Cluster-wide roles.
    CLUSTER_ROLES = "ClusterRole" "clusterroles" "clusterrole" { namespaced: false } ..RBAC;
    /// Role bindings of a namespace.
    ROLE_BINDINGS = "RoleBinding" "rolebindings" "rolebinding" {} ..RBAC;
    /// Roles of a namespace.
    ROLES = "Role" "roles" "role" {} ..RBAC;
    /// Limits on missing pods of a group.
    POD_DISRUPTION_BUDGETS = "PodDisruptionBudget" "poddisruptionbudgets" "poddisruptionbudget" { group: "policy", short_names: &["pdb"], has_status: true } ..PLAIN;
    /// Storage provisioning classes.
    STORAGE_CLASSES = "StorageClass" "storageclasses" "storageclass" { group: "storage.k8s.io", short_names: &["sc"], namespaced: false } ..PLAIN;
    /// Snapshots of claims.
    VOLUME_SNAPSHOTS = "VolumeSnapshot" "volumesnapshots" "volumesnapshot" { group: "snapshot.storage.k8s.io", short_names: &["vs"], has_status: true, builtin: false } ..PLAIN;
    /// Multus networks.
    NETWORK_ATTACHMENTS = "NetworkAttachmentDefinition" "network-attachment-definitions" "network-attachment-definition" { group: "k8s.cni.cncf.io", short_names: &["net-attach-def"], builtin: false } ..PLAIN;
    /// Sizes of machines.
    CLUSTER_INSTANCETYPES = "VirtualMachineClusterInstancetype" "virtualmachineclusterinstancetypes" "virtualmachineclusterinstancetype" { short_names: &["vmcf", "vmcfs"] } ..INSTANCETYPE;
    /// Cluster-wide preferences.
    CLUSTER_PREFERENCES = "VirtualMachineClusterPreference" "virtualmachineclusterpreferences" "virtualmachineclusterpreference" { short_names: &["vmcp", "vmcps"] } ..INSTANCETYPE;
    /// Sizes of the machines of a namespace.
    INSTANCETYPES = "VirtualMachineInstancetype" "virtualmachineinstancetypes" "virtualmachineinstancetype" { short_names: &["vmf", "vmfs"], namespaced: true } ..INSTANCETYPE;
    /// Preferences of a namespace.
    PREFERENCES = "VirtualMachinePreference" "virtualmachinepreferences" "virtualmachinepreference" { short_names: &["vmp", "vmps"], namespaced: true } ..INSTANCETYPE;
    /// CDI installations.
    CDIS = "CDI" "cdis" "cdi" { short_names: &["cdi", "cdis"], namespaced: false } ..CDI;
    /// Golden images.
    DATA_SOURCES = "DataSource" "datasources" "datasource" { short_names: &["das"], categories: &["all"] } ..CDI;
    /// Disks and their filling.
    DATA_VOLUMES = "DataVolume" "datavolumes" "datavolume" { short_names: &["dv", "dvs"], categories: &["all"], has_status: true } ..CDI;
    /// CDI's settings for a storage class.
    STORAGE_PROFILES = "StorageProfile" "storageprofiles" "storageprofile" { namespaced: false, has_status: true } ..CDI;
    /// `KubeVirt` installations.
    KUBEVIRTS = "KubeVirt" "kubevirts" "kubevirt" { short_names: &["kv", "kvs"], has_status: true } ..KUBEVIRT;
    /// Running machines; their status is not a subresource, so each status write counts as a generation.
    VIRTUAL_MACHINE_INSTANCES = "VirtualMachineInstance" "virtualmachineinstances" "virtualmachineinstance" { short_names: &["vmi", "vmis"] } ..KUBEVIRT;
    /// Live migrations.
    MIGRATIONS = "VirtualMachineInstanceMigration" "virtualmachineinstancemigrations" "virtualmachineinstancemigration" { short_names: &["vmim", "vmims"], has_status: true } ..KUBEVIRT;
    /// Machines, running or not.
    VIRTUAL_MACHINES = "VirtualMachine" "virtualmachines" "virtualmachine" { short_names: &["vm", "vms"], has_status: true } ..KUBEVIRT;
}

/// The kind behind a path such as `kubevirt.io`, `v1`, `virtualmachines`.
pub fn find(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
    all().iter().copied().find(|kind| kind.plural == plural && kind.group == group && kind.version == version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_their_path() {
        assert!(find("kubevirt.io", "v1", "virtualmachines").is_some_and(|kind| kind.is(&VIRTUAL_MACHINES)));
        assert!(find("", "v1", "pods").is_some_and(|kind| kind.is(&PODS)));
        assert!(find("kubevirt.io", "v1", "pods").is_none());
    }

    #[test]
    fn only_virtual_machines_keep_their_generation_over_a_status_change() {
        assert!(VIRTUAL_MACHINES.has_status && !VIRTUAL_MACHINE_INSTANCES.has_status);
        assert_eq!(VIRTUAL_MACHINES.qualified(), "virtualmachines.kubevirt.io");
        assert_eq!(PODS.api_version(), "v1");
    }
}
