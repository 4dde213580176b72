//! Field selectors: the few fields by which each kind can be selected.

use crate::value::Value;

use super::super::query::Query;
use super::super::status::Failure;
use crate::store::Kind;
use crate::store::kind::{EVENTS, NAMESPACES, NODES, PODS, SECRETS};

/// Requirements on fields, all of which must hold
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields(Vec<Requirement>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    pointer: String,
    value: String,
    equal: bool,
}

impl Fields {
    pub(super) fn parse(kind: &Kind, text: &str, query: &Query) -> Result<Self, Failure> {
        let mut requirements = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let operators = [("!=", false), ("==", true), ("=", true)];
            let found =
                operators.iter().find_map(|(operator, equal)| Some((part.split_once(operator)?, *equal)));
            let Some(((field, value), equal)) = found else {
                let message = format!("invalid selector: '{text}'; can't understand '{part}'");
                return Err(Failure::bad_request(message));
            };
            if !is_supported(kind, field) {
                return Err(unsupported(kind, text, field, query));
            }
            requirements.push(Requirement { pointer: pointer(field), value: value.to_owned(), equal });
        }
        Ok(Self(requirements))
    }

    pub(super) fn require(&mut self, field: &str, value: &str) {
        self.0.push(Requirement { pointer: pointer(field), value: value.to_owned(), equal: true });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn fits(&self, object: &Value) -> bool {
        self.0.iter().all(|requirement| {
            let found = object.pointer(&requirement.pointer);
            let equal = match found {
                Some(Value::String(text)) => **text == *requirement.value,
                Some(Value::Bool(flag)) => requirement.value == if *flag { "true" } else { "false" },
                None if requirement.pointer == "/spec/unschedulable" => requirement.value == "false",
                None | Some(Value::Null) => requirement.value.is_empty(),
                Some(other) => *other == requirement.value,
            };
            equal == requirement.equal
        })
    }
}

fn is_supported(kind: &Kind, field: &str) -> bool {
    let more: &[&str] = if kind.is(&PODS) {
        &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.phase",
            "status.podIP",
        ]
    } else if kind.is(&EVENTS) {
        &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ]
    } else if kind.is(&NODES) {
        &["spec.unschedulable"]
    } else if kind.is(&NAMESPACES) {
        &["status.phase"]
    } else if kind.is(&SECRETS) {
        &["type"]
    } else {
        &[]
    };
    field == "metadata.name" || (field == "metadata.namespace" && kind.namespaced) || more.contains(&field)
}

fn pointer(field: &str) -> String {
    if field == "source" { "/source/component".to_owned() } else { format!("/{}", field.replace('.', "/")) }
}

fn unsupported(kind: &Kind, text: &str, field: &str, query: &Query) -> Failure {
    let labels = query.get("labelSelector").unwrap_or_default();
    Failure::bad_request(format!(
        "Unable to find \"{}, Resource={}\" that match label selector \"{labels}\", field selector \"{text}\": field label not supported: {field}",
        kind.api_version(),
        kind.plural,
    ))
}

#[cfg(test)]
mod tests {
    use crate::value::json;

    use super::*;
    use crate::store::kind::VIRTUAL_MACHINES;

    #[test]
    fn only_a_kinds_own_fields_can_be_selected() {
        let query = Query::default();
        assert!(Fields::parse(&PODS, "spec.nodeName=n,status.phase!=Failed", &query).is_ok());
        let failure = Fields::parse(&VIRTUAL_MACHINES, "status.printableStatus=Running", &query).unwrap_err();
        let status = failure.status();
        assert!(
            status["message"]
                .as_str()
                .unwrap()
                .ends_with("field label not supported: status.printableStatus")
        );
    }

    #[test]
    fn fields_are_compared_as_text() {
        let fits = |kind, selector: &str| {
            let fields = Fields::parse(kind, selector, &Query::default()).unwrap();
            fields.fits(
                &json!({"metadata": {"name": "a"}, "spec": {"nodeName": "n"}, "source": {"component": "c"}}),
            )
        };
        assert!(fits(&PODS, "metadata.name=a,spec.nodeName==n") && fits(&PODS, "status.phase="));
        assert!(!fits(&PODS, "spec.nodeName=") && !fits(&PODS, "metadata.name!=a"));
        assert!(fits(&NODES, "spec.unschedulable=false") && fits(&EVENTS, "source=c"));
    }
}
