//! Columns of `kubectl get jobs`.

use crate::value::{Value, json};

use super::age::between;
use super::column::condition_status;

pub(super) fn status(job: &Value) -> Value {
    let is = |kind: &str| condition_status(job, kind) == "True";
    let word = match () {
        () if is("Complete") => "Complete",
        () if is("Failed") => "Failed",
        () if job["metadata"]["deletionTimestamp"].is_string() => "Terminating",
        () if is("Suspended") => "Suspended",
        () if is("FailureTarget") => "FailureTarget",
        () if is("SuccessCriteriaMet") => "SuccessCriteriaMet",
        () => "Running",
    };
    json!(word)
}

pub(super) fn completions(job: &Value) -> Value {
    let done = job["status"]["succeeded"].as_u64().unwrap_or(0);
    let (all, parallelism) = (&job["spec"]["completions"], job["spec"]["parallelism"].as_u64().unwrap_or(0));
    json!(match all.as_u64() {
        Some(all) => format!("{done}/{all}"),
        None if parallelism > 1 => format!("{done}/1 of {parallelism}"),
        None => format!("{done}/1"),
    })
}

pub(super) fn duration(job: &Value) -> Value {
    let status = &job["status"];
    json!(between(status["startTime"].as_str(), status["completionTime"].as_str()))
}

fn of_containers(job: &Value, field: &str) -> Value {
    let containers = job["spec"]["template"]["spec"]["containers"].as_array().into_iter().flatten();
    let texts: Vec<&str> = containers.filter_map(|container| container[field].as_str()).collect();
    json!(texts.join(","))
}

pub(super) fn containers(job: &Value) -> Value {
    of_containers(job, "name")
}

pub(super) fn images(job: &Value) -> Value {
    of_containers(job, "image")
}

pub(super) fn selector(job: &Value) -> Value {
    let labels = job["spec"]["selector"]["matchLabels"].as_object().into_iter().flatten();
    let pairs: Vec<String> =
        labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    json!(pairs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_shows_how_far_it_is() {
        let mut job = json!({
            "spec": {"completions": 3, "parallelism": 2},
            "status": {"succeeded": 1, "startTime": "2026-08-22T10:00:00Z", "completionTime": "2026-08-22T10:03:12Z"},
        });
        assert_eq!((status(&job), completions(&job)), (json!("Running"), json!("1/3")));
        assert_eq!(duration(&job), "3m12s");
        job["status"]["conditions"] = json!([{"type": "Suspended", "status": "True"}]);
        job["spec"]["completions"] = Value::Null;
        assert_eq!((status(&job), completions(&job)), (json!("Suspended"), json!("1/1 of 2")));
    }
}
