//! Advice for VMs that missed the goal: one remedy per diagnosed cause, or none.
//!
//! A diagnosis states what a VM waited for and, in the words of Kubernetes, why ([`super::diagnosis`]). Its first word
//! is the reason of an event or of a state; scheduling failures are distinguished by the messages of the scheduler's
//! plugins.

use super::Diagnosis;
use crate::component::{Component, Layer};

/// Remedy for a cause
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Remedy {
    /// Layer of the cause; `None` if it lies in the plan, the manifest or the permissions.
    pub(super) layer: Option<Layer>,
    /// Hints.
    pub(super) hints: &'static [&'static str],
}

/// Messages of the scheduler's plugins, and a remedy for each
static SCHEDULER: [(&str, Remedy); 13] = [
    (
        "devices.kubevirt.io/",
        Remedy {
            layer: Some(Layer::Hypervisor),
            hints: &[
                "Check that the nodes have /dev/kvm and that virt-handler runs on them: kubectl get pods -A -l kubevirt.io=virt-handler -o wide",
                "On nodes without hardware virtualization, for tests only: spec.configuration.developerConfiguration.useEmulation of the KubeVirt object",
            ],
        },
    ),
    (
        "Too many pods",
        Remedy {
            layer: Some(Layer::Compute),
            hints: &["Raise maxPods in the kubelet's configuration", "Add worker nodes"],
        },
    ),
    (
        "Insufficient ",
        Remedy {
            layer: Some(Layer::Compute),
            hints: &[
                "Add worker nodes, or nodes with more of what is insufficient",
                "Lower the requests of the VMs: --cpu, --memory, or spec.template.spec.domain of the manifest",
                "Run fewer VMs at once: --end, or storm --find-max",
            ],
        },
    ),
    (
        "didn't match Pod's node affinity",
        Remedy {
            layer: None,
            hints: &[
                "Compare nodeSelector and nodeAffinity of the manifest, and --node-selector, with the labels of the nodes: kubectl get nodes --show-labels",
            ],
        },
    ),
    ("didn't match pod affinity", AFFINITY),
    ("anti-affinity rules", AFFINITY),
    (
        "topology spread constraints",
        Remedy {
            layer: None,
            hints: &[
                "Relax topologySpreadConstraints of the manifest, or add nodes to the domains that lack them",
            ],
        },
    ),
    ("volume node affinity conflict", VOLUME_PLACE),
    (
        "exceed max volume count",
        Remedy {
            layer: Some(Layer::Storage),
            hints: &[
                "Add worker nodes, or fewer disks per VM: the CSI driver limits volumes per node (kubectl get csinodes -o yaml)",
            ],
        },
    ),
    ("unbound immediate PersistentVolumeClaims", CLAIMS),
    ("find available persistent volumes", CLAIMS),
    (
        "were unschedulable",
        Remedy { layer: Some(Layer::Compute), hints: &["Uncordon the nodes: kubectl uncordon NODE"] },
    ),
    (
        "untolerated taint",
        Remedy {
            layer: None,
            hints: &[
                "Add a toleration to the manifest (spec.template.spec.tolerations), or remove the taint: kubectl taint nodes NODE KEY-",
            ],
        },
    ),
];

const AFFINITY: Remedy = Remedy {
    layer: None,
    hints: &["Relax podAffinity and podAntiAffinity of the manifest: the rules leave no node for these VMs"],
};
const VOLUME_PLACE: Remedy = Remedy {
    layer: Some(Layer::Storage),
    hints: &[
        "Bind volumes when the VM has a node: a storage class with volumeBindingMode WaitForFirstConsumer",
    ],
};
const CLAIMS: Remedy = Remedy {
    layer: Some(Layer::Storage),
    hints: &[
        "See why claims are not bound: kubectl get events -A --field-selector involvedObject.kind=PersistentVolumeClaim",
    ],
};

