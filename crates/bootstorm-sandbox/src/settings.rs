//! Limits in the `KubeVirt` object: those of the profile, as if set by an administrator.

use crate::value::json;

use super::model::Profile;
use super::store::Store;
use super::store::kind::KUBEVIRTS;

/// Writes differences from the defaults into the `KubeVirt` object.
///
/// Calls per second are in `spec.configuration`; numbers of workers are flags of virt-controller.
pub(super) fn publish(store: &Store, profile: &Profile) {
    let usual = Profile::default();
    let bucket = |qps: f64, burst: f64| {
        let bucket = json!({"qps": qps, "burst": burst as u64});
        json!({"restClient": {"rateLimiter": {"tokenBucketRateLimiter": bucket}}})
    };
    let (controller, handler) = (&profile.virt_controller, &profile.virt_handler);
    store.modify(&KUBEVIRTS, "kubevirt", "kubevirt", |kubevirt| {
        let configuration = &mut kubevirt["spec"]["configuration"];
        if differs(controller.qps, usual.virt_controller.qps) {
            configuration["controllerConfiguration"] = bucket(controller.qps, controller.burst);
        }
        if differs(handler.qps, usual.virt_handler.qps) {
            configuration["handlerConfiguration"] = bucket(handler.qps, handler.burst);
        }
        let mut flags = crate::value::Map::new();
        for (flag, workers, default) in [
            ("vm-controller-threads", controller.vm_workers, usual.virt_controller.vm_workers),
            ("vmi-controller-threads", controller.vmi_workers, usual.virt_controller.vmi_workers),
        ] {
            if workers != default {
                flags.insert(flag.to_owned(), json!(workers.to_string()));
            }
        }
        if !flags.is_empty() {
            kubevirt["spec"]["customizeComponents"] = json!({"flags": {"controller": flags}});
        }
    });
}

fn differs(value: f64, usual: f64) -> bool {
    (value - usual).abs() > 1e-9
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::profile;
    use crate::seed::seed;

    fn published(name: &str) -> crate::value::Value {
        let store = Store::new();
        seed(&store, 1, 16, 64, 250).unwrap();
        publish(&store, &profile::named(name).unwrap());
        store.get(&KUBEVIRTS, "kubevirt", "kubevirt").unwrap().value()["spec"].clone()
    }

    #[test]
    fn only_what_differs_is_set() {
        let spec = published("default");
        assert!(spec["configuration"].get("controllerConfiguration").is_none());
        assert!(spec.get("customizeComponents").is_none());
        let spec = published("throttled-controller");
        let bucket = &spec["configuration"]["controllerConfiguration"]["restClient"]["rateLimiter"]["tokenBucketRateLimiter"];
        assert_eq!((bucket["qps"].as_f64(), bucket["burst"].as_u64()), (Some(5.0), Some(10)));
        let spec = published("few-workers");
        assert_eq!(spec["customizeComponents"]["flags"]["controller"]["vmi-controller-threads"], "1");
    }
}
