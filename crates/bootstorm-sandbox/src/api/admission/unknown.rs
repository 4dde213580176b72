//! Unknown fields of a virtual machine.

use crate::value::Value;

use super::super::status::Failure;
use super::Strictness;

/// Fields known below a path of a virtual machine; other paths are not checked.
const KNOWN: [(&str, &[&str]); 6] = [
    ("", &["apiVersion", "kind", "metadata", "spec", "status"]),
    (
        "/spec",
        &[
            "dataVolumeTemplates",
            "instancetype",
            "liveUpdateFeatures",
            "preference",
            "runStrategy",
            "running",
            "template",
            "updateVolumesStrategy",
        ],
    ),
    ("/spec/template", &["metadata", "spec"]),
    (
        "/spec/template/spec",
        &[
            "accessCredentials",
            "affinity",
            "architecture",
            "dnsConfig",
            "dnsPolicy",
            "domain",
            "evictionStrategy",
            "hostname",
            "livenessProbe",
            "networks",
            "nodeSelector",
            "priorityClassName",
            "readinessProbe",
            "resourceClaims",
            "schedulerName",
            "serviceAccountName",
            "startStrategy",
            "subdomain",
            "terminationGracePeriodSeconds",
            "tolerations",
            "topologySpreadConstraints",
            "utilityVolumes",
            "volumes",
        ],
    ),
    (
        "/spec/template/spec/domain",
        &[
            "chassis",
            "clock",
            "cpu",
            "devices",
            "features",
            "firmware",
            "ioThreads",
            "ioThreadsPolicy",
            "launchSecurity",
            "machine",
            "memory",
            "resources",
        ],
    ),
    (
        "/spec/template/spec/domain/devices",
        &[
            "autoattachGraphicsDevice",
            "autoattachInputDevice",
            "autoattachMemBalloon",
            "autoattachPodInterface",
            "autoattachSerialConsole",
            "autoattachVSOCK",
            "blockMultiQueue",
            "clientPassthrough",
            "disableHotplug",
            "disks",
            "downwardMetrics",
            "filesystems",
            "gpus",
            "hostDevices",
            "inputs",
            "interfaces",
            "logSerialConsole",
            "networkInterfaceMultiqueue",
            "panicDevices",
            "rng",
            "sound",
            "tpm",
            "useVirtioTransitional",
            "video",
            "watchdog",
        ],
    ),
];

/// Removes unknown fields, with a warning or an error as requested by the client.
pub(super) fn drop_unknown(vm: &mut Value, strictness: Strictness) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    for (path, known) in KNOWN {
        let Some(fields) = vm.pointer_mut(path).and_then(Value::as_object_mut) else { continue };
        fields.retain(|field, _| {
            let keep = known.contains(&field.as_str());
            if !keep {
                let path = path.trim_start_matches('/').replace('/', ".");
                found.push(if path.is_empty() { field.to_string() } else { format!("{path}.{field}") });
            }
            keep
        });
    }
    let said: Vec<String> = found.iter().map(|field| format!("unknown field \"{field}\"")).collect();
    match strictness {
        Strictness::Ignore => Ok(Vec::new()),
        Strictness::Warn => Ok(said),
        Strictness::Strict if said.is_empty() => Ok(said),
        Strictness::Strict => Err(Failure::bad_request(format!(
            "VirtualMachine in version \"v1\" cannot be handled as a VirtualMachine: strict decoding error: {}",
            said.join(", ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use crate::value::json;

    use super::*;

    #[test]
    fn unknown_fields_are_dropped_and_named() {
        let mut vm = json!({"spec": {"bogus": 1, "template": {"spec": {"domain": {"typo": {}}}}}});
        let warnings = drop_unknown(&mut vm.clone(), Strictness::Warn).unwrap();
        assert_eq!(
            warnings,
            ["unknown field \"spec.bogus\"", "unknown field \"spec.template.spec.domain.typo\""]
        );
        assert_eq!(drop_unknown(&mut vm.clone(), Strictness::Ignore), Ok(vec![]));
        assert_eq!(drop_unknown(&mut vm, Strictness::Strict).unwrap_err().code(), 400);
    }
}