static QUOTA: Remedy = Remedy {
    layer: None,
    hints: &[
        "Raise the quota, or the limit range, of the namespaces: kubectl get resourcequotas,limitranges -A",
    ],
};
static POD_SECURITY: Remedy = Remedy {
    layer: None,
    hints: &["Allow launcher pods: label the namespaces pod-security.kubernetes.io/enforce=privileged"],
};
static REFUSED: Remedy = Remedy {
    layer: None,
    hints: &["Change what the API server refuses: the message after the colon names it"],
};
static IMAGE: Remedy = Remedy {
    layer: None,
    hints: &[
        "Check the name and tag of the image, and that the nodes reach its registry",
        "A private registry needs a pull secret: imagePullSecret of the container disk",
        "Pull the image to the nodes before the storm",
    ],
};
static MISSING_CLAIM: Remedy = Remedy {
    layer: None,
    hints: &["Create the claim or data volume that the manifest names, in the namespace of each VM"],
};
static FILLING: Remedy = Remedy {
    layer: Some(Layer::Storage),
    hints: &[
        "Check the progress of the disks: kubectl get datavolumes -A",
        "Check that the source of the disks exists and may be cloned from, and the room left in the storage",
    ],
};
static HELD_ELSEWHERE: Remedy = Remedy {
    layer: Some(Layer::Storage),
    hints: &[
        "Let volumes be detached from their old nodes before the storm: kubectl get volumeattachments",
        "Use volumes that several nodes may attach (ReadWriteMany)",
    ],
};
static ATTACHMENT: Remedy = Remedy {
    layer: Some(Layer::Storage),
    hints: &[
        "Check the CSI driver and the storage behind it: kubectl get volumeattachments, and the logs of its attacher and node pods",
    ],
};
static SANDBOX: Remedy = Remedy {
    layer: Some(Layer::Network),
    hints: &["Check the network plugin on the nodes: its pods, its address pool, its logs"],
};
static CONFIG: Remedy = Remedy {
    layer: None,
    hints: &["Create the secret or config map that the pod names, in the namespace of each VM"],
};
static MEMORY: Remedy = Remedy {
    layer: Some(Layer::Compute),
    hints: &[
        "Raise the memory of the launcher: spec.configuration.additionalGuestMemoryOverheadRatio of the KubeVirt object, or the VM's memory limit",
    ],
};
static CRASH: Remedy = Remedy {
    layer: None,
    hints: &[
        "Check the guest itself: virtctl console VM, kubectl logs of the launcher pod, container compute",
        "Check that the disk holds a system that boots, with the firmware and disk bus that the manifest gives it",
    ],
};
static HANDLER: Remedy = Remedy {
    layer: Some(Layer::Hypervisor),
    hints: &[
        "Check virt-handler on these nodes: kubectl get pods -A -l kubevirt.io=virt-handler -o wide, and its logs",
    ],
};
static DOMAIN: Remedy = Remedy {
    layer: Some(Layer::Hypervisor),
    hints: &[
        "See what libvirt refuses: kubectl logs of the launcher pod, container compute, and the logs of \
         virt-handler",
    ],
};
static ADDRESS: Remedy = Remedy {
    layer: Some(Layer::Network),
    hints: &[
        "Check DHCP server capacity",
        "Check that the guest brings up its network and, where it reports addresses by agent, runs the guest agent",
    ],
};
static REPLY: Remedy = Remedy {
    layer: Some(Layer::Network),
    hints: &[
        "Check that the guest answers the probe at all: a firewall, a service that is not there, an interface that forwards only listed ports",
        "Review CNI plugin performance, network policies and congestion",
    ],
};
static CONVERGENCE: Remedy = Remedy {
    layer: Some(Layer::Network),
    hints: &[
        "Let KubeVirt slow guests down that write faster than memory is copied: allowAutoConverge in spec.configuration.migrations",
        "Raise completionTimeoutPerGiB or bandwidthPerMigration there, or migrate fewer VMs at once: parallelOutboundMigrationsPerNode",
    ],
};
static TARGET: Remedy = Remedy {
    layer: Some(Layer::Hypervisor),
    hints: &[
        "See why: kubectl describe vmim in the namespace of the VM, and the logs of virt-handler on source and target",
    ],
};

