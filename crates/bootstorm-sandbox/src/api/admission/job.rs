//! Defaults and validation of Jobs.
//!
//! After `pkg/apis/batch/v1/defaults.go` and `pkg/apis/batch/validation/validation.go` of Kubernetes.

use crate::value::{Value, json};

use super::super::status::{Cause, Failure};
use super::pod;
use crate::store::kind::JOBS;

/// Maximum parallelism of an indexed Job, and its maximum completions if indexes have limits of their own.
const MOST_PARALLEL: i64 = 100_000;
/// Unlimited, if each index has a limit.
const NO_LIMIT: i64 = 2_147_483_647;

/// Completes a new Job.
pub(super) fn complete(job: &mut Value) {
    let Some(fields) = job.as_object_mut() else { return };
    fields.insert("status".to_owned(), json!({}));
    let Some(spec) = job["spec"].as_object_mut() else { return };
    if !spec.contains_key("completions") && !spec.contains_key("parallelism") {
        spec.insert("completions".to_owned(), json!(1));
    }
    let per_index = spec.contains_key("backoffLimitPerIndex");
    let replacement = if spec.contains_key("podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" };
    for (field, value) in [
        ("parallelism", json!(1)),
        ("backoffLimit", json!(if per_index { NO_LIMIT } else { 6 })),
        ("completionMode", json!("NonIndexed")),
        ("suspend", json!(false)),
        ("manualSelector", json!(false)),
        ("podReplacementPolicy", json!(replacement)),
    ] {
        spec.entry(field).or_insert(value);
    }
    let rules = job.pointer_mut("/spec/podFailurePolicy/rules").and_then(Value::as_array_mut);
    for rule in rules.into_iter().flatten() {
        for pattern in rule["onPodConditions"].as_array_mut().into_iter().flatten() {
            if pattern.get("status").is_none() {
                pattern["status"] = json!("True");
            }
        }
    }
    let template = &mut job["spec"]["template"]["spec"];
    if template.is_object() && template.get("restartPolicy").is_none() {
        template["restartPolicy"] = json!("Always");
    }
    pod::complete(template);
}

/// Rejects an invalid Job.
pub(super) fn check(name: &str, before: Option<&Value>, job: &Value) -> Result<(), Failure> {
    let mut causes = Causes::default();
    let spec = &job["spec"];
    numbers(spec, &mut causes);
    modes(spec, &mut causes);
    limits_per_index(spec, &mut causes);
    failure_policy(spec, &mut causes);
    template(&spec["template"]["spec"], &mut causes);
    if let Some(before) = before {
        unchanged(&before["spec"], spec, &mut causes);
    }
    if causes.0.is_empty() { Ok(()) } else { Err(Failure::invalid(&JOBS, name, &causes.0)) }
}

/// Problems of a Job
#[derive(Debug, Default)]
struct Causes(Vec<Cause>);

impl Causes {
    fn invalid(&mut self, field: &str, value: &Value, why: &str) {
        self.0.push(Cause::invalid(format!("spec.{field}"), format!("Invalid value: {value}: {why}")));
    }

    fn required(&mut self, field: &str, why: &str) {
        let message = format!("Required value{}{why}", if why.is_empty() { "" } else { ": " });
        self.0.push(Cause { reason: "FieldValueRequired", field: format!("spec.{field}"), message });
    }

    fn unsupported(&mut self, field: &str, value: &Value, known: &[&str]) {
        let known: Vec<String> = known.iter().map(|word| format!("\"{word}\"")).collect();
        let message = format!("Unsupported value: {value}: supported values: {}", known.join(", "));
        self.0.push(Cause { reason: "FieldValueNotSupported", field: format!("spec.{field}"), message });
    }

    fn one_of(&mut self, field: &str, value: &Value, known: &[&str]) {
        if !value.is_null() && !known.iter().any(|word| value == word) {
            self.unsupported(field, value, known);
        }
    }
}

fn numbers(spec: &Value, causes: &mut Causes) {
    for field in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ] {
        let value = &spec[field];
        if !value.is_null() && value.as_i64().is_none_or(|number| number < 0) {
            causes.invalid(field, value, "must be greater than or equal to 0");
        }
    }
}

