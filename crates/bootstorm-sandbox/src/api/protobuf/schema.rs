//! The messages of built-in kinds: numbers, names and types of their fields.
//!
//! Numbers are those of `generated.proto` in `k8s.io/api` and `k8s.io/apimachinery` (July 2026), names and marks those
//! of the Go types. A field that is missing here would be missing in answers, so the messages are complete; only
//! `scheduling` of a Job and `extra` of a review are not described.

use super::Shape::{
    BytesMap, Flag, Inline, IntOrText, Json, Message, Messages, MicroTime, Number, Numbers, Quantities,
    Quantity, Text, TextMap, Texts, Time,
};
use super::{Field, Zero};

/// A field; one that is not a pointer and has `omitempty` has no mark.
macro_rules! field {
    ($number:literal, $name:literal, $shape:expr) => {
        Field { number: $number, name: $name, shape: $shape, zero: Zero::Hidden }
    };
    ($number:literal, $name:literal, $shape:expr, $zero:ident) => {
        Field { number: $number, name: $name, shape: $shape, zero: Zero::$zero }
    };
}

macro_rules! messages {
    ($($message:ident { $(($number:literal, $name:literal, $shape:expr $(, $zero:ident)?)),* })+) => {
        $(pub(super) const $message: &[Field] = &[$(field!($number, $name, $shape $(, $zero)?)),*];)+
    };
}