/// Hints for a diagnosis; empty if its cause was not seen or is unknown.
pub(super) fn all(diagnosis: &Diagnosis) -> Vec<&'static Remedy> {
    let cause = diagnosis.cause.as_deref().unwrap_or_default();
    let word = cause.split(": ").next().unwrap_or_default();
    let says = |text: &str| cause.contains(text);
    let refusal = || match () {
        () if says("exceeded quota") || says("limited to") || says("LimitRange") => &QUOTA,
        () if says("PodSecurity") => &POD_SECURITY,
        () => &REFUSED,
    };
    let one = match diagnosis.waits_for {
        Component::Scheduling => return scheduler(cause),
        _ if word == "FailedScheduling" => return scheduler(cause),
        _ if cause.is_empty() => match diagnosis.waits_for {
            Component::Guest => &ADDRESS,
            Component::Network => &REPLY,
            _ => return Vec::new(),
        },
        Component::Api => refusal(),
        Component::Pod | Component::Controller if word == "FailedCreate" || says("exceeded quota") => {
            refusal()
        }
        Component::Filling => match word {
            "FailedPvcNotFound"
            | "FailedDataVolumeNotFound"
            | "ErrorPvcNotFound"
            | "ErrorDataVolumeNotFound" => &MISSING_CLAIM,
            _ => &FILLING,
        },
        Component::Attaching if says("Multi-Attach") => &HELD_ELSEWHERE,
        Component::Attaching => &ATTACHMENT,
        Component::Images => &IMAGE,
        Component::Containers | Component::Launcher => match word {
            "FailedCreatePodSandBox" => &SANDBOX,
            "CreateContainerConfigError" => &CONFIG,
            _ => return Vec::new(),
        },
        Component::Crashing if says("OOMKilled") => &MEMORY,
        Component::Crashing => &CRASH,
        Component::Handler => &HANDLER,
        Component::Domain => &DOMAIN,
        Component::Guest => &ADDRESS,
        Component::Network => &REPLY,
        Component::Copying if says("not completed after") => &CONVERGENCE,
        Component::Copying | Component::Target => &TARGET,
        _ => return Vec::new(),
    };
    vec![one]
}

