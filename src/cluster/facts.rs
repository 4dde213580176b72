//! What kind of cluster this is: versions, and whether `KubeVirt` and CDI are there.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::version::Info;
use kube::api::ListParams;
use serde::Deserialize;
use serde_json::Value;

use super::call::{built, on, path};
use super::{Cluster, Kind, Trouble};
use crate::plan::sizing::Settings;

/// The `KubeVirt` object, decoded only as far as it is used
#[derive(Debug, Clone, Deserialize, Default)]
struct KubeVirt {
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct Spec {
    configuration: Configuration,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Configuration {
    #[serde(rename = "developerConfiguration")]
    developer: Developer,
    additional_guest_memory_overhead_ratio: Option<String>,
    virtual_machine_options: Value,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Developer {
    cpu_allocation_ratio: i64,
    memory_overcommit: i64,
    use_emulation: bool,
    node_selectors: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    phase: String,
    observed_kube_virt_version: Option<String>,
    default_architecture: String,
}

#[derive(Debug, Deserialize)]
struct KubeVirts {
    items: Vec<KubeVirt>,
}

/// Whether `KubeVirt` can run VMs here
#[derive(Debug, Clone, PartialEq)]
pub enum KubeVirtState {
    /// It is deployed.
    Deployed {
        /// Its version, as far as known.
        version: Option<String>,
        /// What its settings say about the sizes of VMs.
        settings: Settings,
    },
    /// It is there, but not deployed: the phase it reports.
    Unfinished(String),
    /// There is none.
    Absent,
}

impl Cluster {
    /// The version of the API server; also shows that it can be reached and knows us.
    pub async fn version(&self) -> Result<String, Trouble> {
        let doing = "reach the API server";
        let request = http::Request::get("/version")
            .body(Vec::new())
            .map_err(|error| Trouble::new(doing, Kind::Invalid, error.to_string()))?;
        let info: Info = self.ask(doing, &request).await?;
        Ok(info.git_version)
    }

    /// Whether `KubeVirt` is deployed.
    pub async fn kubevirt(&self) -> Result<KubeVirtState, Trouble> {
        let doing = "look for KubeVirt";
        let collection = path("kubevirt.io/v1", None, "kubevirts");
        let request = built(doing, on(&collection).list(&ListParams::default()))?;
        let found: KubeVirts = match self.ask(doing, &request).await {
            Ok(found) => found,
            Err(trouble) if trouble.kind == Kind::NotFound => return Ok(KubeVirtState::Absent),
            Err(trouble) => return Err(trouble),
        };
        let Some(kubevirt) = found.items.into_iter().next() else { return Ok(KubeVirtState::Absent) };
        Ok(match kubevirt.status.phase.as_str() {
            "Deployed" => KubeVirtState::Deployed {
                settings: settings(&kubevirt),
                version: kubevirt.status.observed_kube_virt_version,
            },
            "" => KubeVirtState::Unfinished("Unknown".into()),
            phase => KubeVirtState::Unfinished(phase.into()),
        })
    }

    /// Whether CDI's kinds are served, so that VMs can bring disks along. Everybody may ask that.
    pub async fn has_cdi(&self) -> Result<bool, Trouble> {
        let doing = "look for CDI";
        let request = http::Request::get("/apis/cdi.kubevirt.io")
            .body(Vec::new())
            .map_err(|error| Trouble::new(doing, Kind::Invalid, error.to_string()))?;
        match self.ask_raw(doing, &request).await {
            Ok(_) => Ok(true),
            Err(trouble) if trouble.kind == Kind::NotFound => Ok(false),
            Err(trouble) => Err(trouble),
        }
    }
}

/// Settings as `KubeVirt` takes them: what is missing or not positive is its default.
fn settings(kubevirt: &KubeVirt) -> Settings {
    let (configuration, default) = (&kubevirt.spec.configuration, Settings::default());
    let developer = &configuration.developer;
    let positive =
        |given: i64, default| u64::try_from(given).ok().filter(|given| *given > 0).unwrap_or(default);
    let version = kubevirt.status.observed_kube_virt_version.as_deref().unwrap_or_default();
    let log_off =
        configuration.virtual_machine_options.get("disableSerialConsoleLog").is_some_and(Value::is_object);
    let architecture = &kubevirt.status.default_architecture;
    Settings {
        cpu_allocation_ratio: positive(developer.cpu_allocation_ratio, default.cpu_allocation_ratio),
        memory_overcommit: positive(developer.memory_overcommit, default.memory_overcommit),
        emulation: developer.use_emulation,
        node_selector: developer.node_selectors.clone().into_iter().collect(),
        overhead_ratio: configuration
            .additional_guest_memory_overhead_ratio
            .as_deref()
            .and_then(|ratio| ratio.parse().ok()),
        console_log: !log_off && !version.starts_with("v1.0."),
        architecture: if architecture.is_empty() { default.architecture } else { architecture.clone() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(spec: &Value, version: &str) -> Settings {
        let status = json!({"phase": "Deployed", "observedKubeVirtVersion": version});
        settings(&serde_json::from_value(json!({"spec": spec, "status": status})).unwrap())
    }

    #[test]
    fn settings_are_read_with_the_defaults_of_kubevirt() {
        assert_eq!(read(&json!({}), "v1.9.0"), Settings::default());
        let found = read(
            &json!({"configuration": {
                "additionalGuestMemoryOverheadRatio": "1.5",
                "developerConfiguration": {"cpuAllocationRatio": 4, "memoryOvercommit": -1, "useEmulation": true, "nodeSelectors": {"a": "b"}},
                "virtualMachineOptions": {"disableSerialConsoleLog": {}},
            }}),
            "v1.9.0",
        );
        assert_eq!((found.cpu_allocation_ratio, found.memory_overcommit), (4, 100));
        assert!(found.emulation && !found.console_log);
        assert_eq!(found.overhead_ratio, Some(1.5));
        assert_eq!(found.node_selector, [("a".into(), "b".into())]);
        assert!(!read(&json!({}), "v1.0.1").console_log);
    }
}