fn modes(spec: &Value, causes: &mut Causes) {
    causes.one_of("completionMode", &spec["completionMode"], &["Indexed", "NonIndexed"]);
    causes.one_of("podReplacementPolicy", &spec["podReplacementPolicy"], &["Failed", "TerminatingOrFailed"]);
    if spec["podFailurePolicy"].is_object() && spec["podReplacementPolicy"] == "TerminatingOrFailed" {
        causes.unsupported("podReplacementPolicy", &spec["podReplacementPolicy"], &["Failed"]);
    }
    if spec["completionMode"] == "Indexed" {
        if spec["completions"].is_null() {
            causes.required("completions", "when completion mode is Indexed");
        }
        let parallelism = &spec["parallelism"];
        if parallelism.as_i64().is_some_and(|number| number > MOST_PARALLEL) {
            let why =
                format!("must be less than or equal to {MOST_PARALLEL} when completion mode is Indexed");
            causes.invalid("parallelism", parallelism, &why);
        }
    }
    if spec["manualSelector"] == true && !spec["selector"].is_object() {
        causes.required("selector", "");
    }
}

fn limits_per_index(spec: &Value, causes: &mut Causes) {
    let has_limit = spec["backoffLimitPerIndex"].is_integer();
    if has_limit && spec["completionMode"] != "Indexed" {
        let why = "requires indexed completion mode";
        causes.invalid("backoffLimitPerIndex", &spec["backoffLimitPerIndex"], why);
    }
    let most = &spec["maxFailedIndexes"];
    if most.is_null() {
        return;
    }
    if !has_limit {
        causes.required("backoffLimitPerIndex", "when maxFailedIndexes is specified");
    }
    if most.as_i64() > spec["completions"].as_i64() {
        causes.invalid("maxFailedIndexes", most, "must be less than or equal to completions");
    }
}

fn failure_policy(spec: &Value, causes: &mut Causes) {
    let Some(rules) = spec["podFailurePolicy"]["rules"].as_array() else { return };
    let policy = &spec["template"]["spec"]["restartPolicy"];
    if policy != "Never" {
        let why = "only \"Never\" is supported when podFailurePolicy is specified";
        causes.invalid("template.spec.restartPolicy", policy, why);
    }
    for (place, rule) in rules.iter().enumerate() {
        let at = |field: &str| format!("podFailurePolicy.rules[{place}]{field}");
        match rule["action"].as_str() {
            None => {
                let known = "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]";
                causes.required(&at(".action"), known);
            }
            Some("FailIndex") if spec["backoffLimitPerIndex"].is_null() => {
                let why = "requires the backoffLimitPerIndex to be set";
                causes.invalid(&at(".action"), &rule["action"], why);
            }
            Some("Count" | "FailIndex" | "FailJob" | "Ignore") => {}
            Some(_) => {
                let known = ["Count", "FailIndex", "FailJob", "Ignore"];
                causes.unsupported(&at(".action"), &rule["action"], &known);
            }
        }
        let has_codes = rule["onExitCodes"].is_object();
        let has_conditions = rule["onPodConditions"].as_array().is_some_and(|list| !list.is_empty());
        if has_codes && has_conditions {
            causes.invalid(
                &at(""),
                &json!("{}"),
                "specifying both OnExitCodes and OnPodConditions is not supported",
            );
        } else if !has_codes && !has_conditions {
            causes.invalid(
                &at(""),
                &json!("{}"),
                "specifying one of OnExitCodes and OnPodConditions is required",
            );
        }
        if has_codes {
            exit_codes(&rule["onExitCodes"], &at(".onExitCodes"), causes);
        }
    }
}

fn exit_codes(codes: &Value, at: &str, causes: &mut Causes) {
    match codes["operator"].as_str() {
        None => causes.required(&format!("{at}.operator"), "valid values: [\"In\" \"NotIn\"]"),
        Some(_) => causes.one_of(&format!("{at}.operator"), &codes["operator"], &["In", "NotIn"]),
    }
    let values = codes["values"].as_array().cloned().unwrap_or_default();
    if values.is_empty() {
        causes.invalid(&format!("{at}.values"), &json!([]), "at least one value is required");
    }
    if codes["operator"] == "In" && values.contains(&json!(0)) {
        causes.invalid(&format!("{at}.values[0]"), &json!(0), "must not be 0 for the In operator");
    }
}

