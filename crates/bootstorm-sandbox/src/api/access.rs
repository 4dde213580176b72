//! Authorization, and access reviews.

use super::payload::Body;
use crate::value::{Value, json};
use http::{Method, Response, StatusCode};

use super::status::Failure;
use super::{answer, body, rbac};
use crate::faults::{Attributes, Faults};
use crate::ledger::Ledger;
use crate::store::{Store, seconds};
use bootstorm_model::observe::clock::wall_now;

/// User behind the sandbox's token.
pub(super) const USER: &str = "bootstorm-sandbox";

/// Refusal of a denied request, in the API server's words.
pub(super) fn forbidden(user: &str, request: &Attributes<'_>) -> Failure {
    let plural = request.resource.split('/').next().unwrap_or_default();
    let qualified =
        if request.group.is_empty() { plural.to_owned() } else { format!("{plural}.{}", request.group) };
    let object = if request.name.is_empty() { String::new() } else { format!(" \"{}\"", request.name) };
    let place = if request.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace \"{}\"", request.namespace)
    };
    let message = format!(
        "{qualified}{object} is forbidden: User \"{user}\" cannot {} resource \"{}\" in API group \"{}\" {place}",
        request.verb, request.resource, request.group
    );
    let mut failure = Failure::new(403, "Forbidden", message).detail("kind", json!(plural));
    for (field, value) in [("name", request.name), ("group", request.group)] {
        if !value.is_empty() {
            failure = failure.detail(field, json!(value));
        }
    }
    failure
}

/// Reviewing others' access requires a permission; reviewing one's own does not.
const ABOUT_OTHERS: Attributes<'static> = Attributes {
    verb: "create",
    group: "authorization.k8s.io",
    resource: "subjectaccessreviews",
    namespace: "",
    name: "",
};

/// The caller, and what its access depends on
pub(super) struct Asker<'a> {
    pub(super) faults: &'a Faults,
    pub(super) store: &'a Store,
    pub(super) ledger: &'a Ledger,
    pub(super) user: &'a str,
}

/// Answers a review of the caller's access.
pub(super) fn review(
    asker: &Asker<'_>,
    plural: &str,
    method: &Method,
    text: &[u8],
) -> Result<Response<Body>, Failure> {
    let known =
        ["selfsubjectaccessreviews", "subjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"];
    if !known.contains(&plural) {
        return Err(Failure::page_not_found());
    }
    if *method != Method::POST {
        return Err(Failure::method_not_allowed());
    }
    let mut object = body::object(text)?;
    object["metadata"] = json!({"creationTimestamp": seconds(wall_now())});
    object["status"] = match plural {
        "selfsubjectrulesreviews" => rules(),
        "selfsubjectreviews" => {
            json!({"userInfo": {"username": asker.user, "groups": rbac::groups(asker.user)}})
        }
        "subjectaccessreviews" if !rbac::allows(asker.store, asker.user, &ABOUT_OTHERS) => {
            return Err(forbidden(asker.user, &ABOUT_OTHERS));
        }
        "subjectaccessreviews" => decision(asker.faults, |_| true, &object["spec"]),
        _ => {
            let allows = |asked: &Attributes<'_>| {
                asker.ledger.review(asked);
                rbac::allows(asker.store, asker.user, asked)
            };
            decision(asker.faults, allows, &object["spec"])
        }
    };
    Ok(answer::value(StatusCode::CREATED, &object))
}

fn decision(faults: &Faults, allows: impl Fn(&Attributes<'_>) -> bool, spec: &Value) -> Value {
    let asked = &spec["resourceAttributes"];
    let text = |field: &str| asked[field].as_str().unwrap_or_default();
    let resource = match text("subresource") {
        "" => text("resource").to_owned(),
        subresource => format!("{}/{subresource}", text("resource")),
    };
    let attributes = Attributes {
        verb: text("verb"),
        group: text("group"),
        resource: &resource,
        namespace: text("namespace"),
        name: text("name"),
    };
    if asked.is_object() && (faults.denies(&attributes) || !allows(&attributes)) {
        return json!({"allowed": false});
    }
    json!({"allowed": true, "reason": "the sandbox allows everything that no fault denies"})
}

fn rules() -> Value {
    json!({
        "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        "incomplete": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_reads_as_on_a_cluster() {
        let request = Attributes {
            verb: "update",
            group: "subresources.kubevirt.io",
            resource: "virtualmachines/start",
            namespace: "probe",
            name: "h",
        };
        assert_eq!(
            forbidden("nobody", &request).status()["message"],
            "virtualmachines.subresources.kubevirt.io \"h\" is forbidden: User \"nobody\" cannot update resource \"virtualmachines/start\" in API group \"subresources.kubevirt.io\" in the namespace \"probe\""
        );
        let list = Attributes { verb: "list", group: "", resource: "nodes", namespace: "", name: "" };
        assert_eq!(
            forbidden("u", &list).status()["message"],
            "nodes is forbidden: User \"u\" cannot list resource \"nodes\" in API group \"\" at the cluster scope"
        );
    }

    #[test]
    fn a_denied_permission_is_no() {
        let faults = Faults::none();
        faults.deny("update", "virtualmachines/start", None);
        let spec = json!({"resourceAttributes": {"verb": "update", "group": "subresources.kubevirt.io", "resource": "virtualmachines", "subresource": "start"}});
        assert_eq!(decision(&faults, |_| true, &spec)["allowed"], false);
        assert_eq!(decision(&Faults::none(), |_| true, &spec)["allowed"], true);
        assert_eq!(decision(&Faults::none(), |_| false, &spec)["allowed"], false);
    }
}
