//! Effect of `KubeVirt`'s settings on the sizes of VMs.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use bootstorm_model::plan::sizing::Settings;

/// `spec.configuration`, with only the used fields decoded
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

/// Settings as `KubeVirt` interprets them: missing or non-positive values are defaults.
///
/// Fails if the configuration has another form.
pub(super) fn of(
    configuration: &Value,
    version: Option<&str>,
    architecture: &str,
) -> Result<Settings, serde_json::Error> {
    let configuration: Configuration = match configuration {
        Value::Null => Configuration::default(),
        given => Configuration::deserialize(given)?,
    };
    let default = Settings::default();
    let developer = configuration.developer;
    let positive =
        |given: i64, default| u64::try_from(given).ok().filter(|given| *given > 0).unwrap_or(default);
    let log_off =
        configuration.virtual_machine_options.get("disableSerialConsoleLog").is_some_and(Value::is_object);
    Ok(Settings {
        cpu_allocation_ratio: positive(developer.cpu_allocation_ratio, default.cpu_allocation_ratio),
        memory_overcommit: positive(developer.memory_overcommit, default.memory_overcommit),
        emulation: developer.use_emulation,
        node_selector: developer.node_selectors.into_iter().collect(),
        overhead_ratio: configuration
            .additional_guest_memory_overhead_ratio
            .as_deref()
            .and_then(|ratio| ratio.parse().ok()),
        console_log: !log_off && !version.unwrap_or_default().starts_with("v1.0."),
        architecture: architecture.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(configuration: &Value, version: &str) -> Settings {
        of(configuration, Some(version), "").unwrap()
    }

    #[test]
    fn settings_are_read_with_the_defaults_of_kubevirt() {
        assert_eq!(read(&Value::Null, "v1.9.0"), Settings::default());
        let found = read(
            &json!({
                "additionalGuestMemoryOverheadRatio": "1.5",
                "developerConfiguration": {"cpuAllocationRatio": 4, "memoryOvercommit": -1, "useEmulation": true, "nodeSelectors": {"a": "b"}},
                "virtualMachineOptions": {"disableSerialConsoleLog": {}},
            }),
            "v1.9.0",
        );
        assert_eq!((found.cpu_allocation_ratio, found.memory_overcommit), (4, 100));
        assert!(found.emulation && !found.console_log);
        assert_eq!(found.overhead_ratio, Some(1.5));
        assert_eq!(found.node_selector, [("a".into(), "b".into())]);
        assert!(!read(&json!({}), "v1.0.1").console_log);
        assert!(of(&json!({"developerConfiguration": 1}), None, "").is_err());
    }
}
