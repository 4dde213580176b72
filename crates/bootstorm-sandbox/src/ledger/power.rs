//! Effect of a request on a machine: derived from its body, or from the machine before and after it.

use crate::value::Value;

/// Effect of a request on a machine as a whole
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Power {
    /// Created.
    Create,
    /// Switched on.
    Start,
    /// Switched off.
    Stop,
    /// Switched off and on.
    Restart,
    /// Deleted.
    Delete,
}

/// Whether a specification wants the machine on; `Manual` leaves that to requests.
fn wanted(spec: &Value) -> Option<bool> {
    match (spec["runStrategy"].as_str(), spec["running"].as_bool()) {
        (Some("Halted"), _) => Some(false),
        (Some("Always" | "RerunOnFailure" | "Once"), _) => Some(true),
        (Some(_), _) => None,
        (None, running) => running,
    }
}

impl Power {
    fn of(on: bool) -> Self {
        if on { Self::Start } else { Self::Stop }
    }

    /// The effect requested by a patch of a machine, by the fields it names.
    pub(crate) fn asked_by_patch(patch: &Value) -> Option<Self> {
        let Some(steps) = patch.as_array() else { return wanted(&patch["spec"]).map(Self::of) };
        let named = |step: &&Value| {
            matches!(step["path"].as_str(), Some("/spec/runStrategy" | "/spec/running"))
                && step["op"] != "test"
        };
        let step = steps.iter().rfind(named)?;
        let field = if step["path"] == "/spec/running" { "running" } else { "runStrategy" };
        wanted(&crate::value::json!({field: step["value"]})).map(Self::of)
    }

    /// The change of a machine between two versions.
    pub(crate) fn between(before: &Value, after: &Value) -> Option<Self> {
        let (before, after) = (wanted(&before["spec"]), wanted(&after["spec"]));
        after.filter(|_| before != after).map(Self::of)
    }

    /// The effect requested by an action of virt-api.
    pub(crate) fn of_action(action: &str) -> Option<Self> {
        match action {
            "start" => Some(Self::Start),
            "stop" => Some(Self::Stop),
            "restart" => Some(Self::Restart),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::value::json;

    use super::*;

    #[test]
    fn a_patch_asks_for_what_it_names() {
        let asks = |patch: Value| Power::asked_by_patch(&patch);
        assert_eq!(asks(json!({"spec": {"runStrategy": "Always"}})), Some(Power::Start));
        assert_eq!(asks(json!({"spec": {"running": false}})), Some(Power::Stop));
        assert_eq!(asks(json!({"metadata": {"labels": {"a": "b"}}})), None);
        let steps = |op: &str| json!([{"op": op, "path": "/spec/runStrategy", "value": "Halted"}]);
        assert_eq!(asks(steps("replace")), Some(Power::Stop));
        assert_eq!(asks(steps("test")), None);
    }

    #[test]
    fn only_a_difference_is_a_change() {
        let vm = |strategy: &str| json!({"spec": {"runStrategy": strategy}});
        assert_eq!(Power::between(&vm("Halted"), &vm("Always")), Some(Power::Start));
        assert_eq!(Power::between(&vm("Always"), &vm("Always")), None);
        assert_eq!(Power::between(&vm("Always"), &vm("Once")), None);
        assert_eq!(Power::between(&json!({"spec": {"running": true}}), &vm("Halted")), Some(Power::Stop));
        assert_eq!(Power::between(&vm("Always"), &vm("Manual")), None);
    }
}