/// Remedies for a scheduling failure; a control plane that takes no VMs is ignored if there is another cause.
fn scheduler(cause: &str) -> Vec<&'static Remedy> {
    let reasons = cause.strip_prefix("FailedScheduling: ").unwrap_or_default().split(", ");
    let mut found: Vec<(&'static Remedy, bool)> = Vec::new();
    for reason in reasons {
        let remedy = SCHEDULER.iter().find(|(words, _)| reason.contains(words)).map(|(_, remedy)| remedy);
        if let Some(remedy) = remedy.filter(|remedy| !found.iter().any(|(known, _)| known == remedy)) {
            let usual = reason.contains("node-role.kubernetes.io/") || reason.contains("were unschedulable");
            found.push((remedy, usual));
        }
    }
    let only_usual = found.iter().all(|(_, usual)| *usual);
    found.into_iter().filter(|(_, usual)| only_usual || !usual).map(|(remedy, _)| remedy).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hints(waits_for: Component, cause: &str) -> String {
        let cause = Some(cause.to_owned()).filter(|cause| !cause.is_empty());
        let found = all(&Diagnosis { waits_for, cause });
        found.iter().flat_map(|remedy| remedy.hints).copied().collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn every_cause_that_is_known_has_advice_of_its_own() {
        use Component::{
            Api, Attaching, Containers, Crashing, Domain, Filling, Guest, Handler, Images, Network, Pod,
            Scheduling,
        };
        let cases = [
            (Scheduling, "FailedScheduling: Insufficient memory", "Add worker nodes"),
            (Scheduling, "FailedScheduling: Too many pods", "maxPods"),
            (Scheduling, "FailedScheduling: Insufficient devices.kubevirt.io/kvm", "/dev/kvm"),
            (
                Scheduling,
                "FailedScheduling: node(s) didn't match Pod's node affinity/selector",
                "--show-labels",
            ),
            (Scheduling, "FailedScheduling: node(s) didn't match pod anti-affinity rules", "podAntiAffinity"),
            (Scheduling, "FailedScheduling: node(s) didn't match pod affinity rules", "podAffinity"),
            (
                Scheduling,
                "FailedScheduling: node(s) didn't match pod topology spread constraints",
                "topologySpread",
            ),
            (Scheduling, "FailedScheduling: node(s) had untolerated taint {a: b}", "toleration"),
            (
                Scheduling,
                "FailedScheduling: node(s) had volume node affinity conflict",
                "WaitForFirstConsumer",
            ),
            (Scheduling, "FailedScheduling: node(s) exceed max volume count", "csinodes"),
            (Scheduling, "FailedScheduling: pod has unbound immediate PersistentVolumeClaims", "not bound"),
            (Scheduling, "FailedScheduling: node(s) were unschedulable", "uncordon"),
            (Pod, "FailedCreate: exceeded quota: default-quota", "Raise the quota"),
            (Pod, "FailedCreate: violates PodSecurity \"restricted:latest\"", "pod-security"),
            (Api, "admission webhook \"x\" denied the request: no", "API server refuses"),
            (Images, "ImagePullBackOff: quay.io/a/b:1", "registry"),
            (Filling, "FailedPvcNotFound: PVC p-<n>/nowhere does not exist", "Create the claim"),
            (Filling, "Provisioning: ImportInProgress", "datavolumes"),
            (Attaching, "FailedAttachVolume: Multi-Attach error for volume \"x\"", "ReadWriteMany"),
            (Attaching, "FailedMount: MountVolume.SetUp failed", "CSI driver"),
            (Containers, "FailedCreatePodSandBox: plugin type=\"multus\" failed", "network plugin"),
            (Containers, "CreateContainerConfigError: secret \"x\" not found", "secret"),
            (Crashing, "CrashLoopBackOff: container compute OOMKilled", "memory"),
            (Crashing, "CrashLoopBackOff: container compute exited with 1", "virtctl console"),
            (Handler, "x: y", "virt-handler"),
            (Domain, "SyncFailed: server error", "libvirt"),
            (Guest, "", "DHCP"),
            (Network, "", "answers the probe"),
        ];
        for (waits_for, cause, expected) in cases {
            let found = hints(waits_for, cause);
            assert!(found.contains(expected), "{cause}: {found}");
        }
    }

    #[test]
    fn several_lacks_have_several_remedies_and_a_control_plane_none() {
        let cause =
            "FailedScheduling: Insufficient memory, node(s) didn't match Pod's node affinity/selector";
        let found = hints(Component::Scheduling, cause);
        assert!(found.contains("Add worker nodes") && found.contains("--show-labels"), "{found}");
        let cause = "FailedScheduling: Insufficient memory, node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }";
        assert!(!hints(Component::Scheduling, cause).contains("toleration"));
        let cause =
            "FailedScheduling: node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }";
        assert!(hints(Component::Scheduling, cause).contains("toleration"));
    }

    #[test]
    fn causes_that_nobody_saw_have_none() {
        for waits_for in [
            Component::Scheduling,
            Component::Pod,
            Component::Containers,
            Component::Domain,
            Component::Shutdown,
        ] {
            assert_eq!(hints(waits_for, ""), "");
        }
        assert_eq!(hints(Component::Scheduling, "FailedScheduling: something new"), "");
    }
}
