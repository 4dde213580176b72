//! Memory that a launcher pod needs beside the guest's.
//!
//! The figures are those of `GetMemoryOverhead` in `KubeVirt`'s `pkg/hypervisor/kvm/hypervisorbackend.go` after v1.9.0.
//! Releases up to 1.9.0 count 20 MiB less for qemu, and those before 1.5 another 10 MiB less for the daemons. The
//! larger figure is used for all, since patch releases may adopt it.

use serde_json::Value;

use super::quantity::Quantity;
use super::settings::Settings;
use super::topology::vcpus;

/// virt-launcher-monitor 25, virt-launcher 100, virtlogd 25, virtqemud 40, qemu 50, in MiB.
const DAEMONS: u64 = 240;
/// One I/O thread, in MiB.
const IO_THREAD: u64 = 8;
/// Per vCPU, in MiB.
const PER_VCPU: u64 = 8;
/// Video memory, in MiB.
const GRAPHICS: u64 = 32;
/// Firmware flash of arm64 machines, in MiB.
const ARM_FLASH: u64 = 128;
/// Address space of passed-through devices, in MiB.
const VFIO: u64 = 1024;
/// The disk of downward metrics, in MiB.
const METRICS: u64 = 1;
/// virt-probe, once, and for each probe, in MiB.
const PROBES: (u64, u64) = (100, 10);
/// Memory encryption, in MiB.
const SEV: u64 = 256;
/// The software TPM, in MiB.
const TPM: u64 = 53;
/// VMs with dedicated CPUs or guaranteed resources, in MiB.
const GUARANTEED: u64 = 100;

/// The overhead of a VM with this `spec.template.spec`.
pub fn memory(spec: &Value, settings: &Settings) -> Quantity {
    let (domain, devices) = (&spec["domain"], &spec["domain"]["devices"]);
    let requested = Quantity::of(&domain["resources"]["requests"]["memory"]).unwrap_or_default();
    let mut mebibytes = DAEMONS + IO_THREAD + PER_VCPU.saturating_mul(vcpus(domain));
    if devices["autoattachGraphicsDevice"] != false {
        mebibytes += GRAPHICS;
    }
    if spec["architecture"].as_str().unwrap_or(&settings.architecture) == "arm64" {
        mebibytes += ARM_FLASH;
    }
    if has_vfio(devices) {
        mebibytes += VFIO;
    }
    let mut volumes = spec["volumes"].as_array().into_iter().flatten();
    if volumes.any(|volume| volume.get("downwardMetrics").is_some()) {
        mebibytes += METRICS;
    }
    let probes =
        ["livenessProbe", "readinessProbe"].iter().filter(|probe| spec[**probe].get("exec").is_some());
    match probes.count() as u64 {
        0 => {}
        count => mebibytes += PROBES.0 + count * PROBES.1,
    }
    if domain["launchSecurity"].get("sev").is_some() || domain["launchSecurity"].get("snp").is_some() {
        mebibytes += SEV;
    }
    if devices.get("tpm").is_some_and(|tpm| tpm.is_object() && tpm["enabled"] != false) {
        mebibytes += TPM;
    }
    if is_guaranteed(domain) {
        mebibytes += GUARANTEED;
    }
    // Page tables: one bit for every 512 of an explicit request.
    let mut overhead = Quantity::mebibytes(mebibytes) + requested.divided(512);
    if let Some(added) = Quantity::of(&domain["memory"]["reservedOverhead"]["addedOverhead"]) {
        overhead += added;
    }
    match settings.overhead_ratio {
        Some(ratio) if ratio.is_finite() && ratio > 0.0 => overhead.scaled(ratio),
        _ => overhead,
    }
}

fn has_vfio(devices: &Value) -> bool {
    let filled = |key: &str| devices[key].as_array().is_some_and(|list| !list.is_empty());
    let mut interfaces = devices["interfaces"].as_array().into_iter().flatten();
    filled("hostDevices") || filled("gpus") || interfaces.any(|one| one.get("sriov").is_some())
}

