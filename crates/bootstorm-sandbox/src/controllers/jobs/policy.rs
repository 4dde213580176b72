//! `podFailurePolicy`: the effect of a failed pod on its Job.

use crate::value::Value;

/// Effect of a failed pod
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Counts towards the limits.
    Count,
    /// Replaced without counting.
    Ignore,
    /// Fails its index for good.
    FailIndex,
    /// Fails the Job, with this message.
    FailJob(String),
}

/// Judges a failed pod by the first rule that matches.
pub(super) fn judge(job: &Value, pod: &Value) -> Verdict {
    let rules = job["spec"]["podFailurePolicy"]["rules"].as_array().into_iter().flatten();
    for (place, rule) in rules.enumerate() {
        let Some(why) = by_exit_code(rule, pod).or_else(|| by_condition(rule, pod)) else { continue };
        return match rule["action"].as_str() {
            Some("Ignore") => Verdict::Ignore,
            Some("FailIndex") => Verdict::FailIndex,
            Some("FailJob") => Verdict::FailJob(format!("{why} matching FailJob rule at index {place}")),
            _ => Verdict::Count,
        };
    }
    Verdict::Count
}

fn shown(pod: &Value) -> String {
    let text = |field: &str| pod["metadata"][field].as_str().unwrap_or_default();
    format!("{}/{}", text("namespace"), text("name"))
}

fn by_exit_code(rule: &Value, pod: &Value) -> Option<String> {
    let wanted = rule.get("onExitCodes").filter(|wanted| wanted.is_object())?;
    let lists = [&pod["status"]["containerStatuses"], &pod["status"]["initContainerStatuses"]];
    let mut containers = lists.into_iter().filter_map(Value::as_array).flatten();
    containers.find_map(|container| {
        let code = container["state"]["terminated"]["exitCode"].as_i64().filter(|code| *code != 0)?;
        let name = container["name"].as_str()?;
        let is_meant = wanted["containerName"].as_str().is_none_or(|meant| meant == name);
        let is_listed =
            wanted["values"].as_array().is_some_and(|values| values.iter().any(|value| *value == code));
        let fits = is_listed == (wanted["operator"] == "In");
        (is_meant && fits)
            .then(|| format!("Container {name} for pod {} failed with exit code {code}", shown(pod)))
    })
}

fn by_condition(rule: &Value, pod: &Value) -> Option<String> {
    let patterns = rule["onPodConditions"].as_array().into_iter().flatten();
    let conditions = || pod["status"]["conditions"].as_array().into_iter().flatten();
    patterns.into_iter().find_map(|pattern| {
        let status = pattern["status"].as_str().unwrap_or("True");
        let found = conditions().find(|one| one["type"] == pattern["type"] && one["status"] == status)?;
        let kind = found["type"].as_str().unwrap_or_default();
        Some(format!("Pod {} has condition {kind}", shown(pod)))
    })
}

#[cfg(test)]
mod tests {
    use crate::value::json;

    use super::*;

    fn pod(code: i64, condition: &str) -> Value {
        json!({
            "metadata": {"namespace": "ns", "name": "p"},
            "status": {
                "containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": code}}}],
                "conditions": [{"type": condition, "status": "True"}],
            },
        })
    }

    #[test]
    fn the_first_matching_rule_decides() {
        let job = json!({"spec": {"podFailurePolicy": {"rules": [
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
            {"action": "FailJob", "onExitCodes": {"containerName": "c", "operator": "In", "values": [42]}},
            {"action": "FailIndex", "onExitCodes": {"operator": "NotIn", "values": [1, 42]}},
        ]}}});
        assert_eq!(judge(&job, &pod(42, "DisruptionTarget")), Verdict::Ignore);
        let message = "Container c for pod ns/p failed with exit code 42 matching FailJob rule at index 1";
        assert_eq!(judge(&job, &pod(42, "Ready")), Verdict::FailJob(message.to_owned()));
        assert_eq!(judge(&job, &pod(7, "Ready")), Verdict::FailIndex);
        assert_eq!(judge(&job, &pod(1, "Ready")), Verdict::Count);
        assert_eq!(judge(&json!({"spec": {}}), &pod(42, "DisruptionTarget")), Verdict::Count);
    }
}