messages! {
    TYPE_META { (1, "apiVersion", Text), (2, "kind", Text) }
    OWNER_REFERENCE { (1, "kind", Text, Shown), (3, "name", Text, Shown), (4, "uid", Text, Shown),
        (5, "apiVersion", Text, Shown), (6, "controller", Flag, Set), (7, "blockOwnerDeletion", Flag, Set) }
    MANAGED_FIELDS_ENTRY { (1, "manager", Text), (2, "operation", Text), (3, "apiVersion", Text),
        (4, "time", Time, Set), (6, "fieldsType", Text), (7, "fieldsV1", Json, Set),
        (8, "subresource", Text) }
    OBJECT_META { (1, "name", Text), (2, "generateName", Text), (3, "namespace", Text),
        (4, "selfLink", Text), (5, "uid", Text), (6, "resourceVersion", Text), (7, "generation", Number),
        (8, "creationTimestamp", Time), (9, "deletionTimestamp", Time, Set),
        (10, "deletionGracePeriodSeconds", Number, Set), (11, "labels", TextMap),
        (12, "annotations", TextMap), (13, "ownerReferences", Messages(OWNER_REFERENCE)),
        (14, "finalizers", Texts), (17, "managedFields", Messages(MANAGED_FIELDS_ENTRY)) }
    HOST_PATH_VOLUME_SOURCE { (1, "path", Text, Shown), (2, "type", Text, Set) }
    EMPTY_DIR_VOLUME_SOURCE { (1, "medium", Text), (2, "sizeLimit", Quantity, Set), (3, "mode", Number, Set) }
    GCE_PERSISTENT_DISK_VOLUME_SOURCE { (1, "pdName", Text, Shown), (2, "fsType", Text),
        (3, "partition", Number), (4, "readOnly", Flag) }
    AWS_ELASTIC_BLOCK_STORE_VOLUME_SOURCE { (1, "volumeID", Text, Shown), (2, "fsType", Text),
        (3, "partition", Number), (4, "readOnly", Flag) }
    GIT_REPO_VOLUME_SOURCE { (1, "repository", Text, Shown), (2, "revision", Text), (3, "directory", Text) }
    KEY_TO_PATH { (1, "key", Text, Shown), (2, "path", Text, Shown), (3, "mode", Number, Set),
        (4, "user", Number, Set) }
    SECRET_VOLUME_SOURCE { (1, "secretName", Text), (2, "items", Messages(KEY_TO_PATH)),
        (3, "defaultMode", Number, Set), (4, "optional", Flag, Set), (5, "defaultUser", Number, Set) }
    NFS_VOLUME_SOURCE { (1, "server", Text, Shown), (2, "path", Text, Shown), (3, "readOnly", Flag) }
    LOCAL_OBJECT_REFERENCE { (1, "name", Text) }
    ISCSI_VOLUME_SOURCE { (1, "targetPortal", Text, Shown), (2, "iqn", Text, Shown),
        (3, "lun", Number, Shown), (4, "iscsiInterface", Text), (5, "fsType", Text), (6, "readOnly", Flag),
        (7, "portals", Texts), (8, "chapAuthDiscovery", Flag),
        (10, "secretRef", Message(LOCAL_OBJECT_REFERENCE), Set), (11, "chapAuthSession", Flag),
        (12, "initiatorName", Text, Set) }
    GLUSTERFS_VOLUME_SOURCE { (1, "endpoints", Text, Shown), (2, "path", Text, Shown), (3, "readOnly", Flag) }
    PERSISTENT_VOLUME_CLAIM_VOLUME_SOURCE { (1, "claimName", Text, Shown), (2, "readOnly", Flag) }
    RBD_VOLUME_SOURCE { (1, "monitors", Texts), (2, "image", Text, Shown), (3, "fsType", Text),
        (4, "pool", Text), (5, "user", Text), (6, "keyring", Text),
        (7, "secretRef", Message(LOCAL_OBJECT_REFERENCE), Set), (8, "readOnly", Flag) }
    FLEX_VOLUME_SOURCE { (1, "driver", Text, Shown), (2, "fsType", Text),
        (3, "secretRef", Message(LOCAL_OBJECT_REFERENCE), Set), (4, "readOnly", Flag),
        (5, "options", TextMap) }
    CINDER_VOLUME_SOURCE { (1, "volumeID", Text, Shown), (2, "fsType", Text), (3, "readOnly", Flag),
        (4, "secretRef", Message(LOCAL_OBJECT_REFERENCE), Set) }
    CEPH_FS_VOLUME_SOURCE { (1, "monitors", Texts), (2, "path", Text), (3, "user", Text),
        (4, "secretFile", Text), (5, "secretRef", Message(LOCAL_OBJECT_REFERENCE), Set),
        (6, "readOnly", Flag) }
    FLOCKER_VOLUME_SOURCE { (1, "datasetName", Text), (2, "datasetUUID", Text) }
    OBJECT_FIELD_SELECTOR { (1, "apiVersion", Text), (2, "fieldPath", Text, Shown) }
    RESOURCE_FIELD_SELECTOR { (1, "containerName", Text), (2, "resource", Text, Shown),
        (3, "divisor", Quantity) }
    DOWNWARD_API_VOLUME_FILE { (1, "path", Text, Shown),
        (2, "fieldRef", Message(OBJECT_FIELD_SELECTOR), Set),
        (3, "resourceFieldRef", Message(RESOURCE_FIELD_SELECTOR), Set), (4, "mode", Number, Set),
        (5, "user", Number, Set) }
    DOWNWARD_API_VOLUME_SOURCE { (1, "items", Messages(DOWNWARD_API_VOLUME_FILE)),
        (2, "defaultMode", Number, Set), (3, "defaultUser", Number, Set) }
    FC_VOLUME_SOURCE { (1, "targetWWNs", Texts), (2, "lun", Number, Set), (3, "fsType", Text),
        (4, "readOnly", Flag), (5, "wwids", Texts) }
    AZURE_FILE_VOLUME_SOURCE { (1, "secretName", Text, Shown), (2, "shareName", Text, Shown),
        (3, "readOnly", Flag) }
    CONFIG_MAP_VOLUME_SOURCE { (1, "localObjectReference", Inline(LOCAL_OBJECT_REFERENCE)),
        (2, "items", Messages(KEY_TO_PATH)), (3, "defaultMode", Number, Set), (4, "optional", Flag, Set),
        (5, "defaultUser", Number, Set) }
    VSPHERE_VIRTUAL_DISK_VOLUME_SOURCE { (1, "volumePath", Text, Shown), (2, "fsType", Text),
        (3, "storagePolicyName", Text), (4, "storagePolicyID", Text) }
    QUOBYTE_VOLUME_SOURCE { (1, "registry", Text, Shown), (2, "volume", Text, Shown), (3, "readOnly", Flag),
        (4, "user", Text), (5, "group", Text), (6, "tenant", Text) }
    AZURE_DISK_VOLUME_SOURCE { (1, "diskName", Text, Shown), (2, "diskURI", Text, Shown),
        (3, "cachingMode", Text, Set), (4, "fsType", Text, Set), (5, "readOnly", Flag, Set),
        (6, "kind", Text, Set) }
    PHOTON_PERSISTENT_DISK_VOLUME_SOURCE { (1, "pdID", Text, Shown), (2, "fsType", Text) }
    PORTWORX_VOLUME_SOURCE { (1, "volumeID", Text, Shown), (2, "fsType", Text), (3, "readOnly", Flag) }
    SCALE_IO_VOLUME_SOURCE { (1, "gateway", Text, Shown), (2, "system", Text, Shown),
        (3, "secretRef", Message(LOCAL_OBJECT_REFERENCE), Set), (4, "sslEnabled", Flag),
        (5, "protectionDomain", Text), (6, "storagePool", Text), (7, "storageMode", Text),
        (8, "volumeName", Text), (9, "fsType", Text), (10, "readOnly", Flag) }
    SECRET_PROJECTION { (1, "localObjectReference", Inline(LOCAL_OBJECT_REFERENCE)),
        (2, "items", Messages(KEY_TO_PATH)), (4, "optional", Flag, Set) }
    DOWNWARD_API_PROJECTION { (1, "items", Messages(DOWNWARD_API_VOLUME_FILE)) }
    CONFIG_MAP_PROJECTION { (1, "localObjectReference", Inline(LOCAL_OBJECT_REFERENCE)),
        (2, "items", Messages(KEY_TO_PATH)), (4, "optional", Flag, Set) }
    SERVICE_ACCOUNT_TOKEN_PROJECTION { (1, "audience", Text), (2, "expirationSeconds", Number, Set),
        (3, "path", Text, Shown), (4, "user", Number, Set) }
    LABEL_SELECTOR_REQUIREMENT { (1, "key", Text, Shown), (2, "operator", Text, Shown), (3, "values", Texts) }
    LABEL_SELECTOR { (1, "matchLabels", TextMap),
        (2, "matchExpressions", Messages(LABEL_SELECTOR_REQUIREMENT)) }
    CLUSTER_TRUST_BUNDLE_PROJECTION { (1, "name", Text, Set), (2, "signerName", Text, Set),
        (3, "labelSelector", Message(LABEL_SELECTOR), Set), (4, "path", Text, Shown),
        (5, "optional", Flag, Set), (6, "user", Number, Set) }
    POD_CERTIFICATE_PROJECTION { (1, "signerName", Text), (2, "keyType", Text),
        (3, "maxExpirationSeconds", Number, Set), (4, "credentialBundlePath", Text), (5, "keyPath", Text),
        (6, "certificateChainPath", Text), (7, "userAnnotations", TextMap), (8, "user", Number, Set) }
    VOLUME_PROJECTION { (1, "secret", Message(SECRET_PROJECTION), Set),
        (2, "downwardAPI", Message(DOWNWARD_API_PROJECTION), Set),
        (3, "configMap", Message(CONFIG_MAP_PROJECTION), Set),
        (4, "serviceAccountToken", Message(SERVICE_ACCOUNT_TOKEN_PROJECTION), Set),
        (5, "clusterTrustBundle", Message(CLUSTER_TRUST_BUNDLE_PROJECTION), Set),
        (6, "podCertificate", Message(POD_CERTIFICATE_PROJECTION), Set) }
    PROJECTED_VOLUME_SOURCE { (1, "sources", Messages(VOLUME_PROJECTION)), (2, "defaultMode", Number, Set),
        (3, "defaultUser", Number, Set) }
    STORAGE_OS_VOLUME_SOURCE { (1, "volumeName", Text), (2, "volumeNamespace", Text), (3, "fsType", Text),
        (4, "readOnly", Flag), (5, "secretRef", Message(LOCAL_OBJECT_REFERENCE), Set) }
    CSI_VOLUME_SOURCE { (1, "driver", Text, Shown), (2, "readOnly", Flag, Set), (3, "fsType", Text, Set),
        (4, "volumeAttributes", TextMap), (5, "nodePublishSecretRef", Message(LOCAL_OBJECT_REFERENCE), Set) }
    VOLUME_RESOURCE_REQUIREMENTS { (1, "limits", Quantities), (2, "requests", Quantities) }
    TYPED_LOCAL_OBJECT_REFERENCE { (1, "apiGroup", Text, Set), (2, "kind", Text, Shown),
        (3, "name", Text, Shown) }
    TYPED_OBJECT_REFERENCE { (1, "apiGroup", Text, Set), (2, "kind", Text, Shown), (3, "name", Text, Shown),
        (4, "namespace", Text, Set) }
    PERSISTENT_VOLUME_CLAIM_SPEC { (1, "accessModes", Texts),
        (2, "resources", Message(VOLUME_RESOURCE_REQUIREMENTS)), (3, "volumeName", Text),
        (4, "selector", Message(LABEL_SELECTOR), Set), (5, "storageClassName", Text, Set),
        (6, "volumeMode", Text, Set), (7, "dataSource", Message(TYPED_LOCAL_OBJECT_REFERENCE), Set),
        (8, "dataSourceRef", Message(TYPED_OBJECT_REFERENCE), Set),
        (9, "volumeAttributesClassName", Text, Set) }
    PERSISTENT_VOLUME_CLAIM_TEMPLATE { (1, "metadata", Message(OBJECT_META)),
        (2, "spec", Message(PERSISTENT_VOLUME_CLAIM_SPEC), Shown) }
    EPHEMERAL_VOLUME_SOURCE { (1, "volumeClaimTemplate", Message(PERSISTENT_VOLUME_CLAIM_TEMPLATE), Set) }
    IMAGE_VOLUME_SOURCE { (1, "reference", Text), (2, "pullPolicy", Text) }
    VOLUME_SOURCE { (1, "hostPath", Message(HOST_PATH_VOLUME_SOURCE), Set),
        (2, "emptyDir", Message(EMPTY_DIR_VOLUME_SOURCE), Set),
        (3, "gcePersistentDisk", Message(GCE_PERSISTENT_DISK_VOLUME_SOURCE), Set),
        (4, "awsElasticBlockStore", Message(AWS_ELASTIC_BLOCK_STORE_VOLUME_SOURCE), Set),
        (5, "gitRepo", Message(GIT_REPO_VOLUME_SOURCE), Set),
        (6, "secret", Message(SECRET_VOLUME_SOURCE), Set), (7, "nfs", Message(NFS_VOLUME_SOURCE), Set),
        (8, "iscsi", Message(ISCSI_VOLUME_SOURCE), Set),
        (9, "glusterfs", Message(GLUSTERFS_VOLUME_SOURCE), Set),
        (10, "persistentVolumeClaim", Message(PERSISTENT_VOLUME_CLAIM_VOLUME_SOURCE), Set),
        (11, "rbd", Message(RBD_VOLUME_SOURCE), Set), (12, "flexVolume", Message(FLEX_VOLUME_SOURCE), Set),
        (13, "cinder", Message(CINDER_VOLUME_SOURCE), Set),
        (14, "cephfs", Message(CEPH_FS_VOLUME_SOURCE), Set),
        (15, "flocker", Message(FLOCKER_VOLUME_SOURCE), Set),
        (16, "downwardAPI", Message(DOWNWARD_API_VOLUME_SOURCE), Set),
        (17, "fc", Message(FC_VOLUME_SOURCE), Set),
        (18, "azureFile", Message(AZURE_FILE_VOLUME_SOURCE), Set),
        (19, "configMap", Message(CONFIG_MAP_VOLUME_SOURCE), Set),
        (20, "vsphereVolume", Message(VSPHERE_VIRTUAL_DISK_VOLUME_SOURCE), Set),
        (21, "quobyte", Message(QUOBYTE_VOLUME_SOURCE), Set),
        (22, "azureDisk", Message(AZURE_DISK_VOLUME_SOURCE), Set),
        (23, "photonPersistentDisk", Message(PHOTON_PERSISTENT_DISK_VOLUME_SOURCE), Set),
        (24, "portworxVolume", Message(PORTWORX_VOLUME_SOURCE), Set),
        (25, "scaleIO", Message(SCALE_IO_VOLUME_SOURCE), Set),
        (26, "projected", Message(PROJECTED_VOLUME_SOURCE), Set),
        (27, "storageos", Message(STORAGE_OS_VOLUME_SOURCE), Set),
        (28, "csi", Message(CSI_VOLUME_SOURCE), Set),
        (29, "ephemeral", Message(EPHEMERAL_VOLUME_SOURCE), Set),
        (30, "image", Message(IMAGE_VOLUME_SOURCE), Set) }
    VOLUME { (1, "name", Text, Shown), (2, "volumeSource", Inline(VOLUME_SOURCE)) }
    CONTAINER_PORT { (1, "name", Text), (2, "hostPort", Number), (3, "containerPort", Number, Shown),
        (4, "protocol", Text), (5, "hostIP", Text) }
    CONFIG_MAP_KEY_SELECTOR { (1, "localObjectReference", Inline(LOCAL_OBJECT_REFERENCE)),
        (2, "key", Text, Shown), (3, "optional", Flag, Set) }
    SECRET_KEY_SELECTOR { (1, "localObjectReference", Inline(LOCAL_OBJECT_REFERENCE)),
        (2, "key", Text, Shown), (3, "optional", Flag, Set) }
    FILE_KEY_SELECTOR { (1, "volumeName", Text, Shown), (2, "path", Text, Shown), (3, "key", Text, Shown),
        (4, "optional", Flag, Set) }
    ENV_VAR_SOURCE { (1, "fieldRef", Message(OBJECT_FIELD_SELECTOR), Set),
        (2, "resourceFieldRef", Message(RESOURCE_FIELD_SELECTOR), Set),
        (3, "configMapKeyRef", Message(CONFIG_MAP_KEY_SELECTOR), Set),
        (4, "secretKeyRef", Message(SECRET_KEY_SELECTOR), Set),
        (5, "fileKeyRef", Message(FILE_KEY_SELECTOR), Set) }
    ENV_VAR { (1, "name", Text, Shown), (2, "value", Text), (3, "valueFrom", Message(ENV_VAR_SOURCE), Set) }
    RESOURCE_CLAIM { (1, "name", Text, Shown), (2, "request", Text) }
    RESOURCE_REQUIREMENTS { (1, "limits", Quantities), (2, "requests", Quantities),
        (3, "claims", Messages(RESOURCE_CLAIM)) }
    VOLUME_MOUNT { (1, "name", Text, Shown), (2, "readOnly", Flag), (3, "mountPath", Text, Shown),
        (4, "subPath", Text), (5, "mountPropagation", Text, Set), (6, "subPathExpr", Text),
        (7, "recursiveReadOnly", Text, Set), (8, "bindMountOptions", Texts) }
    EXEC_ACTION { (1, "command", Texts) }
    HTTP_HEADER { (1, "name", Text, Shown), (2, "value", Text, Shown) }
    HTTP_GET_ACTION { (1, "path", Text), (2, "port", IntOrText, Shown), (3, "host", Text),
        (4, "scheme", Text), (5, "httpHeaders", Messages(HTTP_HEADER)), (6, "protocol", Text, Set) }
    TCP_SOCKET_ACTION { (1, "port", IntOrText, Shown), (2, "host", Text) }
    GRPC_ACTION { (1, "port", Number, Shown), (2, "service", Text, Set), (3, "mode", Text, Set) }
    PROBE_HANDLER { (1, "exec", Message(EXEC_ACTION), Set), (2, "httpGet", Message(HTTP_GET_ACTION), Set),
        (3, "tcpSocket", Message(TCP_SOCKET_ACTION), Set), (4, "grpc", Message(GRPC_ACTION), Set) }
    PROBE { (1, "handler", Inline(PROBE_HANDLER)), (2, "initialDelaySeconds", Number),
        (3, "timeoutSeconds", Number), (4, "periodSeconds", Number), (5, "successThreshold", Number),
        (6, "failureThreshold", Number), (7, "terminationGracePeriodSeconds", Number, Set) }
    SLEEP_ACTION { (1, "seconds", Number, Shown) }
    LIFECYCLE_HANDLER { (1, "exec", Message(EXEC_ACTION), Set),
        (2, "httpGet", Message(HTTP_GET_ACTION), Set), (3, "tcpSocket", Message(TCP_SOCKET_ACTION), Set),
        (4, "sleep", Message(SLEEP_ACTION), Set) }
    LIFECYCLE { (1, "postStart", Message(LIFECYCLE_HANDLER), Set),
        (2, "preStop", Message(LIFECYCLE_HANDLER), Set), (3, "stopSignal", Text, Set) }
    CAPABILITIES { (1, "add", Texts), (2, "drop", Texts) }
    SE_LINUX_OPTIONS { (1, "user", Text), (2, "role", Text), (3, "type", Text), (4, "level", Text) }
    WINDOWS_SECURITY_CONTEXT_OPTIONS { (1, "gmsaCredentialSpecName", Text, Set),
        (2, "gmsaCredentialSpec", Text, Set), (3, "runAsUserName", Text, Set), (4, "hostProcess", Flag, Set) }
    SECCOMP_PROFILE { (1, "type", Text, Shown), (2, "localhostProfile", Text, Set) }
    APP_ARMOR_PROFILE { (1, "type", Text, Shown), (2, "localhostProfile", Text, Set) }
    SECURITY_CONTEXT { (1, "capabilities", Message(CAPABILITIES), Set), (2, "privileged", Flag, Set),
        (3, "seLinuxOptions", Message(SE_LINUX_OPTIONS), Set), (4, "runAsUser", Number, Set),
        (5, "runAsNonRoot", Flag, Set), (6, "readOnlyRootFilesystem", Flag, Set),
        (7, "allowPrivilegeEscalation", Flag, Set), (8, "runAsGroup", Number, Set),
        (9, "procMount", Text, Set), (10, "windowsOptions", Message(WINDOWS_SECURITY_CONTEXT_OPTIONS), Set),
        (11, "seccompProfile", Message(SECCOMP_PROFILE), Set),
        (12, "appArmorProfile", Message(APP_ARMOR_PROFILE), Set) }
    CONFIG_MAP_ENV_SOURCE { (1, "localObjectReference", Inline(LOCAL_OBJECT_REFERENCE)),
        (2, "optional", Flag, Set) }
    SECRET_ENV_SOURCE { (1, "localObjectReference", Inline(LOCAL_OBJECT_REFERENCE)),
        (2, "optional", Flag, Set) }
    ENV_FROM_SOURCE { (1, "prefix", Text), (2, "configMapRef", Message(CONFIG_MAP_ENV_SOURCE), Set),
        (3, "secretRef", Message(SECRET_ENV_SOURCE), Set) }
    VOLUME_DEVICE { (1, "name", Text, Shown), (2, "devicePath", Text, Shown) }
    CONTAINER_RESIZE_POLICY { (1, "resourceName", Text, Shown), (2, "restartPolicy", Text, Shown) }
    CONTAINER_RESTART_RULE_ON_EXIT_CODES { (1, "operator", Text), (2, "values", Numbers) }
    CONTAINER_RESTART_RULE { (1, "action", Text),
        (2, "exitCodes", Message(CONTAINER_RESTART_RULE_ON_EXIT_CODES), Set) }
    CONTAINER { (1, "name", Text, Shown), (2, "image", Text), (3, "command", Texts), (4, "args", Texts),
        (5, "workingDir", Text), (6, "ports", Messages(CONTAINER_PORT)), (7, "env", Messages(ENV_VAR)),
        (8, "resources", Message(RESOURCE_REQUIREMENTS)), (9, "volumeMounts", Messages(VOLUME_MOUNT)),
        (10, "livenessProbe", Message(PROBE), Set), (11, "readinessProbe", Message(PROBE), Set),
        (12, "lifecycle", Message(LIFECYCLE), Set), (13, "terminationMessagePath", Text),
        (14, "imagePullPolicy", Text), (15, "securityContext", Message(SECURITY_CONTEXT), Set),
        (16, "stdin", Flag), (17, "stdinOnce", Flag), (18, "tty", Flag),
        (19, "envFrom", Messages(ENV_FROM_SOURCE)), (20, "terminationMessagePolicy", Text),
        (21, "volumeDevices", Messages(VOLUME_DEVICE)), (22, "startupProbe", Message(PROBE), Set),
        (23, "resizePolicy", Messages(CONTAINER_RESIZE_POLICY)), (24, "restartPolicy", Text, Set),
        (25, "restartPolicyRules", Messages(CONTAINER_RESTART_RULE)) }
    SYSCTL { (1, "name", Text, Shown), (2, "value", Text, Shown) }
    POD_SECURITY_CONTEXT { (1, "seLinuxOptions", Message(SE_LINUX_OPTIONS), Set),
        (2, "runAsUser", Number, Set), (3, "runAsNonRoot", Flag, Set), (4, "supplementalGroups", Numbers),
        (5, "fsGroup", Number, Set), (6, "runAsGroup", Number, Set), (7, "sysctls", Messages(SYSCTL)),
        (8, "windowsOptions", Message(WINDOWS_SECURITY_CONTEXT_OPTIONS), Set),
        (9, "fsGroupChangePolicy", Text, Set), (10, "seccompProfile", Message(SECCOMP_PROFILE), Set),
        (11, "appArmorProfile", Message(APP_ARMOR_PROFILE), Set),
        (12, "supplementalGroupsPolicy", Text, Set), (13, "seLinuxChangePolicy", Text, Set) }
    NODE_SELECTOR_REQUIREMENT { (1, "key", Text, Shown), (2, "operator", Text, Shown), (3, "values", Texts) }
    NODE_SELECTOR_TERM { (1, "matchExpressions", Messages(NODE_SELECTOR_REQUIREMENT)),
        (2, "matchFields", Messages(NODE_SELECTOR_REQUIREMENT)) }
    NODE_SELECTOR { (1, "nodeSelectorTerms", Messages(NODE_SELECTOR_TERM)) }
    PREFERRED_SCHEDULING_TERM { (1, "weight", Number, Shown),
        (2, "preference", Message(NODE_SELECTOR_TERM), Shown) }
    NODE_AFFINITY { (1, "requiredDuringSchedulingIgnoredDuringExecution", Message(NODE_SELECTOR), Set),
        (2, "preferredDuringSchedulingIgnoredDuringExecution", Messages(PREFERRED_SCHEDULING_TERM)) }
    POD_AFFINITY_TERM { (1, "labelSelector", Message(LABEL_SELECTOR), Set), (2, "namespaces", Texts),
        (3, "topologyKey", Text, Shown), (4, "namespaceSelector", Message(LABEL_SELECTOR), Set),
        (5, "matchLabelKeys", Texts), (6, "mismatchLabelKeys", Texts) }
    WEIGHTED_POD_AFFINITY_TERM { (1, "weight", Number, Shown),
        (2, "podAffinityTerm", Message(POD_AFFINITY_TERM), Shown) }
    POD_AFFINITY { (1, "requiredDuringSchedulingIgnoredDuringExecution", Messages(POD_AFFINITY_TERM)),
        (2, "preferredDuringSchedulingIgnoredDuringExecution", Messages(WEIGHTED_POD_AFFINITY_TERM)) }
    POD_ANTI_AFFINITY { (1, "requiredDuringSchedulingIgnoredDuringExecution", Messages(POD_AFFINITY_TERM)),
        (2, "preferredDuringSchedulingIgnoredDuringExecution", Messages(WEIGHTED_POD_AFFINITY_TERM)) }
    AFFINITY { (1, "nodeAffinity", Message(NODE_AFFINITY), Set),
        (2, "podAffinity", Message(POD_AFFINITY), Set),
        (3, "podAntiAffinity", Message(POD_ANTI_AFFINITY), Set) }
    TOLERATION { (1, "key", Text), (2, "operator", Text), (3, "value", Text), (4, "effect", Text),
        (5, "tolerationSeconds", Number, Set) }
    HOST_ALIAS { (1, "ip", Text, Shown), (2, "hostnames", Texts) }
    POD_DNS_CONFIG_OPTION { (1, "name", Text), (2, "value", Text, Set) }
    POD_DNS_CONFIG { (1, "nameservers", Texts), (2, "searches", Texts),
        (3, "options", Messages(POD_DNS_CONFIG_OPTION)) }
    POD_READINESS_GATE { (1, "conditionType", Text, Shown) }
    TOPOLOGY_SPREAD_CONSTRAINT { (1, "maxSkew", Number, Shown), (2, "topologyKey", Text, Shown),
        (3, "whenUnsatisfiable", Text, Shown), (4, "labelSelector", Message(LABEL_SELECTOR), Set),
        (5, "minDomains", Number, Set), (6, "nodeAffinityPolicy", Text, Set),
        (7, "nodeTaintsPolicy", Text, Set), (8, "matchLabelKeys", Texts) }
    EPHEMERAL_CONTAINER_COMMON { (1, "name", Text, Shown), (2, "image", Text), (3, "command", Texts),
        (4, "args", Texts), (5, "workingDir", Text), (6, "ports", Messages(CONTAINER_PORT)),
        (7, "env", Messages(ENV_VAR)), (8, "resources", Message(RESOURCE_REQUIREMENTS)),
        (9, "volumeMounts", Messages(VOLUME_MOUNT)), (10, "livenessProbe", Message(PROBE), Set),
        (11, "readinessProbe", Message(PROBE), Set), (12, "lifecycle", Message(LIFECYCLE), Set),
        (13, "terminationMessagePath", Text), (14, "imagePullPolicy", Text),
        (15, "securityContext", Message(SECURITY_CONTEXT), Set), (16, "stdin", Flag),
        (17, "stdinOnce", Flag), (18, "tty", Flag), (19, "envFrom", Messages(ENV_FROM_SOURCE)),
        (20, "terminationMessagePolicy", Text), (21, "volumeDevices", Messages(VOLUME_DEVICE)),
        (22, "startupProbe", Message(PROBE), Set), (23, "resizePolicy", Messages(CONTAINER_RESIZE_POLICY)),
        (24, "restartPolicy", Text, Set), (25, "restartPolicyRules", Messages(CONTAINER_RESTART_RULE)) }
    EPHEMERAL_CONTAINER { (1, "ephemeralContainerCommon", Inline(EPHEMERAL_CONTAINER_COMMON)),
        (2, "targetContainerName", Text) }
    POD_OS { (1, "name", Text, Shown) }
    POD_SCHEDULING_GATE { (1, "name", Text, Shown) }
    POD_RESOURCE_CLAIM { (1, "name", Text, Shown), (3, "resourceClaimName", Text, Set),
        (4, "resourceClaimTemplateName", Text, Set) }
    POD_SCHEDULING_GROUP { (1, "podGroupName", Text, Set) }
    EVICTION_RESPONDER { (1, "name", Text, Shown), (2, "priority", Number, Set) }
    POD_SPEC { (1, "volumes", Messages(VOLUME)), (2, "containers", Messages(CONTAINER)),
        (3, "restartPolicy", Text), (4, "terminationGracePeriodSeconds", Number, Set),
        (5, "activeDeadlineSeconds", Number, Set), (6, "dnsPolicy", Text), (7, "nodeSelector", TextMap),
        (8, "serviceAccountName", Text), (9, "serviceAccount", Text), (10, "nodeName", Text),
        (11, "hostNetwork", Flag), (12, "hostPID", Flag), (13, "hostIPC", Flag),
        (14, "securityContext", Message(POD_SECURITY_CONTEXT), Set),
        (15, "imagePullSecrets", Messages(LOCAL_OBJECT_REFERENCE)), (16, "hostname", Text),
        (17, "subdomain", Text), (18, "affinity", Message(AFFINITY), Set), (19, "schedulerName", Text),
        (20, "initContainers", Messages(CONTAINER)), (21, "automountServiceAccountToken", Flag, Set),
        (22, "tolerations", Messages(TOLERATION)), (23, "hostAliases", Messages(HOST_ALIAS)),
        (24, "priorityClassName", Text), (25, "priority", Number, Set),
        (26, "dnsConfig", Message(POD_DNS_CONFIG), Set), (27, "shareProcessNamespace", Flag, Set),
        (28, "readinessGates", Messages(POD_READINESS_GATE)), (29, "runtimeClassName", Text, Set),
        (30, "enableServiceLinks", Flag, Set), (31, "preemptionPolicy", Text, Set),
        (32, "overhead", Quantities),
        (33, "topologySpreadConstraints", Messages(TOPOLOGY_SPREAD_CONSTRAINT)),
        (34, "ephemeralContainers", Messages(EPHEMERAL_CONTAINER)), (35, "setHostnameAsFQDN", Flag, Set),
        (36, "os", Message(POD_OS), Set), (37, "hostUsers", Flag, Set),
        (38, "schedulingGates", Messages(POD_SCHEDULING_GATE)),
        (39, "resourceClaims", Messages(POD_RESOURCE_CLAIM)),
        (40, "resources", Message(RESOURCE_REQUIREMENTS), Set), (41, "hostnameOverride", Text, Set),
        (43, "schedulingGroup", Message(POD_SCHEDULING_GROUP), Set),
        (44, "evictionResponders", Messages(EVICTION_RESPONDER)) }
    POD_CONDITION { (1, "type", Text, Shown), (2, "status", Text, Shown), (3, "lastProbeTime", Time),
        (4, "lastTransitionTime", Time), (5, "reason", Text), (6, "message", Text),
        (7, "observedGeneration", Number) }
    CONTAINER_STATE_WAITING { (1, "reason", Text), (2, "message", Text) }
    CONTAINER_STATE_RUNNING { (1, "startedAt", Time) }
    CONTAINER_STATE_TERMINATED { (1, "exitCode", Number, Shown), (2, "signal", Number), (3, "reason", Text),
        (4, "message", Text), (5, "startedAt", Time), (6, "finishedAt", Time), (7, "containerID", Text) }
    CONTAINER_STATE { (1, "waiting", Message(CONTAINER_STATE_WAITING), Set),
        (2, "running", Message(CONTAINER_STATE_RUNNING), Set),
        (3, "terminated", Message(CONTAINER_STATE_TERMINATED), Set) }
    IMAGE_VOLUME_STATUS { (1, "imageRef", Text) }
    VOLUME_STATUS { (1, "image", Message(IMAGE_VOLUME_STATUS), Set) }
    VOLUME_MOUNT_STATUS { (1, "name", Text, Shown), (2, "mountPath", Text, Shown), (3, "readOnly", Flag),
        (4, "recursiveReadOnly", Text, Set), (5, "volumeStatus", Message(VOLUME_STATUS), Set) }
    LINUX_CONTAINER_USER { (1, "uid", Number, Shown), (2, "gid", Number, Shown),
        (3, "supplementalGroups", Numbers) }
    CONTAINER_USER { (1, "linux", Message(LINUX_CONTAINER_USER), Set) }
    RESOURCE_HEALTH { (1, "resourceID", Text, Shown), (2, "health", Text), (6, "message", Text, Set) }
    RESOURCE_STATUS { (1, "name", Text, Shown), (2, "resources", Messages(RESOURCE_HEALTH)) }
    CONTAINER_STATUS { (1, "name", Text, Shown), (2, "state", Message(CONTAINER_STATE)),
        (3, "lastState", Message(CONTAINER_STATE)), (4, "ready", Flag, Shown),
        (5, "restartCount", Number, Shown), (6, "image", Text, Shown), (7, "imageID", Text, Shown),
        (8, "containerID", Text), (9, "started", Flag, Set), (10, "allocatedResources", Quantities),
        (11, "resources", Message(RESOURCE_REQUIREMENTS), Set),
        (12, "volumeMounts", Messages(VOLUME_MOUNT_STATUS)), (13, "user", Message(CONTAINER_USER), Set),
        (14, "allocatedResourcesStatus", Messages(RESOURCE_STATUS)), (15, "stopSignal", Text, Set) }
    POD_IP { (1, "ip", Text, Shown) }
    POD_RESOURCE_CLAIM_STATUS { (1, "name", Text, Shown), (2, "resourceClaimName", Text, Set) }
    HOST_IP { (1, "ip", Text, Shown) }
    CONTAINER_EXTENDED_RESOURCE_REQUEST { (1, "containerName", Text, Shown),
        (2, "resourceName", Text, Shown), (3, "requestName", Text, Shown) }
    POD_EXTENDED_RESOURCE_CLAIM_STATUS {
        (1, "requestMappings", Messages(CONTAINER_EXTENDED_RESOURCE_REQUEST)),
        (2, "resourceClaimName", Text, Shown) }
    NODE_ALLOCATABLE_MAPPED_RESOURCES { (1, "name", Text, Shown), (2, "quantity", Quantity, Set) }
    NODE_ALLOCATABLE_OVERHEAD_RESOURCES { (1, "name", Text, Shown), (2, "perPod", Quantity, Set),
        (3, "perContainer", Quantity, Set) }
    NODE_ALLOCATABLE_RESOURCE_CLAIM_STATUS { (1, "resourceClaimName", Text, Shown),
        (2, "containers", Texts), (4, "mapping", Messages(NODE_ALLOCATABLE_MAPPED_RESOURCES)),
        (5, "overhead", Messages(NODE_ALLOCATABLE_OVERHEAD_RESOURCES)) }
    VOLUME_HEALTH_CONDITION { (1, "status", Text, Shown), (2, "reason", Text, Shown), (3, "message", Text) }
    POD_VOLUME_HEALTH { (1, "name", Text, Shown),
        (2, "healthConditions", Messages(VOLUME_HEALTH_CONDITION)), (3, "lastTransitionTime", Time) }
    POD_STATUS { (1, "phase", Text), (2, "conditions", Messages(POD_CONDITION)), (3, "message", Text),
        (4, "reason", Text), (5, "hostIP", Text), (6, "podIP", Text), (7, "startTime", Time, Set),
        (8, "containerStatuses", Messages(CONTAINER_STATUS)), (9, "qosClass", Text),
        (10, "initContainerStatuses", Messages(CONTAINER_STATUS)), (11, "nominatedNodeName", Text),
        (12, "podIPs", Messages(POD_IP)), (13, "ephemeralContainerStatuses", Messages(CONTAINER_STATUS)),
        (14, "resize", Text), (15, "resourceClaimStatuses", Messages(POD_RESOURCE_CLAIM_STATUS)),
        (16, "hostIPs", Messages(HOST_IP)), (17, "observedGeneration", Number),
        (18, "extendedResourceClaimStatus", Message(POD_EXTENDED_RESOURCE_CLAIM_STATUS), Set),
        (19, "allocatedResources", Quantities), (20, "resources", Message(RESOURCE_REQUIREMENTS), Set),
        (21, "nodeAllocatableResourceClaimStatuses", Messages(NODE_ALLOCATABLE_RESOURCE_CLAIM_STATUS)),
        (22, "volumeHealth", Messages(POD_VOLUME_HEALTH)) }
    POD { (1, "metadata", Message(OBJECT_META)), (2, "spec", Message(POD_SPEC)),
        (3, "status", Message(POD_STATUS)) }
    OBJECT_REFERENCE { (1, "kind", Text), (2, "namespace", Text), (3, "name", Text), (4, "uid", Text),
        (5, "apiVersion", Text), (6, "resourceVersion", Text), (7, "fieldPath", Text) }
    EVENT_SOURCE { (1, "component", Text), (2, "host", Text) }
    EVENT_SERIES { (1, "count", Number), (2, "lastObservedTime", MicroTime) }
    EVENT { (1, "metadata", Message(OBJECT_META), Shown),
        (2, "involvedObject", Message(OBJECT_REFERENCE), Shown), (3, "reason", Text), (4, "message", Text),
        (5, "source", Message(EVENT_SOURCE)), (6, "firstTimestamp", Time), (7, "lastTimestamp", Time),
        (8, "count", Number), (9, "type", Text), (10, "eventTime", MicroTime),
        (11, "series", Message(EVENT_SERIES), Set), (12, "action", Text),
        (13, "related", Message(OBJECT_REFERENCE), Set), (14, "reportingComponent", Text, Shown),
        (15, "reportingInstance", Text, Shown) }
    CONFIG_MAP { (1, "metadata", Message(OBJECT_META)), (2, "data", TextMap), (3, "binaryData", BytesMap),
        (4, "immutable", Flag, Set) }
    SECRET { (1, "metadata", Message(OBJECT_META)), (2, "data", BytesMap), (3, "type", Text),
        (4, "stringData", TextMap), (5, "immutable", Flag, Set) }
    NAMESPACE_SPEC { (1, "finalizers", Texts) }
    NAMESPACE_CONDITION { (1, "type", Text, Shown), (2, "status", Text, Shown),
        (4, "lastTransitionTime", Time), (5, "reason", Text), (6, "message", Text) }
    NAMESPACE_STATUS { (1, "phase", Text), (2, "conditions", Messages(NAMESPACE_CONDITION)) }
    NAMESPACE { (1, "metadata", Message(OBJECT_META)), (2, "spec", Message(NAMESPACE_SPEC)),
        (3, "status", Message(NAMESPACE_STATUS)) }
    SERVICE_ACCOUNT { (1, "metadata", Message(OBJECT_META)), (2, "secrets", Messages(OBJECT_REFERENCE)),
        (3, "imagePullSecrets", Messages(LOCAL_OBJECT_REFERENCE)),
        (4, "automountServiceAccountToken", Flag, Set) }
    SCOPED_RESOURCE_SELECTOR_REQUIREMENT { (1, "scopeName", Text, Shown), (2, "operator", Text, Shown),
        (3, "values", Texts) }
    SCOPE_SELECTOR { (1, "matchExpressions", Messages(SCOPED_RESOURCE_SELECTOR_REQUIREMENT)) }
    RESOURCE_QUOTA_SPEC { (1, "hard", Quantities), (2, "scopes", Texts),
        (3, "scopeSelector", Message(SCOPE_SELECTOR), Set) }
    RESOURCE_QUOTA_STATUS { (1, "hard", Quantities), (2, "used", Quantities) }
    RESOURCE_QUOTA { (1, "metadata", Message(OBJECT_META)), (2, "spec", Message(RESOURCE_QUOTA_SPEC)),
        (3, "status", Message(RESOURCE_QUOTA_STATUS)) }
    POD_TEMPLATE_SPEC { (1, "metadata", Message(OBJECT_META)), (2, "spec", Message(POD_SPEC)) }
    POD_FAILURE_POLICY_ON_EXIT_CODES_REQUIREMENT { (1, "containerName", Text, Set),
        (2, "operator", Text, Shown), (3, "values", Numbers) }
    POD_FAILURE_POLICY_ON_POD_CONDITIONS_PATTERN { (1, "type", Text, Shown), (2, "status", Text, Shown) }
    POD_FAILURE_POLICY_RULE { (1, "action", Text, Shown),
        (2, "onExitCodes", Message(POD_FAILURE_POLICY_ON_EXIT_CODES_REQUIREMENT), Set),
        (3, "onPodConditions", Messages(POD_FAILURE_POLICY_ON_POD_CONDITIONS_PATTERN)) }
    POD_FAILURE_POLICY { (1, "rules", Messages(POD_FAILURE_POLICY_RULE)) }
    SUCCESS_POLICY_RULE { (1, "succeededIndexes", Text, Set), (2, "succeededCount", Number, Set) }
    SUCCESS_POLICY { (1, "rules", Messages(SUCCESS_POLICY_RULE)) }
    JOB_SPEC { (1, "parallelism", Number, Set), (2, "completions", Number, Set),
        (3, "activeDeadlineSeconds", Number, Set), (4, "selector", Message(LABEL_SELECTOR), Set),
        (5, "manualSelector", Flag, Set), (6, "template", Message(POD_TEMPLATE_SPEC), Shown),
        (7, "backoffLimit", Number, Set), (8, "ttlSecondsAfterFinished", Number, Set),
        (9, "completionMode", Text, Set), (10, "suspend", Flag, Set),
        (11, "podFailurePolicy", Message(POD_FAILURE_POLICY), Set),
        (12, "backoffLimitPerIndex", Number, Set), (13, "maxFailedIndexes", Number, Set),
        (14, "podReplacementPolicy", Text, Set), (15, "managedBy", Text, Set),
        (16, "successPolicy", Message(SUCCESS_POLICY), Set) }
    JOB_CONDITION { (1, "type", Text, Shown), (2, "status", Text, Shown), (3, "lastProbeTime", Time),
        (4, "lastTransitionTime", Time), (5, "reason", Text), (6, "message", Text) }
    UNCOUNTED_TERMINATED_PODS { (1, "succeeded", Texts), (2, "failed", Texts) }
    JOB_STATUS { (1, "conditions", Messages(JOB_CONDITION)), (2, "startTime", Time, Set),
        (3, "completionTime", Time, Set), (4, "active", Number), (5, "succeeded", Number),
        (6, "failed", Number), (7, "completedIndexes", Text),
        (8, "uncountedTerminatedPods", Message(UNCOUNTED_TERMINATED_PODS), Set), (9, "ready", Number, Set),
        (10, "failedIndexes", Text, Set), (11, "terminating", Number, Set) }
    JOB { (1, "metadata", Message(OBJECT_META)), (2, "spec", Message(JOB_SPEC)),
        (3, "status", Message(JOB_STATUS)) }
    POLICY_RULE { (1, "verbs", Texts), (2, "apiGroups", Texts), (3, "resources", Texts),
        (4, "resourceNames", Texts), (5, "nonResourceURLs", Texts) }
    ROLE { (1, "metadata", Message(OBJECT_META)), (2, "rules", Messages(POLICY_RULE)) }
    AGGREGATION_RULE { (1, "clusterRoleSelectors", Messages(LABEL_SELECTOR)) }
    CLUSTER_ROLE { (1, "metadata", Message(OBJECT_META)), (2, "rules", Messages(POLICY_RULE)),
        (3, "aggregationRule", Message(AGGREGATION_RULE), Set) }
    SUBJECT { (1, "kind", Text, Shown), (2, "apiGroup", Text), (3, "name", Text, Shown),
        (4, "namespace", Text) }
    ROLE_REF { (1, "apiGroup", Text, Shown), (2, "kind", Text, Shown), (3, "name", Text, Shown) }
    ROLE_BINDING { (1, "metadata", Message(OBJECT_META)), (2, "subjects", Messages(SUBJECT)),
        (3, "roleRef", Message(ROLE_REF), Shown) }
    CLUSTER_ROLE_BINDING { (1, "metadata", Message(OBJECT_META)), (2, "subjects", Messages(SUBJECT)),
        (3, "roleRef", Message(ROLE_REF), Shown) }
    FIELD_SELECTOR_REQUIREMENT { (1, "key", Text, Shown), (2, "operator", Text, Shown), (3, "values", Texts) }
    FIELD_SELECTOR_ATTRIBUTES { (1, "rawSelector", Text),
        (2, "requirements", Messages(FIELD_SELECTOR_REQUIREMENT)) }
    LABEL_SELECTOR_ATTRIBUTES { (1, "rawSelector", Text),
        (2, "requirements", Messages(LABEL_SELECTOR_REQUIREMENT)) }
    RESOURCE_ATTRIBUTES { (1, "namespace", Text), (2, "verb", Text), (3, "group", Text),
        (4, "version", Text), (5, "resource", Text), (6, "subresource", Text), (7, "name", Text),
        (8, "fieldSelector", Message(FIELD_SELECTOR_ATTRIBUTES), Set),
        (9, "labelSelector", Message(LABEL_SELECTOR_ATTRIBUTES), Set) }
    NON_RESOURCE_ATTRIBUTES { (1, "path", Text), (2, "verb", Text) }
    SELF_SUBJECT_ACCESS_REVIEW_SPEC { (1, "resourceAttributes", Message(RESOURCE_ATTRIBUTES), Set),
        (2, "nonResourceAttributes", Message(NON_RESOURCE_ATTRIBUTES), Set) }
    SUBJECT_ACCESS_REVIEW_STATUS { (1, "allowed", Flag, Shown), (2, "reason", Text),
        (3, "evaluationError", Text), (4, "denied", Flag) }
    SELF_SUBJECT_ACCESS_REVIEW { (1, "metadata", Message(OBJECT_META)),
        (2, "spec", Message(SELF_SUBJECT_ACCESS_REVIEW_SPEC), Shown),
        (3, "status", Message(SUBJECT_ACCESS_REVIEW_STATUS)) }
    SUBJECT_ACCESS_REVIEW_SPEC { (1, "resourceAttributes", Message(RESOURCE_ATTRIBUTES), Set),
        (2, "nonResourceAttributes", Message(NON_RESOURCE_ATTRIBUTES), Set), (3, "user", Text),
        (4, "groups", Texts), (6, "uid", Text) }
    SUBJECT_ACCESS_REVIEW { (1, "metadata", Message(OBJECT_META)),
        (2, "spec", Message(SUBJECT_ACCESS_REVIEW_SPEC), Shown),
        (3, "status", Message(SUBJECT_ACCESS_REVIEW_STATUS)) }
    SELF_SUBJECT_RULES_REVIEW_SPEC { (1, "namespace", Text) }
    RESOURCE_RULE { (1, "verbs", Texts), (2, "apiGroups", Texts), (3, "resources", Texts),
        (4, "resourceNames", Texts) }
    NON_RESOURCE_RULE { (1, "verbs", Texts), (2, "nonResourceURLs", Texts) }
    SUBJECT_RULES_REVIEW_STATUS { (1, "resourceRules", Messages(RESOURCE_RULE)),
        (2, "nonResourceRules", Messages(NON_RESOURCE_RULE)), (3, "incomplete", Flag, Shown),
        (4, "evaluationError", Text) }
    SELF_SUBJECT_RULES_REVIEW { (1, "metadata", Message(OBJECT_META)),
        (2, "spec", Message(SELF_SUBJECT_RULES_REVIEW_SPEC), Shown),
        (3, "status", Message(SUBJECT_RULES_REVIEW_STATUS)) }
    USER_INFO { (1, "username", Text), (2, "uid", Text), (3, "groups", Texts) }
    SELF_SUBJECT_REVIEW_STATUS { (1, "userInfo", Message(USER_INFO)) }
    SELF_SUBJECT_REVIEW { (1, "metadata", Message(OBJECT_META)),
        (2, "status", Message(SELF_SUBJECT_REVIEW_STATUS)) }
    SHARD_INFO { (1, "selector", Text, Shown) }
    LIST_META { (1, "selfLink", Text), (2, "resourceVersion", Text), (3, "continue", Text),
        (4, "remainingItemCount", Number, Set), (5, "shardInfo", Message(SHARD_INFO), Set) }
    STATUS_CAUSE { (1, "reason", Text), (2, "message", Text), (3, "field", Text) }
    STATUS_DETAILS { (1, "name", Text), (2, "group", Text), (3, "kind", Text),
        (4, "causes", Messages(STATUS_CAUSE)), (5, "retryAfterSeconds", Number), (6, "uid", Text) }
    STATUS { (1, "metadata", Message(LIST_META)), (2, "status", Text), (3, "message", Text),
        (4, "reason", Text), (5, "details", Message(STATUS_DETAILS), Set), (6, "code", Number) }
}