fn template(spec: &Value, causes: &mut Causes) {
    if spec["containers"].as_array().is_none_or(Vec::is_empty) {
        causes.required("template.spec.containers", "");
    }
    for (place, container) in spec["containers"].as_array().into_iter().flatten().enumerate() {
        for field in ["name", "image"] {
            if container[field].as_str().is_none_or(str::is_empty) {
                causes.required(&format!("template.spec.containers[{place}].{field}"), "");
            }
        }
    }
    if !matches!(spec["restartPolicy"].as_str(), Some("Never" | "OnFailure")) {
        causes.required("template.spec.restartPolicy", "valid values: \"OnFailure\", \"Never\"");
    }
}

/// Checks fields that no update may change.
fn unchanged(before: &Value, after: &Value, causes: &mut Causes) {
    let is_elastic = after["completionMode"] == "Indexed" && after["completions"] == after["parallelism"];
    // The placement of its pods may be changed while it is suspended and has not begun.
    let is_free = before["suspend"] == true;
    for field in [
        "completions",
        "selector",
        "template",
        "completionMode",
        "podFailurePolicy",
        "backoffLimitPerIndex",
        "manualSelector",
    ] {
        let is_allowed = field == "completions" && is_elastic || field == "template" && is_free;
        if before.get(field) != after.get(field) && !is_allowed {
            causes.invalid(field, &after[field], "field is immutable");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(spec: &Value) -> Value {
        let mut job = json!({"metadata": {"name": "j"}, "spec": spec});
        if job["spec"]["template"].is_null() {
            job["spec"]["template"] =
                json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}});
        }
        complete(&mut job);
        job
    }

    fn refused(spec: &Value) -> String {
        let failure = check("j", None, &job(spec)).unwrap_err();
        failure.status()["message"].as_str().unwrap().to_owned()
    }

    #[test]
    fn defaults_are_those_of_a_cluster() {
        let spec = job(&json!({}))["spec"].clone();
        for (field, value) in [
            ("completions", json!(1)),
            ("parallelism", json!(1)),
            ("backoffLimit", json!(6)),
            ("completionMode", json!("NonIndexed")),
            ("podReplacementPolicy", json!("TerminatingOrFailed")),
            ("suspend", json!(false)),
        ] {
            assert_eq!(spec[field], value, "{field}");
        }
        assert_eq!(spec["template"]["spec"]["terminationGracePeriodSeconds"], 30);
        let queue = job(&json!({"parallelism": 3}));
        assert!(queue["spec"].get("completions").is_none());
        let indexed = job(
            &json!({"completionMode": "Indexed", "completions": 2, "backoffLimitPerIndex": 1, "podFailurePolicy": {
            "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]}}),
        );
        assert_eq!(indexed["spec"]["backoffLimit"], NO_LIMIT);
        assert_eq!(indexed["spec"]["podReplacementPolicy"], "Failed");
        assert_eq!(indexed["spec"]["podFailurePolicy"]["rules"][0]["onPodConditions"][0]["status"], "True");
        assert_eq!(check("j", None, &indexed), Ok(()));
    }

    #[test]
    fn what_no_cluster_takes_is_refused_in_its_words() {
        let always = json!({"spec": {"containers": [{"name": "c", "image": "i"}]}});
        assert_eq!(
            refused(&json!({"template": always})),
            "Job.batch \"j\" is invalid: spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\""
        );
        assert!(
            refused(&json!({"completionMode": "Indexed", "parallelism": 2}))
                .contains("spec.completions: Required value: when completion mode is Indexed")
        );
        assert!(refused(&json!({"completions": -1})).contains("must be greater than or equal to 0"));
        assert!(refused(&json!({"backoffLimitPerIndex": 1})).contains("requires indexed completion mode"));
        assert!(
            refused(&json!({"completionMode": "Odd"}))
                .contains("supported values: \"Indexed\", \"NonIndexed\"")
        );
        let zero = json!({"podFailurePolicy": {"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [0]}}]}});
        assert!(refused(&zero).contains("must not be 0 for the In operator"));
    }

    #[test]
    fn the_template_of_a_job_stays() {
        let before = job(&json!({"completions": 2}));
        let mut after = before.clone();
        after["spec"]["parallelism"] = json!(5);
        assert_eq!(check("j", Some(&before), &after), Ok(()));
        after["spec"]["template"]["spec"]["containers"][0]["image"] = json!("other");
        let message = check("j", Some(&before), &after).unwrap_err().status()["message"].to_string();
        assert!(message.contains("spec.template") && message.contains("field is immutable"), "{message}");
        after = before.clone();
        after["spec"]["completions"] = json!(3);
        assert!(check("j", Some(&before), &after).is_err());
    }
}