/// Whether the VM has dedicated CPUs, or requests equal to its limits.
pub fn is_guaranteed(domain: &Value) -> bool {
    if domain["cpu"]["dedicatedCpuPlacement"] == true {
        return true;
    }
    let amount = |list: &str, resource: &str| {
        Quantity::of(&domain["resources"][list][resource]).filter(|amount| !amount.is_zero())
    };
    let (memory, limit) = (amount("requests", "memory"), amount("limits", "memory"));
    let memory_wants = limit.is_some() && (memory.is_none() || memory == limit);
    let cpu = amount("requests", "cpu");
    memory_wants && cpu.is_some() && cpu == amount("limits", "cpu")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The table of `KubeVirt`'s own test of this function (`hypervisorbackend_test.go`), on a request of 1 GiB:
    /// 2 MiB of page tables, where the original rounds to 7 MiB and adds the rest to its static part.
    #[test]
    fn overheads_are_those_of_kubevirt() {
        let base = 240 + 8 + 2 + 32 + 8;
        let cases = [
            (json!({}), base),
            (json!({"domain": {"cpu": {"cores": 2, "threads": 2, "sockets": 2}}}), base + 7 * 8),
            (json!({"domain": {"devices": {"autoattachGraphicsDevice": false}}}), base - 32),
            (json!({"architecture": "arm64"}), base + 128),
            (json!({"domain": {"devices": {"hostDevices": [{"name": "test"}]}}}), base + 1024),
            (json!({"domain": {"devices": {"gpus": [{"name": "test"}]}}}), base + 1024),
            (json!({"domain": {"devices": {"interfaces": [{"name": "a", "sriov": {}}]}}}), base + 1024),
            (json!({"volumes": [{"name": "m", "downwardMetrics": {}}]}), base + 1),
            (json!({"livenessProbe": {"exec": {}}}), base + 110),
            (json!({"livenessProbe": {"exec": {}}, "readinessProbe": {"exec": {}}}), base + 120),
            (json!({"readinessProbe": {"tcpSocket": {}}}), base),
            (json!({"domain": {"launchSecurity": {"sev": {}}}}), base + 256),
            (json!({"domain": {"devices": {"tpm": {}}}}), base + 53),
            (json!({"domain": {"cpu": {"cores": 1, "dedicatedCpuPlacement": true}}}), base + 100),
            (json!({"domain": {"memory": {"reservedOverhead": {"addedOverhead": "100Mi"}}}}), base + 100),
        ];
        for (mut spec, mebibytes) in cases {
            spec["domain"]["resources"]["requests"]["memory"] = json!("1Gi");
            let overhead = memory(&spec, &Settings::default());
            assert_eq!(overhead, Quantity::mebibytes(mebibytes), "{spec}: {overhead}");
        }
    }

    #[test]
    fn vcpus_may_come_from_the_resources() {
        let of = |resources| memory(&json!({"domain": {"resources": resources}}), &Settings::default());
        let without = of(json!({}));
        assert_eq!(without, Quantity::mebibytes(288));
        assert_eq!(of(json!({"requests": {"cpu": "3"}})), without + Quantity::mebibytes(16));
        let both = json!({"requests": {"cpu": "3"}, "limits": {"cpu": "5"}});
        assert_eq!(of(both), without + Quantity::mebibytes(32));
    }

    #[test]
    fn equal_requests_and_limits_are_guaranteed() {
        let all = json!({"memory": "1Gi", "cpu": "4"});
        assert!(is_guaranteed(&json!({"resources": {"requests": all, "limits": all}})));
        assert!(is_guaranteed(&json!({"resources": {"requests": {"cpu": "4"}, "limits": all}})));
        assert!(!is_guaranteed(&json!({"resources": {"requests": {"memory": "1Gi"}, "limits": all}})));
        assert!(!is_guaranteed(&json!({})));
    }

    #[test]
    fn a_ratio_multiplies_everything() {
        let settings = Settings { overhead_ratio: Some(1.5), ..Settings::default() };
        assert_eq!(memory(&json!({}), &settings), Quantity::mebibytes(432));
    }
}
